"""After an edit exactly that runs which the edit reaches, and nothing is ever stale."""

import mmap
import os
import time

from story import EVERYTHING, Story


class Edits(Story):
    def built(self, *labels):
        place = self.tiny()
        place.make(*(labels or ["job:train"]))
        return place

    def test_touching_every_file_runs_nothing(self):
        place = self.built("job:eval")
        place.touch("code/train.sh", "code/eval.sh", "data/a.txt", "data/b.txt", "data/solver.json", "TRAINFILE.lua", "TRAINSPACE.lua")
        self.assert_nothing_ran(place.make("job:eval"))

    def test_an_edit_that_keeps_size_and_mtime_is_seen(self):
        place = self.built()
        place.make("job:train")
        before = place.path("data/a.txt").stat()
        place.write("data/a.txt", "aab\n")
        os.utime(place.path("data/a.txt"), ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(place.make("job:train").ran, ["//data:letters", "//job:train"])
        self.assertIn("aab", place.pull("job:train", "model.txt"))

    def test_a_page_of_mapped_memory_that_is_written_to_twice_is_seen(self):
        place = self.built()
        path = place.path("data/a.txt")
        if not self.tells_of_mapped_writes(path):
            self.skipTest("a file system in memory, whose times say nothing of mapped writes")
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 4) as memory:
            memory[:3] = b"one"
            time.sleep(0.1)
            place.make("job:train")
            memory[:3] = b"two"
            self.assertEqual(place.make("job:train").ran, ["//data:letters", "//job:train"])
            self.assertIn("two", place.pull("job:train", "model.txt"))

    def tells_of_mapped_writes(self, path):
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 4) as memory:
            memory[:1] = b"x"
            os.fdatasync(file.fileno())
            before = os.stat(path).st_mtime_ns
            time.sleep(0.1)
            memory[:1] = b"y"
            return os.stat(path).st_mtime_ns != before

    def test_an_edit_right_after_a_run_is_seen(self):
        place = self.built()
        for number in range(5):
            place.write("data/a.txt", f"aa{number}\n")
            self.assertIn("//job:train", place.make("job:train").ran)
            self.assertIn(f"aa{number}", place.pull("job:train", "model.txt"))

    def test_a_file_replaced_by_another_of_the_same_size_and_mtime_is_seen(self):
        place = self.built()
        place.make("job:train")
        before = place.path("data/a.txt").stat()
        place.write("new", "zzz\n")
        os.utime(place.path("new"), ns=(before.st_atime_ns, before.st_mtime_ns))
        place.rename("new", "data/a.txt")
        self.assertIn("//job:train", place.make("job:train").ran)

    def test_a_solver_edit_is_no_layer_one_object_one_job(self):
        place = self.built()
        place.write("data/solver.json", '{"momentum": 0.8}\n')
        answer = place.make("job:train")
        self.assertEqual((answer.ran, answer.cost), (["//data:solver", "//job:train"], (0, 1, 1)))

    def test_a_code_edit_is_one_layer_no_object_one_job(self):
        place = self.built()
        place.append("code/train.sh", "# a remark\n")
        answer = place.make("job:train")
        self.assertEqual((answer.ran, answer.cost), (["//code:tiny", "//image:tiny", "//job:train"], (1, 0, 1)))

    def test_a_param_edit_is_one_job_alone(self):
        place = self.built()
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.25")
        answer = place.make("job:train")
        self.assertEqual((answer.ran, answer.cost), (["//job:train"], (0, 0, 1)))
        self.assertIn("rate 0.25", place.pull("job:train", "model.txt"))

    def test_an_undone_edit_takes_the_earlier_result(self):
        place = self.built()
        first = place.read("data/solver.json")
        place.write("data/solver.json", "{}\n")
        place.make("job:train")
        place.write("data/solver.json", first)
        answer = place.make("job:train")
        self.assertEqual((answer.finished["submitted"], answer.finished["reused"]), (0, 1))
        self.assertIn("//job:train", answer.labels("reused"))
        self.assertIn("0.9", place.pull("job:train", "model.txt"))

    def test_an_undone_param_takes_the_earlier_result_too(self):
        place = self.built()
        place.replace("TRAINFILE.lua", "rate = 0.5", "rate = 0.25")
        place.make("job:train")
        place.replace("TRAINFILE.lua", "rate = 0.25", "rate = 0.5")
        self.assertEqual(place.make("job:train").labels("reused"), ["//job:train"])

    def test_an_equal_model_runs_nothing_that_reads_it(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", '''
            code "other" { srcs = { "code/eval.sh" }, main = "eval.sh" }
            image "other" { code = "code:other", base = "scratch" }
            job "apart" { image = "image:other", data = { model = "job:train" }, outputs = { score = "score.txt" } }
        ''')
        place.make("job:apart")
        place.append("code/train.sh", "# no effect on the model\n")
        answer = place.make("job:apart")
        self.assertIn("//job:train", answer.ran)
        self.assertIn("//job:apart", answer.labels("up_to_date"))

    def test_a_remark_or_an_unrelated_target_in_the_trainfile_runs_nothing(self):
        place = self.built()
        place.append("TRAINFILE.lua", '-- a remark\ncode "more" { srcs = { "code/eval.sh" } }\n')
        self.assert_nothing_ran(place.make("job:train"))

    def test_metrics_tags_notes_retries_and_timeout_are_no_inputs(self):
        place = self.built()
        place.replace("TRAINFILE.lua", 'metrics = { loss = "loss=([%d.]+)" },',
                      'metrics = { last = "loss=([%d.]+)" }, tags = { "x" }, notes = "y", retries = 2, timeout = "1h",')
        self.assert_nothing_ran(place.make("job:train"))

    def test_a_file_added_renamed_made_executable_or_removed_is_new_code(self):
        place = self.built("image:tiny")
        for edit in (lambda: place.write("code/more.sh", ":\n"), lambda: place.rename("code/more.sh", "code/less.sh"),
                     lambda: place.path("code/less.sh").chmod(0o755)):
            edit()
            self.assertEqual(place.make("image:tiny").ran, ["//code:tiny", "//image:tiny"])
        place.remove("code/less.sh")
        self.assertEqual(place.make("image:tiny").labels("reused"), ["//code:tiny", "//image:tiny"])

    def test_the_mode_of_data_does_not_matter(self):
        place = self.built()
        place.path("data/a.txt").chmod(0o755)
        self.assert_nothing_ran(place.make("job:train"))

    def test_a_new_file_that_the_glob_matches_is_one_object_and_one_job(self):
        place = self.built()
        place.write("data/c.txt", "ccc\n")
        place.write("data/c.csv", "no part of it\n")
        answer = place.make("job:train")
        self.assertEqual((answer.ran, answer.cost), (["//data:letters", "//job:train"], (0, 1, 1)))

    def test_a_removed_file_runs_what_read_it(self):
        place = self.built()
        place.remove("data/b.txt")
        self.assertEqual(place.make("job:train").ran, ["//data:letters", "//job:train"])
        self.assertNotIn("bbb", place.pull("job:train", "model.txt"))

    def test_an_edit_runs_only_what_was_asked_for(self):
        place = self.built("job:eval")
        place.write("data/a.txt", "other\n")
        place.make("data:letters")
        self.assertEqual(place.make("job:eval").ran, ["//job:eval", "//job:train"])

    def test_force_runs_the_named_alone(self):
        place = self.built("job:eval")
        answer = place.make("job:train", "--force")
        self.assertEqual((answer.ran, answer.finished["submitted"]), (["//job:train"], 1))

    def test_another_platform_is_another_result_and_coming_back_is_free(self):
        place = self.tiny()
        place.append("TRAINSPACE.lua", 'platform "there" { type = "local" }\n')
        place.make("job:eval")
        self.assertEqual(place.make("job:eval", "--platform", "there").ran, ["//job:eval", "//job:train"])
        back = place.make("job:eval")
        self.assertEqual((back.ran, back.finished["submitted"]), ([], 0))

    def test_everything_again_after_everything_was_edited(self):
        place = self.built("job:eval")
        for name in ("code/train.sh", "data/a.txt", "data/solver.json"):
            place.append(name, "\n")
        self.assertEqual(place.make("job:eval").ran, EVERYTHING)
