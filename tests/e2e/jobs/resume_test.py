"""`resume = true`: a run goes on from the checkpoint that the last one left, however that ended. Without it, another attempt at the same does."""

import contextlib
import os
import signal
import sqlite3
import subprocess

from story import BINARY, Story

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


# Goes on by a text and a link that name its model in full.
BY_PATHS = '''
cd "$TRAINMAKE_CHECKPOINT_DIR" || exit 1
model=$(cat checkpoint 2>/dev/null || echo "$PWD/model")
[ ! -e last ] || cmp -s "$model" last || echo "last is no link to it"
echo "$TRAINMAKE_RUN" >>"$model"
echo "$model" >checkpoint
ln -sfn "$PWD/model" last
while [ -n "$GATE" ] && [ ! -e "$GATE" ]; do echo waits; sleep 0.05; done
ln -s "$PWD/last" "$TRAINMAKE_OUTPUT_DIR/model"
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

    def test_the_newest_file_is_found_by_its_time(self):
        place = self.place({"code/train.sh": """
                cd "$TRAINMAKE_CHECKPOINT_DIR" || exit 1
                newest=$(ls -t | head -n 1)
                echo "newest ${newest:-none}, $(ls | wc -l) there"
                if [ -z "$newest" ]; then mkdir plots; touch -d 2001-02-03 step-9 plots; touch -d 2002-02-03 step-10; touch -d 2003-02-03 a; fi
                """,
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "train.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             'job "j" { image = "image:i", params = { n = 1 }, resume = true }\n'})
        self.assert_told(place.ask("job:j").exits(0), "newest none, 0 there")
        place.ask("gc").exits(0)
        place.replace("TRAINFILE.lua", "n = 1", "n = 2")
        self.assert_told(place.ask("job:j").exits(0), "newest a, 4 there", "(3 files, ")
        place.replace("TRAINFILE.lua", "n = 2", "n = 3")
        self.assert_told(place.ask("job:j").exits(0), "newest a, 4 there")

    def by_paths(self, job=""):
        return self.place({"code/train.sh": BY_PATHS, "TRAINFILE.lua": f'''
            code "c" {{ srcs = glob "code/**", main = "train.sh" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "j" {{ image = "image:i", resume = true, params = {{ n = 1 }}, outputs = {{ model = "model" }}, {job} }}
        '''})

    def test_absolute_paths_in_it_lead_to_the_runs_own(self):
        place = self.by_paths()
        place.make("job:j")
        place.replace("TRAINFILE.lua", "n = 1", "n = 2")
        self.assertNotIn("last is no link", place.ask("job:j").exits(0).text)
        second, first = (run["run"] for run in place.runs())
        self.assertEqual(place.read(f".trainmake/runs/{first}/checkpoint/model"), f"{first}\n")
        self.assertEqual(place.read(f".trainmake/runs/{second}/checkpoint/model"), f"{first}\n{second}\n")
        self.assertEqual(place.pull("job:j", "model"), f"{first}\n{second}\n")
        self.assertEqual(os.listdir(place.path(".trainmake/checkpoint")), ["README"])

    def test_two_at_once_do_not_meet(self):
        place = self.by_paths()
        place.make("job:j")
        place.replace("TRAINFILE.lua", "n = 1", f'n = 2 }}, env = {{ GATE = "{place.path("gate")}"')
        going = place.start("job:j", "--json").until("waits")
        second, first = (run["run"] for run in place.runs())
        going.kill().end()  # the job goes on
        place.ask("repro", first).exits(0)
        place.write("gate", "")
        place.make("job:j")
        self.assertEqual(place.pull(second, "model"), f"{first}\n{second}\n")
        (again,) = (run["run"] for run in place.runs() if run["run"] not in (first, second))
        self.assertEqual(place.read(f".trainmake/runs/{again}/checkpoint/model"), f"{again}\n")

    def where_nobody_may_mount(self, place, *words):
        limits = "for kind in mnt user; do echo 0 >/proc/sys/user/max_${kind}_namespaces || exit 99; done"
        done = subprocess.run(["unshare", "--user", "--map-root-user", "sh", "-c", f'{limits}; exec "$@"', "sh", BINARY, *words],
                              cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        if done.returncode == 99 or "unshare: " in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def test_where_nobody_may_mount_a_text_that_names_an_earlier_run_is_told(self):
        place = self.by_paths()
        self.assertNotIn("earlier run", self.where_nobody_may_mount(place, "job:j"))
        place.replace("TRAINFILE.lua", "n = 1", "n = 2")
        (first,) = (run["run"] for run in place.runs())
        os.rename(place.path(f".trainmake/runs/{first}/checkpoint"), place.path(f".trainmake/checkpoints/run-{first}"))  # as a failed one has it
        self.assert_told(self.where_nobody_may_mount(place, "job:j"), "In it `checkpoint` names the checkpoint folder of an earlier run: ", "Let it save paths relative to its checkpoint folder")
        link = place.path(f".trainmake/runs/{place.runs()[0]['run']}/checkpoint/last")
        self.assertTrue(os.path.isabs(os.readlink(link)), "as the job made it")
        place.write("code/train.sh", 'cd "$TRAINMAKE_CHECKPOINT_DIR" && readlink last && ln -s "$PWD/last" "$TRAINMAKE_OUTPUT_DIR/model"\n')
        self.assert_told(self.where_nobody_may_mount(place, "job:j"), "| model")

    def test_the_last_one_is_that_whatever_the_clock_says(self):
        place = self.counting()
        place.make("job:j")
        with contextlib.closing(sqlite3.connect(place.path(".trainmake/state.db"))) as state, state:
            state.execute("UPDATE runs SET created_ns = created_ns + 3600 * 1000000000")  # it was set back since
        for before, now in ((2, 3), (3, 4)):
            self.epochs(place, before, now)
            place.make("job:j")
            self.assertEqual(self.began_at(place), str(before))

    def in_vain(self, job="", code=1):
        """Its first attempt fails at 2; does not say `resume`."""
        place = self.counting(job=f'env = {{ AT_TWO = "exit 3" }}, {job}')
        place.replace("TRAINFILE.lua", "resume = true", "resume = false")
        self.epochs(place, 2, 4)
        place.ask("job:j").exits(code)
        return place

    def remove_blob(self, place, digest):
        (blob,) = [path for path in place.path(".trainmake/blobs").rglob("*") if path.is_file() and digest.endswith(path.name)]
        blob.unlink()

    def test_what_a_forgotten_run_left_is_put_aside(self):
        for resume in ("true", "false"):
            with self.subTest(resume=resume):
                place = self.counting(job='env = { AT_TWO = "exit 3" }')
                place.replace("TRAINFILE.lua", "resume = true", f"resume = {resume}")
                place.ask("job:j").exits(1)
                for path in place.path(".trainmake").glob("state.db*"):
                    path.unlink()
                place.ask("job:j").exits(1)
                (run,) = place.runs()
                self.assertEqual(place.read(f".trainmake/runs/{run['run']}/output/from.txt"), "0\n")
                self.assertEqual(place.read(f".trainmake/checkpoints/run-{run['run']}.earlier/step"), "2\n")

    def test_another_attempt_goes_on_and_is_repeated_from_the_same(self):
        place = self.in_vain()
        first = place.runs()[0]["run"]
        self.assert_told(place.ask("job:j", "--retry").exits(0), f"Goes on from the checkpoint of run {first} (1 file, 2 B)")
        second = place.runs()[0]["run"]
        self.assertEqual(self.began_at(place), "2")
        self.assert_told(place.ask("show", second).exits(0).out, f"from run {first}: 1 file, 2 B")
        self.assertEqual(place.ask("diff", first, second).exits(0).out.splitlines()[-1], f"Explained by the checkpoint of run {first} alone")
        self.assert_told(place.ask("why", second).exits(0).out, f"tried again after {first}, which failed, with nothing changed but its checkpoint: none → that of run {first} (1 file, 2 B)")
        place.ask("gc").exits(0)
        place.remove(".trainmake/checkpoints")
        self.assertTrue(place.ask("repro", second, "--json").exits(0).lines[-1]["same"])
        self.assertEqual(self.began_at(place), "2")
        place.ask("job:j", "--force").exits(1)  # which comes after a success
        self.assertIsNone(place.ask("show", place.runs()[0]["run"], "--json").exits(0).only["resumed"])

    def test_attempts_that_are_made_at_once_go_on_too(self):
        place = self.in_vain("retries = 1", code=0)
        second, first = [run["run"] for run in place.runs()]
        self.assertEqual(place.ask("show", second, "--json").exits(0).only["resumed"]["run"], first)

    def test_what_an_attempt_left_is_there_after_gc(self):
        place = self.in_vain()
        place.ask("gc").exits(0)
        place.ask("job:j", "--retry").exits(0)
        self.assertEqual(self.began_at(place), "2")

    def test_a_folder_that_is_gone_is_told(self):
        place = self.in_vain()
        first = place.runs()[0]["run"]
        place.remove(".trainmake/checkpoints")
        told = place.ask("job:j", "--retry").exits(1)
        self.assert_told(told, f"Nothing goes on from run {first}: its checkpoint folder `", "is not there any more")
        self.assertNotIn("Goes on from", str(told))

    def test_without_its_checkpoint_nothing_is_repeated(self):
        place = self.in_vain()
        place.ask("job:j", "--retry").exits(0)
        second, first = [run["run"] for run in place.runs()]
        self.remove_blob(place, place.ask("show", second, "--json").exits(0).only["resumed"]["sha256"])
        self.assert_told(place.ask("repro", second).exits(1), f"The checkpoint of run `{first}`, from which run `{second}` went on, is no longer in the cache", "`trainmake job:j --force`")
        self.assertEqual(len(place.runs()), 2)

    def test_diff_and_why_name_the_checkpoint(self):
        place = self.counting(job='metrics = { at = "at (%d+)" }')
        self.assertEqual(place.ask("why", "job:j", "--json").exits(0).only["checkpoint"], None)
        place.make("job:j")
        self.epochs(place, 2, 5)
        first = place.runs()[0]["run"]
        self.assert_told(place.ask("why", "job:j").exits(0).out, f"will go on from the checkpoint of run {first} (1 file, 2 B)")
        place.make("job:j")
        second = place.runs()[0]["run"]
        told = place.ask("diff", first, second).exits(0).out
        self.assert_told(told, f"none → that of run {first} (1 file, 2 B)")
        self.assertEqual(told.splitlines()[-1], f"Explained by one of the checkpoint of run {first}, `params.epochs`, or by several of them together")
        told = place.ask("diff", first, second, "--json").exits(0).only
        self.assertEqual((told["explained_by"], told["checkpoint"]["from"], told["checkpoint"]["to"]["run"]), (["checkpoint", "params.epochs"], None, first))
        self.assert_told(place.ask("why", second).exits(0).out, f"the checkpoint of run {first}")
        self.assertEqual(place.ask("why", second, "--json").exits(0).only["checkpoint"]["to"]["files"], 1)
        self.assert_told(place.ask("why", "job:j").exits(0).out, f"run {second} went on from the checkpoint of run {first}")
        place.make("job:j", "--force")
        third = place.runs()[0]["run"]
        self.assert_told(place.ask("why", third).exits(0).out, f"asked for again, with nothing changed but its checkpoint: that of run {first} (1 file, 2 B) → that of run {second} (1 file, 2 B)")
        place.make("job:j", "--force")
        fourth = place.runs()[0]["run"]
        self.assertEqual(place.ask("diff", third, fourth, "--json").exits(0).only["checkpoint"], None)  # the same, whoever left it

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
