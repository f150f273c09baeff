"""Sweeps on a real Slurm: jobs that differ in their parameters are one array, each of which is a run like any other."""

import contextlib
import random
import subprocess
from unittest import mock

import story
from slurm_test import OnSlurm
from story import eventually

FILE = '''
code "c" {{ srcs = glob "code/**", main = "train.sh" }}
image "i" {{ code = "code:c", base = "scratch" }}
for n = 1, {count} do
  job("sweep-" .. n) {{
    image = "image:i", params = {{ n = n }}, outputs = {{ o = "o" }}, metrics = {{ loss = "loss=([%d.]+)" }}, env = {{ STARTS = "{starts}", GATE = "{gate}" }}, {more}
  }}
end
'''


class OnSweeps(OnSlurm):
    def sweep(self, count, script='echo "loss=0.$2"', more=""):
        """Each start of its script leaves its number in the file `starts`."""
        place = self.place({"code/train.sh": f'echo "$2" >>"$STARTS"\n{script}\necho "result $2" >"$TRAINMAKE_OUTPUT_DIR/o"\n'})
        place.write("TRAINFILE.lua", FILE.format(count=count, starts=place.path("starts"), gate=place.path("gate"), more=more))
        return self.on_slurm(place)

    def calls_of_sbatch(self, place):
        """The environment in which they are counted, and how many there were."""
        env = self.wrapped_sbatch(place, f'echo >>{place.path("calls")}; real "$@"')
        return env, lambda: len(place.read("calls").splitlines())

    def numbers(self, place):
        return {run["label"].removeprefix("//job:sweep-"): run["job"] for run in place.runs()}

    def assert_each_once(self, place, count):
        self.assertEqual(sorted(map(int, place.read("starts").split())), list(range(1, count + 1)))
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"] * count)


