"""The vendor's own client as a program: `sdk.py PORT`, and a JSON list of calls on stdin, [NAME, WORD...] each. Prints a JSON list of what each came to.

Runs in a Python of its own, where the client is installed (tests/servers/python.sh). Whatever is asked for lies on loopback.
"""

import json
import socket
import sys

SUFFIX = ".cn-bj.ufileos.com"


def main():
    port = int(sys.argv[1])
    real = socket.getaddrinfo
    socket.getaddrinfo = lambda host, _, *more, **named: real("127.0.0.1", port, *more, **named)
    from ufile import config, filemanager, multipartuploadufile

    keys, calls = json.load(sys.stdin)
    config.set_default(uploadsuffix=SUFFIX, downloadsuffix=SUFFIX, md5=True)
    files, parts = filemanager.FileManager(*keys), multipartuploadufile.MultipartUploadUFile(*keys)
    by_name = {
        "put": lambda bucket, key, path: files.putfile(bucket, key, path),
        "post": lambda bucket, key, path: files.postfile(bucket, key, path),
        "put_parts": lambda bucket, key, path: parts.uploadfile(bucket, key, path, retrycount=1),
        "get": lambda bucket, key, path: files.download_file(bucket, key, path),
        "head": files.head_file,
        "same": lambda bucket, key, path: ({"same": files.compare_file_etag(bucket, key, path)}, None),
        "delete": files.deletefile,
        "copy": files.copy,
        "list": lambda bucket, prefix, marker, limit: files.getfilelist(bucket, prefix=prefix, marker=marker, limit=limit),
        "list_objects": lambda bucket, prefix, marker, most: files.listobjects(bucket, prefix=prefix, marker=marker, maxkeys=most, delimiter=""),
    }
    said = []
    for name, *words in calls:
        result, response = by_name[name](*words)
        said.append({"result": result, "status": response and response.status_code, "etag": response and response.etag, "error": response and response.error,
                     "code": response and response.ret_code})
    json.dump(said, sys.stdout)


main()
