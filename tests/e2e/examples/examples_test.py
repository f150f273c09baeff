"""The projects of examples/ do what their READMEs say."""

import pathlib
import shutil
import subprocess

from story import Story

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"


def has_numpy():
    return subprocess.run(["/usr/bin/python3", "-c", "import numpy"], capture_output=True, check=False).returncode == 0


class Mnist(Story):
    def copy(self):
        if not has_numpy():
            self.skipTest("needs python3-numpy")
        place = self.place()
        shutil.copytree(EXAMPLES / "mnist", place.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".trainmake", "bucket", "__pycache__", "out"))
        place.replace("data/solver.json", '"epochs": 8', '"epochs": 4')
        return place

    def test_its_readme_from_top_to_bottom(self):
        place = self.copy()
        first = place.make("job:eval")
        self.assertEqual(first.cost, (1, 1, 2))
        self.assertGreater(place.runs("//job:eval")[0]["metrics"]["accuracy"], 0.95)
        self.assertIn("nothing to do", place.ask("job:eval").exits(0).err.splitlines()[-1])

        place.touch("code/train.py", "code/eval.py", "data/solver.json")
        self.assert_nothing_ran(place.make("job:eval"))

        solver, code = place.read("data/solver.json"), place.read("code/train.py")
        place.replace("data/solver.json", '"epochs": 4', '"epochs": 1')
        totals = place.plan("job:mnist")["totals"]
        self.assertEqual((totals["layers"], totals["objects"], totals["jobs"]), (0, 1, 1))
        self.assertEqual(place.make("job:mnist").cost, (0, 1, 1))
        self.assertEqual(place.why("job:eval"), [("upstream_changed", "//job:mnist")])

        place.append("code/train.py", "# a remark\n")
        self.assertEqual(place.make("job:mnist").cost, (1, 0, 1))

        place.write("data/solver.json", solver)
        place.write("code/train.py", code)
        answer = place.make("job:mnist")
        self.assertEqual((answer.finished["submitted"], answer.finished["reused"]), (0, 1))

        newest, older, _ = place.runs("//job:mnist")
        self.assert_told(place.ask("diff", older["run"], newest["run"]).exits(0).out, "code/train.py")
        place.ask("pull", "job:mnist", "--to", "out").exits(0)
        self.assertEqual(place.files_below("out"), ["metrics.json", "model.npz"])
