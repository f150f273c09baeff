"""Ctrl-C and kill -9: what was done stays done, a job goes on, and no record is wrong."""

import os
import random
import signal
import time

from story import EVERYTHING, Story


class Interrupt(Story):
    def counted(self):
        """tiny, with a job:train that adds a line to `starts` each time it really starts, and enough data to be interrupted at."""
        place = self.tiny(**{f"data/n{number}.txt": f"{number}\n" * 20 for number in range(30)})
        place.write("code/train.sh", 'echo started >>"$STARTS"\n' + place.read("code/train.sh"))
        place.replace("TRAINFILE.lua", "metrics = {", f'env = {{ STARTS = "{place.path("starts")}" }}, metrics = {{')
        return place

    def check_whole(self, place):
        """The next run completes: one job in all, and afterwards there is nothing to do."""
        place.make("job:eval")
        self.assertEqual(place.read("starts"), "started\n")
        runs = place.runs("//job:train")
        self.assertEqual([run["status"] for run in runs], ["succeeded"])
        self.assertEqual(place.make("job:eval").ran, [])

    def moments(self, count):
        """Moments over the length of a whole run on this machine."""
        place = self.counted()
        began = time.monotonic()
        place.make("job:eval")
        length = time.monotonic() - began
        place.close()
        dice = random.Random(3)
        return [dice.uniform(0.001, length) for _ in range(count)]

    def strike(self, signal_number, moment):
        place = self.counted()
        going = place.start("job:eval")
        try:
            going.process.wait(timeout=moment)
        except Exception:  # it still runs, as wanted
            os.killpg(going.process.pid, signal_number)
        answer = going.end()
        return place, answer

    def test_ctrl_c_at_any_moment_then_on(self):
        for moment in self.moments(12):
            with self.subTest(moment=moment):
                place, answer = self.strike(signal.SIGINT, moment)
                self.assertIn(answer.code, (0, 130), str(answer))
                self.check_whole(place)
                place.close()

    def test_kill_at_any_moment_then_on(self):
        for moment in self.moments(12):
            with self.subTest(moment=moment):
                place, _ = self.strike(signal.SIGKILL, moment)
                self.check_whole(place)
                place.close()

    def test_ctrl_c_leaves_a_job_running_and_says_how_to_come_back(self):
        place, gate = self.waiting()
        answer = place.start("job:slow", "--json").until("at the gate").interrupt().end().exits(130)
        self.assertEqual(answer.labels("detached"), ["//job:slow"])
        self.assert_told(answer, "trainmake attach job:slow")
        self.assertEqual([job["status"] for job in place.ask("ps", "--json").exits(0).lines], ["running"])
        gate.open()
        self.assertEqual(place.make("job:slow").finished["submitted"], 0)

    def test_the_run_after_a_detached_one_waits_for_its_job(self):
        place, gate = self.waiting()
        place.start("job:slow", "--json").until("at the gate").interrupt().end()
        again = place.start("job:slow", "--json").until("started")
        gate.open()
        answer = again.end().exits(0)
        self.assertIn("//job:slow", answer.ran)
        self.assertEqual(answer.finished["submitted"], 0)

    def test_plan_and_why_know_of_a_job_in_flight(self):
        place, gate = self.waiting()
        self.assertEqual(place.plan("job:slow")["steps"][-1]["in_flight"], None)
        place.ask("job:slow", "--no-wait", "--json").exits(0)
        run = place.runs()[0]["run"]
        plan = place.plan("job:slow")
        self.assertEqual((plan["steps"][-1]["in_flight"], plan["totals"]["run"], plan["totals"]["jobs"]), (run, 1, 0))
        self.assert_told(place.ask("plan", "job:slow").exits(0).out, f"in flight as run {run}", "0 jobs")
        self.assert_told(place.ask("why", "job:slow").exits(0).out, f"in flight as run {run}")
        gate.open()
        self.assertEqual(place.make("job:slow").cost[2], 0)
        self.assertEqual(place.plan("job:slow")["steps"][-1]["in_flight"], None)

    def test_term_detaches_too(self):
        place, gate = self.waiting()
        going = place.start("job:slow", "--json").until("at the gate")
        going.process.terminate()
        self.assertNotEqual(going.end().code, 0)
        gate.open()
        self.assertEqual(place.make("job:slow").finished["submitted"], 0)

    def test_what_was_done_before_is_not_done_again(self):
        place = self.counted()
        going = place.start("job:eval", "--json").until('"//job:train"')
        going.interrupt().end()
        place.make("job:eval")
        answer = place.make("job:eval")
        self.assertEqual(answer.labels("up_to_date"), EVERYTHING)
        self.assertEqual(place.read("starts"), "started\n")
