"""State: moved, restored, carried, damaged, cleaned."""

import os
import re
import shutil
import sqlite3

from story import Story


class Moving(Story):
    def test_a_moved_workspace_has_nothing_to_do(self):
        place = self.tiny()
        place.make("job:eval")
        moved = place.clone(with_state=True)
        self.addCleanup(moved.close)
        self.assert_nothing_ran(moved.make("job:eval"))

    def test_a_clone_with_the_cache_folder_restored_has_nothing_to_do(self):
        place = self.tiny()
        cache = str(place.home / "cache")
        place.make("job:eval", "--cache-dir", cache)
        self.assertFalse(place.path(".trainmake/state.db").exists())
        clone = place.clone()
        self.addCleanup(clone.close)
        self.assert_nothing_ran(clone.make("job:eval", env={"TRAINMAKE_CACHE_DIR": cache}))

    def test_a_cache_among_the_files_is_none_of_them(self):
        place = self.place({"TRAINFILE.lua": 'code "c" { srcs = glob "**" }\ndata "d" { files = glob "**" }\n', "main.py": "1"})
        self.assertEqual(len(place.make("//...", "--cache-dir", "ci/cache").ran), 2)
        self.assert_nothing_ran(place.make("//...", "--cache-dir", "ci/cache"))

    def test_a_cache_travels_as_a_file(self):
        place = self.tiny()
        place.make("job:eval")
        file = str(place.home / "cache.tar.zst")
        place.ask("cache", "export", file).exits(0)
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.ask("cache", "import", file).exits(0)
        self.assert_nothing_ran(clone.make("job:eval"))
        self.assertIn("0.9", clone.pull("job:train", "model.txt"))

    def test_an_import_adds_to_a_cache_with_images_of_its_own(self):
        place = self.tiny()
        place.make("job:eval")
        file = str(place.home / "cache.tar.zst")
        place.ask("cache", "export", file).exits(0)
        clone = place.clone()
        self.addCleanup(clone.close)
        clone.append("TRAINFILE.lua", 'image "own" { base = "scratch", code = "code:tiny" }\n')
        clone.make("image:own")
        clone.ask("cache", "import", file).exits(0)
        self.assert_nothing_ran(clone.make("job:eval"))
        self.assert_nothing_ran(clone.make("image:own"))

    def test_import_of_something_else_is_refused_and_changes_nothing(self):
        place = self.tiny()
        place.make("job:eval")
        place.write("junk", os.urandom(10000))
        self.assertNotEqual(place.ask("cache", "import", "junk").code, 0)
        self.assert_nothing_ran(place.make("job:eval"))

    def test_without_state_all_is_done_again(self):
        place = self.tiny()
        place.make("job:eval")
        place.remove(".trainmake")
        self.assertEqual(place.make("job:eval").finished["submitted"], 2)


class Damage(Story):
    def after_damage(self, place):
        """It is healed, or refused with exit 2 and a command that helps."""
        answer = place.ask("job:eval", "--json")
        if answer.code != 0:
            self.assert_told(answer.exits(2), "state.db")
            way_out = re.search(r"`trainmake ([^`]+)`", answer.text)
            self.assertTrue(way_out, str(answer))
            place.ask(*way_out[1].split()).exits(0)
            place.make("job:eval")
        self.assertEqual(place.make("job:eval").ran, [])

    def test_a_database_of_rubbish(self):
        place = self.tiny()
        place.make("job:eval")
        path = place.path(".trainmake/state.db")
        rubbish = bytearray(path.read_bytes())
        rubbish[:4096] = os.urandom(4096)
        path.write_bytes(rubbish)
        self.after_damage(place)

    def test_a_database_cut_short(self):
        place = self.tiny()
        place.make("job:eval")
        path = place.path(".trainmake/state.db")
        path.write_bytes(path.read_bytes()[:5000])
        self.after_damage(place)

    def test_an_empty_database(self):
        place = self.tiny()
        place.make("job:eval")
        place.path(".trainmake/state.db").write_bytes(b"")
        for name in ("state.db-wal", "state.db-shm"):
            place.path(f".trainmake/{name}").unlink(missing_ok=True)
        self.after_damage(place)

    def test_every_other_file_of_ours_may_be_lost_or_damaged(self):
        reference = self.tiny()
        reference.make("job:eval")
        for name in reference.files_below(".trainmake"):
            if name.startswith("state.db"):
                continue
            for damage in (b"", b"rubbish", None):
                with self.subTest(name=name, damage=damage):
                    place = reference.clone(with_state=True)
                    path = place.path(f".trainmake/{name}")
                    path.unlink()
                    if damage is not None:
                        path.write_bytes(damage)
                    place.make("job:eval")
                    place.write("data/a.txt", "other\n")
                    place.make("job:eval")
                    self.assertEqual(place.pull("job:train", "model.txt"), 'other\nbbb\n{"momentum": 0.9}\nrate 0.5\n')
                    shutil.rmtree(place.root)

    def test_a_damaged_output_is_found_and_made_again(self):
        place = self.tiny()
        place.make("job:eval")
        hurt = [name for name in place.files_below(".trainmake") if b"rate 0.5\n" in place.path(f".trainmake/{name}").read_bytes() and "state.db" not in name]
        self.assertTrue(hurt)
        for name in hurt:
            place.path(f".trainmake/{name}").chmod(0o644)
            place.write(f".trainmake/{name}", "rotten\n")
        place.make("job:eval", "--force")
        self.assertIn("rate 0.5", place.pull("job:train", "model.txt"))

    def test_state_of_a_newer_trainmake_is_refused_as_newer(self):
        place = self.tiny()
        place.make("image:tiny")
        with sqlite3.connect(place.path(".trainmake/state.db")) as database:
            database.execute("PRAGMA user_version = 9999")
        database.close()
        self.assert_told(place.ask("image:tiny").exits(2).text.lower(), "newer")

    def test_a_cache_folder_that_cannot_be_made_is_told(self):
        place = self.tiny(**{"file": ""})
        answer = place.ask("job:train", "--cache-dir", "file/cache")
        self.assertIn(answer.code, (1, 2), str(answer))
        self.assert_told(answer, "file/cache")


