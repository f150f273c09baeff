"""Images that are handed on: to a file, a folder or another program; and checked."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading

from registries import Proxy, inspect, program, registry, unpacked
from story import BINARY, DEADLINE_S, Story

FILE = '''code "c" { srcs = glob "code/**", main = "a.py" }
image "i" { code = "code:c", base = "scratch", env = { MODE = "x" }, workdir = "/code", tags = { "v1", "v2" } }
job "j" { image = "image:i" }
'''
SPACE = 'registry "hub" {{ url = "127.0.0.1:{port}/team" }}\ndefault_registry "hub"\n'

# Takes what is loaded into a file beside it, and says who it is.
STAND_IN = '#!/bin/sh\ntest "$*" = load || exit 9\ncat >"{folder}/loaded"\necho {name} >"{folder}/who"\n'


class HandingOnStory(Story):
    def project(self, port=None, **files):
        space = {"TRAINSPACE.lua": SPACE.format(port=port)} if port else {}
        return self.place({"TRAINFILE.lua": FILE, "code/a.py": "print(1)\n", "code/lib/b.py": "b = 2\n", **space, **files})

    def built(self, port=None, **files):
        place = self.project(port, **files)
        place.make("image:i")
        return place

    def read_by_skopeo(self, source):
        done = subprocess.run([program("skopeo"), "inspect", "--config", source], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Exporting(HandingOnStory):
    def test_a_file_is_read_as_every_kind_that_it_is(self):
        place = self.built()
        answer = place.ask("image", "export", "image:i", "--to", "out/i.tar", "--json").exits(0)
        self.assertEqual((answer.only["names"], answer.only["up_to_date"], answer.only["to"]), (["i:v1", "i:v2"], True, str(place.path("out/i.tar"))))
        self.assertEqual(answer.only["bytes"], place.path("out/i.tar").stat().st_size)
        config = {"Env": ["MODE=x"], "WorkingDir": "/code"}
        for source in ("oci-archive:{}:i:v2", "docker-archive:{}", "docker-archive:{}:i:v1"):
            self.assertEqual(self.read_by_skopeo(source.format(place.path("out/i.tar")))["config"], config)
        with tempfile.TemporaryDirectory() as folder:
            root = unpacked(f"oci-archive:{place.path('out/i.tar')}:i:v1", folder)
            self.assertEqual((root / "code/lib/b.py").read_text(), "b = 2\n")

    def test_a_folder_is_a_layout_and_takes_more(self):
        place = self.built()
        place.ask("image", "export", "image:i", "--to", "out/").exits(0)
        place.write("code/a.py", "print(2)\n")
        place.replace("TRAINFILE.lua", 'tags = { "v1", "v2" }', 'tags = { "v2", "v3" }')
        place.make("image:i")
        place.ask("image", "export", "image:i", "--to", "out").exits(0)
        told = {}
        for tag in ("v1", "v2", "v3"):
            with tempfile.TemporaryDirectory() as folder:
                told[tag] = (unpacked(f"oci:{place.path('out')}:i:{tag}", folder) / "code/a.py").read_text()
        self.assertEqual(told, {"v1": "print(1)\n", "v2": "print(2)\n", "v3": "print(2)\n"})

    def test_the_same_image_is_the_same_file_wherever_it_is_made(self):
        digests = set()
        for umask, zone, language in ((0o022, "UTC", "C.UTF-8"), (0o077, "Asia/Tokyo", "C")):
            old = os.umask(umask)
            try:
                place = self.project()
            finally:
                os.umask(old)
            place.env.update(TZ=zone, LANG=language, LC_ALL=language)
            place.make("image:i")
            done = subprocess.run([BINARY, "image", "export", "image:i", "--to", "-"], cwd=place.root, env=place.env, capture_output=True, check=True)
            digests.add(hashlib.sha256(done.stdout).hexdigest())
            with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
                self.assertEqual([name for name in tar.getnames() if "sha256/" not in name], ["blobs", "blobs/sha256", "index.json", "manifest.json", "oci-layout"])
        self.assertEqual(len(digests), 1)

    def test_layers_that_are_only_in_a_registry_come_from_there(self):
        with registry() as port:
            place = self.built(port)
            place.ask("image", "export", "image:i", "--to", "before.tar").exits(0)
            shutil.rmtree(place.path(".trainmake/images/blobs"))
            place.ask("image", "export", "image:i", "--to", "after.tar").exits(0)
            self.assertEqual(place.path("after.tar").read_bytes(), place.path("before.tar").read_bytes())
            self.assertEqual(self.read_by_skopeo(f"docker-archive:{place.path('after.tar')}:127.0.0.1:{port}/team/i:v1")["config"]["WorkingDir"], "/code")

    def test_a_layer_that_nobody_has_leaves_no_file(self):
        place = self.built()
        for blob in place.path(".trainmake/images/blobs/sha256").iterdir():
            if blob.read_bytes().startswith(b"\x1f\x8b"):
                blob.unlink()
        self.assert_told(place.ask("image", "export", "image:i", "--to", "out/i.tar").exits(1).err, "--force")
        self.assertFalse(place.path("out").exists())

    def test_a_registry_that_cuts_leaves_no_file(self):
        with registry() as port, Proxy(port) as hub:
            place = self.built(hub.port)
            shutil.rmtree(place.path(".trainmake/images/blobs"))
            hub.fault = lambda method, path, number: 403 if "/blobs/" in path else None
            place.ask("image", "export", "image:i", "--to", "out/i.tar").exits(3)
            self.assertEqual(place.files_below("out") if place.path("out").exists() else [], [])

    def test_ctrl_c_leaves_no_file(self):
        reached, release = threading.Event(), threading.Event()

        def fault(method, path, number):
            if method != "GET" or "/blobs/" not in path:
                return None
            reached.set()
            release.wait(DEADLINE_S)
            return "cut"

        with registry() as port, Proxy(port) as hub:
            place = self.built(hub.port)
            shutil.rmtree(place.path(".trainmake/images/blobs"))
            hub.fault = fault
            going = place.start("image", "export", "image:i", "--to", "out/i.tar")
            self.assertTrue(reached.wait(DEADLINE_S))
            self.assertEqual(going.interrupt().end().code, 130)
            release.set()
            self.assertEqual(place.files_below("out") if place.path("out").exists() else [], [])

    def test_a_full_disk_is_told(self):
        place = self.built()
        with open("/dev/full", "wb") as full:
            done = subprocess.run([BINARY, "image", "export", "image:i", "--to", "-"], cwd=place.root, env=place.env, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assert_told(done.stderr, "No space left on device")

    def test_what_the_files_say_by_now_is_told_and_not_built(self):
        place = self.built()
        first = place.ask("image", "export", "image:i", "--to", "a.tar", "--json").exits(0).only["image"]
        place.append("code/a.py", "print(2)\n")
        answer = place.ask("image", "export", "image:i", "--to", "a.tar", "--json").exits(0)
        self.assertEqual((answer.only["image"], answer.only["up_to_date"]), (first, False))
        self.assert_told(answer.err, "image:i is not up to date", "`trainmake image:i` builds it")

    def test_what_cannot_be_handed_on_is_told(self):
        place = self.project()
        self.assert_told(place.ask("image", "export", "image:i", "--to", "a.tar").exits(2).err, "`image:i` was not built yet", "`trainmake image:i`")
        place.make("image:i")
        self.assert_told(place.ask("image", "export", "job:j", "--to", "a.tar").exits(2).err, "`job:j` is no image", "`image:i`")
        self.assert_told(place.ask("image", "export", "image:i").exits(2).err, "--to mnist.tar")
        self.assert_told(place.ask("image", "export", "image:i", "--to", "-", "--json").exits(2).out, "standard output")
        self.assert_told(place.ask("image", "exprot", "image:i").exits(2).err, "Did you mean `export`?")
        self.assert_told(place.ask("image", "check", "image:i", "--to", "a.tar").exits(2).err, "`image export`")

    def test_nothing_else_is_replaced(self):
        place = self.built()
        self.assert_told(place.ask("image", "export", "image:i", "--to", "TRAINFILE.lua").exits(2).err, "is no archive", "--overwrite")
        self.assert_told(place.ask("image", "export", "image:i", "--to", "code/").exits(2).err, "is no OCI layout")
        self.assertEqual(place.read("TRAINFILE.lua"), FILE)
        place.write("note.txt", "x")
        place.ask("image", "export", "image:i", "--to", "note.txt", "--overwrite").exits(0)
        self.read_by_skopeo(f"docker-archive:{place.path('note.txt')}")


class Loading(HandingOnStory):
    def stand_in(self, place, *names, script=STAND_IN):
        for name in names:
            place.write(f"bin/{name}", script.format(folder=place.root, name=name), 0o755)
        place.env["PATH"] = f"{place.path('bin')}:/nowhere"
        place.path("bin").mkdir(exist_ok=True)
        for tool in ("cat", "sh"):
            if not place.path(f"bin/{tool}").exists():
                place.path(f"bin/{tool}").symlink_to(shutil.which(tool))

    def test_the_first_that_is_there_gets_what_a_file_would_hold(self):
        place = self.built()
        place.ask("image", "export", "image:i", "--to", "i.tar").exits(0)
        self.stand_in(place, "docker")
        answer = place.ask("image", "load", "image:i", "--json").exits(0)
        self.assertEqual((answer.only["with"], answer.only["names"], place.read("who")), ("docker", ["i:v1", "i:v2"], "docker\n"))
        self.assertEqual(place.path("loaded").read_bytes(), place.path("i.tar").read_bytes())
        self.stand_in(place, "podman")
        self.assertEqual(place.ask("image", "load", "image:i").exits(0).out, "i:v1\ni:v2\n")
        self.assertEqual(place.read("who"), "podman\n")
        place.ask("image", "load", "image:i", "--with", "docker").exits(0)
        self.assertEqual(place.read("who"), "docker\n")

    def test_without_any_a_way_is_told(self):
        place = self.built()
        self.stand_in(place)
        self.assert_told(place.ask("image", "load", "image:i").exits(2).err, "neither podman, docker nor nerdctl", "image export")
        self.assert_told(place.ask("image", "load", "image:i", "--with", "docker").exits(2).err, "`docker`", "PATH")
        self.assert_told(place.ask("image", "load", "image:i", "--with", "dokcer").exits(2).err, "Did you mean `docker`?")

    def test_what_it_says_when_it_fails_is_told(self):
        place = self.built()
        self.stand_in(place, "docker", script='#!/bin/sh\necho "one" >&2\necho "Cannot connect to the daemon" >&2\nexit 1\n')
        self.assert_told(place.ask("image", "load", "image:i").exits(1).err, "`docker load` failed with exit code 1: Cannot connect to the daemon")


class Checking(HandingOnStory):
    def test_what_is_built_is_fine_wherever_it_is(self):
        with registry() as port:
            for place in (self.built(), self.built(port)):
                answer = place.ask("image", "check", "image:i", "--json").exits(0)
                self.assertEqual((answer.only["ok"], answer.only["layers"], answer.only["wrong"]), (True, 1, []))
            names = [f"127.0.0.1:{port}/team/i:v1", f"127.0.0.1:{port}/team/i@{inspect(port, 'team/i:v2')['Digest']}"]
            self.assertEqual([line["ok"] for line in place.ask("image", "check", *names, "//...", "--json").exits(0).lines], [True, True, True])

    def test_what_is_wrong_is_told_with_exit_1(self):
        place = self.built()
        for blob in place.path(".trainmake/images/blobs/sha256").iterdir():
            content = blob.read_bytes()
            if content.startswith(b"\x1f\x8b"):
                blob.write_bytes(content[:-1] + b"\x01")
        answer = place.ask("image", "check", "image:i", "--json").exits(1)
        self.assertEqual((answer.only["ok"], len(answer.only["wrong"])), (False, 1))
        self.assert_told(place.ask("image", "check", "image:i").exits(1).err, "is damaged", "--force")

    def test_a_tag_that_somebody_moved_is_told(self):
        with registry() as port:
            place = self.built(port)
            subprocess.run([program("skopeo"), "copy", "-q", "--dest-tls-verify=false", "--src-tls-verify=false", "--format", "v2s2",
                            f"docker://127.0.0.1:{port}/team/i:v1", f"docker://127.0.0.1:{port}/team/i:v2"], check=True)
            self.assert_told(place.ask("image", "check", "image:i").exits(1).err, "Tag `v2` points at sha256:")
            place.ask("image", "check", f"127.0.0.1:{port}/team/i:v2").exits(0)

    def test_what_is_not_there_is_told(self):
        with registry() as port:
            place = self.project(port)
            self.assert_told(place.ask("image", "check", f"127.0.0.1:{port}/team/i:v9").exits(3).err, "There is no image")
            for word, told in (("image:i", "was not built yet"), ("job:j", "`job:j` is no image"), ("mnist", "mnist"), ("//j...", "Nothing")):
                self.assert_told(place.ask("image", "check", word).exits(2).err, told)
