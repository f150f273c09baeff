"""`resume = true`: a run goes on from the checkpoint that the last one left, however that ended."""

import contextlib
import os
import signal
import sqlite3

from story import Story

# Counts to `--epochs`, from where it was, and ends as it is told when it is at 2.
COUNT = '''
at=$(cat "$TRAINMAKE_CHECKPOINT_DIR/step" || echo 0)
echo "$at" >"$TRAINMAKE_OUTPUT_DIR/from.txt"
while [ "$at" -lt "$2" ]; do
  at=$((at + 1))
  echo "$at" >"$TRAINMAKE_CHECKPOINT_DIR/step"
  echo "at $at"
  [ "$at" != 2 ] || eval "${AT_TWO:-true}"
done
'''


class Resume(Story):
    def counting(self, more="", job=""):
        return self.place({
            "code/count.sh": COUNT,
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "count.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             f'job "j" {{ image = "image:i", params = {{ epochs = 2 }}, outputs = {{ from = "from.txt" }}, resume = true, {job} }}\n', **({"TRAINSPACE.lua": more} if more else {})})

    def epochs(self, place, before, now):
        place.replace("TRAINFILE.lua", f"epochs = {before}", f"epochs = {now}")

    def began_at(self, place, run=0):
        return place.pull(place.runs()[run]["run"], "from.txt").strip()

    def test_a_longer_one_goes_on_where_the_last_ended(self):
        place = self.counting()
        place.make("job:j")
        self.epochs(place, 2, 5)
        self.assert_told(place.ask("job:j").exits(0), f"Goes on from the checkpoint of run {place.runs()[1]['run']}")
        self.assertEqual(self.began_at(place), "2")
        self.assertEqual(place.make("job:j").ran, [])
        self.epochs(place, 5, 2)
        self.assertEqual(place.make("job:j").labels("reused"), ["//job:j"])
        self.assertEqual(len(place.runs()), 2)

    def test_the_last_one_is_that_whatever_the_clock_says(self):
        place = self.counting()
        place.make("job:j")
        with contextlib.closing(sqlite3.connect(place.path(".trainmake/state.db"))) as state, state:
            state.execute("UPDATE runs SET created_ns = created_ns + 3600 * 1000000000")  # it was set back since
        for before, now in ((2, 3), (3, 4)):
            self.epochs(place, before, now)
            place.make("job:j")
            self.assertEqual(self.began_at(place), str(before))

    def test_what_a_forgotten_run_left_is_put_aside(self):
        place = self.counting(job='env = { AT_TWO = "exit 3" }')
        place.ask("job:j").exits(1)
        for path in place.path(".trainmake").glob("state.db*"):
            path.unlink()
        place.ask("job:j").exits(1)
        (run,) = place.runs()
        self.assertEqual(place.read(f".trainmake/runs/{run['run']}/output/from.txt"), "0\n")
        self.assertEqual(place.read(f".trainmake/checkpoints/run-{run['run']}.earlier/step"), "2\n")

    def test_each_file_of_it_is_kept_whatever_it_is_called(self):
        place = self.counting(job='env = { AT_TWO = "mkdir -p $TRAINMAKE_CHECKPOINT_DIR/.git; echo ref >$TRAINMAKE_CHECKPOINT_DIR/.git/HEAD" }')
        place.make("job:j")
        place.replace("TRAINFILE.lua", "mkdir -p $TRAINMAKE_CHECKPOINT_DIR/.git; echo ref >$TRAINMAKE_CHECKPOINT_DIR/.git/HEAD", "cat $TRAINMAKE_CHECKPOINT_DIR/.git/HEAD")
        self.epochs(place, 2, 3)
        place.ask("job:j").exits(0)
        self.assertEqual(place.ask("show", "job:j", "--json").exits(0).only["provenance"]["resumed"]["files"], 2)

    def test_whatever_the_last_one_came_to(self):
        for end, code in (("exit 3", 1), ("kill -9 $$", 1), ("exec sleep 60", 1)):
            with self.subTest(end=end):
                place = self.counting(job=f'timeout = 3, env = {{ AT_TWO = "{end}" }}')
                self.epochs(place, 2, 4)
                place.ask("job:j").exits(code)
                place.ask("job:j").exits(1)  # which is not tried again
                place.ask("job:j", "--retry").exits(0)
                self.assertEqual((self.began_at(place), [run["status"] for run in place.runs()]), ("2", ["succeeded", "failed"]))

    def test_one_that_was_cancelled_or_lost(self):
        for how in ("cancel", "kill"):
            with self.subTest(how=how):
                place = self.counting(job='env = { AT_TWO = "exec sleep 60" }')
                self.epochs(place, 2, 4)
                going = place.start("job:j", "--json").until("at 2")
                if how == "cancel":
                    going.interrupt().end()
                    place.ask("cancel", "job:j").exits(0)
                else:
                    os.kill(int(place.read(f".trainmake/runs/{place.runs()[0]['run']}/started").split()[0]), signal.SIGKILL)
                    self.assert_told(going.end().exits(1).messages, "was lost")
                place.ask("job:j", "--retry").exits(0)
                self.assertEqual(self.began_at(place), "2")

    def test_after_gc(self):
        place = self.counting()
        place.make("job:j")
        place.ask("gc").exits(0)
        place.remove(".trainmake/checkpoints")
        self.epochs(place, 2, 5)
        place.make("job:j")
        self.assertEqual(self.began_at(place), "2")

    def test_show_tells_it_and_repro_begins_there_again(self):
        place = self.counting()
        place.make("job:j")
        self.epochs(place, 2, 5)
        place.make("job:j")
        self.epochs(place, 5, 7)
        place.make("job:j")
        third, second, first = [run["run"] for run in place.runs()]
        told = place.ask("show", second).exits(0).out
        self.assert_told(told, f"from run {first}: 1 file, 2 B")
        self.assertEqual(place.ask("show", second, "--json").exits(0).only["provenance"]["resumed"]["run"], first)
        self.assertTrue(place.ask("repro", second, "--json").exits(0).lines[-1]["same"])
        self.assertEqual(self.began_at(place), "2")
        self.epochs(place, 7, 9)
        place.make("job:j")
        self.assert_told(place.ask("show", place.runs()[0]["run"]).exits(0).out, f"from run {third}")
        self.assertEqual(self.began_at(place), "7")

    def test_asked_for_again_it_goes_on_and_without_it_begins_anew(self):
        place = self.counting()
        place.make("job:j")
        place.make("job:j", "--force")
        self.assertEqual(self.began_at(place), "2")
        place.replace("TRAINFILE.lua", "resume = true", "resume = false")
        place.make("job:j")
        self.assertEqual(self.began_at(place), "0")

    def test_under_a_contract_it_lies_where_that_has_it(self):
        place = self.counting()
        place.make("job:j")
        place.write("code/count.sh", 'for word; do case $word in --output_dir=*) out=${word#*=} ;; esac; done\ncp "$out/checkpoint/step" "$out/from.txt"\n')
        place.ask("run", "--local", "--contract", "uai", "job:j").exits(0)
        self.assertEqual(self.began_at(place), "2")
