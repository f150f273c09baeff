"""Data that somebody replaces in the bucket while a job waits or runs: what came of that is no result, and the next run makes it anew."""

import unittest

from story import eventually
from uai_test import OnMnist


class Replaced(OnMnist):
    def held(self, server, **more):
        """A job that waits there, and a clone with other data."""
        place = self.project(server, **more)
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.env.update({**place.env, "HOME": str(place.home)})
        clone.write("data/train.txt", "100\n200\n")
        server.held.set()
        return place, clone

    def assert_not_taken(self, told):
        self.assert_told(told, "is not taken", "was replaced in `", "while the job could read it")

    def test_by_a_clone_while_the_job_is_attached_to(self):
        server = self.cloud()
        place, clone = self.held(server)
        going = place.start("job:mnist")
        eventually(lambda: server.jobs, "no job")
        clone.make("data:mnist")
        server.held.clear()
        told = going.end().exits(1)
        self.assert_not_taken(told)
        self.assert_told(told, "snapshot = true")
        self.assert_told(place.ask("pull", "job:mnist", "--to", "x").exits(0), "is no result of job:mnist: `//data:mnist` was replaced")
        place.ask("data", "verify", "--heal", "data:mnist").exits(0)
        self.assertEqual(place.make("job:mnist").finished["submitted"], 1)
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_and_brought_back_before_anybody_looks(self):
        server = self.cloud()
        place, clone = self.held(server)
        place.ask("--no-wait", "job:mnist").exits(0)
        clone.make("data:mnist")
        server.held.clear()
        eventually(lambda: self.states(server) == ["Done"], "it does not end")
        place.ask("data", "verify", "--heal", "data:mnist").exits(0)
        self.assert_not_taken(place.ask("job:mnist").exits(1))
        place.make("job:mnist")
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_a_snapshot_is_replaced_by_nobody(self):
        server = self.cloud()
        place, clone = self.held(server)
        for each in (place, clone):
            each.replace("TRAINFILE.lua", 'files = glob "data/**"', 'files = glob "data/**", snapshot = true')
        going = place.start("job:mnist")
        eventually(lambda: server.jobs, "no job")
        clone.make("data:mnist")
        server.held.clear()
        going.end().exits(0)
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_a_clone_that_sends_nothing_replaces_nothing(self):
        server = self.cloud()
        place, clone = self.held(server)
        clone.write("data/train.txt", "1\n2\n3\n")
        going = place.start("job:mnist")
        eventually(lambda: server.jobs, "no job")
        clone.make("data:mnist")
        server.held.clear()
        going.end().exits(0)
        self.assert_nothing_ran(place.make("job:mnist"))

    def test_by_whoever_owns_what_lies_at_a_url(self):
        server = self.cloud("mnist-bucket")
        place, _ = self.held(server)
        bucket, right = server.buckets["mnist-bucket"], b"1\n2\n3\n"
        bucket.update({"theirs/train.txt": right, "theirs/lenet_solver.prototxt": b"base_lr: 0.5\n"})
        place.replace("TRAINFILE.lua", 'files = glob "data/**"', 'url = "ufile://mnist-bucket/theirs"')
        going = place.start("job:mnist")
        eventually(lambda: server.jobs, "no job")
        bucket["theirs/train.txt"] = b"100\n200\n"
        server.held.clear()
        self.assert_not_taken(going.end().exits(1))
        bucket["theirs/train.txt"] = right
        place.make("job:mnist")
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_by_somebody_who_tells_nobody(self):
        server = self.cloud()
        place, _ = self.held(server)
        bucket, right = server.buckets, b"1\n2\n3\n"
        going = place.start("job:mnist")
        eventually(lambda: server.jobs, "no job")
        bucket["mnist-bucket"]["mnist/train.txt"] = b"4\n5\n6\n"  # as long
        server.metadata["mnist-bucket", "mnist/train.txt"] = {}
        server.held.clear()
        self.assert_not_taken(going.end().exits(1))
        self.assert_told(place.ask("job:mnist").exits(3), "`train.txt` is another one, or gone", "data verify --heal")
        self.assertEqual(len(server.jobs), 1)
        place.ask("data", "verify", "--heal", "data:mnist").exits(0)
        self.assertEqual(bucket["mnist-bucket"]["mnist/train.txt"], right)
        self.assertEqual(place.make("job:mnist").finished["submitted"], 1)
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def told_by(self, place):
        return place.ask("job:mnist").exits(0).err

    def test_what_the_data_has_no_file_for_is_told_before_a_job_reads_it(self):
        server = self.cloud("mnist-bucket")
        place = self.project(server)
        bucket = server.buckets["mnist-bucket"]
        bucket["mnist/old.txt"] = b"100\n"
        told = "A job reads all that lies in `reach/mnist`, also "
        self.assert_told(self.told_by(place), "1 object that `data:mnist` has no file for: `old.txt`. Remove it there", told, "`snapshot = true`")
        bucket.update({f"mnist/eval/{each}.txt": b"" for each in "abc"})
        place.append("code/train.py", "print('new')\n")
        self.assert_told(self.told_by(place), "also 4 objects that", "`eval/a.txt`, `eval/b.txt`, `eval/c.txt` and 1 more")
        self.assertNotIn(told, self.told_by(place))
        place.replace("TRAINFILE.lua", 'files = glob "data/**"', 'files = glob "data/**", snapshot = true')
        place.append("code/train.py", "print('newer')\n")
        self.assertNotIn(told, self.told_by(place))
        self.assertEqual(len(server.jobs), 3)

    def test_so_is_what_is_left_there_of_its_own(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", 'files = glob "data/**"', 'files = glob "data/**", prune = false')
        place.write("data/old.txt", "4\n")
        self.assertNotIn("has no file for", self.told_by(place))
        place.path("data/old.txt").unlink()
        self.assert_told(self.told_by(place), "1 object that `data:mnist` has no file for: `old.txt`")

    def test_a_bucket_that_does_not_answer_then_is_asked_again(self):
        server = self.cloud()
        place, _ = self.held(server)
        going = place.start("job:mnist")
        eventually(lambda: server.jobs, "no job")
        server.fault = lambda command, path, number: 403 if command == "HEAD" else None
        server.held.clear()
        going.end().exits(3)
        server.fault = None
        self.assertEqual(place.make("job:mnist").finished["submitted"], 0)
        self.assertEqual(place.pull("job:mnist", "model.txt"), "3\n")

    def test_what_several_targets_gave_is_put_together_again_where_it_is_gone(self):
        server = self.cloud()
        place = self.project(server)
        place.write("more/x.txt", "7\n")
        place.append("TRAINFILE.lua", 'data "more" { files = glob "more/**" }\n')
        place.replace("TRAINFILE.lua", 'data = "data:mnist"', 'data = { "data:mnist", "data:more" }')
        place.make("job:mnist")
        bucket = server.buckets["mnist-bucket"]
        given = sorted(key for key in bucket if "/given/" in key)
        del bucket[next(key for key in given if key.endswith("train.txt"))]
        bucket[next(key for key in given if key.endswith("x.txt"))] = b"8\n"
        bucket[given[0].rsplit("/", 1)[0] + "/other.txt"] = b""
        before = {key: bucket[key] for key in given if key.endswith(".prototxt")}
        place.append("code/train.py", "print(sorted(os.listdir('/data/data')))\n")
        made = place.make("job:mnist")
        self.assert_told([event["line"] for event in made.events("log")], "loss=3", "['lenet_solver.prototxt', 'train.txt', 'x.txt']")
        self.assertEqual((made.finished["uploaded"]["objects"], bucket.items() >= before.items()), (2, True))
        self.assertEqual(next(bucket[key] for key in given if key.endswith("x.txt")), b"7\n")


if __name__ == "__main__":
    unittest.main()
