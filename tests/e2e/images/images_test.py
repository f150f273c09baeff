"""Images that reach a registry: what is sent, to whom, and what others read there."""

import json
import os
import pathlib
import tempfile

from registries import BASIC, PASSWORD, Proxy, TokenService, inspect, login_file, registry, unpacked
from story import Story

SPACE = 'registry "hub" {{ url = "127.0.0.1:{port}/team" }}\ndefault_registry "hub"\n'
FILE = 'code "c" {{ srcs = glob "code/**", main = "a.py" }}\nimage "i" {{ code = "code:c", base = "{base}", env = {{ MODE = "x" }}, workdir = "/code" {more} }}\n'


class ImageStory(Story):
    def project(self, port, base="scratch", more="", **files):
        return self.place({"TRAINSPACE.lua": SPACE.format(port=port), "TRAINFILE.lua": FILE.format(base=base, more=more), "code/a.py": "print(1)\n", **files})


class Pushing(ImageStory):
    def test_others_read_what_is_pushed(self):
        with registry() as port:
            place = self.project(port, more=', tags = { "v1", "v2" }, user = "1000", labels = { by = "us" }')
            answer = place.make("image:i")
            self.assertEqual((answer.finished["pushed"]["layers"], answer.finished["pushed"]["manifests"]), (1, 1))
            seen = inspect(port, "team/i:v2")
            self.assertEqual((sorted(seen["RepoTags"]), seen["Labels"], seen["Env"], len(seen["Layers"])), (["v1", "v2"], {"by": "us"}, ["MODE=x"], 1))
            self.assertEqual(inspect(port, "team/i:v2", "--config")["config"]["User"], "1000")
            with tempfile.TemporaryDirectory() as folder:
                self.assertEqual((unpacked(f"docker://127.0.0.1:{port}/team/i:v1", folder) / "code/a.py").read_text(), "print(1)\n")

    def test_what_did_not_change_asks_nobody(self):
        with registry() as port, Proxy(port) as hub:
            place = self.project(hub.port)
            place.make("image:i")
            hub.take()
            self.assert_nothing_ran(place.make("image:i"))
            place.plan("image:i")
            self.assertEqual(hub.take(), ([], 0))

    def test_one_line_is_one_layer(self):
        with registry() as port, Proxy(port) as hub:
            place = self.project(hub.port, more=', files = { { srcs = glob "weights/**", dest = "/weights" } }', **{"weights/w": os.urandom(3_000_000)})
            self.assertEqual(place.make("image:i").finished["pushed"]["layers"], 2)
            hub.take()
            place.append("code/a.py", "print(2)\n")
            answer = place.make("image:i")
            requests, sent = hub.take()
            self.assertEqual(answer.finished["pushed"]["layers"], 1)
            self.assertLess(sent, 20_000)
            self.assertEqual(sum(answer.finished["requests"].values()), len(requests))
            self.assertLessEqual(len(requests), 7, requests)

    def test_an_undone_edit_names_the_earlier_image(self):
        with registry() as port:
            place = self.project(port)
            place.make("image:i")
            first = inspect(port, "team/i")["Digest"]
            place.write("code/a.py", "print(2)\n")
            place.make("image:i")
            self.assertNotEqual(inspect(port, "team/i")["Digest"], first)
            place.write("code/a.py", "print(1)\n")
            self.assertIn("//image:i", place.make("image:i").labels("reused"))
            self.assertEqual(inspect(port, "team/i")["Digest"], first)

    def test_a_large_layer_travels_in_pieces_and_goes_on_after_a_cut(self):
        cut = []

        def fault(method, path, number):
            if method == "PATCH" and len(cut) < 2:
                cut.append(path)
                return "cut"
            return None

        size = 80_000_000
        with registry() as port, Proxy(port, fault) as hub:
            place = self.project(hub.port, more=', files = { { srcs = glob "weights/**", dest = "/weights" } }', **{"weights/w": os.urandom(size)})
            place.make("image:i")
            self.assertEqual(len(cut), 2)
            _, sent = hub.take()
            self.assertLess(sent, 1.8 * size)
            hub.fault = None
            with tempfile.TemporaryDirectory() as folder:
                self.assertEqual((unpacked(f"docker://127.0.0.1:{port}/team/i", folder) / "weights/w").stat().st_size, size)

    def test_an_upload_that_never_gets_on_is_given_up(self):
        with registry() as port, Proxy(port, lambda method, path, number: 500 if method == "PATCH" else None) as hub:
            place = self.project(hub.port, more=', files = { { srcs = glob "weights/**", dest = "/weights" } }', **{"weights/w": os.urandom(40_000_000)})
            self.assert_told(place.ask("image:i").exits(3).err, "loses the upload again and again")

    def test_trouble_that_passes_is_waited_for(self):
        with registry() as port, Proxy(port, lambda method, path, number: {1: 500, 2: 429, 4: "cut", 7: 503}.get(number)) as hub:
            self.project(hub.port).make("image:i")
            hub.fault = None
            inspect(port, "team/i")

    def test_a_registry_that_lost_its_blobs_gets_them_again(self):
        with registry() as port:
            place = self.project(port)
            place.make("image:i")
            number = port
        with registry(f"# {number}\n") as port:
            place.write("TRAINSPACE.lua", 'registry "hub" {{ url = "127.0.0.1:{0}/team", endpoint = "http://127.0.0.1:{1}" }}\ndefault_registry "hub"\n'.format(number, port))
            place.replace("TRAINFILE.lua", 'MODE = "x"', 'MODE = "y"')
            place.make("image:i")
            self.assertEqual(len(inspect(port, "team/i")["Layers"]), 1)

    def test_nobody_there_is_exit_3_and_nothing_is_recorded(self):
        with registry() as port:
            place = self.project(port)
            down = Proxy(port, lambda method, path, number: 403 if method != "GET" else None)
            with down:
                place.write("TRAINSPACE.lua", SPACE.format(port=down.port))
                answer = place.ask("image:i", "--json").exits(3)
                self.assert_told(answer.out, "403", "docker login")
                down.fault = None
                self.assertEqual(place.make("image:i").finished["pushed"]["layers"], 1)

    def test_a_name_that_no_registry_takes_is_told_before_anything_is_asked(self):
        with registry() as port, Proxy(port) as hub:
            place = self.project(hub.port)
            place.replace("TRAINFILE.lua", 'image "i"', 'image "I"')
            self.assert_told(place.ask("image:I").exits(2).err, "upper-case", "TRAINFILE.lua:2")
            place.write("TRAINSPACE.lua", 'default_registry "hub"\nregistry "hub" { url = "user:secret@127.0.0.1:1" }\n')
            self.assert_told(place.ask("image:I").exits(2).err, "TRAINSPACE.lua:2")
            self.assertEqual(hub.take(), ([], 0))


