"""Run it, run it again: everything once, then nothing."""

from story import EVERYTHING, TRAIN, Story


class Everyday(Story):
    def test_the_first_run_does_everything_once(self):
        place = self.tiny()
        answer = place.make("job:train")
        self.assertEqual(answer.ran, TRAIN)
        self.assertEqual(answer.cost, (1, 3, 1))
        self.assertEqual(place.pull("job:train", "model.txt"), 'aaa\nbbb\n{"momentum": 0.9}\nrate 0.5\n')

    def test_the_second_run_does_nothing_and_asks_nobody(self):
        place = self.tiny()
        place.make("job:train")
        answer = place.make("job:train")
        self.assert_nothing_ran(answer)
        self.assertEqual(answer.labels("up_to_date"), TRAIN)
        self.assertEqual(sum(answer.finished["requests"].values()), 0)

    def test_the_third_run_reads_nothing(self):
        place = self.tiny()
        for _ in range(2):
            place.make("job:eval")
        self.assertEqual(place.make("job:eval").finished["hashed"], {"files": 0, "bytes": 0})

    def test_a_run_with_nothing_to_do_says_so_on_its_last_line(self):
        place = self.tiny()
        place.make("job:train")
        self.assertIn("nothing to do", place.ask("job:train").exits(0).err.splitlines()[-1])

    def test_a_run_with_something_to_do_does_not_say_nothing_to_do(self):
        place = self.tiny()
        self.assertNotIn("nothing to do", place.ask("job:train").exits(0).text)

    def test_a_run_writes_nothing_to_stdout_without_json(self):
        place = self.tiny()
        answer = place.ask("job:train").exits(0)
        self.assertEqual(answer.out, "")
        self.assertNotIn("\x1b", answer.err)

    def test_a_target_takes_along_what_it_needs(self):
        self.assertEqual(self.tiny().make("job:eval").ran, EVERYTHING)

    def test_several_labels_are_one_run(self):
        self.assertEqual(self.tiny().make("image:tiny", "data:solver").ran, ["//code:tiny", "//data:solver", "//image:tiny"])

    def test_a_pattern_is_every_target_that_fits(self):
        self.assertEqual(self.tiny().make("//...").ran, EVERYTHING)

    def test_alone_it_says_what_there_is_and_what_to_type(self):
        self.assert_told(self.tiny().ask().exits(0), "job:train", "job:eval", "trainmake ")

    def test_every_line_of_json_has_an_event_and_a_time(self):
        for line in self.tiny().make("job:eval").lines:
            self.assertTrue(line["event"] and line["time"], line)

    def test_the_lines_of_a_job_come_as_events(self):
        lines = [(line["label"], line["line"]) for line in self.tiny().make("job:train").events("log")]
        self.assertEqual([line for line in lines if "loss" in line[1]], [("//job:train", "loss=0.75"), ("//job:train", "loss=0.25")])

    def test_finished_has_every_field_of_the_contract(self):
        end = self.tiny().make("job:train").finished
        self.assertEqual(set(end["steps"]), {"ran", "up_to_date", "reused", "failed", "skipped", "detached"})
        self.assertEqual(set(end["requests"]), {"put", "get", "head", "list", "post", "delete", "patch"})
        self.assertEqual((end["ok"], end["exit_code"]), (True, 0))
        for field, parts in (("uploaded", {"objects", "bytes"}), ("deleted", {"objects"}), ("pushed", {"manifests", "layers", "bytes"}),
                             ("hashed", {"files", "bytes"}), ("stats", {"files"})):
            self.assertEqual(set(end[field]), parts)
        self.assertEqual(end["uploaded"]["bytes"], 8 + len('{"momentum": 0.9}\n'))

    def test_data_without_a_store_is_read_where_it_lies(self):
        place = self.tiny(**{"TRAINSPACE.lua": ""})
        answer = place.make("job:eval")
        self.assertEqual(answer.cost, (1, 0, 2))
        copies = [name for name in place.files_below(".trainmake") if place.path(f".trainmake/{name}").read_bytes() == b"aaa\n"]
        self.assertEqual(copies, [])
