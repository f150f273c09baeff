"""UCloud's own client as a program: `sdk.py URL`, and on stdin a JSON object with `keys` (public, private), `settings` of the client and `calls`,
[ACTION, PARAMETERS] each. Prints a JSON list of what each came to.

Runs in a Python of its own, where the client is installed (tests/servers/python.sh). What is asked for lies on loopback.
"""

import json
import sys

from ucloud.client import Client
from ucloud.core import exc


def main():
    asked = json.load(sys.stdin)
    public, private = asked["keys"]
    client = Client({"public_key": public, "private_key": private, "base_url": sys.argv[1], "max_retries": 0, **asked["settings"]})
    said = []
    for action, parameters in asked["calls"]:
        try:
            said.append(client.invoke(action, parameters))
        except exc.RetCodeException as error:
            said.append({"RetCode": error.code, "Message": error.message})
    json.dump(said, sys.stdout)


main()
