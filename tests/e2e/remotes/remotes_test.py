"""What holds whichever registry it is: each story is told of Debian's docker-registry 2.8, of distribution v3, and of go-containerregistry's."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile

from registries import Authority, Proxy, built, inspect, registry, unpacked
from story import Story

SPACE = 'registry "hub" {{ url = "{url}/team"{more} }}\ndefault_registry "hub"\n'
FILE = 'code "c" {{ srcs = glob "code/**", main = "a.py" }}\nimage "i" {{ code = "code:c", base = "{base}", env = {{ MODE = "x" }}, workdir = "/code" {more} }}\n'
WEIGHTS = ', files = { { srcs = glob "weights/**", dest = "/weights" } }'


class Remotes:
    kind = ""  # as `registry` names it

    def registry(self, **more):
        return registry(kind=self.kind, **more)

    def project(self, port, base="scratch", more="", space="", **files):
        return self.place({"TRAINSPACE.lua": SPACE.format(url=f"127.0.0.1:{port}", more=space), "TRAINFILE.lua": FILE.format(base=base, more=more),
                           "code/a.py": "print(1)\n", **files})

    def test_others_read_what_is_pushed(self):
        with self.registry() as port:
            place = self.project(port, more=', tags = { "v1", "v2" }')
            pushed = place.make("image:i").finished["pushed"]
            self.assertEqual((pushed["layers"], pushed["manifests"]), (1, 1))
            self.assertEqual(sorted(inspect(port, "team/i:v2")["RepoTags"]), ["v1", "v2"])
            with tempfile.TemporaryDirectory() as folder:
                self.assertEqual((unpacked(f"docker://127.0.0.1:{port}/team/i:v1", folder) / "code/a.py").read_text(), "print(1)\n")
            subprocess.run([built("crane"), "validate", "--insecure", "--remote", f"127.0.0.1:{port}/team/i:v1"], check=True, capture_output=True)

    def test_what_did_not_change_asks_nobody_and_one_line_is_one_layer(self):
        with self.registry() as port, Proxy(port) as hub:
            place = self.project(hub.port, more=WEIGHTS, **{"weights/w": os.urandom(2_000_000)})
            self.assertEqual(place.make("image:i").finished["pushed"]["layers"], 2)
            hub.take()
            self.assert_nothing_ran(place.make("image:i"))
            self.assertEqual(hub.take(), ([], 0))
            place.append("code/a.py", "print(2)\n")
            answer = place.make("image:i")
            requests, sent = hub.take()
            self.assertEqual(answer.finished["pushed"]["layers"], 1)
            self.assertLess(sent, 20_000)
            self.assertEqual(sum(answer.finished["requests"].values()), len(requests))
            self.assertLessEqual(len(requests), 7, requests)

    def test_a_large_layer_goes_on_after_a_cut(self):
        cut = []

        def fault(method, path, number):
            if method == "PATCH" and len(cut) < 2:
                cut.append(path)
                return "cut"
            return None

        size = 70_000_000
        with self.registry() as port, Proxy(port, fault) as hub:
            place = self.project(hub.port, more=WEIGHTS, **{"weights/w": os.urandom(size)})
            place.make("image:i")
            self.assertEqual(len(cut), 2)
            with tempfile.TemporaryDirectory() as folder:
                self.assertEqual((unpacked(f"docker://127.0.0.1:{port}/team/i", folder) / "weights/w").read_bytes(), place.path("weights/w").read_bytes())

    def test_trouble_that_passes_is_waited_for(self):
        with self.registry() as port, Proxy(port, lambda method, path, number: {1: 500, 2: 429, 4: "cut", 7: 503}.get(number)) as hub:
            self.project(hub.port).make("image:i")
            inspect(port, "team/i")

    def test_a_base_is_mounted_and_never_read(self):
        with self.registry() as port, Proxy(port) as hub:
            self.project(hub.port, more=WEIGHTS, **{"weights/w": os.urandom(1_000_000)}).make("image:i")
            hub.take()
            place = self.project(hub.port, base=f"127.0.0.1:{hub.port}/team/i", **{"code/b.py": "print(2)\n"})
            place.replace("TRAINFILE.lua", 'image "i"', 'image "top"')
            self.assertEqual(place.make("image:top").finished["pushed"]["layers"], 1)
            requests, sent = hub.take()
            self.assertLess(sent, 20_000)
            self.assertEqual(sum(1 for method, path in requests if method == "GET" and "/blobs/" in path), 1, requests)
            self.assertEqual(len(inspect(port, "team/top")["Layers"]), 3)

    def test_a_base_of_another_registry_is_carried_over(self):
        with self.registry() as there, registry() as here:
            self.project(there, more=WEIGHTS, **{"weights/w": os.urandom(1_000_000)}).make("image:i")
            for base_port, port in ((there, here), (here, there)):
                place = self.project(port, base=f"127.0.0.1:{base_port}/team/i:latest", **{"code/b.py": f"print({port})\n"})
                place.replace("TRAINFILE.lua", 'image "i"', 'image "top"')
                if base_port == here:
                    self.project(here, **{"code/c.py": "print(3)\n"}).make("image:i")
                place.make("image:top")
                with tempfile.TemporaryDirectory() as folder:
                    self.assertEqual((unpacked(f"docker://127.0.0.1:{port}/team/top", folder) / "code/b.py").read_text(), f"print({port})\n")

    def test_a_base_that_is_not_there_is_told(self):
        with self.registry() as port:
            self.project(port).make("image:i")
            for name in ("team/none:v1", "team/i:none"):
                place = self.project(port, base=f"127.0.0.1:{port}/{name}")
                self.assert_told(place.ask("image:i").exits(3).err, "TRAINFILE.lua:2", f"There is no base `127.0.0.1:{port}/{name}`")

    def test_what_others_push_is_built_on(self):
        with self.registry() as port, tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "hello").write_text("hello\n")
            subprocess.run(["tar", "-C", folder, "-cf", f"{folder}/layer.tar", "hello"], check=True)
            name = f"localhost:{port}/team/by-crane:v1"
            for words in (("append", "--oci-empty-base", "-f", f"{folder}/layer.tar", "-t", name), ("mutate", name, "--set-platform", "linux/amd64", "-t", name)):
                subprocess.run([built("crane"), *words, "--insecure"], check=True, capture_output=True)
            self.project(port, base=f"127.0.0.1:{port}/team/by-crane:v1").make("image:i")
            root = unpacked(f"docker://127.0.0.1:{port}/team/i", folder)
            self.assertEqual(((root / "hello").read_text(), (root / "code/a.py").read_text()), ("hello\n", "print(1)\n"))

    def test_a_damaged_manifest_is_refused_and_nothing_is_recorded(self):
        with self.registry() as port:
            self.project(port).make("image:i")
            wrong = json.dumps({"schemaVersion": 2, "layers": []}).encode()
            with Proxy(port, lambda method, path, number: wrong if method == "GET" and "/manifests/" in path else None) as hub:
                place = self.project(hub.port, base=f"127.0.0.1:{hub.port}/team/i:latest")
                place.replace("TRAINFILE.lua", 'image "i"', 'image "top"')
                self.assert_told(place.ask("image:top").exits(3).err, "as its digest says")
                hub.fault = lambda method, path, number: b"{}" if method == "GET" and "/blobs/" in path else None
                self.assert_told(place.ask("image:top").exits(3).err, "as its digest says")
                hub.fault = None
                self.assertIn("//image:top", place.make("image:top").ran)

    def test_over_tls_with_an_authority_of_ones_own(self):
        with Authority() as authority, self.over_tls(authority) as port:
            place = self.project(port, more="")
            place.write("TRAINSPACE.lua", SPACE.format(url=f"https://127.0.0.1:{port}", more=""))
            self.assert_told(place.ask("image:i").exits(3).err, "Cannot trust", "certificate", 'ca = "ca.crt"')
            self.assertEqual(place.runs(), [])
            place.ask("image:i", env={"SSL_CERT_FILE": str(authority.ca)}).exits(0)
            place.write("certificates/ca.crt", authority.ca.read_text())
            place.write("TRAINSPACE.lua", SPACE.format(url=f"https://127.0.0.1:{port}", more=', ca = "certificates/ca.crt"'))
            place.append("code/a.py", "print(2)\n")
            self.assertEqual(place.make("image:i").finished["pushed"]["layers"], 1)
            place.append("code/a.py", "print(3)\n")
            place.write("certificates/ca.crt", "nothing\n")
            self.assert_told(place.ask("image:i").exits(2).err, "certificates/ca.crt", "no certificate")
            place.remove("certificates/ca.crt")
            self.assert_told(place.ask("image:i").exits(2).err, "certificates/ca.crt", "`ca`")

    def over_tls(self, authority):
        return self.registry(tls=authority)


class Debian(Remotes, Story):
    kind = "debian"


class Distribution(Remotes, Story):
    kind = "distribution"


class Memory(Remotes, Story):
    kind = "memory"

    @contextlib.contextmanager
    def over_tls(self, authority):
        with self.registry() as port, Proxy(port, tls=authority) as hub:
            yield hub.port


class Trouble(Story):
    def project(self, port, size):
        return self.place({"TRAINSPACE.lua": SPACE.format(url=f"127.0.0.1:{port}", more=""), "TRAINFILE.lua": FILE.format(base="scratch", more=WEIGHTS),
                           "code/a.py": "print(1)\n", "weights/w": os.urandom(size)})

    def test_what_a_proxy_does_not_take_at_once_goes_in_smaller_pieces(self):
        with registry() as port, Proxy(port, most=3_000_000) as hub:
            self.project(hub.port, 10_000_000).make("image:i")
            self.assertEqual(len(inspect(port, "team/i")["Layers"]), 2)

    def test_what_is_too_large_is_told_with_its_size(self):
        with registry() as port, Proxy(port, most=500_000) as hub:
            self.assert_told(self.project(hub.port, 10_000_000).ask("image:i").exits(3).err, "Cannot push 9.5 MiB", "413", "split `files`")

    def test_half_way_down_it_is_told_and_the_next_run_goes_on(self):
        dead = []

        def fault(method, path, number):
            if method == "PUT" and "/manifests/" in path:
                dead.append(path)
            return 503 if dead else None

        with registry() as port, Proxy(port, fault) as hub:
            place = self.project(hub.port, 1_000_000)
            self.assert_told(place.ask("image:i").exits(3).err, "503", "Run it again")
            hub.fault = None
            hub.take()
            place.make("image:i")
            self.assertLess(hub.take()[1], 20_000)
