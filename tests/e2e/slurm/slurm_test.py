"""Jobs on a real Slurm, which the stories start themselves: the same results as here, each job once, and every end told as what it is."""

import contextlib
import os
import pathlib
import pwd
import random
import shutil
import signal
import subprocess
import time
import unittest

import slurm_cluster
from story import BINARY, Gate, Story, eventually

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/mnist"
SPACE = 'platform "lab" {{ type = "slurm", shared_dir = "{shared}", {more} }}\ndefault_platform "lab"\n'


class OnSlurm(Story):
    @classmethod
    def setUpClass(cls):
        cls.start_cluster()

    @classmethod
    def start_cluster(cls, **more):
        try:
            cls.cluster = slurm_cluster.SlurmCluster(**more)
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
        return self.wrapped(place, "sbatch", script)

    def wrapped(self, place, program, script):
        """A command that does more than Slurm's; `real "$@"` is that one."""
        real = shutil.which(program, path=slurm_cluster.FOLDERS)
        place.write(f"bin/{program}", f'#!/bin/sh\nreal() {{ {real} "$@"; }}\n{script}\n', 0o755)
        return {"PATH": f"{place.path('bin')}:{place.env['PATH']}"}

    def begun_long_ago(self, place):
        """What tells that a run was handed over a moment ago, tells so no longer."""
        for run in place.path("shared/runs").glob("*/*"):
            for name in ("number", "owner"):
                os.utime(run / name, (1, 1), follow_symlinks=False)


