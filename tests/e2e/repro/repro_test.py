"""`repro RUN`: the same code, data, image and params once more, whatever lies in the working tree by now."""

import contextlib
import sqlite3

from busybox_image import InBusybox
from story import Story


class Repro(Story):
    def trained(self):
        place = self.tiny()
        place.make("job:eval")
        return place, [run["run"] for run in reversed(place.runs())]

    def test_the_same_comes_out_whatever_the_working_tree_is(self):
        place, (train, _) = self.trained()
        place.write("code/train.sh", "exit 3\n")
        place.write("TRAINFILE.lua", "no Lua at all (")
        told = place.ask("repro", train, "--json").exits(0).lines[-1]
        self.assertEqual((told["reproduces"], told["status"], told["same"]), (train, "succeeded", True))
        repeat = place.runs()[0]
        self.assertEqual((repeat["run"], repeat["label"], repeat["params"], repeat["metrics"]), (told["run"], "//job:train", {"rate": 0.5}, {"loss": 0.25}))
        self.assertNotEqual(repeat["run"], train)
        self.assert_told(place.ask("show", repeat["run"]).exits(0).out, f"run {train}")
        self.assert_told(place.ask("repro", train).exits(0).out, "the same outputs, byte for byte")

    def test_one_that_read_another_jobs_output_reads_what_that_left_then(self):
        place, (_, evaluation) = self.trained()
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.25")
        place.append("data/a.txt", "more\n")
        place.make("job:train")
        place.write("data/a.txt", "aaa\n")
        self.assertTrue(place.ask("repro", evaluation, "--json").exits(0).lines[-1]["same"])

    def test_the_result_of_the_label_stays(self):
        place, (train, _) = self.trained()
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.25")
        place.make("job:train")
        newer = place.runs("//job:train")[0]["run"]
        place.ask("repro", train).exits(0)
        self.assertEqual(place.ask("show", "job:train", "--json").exits(0).only["run"], newer)
        self.assertEqual(place.make("job:train").ran, [])

    def test_what_comes_out_another_is_told(self):
        place = self.place({
            "code/r.sh": 'echo loss=$(date +%s%N)\ndate +%s%N >"$TRAINMAKE_OUTPUT_DIR/o.txt"\n',
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "r.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             'job "j" { image = "image:i", outputs = { o = "o.txt" }, metrics = { loss = "loss=(%d+)" } }\n'})
        place.make("job:j")
        told = place.ask("repro", "job:j", "--json").exits(0).lines[-1]
        self.assertEqual((told["same"], list(told["metrics"]), list(told["outputs"])), (False, ["loss"], ["o"]))

    def test_data_that_is_another_by_now_and_kept_nowhere_is_told_and_nothing_runs(self):
        place, (train, _) = self.trained()
        place.append("data/a.txt", "more\n")
        place.remove("bucket")
        self.assert_told(place.ask("repro", train).exits(1), "data/a.txt", f"is not what run `{train}` read", "not in the cache", "nor in store `bucket`")
        self.assertEqual(len(place.runs()), 2)

    def test_data_that_is_another_by_now_is_taken_from_its_store(self):
        place, (train, _) = self.trained()
        place.append("data/a.txt", "more\n")
        place.remove("data/b.txt")
        answer = place.ask("repro", train, "--json").exits(0)
        self.assertTrue(answer.lines[-1]["same"])
        self.assert_told(answer.err, f"2 files are not what run {train} read any more: that content is taken from the cache and its stores")
        self.assertEqual(place.read("data/a.txt"), "aaa\nmore\n", "nothing is written to the working tree")
        place.remove("bucket")
        self.assertTrue(place.ask("repro", answer.lines[-1]["run"], "--json").exits(0).lines[-1]["same"], "it is kept with the repetition")

    def test_what_its_store_replaced_is_taken_from_a_snapshot(self):
        for snapshot in (True, False):
            place = self.tiny()
            if snapshot:
                place.replace("TRAINFILE.lua", 'files = glob "data/*.txt"', 'files = glob "data/*.txt", snapshot = true')
            place.make("job:train")
            (train,) = [run["run"] for run in place.runs()]
            place.write("data/a.txt", "xxxx")
            place.make("data:letters")
            answer = place.ask("repro", train, "--json").exits(0 if snapshot else 1)
            self.assertEqual(snapshot, bool(answer.lines[-1].get("same")), str(answer))

    def test_data_that_another_run_left_too_is_taken_from_there(self):
        place = self.place({
            "TRAINFILE.lua": '''
                code "c" { srcs = glob "code/**", main = "c.sh" }
                image "i" { code = "code:c", base = "scratch" }
                data "d" { files = glob "data/*" }
                job "makes" { image = "image:i", data = { "data:d" }, outputs = { o = "o.txt" } }
            ''',
            "code/c.sh": 'cat "$TRAINMAKE_DATA_DIR"/a.txt >"$TRAINMAKE_OUTPUT_DIR/o.txt"\n', "data/a.txt": "of old\n"})
        place.make("job:makes")
        (run,) = [run["run"] for run in place.runs()]
        place.write("data/a.txt", "by now\n")
        self.assertTrue(place.ask("repro", run, "--json").exits(0).lines[-1]["same"], "its own output has the bytes")
        for blob in place.path(".trainmake/blobs").rglob("*"):
            if blob.is_file() and blob.read_bytes() == b"of old\n":
                blob.chmod(0o644)
                blob.write_bytes(b"or not\n")
        self.assert_told(place.ask("repro", run).exits(1), "data/a.txt")

    def test_it_runs_on_the_platform_that_is_asked_for(self):
        place, (train, _) = self.trained()
        place.append("TRAINSPACE.lua", 'platform "other" { type = "local" }\nplatform "cloud" { type = "uai", registry = "demo", bucket = "my-bucket" }\n')
        told = place.ask("--platform", "other", "repro", train, "--json").exits(0).lines[-1]
        self.assertEqual((told["same"], told["platform"], told["original_platform"]), (True, "other", "local"))
        self.assertEqual(place.runs()[0]["platform"], "other")
        answer = place.ask("repro", train, "--platform", "other").exits(0)
        self.assert_told(answer.text, "on platform `other`; that one was on `local`", f"on `other` repeats {train} on `local`")
        self.assert_told(place.ask("show", told["run"]).exits(0).out, f"trainmake repro {train} --platform other")
        self.assert_told(place.ask("repro", train, "--platform", "cloud").exits(2), "only a run of `job:train` sends", "`trainmake job:train --platform cloud`")
        self.assert_told(place.ask("repro", train, "--platform", "nope").exits(2), "There is no platform `nope`")

    def test_code_that_is_gone_is_told_and_nothing_runs(self):
        place, (train, _) = self.trained()
        place.remove(".trainmake/blobs")
        self.assert_told(place.ask("repro", train).exits(1), "not there any more")
        self.assertEqual(len(place.runs()), 2)

    def test_gc_keeps_what_a_result_was_made_from(self):
        place, (_, evaluation) = self.trained()
        place.ask("gc").exits(0)
        self.assertTrue(place.ask("repro", evaluation, "--json").exits(0).lines[-1]["same"])

    def test_one_that_was_left_running_is_taken_up_and_is_no_result(self):
        place, gate = self.waiting()
        first = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        first.end().exits(0)
        (original,) = [run["run"] for run in place.runs()]
        place.start("repro", original, "--json").until("at the gate").kill().end()
        going = place.start("repro", original, "--json").until("Found in flight")
        gate.open()
        going.end().exits(0)
        self.assertEqual(len(place.runs()), 2)
        self.assertEqual(place.ask("show", "job:slow", "--json").exits(0).only["run"], original)
        place.start("repro", original, "--json").until("at the gate").kill().end()
        gate.open()
        place.ask("attach").exits(0)
        self.assertEqual((len(place.runs()), place.ask("show", "job:slow", "--json").exits(0).only["run"]), (3, original))

    def test_without_its_secret_nothing_begins(self):
        place = self.place({
            "code/s.sh": 'echo "$KEY" | wc -c >"$TRAINMAKE_OUTPUT_DIR/o.txt"\n',
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "s.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             'job "j" { image = "image:i", secrets = { "KEY" }, outputs = { o = "o.txt" } }\n'})
        place.make("job:j", env={"KEY": "a key of mine"})
        self.assert_told(place.ask("repro", "job:j").exits(2), "Secret `KEY` of `job:j` is not set")
        self.assertEqual((len(place.runs()), place.ask("ps", "--json").exits(0).lines), (1, []))
        self.assertTrue(place.ask("repro", "job:j", "--json", env={"KEY": "a key of mine"}).exits(0).lines[-1]["same"])

    def test_one_that_was_cut_short_is_asked_for_by_what_it_repeats(self):
        place, (train, _) = self.trained()
        repeat = place.ask("repro", train, "--json").exits(0).lines[-1]["run"]
        with contextlib.closing(sqlite3.connect(place.path(".trainmake/state.db"))) as state, state:
            state.execute("UPDATE runs SET status = 'queued', job = '' WHERE id = ?", (repeat,))
        place.remove(f".trainmake/runs/{repeat}")
        self.assert_told(place.ask("attach", repeat).exits(2), f"`trainmake repro {train}` looks whether it was started")
        self.assertTrue(place.ask("repro", train, "--json").exits(0).lines[-1]["same"])
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded"] * 3)

    def test_the_label_takes_up_none_that_goes_on(self):
        place, gate = self.waiting()
        first = place.start("job:slow", "--json").until("at the gate")
        gate.open()
        first.end().exits(0)
        (original,) = [run["run"] for run in place.runs()]
        place.start("repro", original, "--json").until("at the gate").kill().end()
        repeat = place.runs()[0]["run"]
        going = place.start("job:slow", "--force", "--json").until("at the gate")
        self.assertEqual(len(place.runs()), 3)
        gate.open()
        going.end().exits(0)
        self.assertNotIn(place.ask("show", "job:slow", "--json").exits(0).only["run"], (original, repeat))

    def test_one_that_fails_is_no_failure_of_the_label(self):
        place = self.place({
            "code/s.sh": 'test ! -e "$FLAG" && echo x >"$TRAINMAKE_OUTPUT_DIR/o.txt"\n',
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "s.sh" }\nimage "i" { code = "code:c", base = "scratch" }\n'})
        place.append("TRAINFILE.lua", f'job "j" {{ image = "image:i", env = {{ FLAG = "{place.path("flag")}" }}, outputs = {{ o = "o.txt" }} }}\n')
        place.make("job:j")
        place.write("flag", "")
        self.assert_told(place.ask("repro", "job:j").exits(1), "exit code 1")
        place.remove("flag")
        place.remove(".trainmake/blobs")
        self.assertIn("//job:j", place.make("job:j").ran)

    def test_no_secret_is_kept_for_it(self):
        place = self.place({
            "code/s.sh": 'test "$TOKEN" = hunter2-Zq81\n',
            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**", main = "s.sh" }\nimage "i" { code = "code:c", base = "scratch" }\njob "j" { image = "image:i", secrets = { "TOKEN" } }\n'})
        token = {"TOKEN": "hunter2-Zq81"}
        place.ask("job:j", env=token).exits(0)
        self.assert_told(place.ask("repro", "job:j").exits(2), "TOKEN")
        self.assertNotIn("hunter2", place.ask("repro", "job:j", env=token).exits(0).text)
        self.assertNotIn("hunter2", place.ask("show", "job:j", "--json").exits(0).text)

    def test_it_sees_what_it_saw_under_another_contract(self):
        place = self.tiny(**{"code/train.sh": 'for word; do case $word in --output_dir=*) echo of uai >"${word#*=}/model.txt" ;; esac; done\n'})
        place.ask("run", "--local", "--contract", "uai", "job:train").exits(0)
        run = place.runs()[0]["run"]
        self.assert_told(place.ask("repro", run).exits(2), "was one of contract `uai/3`, and platform `local` has `default/1`", f"`trainmake repro {run} --contract uai` repeats it so")
        self.assert_told(place.ask("show", run).exits(0).out, f"trainmake repro {run} --contract uai\n")
        self.assertTrue(place.ask("repro", run, "--contract", "uai", "--json").exits(0).lines[-1]["same"])


class InAContainer(InBusybox):
    def test_it_has_the_image_that_it_had(self):
        place = self.in_busybox('echo "$OF $(cat /data/a.txt) $(cat /mark)" >/output/o.txt; cat /output/o.txt\n', **{"root/mark": "first"})
        place.ask("run", "--local", "--container", "job:j").exits(0)
        (original,) = [run["run"] for run in place.runs()]
        self.assert_told(place.ask("repro", original).exits(2), "was one of contract `default/1 in a container`", f"`trainmake repro {original} --container` repeats it so")
        place.write("root/mark", "second")
        place.replace("TRAINFILE.lua", 'OF = "image"', 'OF = "another"')
        place.ask("run", "--local", "--container", "job:j").exits(0)
        self.assertIn("another aaa second", place.ask("logs", "job:j").out)
        told = place.ask("repro", original, "--container", "--json").exits(0).lines[-1]
        self.assertTrue(told["same"])
        self.assertIn("image aaa first", place.ask("logs", told["run"]).exits(0).out)

    def test_an_image_that_is_gone_is_told_and_nothing_runs(self):
        place = self.in_busybox('echo out >"$TRAINMAKE_OUTPUT_DIR/o.txt"\n')
        place.ask("run", "--local", "--container", "job:j").exits(0)
        (original,) = [run["run"] for run in place.runs()]
        with contextlib.closing(sqlite3.connect(place.path(".trainmake/state.db"))) as database, database:
            database.execute("DELETE FROM records WHERE label LIKE '%image:i'")
        self.assert_told(place.ask("repro", original, "--container").exits(1), f"The image of run `{original}` is not known any more")
        self.assertEqual(len(place.runs()), 1)
