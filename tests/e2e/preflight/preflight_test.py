"""What is known to go wrong is told before anything is built, sent or submitted; and a step is tried here before a job goes elsewhere."""

import os
import subprocess
import unittest

import slurm_cluster
from story import BINARY, Story


class BeforeAnything(Story):
    def python(self, source, job=""):
        return self.place({
            "code/t.py": source, "data/a/x.txt": "x\n",
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "t.py" }\nimage "i" { code = "code:c", base = "scratch" }\ndata "d" { files = glob "data/**" }\n'
                             f'job "j" {{ image = "image:i", data = {{ "data:d", more = "data:d" }}, {job} }}\n'})

    def test_a_main_file_that_python_cannot_read_is_told_with_its_line(self):
        place = self.python("import os\nprint((1)\n")
        answer = place.ask("job:j", "--json").exits(2)
        self.assert_told(answer.messages, "Python cannot read `t.py`: line 2", "preflight = { syntax = false }")
        self.assertFalse(place.path(".trainmake/images").exists())
        self.assertEqual(place.runs(), [])
        place.ask("plan", "job:j").exits(2)
        place.replace("TRAINFILE.lua", 'more = "data:d" }', 'more = "data:d" }, preflight = { syntax = false }')
        self.assert_told(place.ask("job:j").exits(1), "SyntaxError")

    def test_nothing_of_it_is_run(self):
        place = self.python("open('/tmp/never', 'x')\nraise SystemExit(3)\n")
        place.ask("plan", "job:j").exits(0)

    def test_what_is_up_to_date_is_not_looked_into(self):
        place = self.python("print(1)\n")
        place.ask("job:j").exits(0)
        place.write("bin/python3", f"#!/bin/sh\ntouch {place.path('asked')}\n", 0o755)
        place.ask("job:j", "job:j", env={"PATH": f"{place.path('bin')}:{place.env['PATH']}"}).exits(0)
        self.assertFalse(place.path("asked").exists())

    def test_a_placed_path_that_no_file_lies_at_is_told(self):
        for path, exists in (("a/x.txt", True), ("a", True), ("more/a/x.txt", True), ("more", True), ("a/y.txt", False), ("b", False), ("more/x.txt", False)):
            with self.subTest(path=path):
                place = self.python("print(1)\n", f'args = {{ x = data_dir "{path}" }}')
                answer = place.ask("plan", "job:j", "--json").exits(0 if exists else 2)
                if not exists:
                    self.assert_told(answer.messages, f"There is no `{path}` in the data of `job:j`")
                    self.assertEqual(answer.events("error")[0]["line"], 4)

    def test_what_another_job_will_leave_is_not_known_yet(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'job "late" { image = "image:tiny", data = { m = "job:train" }, args = { x = data_dir "m/model.txt" }, command = { "true" } }\n')
        place.ask("job:late").exits(0)

    def test_what_only_the_last_job_lacks_is_told_before_the_first(self):
        for lack, told in (('secrets = { "TOKEN" }', "Secret `TOKEN` of `job:late` is not set"),
                           ('command = { "no-such-program" }', "This machine has no program `no-such-program` in PATH (/usr/local/bin:"),
                           ('command = { "bin/gone" }', "There is no program `bin/gone` among the code")):
            with self.subTest(lack=lack):
                place = self.tiny()
                place.append("TRAINFILE.lua", f'job "late" {{ image = "image:tiny", data = {{ m = "job:train" }}, main = "eval.sh", {lack} }}\n')
                answer = place.ask("job:late", "--json").exits(2)
                self.assert_told(answer.messages, told)
                self.assertEqual(answer.events("error")[0]["label"], "//job:late")
                self.assertEqual((answer.ran, place.runs(), place.objects()), ([], [], []))
                self.assertFalse(place.path(".trainmake/images").exists())
                place.make("job:train")

    def test_a_plan_needs_no_secret(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'job "late" { image = "image:tiny", data = { m = "job:train" }, main = "train.sh", secrets = { "TOKEN" } }\n')
        self.assertEqual(place.plan("job:late")["totals"]["jobs"], 2)

    def test_slurm_without_sbatch_is_told_first(self):
        place = self.tiny()
        place.append("TRAINSPACE.lua", f'platform "lab" {{ type = "slurm", shared_dir = "{place.path("shared")}" }}\n')
        place.path("shared").mkdir()
        place.write("bin/sh", '#!/bin/sh\nexec /bin/sh "$@"\n', 0o755)
        answer = place.ask("job:eval", "--platform", "lab", "--json", env={"PATH": str(place.path("bin"))}).exits(2)
        self.assert_told(answer.messages, "`sbatch`, which hands jobs to Slurm, is not in PATH", "Install Slurm's commands")
        self.assertEqual((answer.ran, place.runs(), place.objects()), ([], [], []))

    def test_too_little_room_for_the_code_is_told(self):
        if os.getuid() != 0:
            self.skipTest("needs root, to have a small disk")
        place = self.python("print(1)\n")
        place.write("code/large.bin", os.urandom(600_000))
        place.path(".trainmake").mkdir()
        job = f"mount -t tmpfs -o size=1700k tmpfs .trainmake && {BINARY} job:j; code=$?; ls .trainmake/runs/*; exit $code"
        done = subprocess.run(["unshare", "-m", "sh", "-c", job], cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assert_told(done.stderr, "There is no room for the job's code, and what other jobs left for it: at least 585.9 KiB", "trainmake gc")
        self.assertNotIn("order", done.stdout)


STEPS = '''
printf x >>{starts}
if [ -n "$TRAINMAKE_PREFLIGHT_STEPS" ]; then echo "only $TRAINMAKE_PREFLIGHT_STEPS with $*"; {then}; fi
echo done >"$TRAINMAKE_OUTPUT_DIR/o.txt"
'''


class StepsHereFirst(Story):
    @classmethod
    def setUpClass(cls):
        try:
            cls.cluster = slurm_cluster.SlurmCluster()
        except slurm_cluster.CannotStart as error:
            raise unittest.SkipTest(f"no Slurm can be started here: {error}") from None
        cls.addClassCleanup(cls.cluster.stop)

    def job(self, then=":", preflight="steps = 2, params = { epochs = 1 }"):
        place = self.place({
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "s.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             f'job "j" {{ image = "image:i", params = {{ epochs = 9 }}, outputs = {{ o = "o.txt" }}, preflight = {{ {preflight} }} }}\n'})
        place.write("code/s.sh", STEPS.format(starts=place.path("starts"), then=then))
        place.path("shared").mkdir()
        place.env["SLURM_CONF"] = self.cluster.env["SLURM_CONF"]
        place.write("TRAINSPACE.lua", f'platform "lab" {{ type = "slurm", shared_dir = "{place.path("shared")}" }}\n')
        return place

    def starts(self, place):
        return len(place.read("starts"))

    def test_one_that_fails_submits_nothing_and_shows_its_last_lines(self):
        place = self.job(then="exit 3")
        for tries in (1, 2):
            answer = place.ask("job:j", "--platform", "lab", "--json").exits(1)
            self.assert_told(answer.messages, "Preflight of `job:j` failed: exit code 3", "only 2 with --epochs 1", "Nothing was submitted")
            self.assertEqual((answer.finished["submitted"], place.runs(), self.starts(place)), (0, [], tries))

    def test_one_that_passes_is_not_run_again(self):
        place = self.job()
        place.ask("job:j", "--platform", "lab").exits(0)
        self.assertEqual(self.starts(place), 2)
        place.ask("job:j", "--platform", "lab", "--force").exits(0)
        self.assertEqual(self.starts(place), 3)
        place.append("code/s.sh", "# edited\n")
        place.ask("job:j", "--platform", "lab").exits(0)
        self.assertEqual(self.starts(place), 5)

    def test_here_there_is_nothing_to_try_first(self):
        place = self.job(then="exit 3")
        place.ask("job:j").exits(0)
        self.assertEqual(self.starts(place), 1)

    def test_one_that_does_not_stop_early_is_ended(self):
        place = self.job(then="sleep 600", preflight='steps = 1, timeout = "1s"')
        self.assert_told(place.ask("job:j", "--platform", "lab").exits(1), "Preflight of `job:j` failed", "TRAINMAKE_PREFLIGHT_STEPS")
        self.assertEqual(place.runs(), [])

    def test_too_little_room_for_its_data_is_told_before_any_is_copied(self):
        if os.getuid() != 0:
            self.skipTest("needs root, to have a small disk")
        place = self.job(preflight="")
        place.write("data/large.bin", os.urandom(600_000))
        place.append("TRAINFILE.lua", 'data "d" { files = glob "data/**" }\n')
        place.replace("TRAINFILE.lua", 'image = "image:i",', 'image = "image:i", data = { "data:d" },')
        job = f"mount -t tmpfs -o size=512k tmpfs shared && {BINARY} --platform lab job:j; code=$?; ls shared; exit $code"
        done = subprocess.run(["unshare", "-m", "sh", "-c", job], cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assert_told(done.stderr, "There is no room for the job's data: at least 585.9 KiB")
        self.assertNotIn("content", done.stdout)