class Logins(ImageStory):
    def login(self, place, port, password=PASSWORD):
        folder = pathlib.Path(place.home) / "docker"
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text(login_file(port, password))
        return {"DOCKER_CONFIG": str(folder)}

    def check_logins(self, port):
        place = self.project(port)
        self.assert_told(place.ask("image:i").exits(3).err, "401", f"docker login 127.0.0.1:{port}")
        wrong = place.ask("image:i", "--json", env=self.login(place, port, "wrong one")).exits(3)
        self.assertNotIn("wrong one", wrong.text)
        answer = place.ask("image:i", "--json", "--trace", "trace.json", env=self.login(place, port)).exits(0)
        self.assertEqual(answer.finished["pushed"]["layers"], 1)
        for path in place.root.rglob("*"):
            if path.is_file():
                self.assertNotIn(PASSWORD.encode(), path.read_bytes(), str(path))

    def test_with_basic_authentication(self):
        with registry(BASIC) as port:
            self.check_logins(port)

    def test_with_tokens(self):
        with TokenService() as tokens, registry(tokens.configuration()) as port:
            self.check_logins(port)
            self.assertIn(["repository:team/i:pull,push"], tokens.asked)

    def test_a_helper_is_asked(self):
        with registry(BASIC) as port:
            place = self.project(port)
            place.write("bin/docker-credential-here", f'#!/bin/sh\nread -r host\necho "$host" >"{place.root}/asked"\necho \'{{"Username":"somebody","Secret":"{PASSWORD}"}}\'\n', 0o755)
            folder = pathlib.Path(place.home) / "docker"
            folder.mkdir()
            (folder / "config.json").write_text(json.dumps({"credHelpers": {f"127.0.0.1:{port}": "here"}}))
            place.ask("image:i", env={"DOCKER_CONFIG": str(folder), "PATH": f"{place.path('bin')}:{place.env['PATH']}"}).exits(0)
            self.assertEqual(place.read("asked").strip(), f"127.0.0.1:{port}")