class Results(OnSlurm):
    def test_a_run_of_this_machine_is_repeated_there_with_the_data_of_then(self):
        place = self.tiny()
        place.env["SLURM_CONF"] = self.cluster.env["SLURM_CONF"]
        place.path("shared").mkdir()
        place.append("TRAINSPACE.lua", SPACE.format(shared=place.path("shared"), more="").replace('default_platform "lab"', ""))
        place.make("job:train")
        (original,) = [run["run"] for run in place.runs()]
        place.append("data/a.txt", "more\n")
        told = place.ask("repro", original, "--platform", "lab", "--json").exits(0).lines[-1]
        self.assertEqual((told["same"], told["platform"]), (True, "lab"))
        place.ask("job:train", "--platform", "lab").exits(0)
        there = place.runs()[0]["run"]
        place.append("data/a.txt", "and more\n")
        self.assertTrue(place.ask("repro", there, "--platform", "local", "--json").exits(0).lines[-1]["same"])

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

    def test_a_timeout_as_long_as_its_partition_gives_is_taken(self):
        place, gate = self.waiting(job="timeout = 60", more='partition = "short"')
        going = place.start("job:slow", "--json").until("at the gate")
        self.assert_told(self.slurm("scontrol", "show", "job", "--oneliner", eventually(lambda: place.runs()[0]["job"], "no number")), "TimeLimit=00:01:00")
        gate.open()
        going.end().exits(0)

    def test_a_refusal_is_told_and_the_next_try_is_made(self):
        nowhere = 'extra = { licenses = "nowhere" }'
        place, gate = self.waiting(more=nowhere)
        self.assert_told(place.ask("job:slow").exits(1), "Slurm did not take the job: Invalid license specification")
        place.replace("TRAINSPACE.lua", nowhere, "")
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual(self.starts(place), 1)

    def test_one_that_slurm_was_never_given_waits_for_nothing(self):
        place, gate = self.waiting()
        words = "Unable to contact slurm controller (connect failure)"
        env = self.wrapped_sbatch(place, f'echo "sbatch: error: Batch job submission failed: {words}" >&2; exit 1')
        self.assert_told(place.ask("job:slow", env=env).exits(3), words)
        self.assertEqual(place.ask("ps", "--json").exits(0).lines, [])
        self.assert_told(place.ask("show", "job:slow").exits(0).out, "lost: it was not handed over: Slurm did not take the job: " + words)
        self.assert_told(place.ask("logs", "-f", "job:slow").exits(0), "never started", words)
        self.assert_told(place.ask("attach").exits(2), "cut short before it was handed over", words)
        self.assert_told(place.ask("cancel", "job:slow").exits(0), "is lost", words)
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual(([run["status"] for run in place.runs()], self.starts(place)), (["succeeded", "lost"], 1))

    def test_one_that_was_never_given_is_handed_over_by_the_next(self):
        place, gate = self.waiting()
        env = self.wrapped_sbatch(place, 'echo "sbatch: error: Batch job submission failed: Slurm temporarily unable to accept job" >&2; exit 1')
        place.ask("job:slow", env=env).exits(3)
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"])

    def test_a_refused_one_tells_its_reason_instead_of_a_log(self):
        place, _ = self.waiting(more='extra = { licenses = "nowhere" }')
        place.ask("job:slow").exits(1)
        self.assert_told(place.ask("logs", "-f", "job:slow").exits(0), "never started: failed", "Invalid license specification")

    def test_a_shared_folder_may_have_any_name_that_sbatch_can_read(self):
        for name in ("50% of %j", "it's $HOME; a:b,c"):
            place, gate = self.waiting()
            place.path("shared").rename(place.path(name))
            place.replace("TRAINSPACE.lua", str(place.path("shared")), str(place.path(name)))
            going = place.start("job:slow", "--json").until("at the gate")
            gate.open()
            going.end().exits(0)
        place.replace("TRAINSPACE.lua", "a:b,c", "a\\\\b")
        self.assert_told(place.ask("job:slow", "--force").exits(2), "holds a backslash, which sbatch leaves out of paths", "TRAINSPACE.lua:")

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
        self.assertEqual(sorted(line["line"] for line in answer.events("log")), ["[0] this is 0", "[1] this is 1"])
        for rank in range(2):
            self.assertEqual(place.pull("job:j", f"ranks/{rank}"), f"{rank} of 2 at {rank} 0: n1 port it's 11 none\n")

    def test_when_one_fails_the_others_end(self):
        place = self.nodes('[ "$RANK" = 1 ] && exit 7\nexec sleep 60\n')
        self.assert_told(place.ask("job:j", env={"TOKEN": "open sesame"}).exits(1), "process `1`: exit code 7")

    def test_what_no_node_would_ever_start_is_told_before_anything_is_done(self):
        place = self.nodes("true")
        more = 'shared_dir = "' + str(place.path("shared")) + '", '
        for old, new, told in (
            ("nodes = 2", "nodes = 3", "It would wait for ever: partition `main` has 2 nodes for a job, and this one asks for 3"),
            ("nodes = 3, cpus = 1", "nodes = 2, cpus = 5", "partition `main` has no node with 5 cpus; the largest has 4 cpus"),
            ("cpus = 5", 'gpus = 1, memory = "8G"', "has no node with 1 of `gpu` and 8.0 GiB of memory; the largest has 2 of `gpu` and 3.9 GiB"),
            ('memory = "8G"', "cpus = 1", ""),
            (more, more + 'gres = "gpu:a100", ', "has no node with 1 of `gpu:a100` and 1 cpu; the largest has no `gpu:a100` and 4 cpus"),
            ('gres = "gpu:a100", ', "", ""),
            ("nodes = 2, gpus = 1", "nodes = 1", ""),
            ("nodes = 1,", 'nodes = 1, instance = "a100",', "partition `main` has no node with `a100`; its nodes have no features"),
            (' instance = "a100",', "", ""),
            (more, more + 'extra = { gres = "gpu:3" }, ', "has no node with 1 cpu and 3 of `gpu`; the largest has 4 cpus and 2 of `gpu`"),
            ('"gpu:3"', '"shard"', "has no node with 1 cpu and 1 of `shard`; the largest has 4 cpus and no `shard`"),
            ('extra = { gres = "shard" }, ', "", ""),
            (more, more + 'partition = "short", ', ""),
            ("image =", 'timeout = "1h", image =', "partition `short` gives a job 1 min 0 s, and the `timeout` of this one is 1 h 0 min"),
            ('"short"', '"shrot"', "Slurm has no partition `shrot`"),
            (str(place.path("shared")), "/nowhere", "There is no folder `/nowhere`"),
        ):
            place.replace("TRAINFILE.lua" if old in place.read("TRAINFILE.lua") else "TRAINSPACE.lua", old, new)
            if told:
                self.assert_told(place.ask("job:j", env={"TOKEN": "open sesame"}).exits(2), told)
        self.assertEqual((place.runs(), place.path(".trainmake/images").exists()), ([], False))


