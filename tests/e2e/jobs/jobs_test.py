"""Jobs while they run and afterwards: ps, logs, attach, cancel, runs, show, diff, pull; and that they run once."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time

from story import BINARY, Story, eventually


class InASecondShell(Story):
    """`trainmake job:slow`, while another trainmake runs it."""

    def both(self, then="echo past the gate", job=""):
        place, gate = self.waiting(then=then, job=job)
        first = place.start("job:slow", "--json").until("at the gate")
        return place, gate, first, place.start("job:slow", "--json").until("at the gate")

    def told(self, answer):
        return [line["line"] for line in answer.events("log")]

    def test_it_is_attached_to_and_shows_the_same(self):
        place, gate, *shells = self.both()
        gate.open()
        first, second = [shell.end().exits(0) for shell in shells]
        (run,) = place.runs()
        (attached,) = second.events("attached")
        self.assertEqual((attached["label"], attached["run"]), ("//job:slow", run["run"]))
        self.assert_told(attached["message"], f"`trainmake logs -f {run['run']}`")
        self.assertEqual(self.told(second), ["at the gate", "past the gate"])
        self.assertEqual(self.told(second), self.told(first))
        self.assertIn("//job:slow", second.ran)
        self.assertEqual((second.finished["submitted"], first.finished["submitted"]), (0, 1))
        self.assertEqual([event["state"] for event in second.events("step") if event["kind"] == "job"], ["started", "finished"])

    def test_a_person_reads_the_run_its_log_and_how_it_ended(self):
        place, gate, first, _ = self.both(job='metrics = { loss = "loss=([%d.]+)" }', then="echo loss=0.5")
        reading = place.start("job:slow")
        run = place.runs()[0]["run"]
        self.assert_reads(reading, f"trainmake logs -f {run}")
        gate.open()
        said = reading.end().exits(0).err
        self.assert_told(said, "| loss=0.5", "done: succeeded in", "loss 0.5", "1 ran")
        self.assertNotIn("nothing to do", said)

    def assert_reads(self, going, words):
        """Until its messages hold these."""
        read = b""
        while words.encode() not in read:
            more = os.read(going.process.stderr.fileno(), 1 << 16)
            self.assertTrue(more, f"it never said {words}:\n{read.decode()}")
            read += more

    def test_a_failure_is_the_same_in_both(self):
        place, gate, *shells = self.both(then="exit 3")
        gate.open()
        first, second = [shell.end().exits(1) for shell in shells]
        self.assertEqual(second.messages, first.messages)
        self.assertEqual((second.labels("failed"), len(place.runs())), (["//job:slow"], 1))

    def test_a_cancelled_one_is_the_same_in_both(self):
        place, _, *shells = self.both()
        place.ask("cancel", "job:slow").exits(0)
        first, second = [shell.end().exits(1) for shell in shells]
        self.assertEqual(second.messages, first.messages)
        self.assertEqual(len(place.runs()), 1)

    def test_retry_of_one_that_is_under_way_is_that_one(self):
        place, gate = self.waiting(then="exit 3")
        shells = [place.start("job:slow", "--retry", "--json").until("at the gate") for _ in range(2)]
        gate.open()
        for shell in shells:
            shell.end().exits(1)
        self.assertEqual(len(place.runs()), 1)

    def test_each_try_is_shown(self):
        place, gate, *shells = self.both(then='[ -e "$GATE.once" ] || { : >"$GATE.once"; exit 3; }', job="retries = 1")
        gate.open()
        eventually(lambda: len(place.runs()) == 2, "it is not tried again")
        gate.open()
        for shell in shells:
            answer = shell.end().exits(0)
            self.assertEqual(self.told(answer), ["at the gate", "at the gate"])
        self.assertEqual([event["run"] for event in answer.events("attached")], [run["run"] for run in reversed(place.runs())])

    def test_when_the_first_is_killed_the_second_goes_on(self):
        place, gate, first, second = self.both()
        first.kill().end()
        second.until("Found in flight")
        gate.open()
        answer = second.end().exits(0)
        self.assertEqual(self.told(answer), ["at the gate", "past the gate"])
        self.assertEqual((answer.finished["submitted"], len(place.runs())), (0, 1))

    def test_who_leaves_leaves_it_running(self):
        place, gate, first, second = self.both()
        answer = second.interrupt().end().exits(130)
        self.assertEqual(answer.labels("detached"), ["//job:slow"])
        self.assert_told(answer, "trainmake attach job:slow")
        gate.open()
        first.end().exits(0)


class Sweeps(Story):
    """Jobs by a pattern, told of as one."""

    def sweep(self, script, count=3):
        place = self.place({"code/train.sh": script + '\necho done >"$TRAINMAKE_OUTPUT_DIR/out.txt"\n'})
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "train.sh" }}
            image "c" {{ code = "code:c", base = "scratch" }}
            for i = 1, {count} do
              job("s" .. i) {{ image = "image:c", params = {{ n = i }}, metrics = {{ loss = "loss=(%d+)" }}, outputs = {{ out = "out.txt" }},
                                env = {{ GO = "{place.path("go")}" }} }}
            end
        ''')
        return place

    def hint(self, answer):
        self.assertEqual(answer.err.count("hint: "), 1, answer)
        return answer.err.splitlines()[-1]

    def test_who_looks_at_many_that_ended_alone_reads_one_line(self):
        for looking in ("runs", "ps"):
            with self.subTest(looking=looking):
                place = self.sweep('until [ -e "$GO" ]; do sleep 0.01; done; echo loss=$2')
                place.ask("job:s*", "--no-wait").exits(0)
                place.write("go", "")
                eventually(lambda: len(list(place.path(".trainmake/runs").glob("*/exit.json"))) == 3, "they do not end")
                said = [line for line in place.ask(looking).exits(0).err.splitlines() if "in flight" not in line]
                self.assertEqual(said, ["3 runs have ended: keeping what they left; `trainmake show RUN` tells of one"])
                self.assertEqual({run["status"] for run in place.runs()}, {"succeeded"})
                self.assertEqual(place.ask("runs").exits(0).err, "")

    def test_a_cancelled_sweep_is_told_once_with_the_line_that_tries_it_again(self):
        place = self.sweep("exec sleep 60")
        place.ask("run", "--local", "--contract", "uai", "job:s*", "--no-wait", "-j", "3").exits(0)
        self.assertEqual(place.ask("cancel", "job:s*").exits(0).err, "3 runs: 3 cancelled; `trainmake runs` lists them\n")
        answer = place.ask("run", "--local", "--contract", "uai", "-k", "job:s*").exits(1)
        self.assertEqual(answer.err.count("error: "), 1, answer)
        hint = self.hint(answer)
        self.assert_told(hint, "3 of these jobs were cancelled", "`trainmake run --contract uai --local --keep-going --retry 'job:s*'`")
        again = place.start(*shlex.split(hint.split("`")[1])[1:], "--json", "--no-wait").end().exits(0)
        self.assertEqual(len(again.labels("detached")), 3)
        place.ask("cancel", "job:s*").exits(0)

    def test_of_a_sweep_that_failed_the_first_is_told_with_one_hint_below_the_table(self):
        place = self.sweep('echo loss=$2\n[ "$2" = 2 ] || exit 3')
        for words in (["-k", "job:s*"], ["-k", "job:s*"]):
            answer = place.ask(*words).exits(1)
            self.assertEqual(answer.err.count("exit code 3"), 1, answer)
            self.assert_told(self.hint(answer), "2 of these jobs failed", "`trainmake --keep-going --retry 'job:s*'`")
            table = answer.err[answer.err.index("other metrics"):]
            self.assertEqual(table.count("job:s"), 5, answer)
        self.assertEqual(len(place.ask("job:s*", "-k", "--json").exits(1).events("error")), 2)


class WhileItRuns(Story):
    def test_ps_shows_it_and_then_no_more(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        (job,) = place.ask("ps", "--json").exits(0).lines
        self.assertEqual((job["label"], job["status"], job["platform"], job["ended"]), ("//job:slow", "running", "local", None))
        gate.open()
        going.end().exits(0)
        self.assertEqual(place.ask("ps", "--json").exits(0).lines, [])

    def test_looking_never_waits_for_a_run(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        for words in (["ps"], ["runs"], ["plan", "job:slow"], ["why", "job:slow"], ["query", "//..."], ["graph", "//..."], ["logs", "job:slow"], ["show", "job:slow"]):
            place.ask(*words).exits(0)
        gate.open()
        going.end().exits(0)

    def test_logs_shows_what_it_said_so_far_and_f_goes_on(self):
        place, gate = self.waiting(then="echo past the gate")
        going = place.start("job:slow", "--json").until("at the gate")
        self.assert_told(place.ask("logs", "job:slow").exits(0).out, "at the gate")
        following = place.start("logs", "-f", "job:slow").until("at the gate")
        gate.open()
        self.assert_told(following.end().exits(0).out, "past the gate")
        going.end().exits(0)

    def test_attach_follows_it_to_its_end_and_records_it(self):
        place, gate = self.waiting(then="echo past the gate")
        place.start("job:slow", "--json").until("at the gate").kill().end()
        attached = place.start("attach", "job:slow")
        gate.open()
        self.assert_told(attached.end().exits(0).text, "past the gate")
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"])

    def test_attach_records_it_whatever_the_code_is_by_now(self):
        place, gate = self.waiting()
        place.start("job:slow", "--json").until("at the gate").kill().end()
        place.append("code/slow.sh", "# edited\n")
        gate.open()
        place.ask("attach").exits(0)
        (run,) = place.runs()
        self.assertEqual((run["status"], [output["name"] for output in run["outputs"]]), ("succeeded", ["out"]))
        self.assertEqual(place.pull(run["run"], "out.txt"), "done\n")

    def test_attach_watches_along_with_another_client(self):
        place, gate = self.waiting(then="echo past the gate")
        going = place.start("job:slow", "--json").until("at the gate")
        attached = place.start("attach", "job:slow", "--json").until("at the gate")
        gate.open()
        self.assert_told(attached.end().exits(0).text, "past the gate")
        going.end().exits(0)
        self.assertEqual(len(place.runs()), 1)

    def test_attach_at_the_very_end_tells_how_it_ended(self):
        for exit_code, then in ((0, ""), (1, "exit 3")):
            with self.subTest(then=then):
                place, gate = self.waiting(then=then)
                place.ask("job:slow", "--no-wait").exits(0)
                (run,) = place.runs()
                gate.open()
                self.assertEqual(place.ask("attach", run["run"]).code, exit_code)
                told = place.ask("attach", run["run"]).exits(exit_code)
                self.assert_told(told, "is over", "succeeded" if exit_code == 0 else "exit code 3")
                self.assertEqual(len(place.runs()), 1)

    def test_attach_to_one_that_just_failed_does_not_tell_of_an_earlier_success(self):
        place, gate = self.waiting()
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        place.ask("attach").exits(0)
        place.write("code/slow.sh", "exit 3\n")
        place.ask("job:slow").exits(1)
        self.assert_told(place.ask("attach", "job:slow").exits(1), "exit code 3")

    def test_many_attach_while_it_ends_and_all_tell_how(self):
        for exit_code, then in ((0, ""), (1, "exit 3")):
            with self.subTest(then=then):
                place, gate = self.waiting(then=then)
                going = place.start("job:slow", "--json").until("at the gate")
                attached = [place.start("attach", "job:slow", "--json") for _ in range(3)]
                for one in attached[1:]:
                    one.until("at the gate")
                gate.open()
                for one in [going, *attached]:
                    self.assertEqual(one.end().code, exit_code)
                self.assertEqual(len(place.runs()), 1)

    def test_cancel_ends_it_with_all_it_started(self):
        place, _ = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        place.ask("cancel", "job:slow").exits(0)
        self.assertNotEqual(going.end().code, 0)
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])
        self.assertEqual(place.ask("ps", "--json").exits(0).lines, [])

    def test_a_cancelled_run_keeps_what_it_measured(self):
        for watched in (True, False):
            place, _ = self.waiting(job='metrics = { loss = "loss=([%d.]+)" }')
            place.replace("code/slow.sh", "echo at", "echo loss=0.14\necho at")
            going = place.start("job:slow", "--json").until("at the gate")
            if not watched:
                going.interrupt().end()
            place.ask("cancel", "job:slow").exits(0)
            going.end()
            self.assertEqual([(run["status"], run["metrics"]) for run in place.runs()], [("cancelled", {"loss": 0.14})], watched)

    def test_what_python_prints_is_in_the_log_at_once(self):
        place, gate = self.waiting()
        place.write("code/slow.py", 'import os\nprint("at the gate")\nopen(os.environ["GATE"]).read()\nopen(os.environ["TRAINMAKE_OUTPUT_DIR"] + "/out.txt", "w")\n')
        place.replace("TRAINFILE.lua", "slow.sh", "slow.py")
        going = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        going.end().exits(0)

    def test_cancel_needs_no_sound_trainfile(self):
        place, _ = self.waiting()
        place.start("job:slow", "--json").until("at the gate").interrupt().end()
        place.append("TRAINFILE.lua", "this is no Lua")
        place.ask("cancel", "job:slow").exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])

    def test_no_wait_leaves_it_running(self):
        place, gate = self.waiting()
        answer = place.ask("job:slow", "--no-wait", "--json").exits(0)
        self.assertEqual((answer.labels("detached"), answer.finished["submitted"]), (["//job:slow"], 1))
        gate.open()
        eventually(lambda: place.make("job:slow").finished["submitted"] == 0, "it was submitted again")
        self.assertEqual(len(place.runs()), 1)

    def test_who_looks_at_one_that_ended_alone_finds_how_it_ended(self):
        place, gate = self.waiting(then="echo loss=0.5", job='metrics = { loss = "loss=([%d.]+)" }')
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        eventually(lambda: not place.ask("ps", "--json").exits(0).lines, "it does not end")
        run = place.ask("show", "job:slow", "--json").exits(0).only
        self.assertEqual((run["status"], run["metrics"], [output["name"] for output in run["outputs"]]), ("succeeded", {"loss": 0.5}, ["out"]))
        self.assert_nothing_ran(place.make("job:slow"))
        self.assert_told(place.pull("job:slow", "out.txt"), "done")

    def test_a_label_has_the_result_of_what_ended_alone_last(self):
        place, gate = self.waiting(then="echo first")
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        eventually(lambda: place.ask("show", "job:slow", "--json").exits(0).only["status"] == "succeeded", "it does not end")
        place.write("code/slow.sh", 'echo second > "$TRAINMAKE_OUTPUT_DIR/out.txt"\n')
        place.ask("job:slow", "--no-wait").exits(0)
        eventually(lambda: place.pull("job:slow", "out.txt") == "second\n", "its output is not taken")

    def test_whoever_looks_takes_no_try_away(self):
        place, gate = self.waiting(then="exit 3", job="retries = 1")
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        eventually(lambda: not place.ask("ps", "--json").exits(0).lines, "it does not end")
        self.assertEqual([run["status"] for run in place.runs()], ["failed"])
        self.assertEqual(place.plan("job:slow")["totals"]["jobs"], 1)
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        eventually(lambda: not place.ask("ps", "--json").exits(0).lines, "it does not end")
        self.assertEqual(place.ask("job:slow", "--json").exits(1).finished["submitted"], 0)
        self.assertEqual([run["status"] for run in place.runs()], ["failed", "failed"])

    def test_its_metrics_are_told_whatever_the_trainfile_is_by_now(self):
        place, gate = self.waiting(then="echo loss=0.5", job='metrics = { loss = "loss=([%d.]+)" }')
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        sound = place.read("TRAINFILE.lua")
        place.append("TRAINFILE.lua", 'job "y" {\n')
        eventually(lambda: not place.ask("ps", "--json").exits(0).lines, "it does not end")
        place.write("TRAINFILE.lua", sound)
        self.assertEqual(place.ask("show", "job:slow", "--json").exits(0).only["metrics"], {"loss": 0.5})

    def test_data_that_lies_elsewhere_by_now_is_not_what_it_was_given(self):
        for by_attach in (True, False):
            place, gate = self.waiting(then='cat "$TRAINMAKE_DATA_DIR/x" >"$TRAINMAKE_LOG_DIR/x"', job='data = { "data:d" }')
            place.write("a/x", "old\n")
            place.write("b/x", "old\n")
            place.append("TRAINFILE.lua", 'data "d" { files = glob "a/**" }\n')
            written_ns = max(place.path(name).stat().st_ctime_ns for name in ("a/x", "b/x"))
            eventually(lambda written_ns=written_ns: time.time_ns() > written_ns + 100_000_000, "time stands still")
            place.ask("job:slow", "--no-wait").exits(0)
            place.replace("TRAINFILE.lua", "a/**", "b/**")
            place.write("a/x", "new\n")
            if by_attach:
                gate.open()
                self.assert_told(place.ask("job:slow").exits(1).err, "changed while the job read it")
            else:
                place.make("data:d")
                gate.open()
                eventually(lambda: not place.ask("ps", "--json").exits(0).lines, "it does not end")
            eventually(lambda place=place: not place.ask("ps", "--json").exits(0).lines and place.plan("job:slow")["totals"]["jobs"] == 1,
                       "what it came to counts as a result")

    def test_one_that_ended_alone_without_its_output_is_no_success(self):
        place, gate = self.waiting(then="rm -rf $TRAINMAKE_OUTPUT_DIR; exit 0")
        place.ask("job:slow", "--no-wait").exits(0)
        gate.open()
        eventually(lambda: not place.ask("ps", "--json").exits(0).lines, "it does not end")
        self.assertEqual([(run["status"], bool(run["reason"])) for run in place.runs()], [("failed", True)])

    def test_logs_of_a_label_are_those_of_its_result(self):
        place = self.tiny()
        place.make("job:train")
        first = place.read("code/train.sh")
        place.write("code/train.sh", "echo something else\n" + first)
        place.make("job:train")
        self.assert_told(place.ask("logs", "job:train").exits(0).out, "something else")
        place.write("code/train.sh", first)
        place.make("job:train")
        self.assertNotIn("something else", place.ask("logs", "job:train").exits(0).out)

    def test_it_outlives_its_client_and_is_taken_up_again(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        going.process.send_signal(signal.SIGKILL)
        going.end()
        self.assertEqual([job["status"] for job in place.ask("ps", "--json").exits(0).lines], ["running"])
        gate.open()
        answer = place.make("job:slow")
        self.assertEqual((answer.finished["submitted"], answer.ran[-1]), (0, "//job:slow"))
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"])

    def test_a_copy_of_the_workspace_lets_it_be(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        copy = self.place(home=place.home)
        subprocess.run(["cp", "-r", f"{place.root}/.", copy.root], check=True)
        copy.ask("job:slow", "--no-wait").exits(0)
        copy.ask("cancel", "job:slow").exits(0)
        gate.open()
        going.end().exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"])
        self.assertEqual([run["status"] for run in copy.runs()], ["cancelled", "lost"])

    def test_code_edited_while_it_runs_does_not_reach_it(self):
        place, gate = self.waiting(then='. ./late.sh\ncp late.sh "$TRAINMAKE_OUTPUT_DIR/late.sh"')
        place.write("code/late.sh", "# before\n")
        going = place.start("job:slow", "--json").until("at the gate")
        place.write("code/late.sh", "# after\n")
        gate.open()
        going.end().exits(0)
        again = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        self.assertIn("//job:slow", again.end().exits(0).ran)

    def test_data_edited_while_it_runs_spoils_its_result(self):
        place, gate = self.waiting(job='data = { "data:d" }', then='cat "$TRAINMAKE_DATA_DIR/d.txt"')
        place.write("d.txt", "one\n")
        place.append("TRAINFILE.lua", 'data "d" { files = { "d.txt" } }\n')
        going = place.start("job:slow", "--json").until("at the gate")
        place.write("d.txt", "two\n")
        gate.open()
        going.end()
        self.assertIn("d.txt", place.runs()[0]["reason"])
        place.write("d.txt", "one\n")
        again = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        self.assertEqual(again.end().exits(0).finished["submitted"], 1)


class Away(Story):
    def test_while_the_folder_of_runs_is_away_nothing_is_lost_or_begun_anew(self):
        place, gate = self.waiting(then='printf x >>"$HERE/starts"')
        place.replace("TRAINFILE.lua", "env = {", f'env = {{ HERE = "{place.root}",')
        going = place.start("job:slow", "--json").until("at the gate")
        place.path(".trainmake/runs").rename(place.path("elsewhere"))
        going.until("will ask again: What runs here is not to be seen")
        self.assertEqual([run["status"] for run in place.ask("ps", "--json").exits(0).lines], ["unknown"])
        gate.open()
        place.path("elsewhere").rename(place.path(".trainmake/runs"))
        going.end().exits(0)
        self.assertEqual((place.read("starts"), len(place.runs())), ("x", 1))

    def test_when_it_is_gone_for_good_that_can_be_said(self):
        place, gate = self.waiting()
        place.ask("job:slow", "--no-wait").exits(0)
        eventually(lambda: "at the gate" in place.ask("logs", "job:slow").out, "it began")
        place.path(".trainmake/runs").rename(place.path("elsewhere"))
        place.path(".trainmake/runs").mkdir()
        self.assertEqual([run["status"] for run in place.ask("runs", "--json").exits(0).lines], ["lost"])
        gate.open()


class SeveralOfALabel(Story):
    """Two runs of one label that go on, as variants do, and which of them its name means."""

    def two(self):
        place, _ = self.waiting(job="params = { lr = 1 }")
        place.start("job:slow", "--json").until("at the gate").interrupt().end()
        self.now(place, 2)
        place.start("job:slow", "--json").until("at the gate").interrupt().end()
        self.addCleanup(lambda: place.ask("cancel", "job:s*"))
        return place, {run["params"]["lr"]: run["run"] for run in place.runs()}

    def now(self, place, lr):
        text = place.read("TRAINFILE.lua")
        place.write("TRAINFILE.lua", re.sub("lr = [0-9]", f"lr = {lr}", text))

    def test_it_is_that_of_the_job_as_it_is_now(self):
        place, runs = self.two()
        self.now(place, 1)
        self.assertEqual(place.ask("logs", "job:slow").exits(0).err, "")
        self.assert_told(place.ask("cancel", "job:slow").exits(0), f"run {runs[1]} of job:slow: cancelled")
        self.assertEqual({run["run"]: run["status"] for run in place.runs()}, {runs[1]: "cancelled", runs[2]: "running"})
        self.now(place, 3)
        self.assert_told(place.ask("cancel", "job:slow").exits(0), f"run {runs[2]} of job:slow: cancelled")

    def test_where_it_is_neither_they_are_listed_and_nothing_is_done(self):
        place, runs = self.two()
        for make_it_neither in (lambda: self.now(place, 3), lambda: place.append("TRAINFILE.lua", "this is no Lua")):
            make_it_neither()
            for command in ("cancel", "attach"):
                self.assert_told(place.ask(command, "job:slow").exits(2), f"2 runs of `job:slow` go on, and none is of the job as its files have it now: `{runs[2]}`, `{runs[1]}`",
                                 "Name one by its id")
            self.assert_told(place.ask("logs", "job:slow").exits(0), f"`{runs[2]}`, `{runs[1]}`; this is the latest")
        self.assertEqual([run["status"] for run in place.runs()], ["running", "running"])
        place.ask("cancel", runs[1]).exits(0)
        place.ask("cancel", "job:slow").exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled", "cancelled"])


class SmallDisks(Story):
    """A job's folder on a disk that it fills."""

    def on_a_small_disk(self, then, words):
        """What `words`, of the shell, come to where the folder of runs is a small disk that the job fills."""
        if os.getuid() != 0:
            self.skipTest("needs root, to have a small disk")
        place, _ = self.waiting(then=then)
        place.replace("code/slow.sh", "echo at the gate\n", 'head -c 3000000 /dev/zero >"$TRAINMAKE_OUTPUT_DIR/big" 2>&-\necho to nobody\necho at the gate\n')
        place.path(".trainmake/runs").mkdir(parents=True)
        script = f"mount -t tmpfs -o size=1500k tmpfs .trainmake/runs && {words.format(tm=BINARY)}"
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=place.root, env=place.env, capture_output=True, text=True, timeout=60, check=False)
        return place, done

    RUNNING = "until {tm} show job:slow 2>/dev/null | grep 'is full: free some room' >&2; do sleep 0.1; done"

    def test_is_told_while_the_job_goes_on_and_its_end_is_not_lost(self):
        _, done = self.on_a_small_disk("exit 3", f"{{tm}} job:slow & {self.RUNNING}; echo >gate; wait $!; echo exit $?")
        self.assert_told(done.stderr, "status    running: the disk of `", "runs/", "job:slow          the disk of `", "what it prints is lost meanwhile",
                         "`job:slow` failed: exit code 3; up to 22 B of its log were lost, as they could not be written")
        self.assertEqual(done.stdout, "exit 1\n")

    def test_a_log_that_was_cut_is_told_with_a_success(self):
        _, done = self.on_a_small_disk('rm "$TRAINMAKE_OUTPUT_DIR/big"', "{tm} job:slow & sleep 0.1; echo >gate; wait $!; {tm} show job:slow")
        self.assert_told(done.stderr, "; up to 22 B of its log were lost")
        self.assert_told(done.stdout, "status     succeeded: up to 22 B of its log were lost")

    def test_a_job_is_cancelled_there(self):
        _, done = self.on_a_small_disk("", f"{{tm}} job:slow --no-wait; {self.RUNNING}; {{tm}} cancel job:slow; echo exit $?")
        self.assert_told(done.stderr, "of job:slow: cancelled\n")
        self.assertEqual(done.stdout, "exit 0\n")