class Sweeps(OnSweeps):
    def test_forty_jobs_are_one_sbatch(self):
        place = self.sweep(40)
        env, calls = self.calls_of_sbatch(place)
        answer = place.ask("job:sweep-*", env=env).exits(0)
        self.assertEqual(calls(), 1)
        self.assert_each_once(place, 40)
        self.assertEqual(place.pull("job:sweep-7", "o"), "result 7\n")
        self.assertEqual({number.partition("_")[0] for number in self.numbers(place).values()}, {self.numbers(place)["1"].partition("_")[0]})
        self.assert_nothing_ran(place.make("job:sweep-*"))
        self.assert_told(answer.err, "job:sweep-1 ", "n 40")

    def test_a_sign_of_patterns_in_the_path_of_the_shared_folder_is_a_sign(self):
        place = self.sweep(3)
        place.path("shared").rename(place.path("50% of %j"))
        place.replace("TRAINSPACE.lua", str(place.path("shared")), str(place.path("50% of %j")))
        env, calls = self.calls_of_sbatch(place)
        place.ask("job:sweep-*", env=env).exits(0)
        self.assertEqual((calls(), place.ask("logs", "job:sweep-2").exits(0).out), (1, "loss=0.2\n"))

    def test_the_best_is_on_top(self):
        place = self.sweep(3)
        for words, best in (((), "job:sweep-1 "), (("--sort", "loss:max"), "job:sweep-3 ")):
            table = place.ask("job:sweep-*", *words).exits(0).err.partition("other metrics")[2]
            self.assertTrue(table.splitlines()[1].startswith(best), table)
        self.assert_told(place.ask("job:sweep-*", "--sort", ":min").exits(2), "`--sort`")
        self.assertNotIn("other metrics", place.ask("job:sweep-1").exits(0).err)

    def test_killed_between_sbatch_and_its_answer(self):
        place = self.sweep(5)
        env = self.wrapped_sbatch(place, f'real "$@" >/dev/null && : >{place.path("through")} && exec sleep 60')
        going = place.start("job:sweep-*", env=env)
        eventually(place.path("through").exists, "it was not submitted")
        going.kill().end()
        again, calls = self.calls_of_sbatch(place)
        place.write("calls", "")
        place.ask("job:sweep-2", env=again).exits(0)
        place.ask("job:*", env=again).exits(0)
        self.assertEqual(calls(), 0)
        self.assert_each_once(place, 5)

    def test_killed_while_sbatch_is_on_its_way(self):
        place = self.sweep(5)
        late = place.gate("late")
        env = self.wrapped_sbatch(place, f': >{place.path("asked")}; read _ <{late.path}; real "$@" >{place.path("number")}')
        going = place.start("job:sweep-*", env=env)
        eventually(place.path("asked").exists, "it was not submitted")
        going.kill().end()
        again = place.start("job:sweep-*")
        late.open()
        again.end().exits(0)
        eventually(lambda: place.path("number").exists() and place.read("number"), "the first one did not go through")
        eventually(lambda: not self.cluster.ask("squeue", "--noheader").stdout, "something of it goes on")
        self.assert_each_once(place, 5)

    def test_an_answer_that_says_nothing(self):
        place = self.sweep(5)
        env = self.wrapped_sbatch(place, 'real "$@" >/dev/null; echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1')
        place.ask("job:sweep-*", env=env).exits(0)
        self.assert_each_once(place, 5)

    def test_killed_at_any_moment(self):
        place = self.sweep(20)
        moments = random.Random(2)
        for _ in range(15):
            going = place.start("job:*")
            with contextlib.suppress(subprocess.TimeoutExpired):
                going.process.wait(moments.uniform(0.02, 0.8))
            going.kill().end()
        place.make("job:*")
        self.assert_each_once(place, 20)

    def test_one_is_cancelled_and_the_others_go_on(self):
        place = self.sweep(3, script='[ "$2" = 3 ] || exec sleep 60')
        place.ask("job:sweep-*", "--no-wait").exits(0)
        eventually(lambda: place.path("starts").exists() and len(place.read("starts").split()) == 3, "they do not start")
        place.ask("cancel", "job:sweep-1").exits(0)
        eventually(lambda: sorted(job["label"] for job in place.ask("ps", "--json").exits(0).lines) == ["//job:sweep-2"], "the wrong ones go on")
        place.ask("cancel", "job:sweep-2").exits(0)
        self.assertEqual({run["label"]: run["status"] for run in place.runs()},
                         {"//job:sweep-1": "cancelled", "//job:sweep-2": "cancelled", "//job:sweep-3": "succeeded"})

    def test_all_that_match_are_cancelled(self):
        place = self.sweep(3, script="exec sleep 60")
        place.ask("job:sweep-*", "--no-wait").exits(0)
        env = self.wrapped(place, "scancel", f'echo "$@" >>{place.path("cancels")}; real "$@"')
        said = place.ask("cancel", "job:sweep-*", env=env).exits(0).err
        self.assertEqual(len(place.read("cancels").splitlines()), 1)
        self.assertEqual(said, "3 runs: 3 cancelled; `trainmake runs` lists them\n")
        self.assertEqual({run["status"] for run in place.runs()}, {"cancelled"})
        self.assert_told(place.ask("cancel", "job:sweep-*").exits(2), "No job in flight matches `job:sweep-*`")

    def test_one_that_leaves_its_array_without_a_word_is_lost_unless_it_was_cancelled_here(self):
        place = self.sweep(3)
        place.replace("TRAINSPACE.lua", ",  }", ", extra = { hold = true } }")
        place.ask("job:sweep-*", "--no-wait").exits(0)
        numbers = self.numbers(place)
        place.ask("cancel", "job:sweep-1").exits(0)
        self.slurm("scancel", numbers["2"])
        eventually(lambda: [job["label"] for job in place.ask("ps", "--json").exits(0).lines] == ["//job:sweep-3"], "the wrong ones wait")
        self.assertEqual({run["label"]: run["status"] for run in place.runs()},
                         {"//job:sweep-1": "cancelled", "//job:sweep-2": "lost", "//job:sweep-3": "queued"})
        place.ask("cancel", "job:sweep-3").exits(0)

    def test_each_has_its_own_end(self):
        place = self.sweep(3, script='[ "$2" = 1 ] && exit 3\n[ "$2" = 2 ] && exec sleep 60', more="timeout = 2")
        place.ask("job:sweep-*", "-k").exits(1)
        self.assertEqual({run["label"]: (run["status"], run["reason"]) for run in place.runs()},
                         {"//job:sweep-1": ("failed", "exit code 3"), "//job:sweep-2": ("failed", "timed out after 2.0 s"), "//job:sweep-3": ("succeeded", None)})

    def test_one_that_slurm_starts_again_is_the_same_run(self):
        place = self.sweep(2, script='[ "$2" = 1 ] && [ "$(grep -c "^1$" "$STARTS")" = 1 ] && exec sleep 60')
        going = place.start("job:sweep-*")
        eventually(lambda: place.path("starts").exists() and len(place.read("starts").split()) == 2, "they do not start")
        number = self.numbers(place)["1"]
        node = self.slurm("squeue", "--noheader", f"--jobs={number}", "--format=%N").strip()
        self.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=story")
        try:
            self.slurm("scontrol", "requeue", number)

            def has_started_again():
                self.cluster.ask("scontrol", "update", f"jobid={number}", "starttime=now")
                return len(place.read("starts").split()) == 3

            eventually(has_started_again, "it does not start again")
            going.end().exits(0)
        finally:
            self.cluster.ask("scontrol", "update", f"nodename={node}", "state=resume")
            self.cluster.await_nodes()
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"] * 2)


