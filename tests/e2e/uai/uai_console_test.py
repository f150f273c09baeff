"""The bill, another name or memo, and removal of jobs on UAI-Train; the vendor's own client sends the same."""

import time

from story import eventually
from uai_server import ACTIONS, PROJECT
from uai_story import OnUai
from ufile_server import PRIVATE

TRAINFILE = '''
code "c" { srcs = glob "code/**", main = "main.py" }
image "i" { code = "code:c", base = "scratch" }
data "d" { files = glob "data/**" }
for _, name in ipairs { "a", "b" } do
  job(name) { image = "image:i", data = "data:d", params = { name = name }, resources = { node_type = "1-P40", hours = 1 }, memo = "first" }
end
'''
TRAINSPACE = 'platform "uai" { type = "uai", project_id = env("UAI_PROJECT", ""), registry = "demo", internal_uhub = true, bucket = "mnist-bucket" }\n'


class Console(OnUai):
    def project(self):
        server = self.cloud()
        place = self.place({"code/main.py": "import time; time.sleep(1)\n", "data/a.txt": "a\n", "TRAINFILE.lua": TRAINFILE, "TRAINSPACE.lua": TRAINSPACE})
        self.connect(place, server)
        place.ask("--platform", "uai", "//...").exits(0)
        return server, place

    def test_what_the_vendors_tool_has_beside(self):
        server, place = self.project()
        run = next(each for each in place.runs() if each["label"] == "//job:a")
        server.calls.clear()
        bill = place.ask("uai", "bill").exits(0).out
        self.assert_told(bill, run["run"], "job:a", "job:b", run["job"], "Done", "12.34", "24.68")
        server.calls.clear()
        lines = place.ask("uai", "bill", "--since", "1h", "--json").exits(0).lines
        asked = server.called("GetUAITrainBillInfo")[-1]
        self.assertEqual(int(asked["EndTime"]) - int(asked["BeginTime"]), 3600)
        self.assertEqual(sorted((each["label"], each["state"], each["cents"]) for each in lines), [("//job:a", "Done", 1234), ("//job:b", "Done", 1234)])
        place.ask("uai", "memo", "job:a", "a good one").exits(0)
        self.assert_told(place.ask("uai", "memo", "job:b", "").exits(0).err, "has no memo any more")
        self.assertEqual(sorted(job.asked["TrainJobMemo"] for job in server.jobs.values()), ["", "a good one"])
        place.ask("uai", "memo", "job:b", "first").exits(0)
        place.ask("uai", "rename", run["run"], "mnist-best").exits(0)
        changed = server.jobs[run["job"]]
        self.assertEqual((changed.name, changed.asked["TrainJobMemo"]), ("mnist-best", "a good one"))
        for seen in ("list", "bill"):
            self.assertEqual(place.ask("uai", seen).exits(0).out.count("mnist-best"), 1, seen)
        self.assert_told(place.ask("show", "job:a").exits(0), "mnist-best", "a good one", f"http://logs.example.com/{run['job']}.log")
        self.assert_told(place.ask("uai", "memo", run["job"], "named by its id there").exits(0).err, f"run {run['run']} of job:a has the memo")
        self.assertEqual({place.ask("show", name, "--json").exits(0).only["run"] for name in (run["run"], run["run"][:6], run["job"])}, {run["run"]})
        self.assertEqual(len({place.ask("logs", name).exits(0).out for name in ("job:a", run["run"][:6], run["job"])}), 1)
        self.assert_told(place.ask("cancel", run["job"]).exits(0).err, f"run {run['run']} of job:a is over already")
        self.assert_nothing_ran(place.make("job:a", "--platform", "uai"))
        ours = [(action, parameters) for action, parameters in server.calls if action in ACTIONS]
        self.assertEqual({parameters["ProjectId"] for _, parameters in ours}, {PROJECT})
        self.assert_sdk_sends(server, ours)

        place.ask("uai", "remove", "job:a").exits(0)
        self.assertEqual([job.asked["TrainJobMemo"] for job in server.jobs.values()], ["first"])
        self.assertEqual([each["status"] for each in place.runs("//job:a")], ["succeeded"])
        self.assert_nothing_ran(place.make("job:a", "--platform", "uai"))
        server.calls.clear()
        for words in (("memo", "job:a", "late"), ("rename", "job:a", "late"), ("remove", "job:a")):
            self.assert_told(place.ask("uai", *words).exits(2), f"Run `{run['run']}` is not on UAI-Train's list any more: `trainmake uai remove` took it off on 20")
        self.assertEqual(server.calls, [])

    def test_jobs_that_nothing_is_remembered_of_are_seen_and_stopped(self):
        server = self.cloud()
        place = self.place({"code/main.py": "import time; print('up', flush=True); time.sleep(600)\n", "data/a.txt": "a\n", "TRAINFILE.lua": TRAINFILE,
                            "TRAINSPACE.lua": TRAINSPACE})
        self.connect(place, server)
        place.ask("--platform", "uai", "job:a", "--no-wait").exits(0)
        self.assert_told(place.ask("uai", "list").exits(0).out, "job:a", "first", place.runs()[0]["run"])
        place.remove(".trainmake")
        self.assertEqual(place.ask("ps", "--json").exits(0).lines, [])
        listed = place.ask("uai", "list", "--json").exits(0).only
        self.assertEqual((listed["job"], listed["run"], listed["label"], listed["memo"], listed["ended"]), (*server.jobs, None, None, "first", None))
        self.assertIn(listed["state"], ("Waiting", "Starting", "Doing"))
        eventually(lambda: place.ask("uai", "list", "--json").only["state"] == "Doing", "it does not run")
        server.calls.clear()
        self.assert_told(place.ask("uai", "stop", listed["job"]).exits(0).err, f"asked to stop `{listed['job']}`")
        ours = [(action, parameters) for action, parameters in server.calls if action in ACTIONS]
        self.assertEqual([action for action, _ in ours], ["StopUAITrainJob"])
        eventually(lambda: place.ask("uai", "list", "--json").only["state"] == "Stopped", "it goes on")
        self.assert_told(place.ask("uai", "stop", listed["job"]).exits(3).err, "[230]", "`trainmake uai list`")

    def test_a_job_of_ours_is_stopped_by_any_of_its_names(self):
        server = self.cloud()
        place = self.place({"code/main.py": "import time; time.sleep(600)\n", "data/a.txt": "a\n", "TRAINFILE.lua": TRAINFILE, "TRAINSPACE.lua": TRAINSPACE})
        self.connect(place, server)
        for job, name in (("job:a", lambda run: "job:a"), ("job:b", lambda run: run["run"][:8])):
            place.ask("--platform", "uai", job, "--no-wait").exits(0)
            run = place.runs(f"//{job}")[0]
            self.assert_told(place.ask("uai", "stop", name(run)).exits(0).err, f"asked to stop run {run['run']} of {job}, `{run['job']}`")
            eventually(lambda: server.jobs[run["job"]].state == "Stopped", "it goes on")

        place.ask("--platform", "uai", "job:a", "--force", "--no-wait").exits(0)
        run = place.runs("//job:a")[0]
        place.replace("TRAINSPACE.lua", 'platform "uai"', 'platform "ucloud"')
        place.ask("uai", "stop", run["job"], "--platform", "ucloud").exits(0)
        eventually(lambda: server.jobs[run["job"]].state == "Stopped", "it goes on")

    def test_a_service_that_takes_long_to_answer_is_told_of(self):
        server, place = self.project()
        server.trouble = lambda action, _: time.sleep(6)
        for word, told in (("list", "UAI-Train does not answer: waiting"), ("bill", "UAI-Train does not answer: asking again")):
            self.assert_told(place.ask("uai", word).exits(0).err, told)
        server.trouble = None
        self.assertNotIn("does not answer", place.ask("uai", "list").exits(0).err)

    def test_what_is_wrong_is_told(self):
        server, place = self.project()
        self.assert_told(place.ask("stop", "job:a").exits(2), "There is no command `stop`", "It is `trainmake cancel` here")
        self.assert_told(place.ask("uai", "remove", "nobody").exits(2), "There is no run `nobody`", "its label, its id or a start of that, or the platform's id")
        for words in (("logs",), ("show",), ("pull",), ("cancel",)):
            self.assert_told(place.ask(*words, "uaitrain-others").exits(2), "There is no run `uaitrain-others`", "`trainmake uai list`", "`trainmake uai stop uaitrain-others`")
        self.assert_told(place.ask("help", "uai").exits(0).out, "| `stop` | `trainmake cancel RUN`", "trainmake uai bill|list|stop|rename|memo|remove", "What of a job becomes what")
        self.assert_told(place.ask("uai", "bill", "--since", "7").exits(2), "`7` has no unit", "As `7d`, of days")
        self.assert_told(place.ask("uai", "remov", "job:a").exits(2), "Did you mean `remove`?")
        self.assert_told(place.ask("uai", "rename", "job:a").exits(2), "takes 2 words, got 1", "trainmake uai rename job:mnist")
        self.assert_told(place.ask("uai", "rename", "job:a", "no name").exits(3), "[230] invalid job name")
        place.ask("--platform", "local", "job:a").exits(0)
        here = place.runs()[0]["run"]
        self.assert_told(place.ask("uai", "memo", here, "x").exits(2), f"Run {here} was on platform `local`, which is no UAI-Train")
        self.assert_told(place.ask("uai", "memo", "job:a", "x").exits(0).err, "of job:a has the memo `x`")
        server.trouble = lambda action, _: (520, f"balance of {PRIVATE} is low")
        self.assert_told(place.ask("uai", "bill").exits(3), "[520] balance of *** is low")
        place.write("TRAINSPACE.lua", "")
        self.assert_told(place.ask("uai", "bill").exits(2), "No platform of type `uai`")
