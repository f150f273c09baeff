"""Jobs on a real Slurm, which the stories start themselves: the same results as here, each job once, and every end told as what it is."""

import contextlib
import os
import pathlib
import random
import shutil
import subprocess
import unittest

import slurm_cluster
from story import Gate, Story, eventually

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/mnist"
SPACE = 'platform "lab" {{ type = "slurm", shared_dir = "{shared}", {more} }}\ndefault_platform "lab"\n'


class OnSlurm(Story):
    @classmethod
    def setUpClass(cls):
        try:
            cls.cluster = slurm_cluster.SlurmCluster()
        except slurm_cluster.CannotStart as error:
            raise unittest.SkipTest(f"no Slurm can be started here: {error}") from None
        cls.addClassCleanup(cls.cluster.stop)

    def on_slurm(self, place, more=""):
        """Lets its jobs run there."""
        place.env["SLURM_CONF"] = self.cluster.env["SLURM_CONF"]
        place.path("shared").mkdir()
        place.write("TRAINSPACE.lua", SPACE.format(shared=place.path("shared"), more=more))
        return place

    def waiting(self, then="", job="", more=""):
        """Each start of its script leaves an `x` in the file `starts`."""
        place, gate = super().waiting(then, job)
        place.write("code/slow.sh", f"printf x >>{place.path('starts')}\n" + place.read("code/slow.sh"))
        return self.on_slurm(place, more), gate

    def slurm(self, *words):
        done = self.cluster.ask(*words)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def states(self, place):
        """Of the jobs that Slurm has of its only run."""
        (run,) = place.runs()
        return [state for name, state in self.cluster.jobs() if name == f"trainmake-{run['run']}"]

    def starts(self, place):
        return len(place.read("starts")) if place.path("starts").exists() else 0

    def await_end(self, place):
        eventually(lambda: not place.ask("ps", "--json").exits(0).lines, "it does not end")
        (run,) = place.runs()
        return run

    def wrapped_sbatch(self, place, script):
        """An `sbatch` that does more than Slurm's; `real "$@"` is that one."""
        real = shutil.which("sbatch", path=slurm_cluster.FOLDERS)
        place.write("bin/sbatch", f'#!/bin/sh\nreal() {{ {real} "$@"; }}\n{script}\n', 0o755)
        return {"PATH": f"{place.path('bin')}:{place.env['PATH']}"}