class Ends(OnSlurm):
    def test_a_failing_job_has_its_reason_and_is_not_tried_again(self):
        place, gate = self.waiting(then="echo no luck; exit 3")
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        self.assert_told(going.end().exits(1).messages, "exit code 3", "no luck")
        self.assert_told(place.ask("job:slow").exits(1), "not tried again")
        self.assertEqual(self.starts(place), 1)

    def test_while_the_shared_folder_is_away_nothing_is_lost_or_cancelled(self):
        place, gate = self.waiting()
        place.start("job:slow", "--json").until("at the gate").kill()
        shared, elsewhere = place.path("shared"), place.path("elsewhere")
        for is_there in (True, False):
            shared.rename(elsewhere)
            if is_there:
                shared.mkdir()
            self.assertEqual([run["status"] for run in place.ask("ps", "--json").exits(0).lines], ["unknown"])
            self.assert_told(place.ask("cancel", "job:slow").exits(3), "`shared_dir`")
            if is_there:
                self.assertEqual(os.listdir(shared), [])
                shared.rmdir()
            elsewhere.rename(shared)
        gate.open()
        self.assertEqual((self.await_end(place)["status"], self.starts(place)), ("succeeded", 1))

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

    def test_one_whose_number_nobody_read_is_found_though_its_comment_was_written_over(self):
        place, gate = self.waiting()
        env = self.wrapped_sbatch(place, f'number=$(real --hold "$@") && scontrol update "jobid=$number" comment=night-shift && : >{place.path("through")} && exec sleep 60')
        going = place.start("job:slow", env=env)
        eventually(place.path("through").exists, "it was not submitted")
        going.kill().end()
        self.assertEqual([run["status"] for run in place.ask("ps", "--json").exits(0).lines], ["queued"])
        again = place.start("job:slow", "--json")
        number = eventually(lambda: place.runs()[0]["job"], "it is not adopted")
        self.slurm("scontrol", "release", number)
        again.until("at the gate")
        gate.open()
        again.end().exits(0)
        self.assertEqual((self.starts(place), self.states(place)), (1, ["COMPLETED"]))

    def test_one_whose_comment_somebody_wrote_over_is_the_same(self):
        for comment in ("night-shift", ""):
            with self.subTest(comment=comment):
                place, _ = self.waiting()
                place.ask("job:slow", "--no-wait").exits(0)
                eventually(lambda place=place: self.starts(place) == 1, "it does not start")
                self.begun_long_ago(place)
                self.slurm("scontrol", "update", f"JobId={place.runs()[0]['job']}", f"Comment={comment}")
                self.assertEqual([job["status"] for job in place.ask("ps", "--json").exits(0).lines], ["running"])
                place.ask("job:slow", "--no-wait").exits(0)
                self.assertEqual((self.starts(place), len(place.runs())), (1, 1))
                place.ask("cancel", "job:slow").exits(0)
                self.assertEqual(self.await_end(place)["status"], "cancelled")
                eventually(lambda place=place: self.states(place) == ["CANCELLED"], "it goes on")

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


