"""Looking back at jobs: how metrics went, which runs are wanted, what explains a difference, logs of several at once."""

import json
import os
import pty
import subprocess

from story import BINARY, Story

TRAINFILE = '''
code "c" { srcs = glob "code/**", main = "train.sh" }
image "i" { code = "code:c", base = "scratch" }
for i = 1, 3 do job("s" .. i) {
  image = "image:i", params = { rate = i, name = "n" .. i }, outputs = { out = "out.txt" },
  metrics = { loss = "loss=([%d.]+)", accuracy = { file = "m.jsonl", field = "eval.acc", step = "epoch" } },
} end
'''
TRAIN = '''
while [ $# -gt 0 ]; do case $1 in --rate) rate=$2 ;; esac; shift 2; done
for i in 1 2 3 4; do
  echo "loss=$rate.$((8 - i))"
  printf '{"epoch": %s, "eval": {"acc": %s.5}}\\n' $((i * 10)) $((rate * i)) >>"$TRAINMAKE_OUTPUT_DIR/m.jsonl"
done
echo done >"$TRAINMAKE_OUTPUT_DIR/out.txt"
'''


class Looking(Story):
    def sweep(self):
        place = self.place({"TRAINFILE.lua": TRAINFILE, "code/train.sh": TRAIN})
        place.ask("-j1", "//job:s*").exits(0)
        return place

    def test_metrics_of_log_and_file_are_kept_as_curves(self):
        shown = self.sweep().ask("show", "job:s2", "--json").exits(0).only
        self.assertEqual(shown["metrics"], {"accuracy": 8.5, "loss": 2.4})
        self.assertEqual(shown["curves"], {"accuracy": [[10, 2.5], [20, 4.5], [30, 6.5], [40, 8.5]], "loss": [[1, 2.7], [2, 2.6], [3, 2.5], [4, 2.4]]})

    def test_show_draws_them_in_plain_characters(self):
        place = self.sweep()
        out = place.ask("show", "job:s2").exits(0).out
        self.assert_told(out, "\nloss\n", "2.7 |*", "\naccuracy\n", "trainmake repro ")
        self.assertTrue(all(len(line) <= 80 for line in out.split("\nloss\n")[1].splitlines()), out)
        self.assertNotIn("\x1b", out)

    def test_they_are_as_wide_as_the_terminal(self):
        place = self.sweep()
        leader, follower = pty.openpty()
        subprocess.run(["stty", "cols", "44"], stdin=follower, check=True)
        subprocess.run([BINARY, "show", "job:s2"], cwd=place.root, env=place.env, stdout=follower, check=True)
        os.close(follower)
        out = b""
        try:
            while piece := os.read(leader, 4096):
                out += piece
        except OSError:
            pass
        os.close(leader)
        drawn = out.decode().split("loss\r\n")[-1].splitlines()
        self.assertEqual(max(len(line) for line in drawn), 44, out.decode())

    def test_a_run_that_goes_on_tells_its_metrics_so_far(self):
        place, gate = self.waiting(job='metrics = { loss = "loss=([%d.]+)" }')
        place.replace("code/slow.sh", "echo at", "echo loss=3\necho loss=2\necho at")
        going = place.start("job:slow", "--json").until("at the gate")
        shown = place.ask("show", "job:slow", "--json").exits(0).only
        self.assertEqual((shown["status"], shown["metrics"], shown["curves"]), ("running", {"loss": 2}, {"loss": [[1, 3], [2, 2]]}))
        gate.open()
        going.end().exits(0)

    def test_a_metrics_file_that_is_not_there_is_told(self):
        place = self.sweep()
        place.replace("code/train.sh", "m.jsonl", "other.jsonl")
        self.assert_told(place.ask("job:s1").exits(0), "`accuracy` found no number", "m.jsonl")

    def test_what_is_no_metric_is_an_error_with_its_line(self):
        place = self.place({"TRAINFILE.lua": TRAINFILE.replace('file = "m.jsonl"', 'fil = "m.jsonl"'), "code/train.sh": TRAIN})
        answer = place.ask("job:s1", "--json").exits(2)
        self.assert_told(answer.messages, "accuracy", "`fil`", "Did you mean `file`")

    def test_runs_are_filtered_and_sorted(self):
        place = self.sweep()

        def labels(*words):
            return [run["label"][-2:] for run in place.ask("runs", "--json", *words).exits(0).lines]

        self.assertEqual(labels(), ["s3", "s2", "s1"])
        self.assertEqual(labels("--sort", "loss"), ["s1", "s2", "s3"])
        self.assertEqual(labels("--sort", "-accuracy", "--limit", "2"), ["s3", "s2"])
        self.assertEqual(labels("--where", "rate>=2"), ["s3", "s2"])
        self.assertEqual(labels("--where", "params.rate>1, loss<3"), ["s2"])
        self.assertEqual(labels("--where", "name=n1"), ["s1"])
        self.assertEqual(labels("--where", "nothing!=1"), [])
        self.assertEqual((labels("--status", "failed"), labels("--platform", "elsewhere"), labels("--since", "1h"), labels("--since", "2200-01-01")),
                         ([], [], ["s3", "s2", "s1"], []))
        self.assertEqual(labels("job:s1"), ["s1"])

    def test_what_was_said_for_people_is_shown_and_found(self):
        place = self.sweep()
        self.assertNotIn("tags", place.ask("show", "job:s1").exits(0).out)
        place.replace("TRAINFILE.lua", "image = ", 'tags = { "baseline", "v" .. i }, notes = "with warm-up", memo = "for the board", image = ')
        place.ask("--force", "job:s1", "job:s2").exits(0)

        def labels(where):
            return {run["label"][-2:] for run in place.ask("runs", "--json", "--where", where).exits(0).lines}

        self.assertEqual(labels("tags=baseline"), {"s1", "s2"})
        self.assertEqual((labels("tags=v1"), labels("notes~warm, tags=v2"), labels("memo=for the board"), labels("memo~bored")), ({"s1"}, {"s2"}, {"s1", "s2"}, set()))
        self.assertRegex(place.ask("show", "job:s1").exits(0).out, r"\ntags +baseline, v1\nnotes +with warm-up\nmemo +for the board\n")
        told = place.ask("runs", "job:s1", "--limit", "1", "--json").exits(0).only
        self.assertEqual((told["tags"], told["notes"], told["memo"], told["contract"]), (["baseline", "v1"], "with warm-up", "for the board", "default/1"))

    def test_runs_say_where_they_were_when_that_differs(self):
        place = self.sweep()
        self.assertRegex(place.ask("runs").exits(0).out, r"^run +label +status +started")
        place.ask("run", "--local", "--contract", "uai", "job:s1")
        self.assertRegex(place.ask("runs").exits(0).out, r"^run +label +status +contract +started")
        place.write("TRAINSPACE.lua", 'platform "here" { type = "local" }\n')
        place.ask("--platform", "here", "job:s1")
        out = place.ask("runs").exits(0).out
        self.assertRegex(out, r"^run +label +status +platform +contract +started")
        self.assertRegex(out.splitlines()[1], r" here +default ")
        self.assertRegex(place.ask("runs", "--platform", "here").exits(0).out, r"^run +label +status +started")

    def test_a_filter_that_is_none_says_how_one_looks(self):
        place = self.sweep()
        for words, told in ((["--where", "rate"], "lr>0.1"), (["--where", "name>n1"], "is no number"), (["--status", "faild"], "`failed`"), (["--since", "soon"], "2026-01-31")):
            self.assert_told(place.ask("runs", *words).exits(2), told)

    def test_diff_ends_with_what_explains_the_difference(self):
        place = self.sweep()
        place.replace("TRAINFILE.lua", "rate = i,", "rate = i + 1,")
        place.ask("job:s1").exits(0)
        newer, older = [run["run"] for run in place.runs("//job:s1")]
        self.assertEqual(place.ask("diff", older, newer).exits(0).out.splitlines()[-1], "Explained by `params.rate` alone")
        self.assertEqual(place.ask("diff", older, newer, "--json").exits(0).only["explained_by"], ["params.rate"])
        place.replace("code/train.sh", "8 - i", "9 - i")
        place.replace("TRAINFILE.lua", "rate = i + 1,", "rate = i,")
        place.ask("job:s1").exits(0)
        newest = place.runs("//job:s1")[0]["run"]
        self.assertEqual(place.ask("diff", newer, newest).exits(0).out.splitlines()[-1], "Explained by one of `params.rate`, `code/train.sh`, or by several of them together")

    def test_another_platform_or_contract_is_told_by_name(self):
        place = self.sweep()
        place.write("TRAINSPACE.lua", 'platform "here" { type = "local", contract = "mine" }\ncontract "mine" { variables = { TRAINMAKE_OUTPUT_DIR = "{output}", X = "y" } }\n')
        place.ask("job:s1", "--platform", "here")
        newer, older = [run["run"] for run in place.runs("//job:s1")]
        told = place.ask("diff", older, newer).exits(0).out
        self.assertRegex(told, r"platform +local \(default/\d+\) → here \(mine/[0-9a-f]+\)\n")
        (change,) = place.ask("diff", older, newer, "--json").exits(0).only["changes"]
        self.assertEqual((change["section"], change["from"][:5], change["to"][:4]), ("platform", "local", "here"))

    def test_a_metric_that_no_job_has_is_told_before_they_run(self):
        place = self.sweep()
        place.replace("TRAINFILE.lua", "rate = i,", "rate = i + 1,")
        before = len(place.runs())
        self.assert_told(place.ask("job:s*", "--sort", "lost").exits(2), "None of these jobs has a metric `lost`", "Did you mean `loss`?")
        self.assertEqual(len(place.runs()), before)
        place.ask("job:s*", "--sort", "loss").exits(0)
        self.assert_told(place.ask("job:s*", "--sort", "lost").exits(2), "Did you mean `loss`?")
        self.assert_told(place.ask("job:s*", "--sort", "loss").exits(0), "nothing to do")

    def test_a_difference_that_nothing_explains_is_told_as_that(self):
        place = self.place({"TRAINFILE.lua": TRAINFILE, "code/train.sh": "echo loss=$(date +%s%N)\ntouch $TRAINMAKE_OUTPUT_DIR/out.txt\n"})
        place.ask("job:s1").exits(0)
        place.ask("job:s1", "--force").exits(0)
        newer, older = [run["run"] for run in place.runs("//job:s1")]
        self.assert_told(place.ask("diff", older, newer).exits(0).out.splitlines()[-1], "Nothing that was given explains it")


