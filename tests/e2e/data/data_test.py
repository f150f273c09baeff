"""Data in a bucket, whichever service it is: each story is told of MinIO and of versitygw."""

import collections
import hashlib
import itertools
import json
import os
import random
import subprocess
import threading
import time

from buckets import BOTO3, ENV, KEY, REGION, SECRET, Bucket, Proxy, python_with, sent, service
from registries import DEADLINE_S, free_port
from story import Story, eventually

MIB = 1 << 20
AT_ONCE = 8  # parts of one object
SPACE = 'store "b" {{ url = "s3://{bucket}/prefix", endpoint = "http://127.0.0.1:{port}", path_style = true{more} }}\ndefault_store "b"\n'
FILE = 'data "d" {{ files = glob "in/**"{more} }}\n'
ABC = {"a.txt": b"aaa", "b.txt": b"bbb", "sub/c.txt": b"ccc"}
READ_WITH_BOTO3 = """
import boto3, botocore.config, hashlib, json, sys
port, key, secret, region, bucket = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", aws_access_key_id=key, aws_secret_access_key=secret, region_name=region,
                  config=botocore.config.Config(s3={"addressing_style": "path"}))
found = [entry["Key"] for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket) for entry in page["Contents"]]
print(json.dumps({key: hashlib.sha256(s3.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest() for key in found}))
"""


def is_part(request):
    return "partNumber=" in request.query