class Resumed(OnSlurm):
    """`resume = true` where the checkpoint lies in the shared folder."""

    def counting(self):
        """Counts on from where it was, and says how far it came before it waits."""
        place, gate = self.waiting(job="resume = true")
        place.write("code/slow.sh", 'at=$(cat "$TRAINMAKE_CHECKPOINT_DIR/step" || echo 0)\necho $((at + 1)) >"$TRAINMAKE_CHECKPOINT_DIR/step"\n'
                                    'echo "began at $at"\n' + place.read("code/slow.sh"))
        return place, gate

    def test_it_goes_on_after_a_requeue_and_so_does_the_next_run_wherever_that_is(self):
        place, gate = self.counting()
        going = place.start("job:slow", "--json").until("began at 0")
        number = eventually(lambda: place.runs()[0]["job"], "no number")
        # The node that it was on would not take it for two minutes, which is what Slurm waits.
        node = self.slurm("squeue", "--noheader", f"--jobs={number}", "--format=%N").strip()
        self.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=story")
        self.slurm("scontrol", "requeue", number)

        def goes_on():
            self.cluster.ask("scontrol", "update", f"jobid={number}", "starttime=now")
            return "began at 1" in place.ask("logs", "job:slow").text

        try:
            eventually(goes_on, "it does not go on")
            gate.open()
            going.end().exits(0)
        finally:
            self.slurm("scontrol", "update", f"nodename={node}", "state=resume")
            self.cluster.await_nodes()
        (first,) = place.runs()
        place.replace("TRAINFILE.lua", "resume = true", "resume = true, params = { more = 1 }")
        going = place.start("job:slow", "--json").until("began at 2")
        gate.open()
        going.end().exits(0)
        self.assert_told(place.ask("show", "job:slow").exits(0).out, f"from run {first['run']}: 1 file")
        place.replace("TRAINFILE.lua", "more = 1", "more = 2")
        going = place.start("--platform", "local", "job:slow", "--json").until("began at 3")
        gate.open()
        going.end().exits(0)

    def failing(self, job):
        """Counts on as well, and fails when it is at 1."""
        place = self.on_slurm(self.place({
            "code/count.sh": 'at=$(cat "$TRAINMAKE_CHECKPOINT_DIR/step" || echo 0)\necho "began at $at"\necho $((at + 1)) >"$TRAINMAKE_CHECKPOINT_DIR/step"\n[ "$at" != 0 ]\n',
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "count.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             f'job "j" {{ image = "image:i", {job} }}\n'}))
        self.assert_told(place.ask("job:j").exits(1), "began at 0")
        return place

    def checkpoint_of(self, place, run):
        (folder,) = place.path("shared/checkpoints").glob(f"*/run-{run['run']}")
        return folder

    def test_another_attempt_goes_on_and_is_repeated_from_the_same(self):
        for job in ("resume = true", ""):
            with self.subTest(job=job):
                place = self.failing(job)
                self.assert_told(place.ask("job:j", "--retry").exits(0), "began at 1")
                second, first = place.runs()
                self.assert_told(place.ask("show", second["run"]).exits(0).out, f"from run {first['run']}: 1 file")
                shutil.rmtree(place.path("shared/checkpoints"))
                self.assert_told(place.ask("repro", second["run"]).exits(0), "began at 1")

    def test_what_a_forgotten_run_left_is_put_aside(self):
        for job in ("resume = true", ""):
            with self.subTest(job=job):
                place = self.failing(job)
                for path in place.path(".trainmake").glob("state.db*"):
                    path.unlink()
                self.assert_told(place.ask("job:j").exits(1), "began at 0")
                (run,) = place.runs()
                folder = self.checkpoint_of(place, run)
                self.assertEqual((folder.with_name(folder.name + ".earlier") / "step").read_text(), "1\n")

    def test_a_checkpoint_that_is_purged_while_its_job_waits(self):
        for purged, told in (("step", "there are 0 files, 0 bytes in"), ("", "is gone")):
            with self.subTest(purged=purged):
                place = self.failing("resume = true")
                env = self.wrapped_sbatch(place, 'real --hold "$@"')
                going = place.start("job:j", "--retry", "--json", env=env)
                number = eventually(lambda: len(place.runs()) == 2 and place.runs()[0]["job"], "no number")
                folder = self.checkpoint_of(place, place.runs()[0])
                (shutil.rmtree if folder / purged == folder else os.unlink)(folder / purged)
                self.slurm("scontrol", "release", number)
                self.assert_told(going.end().exits(1), "Not begun: ", told)
                self.assertNotIn("began at", place.ask("logs", "job:j").exits(0).out)
                self.assert_told(place.ask("job:j", "--retry").exits(0), "began at 1")

    def test_a_checkpoint_that_changes_while_its_job_waits_and_keeps_its_size(self):
        place = self.failing("resume = true")
        env = self.wrapped_sbatch(place, 'real --hold "$@"')
        going = place.start("job:j", "--retry", "--json", env=env)
        number = eventually(lambda: len(place.runs()) == 2 and place.runs()[0]["job"], "no number")
        folder = self.checkpoint_of(place, place.runs()[0])
        as_it_was = (folder / "step").stat()
        (folder / "step").write_text("7\n")
        os.utime(folder / "step", ns=(as_it_was.st_atime_ns, as_it_was.st_mtime_ns))
        self.slurm("scontrol", "release", number)
        self.assert_told(going.end().exits(1), "Not begun: of the checkpoint of run ", "./step in ", "is not what was placed there; trying again places it anew")
        self.assertNotIn("began at", place.ask("logs", "job:j").exits(0).out)
        self.assert_told(place.ask("job:j", "--retry").exits(0), "began at 1")

    def by_absolute_paths(self, nodes=1):
        """Goes on by a text and a link that name its model in full, and shows in which folder it did so."""
        place = self.place({"code/train.sh": f'''[ "${{RANK:-0}}" = 0 ] || exit 0
cd "$TRAINMAKE_CHECKPOINT_DIR" || exit 1
model=$(cat checkpoint 2>/dev/null || echo "$PWD/model")
echo "$TRAINMAKE_RUN $(readlink last)" >>"$model"
echo "$model" >checkpoint
ln -sfn "$PWD/model" last
echo "at $PWD as $(id -u), in $TRAINMAKE_PARAMS $(cat "$TRAINMAKE_PARAMS") $1 $2"
ln -s "$PWD/last" "$TRAINMAKE_OUTPUT_DIR/model"
''', "TRAINFILE.lua": f'''
            code "c" {{ srcs = glob "code/**", main = "train.sh" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "j" {{ image = "image:i", resume = true, resources = {{ nodes = {nodes} }}, params = {{ n = 1 }}, outputs = {{ model = "model" }} }}
        '''})
        return self.on_slurm(place)

    def test_absolute_paths_in_it_lead_to_the_runs_own(self):
        for nodes in (1, 2):
            with self.subTest(nodes=nodes):
                place = self.by_absolute_paths(nodes)
                place.make("job:j")
                place.replace("TRAINFILE.lua", "n = 1", "n = 2")
                answer = place.make("job:j")
                seen = place.path("shared/checkpoint")
                self.assert_told("\n".join(line["line"] for line in answer.events("log")), f"at {seen} as {os.getuid()}", 'seen/params.json {"n":2}')
                second, first = (run["run"] for run in place.runs())
                self.assertEqual(place.pull("job:j", "model"), f"{first} \n{second} model\n")
                (model,) = place.path("shared/runs").glob(f"*/{first}/checkpoint/model")
                self.assertEqual(model.read_text(), f"{first} \n")
                self.assertEqual(os.listdir(seen), ["README"])

    def test_who_is_not_root_finds_it_there_too_and_is_who_it_was(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root, to be somebody else")
        place = self.by_absolute_paths()
        nobody = pwd.getpwnam("nobody")  # whom Slurm has to know
        for path in (place.root, place.home):
            subprocess.run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", str(path)], check=True)
        as_other = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        if subprocess.run([*as_other, "unshare", "--user", "true"], check=False).returncode != 0:
            self.skipTest("user namespaces are not for everybody here")
        for n in (1, 2):
            place.replace("TRAINFILE.lua", "n = 1", f"n = {n}")
            done = subprocess.run([*as_other, BINARY, "job:j"], cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assert_told(done.stderr, f"at {place.path('shared/checkpoint')} as {nobody.pw_uid},")
        second, first = (run["run"] for run in place.runs())
        self.assertEqual(place.pull("job:j", "model"), f"{first} \n{second} model\n")

    def test_a_node_that_makes_no_mounts_says_what_the_checkpoint_names_in_vain(self):
        place = self.by_absolute_paths()
        place.make("job:j")
        place.replace("TRAINFILE.lua", "n = 1", "n = 2")
        env = self.wrapped_sbatch(place, 'for script do :; done\nsed -i "s,seen/view true,false," "$script"\nreal "$@"')
        answer = place.ask("job:j", env=env)
        self.assert_told(answer, "In its checkpoint 'checkpoint' names ", "Let it save paths relative to its checkpoint folder")
        self.assertEqual(answer.code, 0)
        second, first = (run["run"] for run in place.runs())
        self.assertEqual(place.pull("job:j", "model"), f"{first} \n")

    def test_one_that_was_cancelled_there(self):
        place, gate = self.counting()
        going = place.start("job:slow", "--json").until("began at 0")
        place.ask("cancel", "job:slow").exits(0)
        going.end()
        going = place.start("job:slow", "--retry", "--json").until("began at 1")
        gate.open()
        going.end().exits(0)


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

    def test_a_shared_folder_that_is_another_one_meanwhile(self):
        for is_killed in (False, True):
            with self.subTest(is_killed=is_killed):
                place, gate = self.waiting()
                env = self.wrapped_sbatch(place, f'real "$@" >/dev/null && : >{place.path("through")} && exec sleep 60') if is_killed else {}
                going = place.start("job:slow", "--json", env=env)
                if is_killed:
                    eventually(place.path("through").exists, "it was not submitted")
                else:
                    going.until("at the gate")
                going.kill().end()
                place.path("shared2").mkdir()
                place.replace("TRAINSPACE.lua", "/shared", "/shared2")
                again = place.start("job:slow", "--json").until("at the gate")
                gate.open()
                again.end().exits(0)
                self.assertEqual(([run["status"] for run in place.runs()], self.starts(place), self.states(place)), (["succeeded"], 1, ["COMPLETED"]))

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


class Anew(OnSlurm):
    """A cluster that was made anew, with nothing of the old one: its numbers begin again."""

    def test_whoever_has_the_number_of_a_job_by_now_is_let_be(self):
        place, gate = self.waiting()
        place.ask("job:slow", "--no-wait").exits(0)
        eventually(lambda: self.starts(place) == 1, "it does not start")
        cluster = self.cluster
        number = place.runs()[0]["job"]
        cluster.kill_controller()
        for node in slurm_cluster.NODES:
            cluster.kill(f"slurmd-{node}")
        shutil.rmtree(cluster.folder / "state")
        (cluster.folder / "state").mkdir()
        cluster.start_controller("-c")
        for node in slurm_cluster.NODES:
            cluster.start_node(node)
        cluster.await_nodes()
        others = [self.slurm("sbatch", "--parsable", "--job-name=precious", "--output=/dev/null", "--wrap=sleep 300").strip() for _ in range(int(number))]
        self.assertIn(number, others)
        self.begun_long_ago(place)
        gate.path.unlink()
        place.write("gate", "")
        place.ask("job:slow").exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "lost"])
        states = [state for name, state in cluster.jobs() if name == "precious"]
        self.assertNotIn("CANCELLED", states)
        self.slurm("scancel", *others)


class Watching(OnSlurm):
    def test_one_empty_answer_ends_nothing(self):
        place, gate = self.waiting()
        place.ask("job:slow", "--no-wait").exits(0)
        eventually(lambda: self.starts(place) == 1, "it does not start")
        self.begun_long_ago(place)
        env = self.wrapped(place, "squeue", f'rm {place.path("blip")} 2>/dev/null && exit 0\nreal "$@"')
        place.write("blip", "")
        going = place.start("job:slow", "--json", env=env).until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual(([run["status"] for run in place.runs()], self.starts(place)), (["succeeded"], 1))
        self.assertFalse(place.path("blip").exists())

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

    def test_asked_for_in_another_shell_it_is_attached_to(self):
        place, gate = self.waiting(then="echo past the gate")
        both = [place.start("job:slow", "--json").until("at the gate") for _ in range(2)]
        gate.open()
        first, second = [shell.end().exits(0) for shell in both]
        self.assertEqual([event["run"] for event in second.events("attached")], [place.runs()[0]["run"]])
        self.assertEqual([line["line"] for line in second.events("log")], [line["line"] for line in first.events("log")])
        self.assertEqual((second.labels("ran")[-1], second.finished["submitted"], self.starts(place)), ("//job:slow", 0, 1))

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
        self.cluster.await_saved()
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
        self.cluster.await_saved()
        self.cluster.kill_controller()
        try:
            gate.open()
            going.end().exits(0)
        finally:
            self.cluster.start_controller()

    def test_slurmctld_that_is_away_at_first(self):
        place, gate = self.waiting()
        self.cluster.await_saved()
        self.cluster.kill_controller()
        try:
            self.assert_told(place.ask("job:slow").exits(3), "Slurm did not take the job", "`scontrol ping`")
        finally:
            self.cluster.start_controller()
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual((self.starts(place), self.states(place)), (1, ["COMPLETED"]))

    def test_slurmctld_that_does_not_answer_at_first(self):
        place, gate = self.waiting()
        slurmctld = self.cluster.daemons["slurmctld"]
        slurmctld.send_signal(signal.SIGSTOP)
        try:
            going = place.start("job:slow", "--json").until("Slurm has not answered `sbatch` yet")
            going.interrupt()
            going.process.wait(10)
            going.end()
        finally:
            slurmctld.send_signal(signal.SIGCONT)
        eventually(lambda: self.cluster.ask("scontrol", "ping").returncode == 0, "slurmctld does not come back")
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual(self.starts(place), 1)

    def test_whoever_stops_waits_for_no_command_that_hangs(self):
        place, gate = self.waiting()
        place.start("job:slow", "--json").until("at the gate").interrupt().end()
        env = self.wrapped(place, "squeue", f"echo x >>{place.path('asked')}; exec sleep 600")
        for words in (["job:slow", "--json"], ["attach", "job:slow", "--json"]):
            going = place.start(*words, env=env).until("Slurm has not answered `squeue` yet").interrupt()
            going.process.wait(10)
            self.assertEqual(going.end().code, 130)
        place.path("asked").unlink()
        going = place.start("cancel", "job:slow", env=env)
        eventually(place.path("asked").exists, "it does not ask")
        going.interrupt().process.wait(10)
        self.assertEqual(going.end().code, 130)
        gate.open()
        self.assertEqual(self.await_end(place)["status"], "succeeded")
        self.assertEqual(self.starts(place), 1)

    def test_whoever_looks_is_told_of_a_command_that_hangs_and_stops_at_once(self):
        place, gate = self.waiting()
        place.start("job:slow", "--json").until("at the gate").interrupt().end()
        run = place.runs()[0]["run"]
        asked = place.path("asked")
        env = {}
        for name in ("squeue", "scontrol", "sacct"):
            env = self.wrapped(place, name, f"echo x >>{asked}; exec sleep 600")
        for words in (["show", "job:slow"], ["diff", run, run], ["pull", run], ["runs"], ["ps"], ["logs", "-f", run], ["repro", "job:slow"]):
            with self.subTest(words=words):
                going = place.start(*words, env=env)
                eventually(asked.exists, "it does not ask")
                if words[0] == "show":
                    self.assert_told(going.process.stderr.readline().decode(), "Slurm has not answered `squeue` yet")
                began = time.monotonic()
                going.interrupt().process.wait(10)
                self.assertLess(time.monotonic() - began, 1)
                self.assertEqual(going.end().code, 130)
                asked.unlink()
        gate.open()
        self.assertEqual(self.await_end(place)["status"], "succeeded")

    def test_a_configuration_that_is_not_there(self):
        place, _ = self.waiting()
        self.assert_told(place.ask("job:slow", env={"SLURM_CONF": "/no/slurm.conf"}).exits(2), "`/no/slurm.conf`, which `SLURM_CONF` names")

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


class SharedContent(OnSlurm):
    """What others did to code and data in the shared folder since a job was given them."""

    def reading(self, **more):
        place = self.place({
            "code/read.sh": 'cat "$TRAINMAKE_DATA_DIR"/* conf >"$TRAINMAKE_OUTPUT_DIR/r.txt"; ls "$TRAINMAKE_DATA_DIR" >>"$TRAINMAKE_OUTPUT_DIR/r.txt"\n',
            "code/conf": "lr 1\n", "data/a.txt": "aaa\n", "data/b.txt": "bbb\n",
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "read.sh" }\nimage "i" { code = "code:c", base = "scratch" }\ndata "d" { files = glob "data/**" }\n'
                             'for n = 1, 3 do job("j" .. n) { image = "image:i", data = "data:d", params = { n = n }, outputs = { r = "r.txt" } } end\n', **more})
        return self.on_slurm(place)

    def read(self, place, job):
        told = place.ask(job, "--force").exits(0)
        self.assertEqual(place.pull(job, "r.txt"), "aaa\nbbb\nlr 1\na.txt\nb.txt\n")
        return told

    def test_a_job_that_changes_its_data_changes_that_of_no_other(self):
        place = self.reading(**{"code/wild.sh": 'cd "$TRAINMAKE_DATA_DIR" || exit 1\nchmod u+w . a.txt\necho index >labels.cache\necho evil >a.txt\nrm b.txt\necho x >"$TRAINMAKE_OUTPUT_DIR/r.txt"\n'})
        place.write("TRAINFILE.lua", place.read("TRAINFILE.lua") + 'job "wild" { image = "image:i", main = "wild.sh", data = "data:d", outputs = { r = "r.txt" } }\n')
        place.make("job:wild")
        self.assertEqual(len(list(place.path("shared/trees").glob("data-*/labels.cache"))), 1)
        self.assert_told(self.read(place, "job:j1"), "was no longer what was placed there: 2 files placed again, 1 file removed")
        self.assertNotIn("no longer", str(self.read(place, "job:j2")))

    def test_a_job_as_a_usual_person_cannot_write_among_its_data(self):
        place = self.reading(**{"code/read.sh": 'for path in "$TRAINMAKE_DATA_DIR" "$PWD" "$TRAINMAKE_DATA_DIR/a.txt"; do ls -ldL "$path" | cut -c1-10; done; echo x >"$TRAINMAKE_OUTPUT_DIR/r.txt"\n'})
        place.make("job:j1")
        self.assertEqual(place.ask("logs", "job:j1").exits(0).out.split(), ["dr-xr-xr-x", "drwxr-xr-x", "-r--r--r--"])

    def test_what_was_purged_is_there_again(self):
        place = self.reading()
        self.read(place, "job:j1")
        for path in [*place.path("shared/content").rglob("*"), *place.path("shared/trees").glob("code-*/conf")]:
            if path.is_file():
                path.unlink()
        self.assert_told(self.read(place, "job:j2"), "1 file placed again", "2 files placed again")
        shutil.rmtree(place.path("shared/content"))
        shutil.rmtree(place.path("shared/trees"))
        self.read(place, "job:j3")

    def test_gc_removes_what_nobody_may_write_to(self):
        place = self.reading()
        self.read(place, "job:j1")
        for path in [*place.path("shared/trees").iterdir(), *place.path("shared/runs").rglob("uses"), *place.path("shared/runs").rglob("settled")]:
            os.utime(path, (0, 0))
        place.ask("gc").exits(0)
        self.assertEqual([path for name in ("trees", "content") for path in place.path(f"shared/{name}").rglob("*") if not path.is_dir()], [])
        self.read(place, "job:j2")


class Secrets(OnSlurm):
    def test_one_of_several_lines_is_hidden_on_the_node(self):
        place, gate = self.waiting(then='echo "$TOKEN" | sed -n 2p; echo "it is $TOKEN"', job='secrets = { "TOKEN" }')
        going = place.start("job:slow", "--json", env={"TOKEN": "first line\nsecond line"}).until("at the gate")
        gate.open()
        going.end().exits(0)
        self.assertEqual(place.ask("logs", "job:slow").exits(0).out.splitlines()[-2:], ["***", "it is ***"])

    def test_a_secret_lies_nowhere_afterwards(self):
        place, gate = self.waiting(then='test ${#TOKEN} = 11 && echo "it is $TOKEN"', job='secrets = { "TOKEN" }')
        going = place.start("job:slow", "--json", env={"TOKEN": "open sesame"}).until("at the gate")
        for top in (place.path("shared"), self.cluster.folder):
            for path in top.rglob("*"):
                if path.is_file():
                    self.assertNotIn(b"open sesame", path.read_bytes(), path)
        gate.open()
        self.assert_told(going.end().exits(0), "it is ***")
        self.assertIn("it is ***", place.ask("logs", "job:slow").exits(0).out, "without the secret in the environment")
        for path in place.path("shared").rglob("*"):
            if path.is_file():
                self.assertNotIn(b"open sesame", path.read_bytes(), path)

