"""Several projects and clones on one account at once: each has jobs of its own, and takes up no other's, whenever it is killed."""

import itertools
import re
import threading
import unittest

from story import eventually
from uai_story import OnUai

TRAIN = '''
import os, time

while os.path.exists("/data/data/wait.txt") and not os.path.exists("/data/go"):
    time.sleep(0.01)
open("/data/output/model.txt", "w").write(open("/data/data/train.txt").read())
print("trained")
'''

TRAINFILE = '''
code "mnist" { srcs = glob "code/**", main = "train.py" }
data "mnist" { files = glob "data/**" }
image "mnist" { code = "code:mnist", base = "scratch" }
job "mnist" { image = "image:mnist", data = "data:mnist", resources = { node_type = "1-P40", hours = 1 }, outputs = { model = "model.txt" } }
'''

TRAINSPACE = '''
platform "uai" { type = "uai", project_id = env("UAI_PROJECT", ""), registry = "demo", internal_uhub = true, bucket = "shared-bucket" }
default_platform "uai"
'''

CREATE = "CreateUAITrainJob"


class Shared(OnUai):
    def workspace(self, server, *projects, train="1\n", wait=False):
        files = {"TRAINSPACE.lua": TRAINSPACE}
        for project in projects:
            top = project and project + "/"
            files.update({top + "TRAINFILE.lua": TRAINFILE, top + "code/train.py": TRAIN, top + "data/train.txt": project + train})
            files.update({top + "data/wait.txt": ""} if wait else {})
        place = self.place(files)
        self.connect(place, server, "shared-bucket")
        return place

    def clone(self, place):
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.env.update({**place.env, "HOME": str(place.home)})
        return clone

    def folder_of(self, place, label="job:mnist"):
        """Where in the bucket the run of a workspace leaves what it makes: the name of the job that it took for its own is in there."""
        return re.search(r"https?://\S+/runs/\S+", str(place.ask("show", label).exits(0)))[0]

    def assert_all_took_their_own(self, server, *folders):
        self.assertEqual(sorted(folders), sorted(job.asked["OutputUfilePath"] for job in server.jobs.values()))
        self.assertEqual(len(set(folders)), len(folders))

    def test_two_projects_of_a_workspace_train_at_once(self):
        server = self.cloud()
        place = self.workspace(server, "a", "b", wait=True)
        going = place.start("--json", "//...")
        eventually(lambda: [job.state for job in server.jobs.values()] == ["Doing", "Doing"], "they do not run at once")
        going.kill().end()
        going = place.start("--json", "//...")
        server.open()
        going.end().exits(0)
        self.assertEqual([place.pull(f"//{project}/job:mnist", "model.txt") for project in "ab"], ["a1\n", "b1\n"])
        self.assert_all_took_their_own(server, *(self.folder_of(place, f"//{project}/job:mnist") for project in "ab"))

    def test_two_projects_killed_between_create_and_answer_have_a_job_each(self):
        server = self.cloud()
        place = self.workspace(server, "a", "b")
        for _ in range(2):
            going, creations = [], itertools.count()

            def kill(action, _):
                if action != CREATE:
                    return None
                if next(creations) > 0:
                    return "silent"
                eventually(lambda: going, "it was not started")[0].kill()
                return "lost"

            server.trouble = kill
            going.append(place.start("//..."))
            self.assertNotEqual(going[0].end(within_s=150).code, 0)  # one that was asked for in vain is looked for for 70 s
        self.assertEqual(len(server.jobs), 2)
        server.trouble = None
        place.make("//...")
        self.assertEqual([place.pull(f"//{project}/job:mnist", "model.txt") for project in "ab"], ["a1\n", "b1\n"])
        self.assert_all_took_their_own(server, *(self.folder_of(place, f"//{project}/job:mnist") for project in "ab"))

    def test_two_clones_killed_between_create_and_answer_have_a_job_each(self):
        server = self.cloud()
        place = self.workspace(server, "")
        places = [place, self.clone(place)]
        for each in places:
            each.make("image:mnist", "data:mnist")
        both_asked = threading.Barrier(2, timeout=60)
        going = []

        def kill(action, _):
            if action != CREATE or not going:
                return None
            if both_asked.wait() == 0:
                for each in eventually(lambda: len(going) == 2 and list(going), "they were not started"):
                    each.kill()
            both_asked.wait()
            return "lost"

        server.trouble = kill
        going.extend(each.start("job:mnist") for each in places)
        for each in list(going):
            self.assertNotEqual(each.end().code, 0)
        going.clear()
        eventually(lambda: len(server.jobs) == 2, "one was not made")
        self.assertEqual(len({job.asked["DockerCmd"] for job in server.jobs.values()}), 1)
        for each in places:
            each.make("job:mnist")
        self.assertEqual([each.pull("job:mnist", "model.txt") for each in places], ["1\n", "1\n"])
        self.assert_all_took_their_own(server, *(self.folder_of(each) for each in places))


if __name__ == "__main__":
    unittest.main()
