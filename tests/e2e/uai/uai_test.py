"""Training on UCloud's UAI-Train: image, data, job, log and result; what an edit costs, and that a job starts once whatever becomes of an answer. The
stand-in is held to its word by the vendor's own client."""

import subprocess
import time
import unittest

from story import eventually
from uai_server import ACTIONS, MACHINES, PROJECT, ZONE
from uai_story import OnUai
from ufile_server import PRIVATE, PUBLIC


TRAIN = '''
import argparse, os, time

flags = argparse.ArgumentParser()
for name in ("solver", "work_dir", "data_dir", "output_dir", "log_dir", "snapshot"):
    flags.add_argument("--" + name)
flags.add_argument("--num_gpus", type=int)
flags.add_argument("--wait", action="store_true")
flags = flags.parse_args()
print("training on", flags.num_gpus, "gpu")
while flags.wait and not os.path.exists("/data/go"):
    time.sleep(0.01)
rate = float(open(flags.solver).read().split(":")[1])
points = [float(line) for line in open(flags.data_dir + "/train.txt")]
print("loss=%g" % (rate * sum(points)))
with open(flags.output_dir + "/model.txt", "w") as model:
    model.write("%g\\n" % (rate * sum(points)))
'''

TRAINFILE = '''
project { name = "mnist" }
code "mnist" { srcs = glob "code/**", main = "train.py" }
data "mnist" { files = glob "data/**" }
image "caffe-mnist" { code = "code:mnist", base = "scratch" }
job "mnist" {
  image = "image:caffe-mnist", data = "data:mnist",
  args = { solver = "/data/data/lenet_solver.prototxt"%(args)s },
  resources = { node_type = "1-P40", nodes = 1, hours = 6 }, memo = "first",
  outputs = { model = "model.txt" }, metrics = { loss = "loss=([%%d.]+)" },
}
'''

TRAINSPACE = '''
platform "uai" { type = "uai", region = "cn-bj2", zone = "cn-bj2-04", project_id = env("UAI_PROJECT", ""), registry = "demo", internal_uhub = true,
                 bucket = "mnist-bucket" }
default_platform "uai"
'''


class OnMnist(OnUai):
    def project(self, server, args="", **more):
        place = self.place({"code/train.py": TRAIN, "data/train.txt": "1\n2\n3\n", "data/lenet_solver.prototxt": "base_lr: 0.5\n",
                            "TRAINFILE.lua": TRAINFILE % {"args": args}, "TRAINSPACE.lua": TRAINSPACE, **more})
        self.connect(place, server)
        return place

    def states(self, server):
        return [job.state for job in server.jobs.values()]


