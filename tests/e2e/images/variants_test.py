"""Images of several variants and architectures, images on other images, and bases brought up to date."""

import json
import os
import tempfile

from registries import Proxy, inspect, registry, unpacked
from story import Story

SPACE = 'registry "hub" {{ url = "127.0.0.1:{port}/team" }}\ndefault_registry "hub"\n'


def raw(port, name):
    return inspect(port, name, "--raw")


class Variants(Story):
    def bases(self, port):
        """`team/cpu:v1` and `team/gpu:v1`."""
        place = self.place({"TRAINSPACE.lua": SPACE.format(port=port), "cpu/libc": "cpu\n", "gpu/cuda": "gpu\n",
                            "TRAINFILE.lua": 'for _, v in ipairs { "cpu", "gpu" } do\n image(v) { base = "scratch", tags = { "v1" }, files = { { srcs = glob(v .. "/**"), dest = "/base" } } }\nend\n'})
        place.make("image:cpu", "image:gpu")
        return place

    def project(self, port, base, more="", space=True):
        return self.place({"TRAINSPACE.lua": SPACE.format(port=port) if space else "", "code/a.py": "print(1)\n",
                           "TRAINFILE.lua": f'code "c" {{ srcs = glob "code/**", main = "a.py" }}\nimage "i" {{ code = "code:c", base = {base} {more} }}\n'})

    def table(self, port):
        return f'{{ cpu = "127.0.0.1:{port}/team/cpu:v1", gpu = "127.0.0.1:{port}/team/gpu:v1" }}'

    def test_each_variant_is_an_image_and_an_index_names_them_all(self):
        with registry() as port, Proxy(port) as hub:
            self.bases(hub.port)
            place = self.project(hub.port, self.table(hub.port), ', variants = { "gpu", "cpu" }')
            answer = place.make("image:i")
            self.assertEqual((answer.finished["pushed"]["layers"], answer.finished["pushed"]["manifests"]), (1, 3))
            index = raw(port, "team/i:latest")
            self.assertEqual([entry["annotations"]["trainmake.variant"] for entry in index["manifests"]], ["gpu", "cpu"])
            self.assertEqual({entry["platform"]["os"] for entry in index["manifests"]}, {"linux"})
            for variant, file in (("cpu", "libc"), ("gpu", "cuda")):
                with tempfile.TemporaryDirectory() as folder:
                    root = unpacked(f"docker://127.0.0.1:{port}/team/i:latest-{variant}", folder)
                    self.assertEqual(((root / "base" / file).exists(), (root / "code/a.py").read_text()), (True, "print(1)\n"))
            hub.take()
            self.assert_nothing_ran(place.make("image:i"))
            self.assertEqual(hub.take(), ([], 0))
            place.append("code/a.py", "print(2)\n")
            self.assertEqual(place.make("image:i").finished["pushed"]["layers"], 1)

    def test_one_variant_alone_is_a_plain_image(self):
        with registry() as port:
            self.bases(port)
            place = self.project(port, self.table(port), ', variants = "gpu"')
            place.make("image:i")
            self.assertEqual(raw(port, "team/i:latest"), raw(port, "team/i:latest-gpu"))
            self.assertNotIn("manifests", raw(port, "team/i:latest"))
            place.replace("TRAINFILE.lua", 'variants = "gpu"', 'variants = "tpu"')
            self.assert_told(place.ask("image:i").exits(2).err, "TRAINFILE.lua:2", "There is no variant `tpu`", "cpu")

    def test_in_the_layout_they_outlive_gc_and_an_undone_edit_names_them_again(self):
        with registry() as port:
            self.bases(port)
            place = self.project(port, self.table(port), space=False)
            place.make("image:i")

            def digests():
                index = json.loads(place.read(".trainmake/images/index.json"))
                return {entry["annotations"]["org.opencontainers.image.ref.name"]: entry["digest"] for entry in index["manifests"]}

            first = digests()
            self.assertEqual(sorted(first), ["i:latest", "i:latest-cpu", "i:latest-gpu"])
            place.append("code/a.py", "print(2)\n")
            place.make("image:i")
            self.assertFalse(set(first.values()) & set(digests().values()))
            place.ask("gc").exits(0)
            self.assert_nothing_ran(place.make("image:i"))
            place.write("code/a.py", "print(1)\n")
            place.make("image:i")
            self.assertEqual(digests(), first)
            place.ask("gc").exits(0)
            with tempfile.TemporaryDirectory() as folder:
                self.assertTrue((unpacked(f"oci:{place.path('.trainmake/images')}:i:latest-gpu", folder) / "base/cuda").exists())

    def test_two_architectures_share_the_layers(self):
        with registry() as port:
            place = self.project(port, '"scratch"', ', architecture = { "amd64", "arm64" }')
            answer = place.make("image:i")
            self.assertEqual((answer.finished["pushed"]["layers"], answer.finished["pushed"]["manifests"]), (1, 3))
            self.assertEqual([entry["platform"]["architecture"] for entry in raw(port, "team/i:latest")["manifests"]], ["amd64", "arm64"])
            above = self.project(port, f'"127.0.0.1:{port}/team/i"', ', architecture = "arm64"')
            above.write("code/a.py", "print(3)\n")
            above.replace("TRAINFILE.lua", 'image "i"', 'image "arm"')
            above.make("image:arm")
            self.assertEqual(inspect(port, "team/arm", "--config", "--override-arch=arm64")["architecture"], "arm64")
            place.replace("TRAINFILE.lua", '"arm64" }', '"arm46" }')
            self.assert_told(place.ask("image:i").exits(2).err, "TRAINFILE.lua:2", "There is no architecture `arm46`")


