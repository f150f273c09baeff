"""What fails, fails alone, says why, and is not tried again until something changed or it is asked for."""

from story import Story, eventually


class Failing(Story):
    def broken(self):
        place = self.tiny(**{"code/train.sh": "echo about to break\nexit 3\n", "code/fine.sh": "echo fine\n"})
        place.append("TRAINFILE.lua", 'job "fine" { image = "image:tiny", main = "fine.sh" }\n')
        return place

    def test_a_failed_job_is_exit_1_with_its_last_lines(self):
        answer = self.broken().ask("job:train").exits(1)
        self.assert_told(answer.err, "job:train", "about to break", "3")

    def test_outputs_that_were_misnamed_are_taken_by_their_names_without_another_run(self):
        place = self.place({"code/train.sh": 'echo x >> "$COUNTED"\necho acc=1\nmkdir "$TRAINMAKE_OUTPUT_DIR/logs"\necho it > "$TRAINMAKE_OUTPUT_DIR/weights.bin"\n'
                                             'echo e > "$TRAINMAKE_OUTPUT_DIR/logs/events"\n'})
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "train.sh" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "train" {{ image = "image:i", outputs = {{ model = "model.bin" }}, metrics = {{ acc = "acc=([%d.]+)" }}, env = {{ COUNTED = "{place.path("counted")}" }} }}
        ''')
        self.assert_told(place.ask("job:train").exits(1).err, "(model.bin) was not written; in its output folder are `logs/events`, `weights.bin`; once `outputs` names")
        place.replace("TRAINFILE.lua", '"model.bin"', '"wights.bin"')
        self.assert_told(place.ask("job:train").exits(1).err, "(wights.bin) was not written; in its output folder are")
        self.assert_told(place.ask("job:train").exits(1).err, "was not tried again")
        place.replace("TRAINFILE.lua", '"wights.bin"', '"weights.bin", logs = "logs"')
        made = place.make("job:train")
        self.assertEqual((made.ran, made.finished["submitted"], place.read("counted")), (["//job:train"], 0, "x\n"))
        self.assertEqual([(each["status"], each["metrics"], [output["name"] for output in each["outputs"]]) for each in place.runs()],
                         [("succeeded", {"acc": 1}, ["logs/events", "model"])])
        self.assertEqual(place.pull("job:train", "weights.bin"), "it\n")
        self.assert_nothing_ran(place.make("job:train"))
        place.replace("TRAINFILE.lua", '"weights.bin"', '"model.bin"')
        place.ask("job:train").exits(1)
        self.assertEqual((place.read("counted"), len(place.runs())), ("x\nx\n", 2))

    def misnamed(self, more="", script=""):
        place = self.place({"code/train.sh": f'echo x >> "$COUNTED"\n{script}echo it > "$TRAINMAKE_OUTPUT_DIR/weights.bin"\n'})
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "train.sh" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "train" {{ image = "image:i", outputs = {{ model = "model.bin" }}, {more} env = {{ COUNTED = "{place.path("counted")}" }} }}
        ''')
        return place

    def assert_taken(self, place, wrong='"model.bin"', right='"weights.bin"'):
        place.replace("TRAINFILE.lua", wrong, right)
        made = place.make("job:train")
        self.assertEqual((made.finished["submitted"], place.read("counted")), (0, "x\n"))

    def test_what_was_misnamed_is_kept_by_gc_and_not_computed_by_retries(self):
        place = self.misnamed(more="retries = 2,")
        place.ask("job:train").exits(1)
        place.ask("gc").exits(0)
        self.assert_taken(place)

    def test_without_outputs_nothing_is_missing(self):
        place = self.misnamed()
        place.ask("job:train").exits(1)
        self.assert_taken(place, 'outputs = { model = "model.bin" },', "")

    def test_what_ended_while_nobody_looked_is_taken_too(self):
        place = self.misnamed(script="sleep 0.5\n")
        place.ask("--no-wait", "job:train").exits(0)
        eventually(lambda: list(place.path(".trainmake/runs").glob("*/exit.json")), "it ended")
        self.assert_taken(place)

    def test_beside_one_that_goes_on_with_other_outputs_none_is_begun(self):
        place = self.misnamed(script="until [ -e \"$COUNTED.go\" ]; do sleep 0.05; done\n")
        place.ask("--no-wait", "job:train").exits(0)
        eventually(lambda: place.path("counted").exists(), "it began")
        place.replace("TRAINFILE.lua", '"model.bin"', '"weights.bin"')
        run = place.runs()[0]["run"]
        self.assert_told(place.ask("plan", "job:train").exits(0), run)
        self.assert_told(place.ask("--no-wait", "job:train").exits(0).err, f"Run {run} was begun with other `outputs`")
        place.write("counted.go", "")
        made = place.make("job:train")
        self.assertEqual((made.finished["submitted"], place.read("counted"), [each["status"] for each in place.runs()]), (0, "x\n", ["succeeded"]))
        self.assert_nothing_ran(place.make("job:train"))

    def test_whoever_watches_one_that_another_takes_over_does_not_spoil_it(self):
        place = self.misnamed(script="until [ -e \"$COUNTED.go\" ]; do sleep 0.05; done\n")
        watcher = place.start("job:train")
        eventually(lambda: place.path("counted").exists(), "it began")
        place.replace("TRAINFILE.lua", '"model.bin"', '"weights.bin"')
        self.assert_told(place.ask("--no-wait", "job:train").exits(4).err, "Another trainmake is doing")
        other = place.start("job:train")
        place.write("counted.go", "")
        watcher.end().exits(1)
        other.end().exits(0)
        made = place.make("job:train")
        self.assertEqual((made.finished["submitted"], place.read("counted"), [each["status"] for each in place.runs()]), (0, "x\n", ["succeeded"]))

    def test_whoever_looks_on_with_other_outputs_shares_a_failure_and_no_misnamed_output(self):
        place = self.misnamed(more="retries = 1,", script="until [ -e \"$COUNTED.go\" ]; do sleep 0.05; done; exit 3\n")
        watcher = place.start("job:train")
        eventually(lambda: place.path("counted").exists(), "it began")
        place.replace("TRAINFILE.lua", '"model.bin"', '"weights.bin"')
        other = place.start("job:train", "--json").until('"attached"')
        place.write("counted.go", "")
        watcher.end().exits(1)
        self.assert_told(other.end().exits(1).out, "failed: exit code 3")
        self.assertEqual(place.read("counted"), "x\nx\n")

    def test_a_later_result_counts_and_not_what_was_misnamed_before(self):
        place = self.misnamed()
        place.ask("job:train").exits(1)
        place.replace("TRAINFILE.lua", '"model.bin"', '"weights.bin"')
        place.ask("job:train", "--force").exits(0)
        place.replace("TRAINFILE.lua", '"weights.bin"', '"weights.bin", more = "weights.bin"')
        place.ask("job:train").exits(0)
        self.assertEqual(place.read("counted"), "x\nx\nx\n")

    def test_names_of_what_was_left_tell_no_secret(self):
        place = self.misnamed(more='secrets = { "TOKEN" },', script='touch "$TRAINMAKE_OUTPUT_DIR/run-$TOKEN.bin"\n')
        told = place.ask("job:train", env={"TOKEN": "hunter2secret"}).exits(1)
        self.assert_told(told, "run-***.bin")
        shown = place.ask("runs", "--json").exits(0).out + place.ask("show", "job:train").out
        self.assertNotIn("hunter2secret", shown + told.out + told.err)

    def test_what_needs_it_is_skipped(self):
        answer = self.broken().ask("job:eval", "--json").exits(1)
        self.assertEqual((answer.labels("failed"), answer.labels("skipped")), (["//job:train"], ["//job:eval"]))
        self.assertEqual((answer.finished["ok"], answer.finished["exit_code"]), (False, 1))

    def test_keep_going_does_the_rest(self):
        answer = self.broken().ask("-k", "job:eval", "job:fine", "--json").exits(1)
        self.assertIn("//job:fine", answer.ran)
        self.assertEqual(answer.labels("skipped"), ["//job:eval"])

    def test_without_k_what_was_not_started_is_skipped(self):
        place = self.broken()
        place.append("TRAINFILE.lua", 'job "bad" { image = "image:tiny", main = "train.sh" }\n'
                     'job "after" { image = "image:tiny", main = "fine.sh", data = { x = "job:fine" } }\n')
        answer = place.ask("-j1", "job:bad", "job:after", "--json").exits(1)
        self.assertIn("//job:bad", answer.labels("failed"))
        self.assertIn("//job:after", answer.labels("skipped"))

    def test_a_failure_that_is_remembered_stops_as_one_that_happens(self):
        place = self.broken()
        place.append("TRAINFILE.lua", 'data "new" { files = glob "data/**" }\n')
        place.ask("job:train").exits(1)
        place.append("TRAINFILE.lua", 'code "new" { srcs = glob "code/**" }\n')
        self.assert_told(place.ask("plan", "//...").exits(0).out, "code:new", "nothing else is begun while job:train counts as failed", "-k")
        self.assertNotIn("nothing else", place.ask("-n", "-k", "//...").exits(0).out)
        answer = place.ask("//...", "--json").exits(1)
        self.assertEqual((answer.ran, answer.labels("failed")), ([], ["//job:train"]))
        self.assertIn("//code:new", answer.labels("skipped"))
        self.assertIn("//code:new", place.ask("-k", "//...", "--json").exits(1).ran)

    def test_plan_knows_that_nothing_is_reused_beside_a_failure(self):
        place = self.broken()
        place.make("job:fine")
        place.ask("job:train").exits(1)
        first = place.read("TRAINFILE.lua")
        fine = 'main = "fine.sh"'
        place.write("TRAINFILE.lua", first.replace(fine, fine + ", params = { x = 1 }"))
        place.make("job:fine")
        place.write("TRAINFILE.lua", first)
        plan = place.plan("job:train", "job:fine")
        self.assertEqual((plan["totals"]["reuse"], plan["stopped_by"]), (1, "//job:train"))
        self.assert_told(place.ask("plan", "job:train", "job:fine").exits(0).out, "nothing else is begun while job:train counts as failed")
        self.assertEqual(place.ask("job:train", "job:fine", "--json").exits(1).labels("skipped"), ["//job:fine"])
        self.assertIsNone(place.plan("job:fine")["stopped_by"])

    def test_plan_and_why_know_what_a_failure_holds_up(self):
        place = self.broken()
        place.ask("job:train").exits(1)
        plan = place.plan("job:eval")
        self.assertEqual((plan["totals"]["jobs"], plan["totals"]["failed"], plan["totals"]["maybe"], plan["totals"]["run"]), (0, 1, 1, 0))
        self.assertEqual({step["label"]: step["held_up_by"] for step in plan["steps"]}["//job:eval"], "//job:train")
        self.assert_told(place.ask("plan", "job:eval").exits(0).out, "job:eval", "will be skipped: job:train failed before", "0 jobs")
        self.assert_told(place.ask("why", "job:eval").exits(0).out, "will be skipped: job:train failed before")
        self.assertEqual(place.ask("plan", "job:eval", "--retry", "--json").exits(0).only["totals"]["jobs"], 2)

    def test_an_identical_failed_job_is_not_submitted_again(self):
        place = self.broken()
        place.ask("job:train").exits(1)
        answer = place.ask("job:train", "--json").exits(1)
        self.assertEqual((answer.labels("failed"), answer.finished["submitted"]), (["//job:train"], 0))
        self.assert_told(place.ask("job:train").exits(1), "about to break", "was not tried again", "--retry")

    def test_retry_and_force_submit_it_again(self):
        place = self.broken()
        place.ask("job:train").exits(1)
        for flag in ("--retry", "--force"):
            self.assertEqual(place.ask("job:train", flag, "--json").exits(1).finished["submitted"], 1)

    def test_retry_of_what_did_not_fail_does_nothing(self):
        place = self.tiny()
        place.make("job:train")
        self.assert_nothing_ran(place.make("job:train", "--retry"))

    def test_a_mended_job_runs(self):
        place = self.broken()
        place.ask("job:train").exits(1)
        place.write("code/train.sh", 'echo x >"$TRAINMAKE_OUTPUT_DIR/model.txt"\n')
        self.assertIn("//job:train", place.make("job:train").ran)

    def test_plan_says_that_it_failed_before(self):
        place = self.broken()
        place.ask("job:train").exits(1)
        (step,) = [step for step in place.plan("job:train")["steps"] if step["label"] == "//job:train"]
        self.assertEqual((step["verdict"], step["reasons"][0]["kind"]), ("failed", "failed_before"))

    def test_a_job_that_leaves_an_output_out_has_failed(self):
        place = self.tiny(**{"code/train.sh": "echo done\n"})
        self.assert_told(place.ask("job:train", "--json").exits(1).messages, "model.txt")

    def test_an_output_that_leads_to_itself_is_a_failure_and_not_for_ever(self):
        script = 'cd "$TRAINMAKE_OUTPUT_DIR" && mkdir model.txt && echo x >model.txt/x && if ! test -e "$ONCE"; then touch "$ONCE" && ln -s l model.txt/l; fi\n'
        place = self.tiny(**{"code/train.sh": script})
        place.replace("TRAINFILE.lua", "params = { rate = 0.5 }", f'env = {{ ONCE = "{place.path("once")}" }}')
        answer = place.ask("job:train", "--json").exits(1)
        self.assert_told(answer.messages, "`model` (model.txt)", "links")
        self.assertEqual(place.ask("job:train", "--json").exits(1).finished["submitted"], 0)
        self.assertEqual(place.make("job:train", "--retry").finished["submitted"], 1)
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "failed"])

    def test_a_job_killed_by_a_signal_says_so(self):
        place = self.tiny(**{"code/train.sh": "kill -KILL $$\n"})
        self.assertEqual(place.ask("job:train", "--json").exits(1).labels("failed"), ["//job:train"])

    def test_the_data_that_a_failed_run_sent_is_not_sent_again(self):
        place = self.broken()
        place.ask("job:train").exits(1)
        self.assertEqual(place.ask("job:train", "--retry", "--json").exits(1).cost, (0, 0, 1))
