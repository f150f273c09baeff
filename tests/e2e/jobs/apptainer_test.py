"""Jobs whose containers apptainer starts: a real one where there is one, else a stand-in that knows its words."""

import os
import pathlib
import shutil

from busybox_image import InBusybox
from fake_gpus import LOOK, add_driver, add_gpus

STAND_IN = pathlib.Path(__file__).parents[1] / "fake_apptainer.py"


class ByApptainer(InBusybox):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if not shutil.which("apptainer") and not os.path.exists("/usr/bin/bwrap"):
            cls.skipTest(cls, "needs apptainer, or bubblewrap for its stand-in")

    def by_apptainer(self, script, job="", more="", **files):
        place = self.in_busybox(script, job, **files)
        if not shutil.which("apptainer"):
            place.path("bin").mkdir()
            os.symlink(STAND_IN, place.path("bin/apptainer"))
        place.env["PATH"] = f"{place.path('bin')}:{os.environ['PATH']}"
        place.write("TRAINSPACE.lua", f'platform "here" {{ type = "local", container = true, runtime = "apptainer", {more} }}\ndefault_platform "here"\n')
        return place

    def test_the_image_is_where_it_runs_and_the_output_comes_back(self):
        place = self.by_apptainer('cat "$1" /data/again/a.txt; pwd; echo $OF $HOME; (: >/data/x) 2>/dev/null || echo read-only; ip -o link | wc -l; echo out >$TRAINMAKE_OUTPUT_DIR/o.txt; echo x >/bin/made\n',
                                  'args = { }, command = { "sh", code_dir "main.sh", data_dir "a.txt" }')
        place.make("job:j")
        self.assertEqual(place.ask("logs", "job:j").out.split(), ["aaa", "aaa", "/code", "image", "/home/job", "read-only", "1"])
        self.assertEqual(place.pull("job:j", "o.txt"), "out\n")
        self.assertEqual([path.name for path in place.home.rglob("runtime.json*")], ["runtime.json-apptainer"])

    def test_what_is_said_in_its_environment_is_said_to_the_job(self):
        place = self.by_apptainer('echo "$A|$TOKEN"; cat /run/secrets/TOKEN | wc -c; echo out >/output/o.txt\n', 'env = { A = "$HOME `id`, \\"b\\" c" }, secrets = { "TOKEN" }')
        self.assert_told(place.ask("job:j", env={"TOKEN": "open sesame"}).exits(0), '$HOME `id`, "b" c|***')
        self.assertEqual(place.ask("logs", "job:j").out.split()[-1], "11")

    def test_it_ends_as_others_do(self):
        place = self.by_apptainer("exit 3\n")
        self.assert_told(place.ask("job:j").exits(1), "exit code 3")
        place.write("code/main.sh", "kill -9 $$\n")
        self.assert_told(place.ask("job:j").exits(1), "killed by signal 9")

    def test_a_device_that_it_would_pass_over_is_told(self):
        place = self.by_apptainer(LOOK, "resources = { gpus = 1 }", 'cdi = "cdi"')
        add_gpus(place, 1)
        add_driver(place, 1)
        self.assert_told(place.ask("job:j").exits(1), "apptainer shows devices where the host has them, and cannot show", "at `/dev/nvidia0`")

    def test_one_that_does_not_work_is_told(self):
        place = self.by_apptainer("true\n")
        place.path("bin/apptainer").unlink(missing_ok=True)
        place.write("bin/apptainer", "#!/bin/sh\necho no user namespaces; exit 1\n", 0o755)
        self.assert_told(place.ask("job:j").exits(1), "No container can be run here: apptainer does not work here: no user namespaces", "Without `runtime`")
        place.replace("TRAINSPACE.lua", "apptainer", "aptainer")
        self.assert_told(place.ask("job:j").exits(2), "No containers are started by `aptainer` here", "Did you mean `apptainer`", "TRAINSPACE.lua:1")
