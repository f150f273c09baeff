"""A bucket of UCloud's object store: what is asked of it, what is sent, and what is left of trouble. The stand-in is held to its word by the vendor's own client."""

import json
import os
import pathlib
import subprocess
import threading
import unittest

from story import Story, eventually
from ufile_server import ENV, PRIVATE, PUBLIC, UfileServer, etag

HERE = pathlib.Path(__file__).resolve().parent
SERVERS = HERE.parents[1] / "servers"
MIB = 1 << 20


def pattern(size):
    """Other bytes in every block."""
    return b"".join(b"%015d\n" % number for number in range(size // 16)) + b"x" * (size % 16)


class Bucket(Story):
    def service(self, *buckets, **more):
        server = UfileServer(*buckets or ("data",), **more)
        server.__enter__()
        self.addCleanup(lambda: self.assertEqual(server.wrong, []))
        self.addCleanup(server.__exit__)
        return server

    def project(self, server, files, store=""):
        place = self.place(files)
        place.write("TRAINFILE.lua", 'data "d" { files = glob "in/**" }\n')
        place.write("TRAINSPACE.lua", f'store "bucket" {{ url = "ufile://data/pre", region = "cn-bj", endpoint = "http://127.0.0.1:{server.port}" {store} }}\n'
                                      'default_store "bucket"\n')
        place.env.update(ENV)
        return place


class Stories(Bucket):
    def test_what_is_sent_lies_below_the_prefix(self):
        server = self.service()
        place = self.project(server, {"in/a b.txt": "aaa\n", "in/ü/+%.bin": b"\0\1", "in/empty": ""})
        self.assertEqual(place.make("data:d").finished["uploaded"], {"objects": 3, "bytes": 6})
        self.assertEqual(server.objects("data"), {"pre/d/a b.txt": b"aaa\n", "pre/d/ü/+%.bin": b"\0\1", "pre/d/empty": b""})

    def test_empty_folders_are_objects_without_bytes(self):
        server = self.service()
        place = self.project(server, {"in/a.txt": "a"})
        place.replace("TRAINFILE.lua", '"in/**"', '"in/**", empty_folders = true')
        place.path("in/none").mkdir()
        place.make("data:d")
        self.assertEqual(server.objects("data"), {"pre/d/a.txt": b"a", "pre/d/none/": b""})
        place.ask("data", "verify", "data:d").exits(0)
        place.path("in/none").rmdir()
        place.make("data:d")
        self.assertEqual(server.objects("data"), {"pre/d/a.txt": b"a"})

    def test_an_unchanged_project_asks_nothing(self):
        server = self.service()
        place = self.project(server, {"in/a.txt": "aaa\n"})
        place.make("data:d")
        server.take()
        self.assert_nothing_ran(place.make("data:d"))
        place.touch("in/a.txt")
        self.assert_nothing_ran(place.make("data:d"))
        self.assertEqual(server.take(), ([], 0))

    def test_one_changed_file_travels_alone(self):
        server = self.service()
        place = self.project(server, {f"in/{number}.txt": f"{number}\n" for number in range(20)})
        place.make("data:d")
        server.take()
        place.write("in/7.txt", "other\n")
        self.assertEqual(place.make("data:d").finished["uploaded"], {"objects": 1, "bytes": 6})
        puts = [target for method, target in server.take()[0] if method == "PUT" and ".trainmake" not in target]
        self.assertEqual(puts, ["/pre/d/7.txt"])
        self.assertEqual(server.objects("data")["pre/d/7.txt"], b"other\n")

    def test_what_went_away_here_goes_away_there_and_what_others_put_stays(self):
        server = self.service()
        place = self.project(server, {f"in/{number}.txt": "x" for number in range(40)})
        place.make("data:d")
        server.buckets["data"]["pre/d/theirs.txt"] = b"theirs"
        for number in range(39):
            place.remove(f"in/{number}.txt")
        self.assertEqual(place.make("data:d").finished["deleted"], {"objects": 39})
        self.assertEqual(sorted(server.objects("data")), ["pre/d/39.txt", "pre/d/theirs.txt"])

    def test_a_clone_sends_nothing(self):
        server = self.service()
        place = self.project(server, {"in/a.txt": "aaa\n"})
        place.make("data:d")
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.env.update(ENV)
        self.assertEqual(clone.make("data:d").finished["uploaded"]["objects"], 0)

    def test_what_lies_there_is_verified(self):
        server = self.service()
        server.page = 7
        place = self.project(server, {**{f"in/{number}.txt": f"{number}\n" for number in range(20)}, "in/large.bin": pattern(65 * MIB)})
        place.make("data:d")
        place.ask("data", "verify", "data:d").exits(0)
        server.buckets["data"]["pre/d/3.txt"] = b"!\n"
        del server.buckets["data"]["pre/d/5.txt"]
        spoilt = bytearray(server.buckets["data"]["pre/d/large.bin"])
        spoilt[MIB] ^= 1
        server.buckets["data"]["pre/d/large.bin"] = bytes(spoilt)
        server.metadata.clear()
        self.assert_told(place.ask("data", "verify", "data:d"), "3.txt", "5.txt", "large.bin")

    def test_what_others_put_is_known_by_its_tags(self):
        server = self.service()
        contents = {f"{number}.txt": f"{number}\n".encode() for number in range(20)} | {"empty": b"", "large.bin": pattern(70 * MIB)}
        server.buckets["data"] = {f"pre/d/{name}": content for name, content in contents.items()} | {"pre/d/3.txt": b"!\n"}
        place = self.project(server, {f"in/{name}": content for name, content in contents.items()})
        made = place.ask("data:d").exits(0)
        self.assert_told(made, "1 object, 2 B to bucket, 21 found there")
        asked = server.take()[0]
        self.assertEqual([target for method, target in asked if method == "PUT" and ".trainmake" not in target], ["/pre/d/3.txt"])
        self.assertEqual([target for method, target in asked if method == "HEAD" and ".trainmake" not in target], [])
        place.ask("data", "verify", "data:d").exits(0)
        place.ask("data", "verify", "--audit", "100%", "data:d").exits(0)
        # Those stay when their files go; what was sent since goes with its file.
        place.write("in/4.txt", "mine\n")
        place.make("data:d")
        for name in ("3.txt", "4.txt", "5.txt"):
            place.remove(f"in/{name}")
        self.assertEqual(place.make("data:d").finished["deleted"], {"objects": 2})
        left = server.objects("data")
        self.assertNotIn("pre/d/3.txt", left)
        self.assertNotIn("pre/d/4.txt", left)
        self.assertEqual(left["pre/d/5.txt"], b"5\n")

    def test_what_others_put_stays_whatever_is_doubted(self):
        for words in (("--force", "data:d"), ("data", "verify", "--heal", "data:d")):
            server = self.service()
            contents = {f"{number}.txt": f"{number}\n".encode() for number in range(12)}
            server.buckets["data"] = {f"pre/d/{name}": content for name, content in contents.items()}
            place = self.project(server, {f"in/{name}": content for name, content in contents.items()})
            place.make("data:d")
            place.remove("in/3.txt")
            place.make("data:d")
            server.buckets["data"]["pre/d/3.txt"] = b"their newer words\n"
            place.ask(*words).exits(0)
            self.assertEqual(server.objects("data")["pre/d/3.txt"], b"their newer words\n")
            self.assert_told(place.ask("data", "verify", "data:d").exits(0), "fine: 11 objects")

    def test_what_is_ours_stays_ours_whoever_goes_on(self):
        server = self.service()
        place = self.project(server, {f"in/{number}.txt": f"content {number}\n" * 100 for number in range(60)}, ', requests = 1, bandwidth = "20KB"')
        going = place.start("data:d")
        eventually(lambda: len(server.objects("data")) > 20, "few objects came")
        going.interrupt().end()
        self.assertLess(len(server.objects("data")), 60)
        place.replace("TRAINSPACE.lua", "20KB", "1GB")
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.env.update(ENV)
        clone.make("data:d")
        for again in range(2):
            for number in range(again * 20, again * 20 + 20):
                clone.remove(f"in/{number}.txt")
            if again:
                clone.ask("--force", "data:d").exits(0)
            else:
                self.assertEqual(clone.make("data:d").finished["deleted"], {"objects": 20})
            self.assertEqual(len(server.objects("data")), 40 - again * 20)
        manifest = json.loads(server.buckets["data"]["pre/.trainmake/d/.mirror.json"])
        self.assertEqual([entry for entry in manifest["objects"] if entry.get("found")], [])

    def test_a_large_file_that_others_put_is_asked_for_alone(self):
        server = self.service()
        place = self.project(server, {"in/a.txt": "a\n"})
        place.make("data:d")
        content = pattern(5 * MIB)
        server.buckets["data"]["pre/d/large.bin"] = content
        place.write("in/large.bin", content)
        server.take()
        self.assertEqual(place.make("data:d").finished["uploaded"]["objects"], 0)
        self.assertFalse([target for _, target in server.take()[0] if "listobjects" in target])
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.env.update(ENV)
        self.assertEqual(clone.make("data:d").finished["uploaded"]["objects"], 0)

    def test_wrong_keys_are_told_and_never_shown(self):
        server = self.service()
        place = self.project(server, {"in/a.txt": "aaa\n"})
        place.env["UCLOUD_PRIVATE_KEY"] = "another-private-key"
        answer = place.ask("data:d").exits(3)
        self.assert_told(answer, "invalid signature", "UCLOUD_PRIVATE_KEY")
        for secret in ("another-private-key", PRIVATE):
            self.assertNotIn(secret, str(answer))

    def test_without_keys_it_is_told_where_they_would_be(self):
        server = self.service()
        place = self.project(server, {"in/a.txt": "aaa\n"})
        for name in ENV:
            del place.env[name]
        self.assert_told(place.ask("data:d").exits(3), "UCLOUD_PUBLIC_KEY", "~/.ucloud")
        self.assertEqual(server.take()[0], [])

    def test_keys_of_the_vendors_tools_are_taken(self):
        server = self.service()
        place = self.project(server, {"in/a.txt": "aaa\n"})
        for name in ENV:
            del place.env[name]
        (place.home / ".ucloud").mkdir()
        (place.home / ".ucloud/credential.json").write_text(json.dumps([{"profile": "default", "public_key": PUBLIC, "private_key": PRIVATE}]))
        place.make("data:d")
        self.assertEqual(len(server.objects("data")), 1)

    def test_a_bucket_is_made_when_that_is_asked_for(self):
        server = self.service("other")
        place = self.project(server, {"in/a.txt": "aaa\n"})
        self.assert_told(place.ask("data:d").exits(3), "bucket not exist", "create = true")
        place.replace("TRAINSPACE.lua", " }", ", create = true }")
        (place.home / ".ucloud").mkdir()
        (place.home / ".ucloud/config.json").write_text(json.dumps([{"profile": "default", "active": True, "base_url": f"http://127.0.0.1:{server.port}/api/"}]))
        place.make("data:d")
        self.assertEqual([(call["BucketName"], call["Type"], call["Region"]) for call in server.made], [("data", "private", "cn-bj")])
        self.assertEqual(len(server.objects("data")), 1)

    def test_trouble_that_passes_is_waited_for(self):
        for trouble in (500, 503, 429, "cut", "lost"):
            with self.subTest(trouble):
                server = self.service(fault=lambda method, target, number, what=trouble: what if number in (2, 3) else None)
                place = self.project(server, {"in/a.txt": "aaa\n", "in/b.txt": "bbb\n"})
                place.make("data:d")
                self.assertEqual(server.objects("data"), {"pre/d/a.txt": b"aaa\n", "pre/d/b.txt": b"bbb\n"})

    def test_an_announcement_that_arrives_late_does_not_replace_a_later_one(self):
        late, dead, arrived = threading.Event(), threading.Event(), threading.Event()
        server = self.service()
        place = self.project(server, {"in/a.txt": "a", "in/k.txt": "one"})
        place.make("data:d")

        def fault(method, target, number):
            if method == "PUT" and ".mirror.json" in target and not late.is_set():
                late.set()
                dead.wait(60)
                threading.Event().wait(3)
                arrived.set()
        server.fault = fault
        place.write("in/k.txt", "two two")
        going = place.start("data:d")
        self.assertTrue(late.wait(60))
        going.kill().end()
        dead.set()
        place.write("in/k.txt", "three three three")
        self.assert_told(place.make("data:d"), "Waiting", "before that was stopped")
        self.assertTrue(arrived.is_set())
        place.remove("in/k.txt")
        self.assertEqual(place.make("data:d").finished["deleted"], {"objects": 1})
        self.assertEqual(server.objects("data"), {"pre/d/a.txt": b"a"})

    def test_an_answer_that_says_nothing_removes_nothing(self):
        for key in (".mirror.json", "/1.txt"):
            with self.subTest(key):
                server = self.service()
                place = self.project(server, {f"in/{number}.txt": f"{number}" for number in range(3)})
                place.make("data:d")
                lies = iter(["empty"])
                server.fault = lambda method, target, number, key=key, lies=lies: next(lies, None) if method == "PUT" and target.endswith(key) else None
                place.write("in/1.txt", "one")
                place.remove("in/2.txt")
                place.make("data:d")
                self.assertEqual(next(lies, None), None)
                self.assertEqual(server.objects("data"), {"pre/d/0.txt": b"0", "pre/d/1.txt": b"one"})
                self.assertEqual([target for method, target in server.take()[0] if method == "DELETE"], ["/pre/d/2.txt"])
                place.ask("data", "verify", "data:d").exits(0)

    def test_an_upload_that_was_killed_goes_on(self):
        began = []

        def fault(method, target, number):
            if "partNumber=" in target:
                began.append(target)
                # The last parts are never heard of.
                return "cut" if len(began) > 12 else None
            return None

        server = self.service(fault=fault)
        content = pattern(80 * MIB)
        place = self.project(server, {"in/large.bin": content})
        going = place.start("data:d")
        eventually(lambda: len(began) > 16, "no parts came")
        going.kill().end()
        self.assertEqual(server.objects("data"), {})
        server.fault = None
        server.take()
        place.make("data:d")
        self.assertLessEqual(server.take()[1], 14 * 4 * MIB, "what had arrived was sent again")  # of 20; some were on their way
        self.assertTrue(server.objects("data")["pre/d/large.bin"] == content)
        self.assertEqual(server.uploads, {})

    def test_what_was_appended_travels_alone(self):
        server = self.service()
        content = pattern(66 * MIB)
        place = self.project(server, {"in/large.bin": content})
        place.make("data:d")
        server.take()
        place.write("in/large.bin", content + b"more")
        place.make("data:d")
        self.assertLess(server.take()[1], 8 * MIB)
        self.assertTrue(server.objects("data")["pre/d/large.bin"] == content + b"more")


class Referee(Bucket):
    """The vendor's client, 3.2.11."""

    @classmethod
    def setUpClass(cls):
        lines = [line.split() for line in (SERVERS / "python_versions").read_text().splitlines() if line and not line.startswith("#")]
        name, *requirements = next(line for line in lines if line[0] == "ufile")
        made = subprocess.run(["sh", str(SERVERS / "python.sh"), name, *requirements], capture_output=True, text=True, check=False)
        assert made.returncode == 0, f"UCloud's own client cannot be installed, and so nobody holds the stand-in to its word: {made.stderr}"
        cls.python = made.stdout.strip()

    def sdk(self, server, *calls):
        home = self.place().home
        done = subprocess.run([self.python, str(HERE / "sdk.py"), str(server.port)], input=json.dumps([[PUBLIC, PRIVATE], calls]), capture_output=True, text=True,
                              check=False, cwd=home, env={"HOME": str(home), "PATH": os.environ["PATH"]})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def file(self, content):
        place = self.place({"it": content})
        return str(place.path("it"))

    def vendors_service(self):
        return self.service(suffix="cn-bj.ufileos.com")

    def test_the_stand_in_takes_what_the_vendor_sends(self):
        server = self.vendors_service()
        small, large = b"hello world", pattern(9 * MIB + 5)
        paths = {"small": self.file(small), "large": self.file(large), "back": self.file("")}
        said = self.sdk(server,
                        ["put", "data", "dir/a b.txt", paths["small"]],
                        ["put_parts", "data", "large.bin", paths["large"]],
                        ["get", "data", "large.bin", paths["back"]],
                        ["head", "data", "dir/a b.txt"],
                        ["same", "data", "large.bin", paths["large"]],
                        ["copy", "data", "copy.bin", "data", "large.bin"],
                        ["list", "data", "", "", 100],
                        ["list_objects", "data", "", "", 2],
                        ["delete", "data", "copy.bin"],
                        ["head", "data", "copy.bin"])
        self.assertEqual([each["status"] for each in said], [200, 200, 200, 200, None, 200, 200, 200, 204, 404], said)
        self.assertEqual(said[0]["etag"], f'"{etag(small)}"')
        self.assertEqual(pathlib.Path(paths["back"]).read_bytes(), large)
        self.assertTrue(said[4]["result"]["same"])
        self.assertEqual([each["FileName"] for each in said[6]["result"]["DataSet"]], ["copy.bin", "dir/a b.txt", "large.bin"])
        self.assertEqual((len(said[7]["result"]["Contents"]), said[7]["result"]["IsTruncated"]), (2, True))
        self.assertEqual(server.objects("data"), {"dir/a b.txt": small, "large.bin": large})

    def test_the_stand_in_refuses_as_the_vendor_reads_it(self):
        server = self.vendors_service()
        said = self.sdk(server, ["put", "nobodys", "k", self.file("x")])[0]
        self.assertEqual((said["status"], said["code"], said["error"]), (404, -30010, "bucket not exist"))

    def test_what_the_vendors_client_put_is_not_sent_again(self):
        server = self.vendors_service()
        large = pattern(9 * MIB + 5)
        self.sdk(server, ["put", "data", "pre/d/a b.txt", self.file(b"hello world")], ["put_parts", "data", "pre/d/large.bin", self.file(large)])
        place = self.project(server, {"in/a b.txt": "hello world", "in/large.bin": large})
        server.suffix = f"127.0.0.1:{server.port}"
        server.take()
        place.make("data:d")
        # One of eleven bytes is as dear asked for as sent.
        self.assertLess(server.take()[1], MIB)
        self.assertEqual(server.objects("data"), {"pre/d/a b.txt": b"hello world", "pre/d/large.bin": large})

    def test_the_vendor_reads_what_trainmake_wrote(self):
        server = self.vendors_service()
        large = pattern(66 * MIB + 1)
        place = self.project(server, {"in/a b.txt": "aaa\n", "in/large.bin": large})
        # The vendor's client names the bucket as the cloud does; here its host is the address.
        server.suffix = f"127.0.0.1:{server.port}"
        place.make("data:d")
        server.suffix = "cn-bj.ufileos.com"
        back = self.file("")
        said = self.sdk(server,
                        ["get", "data", "pre/d/large.bin", back],
                        ["same", "data", "pre/d/large.bin", str(place.path("in/large.bin"))],
                        ["same", "data", "pre/d/a b.txt", str(place.path("in/a b.txt"))],
                        ["list_objects", "data", "pre/d/", "", 100])
        self.assertTrue(pathlib.Path(back).read_bytes() == large)
        self.assertEqual([each["result"] for each in said[1:3]], [{"same": True}] * 2)
        self.assertEqual(sorted(each["Key"] for each in said[3]["result"]["Contents"]), ["pre/d/a b.txt", "pre/d/large.bin"])


if __name__ == "__main__":
    unittest.main()