class Bases(ImageStory):
    def base(self, port):
        """An image to build on, in `team/i:v1`, with a layer of a megabyte."""
        place = self.project(port, more=', tags = { "v1" }, files = { { srcs = glob "big/**", dest = "/big" } }, entrypoint = { "/bin/sh" }, cmd = { "-i" }', **{"big/b": os.urandom(1_000_000)})
        place.make("image:i")
        return place

    def built_on(self, port, base, space_port=None):
        return self.place({"TRAINSPACE.lua": SPACE.format(port=space_port or port) if port else "",
                           "TRAINFILE.lua": f'code "c" {{ srcs = glob "code/**" }}\nimage "top" {{ code = "code:c", base = "{base}", env = {{ MODE = "y", MORE = "z" }}, cmd = {{ "-c" }} }}\n',
                           "code/b.py": "print(2)\n"})

    def test_its_layers_are_mounted_and_never_read(self):
        with registry() as port, Proxy(port) as hub:
            self.base(hub.port)
            hub.take()
            place = self.built_on(hub.port, f"127.0.0.1:{hub.port}/team/i:v1")
            answer = place.make("image:top")
            requests, sent = hub.take()
            self.assertEqual(answer.finished["pushed"]["layers"], 1)
            self.assertLess(sent, 20_000)
            self.assertEqual(sum(1 for method, path in requests if method == "GET" and "/blobs/" in path), 1, requests)
            config = inspect(port, "team/top", "--config")["config"]
            self.assertEqual((config["Env"], config["Entrypoint"], config["Cmd"], config["WorkingDir"]), (["MODE=y", "MORE=z"], ["/bin/sh"], ["-c"], "/code"))
            with tempfile.TemporaryDirectory() as folder:
                root = unpacked(f"docker://127.0.0.1:{port}/team/top", folder)
                self.assertEqual(((root / "code/b.py").read_text(), (root / "big/b").stat().st_size), ("print(2)\n", 1_000_000))
            self.assert_nothing_ran(place.make("image:top"))

    def test_after_gc_it_is_built_on_offline(self):
        with registry() as port:
            self.base(port)
            place = self.built_on("", f"127.0.0.1:{port}/team/i:v1")
            place.make("image:top")
            place.append("code/b.py", "print(3)\n")
            place.ask("gc").exits(0)
        place.make("image:top")

    def test_an_earlier_one_on_another_registry_is_sent_again(self):
        with registry() as port:
            self.base(port)
            with registry() as other:
                place = self.built_on(other, f"127.0.0.1:{port}/team/i:v1")
                place.make("image:top")
                place.append("code/b.py", "print(3)\n")
                place.make("image:top")
            with registry() as empty:
                place.write("TRAINSPACE.lua", SPACE.format(port=other).replace('/team"', f'/team", endpoint = "http://127.0.0.1:{empty}"'))
                place.make("image:top")
                place.write("code/b.py", "print(2)\n")
                place.make("image:top")
                self.assert_told(place.ask("image", "check", "image:top").exits(0), "fine")

    def test_its_tag_is_pinned(self):
        with registry() as port:
            base = self.base(port)
            place = self.built_on(port, f"127.0.0.1:{port}/team/i:v1")
            place.make("image:top")
            locked = json.loads(place.read("TRAINFILE.lock"))
            self.assertEqual(list(locked["bases"]), [f"127.0.0.1:{port}/team/i:v1"])
            base.write("code/a.py", "print(9)\n")
            base.make("image:i")
            self.assert_nothing_ran(place.make("image:top"))
            place.write("code/b.py", "print(3)\n")
            place.make("image:top")
            self.assertEqual(json.loads(place.read("TRAINFILE.lock")), locked)
            place.remove("TRAINFILE.lock")
            self.assertEqual(place.plan("image:top")["totals"]["up_to_date"], 1)
            self.assertEqual(place.why("image:top"), [("input_changed", "base")])
            place.make("image:top")
            self.assertNotEqual(json.loads(place.read("TRAINFILE.lock")), locked)

    def test_one_of_another_registry_is_carried_over(self):
        with registry() as there, registry() as here:
            self.base(there)
            place = self.built_on(here, f"127.0.0.1:{there}/team/i:v1")
            self.assertEqual(place.make("image:top").finished["pushed"]["layers"], 3)
            self.assertEqual(len(inspect(here, "team/top")["Layers"]), 3)

    def test_without_a_registry_of_ours_it_is_whole_in_the_layout(self):
        with registry() as port:
            self.base(port)
            place = self.built_on(None, f"127.0.0.1:{port}/team/i:v1")
            place.make("image:top")
            with tempfile.TemporaryDirectory() as folder:
                root = unpacked(f"oci:{place.path('.trainmake/images')}:top:latest", folder)
                self.assertEqual((root / "big/b").stat().st_size, 1_000_000)
            self.assert_nothing_ran(place.make("image:top"))

    def test_one_that_is_not_there_is_told(self):
        with registry() as port:
            place = self.built_on(port, f"127.0.0.1:{port}/team/none:v1")
            self.assert_told(place.ask("image:top").exits(3).err, "TRAINFILE.lua:2", f"There is no base `127.0.0.1:{port}/team/none:v1`")
            place.replace("TRAINFILE.lua", "none:v1", "No ne")
            self.assert_told(place.ask("image:top").exits(2).err, "TRAINFILE.lua:2")
            place.write("TRAINFILE.lock", "{")
            self.assert_told(place.ask("image:top").exits(2).err, "TRAINFILE.l")