class Trouble(OnSweeps):
    """Of the cluster and of disks, in the middle of a sweep. Each has a Slurm of its own: after a fall it takes a while until nodes are used again."""

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.start_cluster()
        self.addCleanup(self.cluster.stop)
        patience = mock.patch.object(story, "DEADLINE_S", 300)
        patience.start()
        self.addCleanup(patience.stop)

    def test_slurmctld_falls_in_the_middle(self):
        place = self.sweep(16, script='until [ -e "$GATE" ]; do sleep 0.1; done')
        going = place.start("job:sweep-*")
        eventually(lambda: place.path("starts").exists(), "none starts")
        self.cluster.await_saved()
        self.cluster.kill_controller()
        place.write("gate", "")
        self.cluster.start_controller()
        going.end().exits(0)
        self.assert_each_once(place, 16)

    def test_the_network_is_gone_for_a_while(self):
        place = self.sweep(16, script="sleep 1")
        going = place.start("job:sweep-*")
        eventually(lambda: place.path("starts").exists(), "none starts")
        self.cluster.kill("munged")
        try:
            statuses = {job["status"] for job in place.ask("ps", "--json").exits(0).lines}
            self.assertLessEqual(statuses, {"unknown", "running", "queued"})
        finally:
            self.cluster.start_munged()
        going.end().exits(0)
        self.assert_each_once(place, 16)

    def test_the_shared_disk_is_full(self):
        place = self.sweep(4)
        self.small_disk(place.path("shared"))
        filling = place.path("shared/filling")
        with contextlib.suppress(OSError), filling.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        self.assert_told(place.ask("job:sweep-*", "-k").text, "No space left on device")
        self.assertFalse(place.path("starts").exists())
        filling.unlink()
        place.ask("job:sweep-*").exits(0)
        self.assertEqual(sorted(place.read("starts").split()), ["1", "2", "3", "4"])

    def test_the_shared_disk_is_full_when_they_end(self):
        place = self.sweep(2)
        self.small_disk(place.path("shared"))
        filling = place.path("shared/filling")
        place.write("code/train.sh", f'echo "$2" >>"$STARTS"\necho "result $2" >"$TRAINMAKE_OUTPUT_DIR/o"\necho "loss=1"\nuntil [ "$(wc -l <"$STARTS")" = 2 ]; do sleep 0.1; done\n'
                                     f'cat /dev/zero >>{filling} 2>/dev/null\n[ "$2" = 1 ]\n')
        place.ask("job:sweep-*", "-k").exits(1)
        self.assertEqual({run["label"]: (run["status"], run["reason"]) for run in place.runs()},
                         {"//job:sweep-1": ("succeeded", None), "//job:sweep-2": ("failed", "exit code 1")})
        self.assertEqual(sorted(place.read("starts").split()), ["1", "2"])

    def test_the_disk_of_results_is_full(self):
        place = self.sweep(2, script='head -c 300000 /dev/urandom >"$TRAINMAKE_OUTPUT_DIR/big"')
        place.replace("TRAINFILE.lua", 'o = "o"', 'o = "o", big = "big"')
        cache = place.home / "cache"
        cache.mkdir()
        self.small_disk(cache, "1m")
        place.ask("job:sweep-*", "--cache-dir", str(cache), "--no-wait").exits(0)
        eventually(lambda: len(list(place.path("shared/runs").glob("*/*/exit.json"))) == 2, "they do not end")
        with contextlib.suppress(OSError), (cache / "filling").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        self.assertNotEqual(place.ask("job:sweep-*", "-k", "--cache-dir", str(cache)).code, 0)
        (cache / "filling").unlink()
        place.ask("job:sweep-*", "--cache-dir", str(cache)).exits(0)
        self.assertEqual(sorted(place.read("starts").split()), ["1", "2"])

    def small_disk(self, folder, size="2m"):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.skipTest(f"no file system can be mounted here: {done.stderr}")
        self.addCleanup(subprocess.run, ["umount", "-l", folder], check=False)


class Copies(OnSweeps):
    def test_two_copies_of_a_cache_have_each_the_result(self):
        place = self.sweep(2, script='until [ -e "$GATE" ]; do sleep 0.1; done')
        place.append("TRAINFILE.lua", 'job "quick" { image = "image:i", command = { "true" } }\n')
        place.make("job:quick")
        place.ask("job:sweep-*", "--no-wait").exits(0)
        eventually(lambda: place.path("starts").exists() and len(place.read("starts").split()) == 2, "they do not start")
        other = place.clone(with_state=True)
        self.addCleanup(other.close)
        other.env = place.env
        place.write("gate", "")
        for one in (place, other):
            one.make("job:sweep-*")
            self.assertEqual([one.pull(f"job:sweep-{n}", "o") for n in (1, 2)], ["result 1\n", "result 2\n"])
            self.assertEqual(sorted(run["status"] for run in one.runs() if "sweep" in run["label"]), ["succeeded"] * 2)
        self.assertEqual(sorted(place.read("starts").split()), ["1", "2"])


