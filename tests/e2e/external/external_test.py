"""Data that lies somewhere already: in a bucket that others fill, or in a folder outside the workspace."""

import hashlib
import itertools
import os
import pathlib
import threading

from buckets import ENV, Bucket, Proxy, service
from registries import DEADLINE_S, free_port
from story import Story, eventually

MIB = 1 << 20
SPACE = 'store "elsewhere" {{ url = "s3://{bucket}", endpoint = "http://127.0.0.1:{port}", path_style = true }}\n'
FILE = '''
code "c" {{ srcs = {{ "main.py" }} }}
image "i" {{ code = "code:c", base = "scratch" }}
data "set" {{ url = "{url}"{more} }}
job "j" {{ image = "image:i", main = "main.py", data = {{ "data:set" }}, outputs = {{ seen = "seen.txt" }} }}
'''
MAIN = '''
import hashlib, os, pathlib
folder, out = (pathlib.Path(os.environ[f"TRAINMAKE_{which}_DIR"]) for which in ("DATA", "OUTPUT"))
(out / "seen.txt").write_text("".join(f"{f.relative_to(folder)} {hashlib.sha256(f.read_bytes()).hexdigest()}\\n"
                                     for f in sorted(folder.rglob("*")) if f.is_file()))
'''
SET = {"a.txt": b"aaa", "deep/b.txt": b"bbb", "ü n.txt": b""}


