"""The examples for UAI-Train do what their READMEs say: on this machine, and on a stand-in of the service."""

import pathlib
import shutil
import subprocess

from registries import push_base
from uai_story import OnUai

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"


class Examples(OnUai):
    def copy(self, name, bucket, base):
        server = self.cloud()
        for variant in ("gpu", "cpu"):
            push_base(server.hub, f"uaishare/{variant}_uaitrain_{base}", "v1.0")
        place = self.place()
        shutil.copytree(EXAMPLES / name, place.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".trainmake", "checkpoint", "train-*-of-*", "__pycache__", "out"))
        self.connect(place, server, bucket)
        return server, place

    def test_caffe_mnist(self):
        server, place = self.copy("uai-caffe-mnist", "mnist-bucket", "ubuntu-14.04_python-2.7.6_caffe-1.0.0")
        here = place.ask("run", "--local", "--contract", "uai", "job:mnist").exits(0)
        self.assert_told(here, "Using no GPUs", "accuracy = 0.9")
        self.assertEqual((server.jobs, server.bytes_sent), ({}, 0))

        made = place.make("job:mnist")
        self.assertEqual(made.cost[1:], (3, 1))
        self.assert_told([event["line"] for event in made.events("log")], "Using 1 GPUs; solver /data/data/lenet_solver.prototxt")
        self.assertGreaterEqual(place.runs("//job:mnist")[0]["metrics"]["accuracy"], 0.9)
        self.assert_nothing_ran(place.make("job:mnist"))

        place.replace("data/lenet_solver.prototxt", "base_lr: 0.1", "base_lr: 0.05")
        totals = place.plan("job:mnist")["totals"]
        self.assertEqual((totals["layers"], totals["objects"], totals["jobs"]), (0, 1, 1))
        self.assertEqual(place.make("job:mnist").cost, (0, 1, 1))

        place.make("job:mnist-packed")
        place.replace("code/lenet_solver.prototxt", "base_lr: 0.1", "base_lr: 0.02")
        self.assertEqual(place.make("job:mnist-packed").cost, (1, 0, 1))
        self.assertEqual(server.called("CreateUAITrainJob")[-1]["DockerCmd"], "-u /data/train.py --solver=/data/lenet_solver.prototxt")
        place.ask("pull", "job:mnist", "--to", "out").exits(0)
        self.assertEqual(place.files_below("out"), ["lenet.caffemodel"])

    def test_tf_im2txt(self):
        server, place = self.copy("uai-tf-im2txt", "im2txt-bucket", "ubuntu-14.04_python-2.7.6_tensorflow-1.1.0")
        subprocess.run(["python3", "make-data.py"], cwd=place.root, check=True)
        here = place.ask("run", "--local", "--contract", "uai", "job:im2txt").exits(0)
        self.assert_told(here, "Nothing to restore", "step 1024: loss = ")

        made = place.make("job:im2txt")
        self.assertEqual(made.cost[1:], (256, 1))
        self.assert_told([event["line"] for event in made.events("log")], "Restoring Inception variables from checkpoint file /data/inception_v3.ckpt")
        self.assertEqual(server.called("CreateUAITrainJob")[0]["DockerCmd"],
                         "-u /data/train.py '--input_file_pattern=/train-?????-of-00256' --inception_checkpoint_file=/inception_v3.ckpt "
                         "--train_inception=false --number_of_steps=1024 --log_every_n_steps=128")

        place.append("code/im2txt/configuration.py", "# a remark\n")
        edited = place.make("job:im2txt")
        self.assertEqual(edited.cost, (1, 0, 1))
        self.assertLess(edited.finished["pushed"]["bytes"], 20_000)
        place.replace("TRAINFILE.lua", "steps = 1024", "steps = 512")
        self.assertEqual(place.make("job:im2txt").cost, (0, 0, 1))
        place.ask("pull", "job:im2txt", "--to", "out").exits(0)
        self.assertEqual(place.files_below("out"), ["model.ckpt-512"])
