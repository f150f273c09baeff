"""A `dir:` store: what is sent, what is removed, and what is nobody's business."""

import fcntl
import json
import os
import shutil

from story import Story, eventually


class Stores(Story):
    def test_an_object_lies_under_store_target_and_key(self):
        place = self.tiny()
        place.make("job:train")
        self.assertEqual(place.objects(), ["letters/a.txt", "letters/b.txt", "solver/solver.json"])
        self.assertEqual(place.read("bucket/letters/a.txt"), "aaa\n")

    def test_a_project_in_a_folder_has_its_folder_in_between(self):
        place = self.place({"TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
                            "vision/TRAINFILE.lua": 'data "d" { files = glob "in/**" }\n', "vision/in/x.txt": "x"})
        place.make("//vision/data:d")
        self.assertEqual(place.objects(), ["vision/d/x.txt"])

    def test_prefix_dest_and_root_move_objects(self):
        place = self.tiny()
        place.write("in/deep/x.txt", "x")
        place.append("TRAINFILE.lua", '''
            data "p" { files = glob "in/**", prefix = "some/where" }
            data "q" { files = glob "in/**", dest = "more" }
            data "r" { files = glob "in/deep/**", root = "in" }
        ''')
        place.make("data:p", "data:q", "data:r")
        self.assertEqual(place.objects(), ["q/more/deep/x.txt", "r/deep/x.txt", "some/where/deep/x.txt"])

    def test_a_target_may_name_its_store(self):
        place = self.tiny()
        place.append("TRAINSPACE.lua", 'store "other" { url = "dir:elsewhere" }\n')
        place.append("TRAINFILE.lua", 'data "o" { files = { "data/a.txt" }, store = "other" }\n')
        place.make("data:o")
        self.assertEqual((place.objects("elsewhere"), place.objects("bucket")), (["o/a.txt"], []))

    def test_an_unknown_store_is_an_error_with_those_there_are(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'data "o" { files = { "data/a.txt" }, store = "bukcet" }\n')
        self.assert_told(place.ask("data:o").exits(2), "bucket")

    def test_stores_within_each_other_are_refused(self):
        place = self.tiny()
        place.append("TRAINSPACE.lua", 'store "inner" { url = "dir:bucket/sub" }\n')
        place.append("TRAINFILE.lua", 'data "o" { files = { "data/a.txt" }, store = "inner" }\n')
        for label, url in (("data:letters", "bucket/sub"), ("data:o", "./bucket/sub"), ("data:o", "bucket/../bucket/sub/")):
            place.write("TRAINSPACE.lua", f'store "bucket" {{ url = "dir:./bucket/" }}\nstore "inner" {{ url = "dir:{url}" }}\ndefault_store "bucket"\n')
            self.assert_told(place.ask(label).exits(2).err, "Store `inner` lies within store `bucket`", "TRAINSPACE.lua:")

    def test_so_are_buckets_within_buckets(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'data "o" { files = { "data/a.txt" }, store = "team" }\n')
        place.write("TRAINSPACE.lua", 'store "all" { url = "s3://data/" }\nstore "team" { url = "s3://data/team" }\ndefault_store "all"\n')
        for label in ("data:letters", "data:o"):
            self.assert_told(place.ask(label).exits(2).err, "Store `team` lies within store `all`", "TRAINSPACE.lua:")

    def test_what_was_cut_short_takes_nothing_of_a_neighbour_away(self):
        place = self.place({
            "TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
            "TRAINFILE.lua": 'data "a" { files = glob "A/**", prefix = "p" }\ndata "b" { files = glob "B/**", prefix = "p/q" }\n',
            "A/q": "1", "A/z": "keep", "B/x": "B1"})
        place.make("data:a")
        mirror = json.loads(place.read("bucket/.trainmake/p/.mirror.json"))
        mirror["unsettled"] = ["q"]
        mirror["objects"] = [entry for entry in mirror["objects"] if "q" not in entry]
        place.write("bucket/.trainmake/p/.mirror.json", json.dumps(mirror))
        place.remove("bucket/p/q")
        place.remove("A/q")
        self.assert_told(place.ask("data:b").exits(2).err, "//data:a", "//data:b")
        place.make("data:a")
        place.make("data:b")
        place.make("data:a")
        self.assertEqual(place.objects(), ["p/q/x", "p/z"])

    def test_a_store_at_an_absolute_path(self):
        place = self.tiny()
        place.write("TRAINSPACE.lua", f'store "bucket" {{ url = "dir:{place.home}/far" }}\ndefault_store "bucket"\n')
        place.make("data:solver")
        self.assertTrue((place.home / "far/solver/solver.json").exists())

    def test_only_what_changed_is_sent(self):
        place = self.tiny()
        place.make("data:letters")
        place.write("data/a.txt", "other\n")
        answer = place.make("data:letters")
        self.assertEqual(answer.finished["uploaded"], {"objects": 1, "bytes": 6})
        self.assertEqual(place.read("bucket/letters/a.txt"), "other\n")

    def test_what_went_away_here_goes_away_there(self):
        place = self.tiny()
        place.make("data:letters")
        place.remove("data/b.txt")
        self.assertEqual(place.make("data:letters").finished["deleted"], {"objects": 1})
        self.assertEqual(place.objects(), ["letters/a.txt"])

    def test_two_clones_that_send_to_one_place_wait_for_each_other(self):
        one, other = (self.place({"TRAINFILE.lua": 'data "d" { files = glob "in/**" }\n', "in/a.txt": f"of {name}\n"}) for name in "AB")
        one.write("TRAINSPACE.lua", f'store "bucket" {{ url = "dir:{one.home}/far" }}\ndefault_store "bucket"\n')
        other.write("TRAINSPACE.lua", one.read("TRAINSPACE.lua"))
        one.write("in/b.fifo-sized", "x" * 1000)
        one.make("data:d")
        with open(one.home / "far/.trainmake/d/.lock", "r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            waiting = other.start("data:d", "--prune", "--json")
            waiting.until("Waiting for another trainmake")
            self.assertEqual((one.home / "far/d/a.txt").read_text(), "of A\n")
        waiting.end().exits(0)
        self.assertEqual((one.home / "far/d/a.txt").read_text(), "of B\n")
        self.assertEqual(one.make("data:d").finished["uploaded"]["objects"], 2)
        self.assertEqual((one.home / "far/d/a.txt").read_text(), "of A\n")

    def test_many_targets_of_one_run_do_not_take_each_other_for_another_trainmake(self):
        names = [f"d{number}" for number in range(12)]
        place = self.place({
            "TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
            "TRAINFILE.lua": "".join(f'data "{name}" {{ files = {{ "{name}.txt" }} }}\n' for name in names),
            **{f"{name}.txt": name for name in names},
        })
        answer = place.ask("//...", "--no-wait").exits(0)
        self.assertNotIn("another trainmake", str(answer))

    def test_what_others_put_there_stays(self):
        place = self.tiny()
        place.make("data:letters")
        place.write("bucket/letters/theirs.txt", "theirs")
        place.remove("data/b.txt")
        place.make("data:letters")
        self.assertEqual(place.objects(), ["letters/a.txt", "letters/theirs.txt"])

    def test_without_prune_nothing_goes_away(self):
        place = self.tiny()
        place.replace("TRAINFILE.lua", 'glob "data/*.txt"', 'glob "data/*.txt", prune = false')
        place.make("data:letters")
        place.remove("data/b.txt")
        self.assertEqual(place.make("data:letters").finished["deleted"], {"objects": 0})
        self.assertEqual(place.objects(), ["letters/a.txt", "letters/b.txt"])

    def test_a_lost_store_is_filled_again(self):
        place = self.tiny()
        place.make("job:train")
        shutil.rmtree(place.path("bucket"))
        place.replace("TRAINFILE.lua", "0.5", "0.6")
        self.assertEqual(place.make("job:train").cost, (0, 3, 1))

    def test_an_undone_edit_brings_the_store_back(self):
        place = self.tiny()
        place.make("data:solver")
        first = place.read("data/solver.json")
        place.write("data/solver.json", "{}\n")
        place.make("data:solver")
        place.write("data/solver.json", first)
        place.make("data:solver")
        self.assertEqual(place.read("bucket/solver/solver.json"), first)

    def test_a_clone_that_reaches_the_same_store_sends_nothing(self):
        place = self.tiny()
        place.make("data:letters", "data:solver")
        clone = place.clone()
        self.addCleanup(clone.close)
        self.assertEqual(clone.make("data:letters", "data:solver").finished["uploaded"]["objects"], 0)

    def test_the_job_reads_files_here_and_not_the_store(self):
        place = self.tiny()
        place.make("data:letters", "data:solver")
        place.write("bucket/letters/a.txt", "spoilt\n")
        place.make("job:train")
        self.assertIn("aaa", place.pull("job:train", "model.txt"))

    def test_killed_while_it_sends_it_leaves_nothing_among_the_data(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'data "large" { files = glob "large/**" }\n')
        for attempt in range(20):
            place.write("large/x.bin", os.urandom(96 << 20))
            going = place.start("data:large")
            eventually(lambda: list(place.path("bucket").rglob(".tm-tmp*")) or going.process.poll() is not None, "nothing was written")
            going.kill().end()
            left = list(place.path("bucket").rglob(".tm-tmp*"))
            if left:
                break
        self.assertEqual({path.parent.parent for path in left}, {place.path("bucket/.trainmake/.arriving")})
        place.make("data:large")
        self.assertEqual(place.objects(), ["large/x.bin"])
        for path in left:
            for old in (*path.parent.iterdir(), path.parent):
                os.utime(old, (0, 0))
        place.write("large/y.bin", "y")
        place.make("data:large")
        self.assertEqual(list(place.path("bucket").rglob(".tm-tmp*")), [])

    def test_no_lock_is_made_beyond_a_link(self):
        place, outside = self.tiny(), self.place({"theirs/x": "x"})
        place.path("bucket").mkdir()
        place.path("bucket/.trainmake").symlink_to(outside.path("theirs"))
        self.assert_told(place.ask("data:letters").exits(2), "bucket/.trainmake", "is a link", "Nothing is written beyond it")
        self.assertEqual(outside.files_below("theirs"), ["x"])

    def test_a_store_among_its_own_files_is_refused(self):
        place = self.place({"TRAINSPACE.lua": 'store "b" { url = "dir:d" }\ndefault_store "b"\n',
                            "TRAINFILE.lua": 'data "d" { files = glob "d/**" }\n', "d/x.txt": "x"})
        self.assert_told(place.ask("data:d").exits(2), "`d/x.txt` lies in store `b`", "TRAINFILE.lua:1")
        self.assertEqual(place.files_below("d"), ["x.txt"])

    def test_what_is_excluded_is_not_sent(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'data "some" { files = glob "data/**", exclude = { "**/b.*" } }\n')
        place.make("data:some")
        self.assertEqual(place.objects(), ["some/a.txt", "some/solver.json"])

    def test_a_large_file_is_copied_whole_and_each_of_many_too(self):
        content = bytes(range(256)) * 4096
        files = {f"in/{number}.bin": content + str(number).encode() for number in range(20)}
        place = self.place({"TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
                            "TRAINFILE.lua": 'data "d" { files = glob "in/**" }\n', **files})
        self.assertEqual(place.make("data:d").finished["uploaded"], {"objects": 20, "bytes": sum(len(each) for each in files.values())})
        for name, each in files.items():
            self.assertTrue(place.path(f"bucket/d/{name[3:]}").read_bytes() == each, name)
        place.write("in/3.bin", "other")
        self.assertTrue(place.path("bucket/d/3.bin").read_bytes() == files["in/3.bin"], "what lies here is not what lies there")

    def folders(self, space='store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n'):
        place = self.place({"TRAINSPACE.lua": space, "TRAINFILE.lua": 'data "d" { files = glob "in/**", empty_folders = true }\n', "in/a.txt": "a", "in/full/b.txt": "b"})
        for name in ("in/none", "in/deep/er"):
            place.path(name).mkdir(parents=True)
        return place

    def test_empty_folders_are_kept_when_that_is_asked_for(self):
        place = self.folders()
        self.assertEqual(place.plan("data:d")["totals"]["objects"], 4)
        self.assertEqual(place.make("data:d").finished["uploaded"], {"objects": 4, "bytes": 2})
        self.assertTrue(place.path("bucket/d/none").is_dir() and place.path("bucket/d/deep/er").is_dir())
        self.assert_nothing_ran(place.make("data:d"))
        place.ask("data", "verify", "data:d").exits(0)
        place.path("bucket/d/none").rmdir()
        self.assert_told(place.ask("data", "verify", "data:d").exits(1), "none/ is not there")
        place.ask("data", "verify", "--heal", "data:d").exits(0)
        self.assertTrue(place.path("bucket/d/none").is_dir())
        place.remove("in/none")
        place.remove("in/full/b.txt")
        self.assertIn("none", str(place.why("data:d")))
        place.make("data:d")
        self.assertFalse(place.path("bucket/d/none").exists())
        self.assertEqual(list(place.path("bucket/d/full").iterdir()), [])

    def test_a_job_finds_empty_folders_where_they_were_asked_for(self):
        place = self.folders(space="")
        place.write("code/main.sh", 'cd "$TRAINMAKE_DATA_DIR"; find . -type d | sort >"$TRAINMAKE_OUTPUT_DIR/found"\n')
        place.append("TRAINFILE.lua", '''
            code "c" { srcs = glob "code/**", main = "main.sh" }
            image "i" { code = "code:c", base = "scratch" }
            job "j" { image = "image:i", data = { "data:d", again = "data:d" }, outputs = { found = "found" } }
        ''')
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "found").split(), [".", "./again", "./again/deep", "./again/deep/er", "./again/full", "./again/none",
                                                                "./deep", "./deep/er", "./full", "./none"])

    def test_links_among_data_are_read_through_and_those_to_folders_said(self):
        place = self.place({"TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
                            "TRAINFILE.lua": 'data "d" { files = glob "in/**" }\n', "in/a.txt": "a", "other/o.txt": "o"})
        place.path("in/to_file").symlink_to("../other/o.txt")
        place.path("in/to_folder").symlink_to("../other")
        place.path("in/self").symlink_to(".")
        answer = place.make("data:d")
        self.assert_told(answer, "`in/to_folder` is a link to a folder and was not entered", "`in/self` is a link to a folder")
        self.assertEqual(place.objects(), ["d/a.txt", "d/to_file"])
        self.assertFalse(place.path("bucket/d/to_file").is_symlink())
        self.assertEqual(place.read("bucket/d/to_file"), "o")

    def test_links_that_lead_nowhere_or_in_a_circle_are_named(self):
        place = self.place({"TRAINFILE.lua": 'data "d" { files = glob "in/**" }\n', "in/a.txt": "a"})
        place.path("in/gone").symlink_to("nowhere")
        self.assert_told(place.ask("data:d").exits(2).err, "TRAINFILE.lua:1", "`in/gone` leads to nothing")
        place.remove("in/gone")
        place.path("in/one").symlink_to("two")
        place.path("in/two").symlink_to("one")
        self.assert_told(place.ask("data:d").exits(2).err, "TRAINFILE.lua:1", "in/one", "leads back to itself")

    def test_a_store_in_a_folder_takes_any_name_that_a_file_has(self):
        place = self.place({"TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n', "TRAINFILE.lua": 'data "d" { files = glob "in/**" }\n'})
        names = [b"new\nline", b"tab\tx", b"bad\xff\xfe", b" ", b"back\\slash", b"...", b"q?*[a]", b"%41", b"n" * 255]
        here, there = os.fsencode(place.path("in")), os.fsencode(place.path("bucket/d"))
        os.mkdir(here)
        for name in names:
            with open(here + b"/" + name, "wb") as file:
                file.write(name)
        place.make("data:d")
        self.assertEqual(sorted(os.listdir(there)), sorted(names))
        for name in names:
            with open(there + b"/" + name, "rb") as file:
                self.assertEqual(file.read(), name)
        self.assert_nothing_ran(place.make("data:d"))
        place.ask("data", "verify", "data:d").exits(0)

    def test_paths_that_lead_out_are_refused_before_anything_is_touched(self):
        place = self.place({"TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n', "in/a.txt": "a"})
        for declared, told in (('{ "../x" }', "leads out"), ('{ "/etc/hostname" }', "is absolute"), ('{ "in/a.txt" }, dest = "../x"', "`dest`"),
                               ('{ "in/a.txt" }, dest = "/x"', "`dest`"), ('{ "in/a.txt" }, prefix = "../x"', "`prefix`"), ('{ "in/a.txt" }, prefix = "/x"', "`prefix`")):
            with self.subTest(declared):
                place.write("TRAINFILE.lua", f'data "d" {{ files = {declared} }}\n')
                self.assert_told(place.ask("data:d").exits(2).err, "TRAINFILE.lua:1", told)
                self.assertFalse(place.path("bucket").exists())
        place.write("TRAINFILE.lua", 'data "d" { files = { "in//a.txt" }, dest = "x//y", prefix = "p//q" }\n')
        place.make("data:d")
        self.assertEqual(place.objects(), ["p/q/x/y/a.txt"])

    def test_a_store_where_nothing_can_be_written_is_told(self):
        place = self.tiny(**{"bucket": "a file, not a folder"})
        answer = place.ask("data:letters")
        self.assertIn(answer.code, (1, 3), str(answer))
        self.assert_told(answer, "bucket")