class Results(OnSlurm):
    def test_mnist_learns_the_same_as_here(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import numpy"], capture_output=True, check=False).returncode != 0:
            self.skipTest("needs python3-numpy")
        place = self.place()
        shutil.copytree(EXAMPLE, place.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".trainmake", "bucket", "__pycache__", "out"))
        place.replace("data/solver.json", '"epochs": 8', '"epochs": 2')
        self.on_slurm(place)
        self.assertEqual(place.make("job:eval").finished["submitted"], 2)
        self.assertEqual(place.ask("job:eval", "--platform", "local", "--json").exits(0).finished["submitted"], 2)
        for label in ("//job:mnist", "//job:eval"):
            here, there = place.runs(label)
            self.assertEqual((here["platform"], there["platform"]), ("local", "lab"))
            self.assertEqual(here["metrics"], there["metrics"])
            self.assertEqual([output["sha256"] for output in here["outputs"]], [output["sha256"] for output in there["outputs"]])
        self.assertGreater(there["metrics"]["accuracy"], 0.9)

    def test_a_second_run_does_nothing(self):
        place = self.on_slurm(self.tiny())
        self.assertEqual(place.make("job:eval").finished["submitted"], 2)
        self.assert_nothing_ran(place.make("job:eval"))
        self.assertEqual(place.pull("job:train", "model.txt"), 'aaa\nbbb\n{"momentum": 0.9}\nrate 0.5\n')
        place.write("data/a.txt", "ccc\n")
        self.assertEqual(place.make("job:train").finished["submitted"], 1)
        self.assertEqual(place.pull("job:train", "model.txt").splitlines()[0], "ccc")

    def test_what_is_submitted_is_what_runs(self):
        place, gate = self.waiting(then='cat words.txt >"$TRAINMAKE_OUTPUT_DIR/out.txt"; exit')
        place.write("code/words.txt", "as submitted\n")
        place.ask("job:slow", "--no-wait").exits(0)
        place.write("code/words.txt", "edited\n")
        gate.open()
        place.ask("attach").exits(0)
        self.assertEqual(place.pull(place.runs()[0]["run"], "out.txt"), "as submitted\n")

    def test_what_is_asked_for_reaches_slurm(self):
        place, gate = self.waiting(job='resources = { gpus = 1, cpus = 2, memory = "64M" }, timeout = 90', more='partition = "main", extra = { nice = 7 }')
        going = place.start("job:slow", "--json").until("at the gate")
        told = self.slurm("scontrol", "show", "job", "--oneliner", eventually(lambda: place.runs()[0]["job"], "no number"))
        self.assert_told(told, "TresPerNode=gres:gpu:1", "CPUs/Task=2", "MinMemoryNode=64M", "TimeLimit=00:03:00", "Partition=main", "Nice=7")
        gate.open()
        going.end().exits(0)

    def test_a_refusal_is_told_and_the_next_try_is_made(self):
        place, gate = self.waiting(more='partition = "nowhere"')
        self.assert_told(place.ask("job:slow").exits(1), "Slurm did not take the job: Invalid partition name specified")
        place.replace("TRAINSPACE.lua", "nowhere", "main")
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual(self.starts(place), 1)

    def test_a_platform_that_cannot_work_is_told_with_its_line(self):
        place, _ = self.waiting()
        for wrong, told in (('type = "slurm"', "shared_dir"), ('type = "slrum", shared_dir = "x"', "Did you mean `slurm`?"),
                            ('type = "slurm", shared_dir = "x", extra = { output = "x" }', "trainmake sets it itself"),
                            ('type = "slurm", shared_dir = "x", partion = "x"', "Did you mean `partition`?")):
            place.write("TRAINSPACE.lua", f'platform "lab" {{\n{wrong} }}\ndefault_platform "lab"\n')
            self.assert_told(place.ask("job:slow").exits(2), told, "TRAINSPACE.lua:")

    def test_without_slurm_it_says_what_is_missing(self):
        place, _ = self.waiting()
        self.assert_told(place.ask("job:slow", env={"PATH": str(place.path("bin"))}).exits(2), "`sbatch`", "not in PATH")


class Nodes(OnSlurm):
    def nodes(self, script):
        place = self.place({"code/train.sh": script})
        place.write("TRAINFILE.lua", '''
            code "c" { srcs = glob "code/**", main = "train.sh" }
            image "i" { code = "code:c", base = "scratch" }
            job "j" { image = "image:i", resources = { nodes = 2, cpus = 1 }, secrets = { "TOKEN" }, env = { MODE = "it's" }, outputs = { ranks = "ranks" } }
        ''')
        return self.on_slurm(place)

    def test_each_has_a_rank_and_knows_the_others(self):
        place = self.nodes('''mkdir -p "$TRAINMAKE_OUTPUT_DIR/ranks"
echo "$RANK of $WORLD_SIZE at $NODE_RANK $LOCAL_RANK: $MASTER_ADDR ${MASTER_PORT:+port} $MODE ${#TOKEN} ${SRUN-none}" >"$TRAINMAKE_OUTPUT_DIR/ranks/$RANK"
echo "this is $RANK"''')
        answer = place.ask("job:j", "--json", env={"TOKEN": "open sesame"}).exits(0)
        self.assertEqual(sorted(line["line"] for line in answer.events("log")), ["0: this is 0", "1: this is 1"])
        for rank in range(2):
            self.assertEqual(place.pull("job:j", f"ranks/{rank}"), f"{rank} of 2 at {rank} 0: n1 port it's 11 none\n")

    def test_when_one_fails_the_others_end(self):
        place = self.nodes('[ "$RANK" = 1 ] && exit 7\nexec sleep 60\n')
        self.assert_told(place.ask("job:j", env={"TOKEN": "open sesame"}).exits(1), "exit code")

    def test_more_than_there_are_wait_and_say_so(self):
        place = self.nodes("true")
        place.replace("TRAINFILE.lua", "nodes = 2", "nodes = 3")
        place.ask("job:j", "--no-wait", env={"TOKEN": "open sesame"}).exits(0)
        eventually(lambda: [job["reason"] for job in place.ask("ps", "--json").exits(0).lines] == ["PartitionConfig"], "it says no reason")
        place.ask("cancel", "job:j").exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])