class Buckets:
    kind = ""  # as `service` names it
    nobody_is_told = ""
    made = 0

    @classmethod
    def setUpClass(cls):
        cls.port = cls.enterClassContext(service(cls.kind))

    def bucket(self, fault=None):
        """An empty bucket and the proxy before it."""
        type(self).made += 1
        hub = self.enterContext(Proxy(self.port, fault))
        return Bucket(self.port, f"bucket{self.made}"), hub

    def project(self, bucket, hub, files, more="", space=""):
        place = self.place({"TRAINSPACE.lua": SPACE.format(bucket=bucket.name, port=hub.port, more=space), "TRAINFILE.lua": FILE.format(more=more)})
        place.env.update(ENV)
        for name, content in files.items():
            place.write(f"in/{name}", content)
        return place

    def clone_of(self, place):
        clone = place.clone()
        clone.env.update(ENV)
        self.addCleanup(clone.close)
        return clone

    def files_of(self, place):
        return {f"prefix/d/{name}": place.path(f"in/{name}").read_bytes() for name in place.files_below("in")}

    def assert_holds(self, bucket, files):
        there = bucket.objects()
        self.assertEqual(sorted(there), sorted(files))
        self.assertEqual([key for key in files if there[key] != files[key]], [])

    def assert_same(self, bucket, place):
        self.assert_holds(bucket, self.files_of(place))

    def assert_counted(self, answer, requests):
        """As many of each kind as came. One that was cut on a connection that had served before may have been begun again below what counts."""
        counted = {kind: count for kind, count in answer.finished["requests"].items() if count}
        came, cut = ({kind: count for kind, count in collections.Counter(request.kind for request in of).items()}
                     for of in (requests, [request for request in requests if not isinstance(request.answer, str)]))
        self.assertIn(counted, (came, cut), requests)

    # What is sent.

    def test_others_read_what_is_sent_and_unchanged_asks_nobody(self):
        bucket, hub = self.bucket()
        odd = ["empty", "with space.txt", "ünïcode/日本語 🙂.txt", "a&b=c?d#e.txt", "100%25+1.txt", "quote'\"s.txt", "~!@$^*(){}[];:,<>|.txt", ".hidden/.x", "..two"]
        place = self.project(bucket, hub, {**{name: b"" if name == "empty" else name.encode() for name in odd}, "large.bin": os.urandom(70 * MIB)})
        answer = place.make("data:d")
        requests = hub.take()
        self.assertEqual(answer.finished["uploaded"], {"objects": 10, "bytes": sum(map(len, self.files_of(place).values()))})
        self.assert_counted(answer, requests)
        self.assertGreaterEqual(sum(map(is_part, requests)), 5)
        self.assert_same(bucket, place)
        self.assertEqual(self.seen_by_boto3(bucket), {key: hashlib.sha256(content).hexdigest() for key, content in self.files_of(place).items()})
        answer = place.make("data:d")
        self.assert_nothing_ran(answer)
        self.assertEqual((sum(answer.finished["requests"].values()), hub.take()), (0, []))

    def seen_by_boto3(self, bucket):
        words = [python_with("boto3", *BOTO3), "-c", READ_WITH_BOTO3, str(self.port), KEY, SECRET, REGION, bucket.name]
        found = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
        return {key: digest for key, digest in found.items() if ".trainmake" not in key.split("/")}

    def test_one_of_500_is_two_requests(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {f"{number}.txt": f"{number}\n" for number in range(500)})
        place.make("data:d")
        self.assertEqual(len(bucket.keys()), 500)
        hub.take()
        place.write("in/77.txt", "changed\n")
        answer = place.make("data:d")
        requests = hub.take()
        self.assertEqual([request.method for request in requests], ["PUT", "PUT"], requests)
        self.assert_counted(answer, requests)
        self.assertEqual(answer.finished["uploaded"], {"objects": 1, "bytes": 8})
        self.assertEqual(bucket.read("prefix/d/77.txt"), b"changed\n")

    def test_what_is_gone_is_removed_last_and_only_what_is_ours(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC)
        place.make("data:d")
        bucket.write("prefix/d/theirs.txt", b"theirs")
        hub.take()
        place.remove("in/a.txt")
        place.remove("in/sub/c.txt")
        place.write("in/new.txt", "new")
        planned = place.plan("data:d")
        self.assertEqual((planned["steps"][0]["removals"], planned["totals"]["removals"]), ({"objects": 2}, 2))
        answer = place.make("data:d")
        requests = hub.take()
        self.assertEqual(answer.finished["deleted"], {"objects": 2})
        self.assertEqual([request.method for request in requests if request.method in ("DELETE", "POST")], [requests[-1].method], requests)
        self.assert_holds(bucket, {**self.files_of(place), "prefix/d/theirs.txt": b"theirs"})

    def test_without_prune_nothing_goes_away(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC, more=", prune = false")
        place.make("data:d")
        place.remove("in/a.txt")
        place.make("data:d")
        self.assertIn("prefix/d/a.txt", bucket.keys())
        place.replace("TRAINFILE.lua", "prune = false", "prune = true")
        self.assert_told(place.ask("data:d").exits(0), "0 objects, 0 B to b, 1 removed")
        self.assertNotIn("prefix/d/a.txt", bucket.keys())

    def test_what_another_target_has_is_copied_whoever_is_asked_for(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"large.bin": os.urandom(12 * MIB)})
        place.make("data:d")
        # One that reads the same, and one that took its place under another name.
        for name in ("other", "renamed"):
            place.write("TRAINFILE.lua", f'data "{name}" {{ files = glob "in/**" }}\n')
            hub.take()
            answer = place.ask(f"data:{name}").exits(0)
            self.assertLess(sent(hub.take()), 100_000)
            self.assert_told(answer, "0 objects, 0 B to b, 1 copied there")
            self.assertEqual(bucket.read(f"prefix/{name}/large.bin"), place.path("in/large.bin").read_bytes())

    def test_a_renamed_file_is_copied_by_the_service(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"large.bin": os.urandom(12 * MIB)})
        place.make("data:d")
        hub.take()
        place.rename("in/large.bin", "in/renamed.bin")
        answer = place.make("data:d")
        self.assertLess(sent(hub.take()), 100_000)
        self.assertEqual(answer.finished["uploaded"], {"objects": 0, "bytes": 0})
        self.assert_same(bucket, place)

    def test_of_a_file_that_grew_the_end_is_sent(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"large.bin": os.urandom(70 * MIB)})
        place.make("data:d")
        hub.take()
        with open(place.path("in/large.bin"), "ab") as file:
            file.write(os.urandom(MIB))
        place.make("data:d")
        self.assertLess(sent(hub.take()), 20 * MIB)
        self.assert_same(bucket, place)

    def test_a_service_that_takes_no_if_match_is_sent_to_once(self):
        bucket, hub = self.bucket(lambda request, number: 501 if request.method == "PUT" and request.if_match else None)
        place = self.project(bucket, hub, ABC)
        place.make("data:d")
        self.assertEqual(len([request for request in hub.take() if request.method == "PUT" and not request.is_kept_for_itself]), len(ABC))
        self.assert_same(bucket, place)
        self.assert_nothing_ran(place.make("data:d"))

    # Others.

    def test_of_a_snapshot_only_what_changed_is_sent(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {f"{number:03}.txt": f"{number}\n" * 100 for number in range(50)}, more=", snapshot = true")
        place.make("data:d")
        first = bucket.objects()
        place.write("in/007.txt", "changed\n")
        hub.take()
        answer = place.make("data:d")
        self.assertEqual(answer.finished["uploaded"], {"objects": 1, "bytes": 8})
        self.assertEqual(sum(request.sent for request in hub.take() if not request.is_kept_for_itself), 8)
        both = bucket.objects()
        self.assertEqual(len(both), 100)
        self.assertEqual({key: content for key, content in both.items() if key in first}, first)
        self.assertEqual(sorted(key.split("/")[-1] for key in both), sorted(2 * [f"{number:03}.txt" for number in range(50)]))
        self.assertEqual([content for key, content in both.items() if key not in first and key.endswith("/007.txt")], [b"changed\n"])
        place.write("in/007.txt", "7\n" * 100)
        hub.take()
        place.make("data:d")
        self.assertEqual([request.method for request in hub.take()], ["HEAD"], "whether it is there still")

    def test_what_another_target_has_is_copied(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"one.bin": os.urandom(3 * MIB)})
        place.make("data:d")
        place.append("TRAINFILE.lua", 'data "e" { files = glob "other/**" }\n')
        place.path("other").mkdir()
        place.path("in/one.bin").rename(place.path("other/two.bin"))
        place.write("in/small", "small")
        hub.take()
        answer = place.make("data:e", "data:d")
        self.assertLess(sum(request.sent for request in hub.take()), MIB)
        self.assertEqual(answer.finished["uploaded"]["objects"], 1)
        self.assertEqual(bucket.read("prefix/e/two.bin"), place.path("other/two.bin").read_bytes())

    def test_names_that_no_object_can_have_are_told_before_anything_is_sent(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC)
        with open(os.fsencode(place.path("in")) + b"/z\xff", "wb") as file:
            file.write(b"x")
        self.assert_told(place.ask("data:d").exits(1).err, "no UTF-8")
        self.assertEqual(bucket.keys(), [])

    def test_odd_names_are_read_back_by_others(self):
        bucket, hub = self.bucket()
        names = ["new\nline", "tab\tx", " ", "ü+%41 &<b>\"'", "q?*[a]", "...", "x" * 200]
        place = self.project(bucket, hub, {name: name for name in names})
        place.make("data:d")
        read = subprocess.run([python_with("boto3", *BOTO3), "-c", READ_WITH_BOTO3, str(self.port), KEY, SECRET, REGION, bucket.name],
                              check=True, stdout=subprocess.PIPE, timeout=DEADLINE_S)
        found = {key: digest for key, digest in json.loads(read.stdout).items() if ".trainmake" not in key}
        self.assertEqual(found, {f"prefix/d/{name}": hashlib.sha256(name.encode()).hexdigest() for name in names})
        place.ask("data", "verify", "data:d").exits(0)

    def test_a_name_that_is_too_long_is_told_before_anything_is_sent(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {**ABC, "/".join(["f" * 200] * 6): "x"})
        self.assert_told(place.ask("data:d").exits(1).err, "longer than 1024 bytes", "fff")
        self.assertEqual(bucket.keys(), [])

    def test_empty_folders_are_objects_without_bytes(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"a.txt": "a"}, more=", empty_folders = true")
        for name in ("in/none", "in/deep/er"):
            place.path(name).mkdir(parents=True)
        self.assertEqual(place.make("data:d").finished["uploaded"], {"objects": 3, "bytes": 1})
        self.assertEqual(sorted(bucket.keys()), ["prefix/d/a.txt", "prefix/d/deep/er/", "prefix/d/none/"])
        hub.take()
        self.assert_nothing_ran(place.make("data:d"))
        self.assertEqual(hub.take(), [])
        place.ask("data", "verify", "data:d").exits(0)
        place.remove("in/none")
        place.write("in/deep/er/b.txt", "b")
        place.make("data:d")
        self.assertEqual(sorted(bucket.keys()), ["prefix/d/a.txt", "prefix/d/deep/er/b.txt"])
        place.ask("data", "verify", "data:d").exits(0)

    def test_limits_hold_for_all_stores_together(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"a.bin": bytes(MIB), "b.bin": b"b" * MIB})
        place.append("TRAINSPACE.lua", f'store "c" {{ url = "s3://{bucket.name}/second", endpoint = "http://127.0.0.1:{hub.port}", path_style = true }}\n'
                                       'limits { requests = 4, bandwidth = "2MiB/s" }\n')
        place.append("TRAINFILE.lua", 'data "e" { files = glob "in/**", store = "c" }\n')
        begun = time.monotonic()
        place.make("data:d", "data:e")
        self.assertGreater(time.monotonic() - begun, 1.4)
        place.replace("TRAINSPACE.lua", "2MiB/s", "soon")
        place.write("in/a.bin", "other")
        self.assert_told(place.ask("data:d").exits(2).err, "TRAINSPACE.lua:4", "`limits` has a `bandwidth` that is none: `soon`")

    def test_another_clone_reads_one_manifest_and_sends_nothing(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {f"{number}.txt": f"{number}\n" for number in range(50)})
        place.make("data:d")
        hub.take()
        answer = self.clone_of(place).make("data:d")
        requests = hub.take()
        self.assertEqual([request.method for request in requests], ["GET"], requests)
        self.assertEqual(answer.finished["uploaded"]["objects"], 0)

    def test_clones_in_turn_never_leave_a_mixture(self):
        bucket, hub = self.bucket()
        one = self.project(bucket, hub, ABC)
        one.make("data:d")
        two = self.clone_of(one)
        for turn in range(2):
            for place, name, other in ((one, "a.txt", "sub/c.txt"), (two, "b.txt", "sub/new.txt")):
                place.write(f"in/{name}", f"{name} {turn}")
                place.write(f"in/{other}", f"{other} {turn}")
                place.make("data:d")
                self.assert_same(bucket, place)

    def test_clones_at_once_leave_the_state_of_one_of_them(self):
        bucket, hub = self.bucket()
        one = self.project(bucket, hub, {f"{number}.txt": f"{number}\n" for number in range(40)})
        one.make("data:d")
        clones = [one, self.clone_of(one)]
        for turn in range(3):
            for which, place in enumerate(clones):
                for number in range(which * 10, which * 10 + 25):
                    place.write(f"in/{number}.txt", f"{number} in turn {turn} of {which}\n")
                place.write(f"in/only {which} {turn}.txt", "")
            for going in [place.start("data:d", "--prune", "--json") for place in clones]:
                going.end().exits(0)
            there = bucket.objects()
            self.assertIn(there, [self.files_of(place) for place in clones], f"turn {turn}: a mixture")

    def test_a_first_run_removes_nothing_unasked(self):
        bucket, hub = self.bucket()
        theirs = self.project(bucket, hub, ABC)
        theirs.make("data:d")
        ours = self.project(bucket, hub, {"a.txt": b"of ours"})
        before = bucket.objects()
        for _ in range(2):
            answer = ours.ask("data:d").exits(1)
            self.assert_told(answer, "has 2 objects that `data:d` has no file for", "--prune", "prefix")
        self.assert_holds(bucket, before)
        self.assertEqual(ours.make("data:d", "--prune").finished["deleted"], {"objects": 2})
        self.assert_same(bucket, ours)
        ours.write("in/new.txt", "new")
        ours.make("data:d")
        ours.remove("in/new.txt")
        self.assertEqual(ours.make("data:d").finished["deleted"], {"objects": 1}, "it is known here by now")

    def test_what_a_cut_run_never_came_to_is_left_alone(self):
        bucket, hub = self.bucket()
        bucket.write("prefix/d/z.txt", b"somebody else's notes")
        place = self.project(bucket, hub, {"z.txt": b"mine", **{f"{number:02}.bin": os.urandom(300_000) for number in range(12)}}, space=', requests = 1, bandwidth = "500KB"')
        going = place.start("data:d")
        eventually(lambda: len(bucket.keys()) > 4, "few objects came")
        going.interrupt()
        going.end().exits(130)
        place.remove("in/z.txt")
        place.replace("TRAINSPACE.lua", "500KB", "1GB")
        place.make("data:d")
        self.assert_holds(bucket, {**self.files_of(place), "prefix/d/z.txt": b"somebody else's notes"})

    def stopped_while_it_is_late(self, kind, edit):
        """What a project that has sent a.txt has in its bucket after it was stopped while its service was slow with a request of that kind, and ran once more."""
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"a.txt": "first", "b.txt": "b"})
        place.make("data:d")
        late, passed = threading.Event(), threading.Event()

        def fault(request, _):
            if request.method == kind and not request.is_kept_for_itself and not late.is_set():
                late.set()
                threading.Event().wait(3)
                passed.set()
            return None
        edit(place)
        hub.fault = fault
        going = place.start("data:d")
        self.assertTrue(late.wait(DEADLINE_S))
        going.interrupt().end()
        return bucket, place, passed

    def test_what_arrives_late_does_not_replace_what_was_sent_after_it(self):
        bucket, place, passed = self.stopped_while_it_is_late("PUT", lambda place: place.write("in/a.txt", "second"))
        place.write("in/a.txt", "third")
        self.assert_told(place.ask("data:d", "--no-wait").exits(4), "may still arrive", "Run it again in")
        self.assert_told(place.make("data:d"), "Waiting", "before that was stopped")
        self.assertTrue(passed.is_set())
        self.assertEqual(bucket.objects(), self.files_of(place))

    def test_what_was_long_on_its_way_when_its_sender_was_killed_is_waited_for(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"a.txt": "first", "b.txt": "b"})
        place.make("data:d")
        late, arrived, dead = threading.Event(), threading.Event(), threading.Event()

        def fault(request, _):
            if request.method == "PUT" and not request.is_kept_for_itself and not late.is_set():
                late.set()
                dead.wait(DEADLINE_S)
                threading.Event().wait(3)
                arrived.set()
            return None
        place.write("in/a.txt", "second")
        hub.fault = fault
        going = place.start("data:d")
        self.assertTrue(late.wait(DEADLINE_S))
        threading.Event().wait(11)  # longer than anything is waited for
        going.kill().end()
        dead.set()
        place.write("in/a.txt", "third")
        self.assert_told(place.make("data:d"), "Waiting", "before that was stopped")
        self.assertTrue(arrived.is_set())
        self.assertEqual(bucket.objects(), self.files_of(place))

    def test_a_removal_that_arrives_late_does_not_take_what_was_sent_after_it(self):
        bucket, place, passed = self.stopped_while_it_is_late("DELETE", lambda place: place.remove("in/a.txt"))
        place.write("in/a.txt", "first")
        place.make("data:d")
        self.assertTrue(passed.is_set())
        self.assertEqual(bucket.objects(), self.files_of(place))

    def test_what_is_the_same_as_arrives_late_is_not_waited_for(self):
        bucket, place, passed = self.stopped_while_it_is_late("PUT", lambda place: place.write("in/a.txt", "second"))
        place.make("data:d")
        self.assertFalse(passed.is_set())
        self.assertEqual(bucket.objects(), self.files_of(place))

    def test_who_was_stopped_is_not_waited_for_as_if_at_work(self):
        bucket, hub = self.bucket()
        one = self.project(bucket, hub, {f"{number:02}.bin": os.urandom(300_000) for number in range(12)}, space=', requests = 2, bandwidth = "500KB"')
        going = one.start("data:d")
        eventually(lambda: len(bucket.keys()) > 4, "few objects came")
        going.interrupt()
        going.end().exits(130)
        two = self.clone_of(one)
        two.replace("TRAINSPACE.lua", "500KB", "1GB")
        self.assert_told(two.ask("data:d", "--no-wait").exits(4), "was stopped while it sent to `b/d`", "Run it again in ")
        begun = time.monotonic()
        two.make("data:d")
        self.assertLess(time.monotonic() - begun, 25)
        self.assert_same(bucket, two)

    def test_verify_does_not_break_in_on_who_sends(self):
        bucket, hub = self.bucket()
        one = self.project(bucket, hub, {f"{number:02}.bin": os.urandom(300_000) for number in range(12)})
        one.make("data:d")
        two = self.clone_of(one)
        two.make("data:d")
        for heals in (False, True):
            for place in (one, two):
                for number in range(12):
                    place.write(f"in/{number:02}.bin", os.urandom(300_000))
            one.replace("TRAINSPACE.lua", "path_style = true", 'path_style = true, requests = 1, bandwidth = "500KB"')
            hub.take()
            going = one.start("data:d")
            eventually(lambda: [request for request in hub.take() if request.method == "PUT" and not request.is_kept_for_itself], "nothing came")
            if heals:
                two.ask("data", "verify", "--heal", "data:d").exits(0)
            else:
                told = two.ask("data", "verify", "data:d").exits(1)
                self.assert_told(told, "somebody else sends there now", "`--heal` waits for that")
                self.assertNotIn("is not what was being sent", str(told))
                two.make("data:d")
            going.end().exits(0)
            self.assert_same(bucket, two)
            self.assert_told(two.ask("data", "verify", "data:d").exits(0), "fine: 12 objects")
            one.replace("TRAINSPACE.lua", ', requests = 1, bandwidth = "500KB"', "")

    def test_a_snapshot_that_somebody_removed_is_sent_again(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"a.txt": "first", "b.txt": "b"}, more=", snapshot = true")
        place.make("data:d")
        first = sorted(bucket.objects())
        place.write("in/a.txt", "second")
        place.make("data:d")
        for key in first:
            bucket.remove(key)
        place.write("in/a.txt", "first")
        place.make("data:d")
        self.assertEqual([key for key in first if key not in bucket.objects()], [])
        place.ask("data", "verify", "data:d").exits(0)

    def test_a_manifest_object_that_cannot_be_read_is_told_and_healed(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC)
        place.make("data:d")
        key = "prefix/.trainmake/d/.mirror.json"
        whole = bucket.read(key)
        place.write("in/a.txt", "changed")
        bucket.write(key, whole.replace(b'"format":2', b'"format":3'))
        for _ in range(2):
            self.assert_told(place.ask("data:d").exits(3), "made by a newer trainmake")
        bucket.write(key, whole[:100])
        for _ in range(2):
            self.assert_told(place.ask("data:d").exits(3), "is damaged", "data verify --heal")
        self.assertEqual(bucket.read("prefix/d/a.txt"), b"aaa")
        place.remove("in/b.txt")
        place.ask("data", "verify", "--heal", "data:d").exits(0)
        self.assert_same(bucket, place)
        self.assert_told(self.clone_of(place).ask("data", "verify", "data:d").exits(0), "fine: 2 objects")

    def test_what_was_sent_is_ours_whatever_becomes_of_the_manifest_object(self):
        key = "prefix/.trainmake/d/.mirror.json"
        for lost in ("gone", "of before"):
            bucket, hub = self.bucket()
            place = self.project(bucket, hub, ABC)
            place.make("data:d")
            before = bucket.read(key)
            place.write("in/new", "new")
            place.make("data:d")
            bucket.write("prefix/d/theirs.txt", b"theirs")
            bucket.remove(key) if lost == "gone" else bucket.write(key, before)
            place.remove("in/new")
            place.write("in/new/inside", "new")
            self.assertEqual(place.plan("data:d")["totals"]["removals"], 1)
            self.assertEqual(place.make("data:d").finished["deleted"], {"objects": 1}, lost)
            self.assert_holds(bucket, {**self.files_of(place), "prefix/d/theirs.txt": b"theirs"})
            place.ask("data", "verify", "data:d").exits(0)

    def test_a_place_of_another_project_is_refused(self):
        bucket, hub = self.bucket()
        one, other = (self.project(bucket, hub, {"a.txt": f"of {name}"}) for name in "AB")
        for place, name in ((one, "ours"), (other, "theirs")):
            place.write("TRAINFILE.lua", f'project {{ name = "{name}" }}\n{place.read("TRAINFILE.lua")}')
        one.make("data:d")
        self.assert_told(other.ask("data:d").exits(2), "holds the files of `//data:d` of project `ours`", "this is project `theirs`", "prefix")
        self.assert_same(bucket, one)
        one.replace("TRAINFILE.lua", "ours", "of another name")
        one.write("in/a.txt", "changed")
        one.make("data:d")
        self.assert_same(bucket, one)

    def test_what_others_put_where_one_was_removed_stays(self):
        bucket, hub = self.bucket()
        one = self.project(bucket, hub, ABC)
        one.make("data:d")
        one.remove("in/b.txt")
        one.make("data:d")
        bucket.write("prefix/d/b.txt", b"of somebody else")
        two = self.clone_of(one)
        two.write("in/a.txt", "changed")
        two.make("data:d")
        one.write("in/a.txt", "changed again")
        one.make("data:d")
        self.assert_holds(bucket, {**self.files_of(one), "prefix/d/b.txt": b"of somebody else"})

    def test_targets_whose_files_and_folders_change_places_do_not_wait_for_each_other(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {})
        first, second = os.urandom(100_000), os.urandom(100_000)
        place.write("TRAINFILE.lua", 'data "d" { files = glob "d/**" }\ndata "e" { files = glob "e/**" }\n')
        place.write("d/x", first)
        place.write("e/z", second)
        place.make("//...")
        for name in ("d/x", "e/z"):
            place.remove(name)
        place.write("d/x/y", second)
        place.write("e/z/w", first)
        place.make("//...")
        self.assert_holds(bucket, {"prefix/d/x/y": second, "prefix/e/z/w": first})

    # What is not there any more.

    def test_verify_knows_what_should_be_there_when_nothing_is(self):
        for what in ("all", "the manifest", "the manifest and one"):
            bucket, hub = self.bucket()
            place = self.project(bucket, hub, ABC)
            place.make("data:d")
            if what == "all":
                for key in bucket.keys():
                    bucket.remove(key)
            if what == "the manifest and one":
                bucket.remove("prefix/d/a.txt")
            bucket.remove("prefix/.trainmake/d/.mirror.json")
            answer = place.ask("data", "verify", "data:d").exits(1)
            self.assert_told(answer, {"all": "4 wrong", "the manifest": "1 wrong: 3 objects", "the manifest and one": "2 wrong"}[what])
            fresh = self.clone_of(place)
            self.assert_told(fresh.ask("data", "verify", "data:d").exits(1), "Nothing is known of")
            place.ask("data", "verify", "data:d", "--heal").exits(0)
            self.assert_same(bucket, place)
            self.assert_told(fresh.ask("data", "verify", "data:d").exits(0), "fine: 3 objects")

    def test_verify_asks_for_what_another_clone_sent_last(self):
        bucket, hub = self.bucket()
        one = self.project(bucket, hub, ABC)
        one.make("data:d")
        two = self.clone_of(one)
        two.write("in/a.txt", "another")
        two.make("data:d")
        hub.take()
        self.assert_told(one.ask("data", "verify", "data:d").exits(1), "is not what was last sent from here")
        one.write("in/a.txt", "another")
        self.assertEqual(one.make("data:d").finished["uploaded"]["objects"], 0)
        self.assert_told(one.ask("data", "verify", "data:d").exits(0), "fine: 3 objects")
        hub.take()
        one.ask("data", "verify", "data:d").exits(0)
        self.assertEqual([request for request in hub.take() if request.method == "PUT"], [])

    def test_verify_finds_what_is_wrong_and_heals(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {**ABC, "replaced.txt": b"12345", "truncated.txt": b"a longer text", "large.bin": os.urandom(66 * MIB)})
        place.make("data:d")
        self.assert_told(place.ask("data", "verify", "data:d").exits(0))
        bucket.remove("prefix/d/a.txt")
        bucket.write("prefix/d/truncated.txt", b"a longer")
        bucket.write("prefix/d/replaced.txt", b"54321")
        bucket.write("prefix/d/large.bin", b"short")
        told = place.ask("data", "verify", "data:d").exits(1)
        self.assert_told(told, "a.txt", "truncated.txt", "replaced.txt", "large.bin")
        self.assertNotIn("b.txt", str(told))
        place.ask("data", "verify", "data:d", "--heal").exits(0)
        self.assert_same(bucket, place)
        place.ask("data", "verify", "data:d").exits(0)

    def test_another_clone_verifies_too(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC)
        place.make("data:d")
        bucket.write("prefix/d/b.txt", b"BBB")
        clone = self.clone_of(place)
        self.assert_told(clone.ask("data", "verify", "data:d").exits(1), "b.txt")
        hub.take()
        clone.ask("data", "verify", "data:d").exits(1)
        asked = [request.path for request in hub.take() if request.method == "HEAD"]
        self.assertEqual([path for path in asked if not path.endswith("b.txt")], [], "what was right is known by its tag")

    # What cannot be.

    def test_a_wrong_secret_is_told_in_the_words_of_the_service_and_never_shown(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC)
        for wrong, told in (({"AWS_SECRET_ACCESS_KEY": "a-wrong-secret"}, "SignatureDoesNotMatch"), ({"AWS_ACCESS_KEY_ID": "nobody"}, self.nobody_is_told)):
            for more in ((), ("--json",)):
                answer = place.ask("data:d", *more, env=wrong).exits(3)
                self.assert_told(answer, told)
                for secret in ("a-wrong-secret", SECRET):
                    self.assertNotIn(secret, answer.text)
        self.assertEqual(bucket.keys(), [])
        kept = [path for path in (*place.root.rglob("*"), *place.home.rglob("*")) if path.is_file() and SECRET.encode() in path.read_bytes()]
        self.assertEqual(kept, [])
        self.assertEqual(place.make("data:d").finished["uploaded"]["objects"], 3)

    def test_a_bucket_that_is_missing_is_made(self):
        bucket, hub = self.bucket()
        missing = Bucket(self.port, f"{bucket.name}-missing", make=False)
        place = self.project(missing, hub, ABC, space=", create = true")
        place.make("data:d")
        self.assert_same(missing, place)

    def test_a_bucket_that_is_missing_is_told(self):
        bucket, hub = self.bucket()
        missing = Bucket(self.port, f"{bucket.name}-missing", make=False)
        self.assert_told(self.project(missing, hub, ABC).ask("data:d").exits(3), "NoSuchBucket", "create = true")
        self.assertFalse(missing.exists())

    def test_a_file_that_cannot_be_read_is_named(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC)
        os.symlink("nowhere", place.path("in/lost.txt"))
        answer = place.ask("data:d")
        self.assertIn(answer.code, (1, 2), str(answer))
        self.assert_told(answer, "lost.txt")
        self.assertEqual(bucket.keys(), [])

    def test_a_file_that_changes_while_it_is_sent_is_not_put(self):
        for name, content, comes in (("small.txt", b"small", lambda request: request.is_kept_for_itself), ("large.bin", os.urandom(13 * 16 * MIB), is_part)):
            with self.subTest(name):
                bucket, hub = self.bucket()
                place = self.project(bucket, hub, {name: content})
                alone, changed = threading.Lock(), []

                def change(request, number):
                    with alone:  # so nothing of its end was read before
                        if comes(request) and request.method == "PUT" and not changed:
                            changed.append(request)
                            with open(place.path(f"in/{name}"), "r+b") as file:
                                file.seek(-3, os.SEEK_END)
                                file.write(b"???")

                hub.fault = change
                self.assert_told(place.ask("data:d").exits(1), name, "changed while it was sent")
                self.assertEqual(bucket.keys(), [])
                place.make("data:d")
                self.assert_same(bucket, place)

    # Trouble on the way.

    def test_whatever_happens_to_whichever_request_it_ends_complete(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {f"{number}.txt": f"{number}\n" for number in range(8)}, space=", create = true")
        place.make("data:d")
        for fault in Proxy.FAULTS:
            for which in range(1, 13):
                with self.subTest(fault=fault, request=which):
                    for number in range(8):
                        place.write(f"in/{number}.txt", f"{number} {fault} {which}\n")
                    place.write(f"in/{fault} {which}", "new")
                    for old in place.path("in").glob("old*"):
                        old.unlink()
                    place.write(f"in/old {fault} {which}", "goes away next time")
                    hub.fault = lambda request, number: fault if number == which else None
                    hub.take()
                    answer = place.make("data:d")
                    requests = hub.take()
                    self.assertGreaterEqual(len(requests), which)
                    self.assertEqual(answer.finished["uploaded"]["objects"], 10, str(answer))
                    self.assert_counted(answer, requests)
                    self.assertEqual(sorted(bucket.keys()), sorted(self.files_of(place)))
                    hub.fault = None
                    self.assertEqual(sum(place.make("data:d").finished["requests"].values()), 0)
        self.assert_same(bucket, place)

    def test_a_first_upload_survives_each_trouble(self):
        for fault in Proxy.FAULTS:
            for which in (1, 2, 5):
                with self.subTest(fault=fault, request=which):
                    bucket, hub = self.bucket(lambda request, number: fault if number == which else None)
                    place = self.project(bucket, hub, ABC)
                    answer = place.make("data:d")
                    self.assertEqual(answer.finished["uploaded"], {"objects": 3, "bytes": 9})
                    self.assert_counted(answer, hub.take())
                    self.assert_same(bucket, place)

    def cut_short(self, end):
        """A large upload that is ended after some parts: those that were finished are not sent again."""
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {"large.bin": os.urandom(13 * 16 * MIB)})
        arrived, enough, over = itertools.count(1), threading.Event(), threading.Event()

        def hold(request, number):
            if is_part(request) and (arrival := next(arrived)) > 5:
                if arrival == 5 + AT_ONCE:  # so those before are done, and known to be
                    enough.set()
                over.wait(DEADLINE_S)

        hub.fault = hold
        going = place.start("data:d", "--json")
        self.assertTrue(enough.wait(DEADLINE_S), "too few parts came")
        end(going)
        answer = going.end()
        hub.fault = None
        over.set()
        self.assertEqual(bucket.keys(), [])
        requests = hub.take()
        done = self.parts(request for request in requests if request.answer == 200)
        self.assertEqual(len(done), 5, requests)
        place.make("data:d")
        again = hub.take()
        self.assertEqual(done & self.parts(again), set())
        self.assertLess(sent(again), 8 * 16 * MIB + 100_000)
        self.assert_same(bucket, place)
        return answer

    def parts(self, requests):
        return {request.query.partition("&")[0] for request in requests if is_part(request)}

    def test_kill_in_a_large_upload_then_on(self):
        self.cut_short(lambda going: going.kill())

    def test_ctrl_c_twice_in_a_large_upload_then_on(self):
        self.assertEqual(self.cut_short(lambda going: going.interrupt().interrupt()).code, 130)

    def test_kill_among_many_small_objects_then_on(self):
        dice, count = random.Random(5), 200
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, {f"{number}.txt": f"{number}\n" * 50 for number in range(count)})
        requests = []
        for _ in range(5):
            at, come = dice.randrange(2, 60), threading.Event()
            hub.fault = lambda request, number, at=at, come=come: come.set() if number == at else None
            going = place.start("data:d", "--json")
            self.assertTrue(come.wait(DEADLINE_S))
            threading.Event().wait(dice.uniform(0, 0.02))
            going.kill().end()
            hub.fault = None
            requests += hub.take()
        place.make("data:d")
        requests += hub.take()
        put = collections.Counter(request.path for request in requests if request.method == "PUT" and request.answer == 200 and not request.is_kept_for_itself)
        self.assertEqual({path: times for path, times in put.items() if times > 1}, {})
        self.assertEqual(len(put), count)
        self.assert_same(bucket, place)


