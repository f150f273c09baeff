"""A file too large to travel whole: its parts in the bucket, joined by the job, and what an edit of one costs."""

import hashlib
import unittest

from uai_story import OnUai

TRAIN = '''
import argparse, glob, hashlib, shutil

flags = argparse.ArgumentParser()
flags.add_argument("--data_dir")
flags.add_argument("--output_dir")
flags = flags.parse_known_args()[0]
with open("/tmp/train.mdb", "wb") as whole:
    for part in sorted(glob.glob(flags.data_dir + "/train.mdb-part*")):
        with open(part, "rb") as file:
            shutil.copyfileobj(file, whole)
with open("/tmp/train.mdb", "rb") as whole, open(flags.output_dir + "/digest.txt", "w") as told:
    told.write(hashlib.sha256(whole.read()).hexdigest())
print("joined")
'''

TRAINFILE = '''
code "mnist" { srcs = glob "code/**", main = "train.py" }
data "mnist" { files = glob "data/**", split = "64KiB" }
image "mnist" { code = "code:mnist", base = "scratch" }
job "mnist" { image = "image:mnist", data = "data:mnist", resources = { node_type = "1-P40", hours = 1 }, outputs = { digest = "digest.txt" } }
'''

TRAINSPACE = '''
platform "uai" { type = "uai", project_id = env("UAI_PROJECT", ""), registry = "demo", internal_uhub = true, bucket = "mnist-bucket" }
default_platform "uai"
'''

PART = 64 << 10


class Split(OnUai):
    def project(self):
        server = self.cloud()
        whole = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(7000))
        place = self.place({"code/train.py": TRAIN, "data/train.mdb": whole, "data/names.txt": "a\n", "TRAINFILE.lua": TRAINFILE, "TRAINSPACE.lua": TRAINSPACE})
        self.connect(place, server)
        return server, place, whole

    def parts(self, server):
        return {key: content for key, content in sorted(server.buckets["mnist-bucket"].items()) if key.startswith("mnist/train.mdb")}

    def test_parts_travel_and_the_job_joins_them(self):
        server, place, whole = self.project()
        self.assertEqual(place.make("job:mnist").cost, (1, 5, 1))
        self.assertEqual(self.parts(server), {f"mnist/train.mdb-part{i + 1:04}": whole[i * PART:][:PART] for i in range(4)})
        self.assertEqual(place.pull("job:mnist", "digest.txt"), hashlib.sha256(whole).hexdigest())
        server.take()
        self.assert_nothing_ran(place.make("job:mnist"))
        place.ask("gc").exits(0)
        self.assert_nothing_ran(place.make("job:mnist"))
        self.assertEqual(server.take(), ([], 0))

        edited = whole[:2 * PART] + b"another" + whole[2 * PART + 7:]
        place.write("data/train.mdb", edited)
        self.assertEqual(place.why("data:mnist")[0][1], "data/train.mdb")
        self.assertEqual(place.plan("job:mnist")["totals"]["objects"], 1)
        self.assertEqual(place.make("job:mnist").cost, (0, 1, 1))
        self.assertEqual(place.pull("job:mnist", "digest.txt"), hashlib.sha256(edited).hexdigest())

        archive, clone = str(place.home / "cache.tar.zst"), place.clone()
        self.addCleanup(clone.close)
        place.ask("cache", "export", archive).exits(0)
        clone.ask("cache", "import", archive).exits(0)
        self.assertEqual(clone.files_below(".trainmake/split"), place.files_below(".trainmake/split"))

        place.write("data/train.mdb", whole)
        self.assertEqual(place.make("job:mnist").cost, (0, 1, 0))
        place.ask("data", "verify", "data:mnist").exits(0)

    def test_a_job_that_asks_for_the_whole_is_told_of_the_parts(self):
        _, place, _ = self.project()
        place.replace("TRAINFILE.lua", 'data = "data:mnist",', 'data = "data:mnist", args = { db = data_dir "train.mdb" },')
        self.assert_told(place.ask("plan", "job:mnist").exits(2), "parts of it", "`train.mdb-part*`")

    def test_the_same_parts_lie_in_the_data_of_a_job_here(self):
        server, place, whole = self.project()
        place.ask("run", "--local", "--contract", "uai", "job:mnist").exits(0)
        self.assertEqual(place.pull("job:mnist", "digest.txt"), hashlib.sha256(whole).hexdigest())
        self.assertEqual((server.jobs, server.bytes_sent), ({}, 0))


if __name__ == "__main__":
    unittest.main()
