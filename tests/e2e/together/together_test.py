"""Two trainmakes in one workspace."""

import os
import signal

from story import Story


class Together(Story):
    def test_the_second_waits_and_finds_it_done(self):
        place, gate = self.waiting()
        first = place.start("job:slow", "--json").until("at the gate")
        second = place.start("job:slow", "--json")
        gate.open()
        first.end().exits(0)
        answer = second.end().exits(0)
        self.assertEqual(answer.finished["submitted"], 0)
        self.assertEqual(len(place.runs()), 1)

    def test_both_tell_how_it_ended_when_it_failed(self):
        place, gate = self.waiting(then='echo x >>"$GATE.starts"\nexit 3')
        clients = [place.start("job:slow", "--json") for _ in range(2)]
        gate.open()
        for client in clients:
            self.assert_told(client.end().exits(1), "exit code 3")
        self.assertEqual(place.read("gate.starts"), "x\n")
        self.assertEqual([run["status"] for run in place.runs()], ["failed"])

    def after(self):
        """`job:after` of `job:slow`, which waits at the gate with a rate of 5."""
        place, gate = self.waiting(job="params = { lr = 5 }")
        place.write("code/slow.sh", 'echo at the gate\n[ "$2" != 5 ] || read _ <"$GATE" || true\necho "$2" >"$TRAINMAKE_OUTPUT_DIR/out.txt"\n')
        place.append("TRAINFILE.lua", 'job "after" { image = "image:slow", command = { "sh", "-c", "cp $TRAINMAKE_DATA_DIR/m/out.txt $TRAINMAKE_OUTPUT_DIR/r" },'
                                      ' data = { m = "job:slow" }, outputs = { r = "r" } }\n')
        return place, gate

    def test_what_comes_after_is_that_of_whoever_asked_last(self):
        place, gate = self.after()
        first = place.start("job:after", "--json").until("at the gate")
        place.replace("TRAINFILE.lua", "lr = 5", "lr = 6")
        place.make("job:after")
        gate.open()
        first.end().exits(0)
        self.assertEqual(place.pull("job:after", "r"), "6\n")
        self.assert_nothing_ran(place.make("job:after"))
        place.replace("TRAINFILE.lua", "lr = 6", "lr = 5")
        self.assertEqual(place.make("job:after").labels("reused"), ["//job:after", "//job:slow"])

    def test_of_two_that_asked_for_the_same_the_later_one_counts(self):
        place, gate = self.after()
        first = place.start("job:slow", "--json").until("at the gate")
        place.replace("TRAINFILE.lua", "lr = 5", "lr = 6")
        place.make("job:slow")
        place.replace("TRAINFILE.lua", "lr = 6", "lr = 5")
        last = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        for each in (first, last):
            each.end().exits(0)
        self.assertEqual(place.pull("job:slow", "out.txt"), "5\n")

    def test_with_no_wait_the_second_leaves_with_4(self):
        place, gate = self.waiting()
        first = place.start("job:slow", "--json").until("at the gate")
        self.assert_told(place.ask("job:slow", "--no-wait").exits(4), "trainmake")
        gate.open()
        first.end().exits(0)

    def test_one_that_was_killed_is_in_nobodys_way(self):
        place, gate = self.waiting()
        place.start("job:slow", "--json").until("at the gate").kill().end()
        gate.open()
        place.make("job:slow")

    def test_one_that_tries_again_comes_after_the_end_that_the_first_has_yet_to_remember(self):
        place, gate = self.waiting(then='echo x >>"$GATE.starts"')
        first = place.start("job:slow", "--json").until("at the gate")
        os.kill(first.process.pid, signal.SIGSTOP)
        self.assert_told(place.ask("cancel", "job:slow").exits(0), "cancelled; the trainmake that watches it remembers that")
        second = place.start("job:slow", "--retry", "--json").until("waits for another trainmake")
        os.kill(first.process.pid, signal.SIGCONT)
        self.assert_told(first.end().exits(1).messages, "was cancelled")
        second.until("at the gate")
        gate.open()
        self.assertEqual(second.end().exits(0).finished["submitted"], 1)
        self.assertEqual(place.read("gate.starts"), "x\n")
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "cancelled"])

    def test_one_that_tries_again_attaches_to_what_goes_on(self):
        place, gate = self.waiting(then="exit 3")
        first = place.start("job:slow", "--json").until("at the gate")
        second = place.start("job:slow", "--retry", "--json").until("at the gate")
        gate.open()
        for client in (first, second):
            self.assert_told(client.end().exits(1), "exit code 3")
        self.assertEqual(len(place.runs()), 1)

    def test_many_at_once_start_the_job_once(self):
        place = self.tiny(**{"code/train.sh": 'echo x >>"$STARTS"\necho y >"$TRAINMAKE_OUTPUT_DIR/model.txt"\n'})
        place.replace("TRAINFILE.lua", "metrics = {", f'env = {{ STARTS = "{place.path("starts")}" }}, metrics = {{')
        answers = [going.end() for going in [place.start("job:train", "--json") for _ in range(6)]]
        self.assertEqual({answer.code for answer in answers}, {0}, "\n".join(map(str, answers)))
        self.assertEqual(place.read("starts"), "x\n")
        self.assertEqual(sum(answer.finished["submitted"] for answer in answers), 1)

    def test_another_job_of_the_label_is_submitted_beside_it(self):
        place, gate = self.waiting()
        first = place.start("job:slow", "--json").until("at the gate")
        place.replace("TRAINFILE.lua", f'GATE = "{gate.path}"', f'GATE = "{place.path("other")}"')
        place.write("other", "")
        beside = place.ask("job:slow", "--json", "--no-wait").exits(0)
        self.assertNotIn("waits for another", beside.text)
        self.assertEqual(beside.finished["submitted"], 1)
        place.make("job:slow")
        later, earlier = [run["run"] for run in place.runs()]
        gate.open()
        first.end().exits(0)
        self.assertEqual({run["status"] for run in place.runs()}, {"succeeded"})
        self.assertEqual(place.ask("show", "job:slow", "--json").exits(0).only["run"], later, "the one asked for later")
        self.assertNotEqual(later, earlier)
        self.assertEqual(place.make("job:slow").finished["submitted"], 0)

    def test_of_two_of_a_label_each_is_named_by_its_run(self):
        place, gate = self.waiting()
        first = place.start("job:slow", "--json").until("at the gate")
        other = place.gate("other")
        place.replace("TRAINFILE.lua", f'GATE = "{gate.path}"', f'GATE = "{other.path}"')
        place.ask("job:slow", "--no-wait").exits(0)
        second, earlier = [run["run"] for run in place.runs()]
        self.assert_told(first.interrupt().end().exits(130), f"`trainmake attach {earlier}` comes back to it")
        gate.open()
        other.open()
        for run in (earlier, second):
            place.ask("attach", run).exits(0)
        self.assertEqual(place.ask("show", "job:slow", "--json").exits(0).only["run"], second)