def seen(files):
    return "".join(f"{name} {hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files, key=pathlib.PurePath))


class InABucket(Story):
    made = 0

    @classmethod
    def setUpClass(cls):
        cls.port = cls.enterClassContext(service("minio"))

    def project(self, files=None, more="", fault=None, prefix="their/set"):
        """What others put there, the proxy before it, and a project whose job reads it."""
        type(self).made += 1
        hub = self.enterContext(Proxy(self.port, fault))
        bucket = Bucket(self.port, f"theirs{self.made}")
        for name, content in (SET if files is None else files).items():
            bucket.write(f"{prefix}/{name}", content)
        place = self.place({"TRAINSPACE.lua": SPACE.format(bucket=bucket.name, port=hub.port), "main.py": MAIN,
                            "TRAINFILE.lua": FILE.format(url=f"s3://{bucket.name}/{prefix}", more=more)})
        place.env.update(ENV)
        return bucket, hub, place

    def kinds(self, hub):
        return sorted(request.kind for request in hub.take())

    def test_a_job_reads_it_and_it_comes_once(self):
        bucket, hub, place = self.project()
        bucket.write("their/other.txt", b"not of this")
        bucket.write("their/set/.trainmake/x.json", b"what a trainmake keeps for itself")
        answer = place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen(SET))
        self.assertEqual(self.kinds(hub), ["get"] * len(SET) + ["list"])
        self.assertEqual(answer.finished["uploaded"], {"objects": 0, "bytes": 0})
        self.assert_nothing_ran(place.make("job:j"))
        self.assertEqual(self.kinds(hub), ["list"], "only whoever is asked knows")

    def test_however_quiet_it_was_a_run_asks(self):
        bucket, hub, place = self.project()
        place.make("job:j")
        for content in (b"second", b"third"):
            for _ in range(3):
                self.assert_nothing_ran(place.make("job:j"))
            bucket.write("their/set/a.txt", content)
            self.assertEqual(place.make("job:j").ran, ["//data:set", "//job:j"])
            self.assertEqual(place.pull("job:j", "seen.txt"), seen({**SET, "a.txt": content}))

    def test_what_changes_there_comes_and_nothing_else(self):
        bucket, hub, place = self.project()
        place.make("job:j")
        hub.take()
        bucket.write("their/set/a.txt", b"another")
        self.assert_told(place.ask("plan", "job:j").exits(0), "nothing to do")
        self.assertEqual(hub.take(), [], "a plan asks nobody")
        answer = place.make("job:j")
        self.assertEqual(answer.ran, ["//data:set", "//job:j"])
        self.assertEqual([(request.kind, request.path.rpartition("/")[2]) for request in hub.take() if request.kind != "list"], [("get", "a.txt")])
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({**SET, "a.txt": b"another"}))
        self.assert_told(place.ask("why", place.runs("//job:j")[0]["run"]), "data:set")
        bucket.remove("their/set/deep/b.txt")
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({"a.txt": b"another", "ü n.txt": b""}))

    def test_nothing_is_ever_written_there(self):
        bucket, hub, place = self.project()
        before = bucket.objects()
        place.make("job:j")
        place.ask("gc").exits(0)
        self.assertEqual({request.method for request in hub.take()}, {"GET"})
        self.assertEqual(bucket.objects(), before)

    def test_a_pin_is_believed_and_held_to(self):
        bucket, hub, place = self.project()
        told = place.ask("data", "verify", "data:set", "--json").exits(0).only
        self.assertEqual((told["objects"], told["bytes"], told["wrong"]), (3, 6, []))
        self.assert_told(place.ask("data", "verify", "data:set").exits(0), told["digest"])
        place.write("TRAINFILE.lua", FILE.format(url=f"s3://{bucket.name}/their/set", more=f', digest = "{told["digest"]}"'))
        place.make("job:j")
        hub.take()
        self.assert_nothing_ran(place.make("job:j"))
        self.assertEqual(hub.take(), [], "nobody is asked")
        bucket.write("their/set/a.txt", b"another")
        self.assert_nothing_ran(place.make("job:j"))
        self.assert_told(place.ask("data", "verify", "data:set").exits(1), "another digest")
        self.assert_told(place.ask("data", "verify", "data:set", "--heal").exits(3), "not ours to heal", "digest = ")
        fresh = place.clone()
        fresh.env.update(ENV)
        self.addCleanup(fresh.close)
        answer = fresh.ask("job:j").exits(3)
        self.assert_told(answer, "TRAINFILE.lua:4", "not what `digest` says")
        self.assertEqual(fresh.runs("//job:j"), [])

    def test_a_pin_is_no_other_data(self):
        bucket, hub, place = self.project()
        place.make("job:j")
        digest = place.ask("data", "verify", "data:set", "--json").only["digest"]
        place.write("TRAINFILE.lua", FILE.format(url=f"s3://{bucket.name}/their/set", more=f', digest = "{digest}"'))
        hub.take()
        answer = place.make("job:j")
        self.assertEqual((answer.ran, answer.finished["submitted"], hub.take()), (["//data:set"], 0, []))

    def test_cuts_are_gone_on_from(self):
        content = os.urandom(8 * MIB)
        cuts = []

        def fault(request, _):
            if request.kind == "get" and len(cuts) < 3:
                cuts.append(request)
                return "half"
            return None
        _, hub, place = self.project({"large.bin": content}, fault=fault)
        place.make("job:j")
        self.assertEqual(len(cuts), 3)
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({"large.bin": content}))

    def test_killed_it_goes_on_with_what_is_missing(self):
        files = {f"{number}.txt": b"%d" % number for number in range(60)}
        come = threading.Event()

        def fault(request, number):
            if number > 30:
                come.set()
                threading.Event().wait(0.2)
            return None
        _, hub, place = self.project(files, fault=fault)
        going = place.start("job:j")
        self.assertTrue(come.wait(DEADLINE_S))
        going.interrupt().end()
        came = {request.path for request in hub.take() if request.kind == "get" and request.answer == 200}
        hub.fault = None
        place.make("job:j")
        again = {request.path for request in hub.take() if request.kind == "get"}
        self.assertEqual(len(came | again), 60)
        self.assertLess(len(came & again), 33, "no more than were on their way")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen(files))

    def killed_half_way(self, content):
        """A project whose one large object had come half way when its trainmake was killed, and the file that it left."""
        gets = itertools.count()
        _, hub, place = self.project({"large.bin": content}, fault=lambda request, _: None if request.kind != "get" else 503 if next(gets) else "half")
        going = place.start("job:j")
        folder = place.path(".trainmake/listed")
        eventually(lambda: [part for part in folder.glob(".part-*") if part.stat().st_size == len(content) // 2], "it does not come")
        going.kill().end()
        hub.fault = None
        hub.take()
        (part,) = folder.glob(".part-*")
        return hub, place, part

    def test_killed_in_a_large_object_it_goes_on_in_there(self):
        content = os.urandom(8 * MIB)
        hub, place, part = self.killed_half_way(content)
        place.make("job:j")
        self.assertEqual([request.range for request in hub.take() if request.kind == "get"], [f"bytes={4 * MIB}-"])
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({"large.bin": content}))
        self.assertFalse(part.exists())

    def test_what_came_before_the_kill_is_held_against_its_tag(self):
        content = os.urandom(8 * MIB)
        hub, place, part = self.killed_half_way(content)
        with part.open("r+b") as file:
            file.write(bytes(4096))
        place.make("job:j")
        self.assertEqual([request.range for request in hub.take() if request.kind == "get"], [f"bytes={4 * MIB}-", None])
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({"large.bin": content}))

    def test_one_that_had_come_whole_is_asked_for_its_last_byte(self):
        content = os.urandom(8 * MIB)
        hub, place, part = self.killed_half_way(content)
        part.write_bytes(content)
        place.make("job:j")
        self.assertEqual([request.range for request in hub.take() if request.kind == "get"], [f"bytes={8 * MIB - 1}-"])
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({"large.bin": content}))

    def test_what_changes_between_list_and_read_is_not_taken(self):
        bucket, hub, place = self.project()
        changed = []

        def fault(request, _):
            if request.kind == "get" and not changed:
                changed.append(request)
                bucket.write("their/set/a.txt", b"meanwhile")
            return None
        hub.fault = fault
        answer = place.ask("job:j")
        if answer.code == 0:  # it was read before
            answer = place.make("job:j")
        else:
            self.assert_told(answer.exits(3), "changed since it was listed")
            answer = place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({**SET, "a.txt": b"meanwhile"}))

    def test_an_object_that_is_another_while_it_comes_is_no_mixture(self):
        ours, other = os.urandom(3 * MIB), os.urandom(3 * MIB)
        bucket, hub, place = self.project({"x.bin": ours})
        reads = itertools.count(1)

        def fault(request, _):
            if request.kind != "get":
                return None
            number = next(reads)
            if number == 1:
                bucket.write("their/set/x.bin", other)
                return "half"
            bucket.write("their/set/x.bin", ours)
            return None
        hub.fault = fault
        answer = place.ask("job:j")
        if answer.code:
            self.assert_told(answer.exits(3), "changed since it was listed", "Run it again")
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({"x.bin": ours}))

    def test_what_is_damaged_on_its_way_is_never_kept(self):
        _, hub, place = self.project({"x.bin": b"0123456789"})
        damaged = []
        hub.change = lambda request, content: damaged.append(request) or b"0123456780" if request.kind == "get" else content
        self.assert_told(place.ask("job:j").exits(3), "x.bin", "damaged", "Is there a proxy in between")
        self.assertEqual(len(damaged), 3)
        hub.change = None
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({"x.bin": b"0123456789"}))

    def test_what_rotted_here_is_found_and_comes_again(self):
        _, hub, place = self.project({"x.bin": b"x" * 100, "y.bin": b"y"})
        place.make("job:j")
        blob = place.path(".trainmake/blobs/sha256") / hashlib.sha256(b"x" * 100).hexdigest()[:2] / hashlib.sha256(b"x" * 100).hexdigest()
        self.assertEqual(place.ask("data", "verify", "data:set", "--json").exits(0).only["here"], 2)
        blob.chmod(0o600)
        blob.write_bytes(b"z" * 100)
        self.assert_told(place.ask("data", "verify", "data:set").exits(1), "x.bin was damaged here", "`trainmake data:set` reads it again")
        hub.take()
        place.make("data:set")
        self.assertEqual(self.kinds(hub), ["get", "list"])
        place.ask("data", "verify", "data:set").exits(0)
        hub.take()
        place.ask("data:set", "--force").exits(0)
        self.assertEqual(self.kinds(hub), ["get", "get", "list"], "all of it is read anew")

    def test_targets_of_one_url_are_listed_once_and_each_object_comes_once(self):
        _, hub, place = self.project()
        declared = next(line for line in place.read("TRAINFILE.lua").splitlines() if line.startswith("data "))
        place.append("TRAINFILE.lua", declared.replace('"set"', '"twin"').replace(" }", ', dest = "d" }') + "\n")
        place.make("data:set", "data:twin")
        self.assertEqual(self.kinds(hub), ["get"] * len(SET) + ["list"])

    def test_a_query_is_refused_and_shown_nowhere(self):
        bucket, hub, place = self.project()
        place.replace("TRAINFILE.lua", f"s3://{bucket.name}/their/set", f"s3://{bucket.name}/their/set?sig=a-secret")
        for words in (["job:j"], ["plan", "job:j"], ["data", "verify", "data:set"]):
            answer = place.ask(*words).exits(2)
            self.assert_told(answer, "`url` has a query", "TRAINFILE.lua:4")
            self.assertNotIn("a-secret", answer.text)
        self.assertEqual([name for name in place.files_below(".trainmake") if b"a-secret" in place.path(f".trainmake/{name}").read_bytes()], [])

    def test_a_download_that_was_killed_is_tidied_up(self):
        content = os.urandom(8 * MIB)
        come = threading.Event()

        def fault(request, _):
            if request.kind == "get":
                come.set()
                return "half"
            return None
        _, hub, place = self.project({"large.bin": content}, fault=fault)
        going = place.start("job:j")
        self.assertTrue(come.wait(DEADLINE_S))
        eventually(lambda: list(place.path(".trainmake/listed").glob(".part-*")), "nothing came")
        going.kill().end()
        self.assertTrue(list(place.path(".trainmake/listed").glob(".part-*")))
        place.ask("gc").exits(0)
        self.assertEqual(list(place.path(".trainmake/listed").glob(".part-*")), [])

    def test_what_cannot_be_is_told_before_anything_runs(self):
        bucket, hub, place = self.project()
        file = place.read("TRAINFILE.lua")
        for told, code, new in (("Nothing lies in", 3, file.replace("their/set", "nowhere")),
                                ("both `url` and `files`", 2, file.replace('data "set" {', 'data "set" { files = glob "*.py",')),
                                ("both `url` and `store`", 2, file.replace('data "set" {', 'data "set" { store = "elsewhere",')),
                                ("what kind of place", 2, file.replace("s3://", "")),
                                ("no SHA-256", 2, file.replace('data "set" {', 'data "set" { digest = "12",')),
                                ("no known kind", 2, file.replace("s3://", "gopher://"))):
            place.write("TRAINFILE.lua", new)
            answer = place.ask("job:j").exits(code)
            self.assert_told(answer, told, "TRAINFILE.lua:4")
        self.assertEqual(place.runs("//job:j"), [])
        place.write("TRAINSPACE.lua", SPACE.format(bucket="no-such-bucket-1", port=hub.port))
        place.write("TRAINFILE.lua", file.replace(bucket.name, "no-such-bucket-1"))
        self.assert_told(place.ask("job:j").exits(3), "NoSuchBucket", "TRAINFILE.lua:4")

    def test_a_service_that_is_down_is_told(self):
        place = self.place({"TRAINSPACE.lua": SPACE.format(bucket="bucket", port=free_port()), "main.py": MAIN, "TRAINFILE.lua": FILE.format(url="s3://bucket/set", more="")})
        place.env.update(ENV)
        self.assert_told(place.ask("job:j").exits(3), "127.0.0.1")

    def test_another_checkout_that_got_the_cache_reads_nothing_anew(self):
        _, hub, place = self.project()
        place.make("job:j")
        place.ask("cache", "export", "cache.tar").exits(0)
        other = place.clone()
        other.env.update(ENV)
        self.addCleanup(other.close)
        other.ask("cache", "import", str(place.path("cache.tar"))).exits(0)
        hub.take()
        self.assert_nothing_ran(other.make("job:j"))
        self.assertEqual(self.kinds(hub), ["list"])


