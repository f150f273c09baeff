"""`solver`, `snapshot` and `train_params`, as the tools of Caffe and TensorFlow passed them: ordinary arguments under every contract."""

import unittest

from story import Story


class Arguments(Story):
    def test_what_the_tools_passed_stands_where_they_had_it(self):
        place = self.place({"code/show.sh": 'for word in "$@"; do echo "word=$word"; done\n', "data/s.prototxt": "", "TRAINFILE.lua": '''
            code "c" { srcs = glob "code/**", main = "show.sh" }
            data "d" { files = glob "data/**" }
            image "i" { code = "code:c", base = "scratch" }
            job "j" { image = "image:i", data = "data:d", args = { a = 1 }, params = { lr = 2 }, train_params = "--name 'x y' -v", snapshot = "/s",
                      solver = data_dir "s.prototxt" }
        '''})

        def words(answer):
            return [event["line"].removeprefix("word=") for event in answer.exits(0).events("log")]

        said = words(place.ask("job:j", "--json"))
        self.assertTrue(said[1].endswith("/s.prototxt"), said)
        self.assertEqual([said[0], *said[2:]], ["--solver", "--snapshot", "/s", "--a", "1", "--lr", "2", "--name", "x y", "-v"])
        for change, name in (("-v", "-w"), "train_params"), (('"/s"', '"/t"'), "snapshot"), (('data_dir "s.prototxt"', '"/x"'), "solver"):
            before = place.read("TRAINFILE.lua")
            place.replace("TRAINFILE.lua", *change)
            self.assertEqual(place.why("job:j"), [("input_changed", name)])
            place.write("TRAINFILE.lua", before)
        said = words(place.ask("run", "--local", "--contract", "uai", "job:j", "--json"))
        self.assertEqual([word.split("=")[0] for word in said],
                         ["--solver", "--snapshot", "--a", "--lr", "--name", "x y", "-v", "--use_cpu", "--work_dir", "--data_dir", "--output_dir", "--log_dir"])
        said = words(place.ask("run", "--local", "--contract", "sagemaker", "job:j", "--json"))
        self.assertEqual(said[:4:2] + said[-3:], ["-a", "--lr", "--name", "x y", "-v"])

    def test_a_solver_that_is_no_data_is_told_before_anything_runs(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'job "solved" { image = "image:tiny", data = "data:letters", solver = data_dir "slover.json" }\n')
        self.assert_told(place.ask("job:solved").exits(2), "`slover.json`", "TRAINFILE.lua:")


if __name__ == "__main__":
    unittest.main()