class Leftovers(Story):
    """What a job started and did not wait for, when the job ends or its supervisor is killed."""

    def with_children(self, then='read _ < "$GATE" || true'):
        """A job with a child in its group and one in a session of its own, that says when it finds those of another run. Returns its place and gate."""
        place = self.place({
            "code/child.sh": 'echo $$ >"$HERE/child-$1-$TRAINMAKE_RUN"\nexec sleep 600\n',
            "code/train.sh": f'''
for child in $(cat "$HERE"/child-*); do
  ! grep -q "^State:.[RSDT]" "/proc/$child/status" || echo "$child" >>"$HERE/doubled"
done
sh child.sh near &
setsid sh child.sh far &
until [ -s "$HERE/child-near-$TRAINMAKE_RUN" ] && [ -s "$HERE/child-far-$TRAINMAKE_RUN" ]; do sleep 0.01; done
echo at the gate
{then}
echo done >"$TRAINMAKE_OUTPUT_DIR/out.txt"
'''})
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "train.sh" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "train" {{ image = "image:i", outputs = {{ out = "out.txt" }}, env = {{ HERE = "{place.root}", GATE = "{place.path("gate")}" }} }}
        ''')
        gate = place.gate()
        self.addCleanup(lambda: [os.kill(child, signal.SIGKILL) for child in self.living(place)])
        return place, gate

    def living(self, place):
        """Children of all runs that have not ended."""
        return [int(number) for path in place.root.glob("child-*") if (number := path.read_text().strip()) and lives(number)]

    def kill_supervisor(self, place, run):
        started = place.path(f".trainmake/runs/{run}/started").read_text()
        os.kill(int(started.split()[0]), signal.SIGKILL)
        eventually(lambda: not lives(started.split()[0]), "its supervisor lived on")

    def abandoned(self):
        """A job whose client and supervisor were killed, and whose children go on."""
        place, gate = self.with_children()
        place.start("job:train", "--json").until("at the gate").kill().end()
        (run,) = place.runs()
        self.kill_supervisor(place, run["run"])
        self.assertEqual(len(self.living(place)), 2)
        return place, gate

    def test_they_are_gone_before_the_next_run_starts(self):
        place, gate = self.abandoned()
        again = place.start("job:train", "--json")
        eventually(lambda: len([child for child in place.root.glob("child-*") if child.read_text()]) == 4, "the second run never came")
        self.assertEqual(len(self.living(place)), 2, "those of the second run alone")
        self.assertFalse(place.path("doubled").exists(), "two ran at once")
        gate.open()
        again.end().exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "lost"])

    def test_a_client_that_watches_ends_them(self):
        place, _ = self.with_children()
        going = place.start("job:train", "--json").until("at the gate")
        self.kill_supervisor(place, place.runs()[0]["run"])
        self.assertNotEqual(going.end().code, 0)
        self.assertEqual(self.living(place), [])

    def test_attach_ends_them_and_says_that_it_is_lost(self):
        place, _ = self.abandoned()
        self.assert_told(place.ask("attach", "job:train").exits(1), "lost")
        self.assertEqual(self.living(place), [])

    def test_cancel_ends_them(self):
        place, _ = self.abandoned()
        place.ask("cancel", "job:train").exits(0)
        self.assertEqual(self.living(place), [])
        self.assertEqual(place.ask("ps", "--json").exits(0).lines, [])

    def test_when_only_its_folder_was_removed_they_are_gone_before_the_next_run_starts(self):
        place, gate = self.with_children()
        place.start("job:train", "--json").until("at the gate").kill().end()
        shutil.rmtree(place.path(".trainmake/runs") / place.runs()[0]["run"])
        again = place.start("job:train", "--json")
        eventually(lambda: len([child for child in place.root.glob("child-*") if child.read_text()]) == 4, "the second run never came")
        self.assertEqual(len(self.living(place)), 2, "those of the second run alone")
        self.assertFalse(place.path("doubled").exists(), "two ran at once")
        gate.open()
        again.end().exits(0)
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "lost"])

    def test_cancel_of_one_whose_folder_was_removed_ends_them(self):
        place, _ = self.with_children()
        place.start("job:train", "--json").until("at the gate").kill().end()
        shutil.rmtree(place.path(".trainmake/runs") / place.runs()[0]["run"])
        place.ask("cancel", "job:train").exits(0)
        self.assertEqual(self.living(place), [])

    def test_looking_ends_nothing(self):
        place, _ = self.abandoned()
        for words in (["ps"], ["runs"], ["show", "job:train"], ["logs", "job:train"], ["plan", "job:train"]):
            place.ask(*words).exits(0)
        self.assertEqual(len(self.living(place)), 2)

    def test_cancel_of_one_that_is_watched_over_ends_them(self):
        place, _ = self.with_children()
        place.ask("job:train", "--no-wait").exits(0)
        eventually(lambda: len(self.living(place)) == 2, "its children never came")
        place.ask("cancel", "job:train").exits(0)
        self.assertEqual(self.living(place), [])
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])

    def test_they_end_with_the_job(self):
        place, _ = self.with_children(then="")
        place.make("job:train")
        self.assertEqual(self.living(place), [])


def lives(process):
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class Afterwards(Story):
    def trained(self):
        """Two runs of job:train that differ in one parameter."""
        place = self.tiny()
        place.make("job:train")
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.25")
        place.make("job:train")
        return place

    def test_runs_lists_them_newest_first(self):
        runs = self.trained().runs("//job:train")
        self.assertEqual([run["params"]["rate"] for run in runs], [0.25, 0.5])
        self.assertEqual({run["status"] for run in runs}, {"succeeded"})

    def test_a_metric_is_its_last_match_as_a_number(self):
        self.assertEqual(self.trained().runs("//job:train")[0]["metrics"], {"loss": 0.25})

    def test_show_says_all_of_a_run_by_label_id_or_start_of_it(self):
        place = self.trained()
        newest = place.runs("//job:train")[0]
        for name in ("job:train", newest["run"], newest["run"][:8]):
            shown = place.ask("show", name, "--json").exits(0).only
            self.assertEqual(shown["run"], newest["run"])
        (output,) = shown["outputs"]
        self.assertEqual((output["name"], output["path"], output["bytes"], len(output["sha256"])), ("model", "model.txt", len('aaa\nbbb\n{"momentum": 0.9}\nrate 0.25\n'), 64))

    def test_show_names_the_log_while_it_is_there(self):
        place = self.trained()
        self.assertIn("trainmake logs", place.ask("show", "job:train").exits(0).out)
        place.remove(".trainmake/runs")
        self.assertNotIn("trainmake logs", place.ask("show", "job:train").exits(0).out)

    def test_show_of_a_label_is_the_run_that_it_has_now(self):
        place = self.trained()
        place.replace("TRAINFILE.lua", "rate = 0.25", "rate = 0.5")
        place.make("job:train")
        self.assertEqual(place.ask("show", "job:train", "--json").exits(0).only["params"]["rate"], 0.5)

    def test_diff_names_the_parameter(self):
        place = self.trained()
        newer, older = place.runs("//job:train")
        told = place.ask("diff", older["run"], newer["run"]).exits(0).out
        self.assert_told(told, "rate", "0.5", "0.25")
        self.assertNotIn("letters", told)

    def test_diff_names_the_file(self):
        place = self.trained()
        place.write("data/solver.json", "{}\n")
        place.make("job:train")
        newer, older, _ = place.runs("//job:train")
        self.assert_told(place.ask("diff", older["run"], newer["run"]).exits(0).out, "solver")

    def test_pull_writes_the_outputs(self):
        place = self.trained()
        place.ask("pull", "job:train", "--to", "out").exits(0)
        self.assertEqual(place.files_below("out"), ["model.txt"])
        self.assertIn("rate 0.25", place.read("out/model.txt"))

    def test_pull_replaces_outputs_and_nothing_else(self):
        place = self.tiny()
        place.make("job:train")
        place.ask("pull", "job:train").exits(0)
        pulled = place.read("train/model.txt")
        place.append("data/a.txt", "more\n")
        place.make("job:train")
        place.ask("pull", "job:train").exits(0)
        self.assertNotEqual(place.read("train/model.txt"), pulled)
        place.write("train/model.txt", "precious\n")
        self.assert_told(place.ask("pull", "job:train").exits(2).err, "train/model.txt", "--to", "--overwrite")
        self.assertEqual(place.read("train/model.txt"), "precious\n")
        place.ask("pull", "job:train", "--overwrite").exits(0)
        self.assertNotEqual(place.read("train/model.txt"), "precious\n")

    def test_a_label_whose_latest_run_failed_says_so(self):
        place = self.tiny()
        place.make("job:train")
        self.assertEqual(place.ask("show", "job:train").exits(0).err, "")
        place.write("code/train.sh", "exit 3\n")
        place.ask("job:train").exits(1)
        failed, good = [run["run"] for run in place.runs() if run["label"] == "//job:train"]
        self.assert_told(place.ask("show", "job:train").exits(0).err, good, failed, "is failed")
        self.assert_told(place.ask("pull", "job:train", "--to", "out").exits(0).err, good, failed)

    def test_pull_of_an_earlier_run(self):
        place = self.trained()
        place.ask("pull", place.runs("//job:train")[1]["run"], "--to", "out").exits(0)
        self.assertIn("rate 0.5", place.read("out/model.txt"))

    def test_pull_of_what_never_ran_says_what_to_do(self):
        self.assert_told(self.tiny().ask("pull", "job:train").exits(2), "trainmake plan job:train")

    def test_logs_of_a_run_that_is_over(self):
        place = self.trained()
        self.assertEqual(place.ask("logs", "job:train").exits(0).out, "loss=0.75\nloss=0.25\n")

    def test_an_unknown_run_is_a_usage_error(self):
        for command in ("show", "logs", "pull", "cancel", "attach"):
            self.trained().ask(command, "ffffffffffff").exits(2)

    def test_a_sweep_runs_side_by_side_each_once(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", '''for i = 1, 12 do job("s" .. i) {
          image = "image:tiny", data = { "data:letters", "data:solver" }, args = { solver = data_dir "solver.json" }, params = { rate = i }, outputs = { model = "model.txt" } } end
        ''')
        answer = place.make("-j4", "//job:s*")
        self.assertEqual(answer.finished["submitted"], 12)
        self.assertIn("rate 7\n", place.pull("job:s7", "model.txt"))
        self.assertEqual(place.make("//job:s*").ran, [])


class Secrets(Story):
    SECRET = "hunter2-Zq81"

    def test_a_secret_reaches_the_job_and_nothing_else(self):
        place = self.place({
            "code/s.sh": 'echo "token $TOKEN"\nprintf %s "$TOKEN" | wc -c >"$TRAINMAKE_OUTPUT_DIR/length.txt"\n',
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "s.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             'job "j" { image = "image:i", secrets = { "TOKEN" }, outputs = { length = "length.txt" } }\n'})
        told = [place.ask("job:j", "--json", "--trace", "trace.json", env={"TOKEN": self.SECRET}).exits(0)]
        told += [place.ask(*words, env={"TOKEN": self.SECRET}) for words in (["logs", "job:j"], ["show", "job:j"], ["show", "job:j", "--json"], ["query", "job:j", "--json"], ["runs"])]
        for answer in told:
            self.assertNotIn(self.SECRET, answer.text)
        self.assertEqual(place.pull("job:j", "length.txt").strip(), str(len(self.SECRET)))
        for top in (place.root, place.home):
            for path in top.rglob("*"):
                if path.is_file():
                    self.assertNotIn(self.SECRET.encode(), path.read_bytes(), str(path))

    def test_one_of_several_lines_is_hidden_whole_and_by_its_lines(self):
        place = self.tiny()
        place.write("code/train.sh", 'echo "key: $TOKEN"\necho "$TOKEN" | sed -n 2p\necho "$TOKEN" | head -n 2 >&2\necho "loss=1" >&2\nexit 3\n')
        place.write("TRAINFILE.lua", 'code "c" { srcs = glob "code/**", main = "train.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                    'job "j" { image = "image:i", secrets = { "TOKEN" }, metrics = { loss = "loss=([%d.]+)" } }\n')
        key = {"TOKEN": "-----BEGIN KEY-----\nMIIEabc\nA==\n"}
        failed = place.ask("job:j", env=key).exits(1)
        logs = place.ask("logs", "job:j").exits(0)
        self.assertEqual(sorted(logs.out.splitlines()), ["", "***", "***", "***", "key: ***", "loss=1"])
        for answer in (failed, logs, place.ask("job:j", "--json", env=key).exits(1)):
            for line in key["TOKEN"].splitlines()[:2]:
                self.assertNotIn(line, answer.text)

    def test_an_error_does_not_tell_it_either(self):
        place = self.tiny()
        for broken in ('image = "image:" .. t', 'image = "image:tiny", data = { "data:" .. t }', 'image = "image:tiny", timeout = t'):
            place.write("TRAINFILE.lua", f'local t = env("TOKEN", "")\njob "x" {{ secrets = {{ "TOKEN" }}, {broken} }}\n')
            for words in (["job:x"], ["plan", "job:x"], ["job:x", "--json"], ["query", "//...", "--json"]):
                answer = place.ask(*words, env={"TOKEN": self.SECRET}).exits(2)
                self.assertNotIn(self.SECRET, answer.text, words)
                self.assertIn("***", answer.text, words)
        place.write("TRAINFILE.lua", 'local t = env("TOKEN", "")\ndata "d" { files = { "data/" .. t } }\njob "x" { image = "image:i", secrets = { "TOKEN" } }\n'
                    'code "c" { srcs = glob "code/**" }\nimage "i" { code = "code:c", base = "scratch" }\n')
        for words in (["//..."], ["plan", "//..."], ["//...", "--json"]):
            answer = place.ask(*words, env={"TOKEN": self.SECRET}).exits(2)
            self.assertNotIn(self.SECRET, answer.text, words)
            self.assertIn("data/***", answer.text, words)

    def test_another_value_is_no_edit(self):
        place = self.tiny()
        place.replace("TRAINFILE.lua", "metrics = {", 'secrets = { "TOKEN" }, metrics = {')
        place.make("job:train", env={"TOKEN": "one"})
        self.assert_nothing_ran(place.make("job:train", env={"TOKEN": "two"}))

    def test_a_missing_secret_is_told_before_anything_runs(self):
        place = self.tiny()
        place.replace("TRAINFILE.lua", "metrics = {", 'secrets = { "TOKEN" }, metrics = {')
        answer = place.ask("job:train")
        self.assertNotEqual(answer.code, 0)
        self.assert_told(answer, "TOKEN")
        self.assertEqual(place.runs("//job:train"), [])