class InAFolder(Story):
    def project(self, more=""):
        outside = self.place({f"their/{name}": content for name, content in SET.items()})
        place = self.place({"main.py": MAIN, "TRAINFILE.lua": FILE.format(url=f"dir:{outside.path('their')}", more=more)})
        return outside, place

    def test_it_is_read_where_it_lies(self):
        outside, place = self.project()
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen(SET))
        self.assert_nothing_ran(place.make("job:j"))
        outside.write("their/a.txt", b"another")
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen({**SET, "a.txt": b"another"}))
        self.assertEqual(outside.files_below("their"), sorted(SET))

    def held(self):
        """A job that has begun, and reads the folder once its gate is open."""
        outside, place = self.project()
        gate = place.gate()
        place.write("main.py", f'print("at the gate", flush=True)\nopen("{gate.path}").close()\n' + MAIN)
        return outside, gate, place.start("job:j", "--json").until("at the gate")

    def test_one_that_was_another_for_a_while_makes_a_result_nobodys(self):
        for folder in ("their", "their/deep"):
            with self.subTest(folder=folder):
                outside, gate, going = self.held()
                outside.rename(folder, "aside")
                outside.write(f"{folder}/b.txt", b"ccc")
                outside.remove(folder)
                outside.rename("aside", folder)
                outside.write(f"{folder}/came", b"")
                outside.remove(f"{folder}/came")
                gate.open()
                self.assert_told(going.end().exits(1).messages, "The result of `job:j` is not taken", f"{outside.path(folder)}` was written, moved or touched")

    def test_what_comes_and_goes_beside_its_files_is_no_doubt(self):
        outside, gate, going = self.held()
        for name in ("their/came", "their/deep/came", "came"):
            outside.write(name, b"")
        outside.remove("their/deep/came")
        outside.path("their/deep").chmod(0o700)
        gate.open()
        going.end().exits(0)

    def test_it_is_not_sent_to_the_default_store(self):
        outside, place = self.project()
        place.write("TRAINSPACE.lua", 'store "b" { url = "dir:bucket" }\ndefault_store "b"\n')
        answer = place.make("job:j")
        self.assertEqual(answer.finished["uploaded"], {"objects": 0, "bytes": 0})
        self.assertFalse(place.path("bucket").exists())

    def test_it_goes_to_a_store_that_it_names(self):
        outside, place = self.project(more=', store = "b", prefix = "p"')
        with service("minio") as port:
            bucket = Bucket(port, "ours")
            place.write("TRAINSPACE.lua", f'store "b" {{ url = "s3://ours", endpoint = "http://127.0.0.1:{port}", path_style = true }}\n')
            place.env.update(ENV)
            place.make("job:j")
            self.assertEqual(place.pull("job:j", "seen.txt"), seen(SET))
            self.assertEqual(bucket.objects(), {f"p/{name}": content for name, content in SET.items()})
            outside.remove("their/a.txt")
            place.make("data:set")
            self.assertEqual(sorted(bucket.keys()), ["p/deep/b.txt", "p/ü n.txt"])
            place.ask("data", "verify", "data:set").exits(0)

    def test_it_may_be_a_link_in_the_project(self):
        outside, place = self.project()
        place.path("linked").symlink_to(outside.path("their"))
        place.replace("TRAINFILE.lua", f'url = "dir:{outside.path("their")}"', 'files = glob "linked/**"')
        self.assert_told(place.ask("job:j").exits(2), "`linked` is a link to a folder", '`url = "dir:linked"`')
        place.replace("TRAINFILE.lua", 'files = glob "linked/**"', 'url = "dir:linked"')
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "seen.txt"), seen(SET))

    def test_an_empty_one_is_perhaps_not_mounted(self):
        outside, place = self.project()
        outside.remove("their")
        outside.path("their").mkdir()
        self.assert_told(place.ask("job:j").exits(2), "TRAINFILE.lua:4", "Nothing lies in the folder", "Is it mounted?")

    def test_one_that_is_not_there_is_told(self):
        outside, place = self.project()
        outside.rename("their", "gone")
        self.assert_told(place.ask("job:j").exits(2), "TRAINFILE.lua:4", "their")

    def test_a_pin_is_of_stores(self):
        _, place = self.project(more=f', digest = "{"0" * 64}"')
        self.assert_told(place.ask("job:j").exits(2), "`digest` pins what lies in a store")