class LogsOfSeveral(Story):
    def test_lines_stand_behind_their_labels(self):
        place = self.place({"TRAINFILE.lua": TRAINFILE, "code/train.sh": TRAIN})
        place.ask("//job:s*").exits(0)
        lines = place.ask("logs", "//job:s*").exits(0).out.splitlines()
        self.assertEqual(len(lines), 12)
        self.assertIn("job:s2  | loss=2.7", lines)
        self.assertEqual(place.ask("logs", "job:s1", "job:s3").exits(0).out.splitlines()[0], "job:s1  | loss=1.7")
        self.assertEqual({line["label"] for line in place.ask("logs", "--json", "//...").exits(0).lines}, {"//job:s1", "//job:s2", "//job:s3"})

    def test_f_follows_all_that_are_in_flight_to_their_ends(self):
        place, gate = self.waiting(then="echo past the gate")
        place.append("TRAINFILE.lua", f'''job "other" {{ image = "image:slow", env = {{ GATE = "{place.path("second")}" }} }}''')
        second = place.gate("second")
        place.ask("job:slow", "job:other", "--no-wait").exits(0)
        following = place.start("logs", "-f").until("job:slow   | at the gate").until("job:other  | at the gate")
        gate.open()
        following.until("job:slow   | past the gate")
        second.open()
        self.assert_told(following.end().exits(0).out, "job:other  | past the gate")

    def test_f_says_when_nothing_is_in_flight(self):
        self.assert_told(self.tiny().ask("logs", "-f").exits(2), "No job is in flight")
