"""Jobs that ask for gpus: who gets which, who waits, and what is refused; with a stand-in for nvidia-smi."""

from fake_gpus import add_gpus
from story import Story, eventually


class Gpus(Story):
    def machine(self, gpus, job="", script="echo saw $CUDA_VISIBLE_DEVICES; echo x > $TRAINMAKE_OUTPUT_DIR/o.txt\n"):
        place = self.place({"code/main.sh": script})
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "main.sh" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "j" {{ image = "image:i", outputs = {{ o = "o.txt" }}, {job} }}
        ''')
        if gpus is not None:
            add_gpus(place, gpus)
        return place

    def test_a_job_gets_as_many_as_it_asks_for(self):
        place = self.machine(4, "resources = { gpus = 2 }")
        place.make("job:j")
        self.assertEqual(place.ask("logs", "job:j").out, "saw 0,1\n")

    def test_more_than_there_are_is_an_error_before_anything_is_done(self):
        place = self.machine(2, "resources = { gpus = 3 }")
        answer = place.ask("job:j", "--json").exits(2)
        self.assert_told(answer.messages, "The job asks for 3 gpus, and this machine has 2", "--platform")
        self.assertEqual(answer.events("error")[0]["line"], 4)
        self.assertEqual((answer.ran, place.runs()), ([], []))

    def test_without_any_that_is_said(self):
        place = self.machine(None, "resources = { gpus = 1 }")
        self.assert_told(place.ask("job:j").exits(2), "this machine has no `nvidia-smi`")
        self.assert_told(place.ask("plan", "job:j").exits(2), "this machine has no `nvidia-smi`")

    def test_a_result_is_a_result_where_there_are_none(self):
        place = self.machine(1, "resources = { gpus = 1 }")
        place.make("job:j")
        place.remove("bin/nvidia-smi")
        self.assert_nothing_ran(place.make("job:j"))
        place.append("TRAINFILE.lua", "\n")
        self.assert_nothing_ran(place.make("job:j"))

    def test_one_that_may_be_reused_is_refused_once_it_is_not(self):
        place = self.machine(1, "resources = { gpus = 1 }")
        place.make("job:j")
        place.replace("TRAINFILE.lua", 'base = "scratch"', 'base = "scratch", tags = { "v2" }')
        place.remove("bin/nvidia-smi")
        self.assertEqual(place.ask("plan", "job:j", "--json").exits(0).only["steps"][-1]["verdict"], "maybe")
        self.assert_told(place.make("job:j").labels("up_to_date"), "//job:j")
        place.append("code/main.sh", "# and once more\n")
        self.assert_told(place.ask("job:j").exits(2), "this machine has no `nvidia-smi`")
        self.assertEqual(len(place.runs()), 1)

    def test_jobs_of_two_workspaces_take_turns(self):
        script = "echo up; while ! test -e $GATE; do sleep 0.02; done; echo x > $TRAINMAKE_OUTPUT_DIR/o.txt\n"
        one = self.machine(1, script=script)
        one.replace("TRAINFILE.lua", "outputs", f'resources = {{ gpus = 1 }}, env = {{ GATE = "{one.path("gate")}" }}, outputs')
        other = self.machine(1, "resources = { gpus = 1 }")
        other.env["HOME"] = one.env["HOME"]
        going = one.start("job:j", "--json").until('"up"')
        waits = other.start("job:j", "--json").until("waits for 1 gpu, of which 0 are free")
        (queued,) = eventually(lambda: [run for run in other.ask("ps", "--json").lines if run["status"] == "queued"], "it is not queued")
        self.assert_told(queued["reason"], "waits for 1 gpu")
        self.assertIsNone(queued["started"])
        one.write("gate", "")
        going.end().exits(0)
        waits.end().exits(0)

    def test_one_that_waits_goes_on_without_its_client(self):
        place = self.machine(1, "resources = { gpus = 1 }")
        place.append("TRAINFILE.lua", f'''
            job "long" {{ image = "image:i", command = {{ "sh", "-c", "while ! test -e {place.path("gate")}; do sleep 0.02; done" }}, resources = {{ gpus = 1 }} }}
        ''')
        place.ask("job:long", "--no-wait").exits(0)
        eventually(lambda: "running" in place.ask("ps").out, "it never ran")
        place.start("job:j", "--json").until("waits for 1 gpu").kill().end()
        place.write("gate", "")
        self.assert_told(place.ask("job:j", "--json").exits(0), '"submitted":0')
        self.assertEqual(len(place.runs("//job:j")), 1)

    def test_one_that_is_cancelled_while_it_waits_never_started(self):
        place = self.machine(1, "resources = { gpus = 1 }")
        place.append("TRAINFILE.lua", 'job "long" { image = "image:i", command = { "sleep", "600" }, resources = { gpus = 1 } }\n')
        place.ask("job:long", "--no-wait").exits(0)
        self.addCleanup(lambda: place.ask("cancel", "job:long"))
        eventually(lambda: "running" in place.ask("ps").out, "it never ran")
        place.start("job:j", "--json").until("waits for 1 gpu").kill().end()
        place.ask("cancel", "job:j").exits(0)
        (run,) = place.runs("//job:j")
        self.assertEqual((run["status"], run["started"]), ("cancelled", None))
        self.assertIsNotNone(run["ended"])
        shown = place.ask("show", "job:j").exits(0).out
        for word in ("started", "took"):
            self.assertNotIn(word, shown)

    def test_a_checkpoint_that_was_removed_while_it_waited_is_no_silent_beginning(self):
        step = 'ls "$TRAINMAKE_CHECKPOINT_DIR"; echo x >> "$TRAINMAKE_CHECKPOINT_DIR/step"; echo x > $TRAINMAKE_OUTPUT_DIR/o.txt\n'
        place = self.machine(1, "resources = { gpus = 1 }, resume = true, params = { n = 1 }", script=step)
        place.append("TRAINFILE.lua", f'job "long" {{ image = "image:i", command = {{ "sh", "-c", "while ! test -e {place.path("free")}; do sleep 0.02; done" }}, resources = {{ gpus = 1 }} }}\n')
        place.make("job:j")
        place.replace("TRAINFILE.lua", "n = 1", "n = 2")
        place.ask("job:long", "--no-wait").exits(0)
        eventually(lambda: "running" in place.ask("ps").out, "it never ran")
        going = place.start("job:j", "--json").until("waits for 1 gpu")
        (run,) = [run["run"] for run in place.runs("//job:j") if run["status"] == "queued"]
        place.remove(f".trainmake/checkpoints/run-{run}")
        place.write("free", "")
        self.assert_told(going.end().exits(1).messages, "what it was to go on from was removed or changed before it began: `step` in `",
                         f".trainmake/checkpoints/run-{run}`", "the next try gets it there anew")
        place.ask("job:j").exits(0)
        self.assertEqual(place.ask("logs", "job:j").out, "step\n")
