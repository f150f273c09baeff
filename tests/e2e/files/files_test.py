"""Files as they come: globs, links, modes, odd names, empty ones, and ones that go away."""

import os
import shlex
import subprocess
import threading

from story import BINARY, Story

LIST = r'''set -eu
for folder in "$TRAINMAKE_CODE_DIR" "$TRAINMAKE_DATA_DIR"; do
  cd "$folder"
  find -L . -type f | LC_ALL=C sort | while IFS= read -r name; do printf '%s|' "$name"; wc -c <"$name"; done
  echo --
done >"$TRAINMAKE_OUTPUT_DIR/list.txt"
'''


class Files(Story):
    def listing(self, code='glob "code/**"', data='glob "data/**"', more="", **files):
        """A project whose job lists the files of its code and its data."""
        place = self.place({"code/list.sh": LIST, "data/plain.txt": "plain", **files})
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = {code}, main = "list.sh" {more} }}
            data "d" {{ files = {data} }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "j" {{ image = "image:i", data = {{ "data:d" }}, outputs = {{ list = "list.txt" }} }}
        ''')
        return place

    def seen(self, place):
        """(code, data) as the job saw them: name → size."""
        place.make("job:j")
        halves = place.pull("job:j", "list.txt").split("--\n")[:2]
        return tuple({line.split("|")[0][2:]: int(line.split("|")[1]) for line in half.splitlines()} for half in halves)

    def test_globs_match_folders_names_and_classes(self):
        place = self.listing(data='glob { "data/**/*.{txt,csv}", "data/[ab]?.bin" }',
                             **{"data/x/y/deep.csv": "1", "data/a1.bin": "12", "data/c1.bin": "1", "data/a12.bin": "1", "data/no.md": "1"})
        self.assertEqual(self.seen(place)[1], {"plain.txt": 5, "x/y/deep.csv": 1, "a1.bin": 2})

    def test_exclude_takes_away(self):
        place = self.listing(data='glob { "data/**", exclude = { "**/tmp/**", "**/*.bak" } }', **{"data/tmp/x": "1", "data/y.bak": "1"})
        self.assertEqual(list(self.seen(place)[1]), ["plain.txt"])

    def test_a_pattern_that_means_a_name_is_told_where_it_leaves_one_in(self):
        place = self.place({"TRAINFILE.lua": 'data "d" { files = glob "data/**", exclude = { "*.tmp" } }\n', "data/sub/q.tmp": "1"})
        self.assert_told(place.ask("data:d").exits(0), "leaves `data/sub/q.tmp` in", "`**/*.tmp` is of all folders")
        place.write("TRAINFILE.lua", 'data "d" { files = glob "data/**", exclude = { "**/*.tmp" } }\n')
        place.write("data/a", "1")
        self.assertNotIn("leaves", place.ask("data:d").exits(0).err)

    def test_dotfiles_match_and_git_never(self):
        place = self.listing(**{"code/.hidden": "1", "data/.git/config": "1", "data/.trainmake/x": "1"})
        code, data = self.seen(place)
        self.assertEqual((sorted(code), sorted(data)), ([".hidden", "list.sh"], ["plain.txt"]))

    def test_what_git_ignores_is_no_code_but_may_be_data(self):
        place = self.listing(**{".gitignore": "*.log\n/.trainmake\n", "code/x.log": "1", "code/sub/.gitignore": "inner\n", "code/sub/inner": "1", "data/x.log": "1"})
        place.git("init", "-q")
        code, data = self.seen(place)
        self.assertEqual((sorted(code), sorted(data)), (["list.sh", "sub/.gitignore"], ["plain.txt", "x.log"]))

    def test_what_git_tracks_is_code_though_a_pattern_ignores_it(self):
        place = self.listing(**{".gitignore": "*.log\nbuilt/\n/.trainmake\n", "code/x.log": "1", "code/built/x": "1", "code/built/y": "1"})
        place.git("init", "-q")
        place.git("add", ".")
        ours = ["list.sh"]
        self.assertEqual(sorted(self.seen(place)[0]), ours)
        for words, names in (
            (("add", "-f", "code/x.log"), [*ours, "x.log"]),
            (("add", "-f", "code/built/x"), ["built/x", *ours, "x.log"]),
            (("rm", "-q", "--cached", "code/x.log"), ["built/x", *ours]),
            (("rm", "-q", "--cached", "code/built/x"), ours),
        ):
            for _ in range(2):
                self.assert_nothing_ran(place.make("job:j"))
            place.git(*words)
            self.assertEqual(sorted(self.seen(place)[0]), names)
        place.write("other/file", "1")
        place.git("add", "other/file")
        self.assert_nothing_ran(place.make("job:j"))

    def test_gitignore_false_takes_all_of_the_code(self):
        place = self.listing(more=", gitignore = false", **{".gitignore": "*.log\n", "code/x.log": "1"})
        place.git("init", "-q")
        self.assertIn("x.log", self.seen(place)[0])

    def test_a_pattern_that_matches_nothing_is_an_error_unless_allowed(self):
        place = self.listing(data='glob "nothing/**"')
        self.assert_told(place.ask("job:j").exits(2), "nothing/**", "allow_empty")
        place.replace("TRAINFILE.lua", 'glob "nothing/**"', 'glob { "nothing/**", allow_empty = true }')
        self.assertEqual(self.seen(place)[1], {})

    def test_a_listed_file_that_is_not_there_is_an_error(self):
        place = self.listing(data='{ "data/plain.txt", "data/gone.txt" }')
        self.assert_told(place.ask("job:j").exits(2), "gone.txt")

    def test_links_are_kept_in_code_and_read_through_in_data(self):
        place = self.listing(**{"elsewhere.txt": "from elsewhere"})
        place.path("data/link.txt").symlink_to("../elsewhere.txt")
        place.path("code/link.sh").symlink_to("list.sh")
        code, data = self.seen(place)
        self.assertEqual(data["link.txt"], len("from elsewhere"))
        self.assertEqual(code["link.sh"], code["list.sh"])
        place.write("elsewhere.txt", "changed")
        self.assertIn("//data:d", place.make("job:j").ran)

    def test_a_link_is_read_through_as_the_system_does(self):
        place = self.listing(**{"disk/2026/sets/y": "", "disk/2026/right": "right one", "disk/right": "wrong"})
        place.path("disk/current").symlink_to("2026/sets")
        place.path("data/link.txt").symlink_to("../disk/current/../right")
        self.assertEqual(self.seen(place)[1]["link.txt"], len("right one"))

    def test_a_workspace_behind_a_link(self):
        place = self.place({"real/deep/f": "right one", "f": "wrong"})
        ours = self.listing()
        ours.root.rename(place.root / "real/deep/ws")
        place.path("lws").symlink_to("real/deep/ws")
        (place.root / "lws/data/link.txt").symlink_to("../../f")
        place.ask("-C", "lws", "job:j").exits(0)
        place.ask("-C", "real/deep/ws", "pull", "job:j", "--to", "out").exits(0)
        self.assertIn("link.txt|9", place.read("real/deep/ws/out/list.txt"))

    def test_retargeting_a_link_in_the_code_is_an_edit(self):
        place = self.listing()
        place.path("code/link.sh").symlink_to("list.sh")
        place.make("image:i")
        place.remove("code/link.sh")
        place.path("code/link.sh").symlink_to("./list.sh")
        self.assertIn("//code:c", place.make("image:i").ran)

    def test_links_to_folders_are_not_walked_and_that_is_said(self):
        place = self.listing(**{"big/x.txt": "1"})
        place.path("data/big").symlink_to("../big")
        answer = place.ask("job:j").exits(0)
        self.assert_told(answer.err, "data/big")
        self.assertEqual(list(self.seen(place)[1]), ["plain.txt"])

    def test_a_loop_of_links_ends(self):
        place = self.listing()
        place.path("data/loop").symlink_to(".")
        place.path("code/self").symlink_to("self")
        place.ask("plan", "job:j")

    def test_a_dangling_link_in_data_is_an_error_that_names_it(self):
        place = self.listing()
        place.path("data/dangling.txt").symlink_to("nowhere")
        answer = place.ask("job:j")
        self.assertNotEqual(answer.code, 0)
        self.assert_told(answer, "dangling.txt")

    def test_the_executable_bit_of_code_arrives(self):
        place = self.listing(**{"code/tool": "#!/bin/sh\necho from the tool\n"})
        place.path("code/tool").chmod(0o755)
        place.write("code/list.sh", './tool >"$TRAINMAKE_OUTPUT_DIR/list.txt"\n')
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "list.txt"), "from the tool\n")

    def test_empty_files_and_unicode_names_arrive(self):
        place = self.listing(**{"data/空.txt": "", "data/naïve résumé.txt": "12", "code/ünï.sh": ""})
        code, data = self.seen(place)
        self.assertEqual((data["空.txt"], data["naïve résumé.txt"], code["ünï.sh"]), (0, 2, 0))

    def test_two_spellings_of_one_letter_are_two_names(self):
        place = self.listing(**{"data/e\u0301.txt": "1", "data/\u00e9.txt": "22"})
        self.assertEqual({size for name, size in self.seen(place)[1].items() if name != "plain.txt"}, {1, 2})

    def test_spaces_quotes_and_dollars_in_names_arrive(self):
        names = ["a b.txt", "it's.txt", 'quo"te.txt', "dollar$HOME.txt", "back\\slash.txt", "-dash.txt", "semi;colon.txt", "star*.txt"]
        place = self.listing(**{f"data/{name}": "1" for name in names})
        self.assertEqual(sorted(self.seen(place)[1]), sorted([*names, "plain.txt"]))

    def test_newlines_and_bytes_that_are_no_utf8_work_or_are_refused_by_name(self):
        for name in (b"new\nline.txt", b"byte\xff.txt"):
            with self.subTest(name=name):
                place = self.listing(**{"code/list.sh": 'echo there >"$TRAINMAKE_OUTPUT_DIR/list.txt"\n'})
                with open(os.path.join(os.fsencode(place.path("data")), name), "wb") as file:
                    file.write(b"odd")
                answer = place.ask("job:j", "--json")
                self.assertIn(answer.code, (0, 2), str(answer))
                if answer.code == 2:
                    self.assert_told(answer.messages, "data")
                    continue
                self.assertEqual(place.make("job:j").ran, [])
                with open(os.path.join(os.fsencode(place.path("data")), name), "ab") as file:
                    file.write(b"er")
                self.assertIn("//data:d", place.make("job:j").ran)

    def test_a_workspace_whose_path_has_a_space_and_more(self):
        place = self.place()
        place.path("my project's $x").mkdir()
        inner = self.listing()
        for name in inner.files_below():
            place.write(f"my project's $x/{name}", inner.path(name).read_bytes())
        place.make("job:j", cwd="my project's $x")
        self.assertEqual(place.make("job:j", cwd="my project's $x").ran, [])

    def test_a_target_named_oddly_works(self):
        place = self.listing()
        place.append("TRAINFILE.lua", 'job "sweep-0.1+a=b@v1~x" { image = "image:i", main = "list.sh", outputs = { list = "list.txt" } }\n')
        self.assertIn("//job:sweep-0.1+a=b@v1~x", place.make("//...").ran)

    def test_a_pipe_or_socket_in_data_does_not_hang(self):
        place = self.listing()
        os.mkfifo(place.path("data/pipe"))
        answer = place.ask("job:j")
        self.assertIn(answer.code, (0, 1, 2), str(answer))

    def test_a_file_that_cannot_be_read_is_an_error_that_names_it(self):
        place = self.listing(**{"data/locked.txt": "1"})
        place.path("data/locked.txt").chmod(0)
        if os.access(place.path("data/locked.txt"), os.R_OK):
            self.skipTest("permissions do not bind this user")
        answer = place.ask("job:j")
        self.assertNotEqual(answer.code, 0)
        self.assert_told(answer, "locked.txt")

    def test_files_that_come_and_go_while_it_reads_never_break_it(self):
        place = self.listing(data='glob { "data/**", allow_empty = true }', **{f"data/n{n}/{m}.txt": "x" * 200 for n in range(20) for m in range(20)})
        over = threading.Event()

        def stir():
            number = 0
            while not over.is_set():
                path = place.path(f"data/n{number % 20}/{number % 7}.txt")
                path.unlink(missing_ok=True)
                path.write_text("y" * (number % 300))
                number += 1

        stirring = threading.Thread(target=stir)
        stirring.start()
        try:
            for _ in range(6):
                answer = place.ask("data:d", "--json")
                self.assertIn(answer.code, (0, 1), str(answer))
        finally:
            over.set()
            stirring.join()
        place.make("job:j")
        self.assertEqual(place.make("job:j").ran, [])
        sizes = self.seen(place)[1]
        self.assertEqual(sizes, {name: place.path("data").joinpath(name).stat().st_size for name in sizes})

    def test_many_small_files_in_one_folder(self):
        place = self.listing(**{f"data/{number}.txt": str(number) for number in range(3000)})
        self.assertEqual(len(self.seen(place)[1]), 3001)

    def test_a_private_key_among_the_code_is_refused_unless_allowed(self):
        key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"
        for name, content in (("code/id_ed25519", key), ("code/.env", "TOKEN=abc\n"), ("code/deploy.pem", key.replace("OPENSSH", "RSA"))):
            with self.subTest(name=name):
                place = self.listing(**{name: content})
                answer = place.ask("image:i").exits(2)
                self.assert_told(answer, name)
                self.assertEqual(place.runs(), [])
                place.replace("TRAINFILE.lua", 'main = "list.sh"', f'main = "list.sh", allow = {{ "{name}" }}')
                place.make("image:i")

    def test_nor_may_one_lie_among_the_files_of_an_image(self):
        place = self.place({"TRAINFILE.lua": 'image "i" { base = "scratch", files = { { srcs = glob "w/**", dest = "/w" } } }\n', "w/.env": "TOKEN=abc\n", "w/x": "1\n"})
        self.assert_told(place.ask("image:i").exits(2), "TRAINFILE.lua:1", "among the files of an image: `w/.env`")
        place.replace("TRAINFILE.lua", 'base = "scratch"', 'base = "scratch", allow = { "w/.env" }')
        place.make("image:i")

    def test_a_key_by_its_content_is_kept_nowhere(self):
        place = self.listing(**{"code/notes.txt": "-----BEGIN RSA PRIVATE KEY-----\nsomething-hidden\n-----END RSA PRIVATE KEY-----\n"})
        self.assert_told(place.ask("image:i").exits(2), "code/notes.txt")
        for path in place.path(".trainmake").rglob("*"):
            self.assertFalse(path.is_file() and b"something-hidden" in path.read_bytes(), path)

    def test_another_project_below_is_not_part_of_this_one(self):
        place = self.listing(data='glob "**/*.txt"', **{"data/inner/TRAINFILE.lua": "", "data/inner/x.txt": "1"})
        self.assertEqual([name for name in self.seen(place)[1] if "inner" in name], [])

    def test_a_limit_of_memory_is_told(self):
        place = self.place({f"data/{number:0200}": "" for number in range(20_000)})
        place.write("TRAINFILE.lua", 'data "d" { files = glob "data/**" }\n')
        told = []
        for kilobytes in range(36_000, 72_000, 4_000):
            bounded = f"ulimit -v {kilobytes}; exec {shlex.quote(BINARY)} plan data:d"
            done = subprocess.run(["sh", "-c", bounded], cwd=place.path("."), env=place.env, capture_output=True, check=False)
            if done.returncode == 1:
                told.append(done.stderr)
        self.assertTrue(any(b"Not enough memory" in error for error in told), told)
