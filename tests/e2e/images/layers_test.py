"""What an image is made of: trees of code beside each other, large layers, and what is left when making one is cut short."""

import os
import subprocess
import tempfile

from registries import Proxy, built, registry, unpacked
from story import Story, eventually

CODE = 'code "a" { srcs = glob "a/**", main = "train.py" }\ncode "b" { srcs = glob "b/**"%s }\nimage "i" { code = { "code:a", "code:b" }, base = "scratch" }\n'
SPACE = 'registry "hub" {{ url = "127.0.0.1:{port}/team" }}\ndefault_registry "hub"\n'
LARGE = 'image "{name}" {{ base = "scratch", files = {{ {{ srcs = glob "weights/**", dest = "/weights" }} }} }}\n'


class TreesOfCode(Story):
    def test_each_goes_where_it_says(self):
        place = self.place({"TRAINFILE.lua": CODE % ', dest = "lib"', "a/train.py": "print(1)\n", "b/part.py": "x = 1\n"})
        place.make("image:i")
        with tempfile.TemporaryDirectory() as folder:
            root = unpacked(f"oci:{place.path('.trainmake/images')}:i:latest", folder)
            self.assertEqual(sorted(str(path.relative_to(root)) for path in root.rglob("*.py")), ["code/lib/part.py", "code/train.py"])

    def test_two_for_one_path_are_told_before_anything_is_made(self):
        place = self.place({"TRAINFILE.lua": CODE % "", "a/train.py": "print(1)\n", "b/train.py": "print(2)\n"})
        told = place.ask("image:i").exits(2).err
        self.assert_told(told, "`//code:a` and `//code:b` both bring `/code/train.py`", "`dest`", "TRAINFILE.lua:3")
        self.assertFalse(place.path(".trainmake/images").exists())
        place.write("b/train.py", "print(1)\n")
        place.make("image:i")


class Files(Story):
    def test_what_would_spoil_a_base_is_refused(self):
        with registry() as port:
            below = self.place({"TRAINSPACE.lua": SPACE.format(port=port), "TRAINFILE.lua": 'image "b" { base = "scratch", files = { { srcs = { "w" }, dest = "/etc" } } }\n',
                                "w": "1"})
            below.make("image:b")
            for file, dest, told in (("w", "/bin", "`/bin/w` would replace `/bin`"), (".wh.w", "/etc", "`.wh.w` cannot be in an image")):
                place = self.place({"TRAINFILE.lua": f'image "i" {{ base = "127.0.0.1:{port}/team/b", files = {{ {{ srcs = {{ "{file}" }}, dest = "{dest}" }} }} }}\n', file: "1"})
                self.assert_told(place.ask("image:i").exits(2).err, told, "TRAINFILE.lua:1")

    def test_folders_above_them_are_as_every_base_has_them(self):
        place = self.place({"TRAINFILE.lua": 'image "i" { base = "scratch", files = { { srcs = { "w" }, dest = "/tmp/a" }, { srcs = { "w" }, dest = "/root/.cache" } } }\n',
                            "w": "1"})
        place.make("image:i")
        with tempfile.TemporaryDirectory() as folder:
            root = unpacked(f"oci:{place.path('.trainmake/images')}:i:latest", folder)
            self.assertEqual([(root / name).stat().st_mode & 0o7777 for name in ("tmp", "tmp/a", "root", "root/.cache")], [0o1777, 0o755, 0o700, 0o755])


class LargeLayers(Story):
    def test_another_image_with_the_same_layer_has_it_mounted(self):
        with registry() as port, Proxy(port) as hub:
            place = self.place({"TRAINSPACE.lua": SPACE.format(port=hub.port), "TRAINFILE.lua": LARGE.format(name="one") + LARGE.format(name="two"),
                                "weights/w": os.urandom(3_000_000)})
            place.make("image:one")
            hub.take()
            place.make("image:two")
            _, sent = hub.take()
            self.assertLess(sent, 20_000)
            with tempfile.TemporaryDirectory() as folder:
                self.assertEqual((unpacked(f"docker://127.0.0.1:{port}/team/two", folder) / "weights/w").stat().st_size, 3_000_000)

    def test_how_far_it_is_is_shown(self):
        with registry() as port:
            place = self.place({"TRAINSPACE.lua": SPACE.format(port=port), "TRAINFILE.lua": LARGE.format(name="one"), "weights/w": os.urandom(30_000_000)})
            told = place.make("image:one").events("progress")
            self.assertIn(("packing", 30_000_000), {(event["what"], event["total"]) for event in told})

    def test_killed_while_packing_it_is_made_again_and_gc_leaves_nothing_of_it(self):
        place = self.place({"TRAINFILE.lua": LARGE.format(name="one")})
        place.path("weights").mkdir()
        with open(place.path("weights/w"), "wb") as file:
            file.write(os.urandom(64_000_000) * 4)
        making = place.start("image:one")
        blobs = place.path(".trainmake/images/blobs")
        eventually(lambda: blobs.exists() and any(blobs.glob(".*")), "nothing is being made")
        making.kill()
        self.assertTrue(list(blobs.glob(".*")), "it was over before it was killed")
        place.make("image:one")
        place.ask("gc").exits(0)
        self.assertEqual([path.name for path in blobs.glob(".*")], [])
        place.ask("image", "check", "image:one").exits(0)


class Crane(Story):
    def test_it_reads_ours_and_we_build_on_its(self):
        with registry() as port:
            place = self.place({"TRAINSPACE.lua": SPACE.format(port=port), "TRAINFILE.lua":
                                'code "c" { srcs = glob "code/**" }\nimage "below" { code = "code:c", base = "scratch", env = { A = "1" } }\n', "code/a.py": "print(1)\n"})
            place.make("image:below")
            crane = [built("crane"), "--insecure"]
            subprocess.run([*crane, "validate", "--remote", f"127.0.0.1:{port}/team/below"], check=True, capture_output=True)
            listed = subprocess.run(f"{built('crane')} export --insecure 127.0.0.1:{port}/team/below - | tar t", shell=True, check=True, capture_output=True, text=True).stdout
            self.assertEqual(listed.split(), ["code", "code/a.py"])
            place.write("etc/hello", "from crane\n")
            subprocess.run(f"tar c etc | {built('crane')} append --insecure -b 127.0.0.1:{port}/team/below -f - -t 127.0.0.1:{port}/team/appended", cwd=place.path(), shell=True,
                           check=True, capture_output=True)
            place.append("TRAINFILE.lua", f'image "top" {{ base = "127.0.0.1:{port}/team/appended", env = {{ B = "2" }} }}\n')
            place.make("image:top")
            place.ask("image", "check", "image:top", f"127.0.0.1:{port}/team/appended").exits(0)
            with tempfile.TemporaryDirectory() as folder:
                root = unpacked(f"docker://127.0.0.1:{port}/team/top", folder)
                self.assertEqual(((root / "etc/hello").read_text(), (root / "code/a.py").read_text()), ("from crane\n", "print(1)\n"))
