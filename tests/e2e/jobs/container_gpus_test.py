"""Jobs in containers that ask for gpus: which nodes and which files of the driver they see there, with stand-ins for both."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from busybox_image import InBusybox
from fake_gpus import LOOK, add_driver, add_gpus, found
from story import BINARY, eventually


class GpusInAContainer(InBusybox):
    def machine(self, gpus, job, script=LOOK):
        place = self.in_busybox(script, job)
        add_gpus(place, gpus)
        add_driver(place, gpus)
        place.write("TRAINSPACE.lua", 'platform "here" { type = "local", container = true, cdi = "cdi" }\ndefault_platform "here"\n')
        return place

    def test_a_job_sees_as_many_as_it_asks_for_and_no_others(self):
        place = self.machine(3, "resources = { gpus = 2 }")
        place.make("job:j")
        self.assertEqual(place.ask("logs", "job:j").out, found(0, 1))

    def test_by_every_runtime_that_is_here(self):
        place = self.machine(2, "resources = { gpus = 1 }")
        place.make("job:j")  # remembers the first that works
        (memo,) = place.home.rglob("runtime.json")
        said = json.loads(memo.read_text())
        for runtime, program in (("runc", "runc"), ("bubblewrap", "bwrap")):
            if path := shutil.which(program, path="/usr/bin:/usr/sbin"):
                memo.write_text(json.dumps(said | {"runtime": runtime, "program": path}))
                place.make("job:j", "--force")
                self.assertEqual(place.ask("logs", "job:j").out, found(0), runtime)

    def test_who_is_not_root_gets_them_too(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root, to be somebody else")
        place = self.machine(2, "resources = { gpus = 1 }")
        for path in (place.root, place.home):
            subprocess.run(["chown", "-R", "12345:12345", str(path)], check=True)
        as_other = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", BINARY]
        done = subprocess.run([*as_other, "job:j"], cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        if "Namespaces cannot be made here" in done.stderr or "No container can be run here" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(place.ask("logs", "job:j").out, found(0))

    def test_two_jobs_at_once_have_different_ones(self):
        place = self.machine(2, "resources = { gpus = 1 }", "cat /dev/nvidia[0-9]; echo $CUDA_VISIBLE_DEVICES; touch /checkpoint/up; while ! test -e /checkpoint/go; do sleep 0.02; done; echo out >/output/o.txt\n")
        place.append("TRAINFILE.lua", 'job "k" { image = "image:i", main = "main.sh", params = { other = 1 }, resources = { gpus = 1 } }\n')
        place.ask("job:j", "job:k", "--no-wait").exits(0)
        eventually(lambda: len(list(place.path(".trainmake/checkpoints").glob("*/up"))) == 2, "they never ran at once")
        for folder in place.path(".trainmake/checkpoints").iterdir():
            (folder / "go").touch()
        place.ask("job:j", "job:k").exits(0)
        self.assertEqual(sorted(place.ask("logs", f"job:{name}").out for name in "jk"), ["gpu 0\n0\n", "gpu 1\n0\n"])

    def test_of_several_processes_each_sees_those_of_its_node(self):
        place = self.machine(4, 'distribution = { kind = "ps_worker", ps = 1 }, resources = { nodes = 2, gpus = 2 }',
                             'case $* in *=ps*) ls /dev/nvidia0 2>&- || echo none; exec sleep 60 ;; esac\ncat /dev/nvidia[0-9]; echo out >/output/o.txt; sleep 1\n')
        place.make("job:j")
        self.assertEqual(sorted(place.ask("logs", "job:j").out.splitlines()),
                         ["[ps 0] none", "[worker 0] gpu 2", "[worker 0] gpu 3", "[worker 1] gpu 0", "[worker 1] gpu 1"])

    def test_what_the_job_says_of_its_libraries_goes_before(self):
        place = self.machine(1, 'resources = { gpus = 1 }, env = { LD_LIBRARY_PATH = "/mine", CUDA_VISIBLE_DEVICES = "" }',
                             'echo "$LD_LIBRARY_PATH [$CUDA_VISIBLE_DEVICES]"; echo out >/output/o.txt\n')
        place.make("job:j")
        self.assertEqual(place.ask("logs", "job:j").out, "/mine:/usr/local/nvidia/lib64 []\n")

    def test_a_program_of_the_driver_is_one_of_the_images(self):
        place = self.machine(1, 'resources = { gpus = 1 }, command = { "nvidia-smi" }, outputs = {}')
        place.replace("TRAINFILE.lua", 'outputs = { o = "o.txt" }, ', "")
        place.make("job:j")
        self.assertEqual(place.ask("logs", "job:j").out, "smi of the driver\n")

    def test_a_file_of_another_driver_is_told_before_anything_is_done(self):
        place = self.machine(1, "resources = { gpus = 1 }")
        place.remove("driver/lib/libcuda.so.550.54")
        answer = place.ask("job:j", "--json").exits(2)
        self.assert_told(answer.messages, "cdi/nvidia.yaml` names", "libcuda.so.550.54`, which is not there", "nvidia-ctk cdi generate")
        self.assertEqual((answer.ran, place.runs()), ([], []))

    def test_one_that_no_file_names_is_told(self):
        place = self.machine(1, "resources = { gpus = 2 }")
        add_gpus(place, 2)
        self.assert_told(place.ask("job:j").exits(2), "GPU 1 (GPU-1) cannot be given to a container", "has no device `1` of kind `nvidia.com/gpu`")

    def test_without_a_cdi_file_they_are_found(self):
        if os.getuid() != 0:
            self.skipTest("needs root, to put a driver where one lies")
        place = self.machine(2, "resources = { gpus = 1 }", LOOK.replace("/usr/lib/x86_64-linux-gnu/libcuda.so.550.54", "$LD_LIBRARY_PATH/libcuda.so.1")
                             .replace("/usr/lib/x86_64-linux-gnu/libcuda.so", "").replace("nvidia-smi", "ls $LD_LIBRARY_PATH"))
        place.write("TRAINSPACE.lua", 'platform "here" { type = "local", container = true, cdi = "nowhere" }\ndefault_platform "here"\n')
        place.write("ldconfig", f"#!/bin/sh\nprintf '\\tlibcuda.so.1 (libc6,x86-64) => {place.path('driver/lib/libcuda.so.1')}\\n'\n", 0o755)
        with tempfile.TemporaryDirectory() as dev:
            for name in ("null", "zero", "full", "random", "urandom", "tty"):
                pathlib.Path(dev, name).touch()
            for name in ("pts", "shm"):
                pathlib.Path(dev, name).mkdir()
            for node in place.path("driver/dev").iterdir():
                pathlib.Path(dev, node.name).touch()
            binds = "".join(f"mount --bind /dev/{name} {dev}/{name}\n" for name in sorted(os.listdir(dev)) if not name.startswith("nvidia"))
            binds += "".join(f"mount --bind {node} {dev}/{node.name}\n" for node in place.path("driver/dev").iterdir())
            script = f"set -e\nmount --make-rprivate /\n{binds}mount --rbind {dev} /dev\nmount --bind {place.path('ldconfig')} /usr/sbin/ldconfig\nexec {BINARY} job:j"
            done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(place.ask("logs", "job:j").out, found(0).replace("library\nlibrary\nsmi of the driver", "library\nlibcuda.so.1"))
