"""The container variant of examples/mnist: a base made from Debian packages, an image on it, and a training in that."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import container_run
from registries import inspect, registry
from story import Story

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/mnist"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Mnist(Story):
    def push_base(self, name):
        missing = [tool for tool in ("mmdebstrap", "skopeo", "umoci") if not shutil.which(tool, path=PATH)]
        if missing:
            self.skipTest(f"{', '.join(missing)} not installed: sh tests/deps.sh test")
        done = subprocess.run(["sh", str(EXAMPLE / "make-base.sh"), name], capture_output=True, text=True, env={"PATH": PATH, "HOME": "/tmp"}, check=False)
        if "apt-get update" in done.stderr and "failed" in done.stderr:
            self.skipTest(f"no Debian packages can be had here: {done.stderr[-500:]}")
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])

    def test_it_trains_on_a_base_of_debian_packages(self):
        with registry() as port, tempfile.TemporaryDirectory() as folder:
            base = f"127.0.0.1:{port}/python-numpy:bookworm"
            self.push_base(base)
            place = self.place()
            shutil.copytree(EXAMPLE, place.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".trainmake", "bucket", "__pycache__", "out"))
            place.replace("data/solver.json", '"epochs": 8', '"epochs": 2')
            place.append("TRAINSPACE.lua", f'registry "hub" {{ url = "127.0.0.1:{port}/team" }}\ndefault_registry "hub"\n')
            answer = place.make("image:container", env={"BASE": base})
            self.assertEqual((answer.finished["pushed"]["layers"], len(inspect(port, "team/container")["Layers"])), (2, 3))
            place.ask("image", "check", "image:container", env={"BASE": base}).exits(0)
            bundle = container_run.unpack(f"docker://127.0.0.1:{port}/team/container", folder)
            said = container_run.run(bundle, self, ["/bin/true"])
            self.assertGreater(float(re.search(r"accuracy=([\d.]+)", said).group(1)), 0.9, said)