class OnMinio(Buckets, Story):
    kind = "minio"
    nobody_is_told = "InvalidAccessKeyId"


class OnVersitygw(Buckets, Story):
    kind = "versitygw"
    nobody_is_told = "XAdminUserNotFound"

    def test_what_is_in_the_way_is_named(self):
        bucket, hub = self.bucket()
        place = self.project(bucket, hub, ABC, more=", prune = false")
        place.make("data:d")
        place.remove("in/a.txt")
        place.write("in/a.txt/inside", "a")
        self.assert_told(place.ask("data:d").exits(1), "`a.txt` in `b/d` is in the way", "leave out `prune = false`")
        bucket.remove("prefix/.trainmake/d/.mirror.json")
        place.remove(".trainmake")
        self.assert_told(place.ask("data:d").exits(1), "`d/a.txt` in store `b` is in the way of `d/a.txt/inside`", "by hand")


class Nobody(Story):
    def test_a_service_that_is_down_is_told(self):
        place = self.place({"TRAINSPACE.lua": SPACE.format(bucket="bucket", port=free_port(), more=""), "TRAINFILE.lua": FILE.format(more=""), "in/a.txt": "a"})
        place.env.update(ENV)
        self.assert_told(place.ask("data:d").exits(3), "127.0.0.1")
