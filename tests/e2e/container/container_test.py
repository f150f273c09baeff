"""examples/mnist on a base made from Debian packages: as an image that trains without trainmake, and its jobs in containers, here and on Slurm."""

import pathlib
import re
import shutil
import subprocess
import tempfile

import container_run
import slurm_cluster
from busybox_image import why_no_container
from registries import inspect, registry
from story import Story

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/mnist"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def has_numpy():
    return subprocess.run(["/usr/bin/python3", "-c", "import numpy"], capture_output=True, check=False).returncode == 0


class Mnist(Story):
    def cluster(self):
        try:
            cluster = slurm_cluster.SlurmCluster()
        except slurm_cluster.CannotStart as error:
            self.skipTest(f"no Slurm can be started here: {error}")
        self.addCleanup(cluster.stop)
        return cluster

    def push_base(self, name):
        missing = [tool for tool in ("mmdebstrap", "skopeo", "umoci") if not shutil.which(tool, path=PATH)]
        if missing:
            self.skipTest(f"{', '.join(missing)} not installed: sh tests/deps.sh test")
        done = subprocess.run(["sh", str(EXAMPLE / "make-base.sh"), name], capture_output=True, text=True, env={"PATH": PATH, "HOME": "/tmp"}, check=False)
        if "apt-get update" in done.stderr and "failed" in done.stderr:
            self.skipTest(f"no Debian packages can be had here: {done.stderr[-500:]}")
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])

    def copy(self):
        place = self.place()
        shutil.copytree(EXAMPLE, place.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".trainmake", "bucket", "__pycache__", "out"))
        place.replace("data/solver.json", '"epochs": 8', '"epochs": 2')
        return place

    def test_it_trains_on_a_base_of_debian_packages(self):
        with registry() as port, tempfile.TemporaryDirectory() as folder:
            base = f"127.0.0.1:{port}/python-numpy:bookworm"
            self.push_base(base)
            place = self.copy()
            place.append("TRAINSPACE.lua", f'registry "hub" {{ url = "127.0.0.1:{port}/team" }}\ndefault_registry "hub"\n')
            answer = place.make("image:container", env={"BASE": base})
            self.assertEqual((answer.finished["pushed"]["layers"], len(inspect(port, "team/container")["Layers"])), (2, 3))
            place.ask("image", "check", "image:container", env={"BASE": base}).exits(0)
            bundle = container_run.unpack(f"docker://127.0.0.1:{port}/team/container", folder)
            said = container_run.run(bundle, self, ["/bin/true"])
            self.assertGreater(float(re.search(r"accuracy=([\d.]+)", said).group(1)), 0.9, said)

    def test_one_trainfile_learns_the_same_everywhere(self):
        if not has_numpy():
            self.skipTest("needs python3-numpy")
        if why := why_no_container():
            self.skipTest(why)
        cluster = self.cluster()
        with registry() as port:
            place = self.copy()
            base = f"127.0.0.1:{port}/python-numpy:bookworm"
            self.push_base(base)
            place.env.update(BASE=base, SLURM_CONF=cluster.env["SLURM_CONF"])
            place.path("shared").mkdir()
            place.append("TRAINSPACE.lua", f'platform "lab" {{ type = "slurm", shared_dir = "{place.path("shared")}" }}\n')
            ways = ([], ["--container"], ["--platform", "lab"], ["--platform", "lab", "--container"])
            for way in ways:
                self.assertEqual(place.make("job:eval", *way).finished["submitted"], 2, way)
            for label in ("//job:mnist", "//job:eval"):
                runs = place.runs(label)
                self.assertEqual([run["platform"] for run in runs], ["lab", "lab", "local", "local"])
                self.assertEqual([run["metrics"] for run in runs], [runs[0]["metrics"]] * len(ways))
                in_containers = ["in a container" in place.ask("show", run["run"]).exits(0).out for run in runs]
                self.assertEqual(in_containers, [True, False, True, False])
            self.assertGreater(runs[0]["metrics"]["accuracy"], 0.9)
            for way in ways:
                self.assertEqual(place.make("job:eval", *way).finished["submitted"], 0, way)