class Cleaning(Story):
    def test_gc_keeps_what_is_needed(self):
        place = self.tiny()
        place.make("job:eval")
        place.ask("gc").exits(0)
        self.assert_nothing_ran(place.make("job:eval"))
        self.assertIn("0.9", place.pull("job:train", "model.txt"))

    def test_gc_leaves_what_a_job_wrote_as_its_log(self):
        place = self.tiny()
        place.append("code/train.sh", 'echo event >"$TRAINMAKE_LOG_DIR/events.tb"\necho x >"$TRAINMAKE_OUTPUT_DIR/undeclared"\n')
        place.make("job:train")
        self.assert_told(place.ask("gc").exits(0).err, "what 1 run left beside outputs")
        self.assertEqual([path.name for path in place.path(".trainmake/runs").rglob("events.tb")], ["events.tb"])
        self.assertEqual(list(place.path(".trainmake/runs").rglob("undeclared")), [])

    def test_git_takes_nothing_of_the_cache(self):
        place = self.tiny(**{".gitignore": "bucket/\n", "ci/cache/.gitignore": "*\n!.gitignore\n"})
        place.git("init", "-q")
        place.make("job:train")
        self.assertNotIn(".trainmake", place.git("status", "--porcelain"))
        place.make("job:train", "--cache-dir", "ci/cache")
        self.assertEqual(place.read("ci/cache/.gitignore"), "*\n!.gitignore\n")

    def test_gc_removes_what_nothing_refers_to(self):
        place = self.tiny()
        place.write("code/train.sh", "# " + "x" * 100_000 + "\n" + place.read("code/train.sh"))
        place.make("job:train")
        place.write("code/train.sh", 'echo 1 >"$TRAINMAKE_OUTPUT_DIR/model.txt"\n')

        def size():
            return sum(place.path(f".trainmake/{name}").lstat().st_size for name in place.files_below(".trainmake"))

        place.make("job:train")
        before = size()
        place.ask("gc").exits(0)
        self.assertLessEqual(size(), before)
        self.assert_nothing_ran(place.make("job:train"))

    def test_doctor_says_how_this_machine_is(self):
        place = self.tiny()
        self.assert_told(place.ask("doctor").exits(0).out, "trainmake", "not there yet")
        self.assertFalse([name for name in place.files_below() if "doctor" in name])
        self.assertFalse(place.path(".trainmake").exists())

    def test_doctor_tells_of_a_cache_that_cannot_be_made(self):
        place = self.tiny()
        for folder in ("/proc/none/cache", "TRAINFILE.lua/cache", "TRAINFILE.lua"):  # where root cannot make one either
            with self.subTest(folder=folder):
                (cache,) = [line for line in place.ask("doctor", "--json", "--cache-dir", folder).exits(1).lines if line["check"] == "cache"]
                self.assertFalse(cache["ok"], cache)