class OnAnotherImage(Story):
    def project(self, **files):
        return self.place({"TRAINFILE.lua": 'code "lib" { srcs = glob "lib/**" }\ncode "c" { srcs = glob "code/**", main = "a.py" }\n'
                                            'image "below" { base = "scratch", code = "code:lib", env = { BELOW = "yes" } }\n'
                                            'image "i" { code = "code:c", base = "image:below" }\njob "j" { image = "image:i" }\n',
                           "lib/l.py": "x = 1\n", "code/a.py": "print(1)\n", **files})

    def test_it_is_made_first_and_its_layers_lie_below(self):
        place = self.project()
        answer = place.make("image:i")
        self.assertEqual(answer.labels("ran"), ["//code:c", "//code:lib", "//image:below", "//image:i"])
        with tempfile.TemporaryDirectory() as folder:
            root = unpacked(f"oci:{place.path('.trainmake/images')}:i:latest", folder)
            self.assertEqual(sorted(os.listdir(root / "code")), ["a.py", "l.py"])
        place.write("lib/l.py", "x = 2\n")
        answer = place.make("image:i")
        self.assertEqual(answer.labels("ran"), ["//code:lib", "//image:below", "//image:i"])
        self.assertEqual(place.plan("image:i")["totals"]["run"], 0)

    def test_a_change_that_leaves_it_the_same_goes_no_further(self):
        place = self.project()
        place.make("image:i")
        place.replace("TRAINFILE.lua", 'env = { BELOW = "yes" }', 'env = { BELOW = "yes" }, tags = { "v2" }')
        self.assertEqual(place.make("image:i").labels("ran"), ["//image:below"])

    def test_in_a_registry_its_layers_are_mounted(self):
        with registry() as port, Proxy(port) as hub:
            place = self.project(**{"TRAINSPACE.lua": SPACE.format(port=hub.port)})
            place.make("image:below")
            hub.take()
            self.assertEqual(place.make("image:i").finished["pushed"]["layers"], 1)
            self.assertEqual(len(inspect(port, "team/i")["Layers"]), 2)
            self.assertEqual([path for method, path in hub.take()[0] if method == "GET" and "/blobs/" in path], [])

    def test_without_code_of_its_own_its_jobs_run_the_code_below(self):
        place = self.project()
        place.write("TRAINFILE.lua", 'code "c" { srcs = glob "code/**", main = "a.py" }\nimage "below" { base = "scratch", code = "code:c" }\n'
                                     'image "i" { base = "image:below", env = { MODE = "x" } }\njob "j" { image = "image:i" }\n')
        place.make("job:j")
        self.assertIn("1", place.ask("logs", "job:j").exits(0).out)

    def test_a_circle_and_a_label_of_nothing_are_told(self):
        place = self.project()
        place.replace("TRAINFILE.lua", 'base = "scratch"', 'base = "image:i"')
        self.assert_told(place.ask("image:i").exits(2).err, "in a circle", "image:below")
        place.replace("TRAINFILE.lua", 'base = "image:below"', 'base = "image:belo"')
        self.assert_told(place.ask("image:i").exits(2).err, "There is no target `image:belo`", "`image:below`")

    def test_a_base_without_the_variant_is_told(self):
        place = self.project()
        place.replace("TRAINFILE.lua", 'base = "image:below"', 'base = "image:below", architecture = "arm64"')
        self.assert_told(place.ask("image:i").exits(2).err, "TRAINFILE.lua:4", "Base `image:below` has no image for `arm64`")


