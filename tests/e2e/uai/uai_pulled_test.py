"""Everything that a run left in its folder of the bucket, whatever it declares."""

from story import eventually
from uai_test import OnMnist


class Pulled(OnMnist):
    def test_all_that_a_run_left_comes_without_another_run(self):
        server = self.cloud()
        place = self.project(server)
        place.append("code/train.py", 'import os\nos.makedirs(flags.output_dir + "/logs")\nopen(flags.output_dir + "/logs/events.1", "w").write("e")\n')
        place.replace("TRAINFILE.lua", 'outputs = { model = "model.txt" }, ', "")
        place.make("job:mnist")
        run = place.runs()[0]["run"]
        self.assert_told(place.ask("pull", "job:mnist").exits(2), "has no outputs", f"`trainmake pull {run} --all`")
        pulled = place.ask("pull", "job:mnist", "--all", "--to", "all", "--json").exits(0).only
        self.assertEqual([output["path"] for output in pulled["outputs"]], ["logs/events.1", "model.txt"])
        self.assertEqual((place.read("all/model.txt"), place.read("all/logs/events.1")), ("3\n", "e"))
        self.assertEqual(len(server.jobs), 1)
        self.assertFalse(place.path(f".trainmake/runs/{run}/output").exists())
        place.ask("pull", "job:mnist", "--all", "--to", "all").exits(0)
        place.append("all/model.txt", "mine\n")
        self.assert_told(place.ask("pull", "job:mnist", "--all", "--to", "all").exits(2), "is there already", "--overwrite")
        place.ask("pull", "job:mnist", "--all", "--to", "all", "--overwrite").exits(0)
        self.assertEqual(place.read("all/model.txt"), "3\n")

    def test_of_which_platform_an_output_is_is_told_where_several_have_one(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", '"/data/data/lenet_solver.prototxt"', 'data_dir "lenet_solver.prototxt"')
        place.make("job:mnist")
        there = place.runs()[0]["run"]
        self.assertEqual(place.ask("pull", "job:mnist").exits(0).err, "")
        place.ask("run", "--local", "job:mnist").exits(0)
        here = place.runs()[0]["run"]
        self.assert_told(place.ask("pull", "job:mnist").exits(0).err, f"this is of run {here} on platform `local`; of `uai` `trainmake pull {there}` brings")
        self.assertEqual(place.ask("pull", there).exits(0).err, "")

    def test_a_failed_run_has_left_something_too(self):
        server = self.cloud()
        place = self.project(server)
        place.append("code/train.py", "raise SystemExit(3)\n")
        place.ask("job:mnist").exits(1)
        place.ask("pull", place.runs()[0]["run"], "--all", "--to", "all").exits(0)
        self.assertEqual(place.read("all/model.txt"), "3\n")

    def test_an_output_that_was_not_written_tells_how_to_see_what_was(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", '"model.txt"', '"model.bin"')
        told = place.ask("job:mnist").exits(1)
        run = place.runs()[0]["run"]
        self.assert_told(told, "(model.bin) was not written; in its output folder is `model.txt`", f"`trainmake pull {run} --all` brings all that it left")
        place.ask("pull", run, "--all", "--to", "all").exits(0)
        self.assertEqual(place.read("all/model.txt"), "3\n")

    def test_with_the_right_outputs_what_it_left_is_taken_and_no_job_paid(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", '"model.txt"', '"model.bin"')
        place.ask("job:mnist").exits(1)
        run = place.runs()[0]
        place.replace("TRAINFILE.lua", '"model.bin"', '"model.txt"')
        taken = place.make("job:mnist")
        self.assertEqual((taken.ran, taken.finished["submitted"], len(server.jobs)), (["//job:mnist"], 0, 1))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")
        now = place.runs()
        self.assertEqual([(each["run"], each["status"], each["metrics"]) for each in now], [(run["run"], "succeeded", run["metrics"])])
        self.assert_nothing_ran(place.make("job:mnist"))
        self.assert_told(place.ask("logs", "job:mnist").exits(0), "loss=3")
        place.replace("TRAINFILE.lua", '"model.txt"', '"model.bin"')
        place.ask("job:mnist").exits(1)
        self.assertEqual((len(server.jobs), len(place.runs())), (2, 2))

    def test_with_the_right_outputs_while_the_log_is_awaited_no_job_is_paid(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", '"model.txt"', '"model.bin"')
        place.ask("--no-wait", "job:mnist").exits(0)
        eventually(lambda: self.states(server) == ["Done"], "it ended")
        place.replace("TRAINFILE.lua", '"model.bin"', '"model.txt"')
        taken = place.make("job:mnist")
        self.assertEqual((taken.ran, taken.finished["submitted"], len(server.jobs)), (["//job:mnist"], 0, 1))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_where_nothing_else_is_kept_that_is_told(self):
        place = self.tiny()
        place.make("job:train")
        self.assert_told(place.ask("pull", "job:train", "--all", "--to", "all").exits(2), "nothing is kept beside its declared outputs")

    def test_after_gc_what_it_left_is_taken_and_its_job_known(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", '"model.txt"', '"model.bin"')
        place.ask("job:mnist").exits(1)
        run = place.runs()[0]["run"]
        place.ask("gc").exits(0)
        place.ask("pull", run, "--all", "--to", "all").exits(0)
        place.ask("uai", "memo", run, "misnamed").exits(0)
        place.replace("TRAINFILE.lua", '"model.bin"', '"model.txt"')
        self.assertEqual((place.make("job:mnist").finished["submitted"], len(server.jobs)), (0, 1))
        place.ask("gc").exits(0)
        place.replace("TRAINFILE.lua", "outputs = ", "resume = true, outputs = ")
        place.ask("job:mnist").exits(0)
