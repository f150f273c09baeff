"""Projects for UAI-Train that begin here, with Python alone in the place of their frameworks."""

import unittest

from story import Story


class Templates(Story):
    def line_to_try(self, said):
        """The words of the line that `new` prints to try the job on this machine, without the program."""
        line = next(line for line in said.splitlines() if line.endswith("    try it on this machine"))
        return line.split("    ")[0].split()[1:]

    def test_each_runs_here_as_the_platform_would_run_it(self):
        for template in ("uai-caffe", "uai-tensorflow", "uai-pytorch"):
            with self.subTest(template=template):
                place = self.place()
                printed = self.line_to_try(place.ask("new", "--template", template, "my_first").exits(0).err)
                self.assertEqual(printed, ["run", "--local", "job:my_first"])
                self.assert_told(place.read("my_first/TRAINFILE.lua"), "trainmake run --local job:my_first\n")
                self.assert_told(place.read("my_first/TRAINSPACE.lua"), '"my-first-bucket"')
                tried = place.ask(*printed, "--json", cwd="my_first").exits(0)
                self.assertNotIn("without effect", tried.out)
                self.assertEqual(tried.finished["submitted"], 1)
                run = place.ask("runs", "--json", cwd="my_first").exits(0).only
                self.assertLess(run["metrics"]["loss"], 1)
                self.assertEqual([output["name"] for output in run["outputs"]], ["model"])
                place.ask("export", "uai", "job:my_first", "--to", "packed", cwd="my_first").exits(0)

    def test_a_shell_opens_where_nothing_ran_before(self):
        place = self.place()
        place.ask("new", "--template", "uai-caffe", "c").exits(0)
        shell = place.ask("run", "--local", "--shell", "job:c", cwd="c", stdin="ls\nexit 3\n").exits(3)
        self.assertEqual(shell.out.splitlines(), ["data", "output", "train.py"])
        self.assertFalse(place.path("c/.trainmake/images/index.json").exists())
        tried = place.ask("run", "--local", "--json", "job:c", cwd="c").exits(0)
        self.assertEqual(tried.ran, ["//job:c"])

    def test_the_solver_is_data(self):
        place = self.place()
        place.ask("new", "--template", "uai-caffe", "c").exits(0)
        words = ("run", "--local", "--json", "job:c")
        place.ask(*words, cwd="c").exits(0)
        place.replace("c/data/solver.prototxt", "400", "200")
        self.assertEqual(place.ask(*words, cwd="c").exits(0).ran, ["//data:c", "//job:c"])

    def test_a_workspace_around_it_keeps_its_one_trainspace(self):
        place = self.place({"TRAINSPACE.lua": ""})
        said = place.ask("new", "--template", "uai-caffe", "sub/c").exits(0).err
        self.assert_told(said, "TRAINSPACE.lua says where it runs")
        self.assertFalse(place.path("sub/c/TRAINSPACE.lua").exists())
        printed = self.line_to_try(said)
        self.assertEqual(printed, ["run", "--local", "--contract", "uai", "job:c"])
        self.assertEqual(place.ask(*printed, "--json", cwd="sub/c").exits(0).ran[-1], "//sub/c/job:c")

    def test_a_workspace_that_trains_there_needs_no_contract_named(self):
        place = self.place({"TRAINSPACE.lua": 'platform "cloud" { type = "uai", registry = "demo", bucket = "b" }\ndefault_platform "cloud"\n'})
        printed = self.line_to_try(place.ask("new", "--template", "uai-caffe", "c").exits(0).err)
        self.assertEqual(printed, ["run", "--local", "job:c"])
        place.ask(*printed, cwd="c").exits(0)

    def test_another_template_is_guessed(self):
        self.assert_told(self.place().ask("new", "--template", "uai-cafe", "x").exits(2), "`uai-caffe`")


if __name__ == "__main__":
    unittest.main()
