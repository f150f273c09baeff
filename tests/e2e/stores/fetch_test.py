"""`fetch`: public files by address and digest, got once and kept."""

import contextlib
import hashlib
import http.server
import threading

from story import Story, eventually

CONTENT = b"points\n" * 50_000


@contextlib.contextmanager
def public(fault=None, tagged=False, if_range=True):
    """Serves /set.bin, with ranges when it is tagged, and /moved, which is there. `fault(path, number)` may say a status, "cut", "stuck" or bytes in its place. Gives the address and the
    paths that were asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *words):
            pass

        def do_GET(self):
            asked.append(self.path)
            trouble = fault(self.path, len(asked)) if fault else None
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/set.bin")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            begin = 0
            if tagged and (wanted := self.headers.get("Range")):
                assert self.headers["If-Range"] == ('"one"' if if_range else None)
                begin = int(wanted.removeprefix("bytes=").rstrip("-"))
                asked[-1] += f" from {begin}"
            status = trouble if isinstance(trouble, int) else 200 if self.path == "/set.bin" else 404
            content = trouble if isinstance(trouble, bytes) else CONTENT if status == 200 else b""
            self.send_response(206 if begin and status == 200 else status)
            self.send_header("Content-Length", str(len(content) - begin))
            if begin:
                self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
            if tagged:
                self.send_header("ETag", '"one"')
            self.end_headers()
            self.wfile.write(content[begin:begin + 1000] if trouble in ("cut", "stuck") else content[begin:])
            if trouble == "stuck":
                self.wfile.flush()
                self.rfile.read(1)  # until who asked is gone

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def server(answer):
    """Gives the address, and (path, first byte) of all that was asked for. `answer(path, begin, number)` says status, headers and body; of one that is shorter than its Content-Length the rest
    is cut off."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *words):
            pass

        def do_GET(self):
            begin = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            asked.append((self.path, begin))
            status, headers, body = answer(self.path, begin, len(asked))
            self.send_response(status)
            for name, value in {"Content-Length": len(body), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{serving.server_port}", asked
    finally:
        serving.shutdown()
        serving.server_close()


def part(begin, end=len(CONTENT), told=None, **headers):
    """CONTENT from `begin` to `end`, as a part of it; `told` is where its headers say that it ends."""
    told = end if told is None else told
    ranged = {"Content-Range": f"bytes {begin}-{told - 1}/{len(CONTENT)}"} if begin else {}
    return 206 if begin else 200, {"Content-Length": told - begin, **ranged, **headers}, CONTENT[begin:end]


class Fetching(Story):
    def project(self, address, more="", digest=None, path="set.bin"):
        digest = digest or hashlib.sha256(CONTENT).hexdigest()
        return self.place({
            "TRAINFILE.lua": f'data "d" {{ fetch = {{ url = "{address}/{path}", sha256 = "{digest}" }}, {more} }}\n'
                             'code "c" { srcs = { "main.py" } }\nimage "i" { code = "code:c", base = "scratch" }\n'
                             'job "j" { image = "image:i", main = "main.py", data = { "data:d" }, outputs = { n = "n.txt" } }\n',
            "main.py": "import os, pathlib\nfolder = pathlib.Path(os.environ['TRAINMAKE_DATA_DIR'])\n"
                       "out = pathlib.Path(os.environ['TRAINMAKE_OUTPUT_DIR'])\n"
                       "(out / 'n.txt').write_text(str(sum(len(f.read_bytes()) for f in folder.rglob('*') if f.is_file())))\n"})

    def test_a_job_reads_it_and_it_is_asked_for_once(self):
        with public() as (address, asked):
            place = self.project(address)
            place.make("job:j")
            place.ask("pull", "job:j", "--to", "out").exits(0)
            self.assertEqual(place.read("out/n.txt"), str(len(CONTENT)))
            self.assertTrue(place.ask("job:j").exits(0).text.endswith("nothing to do\n"))
            self.assertEqual(asked, ["/set.bin"])

    def test_what_was_cut_is_gone_on_from(self):
        with public(lambda _, number: "cut" if number < 20 else None, tagged=True) as (address, asked):
            place = self.project(address)
            place.make("data:d")
            self.assertEqual(asked, ["/set.bin", *(f"/set.bin from {1000 * number}" for number in range(1, 20))])

    def test_a_part_that_is_shorter_than_what_was_asked_for_is_no_end(self):
        def answer(_, begin, number):
            return part(begin, min(begin + 100_000, len(CONTENT)), None if begin else len(CONTENT), ETag='"one"')

        with server(answer) as (address, asked):
            self.project(address).make("data:d")
            self.assertEqual([begin for _, begin in asked], [0, 100_000, 200_000, 300_000])

    def test_parts_that_never_become_what_they_should_come_to_an_end(self):
        """A proxy cuts each answer, no tag tells of the parts that they are of one file, and the file is another than its digest says."""
        def answer(_, begin, number):
            return part(begin, min(begin + 200_000, len(CONTENT)), len(CONTENT))

        with server(answer) as (address, asked):
            answer = self.project(address, digest="0" * 64).ask("data:d").exits(3)
            self.assert_told(answer.err, "fetching it anew", "is not what `sha256` says", hashlib.sha256(CONTENT).hexdigest())
            self.assertEqual([begin for _, begin in asked], [0, 200_000] * 2)

    def test_a_server_that_brings_nothing_is_not_asked_for_ever(self):
        with server(lambda _, begin, number: part(begin, 1000, None if begin else len(CONTENT)) if begin < 1000
                    else (206, {"Content-Range": f"bytes {begin}-{begin}/{len(CONTENT)}"}, b"")) as (address, asked):
            self.assert_told(self.project(address).ask("data:d").exits(3).err, "its server says that there is more")
            self.assertLess(len(asked), 10)

    def test_where_it_led_to_no_longer_holds_it_is_asked_for_anew(self):
        def answer(path, begin, number):
            if path == "/set.bin":
                return 302, {"Location": f"/signed-{number}"}, b""
            if (path, begin - 200_000) in asked or (path, 0) in asked[:-1]:
                return 403, {}, b""
            return part(begin, min(begin + 200_000, len(CONTENT)), len(CONTENT), ETag='"one"')

        with server(answer) as (address, asked):
            self.project(address).make("data:d")
            self.assertEqual(asked, [("/set.bin", 0), ("/signed-1", 0), ("/signed-1", 200_000), ("/set.bin", 200_000), ("/signed-4", 200_000)])

    def test_where_it_leads_to_what_never_holds_is_told(self):
        with server(lambda path, begin, number: (302, {"Location": "/signed"}, b"") if path == "/set.bin" else (403, {}, b"")) as (address, asked):
            self.assert_told(self.project(address).ask("data:d").exits(3).err, "it answers 403")
            self.assertLess(len(asked), 10)

    def killed(self, place):
        going = place.start("data:d")
        folder = place.path(".trainmake/fetched")
        eventually(lambda: [part for part in folder.glob(".part-*") if part.stat().st_size == 1000], "it does not come")
        going.kill().end()
        (part,) = folder.glob(".part-*")
        return part

    def test_what_was_killed_is_gone_on_from(self):
        with public(lambda _, number: "stuck" if number == 1 else None, tagged=True, if_range=False) as (address, asked):
            place = self.project(address)
            part = self.killed(place)
            place.make("data:d")
            self.assertEqual(asked, ["/set.bin", "/set.bin from 1000"])
            self.assertFalse(part.exists())

    def test_what_came_of_another_file_before_the_kill_is_forgotten(self):
        with public(lambda _, number: "stuck" if number == 1 else None, tagged=True, if_range=False) as (address, asked):
            place = self.project(address)
            self.killed(place).write_bytes(b"x" * 1000)
            place.make("data:d")
            self.assertEqual(asked, ["/set.bin", "/set.bin from 1000", "/set.bin"])

    def test_a_server_without_ranges_sends_all_of_it_again(self):
        with public(lambda _, number: "stuck" if number == 1 else None) as (address, asked):
            place = self.project(address)
            self.killed(place)
            place.make("data:d")
            self.assertEqual(asked, ["/set.bin", "/set.bin"])

    def test_what_may_be_a_signature_is_not_shown(self):
        place = self.project("https://files.example.com", path="set.bin?X-Signature=5ecret")
        for words in (["query", "data:d", "--json"], ["query", "--declared", "--json"], ["query", "--declared"], ["plan", "data:d", "--json"]):
            answer = place.ask(*words).exits(0)
            self.assertNotIn("5ecret", answer.text, words)
            if words[0] == "query":
                self.assert_told(answer.out, "https://files.example.com/set.bin?...")
        place.replace("TRAINFILE.lua", "https://files", "https://me:pa55word@files")
        self.assertNotIn("pa55word", place.ask("query", "--declared", "--json").text)

    def test_two_trainmakes_fetch_it_once(self):
        with public(lambda _, number: "stuck" if number == 1 else None) as (address, asked):
            place = self.project(address)
            place.append("TRAINFILE.lua", place.read("TRAINFILE.lua").splitlines()[0].replace('data "d"', 'data "e"') + "\n")
            first = place.start("data:d")
            eventually(lambda: asked, "it does not begin")
            second = place.start("data:e", "--json")
            second.until("waiting for it")
            first.kill().end()
            second.end().exits(0)
            self.assertEqual(asked, ["/set.bin", "/set.bin"])

    def test_two_targets_that_name_one_file_fetch_it_once(self):
        with public() as (address, asked):
            place = self.project(address)
            place.append("TRAINFILE.lua", place.read("TRAINFILE.lua").splitlines()[0].replace('data "d"', 'data "e"') + "\n")
            place.make("data:d", "data:e")
            self.assertEqual(asked, ["/set.bin"])

    def test_beside_files_and_under_a_name(self):
        with public() as (address, _):
            place = self.project(address)
            digest = hashlib.sha256(CONTENT).hexdigest()
            place.write("in/a.txt", "a")
            place.write("in/z.txt", "z")
            place.write("TRAINSPACE.lua", 'store "bucket" { url = "dir:bucket" }\n')
            place.write("TRAINFILE.lua", f'data "d" {{ files = glob "in/**", dest = "x", store = "bucket", '
                                         f'fetch = {{ {{ url = "{address}/set.bin", sha256 = "{digest}", name = "m/set" }} }} }}\n')
            place.make("data:d")
            self.assertEqual(place.objects(), ["d/x/a.txt", "d/x/m/set", "d/x/z.txt"])
            self.assertEqual((place.path("bucket/d/x/m/set")).read_bytes(), CONTENT)
            place.write("in/a.txt", "b")
            self.assertEqual(place.make("data:d").finished["uploaded"]["objects"], 1)

    def test_where_it_moved_to_is_followed(self):
        with public() as (address, asked):
            self.project(address, path="moved").make("data:d")
            self.assertEqual(asked, ["/moved", "/set.bin"])

    def test_what_is_another_is_refused_and_nothing_is_kept(self):
        with public() as (address, _):
            place = self.project(address, digest="0" * 64)
            answer = place.ask("data:d").exits(3)
            self.assert_told(answer.err, "is not what `sha256` says", hashlib.sha256(CONTENT).hexdigest(), "TRAINFILE.lua:1")
            self.assertEqual([path for path in place.path(".trainmake/fetched").glob("*")], [])
            place.ask("data:d").exits(3)

    def test_trouble_that_passes_is_waited_for(self):
        with public(lambda path, number: {1: 503, 2: "cut"}.get(number)) as (address, asked):
            self.project(address).make("data:d")
            self.assertEqual(len(asked), 3)

    def test_what_is_not_there_is_told(self):
        with public() as (address, _):
            self.assert_told(self.project(address, path="none").ask("data:d").exits(3).err, "it answers 404")

    def test_what_was_lost_here_is_fetched_again(self):
        with public() as (address, asked):
            place = self.project(address)
            place.make("data:d")
            digest = hashlib.sha256(CONTENT).hexdigest()
            place.path(f".trainmake/blobs/sha256/{digest[:2]}/{digest}").unlink()
            place.make("data:d")
            self.assertEqual(len(asked), 2)

    def test_what_is_wrong_with_it_is_said_before_anything_runs(self):
        place = self.place({"TRAINFILE.lua": "", })
        good = "0" * 64
        for fetch, told in ((f'{{ url = "ftp://x/y", sha256 = "{good}" }}', "http or https"), ('{ url = "http://x/y" }', "has no `sha256`"),
                            (f'{{ url = "http://x/", sha256 = "{good}" }}', "no plain name"), (f'{{ uri = "http://x/", sha256 = "{good}" }}', "knows no `uri`")):
            place.write("TRAINFILE.lua", f'data "d" {{ fetch = {fetch} }}\n')
            self.assert_told(place.ask("data:d").exits(2).err, told, "TRAINFILE.lua:1")
        place.write("TRAINFILE.lua", 'data "d" { notes = "x" }\n')
        self.assert_told(place.ask("data:d").exits(2).err, "none of `files`, `fetch` and `url`")


class Snapshots(Story):
    def test_each_content_has_a_folder_that_stays(self):
        place = self.place({"TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
                            "TRAINFILE.lua": 'data "d" { files = glob "in/**", snapshot = true }\n', "in/x.txt": "1"})
        place.make("data:d")
        (first,) = place.objects()
        place.write("in/x.txt", "2")
        place.make("data:d")
        both = place.objects()
        self.assertEqual(len(both), 2)
        self.assertIn(first, both)
        place.write("in/x.txt", "1")
        self.assertEqual(place.make("data:d").finished["uploaded"]["objects"], 0)
        place.path(f"bucket/{first}").unlink()
        # It is what the files are now, if not what was made last.
        self.assert_told(place.ask("data", "verify", "data:d").exits(1).out, "x.txt is not there")
        place.ask("data", "verify", "--heal", "data:d").exits(0)
        self.assertEqual(place.objects(), both)

    def test_verify_finds_and_heals(self):
        place = self.place({"TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
                            "TRAINFILE.lua": 'data "d" { files = glob "in/**" }\n', "in/x.txt": "1", "in/y.txt": "2", "in/z.txt": "3"})
        place.make("data:d")
        self.assert_told(place.ask("data", "verify", "data:d").exits(0).out, "fine: 3 objects")
        place.write("bucket/d/x.txt", "other size")
        place.write("bucket/d/y.txt", "X")
        place.remove("bucket/d/z.txt")
        found = place.ask("data", "verify", "data:d").exits(1).out
        self.assert_told(found, "x.txt has 10 B in place of 1 B", "y.txt has other bytes", "z.txt is not there", "3 wrong")
        place.ask("data", "verify", "data:d", "--heal").exits(0)
        self.assertEqual([place.read(f"bucket/d/{name}.txt") for name in "xyz"], ["1", "2", "3"])
        place.ask("data", "verify", "data:d").exits(0)
        self.assertEqual(place.ask("data", "verify", "--json", "data:d").exits(0).only["wrong"], [])
        self.assert_told(place.ask("data", "verify", "--audit", "34%", "data:d").exits(0).out, "fine: 3 objects", "2 were looked at")
        self.assert_told(place.ask("data", "verify", "--audit", "0", "data:d").exits(2).err, "share")
        self.assert_told(place.ask("data", "verfy", "data:d").exits(2).err, "`verfy`")
        self.assert_told(place.ask("data", "verify").exits(2).err, "needs a label")