class Updating(Story):
    def base(self, port):
        place = self.place({"TRAINSPACE.lua": SPACE.format(port=port), "TRAINFILE.lua": 'code "c" { srcs = glob "code/**" }\nimage "base" { code = "code:c", base = "scratch", tags = { "v1" } }\n', "code/x": "1\n"})
        place.make("image:base")
        return place

    def test_it_asks_anew_and_says_what_changed(self):
        with registry() as port:
            base = self.base(port)
            name = f"127.0.0.1:{port}/team/base:v1"
            place = self.place({"TRAINFILE.lua": f'code "c" {{ srcs = glob "code/**" }}\nimage "top" {{ code = "code:c", base = "{name}" }}\n', "code/b.py": "print(2)\n"})
            self.assertIn("new -> ", place.ask("update").exits(0).out)
            place.make("image:top")
            self.assertIn("as before", place.ask("update").exits(0).out)
            self.assert_nothing_ran(place.make("image:top"))
            before = json.loads(place.read("TRAINFILE.lock"))["bases"][name]["amd64"]
            base.write("code/x", "2\n")
            base.make("image:base")
            answer = json.loads(place.ask("update", "image:top", "--json").exits(0).out)
            now = json.loads(place.read("TRAINFILE.lock"))["bases"][name]["amd64"]
            self.assertEqual(answer, {"base": name, "architecture": "amd64", "before": before, "now": now})
            self.assertNotEqual(now, before)
            self.assertEqual(place.make("image:top").labels("ran"), ["//image:top"])

    def test_what_nothing_is_built_on_is_unpinned(self):
        with registry() as port:
            self.base(port)
            place = self.place({"TRAINFILE.lua": f'image "top" {{ base = "127.0.0.1:{port}/team/base:v1" }}\n'})
            place.make("image:top")
            place.write("TRAINFILE.lua", 'image "top" { base = "scratch" }\n')
            place.ask("update", "image:top").exits(0)
            self.assertTrue(json.loads(place.read("TRAINFILE.lock"))["bases"])
            self.assert_told(place.ask("update").exits(0).err, f"127.0.0.1:{port}/team/base:v1", "unpinned")
            self.assertEqual(json.loads(place.read("TRAINFILE.lock"))["bases"], {})

    def test_one_that_cannot_be_understood_keeps_its_pins(self):
        with registry() as port:
            self.base(port)
            place = self.place({"TRAINFILE.lua": f'image "top" {{ base = "127.0.0.1:{port}/team/base:v1" }}\n'})
            place.make("image:top")
            locked = place.read("TRAINFILE.lock")
            place.replace("TRAINFILE.lua", "image", 'image "other" { base = "scratch" }\nimage')
            place.replace("TRAINFILE.lua", ":v1\"", ":v1\", dockerfile = \"Dockerfile\"")
            place.ask("update")
            self.assertEqual(place.read("TRAINFILE.lock"), locked)

    def test_a_registry_that_is_away_changes_nothing(self):
        with registry() as port:
            self.base(port)
            place = self.place({"TRAINFILE.lua": f'image "top" {{ base = "127.0.0.1:{port}/team/base:v1" }}\n'})
            place.make("image:top")
            locked = place.read("TRAINFILE.lock")
        place.ask("update").exits(3)
        self.assertEqual(place.read("TRAINFILE.lock"), locked)
        self.assert_nothing_ran(place.make("image:top"))