class Ends(OnSlurm):
    def test_a_failing_job_has_its_reason_and_is_not_tried_again(self):
        place, gate = self.waiting(then="echo no luck; exit 3")
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        self.assert_told(going.end().exits(1).messages, "exit code 3", "no luck")
        self.assert_told(place.ask("job:slow").exits(1), "not tried again")
        self.assertEqual(self.starts(place), 1)

    def test_one_that_takes_too_long_is_ended(self):
        place, _ = self.waiting(job="timeout = 1")
        self.assert_told(place.ask("job:slow").exits(1), "timed out after 1.0 s")

    def test_one_that_is_killed_says_by_what(self):
        place, gate = self.waiting(then="kill -9 $$")
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        self.assert_told(going.end().exits(1).messages, "killed by signal 9")

    def test_cancel_ends_it(self):
        place, _ = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        place.ask("cancel", "job:slow").exits(0)
        self.assertNotEqual(going.end().code, 0)
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])
        self.assertEqual(self.states(place), ["CANCELLED"])
        place.ask("cancel", place.runs()[0]["run"])
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])

    def test_what_somebody_else_cancels_is_cancelled(self):
        place, _ = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        self.slurm("scancel", eventually(lambda: place.runs()[0]["job"], "no number"))
        self.assert_told(going.end().exits(1).messages, "was cancelled")

    def test_one_that_waits_says_why_and_can_be_cancelled(self):
        place, _ = self.waiting(more="extra = { hold = true }")
        place.ask("job:slow", "--no-wait").exits(0)
        eventually(lambda: [(job["status"], job["reason"]) for job in place.ask("ps", "--json").exits(0).lines] == [("queued", "JobHeldUser")], "it says no reason")
        place.ask("cancel", "job:slow").exits(0)
        self.assertEqual(([run["status"] for run in place.runs()], self.states(place), self.starts(place)), (["cancelled"], ["CANCELLED"], 0))

    def test_a_node_that_fails_loses_it_and_it_is_started_again(self):
        place, gate = self.waiting(job='secrets = { "TOKEN" }')
        env = {"TOKEN": "open sesame"}
        going = place.start("job:slow", "--json", env=env).until("at the gate")
        number = eventually(lambda: place.runs()[0]["job"], "no number")
        node = self.slurm("squeue", "--noheader", f"--jobs={number}", "--format=%N").strip()
        self.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=story")
        try:
            self.assert_told(going.end().exits(1).messages, "was lost: a node of it failed")
            going = place.start("job:slow", "--json", env=env).until("at the gate")
            gate.open()
            going.end().exits(0)
        finally:
            self.cluster.ask("scontrol", "update", f"nodename={node}", "state=resume")  # it may have come back by itself
            self.cluster.await_nodes()
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "lost"])

    def test_one_that_slurm_starts_again_is_the_same_run(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        number = eventually(lambda: place.runs()[0]["job"], "no number")
        # The node that it was on would not take it for two minutes, which is what Slurm waits.
        node = self.slurm("squeue", "--noheader", f"--jobs={number}", "--format=%N").strip()
        self.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=story")
        self.slurm("scontrol", "requeue", number)
        eventually(lambda: [job["status"] for job in place.ask("ps", "--json").exits(0).lines] == ["queued"], "it is not queued again")

        def has_started_again():
            self.cluster.ask("scontrol", "update", f"jobid={number}", "starttime=now")
            return self.starts(place) == 2

        try:
            eventually(has_started_again, "it does not start again")
            gate.open()
            going.end().exits(0)
        finally:
            self.slurm("scontrol", "update", f"nodename={node}", "state=resume")
            self.cluster.await_nodes()
        self.assertEqual(([run["status"] for run in place.runs()], self.states(place)), (["succeeded"], ["COMPLETED"]))


class Once(OnSlurm):
    def test_killed_between_sbatch_and_its_answer(self):
        place, gate = self.waiting()
        env = self.wrapped_sbatch(place, f'real "$@" >/dev/null && : >{place.path("through")} && exec sleep 60')
        going = place.start("job:slow", env=env)
        eventually(place.path("through").exists, "it was not submitted")
        going.kill().end()
        again = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        self.assertEqual(again.end().exits(0).ran, ["//job:slow"])
        self.assertEqual((self.starts(place), self.states(place)), (1, ["COMPLETED"]))

    def test_killed_while_sbatch_is_on_its_way(self):
        place, gate = self.waiting()
        late = Gate(place.path("late"))
        place.gates.append(late)
        env = self.wrapped_sbatch(place, f': >{place.path("asked")}; read _ <{late.path}; real "$@" >{place.path("number")}')
        going = place.start("job:slow", env=env)
        eventually(place.path("asked").exists, "it was not submitted")
        going.kill().end()
        again = place.start("job:slow", "--json").until("at the gate")
        late.open()
        eventually(lambda: place.path("number").exists() and place.read("number"), "the first one did not go through")
        eventually(lambda: len(self.states(place)) == 2 and "PENDING" not in self.states(place), "Slurm has not both")
        gate.open()
        again.end().exits(0)
        self.assertEqual(self.starts(place), 1)

    def test_an_answer_that_says_nothing(self):
        place, gate = self.waiting()
        env = self.wrapped_sbatch(place, 'real "$@" >/dev/null; echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1')
        going = place.start("job:slow", "--json", env=env).until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual((self.starts(place), self.states(place)), (1, ["COMPLETED"]))

    def test_killed_at_any_moment(self):
        place = self.place({"code/train.sh": 'echo "$2" >>"$STARTS"\necho "$2" >"$TRAINMAKE_OUTPUT_DIR/o"\n'})
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "train.sh" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            for n = 1, 20 do
              job("j" .. n) {{ image = "image:i", params = {{ n = n }}, outputs = {{ o = "o" }}, env = {{ STARTS = "{place.path("starts")}" }} }}
            end
        ''')
        self.on_slurm(place)
        moments = random.Random(1)
        for _ in range(15):
            going = place.start("job:*", "-j", "8")
            with contextlib.suppress(subprocess.TimeoutExpired):
                going.process.wait(moments.uniform(0.02, 0.5))
            going.kill().end()
        place.make("job:*")
        self.assertEqual(sorted(map(int, place.read("starts").split())), list(range(1, 21)))
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"] * 20)

    def test_two_trainmakes_at_once(self):
        place, gate = self.waiting()
        both = [place.start("job:slow", "--no-wait") for _ in range(2)]
        for one in both:
            self.assertIn(one.end().code, (0, 4))
        gate.open()
        self.await_end(place)
        self.assertEqual((self.starts(place), self.states(place)), (1, ["COMPLETED"]))

    def test_two_copies_of_a_workspace_at_once(self):
        place, gate = self.waiting()
        place.append("TRAINFILE.lua", 'job "quick" { image = "image:slow", command = { "true" } }\n')
        place.make("job:quick")
        gate.path.unlink()  # or else it would be copied
        other = place.clone(with_state=True)
        os.mkfifo(gate.path)
        self.addCleanup(other.close)
        other.env = place.env
        both = [one.start("job:slow", "--no-wait") for one in (place, other)]
        for one in both:
            one.end().exits(0)
        gate.open()
        for one in (place, other):
            eventually(lambda one=one: not one.ask("ps", "--json").exits(0).lines, "it does not end")
        self.assertEqual(self.starts(place), 1)


class Watching(OnSlurm):
    def test_from_another_shell(self):
        place, gate = self.waiting(then="echo past the gate")
        place.start("job:slow", "--json").until("at the gate").kill().end()
        (job,) = place.ask("ps", "--json").exits(0).lines
        self.assertEqual((job["label"], job["status"], job["platform"], job["ended"]), ("//job:slow", "running", "lab", None))
        self.assert_told(place.ask("logs", "job:slow").exits(0).out, "at the gate")
        following = place.start("logs", "-f", "job:slow").until("at the gate")
        attached = place.start("attach", "job:slow")
        gate.open()
        self.assert_told(following.end().exits(0).out, "past the gate")
        self.assert_told(attached.end().exits(0).text, "past the gate")
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"])
        self.assert_nothing_ran(place.make("job:slow"))

    def test_an_interrupt_leaves_it_running(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate").interrupt()
        self.assertEqual(going.end().labels("detached"), ["//job:slow"])
        gate.open()
        self.assertEqual(self.await_end(place)["status"], "succeeded")
        self.assertEqual(self.starts(place), 1)

    def test_slurmctld_that_falls_and_comes_back(self):
        place, gate = self.waiting(then="kill -9 $$")  # an end of which Slurm is asked
        going = place.start("job:slow", "--json").until("at the gate")
        eventually(lambda: place.runs()[0]["job"], "no number")
        self.cluster.kill_controller()
        try:
            self.assertEqual([job["status"] for job in place.ask("ps", "--json").exits(0).lines], ["unknown"])
            gate.open()
            going.until("Cannot tell how it goes, and will ask again")
        finally:
            self.cluster.start_controller()
        self.assert_told(going.end().exits(1).messages, "killed by signal 9")
        self.assertEqual(self.starts(place), 1)

    def test_an_end_is_told_while_slurmctld_is_away(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        eventually(lambda: place.runs()[0]["job"], "no number")
        self.cluster.kill_controller()
        try:
            gate.open()
            going.end().exits(0)
        finally:
            self.cluster.start_controller()

    def test_slurmctld_that_is_away_at_first(self):
        place, gate = self.waiting()
        self.cluster.kill_controller()
        try:
            self.assert_told(place.ask("job:slow").exits(3), "Slurm did not take the job")
        finally:
            self.cluster.start_controller()
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual((self.starts(place), self.states(place)), (1, ["COMPLETED"]))

    def test_a_slurm_that_forgot_everything(self):
        place, gate = self.waiting()
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        eventually(lambda: "COMPLETED" in self.states(place), "it does not end")
        self.cluster.kill_controller()
        self.cluster.start_controller("-c")
        self.cluster.await_nodes()
        self.assertEqual(self.states(place), [])
        self.assertEqual(self.await_end(place)["status"], "succeeded")
        self.assertEqual(self.starts(place), 1)


class Secrets(OnSlurm):
    def test_a_secret_lies_nowhere_afterwards(self):
        place, gate = self.waiting(then='test ${#TOKEN} = 11 && echo "it is $TOKEN"', job='secrets = { "TOKEN" }')
        going = place.start("job:slow", "--json", env={"TOKEN": "open sesame"}).until("at the gate")
        for top in (place.path("shared"), self.cluster.folder):
            for path in top.rglob("*"):
                if path.is_file():
                    self.assertNotIn(b"open sesame", path.read_bytes(), path)
        gate.open()
        self.assert_told(going.end().exits(0), "it is ***")

