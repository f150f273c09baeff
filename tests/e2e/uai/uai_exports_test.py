"""What the project shows of UAI-Train can be handed to its console: examples, templates, and the first project of its manual."""

import pathlib
import re
import shutil
import subprocess
import unittest

from packing_test import PACKED, TEST_PLACES
from story import Story

ROOT = pathlib.Path(__file__).resolve().parents[3]
ROOM = ROOT / "rules" / "job" / "platforms" / "uai"


class Exports(Story):
    def example(self, name):
        place = self.place()
        shutil.copytree(ROOT / "examples" / name, place.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".trainmake", "checkpoint", "train-*-of-*", "__pycache__", "out"))
        return place

    def export(self, place, label, cwd=None):
        told = place.ask("export", "uai", label, "--to", "packed", *TEST_PLACES, cwd=cwd).exits(0)
        self.assertEqual(place.files_below(f"{cwd or '.'}/packed"), sorted(PACKED))
        return told.out.splitlines()

    def test_the_example_of_caffe_and_the_command_that_it_was(self):
        place = self.example("uai-caffe-mnist")
        self.assertEqual(self.export(place, "job:mnist")[0], "CMD Used for deploying: /data/train.py --solver=/data/data/lenet_solver.prototxt")
        dockerfile = place.read("packed/uaitrain.Dockerfile")
        self.assert_told(dockerfile, "_caffe-1.0.0:v1.0\nADD ././code/ /data/\n")

        shutil.copytree(place.path("code"), place.path("new/code"))
        place.ask("import", "uai", "--to", "new", "python", "caffe_tool.py", "pack", "--uhub_registry=demo", "--uhub_imagename=caffe-mnist", "--internal_uhub=true",
                  "--ai_arch_v=caffe-1.0.0", "--code_path=./code/", "--mainfile_path=train.py", "--solver=/data/data/lenet_solver.prototxt").exits(0)
        self.export(place, "job:caffe-mnist", cwd="new")
        for file in PACKED:
            self.assertEqual(place.read(f"new/packed/{file}"), place.read(f"packed/{file}"))

    def test_the_solver_in_the_image(self):
        self.assertEqual(self.export(self.example("uai-caffe-mnist"), "job:mnist-packed")[0], "CMD Used for deploying: /data/train.py --solver=/data/lenet_solver.prototxt")

    def test_the_example_of_tensorflow(self):
        place = self.example("uai-tf-im2txt")
        subprocess.run(["python3", "make-data.py"], cwd=place.root, check=True)
        self.assertEqual(self.export(place, "job:im2txt")[0], "CMD Used for deploying: /data/train.py --input_file_pattern=/train-?????-of-00256 "
                         "--inception_checkpoint_file=/inception_v3.ckpt --train_inception=false --number_of_steps=1024 --log_every_n_steps=128")
        self.assert_told(place.read("packed/uaitrain-cpu.Dockerfile"), "ADD ./checkpoint/ /data/\nADD ././code/ /data/\n")

    def test_templates(self):
        for framework in ("caffe", "tensorflow", "pytorch"):
            with self.subTest(framework=framework):
                place = self.place()
                place.ask("new", "--template", f"uai-{framework}", "digits").exits(0)
                self.assert_told(self.export(place, "job:digits", cwd="digits")[0], "CMD Used for deploying: /data/train.py ")

    def test_the_first_project_of_the_manual(self):
        blocks = re.findall(r"```lua\n-- (TRAIN\w+\.lua)\n(.*?)```", (ROOM / "README.md").read_text(), re.DOTALL)
        place = self.place({"code/train.py": "", "data/lenet_solver.prototxt": "", **dict(blocks)})
        self.assertEqual(sorted(name for name, _ in blocks), ["TRAINFILE.lua", "TRAINSPACE.lua"])
        self.assertEqual(self.export(place, "job:mnist")[0], "CMD Used for deploying: /data/train.py --solver=/data/data/lenet_solver.prototxt")

    def test_the_project_of_the_readme(self):
        section = (ROOT / "README.md").read_text().split("## On UCloud's UAI-Train")[1].split("\n## ")[0]
        space, project = re.findall(r"```lua\n(.*?)```", section, re.DOTALL)
        place = self.place({"code/train.py": "", "data/lenet_solver.prototxt": "", "TRAINSPACE.lua": space, "TRAINFILE.lua": project})
        self.export(place, "job:mnist")
        self.assert_told(place.read("packed/uaitrain.Dockerfile"), "RUN pip install nltk\nADD ././code/ /data/\n")


if __name__ == "__main__":
    unittest.main()