class Stories(OnMnist):
    def test_image_data_training_log_and_result(self):
        server = self.cloud()
        place = self.project(server)
        made = place.make("job:mnist")
        self.assertEqual(made.cost, (1, 2, 1))
        self.assertEqual(server.made[0]["BucketName"], "mnist-bucket")
        self.assert_told([event["line"] for event in made.events("log")], "training on 1 gpu", "loss=3")
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")
        self.assertEqual(place.runs()[0]["metrics"], {"loss": 3})
        asked = server.called("CreateUAITrainJob")[0]
        self.assertEqual(asked["DataUfilePath"], "http://mnist-bucket.cn-bj.ufileos.com/mnist/")
        self.assertRegex(asked["CodeUhubPath"], r"^uhub\.service\.ucloud\.cn/demo/caffe-mnist:trainmake-[0-9a-f]{16}$")
        self.assertEqual(asked["DockerCmd"], "-u /data/train.py --solver=/data/data/lenet_solver.prototxt")
        self.assertEqual((asked["TrainJobMemo"], asked["ProjectId"]), ("first", PROJECT))
        self.assertEqual(server.buckets["mnist-bucket"]["mnist/train.txt"], b"1\n2\n3\n")
        self.assert_told(place.ask("logs", "job:mnist").exits(0), "loss=3")
        self.assert_told(place.ask("show", "job:mnist").exits(0), "12.34 yuan", "first", "mnist-bucket",
                         "/usr/bin/python -u /data/train.py --solver=/data/data/lenet_solver.prototxt\n")
        server.take()
        self.assert_nothing_ran(place.make("job:mnist"))
        self.assertEqual(server.take(), ([], 0))

    def test_an_edit_of_the_solver_in_the_data_is_one_object_and_one_job(self):
        server = self.cloud()
        place = self.project(server)
        place.make("job:mnist")
        place.write("data/lenet_solver.prototxt", "base_lr: 0.25\n")
        self.assertEqual(place.make("job:mnist").cost, (0, 1, 1))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "1.5\n")

    def test_an_edit_of_the_code_is_one_layer_and_one_job(self):
        server = self.cloud()
        place = self.project(server)
        place.make("job:mnist")
        before = server.called("CreateUAITrainJob")[0]["CodeUhubPath"]
        place.append("code/train.py", "print('new')\n")
        made = place.make("job:mnist")
        self.assertEqual(made.cost, (1, 0, 1))
        self.assert_told([event["line"] for event in made.events("log")], "new")
        self.assertNotEqual(server.called("CreateUAITrainJob")[1]["CodeUhubPath"], before)

    def test_a_memo_changes_nothing(self):
        server = self.cloud()
        place = self.project(server)
        place.make("job:mnist")
        place.replace("TRAINFILE.lua", '"first"', '"second"')
        self.assert_nothing_ran(place.make("job:mnist"))

    def test_killed_between_create_and_answer_there_is_one_job(self):
        server = self.cloud()
        place = self.project(server)
        going = []

        def kill(action, _):
            if action != "CreateUAITrainJob" or not going:
                return None
            going.pop().kill()
            return "lost"

        server.trouble = kill
        started = place.start("job:mnist")
        going.append(started)
        self.assertNotEqual(started.end().code, 0)
        self.assertEqual(len(server.called("CreateUAITrainJob")), 1)
        made = place.make("job:mnist")
        self.assertEqual((made.ran, len(server.jobs)), (["//job:mnist"], 1))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_ctrl_c_ends_the_wait_for_a_job_that_may_have_been_made(self):
        server = self.cloud()
        place = self.project(server)
        going = []

        def kill(action, _):
            if action != "CreateUAITrainJob":
                return None
            eventually(lambda: going, "it was not started")[0].kill()
            return "lost"

        server.trouble = kill
        going.append(place.start("job:mnist"))
        going[0].end()
        unseen, server.jobs = server.jobs, {}  # as a service that is slow to list what it made
        before = len(server.called("GetUAITrainJobList"))
        waiting = place.start("job:mnist")
        eventually(lambda: len(server.called("GetUAITrainJobList")) > before + 1, "it does not look for it")
        stopped_at = time.monotonic()
        stopped = waiting.interrupt().end().exits(130)
        self.assertLess(time.monotonic() - stopped_at, 10)
        self.assert_told(stopped, "looks whether it was started")
        before = len(server.called("GetUAITrainJobList"))
        cancelling = place.start("cancel", "job:mnist")  # looks first whether there is anything to end
        eventually(lambda: len(server.called("GetUAITrainJobList")) > before + 2, "it does not look for it")
        stopped_at = time.monotonic()
        self.assert_told(cancelling.interrupt().end().exits(130), "of job:mnist: UAI-Train was asked to start it", "looking for it")
        self.assertLess(time.monotonic() - stopped_at, 10)
        server.jobs = unseen
        self.assertEqual((place.make("job:mnist").ran, len(server.called("CreateUAITrainJob"))), (["//job:mnist"], 1))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_data_does_not_wait_for_a_job_that_was_never_asked_for(self):
        server = self.cloud()
        place = self.project(server, **{"more/a.txt": "a\n"})
        place.append("TRAINFILE.lua", 'data "more" { files = glob "more/**" }\n')
        place.replace("TRAINFILE.lua", 'data = "data:mnist"', 'data = { "data:mnist", more = "data:more" }')
        going = []

        def kill(_method, target, _number):
            if "/given/" in target and not killed:
                killed.append(target)
                eventually(lambda: going, "it was not started")[0].kill()
                return "cut"
            return None

        killed = []
        server.fault = kill  # the run is meant to start, and what it is given is put together
        going.append(place.start("job:mnist"))
        self.assertNotEqual(going[0].end().code, 0)
        self.assertTrue(killed)
        left = place.ask("attach").exits(2)
        self.assert_told(left, "was cut short before it was handed over", "looks whether it was started", "trainmake cancel")
        place.write("data/train.txt", "2\n2\n2\n")
        place.make("job:mnist")
        self.assertEqual((place.pull("job:mnist", "model.txt"), len(server.jobs)), ("3\n", 1))
        self.assertEqual([run["status"] for run in place.runs()], ["succeeded", "lost"])

    def test_data_waits_for_a_job_that_may_have_been_made(self):
        server = self.cloud()
        place = self.project(server)
        server.trouble = lambda action, _: (130, "Gateway error") if action == "CreateUAITrainJob" else None
        self.assert_told(place.ask("job:mnist").exits(3), "[130]", "not known whether the job was started")
        server.trouble = None
        place.write("data/train.txt", "2\n2\n2\n")
        waiting = place.start("job:mnist", "--json").until("of which nobody heard whether it started")
        self.assert_told(waiting.interrupt().end().exits(130), f"`trainmake cancel {place.runs()[0]['run']}` ends it")

    def test_a_main_that_there_is_not_is_told_before_anything_is_done(self):
        server = self.cloud()
        place = self.project(server)
        for more in ("", ", preflight = { syntax = false }"):
            place.replace("TRAINFILE.lua", 'memo = "first"', f'memo = "first", main = "nothere.py"{more}')
            self.assert_told(place.ask("job:mnist").exits(2), "There is no `nothere.py` among the code of `image:caffe-mnist`")
            place.replace("TRAINFILE.lua", f', main = "nothere.py"{more}', "")
        self.assertEqual((server.bytes_sent, server.calls), (0, []))

    def test_an_answer_that_was_lost_is_looked_for(self):
        server = self.cloud()
        place = self.project(server)
        server.trouble = lambda action, _: "lost" if action == "CreateUAITrainJob" else None
        self.assertEqual(place.make("job:mnist").cost, (1, 2, 1))
        self.assertEqual(len(server.called("CreateUAITrainJob")), 1)

    def test_a_job_that_is_missing_from_a_list_is_not_lost(self):
        server = self.cloud()
        place = self.project(server, args=", wait = true")
        place.ask("--no-wait", "job:mnist").exits(0)
        eventually(lambda: self.states(server) == ["Doing"], "it does not start")
        for asked in (place.root / ".trainmake/runs").glob("*/asked*"):
            words = asked.read_text().split()
            asked.write_text("\n".join([*words[:-1], str(int(words[-1]) - 100 * 10**9)]) + "\n")  # as if it was made long ago
        cut = ["cut"]
        server.trouble = lambda action, _: cut.pop() if cut and action == "GetUAITrainJobList" else None
        going = place.start("job:mnist", "--json").until("tells of 0 jobs and says that there are 1")
        server.open()
        going.end().exits(0)
        self.assertEqual((self.states(server), place.pull("job:mnist", "model.txt")), (["Done"], "3\n"))

    def test_a_refusal_that_nobody_knows_does_not_prove_that_nothing_was_made(self):
        server = self.cloud()
        place = self.project(server)
        server.trouble = lambda action, _: ("done", 5000, "internal error, database timeout") if action == "CreateUAITrainJob" else None
        self.assertEqual(place.make("job:mnist").cost, (1, 2, 1))
        self.assertEqual(len(server.called("CreateUAITrainJob")), 1)

    def test_lines_that_repeat_are_all_told(self):
        server = self.cloud()
        place = self.project(server)
        place.write("code/train.py", "import time\nfor i in range(30):\n    print('saved', flush=True)\n    time.sleep(0.15)\nprint('end')\n"
                                     "open('/data/output/model.txt', 'w').write('1')\n")
        made = place.make("job:mnist")
        self.assertEqual([event["line"] for event in made.events("log")], ["saved"] * 30 + ["end"])

    def test_what_the_vendor_says_reaches_the_person(self):
        server = self.cloud()
        place = self.project(server)
        server.trouble = lambda action, _: (520, f"balance of {PRIVATE} is low") if action == "CreateUAITrainJob" else None
        refused = place.ask("job:mnist").exits(3)
        self.assert_told(refused, "[520] balance of *** is low", "no money left")
        server.trouble = lambda action, _: (171, "Signature VerifyAC Error") if action == "CreateUAITrainJob" else None
        self.assert_told(place.ask("job:mnist").exits(3), "[171] Signature VerifyAC Error", "UCLOUD_PRIVATE_KEY")
        self.assertEqual(server.jobs, {})
        self.assertEqual({run["status"] for run in place.runs()}, {"failed"})
        server.trouble = None
        self.assertEqual(place.make("job:mnist").cost, (0, 0, 1))

    def test_a_machine_that_there_is_not_is_told_before_anything_is_done(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", "1-P40", "2-V100")
        told = place.ask("job:mnist").exits(2)
        self.assert_told(told, "no machine `2-V100`", *(f"`{count}-{kind}`" for count, kind in MACHINES.values()), "TRAINFILE.lua:")
        self.assertEqual(server.bytes_sent, 0)

    def test_what_is_missing_or_cannot_be_is_told_before_anything_is_sent(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", ", hours = 6", "")
        self.assert_told(place.ask("job:mnist").exits(2), "does not say how long it may take", "TRAINFILE.lua:")
        place.replace("TRAINFILE.lua", "nodes = 1", "hours = 6")
        place.replace("TRAINFILE.lua", 'files = glob "data/**"', 'files = glob "data/**", prefix = "my data"')
        self.assert_told(place.ask("job:mnist").exits(2), "cannot read `http://mnist-bucket.cn-bj.ufileos.com/my data/`", "a `prefix`")
        self.assertEqual((server.bytes_sent, server.made, server.calls), (0, [], []))

    def test_a_plan_asks_nobody(self):
        server = self.cloud()
        place = self.project(server)
        place.ask("plan", "job:mnist").exits(0)
        self.assertEqual((server.calls, server.bytes_sent), ([], 0))

    def test_an_endpoint_that_is_not_ucloud_gets_no_keys(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINSPACE.lua", 'type = "uai"', 'type = "uai", endpoint = "https://ucloud.cn.example.com"')
        told = place.ask("job:mnist").exits(2)
        self.assert_told(told, "none of UCloud's", "export UCLOUD_TRUSTED_ENDPOINT=https://ucloud.cn.example.com")
        self.assertEqual((server.calls, server.bytes_sent), ([], 0))

    def test_a_job_that_fails_shows_its_last_lines(self):
        server = self.cloud()
        place = self.project(server)
        place.append("code/train.py", "raise SystemExit('no gpu after all')\n")
        self.assert_told(place.ask("job:mnist").exits(1), "UAI-Train says `Error`", "no gpu after all", "--retry")
        server.take()
        self.assert_told(place.ask("job:mnist").exits(1), "nothing changed since")
        self.assertEqual(len(server.jobs), 1)

    def test_a_state_that_nobody_knows_is_shown_and_goes_on(self):
        server = self.cloud()
        place = self.project(server)
        server.held.set()
        going = place.start("job:mnist", "--json").until("UAI-Train says `Pending`")
        self.assertEqual([run["status"] for run in place.ask("ps", "--json").exits(0).lines], ["running"])
        server.held.clear()
        going.end().exits(0)

    def test_left_running_it_is_attached_to_and_cancelled(self):
        server = self.cloud()
        place = self.project(server, args=", wait = true")
        place.ask("--no-wait", "job:mnist").exits(0)
        eventually(lambda: self.states(server) == ["Doing"], "it does not start")
        self.assert_told(place.ask("show", "job:mnist").exits(0), "http://tensorboard.example.com/")
        place.ask("cancel", "job:mnist").exits(0)
        self.assertEqual(self.states(server), ["Stopped"])
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])
        place.ask("--no-wait", "--retry", "job:mnist").exits(0)
        eventually(lambda: self.states(server) == ["Stopped", "Doing"], "it does not start")
        going = place.start("attach", "job:mnist")
        server.open()
        going.end().exits(0)
        self.assertEqual(place.make("job:mnist").finished["submitted"], 0)
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_asked_for_in_another_shell_it_is_attached_to(self):
        server = self.cloud()
        place = self.project(server, args=", wait = true")
        first = place.start("job:mnist", "--json")
        eventually(lambda: self.states(server) == ["Doing"], "it does not start")
        second = place.start("job:mnist", "--json").until('"attached"')
        server.open()
        first, second = first.end().exits(0), second.end().exits(0)
        self.assertEqual([line["line"] for line in second.events("log")], [line["line"] for line in first.events("log")])
        self.assertTrue(second.events("log"))
        self.assertEqual((second.ran, second.finished["submitted"], len(server.jobs)), (["//job:mnist"], 0, 1))

    def test_a_job_reads_what_another_left(self):
        server = self.cloud()
        place = self.project(server)
        place.write("code/eval.py", "import sys\nprint('score=' + open('/data/data/model/model.txt').read(), sys.argv)\n"
                                    "open('/data/output/score.txt', 'w').write(open('/data/data/lenet_solver.prototxt').read())\n")
        place.append("TRAINFILE.lua", '''
            job "eval" { image = "image:caffe-mnist", main = "eval.py", data = { "data:mnist", model = "job:mnist" }, env = { MODE = "a b" },
                         resources = { node_type = "1-P40", hours = 1 }, outputs = { score = "score.txt" }, metrics = { score = "score=([%d.]+)" } }
        ''')
        made = place.make("job:eval")
        self.assertEqual(made.finished["submitted"], 2)
        self.assertEqual(place.runs("//job:eval")[0]["metrics"], {"score": 3})
        self.assertEqual(place.pull("job:eval", "score.txt"), "base_lr: 0.5\n")
        server.take()
        self.assert_nothing_ran(place.make("job:eval"))
        self.assertEqual(server.take(), ([], 0))

    def test_a_job_goes_on_from_the_checkpoint_of_the_last_run(self):
        server = self.cloud()
        place = self.project(server, args=", steps = 3")
        place.replace("TRAINFILE.lua", 'memo = "first"', 'resume = true, memo = "first"')
        place.write("code/train.py", """
import argparse, os

flags = argparse.ArgumentParser()
flags.add_argument("--steps", type=int)
flags.add_argument("--output_dir")
flags = flags.parse_known_args()[0]
kept = flags.output_dir + "/checkpoint/step"
done = int(open(kept).read()) if os.path.exists(kept) else 0
print("begins at", done)
os.makedirs(os.path.dirname(kept), exist_ok=True)
open(kept, "w").write(str(flags.steps))
open(flags.output_dir + "/model.txt", "w").write("%d new steps" % (flags.steps - done))
""")
        self.assert_told([event["line"] for event in place.make("job:mnist").events("log")], "begins at 0")
        self.assert_nothing_ran(place.make("job:mnist"))
        place.replace("TRAINFILE.lua", "steps = 3", "steps = 5")
        made = place.make("job:mnist")
        self.assert_told([event["line"] for event in made.events("log")], "begins at 3")
        self.assertEqual(place.pull("job:mnist", "model.txt"), "2 new steps")
        self.assert_told(place.ask("show", "job:mnist").exits(0), place.runs()[1]["run"])

    def test_secrets_are_refused_before_anything_is_done(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", 'memo = "first"', 'secrets = { "TOKEN" }, memo = "first"')
        place.env["TOKEN"] = "a word that nobody knows"
        self.assert_told(place.ask("job:mnist").exits(2), "has no place for `secrets`", "select { uai = {}", "TRAINFILE.lua:")
        self.assertEqual((server.bytes_sent, server.jobs), (0, {}))

    def test_a_run_is_repeated_as_it_was(self):
        server = self.cloud()
        place = self.project(server)
        place.make("job:mnist")
        run = place.runs()[0]["run"]
        place.append("code/train.py", "print('other')\n")
        place.ask("repro", run).exits(0)
        first, second = server.called("CreateUAITrainJob")
        self.assertEqual((second["CodeUhubPath"], second["DockerCmd"]), (first["CodeUhubPath"], first["DockerCmd"]))

    def test_the_same_job_is_tried_on_this_machine(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", '"/data/data/lenet_solver.prototxt"', 'data_dir "lenet_solver.prototxt"')
        tried = place.ask("run", "--local", "job:mnist").exits(0)
        self.assert_told(tried, "training on None gpu", "loss=3")
        self.assertEqual((server.jobs, server.bytes_sent), ({}, 0))

    def test_keys_are_in_no_address_and_in_nothing_that_is_kept_or_told(self):
        server = self.cloud()
        place = self.project(server)
        told = [place.make("job:mnist"), place.ask("show", "job:mnist"), place.ask("show", "--json", "job:mnist"), place.ask("logs", "job:mnist")]
        self.assertTrue(all(PRIVATE not in str(each) for each in told))
        self.assertTrue(all(PRIVATE not in path and PUBLIC not in path for _, path in server.requests))
        kept = subprocess.run(["grep", "-rlF", PRIVATE, str(place.root)], capture_output=True, text=True, check=False)
        self.assertEqual(kept.stdout, "")
        bodies = [action for action, parameters in server.calls if PRIVATE in parameters.values()]
        self.assertEqual(set(bodies), {"CreateUAITrainJob"})

    def test_two_workspaces_have_jobs_of_their_own(self):
        server = self.cloud()
        place = self.project(server)
        place.make("job:mnist")
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.env.update({**place.env, "HOME": str(place.home)})
        made = clone.make("job:mnist")
        self.assertEqual((made.cost[1:], len(server.jobs)), ((0, 1), 2))


class VendorsClient(OnMnist):
    """UCloud's own client is accepted, and sends field by field what trainmake sends."""

    def test_what_it_sends_is_what_trainmake_sends(self):
        server = self.cloud()
        place = self.project(server)
        place.make("job:mnist")
        ours = [(action, parameters) for action, parameters in server.calls if action in ACTIONS]
        self.assertIn("CreateUAITrainJob", [action for action, _ in ours])
        self.assert_sdk_sends(server, ours)

    def test_it_is_refused_as_the_vendor_refuses(self):
        server = self.cloud()
        self.assertEqual(self.sdk(server, ["GetUAITrainAvailableTrainMode", {"Zone": ZONE}], private="another")[0]["RetCode"], 171)
        self.assertEqual(self.sdk(server, ["GetUAITrainAvailableTrainMode", {"Zone": "cn-bj2-99"}])[0]["RetCode"], 293)
        self.assertEqual(self.sdk(server, ["StopUAITrainJob", {"Zone": ZONE, "TrainJobId": "uaitrain-nobody"}])[0]["RetCode"], 230)


if __name__ == "__main__":
    unittest.main()
