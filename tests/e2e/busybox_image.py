"""Projects whose image is busybox alone, for stories of jobs in containers; skipped, saying why, where none can be run."""

import os
import pathlib
import subprocess
import unittest

from story import BINARY, Story

BUSYBOX = pathlib.Path("/bin/busybox")
PROGRAMS = ("sh", "cat", "sleep", "ls", "id", "env", "mkfifo", "mkdir", "ln", "ip", "wc")


def why_no_container():
    if not BUSYBOX.exists():
        return "there is no busybox-static"
    said = subprocess.run([BINARY, "doctor"], capture_output=True, text=True, cwd="/", check=False).stdout
    line = next((line for line in said.splitlines() if line.startswith("containers")), "")
    return "" if line.split()[1:2] == ["ok"] else line


class InBusybox(Story):
    @classmethod
    def setUpClass(cls):
        if why := why_no_container():
            raise unittest.SkipTest(why)

    def in_busybox(self, script, job="", **more):
        place = self.place({"code/main.sh": script, "data/a.txt": "aaa\n", **more})
        place.write("root/bin/busybox", BUSYBOX.read_bytes(), 0o755)
        for program in PROGRAMS:
            os.symlink("busybox", place.path("root/bin") / program)
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "main.sh" }}
            data "d" {{ files = glob "data/**" }}
            image "i" {{ code = "code:c", base = "scratch", files = {{ {{ srcs = glob "root/**", dest = "/" }} }}, env = {{ OF = "image" }} }}
            job "j" {{ image = "image:i", data = {{ "data:d", again = "data:d" }}, outputs = {{ o = "o.txt" }}, {job} }}
        ''')
        return place