class Accounted(OnSlurm):
    """Where slurmdbd keeps the ends that slurmctld forgets."""

    CLUSTER = {}

    @classmethod
    def setUpClass(cls):
        cls.start_cluster(accounting=True, **cls.CLUSTER)

    def forget(self):
        self.cluster.kill_controller()
        self.cluster.start_controller("-c")
        self.cluster.await_nodes()

    def ended(self, place, state):
        """Once accounting has it so."""
        number = place.runs()[0]["job"]
        eventually(lambda: state in self.cluster.ask("sacct", "--noheader", "--allocations", f"--jobs={number}", "--format=State%20").stdout, "accounting does not have it")

    def started(self, **more):
        place, gate = self.waiting(**more)
        place.ask("job:slow", "--no-wait", env={"TOKEN": "open sesame"}).exits(0)
        eventually(lambda: self.starts(place) == 1, "it does not start")
        return place, gate


class Accounting(Accounted):
    def test_what_somebody_cancelled(self):
        place, _ = self.started()
        self.slurm("scancel", place.runs()[0]["job"])
        self.ended(place, "CANCELLED")
        self.forget()
        self.assertEqual(self.await_end(place)["status"], "cancelled")

    def test_what_took_too_long_for_slurm(self):
        place, _ = self.started()
        self.slurm("scontrol", "update", f"jobid={place.runs()[0]['job']}", "EndTime=now+1seconds")
        self.ended(place, "TIMEOUT")
        self.forget()
        run = self.await_end(place)
        self.assertEqual(run["status"], "failed")
        self.assert_told(run["reason"], "it reached its time limit in Slurm")

    def test_what_a_failed_node_ended(self):
        place, _ = self.started(job='secrets = { "TOKEN" }')
        number = place.runs()[0]["job"]
        node = self.slurm("squeue", "--noheader", f"--jobs={number}", "--format=%N").strip()
        self.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=story")
        self.ended(place, "NODE_FAIL")
        self.forget()
        (told,) = place.runs()
        self.assertEqual(told["status"], "lost")
        self.assert_told(told["reason"], "a node of it failed")

    def test_an_exit_code(self):
        place, gate = self.started(then="exit 3")
        gate.open()
        self.ended(place, "FAILED")
        self.forget()
        self.assertEqual((self.await_end(place)["reason"]), "exit code 3")


class Pressure(Accounted):
    """Where memory is held to what was asked for, and some matter more than others; Slurm keeps accounts of it."""

    CLUSTER = {
        "holds_memory": True,
        "conf": "PreemptType=preempt/partition_prio\nPreemptMode=CANCEL\nPartitionName=urgent Nodes=ALL PriorityTier=10 State=UP\n",
    }
    GREEDY = "exec python3 -c 'import time; much = b\"x\" * (400 << 20); time.sleep(60)'"

    def preempt(self):
        """Somebody else's job takes both nodes while this goes on."""
        number = self.slurm("sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 60").strip()
        self.addCleanup(self.cluster.ask, "scancel", number)
        return number

    def test_one_that_needs_more_memory_than_it_may_is_out_of_memory(self):
        for forgotten in (False, True):
            with self.subTest(forgotten=forgotten):
                place, gate = self.started(then=self.GREEDY, job='resources = { memory = "64M" }')
                gate.open()
                self.ended(place, "OUT_OF_ME")
                if forgotten:
                    self.forget()
                run = self.await_end(place)
                self.assertEqual(run["status"], "failed")
                self.assert_told(run["reason"], "out of memory")
                self.assert_told(place.ask("job:slow").exits(1), "not tried again")

    def test_one_that_is_preempted_is_lost_and_started_again(self):
        for forgotten in (False, True):
            with self.subTest(forgotten=forgotten):
                place, gate = self.started()
                urgent = self.preempt()
                self.ended(place, "PREEMPTED")
                self.slurm("scancel", urgent)
                if forgotten:
                    self.forget()
                (told,) = place.runs()
                self.assertEqual(told["status"], "lost")
                self.assert_told(told["reason"], "preempted by a job that matters more")
                going = place.start("job:slow", "--json").until("at the gate")
                gate.open()
                going.end().exits(0)
                self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "lost"])
