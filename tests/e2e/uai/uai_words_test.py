"""A job that says what UAI-Train's own tools were told, trained there: its flags are the ones that they wrote down, and its solver lies among data or code."""

import unittest

from registries import push_base
from uai_story import OnUai

TRAIN = '''
import argparse, sys

flags = argparse.ArgumentParser()
for name in ("solver", "snapshot", "note", "work_dir", "data_dir", "output_dir", "log_dir"):
    flags.add_argument("--" + name)
for name in ("max_step", "num_gpus"):
    flags.add_argument("--" + name, type=int)
flags = flags.parse_args()
start = float(open(flags.snapshot).read()) if flags.snapshot else 0
rate = float(open(flags.solver).read().split(":")[1]) if flags.solver else 0.1
print("note:", flags.note)
with open(flags.output_dir + "/model.txt", "w") as model:
    model.write("%g\\n" % (start + rate * flags.max_step))
'''

TRAINFILE = '''
code "mnist" { srcs = glob "code/**", main = "train.py" }
data "mnist" { files = glob "data/**" }
image "mnist" { code = "code:mnist", base = uai.base { arch = "%(arch)s", internal = true } }
job "mnist" {
  image = "image:mnist", data = "data:mnist", %(words)s
  resources = { node_type = "1-P40", hours = 6 }, outputs = { model = "model.txt" },
}
'''

TRAINSPACE = '''
platform "uai" { type = "uai", project_id = env("UAI_PROJECT", ""), registry = "demo", internal_uhub = true, bucket = "mnist-bucket" }
default_platform "uai"
'''

CAFFE, TENSORFLOW = "caffe-1.0.0", "tensorflow-1.1.0"


class Words(OnUai):
    def project(self, words, arch=CAFFE):
        server = self.cloud()
        for variant in ("gpu", "cpu"):
            push_base(server.hub, f"uaishare/{variant}_uaitrain_ubuntu-14.04_python-2.7.6_{arch}", "v1.0")
        place = self.place({"code/train.py": TRAIN, "code/lenet_solver.prototxt": "base_lr: 0.25\n", "data/lenet_solver.prototxt": "base_lr: 0.5\n",
                            "data/lenet_iter_5.solverstate": "5\n", "TRAINFILE.lua": TRAINFILE % {"arch": arch, "words": words}, "TRAINSPACE.lua": TRAINSPACE})
        self.connect(place, server)
        return server, place

    def command(self, server):
        return server.called("CreateUAITrainJob")[-1]["DockerCmd"]

    def told_by_the_tool(self, place):
        """The command that `pack` said to submit."""
        first = place.ask("export", "uai", "job:mnist", "--to", "packed", "--overwrite").exits(0).out.splitlines()[0]
        return first.removeprefix("CMD Used for deploying: ")

    def test_solver_snapshot_and_train_params_train_there(self):
        server, place = self.project('solver = data_dir "lenet_solver.prototxt", snapshot = data_dir "lenet_iter_5.solverstate", '
                                     """train_params = "--max_step=10 --note='two words'",""")
        made = place.make("job:mnist")
        self.assertEqual(self.command(server), "-u /data/train.py --solver=/data/data/lenet_solver.prototxt --snapshot=/data/data/lenet_iter_5.solverstate "
                                               "--max_step=10 '--note=two words'")
        self.assert_told([event["line"] for event in made.events("log")], "note: two words")
        self.assertEqual(place.pull("job:mnist", "model.txt"), "10\n")
        self.assert_nothing_ran(place.make("job:mnist"))
        place.replace("TRAINFILE.lua", "--max_step=10", "--max_step=20")
        self.assertEqual(place.make("job:mnist").cost, (0, 0, 1))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "15\n")

    def test_what_caffes_tool_wrote_down_is_what_runs(self):
        server, place = self.project('solver = data_dir "lenet_solver.prototxt", snapshot = data_dir "lenet_iter_5.solverstate", ')
        place.replace("code/train.py", '"--" + name, type=int', '"--" + name, type=int, default=4')
        place.make("job:mnist")
        self.assertEqual(self.command(server), "-u " + self.told_by_the_tool(place))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "7\n")

    def test_what_tensorflows_tool_wrote_down_is_what_runs(self):
        server, place = self.project('train_params = "--max_step=2000 --note=first",', arch=TENSORFLOW)
        place.make("job:mnist")
        self.assertEqual(self.command(server), "-u " + self.told_by_the_tool(place))
        self.assertEqual(place.pull("job:mnist", "model.txt"), "200\n")

    def test_one_that_is_in_neither_is_told_before_anything_is_sent(self):
        server, place = self.project("solver = SOLVER,")
        lies = ('code_dir "lenet_solver.prototxt"', 'data_dir "lenet_solver.prototxt"', '"/data/data/lenet_solver.prototxt"', '"/data/lenet_solver.prototxt"',
                '"lenet_solver.prototxt"', 'code_dir "data/lenet_solver.prototxt"', '"/opt/solver.prototxt"', '"/data/output/solver.prototxt"')
        is_not = (('code_dir "lenet_solve.prototxt"', "among the code"), ('data_dir "no"', "in the data"), ('"/data/data/no"', "There is no `no` in the data"),
                  ('"/data/no"', "There is no `no` among the code"), ('"lenet_solver.prototx"', "Did you mean `lenet_solver.prototxt`?"), ('"data/no"', "in the data"))
        for word in lies:
            place.write("TRAINFILE.lua", TRAINFILE % {"arch": CAFFE, "words": f"solver = {word},"})
            place.ask("plan", "job:mnist").exits(0)
        for word, told in is_not:
            with self.subTest(word=word):
                place.write("TRAINFILE.lua", TRAINFILE % {"arch": CAFFE, "words": f"solver = {word},"})
                answer = place.ask("job:mnist").exits(2)
                self.assert_told(answer, told, "TRAINFILE.lua:6")
        self.assertEqual((server.buckets, server.jobs), ({}, {}))

    def test_what_an_image_may_have_beside_the_code_is_not_known(self):
        _, place = self.project('solver = "/data/mine/solver.prototxt",')
        place.ask("plan", "job:mnist").exits(2)
        whole = place.read("TRAINFILE.lua")
        for base in ('base = "uhub.service.ucloud.cn/mine/caffe:1"', 'base = uai.base { arch = "caffe-1.0.0", internal = true }, run = { "mkdir /data/mine" }',
                     'base = uai.base { arch = "caffe-1.0.0", internal = true }, files = { { srcs = glob "data/**", dest = "/data/mine" } }'):
            with self.subTest(base=base):
                place.write("TRAINFILE.lua", whole.replace('base = uai.base { arch = "caffe-1.0.0", internal = true }', base))
                place.ask("plan", "job:mnist").exits(0)

    def test_an_edit_of_a_solver_costs_what_it_lies_among(self):
        for where, folder, value, cost, model in (("data_dir", "data", "0.5", (0, 1, 1), "2\n"), ("code_dir", "code", "0.25", (1, 0, 1), "2\n")):
            with self.subTest(where=where):
                server, place = self.project(f'solver = {where} "lenet_solver.prototxt", train_params = "--max_step=16",')
                place.make("job:mnist")
                place.replace(f"{folder}/lenet_solver.prototxt", value, "0.125")
                totals = place.plan("job:mnist")["totals"]
                self.assertEqual((totals["layers"], totals["objects"], totals["jobs"]), cost)
                self.assertEqual(place.make("job:mnist").cost, cost)
                self.assertEqual(place.pull("job:mnist", "model.txt"), model)
                self.assertEqual(len(server.jobs), 2)


if __name__ == "__main__":
    unittest.main()
