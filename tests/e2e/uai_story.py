"""Stories on a stand-in of UCloud whose machines are sandboxes of this one."""

import json
import os
import pathlib
import subprocess
import unittest

from buckets import python_with
from registries import registry
from story import Story
from uai_server import PROJECT, REGION, UaiServer
from ufile_server import ENV, PRIVATE, PUBLIC

HERE = pathlib.Path(__file__).resolve().parent
SDK = ("ucloud-sdk-python3==0.11.150",)

# Where these are reached from here.
REACH = '''
store "reach" { url = "ufile://%(bucket)s", region = "cn-bj", create = true, endpoint = "http://127.0.0.1:%(port)d" }
registry "reach" { url = "uhub.service.ucloud.cn", endpoint = "http://127.0.0.1:%(hub)d" }
'''


def why_no_machine():
    said = subprocess.run(["bwrap", "--ro-bind", "/", "/", "--unshare-net", "--unshare-pid", "true"], capture_output=True, text=True, check=False)
    return said.stderr if said.returncode else ""


class OnUai(Story):
    @classmethod
    def setUpClass(cls):
        if why := why_no_machine():
            raise unittest.SkipTest(why)

    def cloud(self, *buckets):
        hub = registry()
        port = hub.__enter__()
        self.addCleanup(hub.__exit__, None, None, None)
        server = UaiServer(*buckets, hub=port)
        server.__enter__()
        self.addCleanup(lambda: self.assertEqual(server.wrong, []))
        self.addCleanup(server.__exit__)
        return server

    @staticmethod
    def connect(place, server, bucket="mnist-bucket"):
        """Lets a project find the stand-in, with keys that it knows."""
        place.append("TRAINSPACE.lua", REACH % {"bucket": bucket, "port": server.port, "hub": server.hub})
        (place.home / ".ucloud").mkdir()
        (place.home / ".ucloud/config.json").write_text(json.dumps([{"profile": "default", "active": True, "base_url": server.api}]))
        place.env.update(ENV, UAI_PROJECT=PROJECT)

    def sdk(self, server, *calls, private=PRIVATE):
        python = python_with("ucloud", *SDK)
        asked = {"keys": [PUBLIC, private], "settings": {"region": REGION, "project_id": PROJECT}, "calls": calls}
        said = subprocess.run([python, "-B", str(HERE / "uai/sdk.py"), server.api + "/"], input=json.dumps(asked), capture_output=True, text=True, check=False,
                              env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
        self.assertEqual(said.returncode, 0, said.stderr)
        return json.loads(said.stdout)

    def assert_sdk_sends(self, server, ours):
        """Calls of ours, as [ACTION, PARAMETERS], are sent alike by the vendor's own client, and taken from it."""
        server.calls.clear()
        signed_by_it = ("Action", "Region", "ProjectId", "PublicKey", "Signature")
        said = self.sdk(server, *([action, {name: value for name, value in parameters.items() if name not in signed_by_it}] for action, parameters in ours))
        self.assertEqual([each["RetCode"] for each in said], [0] * len(said), said)
        self.assertEqual(server.calls, ours)
