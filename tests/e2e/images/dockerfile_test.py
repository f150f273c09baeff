"""Images on what a Dockerfile builds: handed to the tool that is there, and only when something changed."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from registries import unpacked
from story import BINARY, Story

# Docker's commands, as far as they are needed, done by buildah: what they write is what docker writes since 25.
DOCKER = """#!/bin/sh
set -eu
case $1 in
  info) exit 0 ;;
  build) exec buildah "$@" ;;
  save) exec buildah push --quiet "$4" "oci-archive:$3:it" ;;
esac
exit 2
"""


class Dockerfiles(Story):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.folder / "storage.conf").write_text(f'[storage]\ndriver = "vfs"\ngraphroot = "{self.folder}/graph"\nrunroot = "{self.folder}/run"\n')
        self.tools = {"CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"), "BUILDAH_ISOLATION": "chroot", "PATH": os.environ["PATH"]}

    def project(self, dockerfile, inputs='{ "tools/**" }', more=""):
        return self.place({"TRAINFILE.lua": f'code "c" {{ srcs = glob "code/**" }}\nimage "i" {{ code = "code:c", dockerfile = "Dockerfile", inputs = glob {inputs} {more} }}\n',
                           "Dockerfile": dockerfile, "tools/t": "tool\n", "code/a.py": "print(1)\n"})

    def root(self, place, folder):
        return unpacked(f"oci:{place.path('.trainmake/images')}:i:latest", folder)

    def make(self, place, *words):
        answer = place.ask("image:i", "--json", *words, env=self.tools).exits(0)
        return answer

    def test_what_it_builds_lies_below_the_code(self):
        place = self.project("FROM scratch\nCOPY tools/t /opt/t\nENV A=b\n")
        self.make(place)
        with tempfile.TemporaryDirectory() as folder:
            root = self.root(place, folder)
            self.assertEqual(((root / "opt/t").read_text(), (root / "code/a.py").read_text()), ("tool\n", "print(1)\n"))
        self.assert_nothing_ran(self.make(place))

    def test_edited_code_builds_nothing_and_an_edited_input_does(self):
        place = self.project("FROM scratch\nCOPY tools/t /opt/t\n")
        self.make(place)
        place.append("code/a.py", "print(2)\n")
        without = {**self.tools, "PATH": str(self.folder)}
        place.ask("image:i", env=without).exits(0)
        place.write("tools/t", "other\n")
        self.assert_told(place.ask("image:i", env=without).exits(2).err, "needs buildah, podman or docker", "apt install buildah")
        self.make(place)
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual((self.root(place, folder) / "opt/t").read_text(), "other\n")
        place.write("tools/t", "tool\n")
        place.ask("image:i", env=without).exits(0)

    def test_docker_is_asked_when_only_docker_is_there(self):
        place = self.project("FROM scratch\nCOPY tools/t /opt/t\n")
        place.write("bin/docker", DOCKER, 0o755)
        place.write("bin/buildah", '#!/bin/sh\n[ "$1" = --version ] && exit 1\nPATH=/usr/bin:/bin exec buildah "$@"\n', 0o755)
        place.ask("image:i", env={**self.tools, "PATH": f"{place.path('bin')}:/usr/bin:/bin"}).exits(0)
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual((self.root(place, folder) / "opt/t").read_text(), "tool\n")

    def test_a_failure_is_quoted_and_nothing_is_recorded(self):
        place = self.project("FROM scratch\nCOPY none /opt/t\n")
        answer = place.ask("image:i", env=self.tools).exits(1)
        self.assert_told(answer.err, "The Dockerfile of `image:i` could not be built", "none", "`inputs`")
        self.assertEqual(place.plan("image:i")["totals"]["run"], 1)
        self.assertFalse(any(place.path(".trainmake/images/dockerfiles").glob(".*")))

    def test_secrets_are_mounted_and_left_nowhere(self):
        run = "RUN --mount=type=secret,id=TOK wc -c < /run/secrets/TOK > /counted"
        place = self.project(f"FROM scratch\nCOPY root /\n{run}\n", inputs='{ "root/**" }', more=', secrets = { "TOK" }')
        (place.path("root/bin")).mkdir(parents=True)
        shutil.copy("/bin/busybox", place.path("root/bin/busybox"))
        for name in ("sh", "wc", "cat"):
            place.path(f"root/bin/{name}").symlink_to("busybox")
        with_secret = {**self.tools, "TOK": "hunter2-hunter2"}
        place.ask("image:i", env=with_secret).exits(0)
        with tempfile.TemporaryDirectory() as folder:
            self.assertEqual((self.root(place, folder) / "counted").read_text().strip(), "15")
        place.replace("Dockerfile", "wc -c < /run/secrets/TOK", "cat /run/secrets/TOK")
        told = place.ask("image:i", env=with_secret).exits(1)
        self.assert_told(told.err, "The value of secret `TOK` stands in what the Dockerfile built")
        self.assertNotIn("hunter2", told.text)

    def test_one_that_two_images_share_is_built_once(self):
        place = self.project("FROM scratch\nCOPY tools/t /opt/t\n")
        place.append("TRAINFILE.lua", 'image "j" { dockerfile = "Dockerfile", inputs = glob { "tools/**" }, user = "7" }\n')
        for words in ((), ("--force",)):
            answer = place.ask("image:i", "image:j", "--json", *words, env=self.tools).exits(0)
            self.assertEqual(len([line for line in answer.events("log") if "FROM scratch" in line["line"]]), 1, answer.text)

    def test_two_of_one_name_in_two_folders_have_their_own(self):
        line = 'image "i" { dockerfile = "Dockerfile", inputs = { "t" } }\n'
        place = self.place({f"{name}/{file}": text for name in "ab" for file, text in (("TRAINFILE.lua", line), ("Dockerfile", "FROM scratch\nCOPY t /t\n"), ("t", name))})
        place.write("TRAINSPACE.lua", "")
        for _ in range(3):
            running = [subprocess.Popen([BINARY, "--force", "image:i"], cwd=place.path(name), env={**place.env, **self.tools}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for name in "ab"]
            self.assertEqual([each.wait(120) for each in running], [0, 0])
            for name in "ab":
                with tempfile.TemporaryDirectory() as folder:
                    self.assertEqual((unpacked(f"oci:{place.path('.trainmake/images')}:{name}/i:latest", folder) / "t").read_text(), name)

    def test_keys_among_its_inputs_are_refused(self):
        place = self.project("FROM scratch\nCOPY tools /opt\n")
        place.write("tools/.env", "TOKEN=1\n")
        self.assert_told(place.ask("image:i", env=self.tools).exits(2).err, "tools/.env")

    def test_the_first_build_counts_its_layers(self):
        place = self.project("FROM scratch\nCOPY tools/t /opt/t\n")
        self.assertEqual(place.plan("image:i")["totals"]["layers"], 2)
        self.assertEqual(self.make(place).finished["pushed"]["layers"], 2)

    def test_a_base_and_a_dockerfile_exclude_each_other(self):
        place = self.project("FROM scratch\n", more=', base = "scratch"')
        self.assert_told(place.ask("image:i").exits(2).err, "TRAINFILE.lua:2", "both a `base` and a `dockerfile`")
        place.replace("TRAINFILE.lua", 'dockerfile = "Dockerfile", inputs = glob { "tools/**" } , base = "scratch"', 'cmd = { "a" }')
        self.assert_told(place.ask("image:i").exits(2).err, "TRAINFILE.lua:2", "does not say what it is built on")
