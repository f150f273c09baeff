"""What UAI-Train's own tools left behind, written byte for byte from a TRAINFILE."""

import pathlib
import unittest

from story import Story

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden" / "uai"
PACKED = ("uaitrain-cpu.Dockerfile", "uaitrain.Dockerfile", "uaitrain_cmd.txt")
TEST_PLACES = ("--test-data", "/data/test/data", "--test-output", "/data/test/output")

TRAINSPACE = 'platform "uai" { type = "uai", registry = "demo", internal_uhub = %s, bucket = "b" }\ndefault_platform "uai"\n'
TRAINFILE = '''
code "mnist" { srcs = glob "code/**", main = "%(main)s" }
data "mnist" { files = glob "data/**" }
image "%(image)s" { code = "code:mnist", base = uai.base { arch = "%(arch)s"%(of_base)s }%(of_image)s }
job "mnist" {
  image = "image:%(image)s", data = "data:mnist", %(of_job)s
  resources = { node_type = "1-P40", hours = 6 },
}
'''


class Packing(Story):
    def project(self, image="tf-mnist", arch="tensorflow-1.1.0", main="mnist_summary.py", internal="false", of_job="", of_image="", of_base=""):
        said = {"image": image, "arch": arch, "main": main, "of_job": of_job, "of_image": of_image, "of_base": of_base}
        return self.place({"TRAINFILE.lua": TRAINFILE % said, "TRAINSPACE.lua": TRAINSPACE % internal, f"code/{main}": "", "data/a.txt": "a"})

    def export(self, place, *more):
        return place.ask("export", "uai", "job:mnist", "--to", "packed", *TEST_PLACES, *more)

    def assert_golden(self, place, name):
        for file in PACKED:
            self.assertEqual(place.path(f"packed/{file}").read_bytes(), (GOLDEN / name / file).read_bytes(), file)

    def caffe(self, **more):
        more.setdefault("of_job", 'solver = data_dir "lenet_solver.prototxt",')
        return self.project("caffe-mnist", "caffe-1.0.0", "train.py", "true", **more)

    def test_caffe_is_packed_as_its_tool_did(self):
        place = self.caffe()
        self.assertEqual(self.export(place).exits(0).out, (GOLDEN / "b1-caffe-internal/uaitrain_cmd.txt").read_text())
        self.assert_golden(place, "b1-caffe-internal")

    def test_tensorflow_is_packed_as_its_tool_did(self):
        place = self.project(of_job='train_params = "--max_step=2000",')
        self.export(place).exits(0)
        self.assert_golden(place, "b3-tensorflow-train-params")

    def test_pytorch_is_packed_as_its_tool_did(self):
        place = self.project("pytorch-mnist", "pytorch-0.2.0", "mnist.py")
        self.assert_told(self.export(place).exits(0).err, "Not in these files", "cpu_uaitrain_ubuntu-14.04_python-2.7.6_pytorch-0.2.0")
        self.assert_golden(place, "b7-pytorch-no-params")

    def test_the_manuals_dialect_has_lines_of_its_own(self):
        place = self.project(of_job='train_params = "--max_step=2000",')
        self.assert_told(self.export(place, "--dialect", "2017").exits(0).out, "CMD Used for deploying:\n/data/mnist_summary.py --max_step=2000\n",
                         "--log_dir=/data/output/log")
        self.assert_told(self.export(place, "--dialect", "2016").exits(2), "`2016`")

    def test_args_params_tags_and_commands_are_told_as_far_as_the_tools_had_words(self):
        place = self.project(of_job='args = { from = data_dir "x" }, params = { lr = 0.1 }, train_params = "-v",', of_image=', tags = { "v2" }, run = { "pip install nltk" }')
        self.assert_told(self.export(place).exits(0).out, "/data/mnist_summary.py --from=/data/data/x --lr=0.1 -v\n", "demo/tf-mnist:v2 ")
        self.assert_told(place.read("packed/uaitrain.Dockerfile"), ":v1.0\nRUN pip install nltk\nADD ././code/ /data/\n")

    def test_a_tag_that_the_image_has_not_is_told(self):
        self.assert_told(self.export(self.caffe()).exits(0).err, "`demo/caffe-mnist:uaitrain`", "`trainmake image:caffe-mnist` sends it as `latest`", '`tags = { "uaitrain" }`')
        self.assertNotIn("latest", self.export(self.project(of_image=', tags = { "uaitrain" }')).exits(0).err)

    def test_for_processors_alone_there_is_no_other_image(self):
        place = self.project(of_image=', variants = { "cpu" }', of_base=", cpu = true")
        self.assertNotIn("GPU", self.export(place).exits(0).out)
        self.assertEqual(place.files_below("packed"), ["uaitrain-cpu.Dockerfile", "uaitrain_cmd.txt"])

    def test_what_the_tools_got_wrong_is_told(self):
        place = self.caffe(of_job='solver = "/data/My solver", train_params = "--x",')
        told = self.export(place).exits(0).err
        self.assert_told(told, "`train_params` is dropped", "`/data/My solver` has what a shell takes for itself")
        self.assertEqual(len(self.export(place, "--json").exits(0).only["mistakes"]), 2)

    def test_without_places_data_is_where_the_data_target_has_it(self):
        place = self.project()
        told = place.ask("export", "uai", "job:mnist", "--to", "packed").exits(0).out
        self.assert_told(told, f"-v {place.root}/data:/data/data -v {place.root}/output:/data/output")

    def test_a_root_is_the_code_path_as_it_was_typed(self):
        for root, line, mistakes in (("code/", "ADD ./code/ /data/", 0), ("./code/", "ADD ././code/ /data/", 0), ("code", "ADD ./code /data/", 1)):
            with self.subTest(root=root):
                place = self.project()
                place.replace("TRAINFILE.lua", 'srcs = glob "code/**"', f'srcs = glob "code/**", root = "{root}"')
                told = self.export(place).exits(0)
                self.assertEqual(place.read("packed/uaitrain.Dockerfile").splitlines()[-1], line)
                self.assertEqual(told.err.count("has to end with `/`"), mistakes)

    def test_code_of_a_project_below_is_added_from_there(self):
        place = self.project()
        place.replace("TRAINFILE.lua", '"code:mnist"', '"//sub/code:below"')
        place.write("sub/TRAINFILE.lua", 'code "below" { srcs = glob "code/**", root = "./code/", main = "mnist_summary.py" }\n')
        place.write("sub/code/mnist_summary.py", "")
        self.export(place).exits(0)
        self.assertEqual(place.read("packed/uaitrain.Dockerfile").splitlines()[-1], "ADD ././sub/code/ /data/")

    def test_what_lies_among_the_code_and_is_none_does_not_go_along(self):
        place = self.project()
        place.replace("TRAINFILE.lua", 'srcs = glob "code/**"', 'srcs = { "mnist_summary.py", "lib/x.py" }')
        for name, content in (("mnist_summary.py", "import lib.x\n"), ("lib/x.py", "x = 1\n"), (".env", "KEY=1\n"), ("id_rsa", "")):
            place.write(name, content, 0o755 if name == "lib/x.py" else None)
        self.assert_told(self.export(place).exits(0).err, "`.env`", "build in packed")
        self.assertEqual(place.files_below("packed"), ["uaitrain-code/lib/x.py", "uaitrain-code/mnist_summary.py", *PACKED])
        self.assertEqual(place.read("packed/uaitrain.Dockerfile").splitlines()[-1], "ADD ././uaitrain-code/ /data/")
        self.assertEqual(place.path("packed/uaitrain-code/lib/x.py").stat().st_mode & 0o777, 0o755)
        self.export(place).exits(0)
        place.write("lib/x.py", "x = 2\n", 0o755)
        self.assert_told(self.export(place).exits(2), "another `uaitrain-code`", "--overwrite")
        self.assertEqual(self.export(place, "--overwrite", "--json").exits(0).only["copied"], ["packed/uaitrain-code"])
        self.assertEqual(place.read("packed/uaitrain-code/lib/x.py"), "x = 2\n")

    def test_what_code_excludes_stays_out_and_compiled_python_is_no_matter(self):
        place = self.project()
        place.replace("TRAINFILE.lua", 'srcs = glob "code/**"', 'srcs = glob { "code/**", exclude = { "**/__pycache__/**", "code/old/**" } }')
        place.write("code/__pycache__/x.pyc", "")
        self.assertEqual(self.export(place, "--json").exits(0).only["copied"], [])
        place.write("code/old/key.pem", "x")
        self.assert_told(self.export(place, "--overwrite").exits(0).err, "`code/old/key.pem`")
        self.assertEqual(place.files_below("packed/uaitrain-code"), ["mnist_summary.py"])

    def test_other_layers_are_added_too(self):
        place = self.project(of_image=', files = { { srcs = { "checkpoint/a.ckpt" }, dest = "/data" } }')
        place.write("checkpoint/a.ckpt", "weights")
        self.export(place).exits(0)
        self.assertEqual(place.read("packed/uaitrain-cpu.Dockerfile").splitlines()[1:], ["ADD ./checkpoint/ /data/", "ADD ././code/ /data/"])
        place.write("checkpoint/b.ckpt", "others")
        self.export(place, "--overwrite").exits(0)
        self.assertEqual(place.read("packed/uaitrain-cpu.Dockerfile").splitlines()[1:], ["ADD ./uaitrain-files-1/ /data/", "ADD ././uaitrain-code/ /data/"])
        self.assertEqual(place.files_below("packed/uaitrain-files-1"), ["a.ckpt"])

    def test_the_local_test_has_data_where_the_job_looks_for_it(self):
        for change in (('data = "data:mnist"', 'data = { train = "data:mnist" }'), ('files = glob "data/**"', 'files = glob "data/**", dest = "train"')):
            with self.subTest(change=change):
                place = self.project()
                place.replace("TRAINFILE.lua", *change)
                self.assert_told(place.ask("export", "uai", "job:mnist", "--to", "packed").exits(2), "looks for `train/`", "--test-data", "TRAINFILE.lua:6")
                self.assertFalse(place.path("packed").exists())
                self.assert_told(self.export(place).exits(0).err, "looks for `train/`")

    def test_what_is_declared_and_stands_in_no_file_is_told(self):
        place = self.project(of_job='distribution = "tf_config", resume = true,', of_image=', tags = { "a", "b" }, push_cpu = true')
        place.replace("TRAINFILE.lua", "hours = 6", "hours = 6, nodes = 2")
        place.replace("TRAINFILE.lua", 'glob "data/**"', 'glob "data/**", split = "1MiB"')
        told = self.export(place).exits(0)
        self.assert_told(told.err, "the tag `b`", "`nodes = 2`", "`distribution`", "`resume`", "`push_cpu`", "`split`")
        self.assertEqual(len(self.export(place, "--json").exits(0).only["left_out"]), 6)

    def test_lines_are_one_and_a_word_with_a_line_in_it_is_refused(self):
        place = self.project(of_job='train_params = "--a=1\\n  --b=\'x y\'",')
        self.assert_told(self.export(place).exits(0).out, "/data/mnist_summary.py --a=1 '--b=x y'\n")
        place = self.project(of_job='args = { sep = "a\\nb" },')
        self.assert_told(self.export(place).exits(2), "`args` has a line's end", "TRAINFILE.lua:6")
        place = self.project(of_job='args = { sep = "a\\tb" },')
        self.assert_told(self.export(place).exits(0).out, "/data/mnist_summary.py '--sep=a\tb'\n")

    def test_a_main_file_that_is_no_python_is_refused(self):
        place = self.project(main="run.sh")
        self.assert_told(self.export(place).exits(2), "`run.sh`", "Python")
        place = self.project(main="run")
        place.write("code/run", "#!/usr/bin/env python3\n")
        self.export(place).exits(0)
        place.replace("TRAINFILE.lua", 'main = "run"', 'main = "gone.py"')
        self.assert_told(self.export(place).exits(2), "`gone.py` is not among the code")

    def test_other_files_stay_unless_it_is_asked_for(self):
        place = self.project()
        self.export(place).exits(0)
        self.export(place).exits(0)
        place.write("packed/uaitrain_cmd.txt", "mine\n")
        self.assert_told(self.export(place).exits(2), "--overwrite")
        self.assertEqual(place.read("packed/uaitrain_cmd.txt"), "mine\n")
        self.export(place, "--overwrite").exits(0)

    def test_what_the_tools_had_no_word_for_is_refused_where_it_stands(self):
        for change, part, line in ((('main = "mnist_summary.py"', ""), "has a `main`", 2), (('code = "code:mnist"', 'code = { "code:mnist", "code:other" }'), "2 code targets", 4),
                                   (('resources', 'env = { A = "b" }, resources'), "`env` of `job:mnist`", 7), (('code = "code:mnist"', 'code = "code:mnist", workdir = "/x"'), "`workdir`", 4),
                                   (("base = uai.base", 'base = "scratch", notes = "" .. type'), "built on nothing", 4)):
            with self.subTest(part=part):
                place = self.project()
                place.replace("TRAINFILE.lua", *change)
                place.append("TRAINFILE.lua", 'code "other" { srcs = glob "data/**" }\n')
                told = self.export(place).exits(2)
                self.assert_told(told, part, f"TRAINFILE.lua:{line}")
                self.assertFalse(place.path("packed").exists())

    def test_without_a_platform_of_uai_there_is_no_registry(self):
        place = self.project()
        place.write("TRAINSPACE.lua", 'platform "here" { type = "local" }\n')
        self.assert_told(self.export(place).exits(2), "No platform of type `uai` is declared", "TRAINSPACE.lua")
        self.assert_told(self.export(place, "--platform", "here").exits(2), "`here` is not of type `uai`", "TRAINSPACE.lua:1")
        place.append("TRAINSPACE.lua", 'platform "uai" { type = "uai", registry = "demo" }\n')
        for wrong in ("here", "local"):
            self.assert_told(place.ask("uai", "bill", "--platform", wrong).exits(2), f"`{wrong}` is not of type `uai`")
        place.write("TRAINSPACE.lua", 'platform "uai" { type = "uai" }\n')
        self.assert_told(self.export(place).exits(2), "`registry", "TRAINSPACE.lua:1")

    def test_a_target_that_is_no_job_is_refused(self):
        self.assert_told(self.project().ask("export", "uai", "image:tf-mnist", "--to", "x").exits(2), "is no job")
        self.assert_told(self.project().ask("export", "uai", "job:mnist").exits(2), "--to")
        self.assert_told(self.project().ask("export", "job:mnist", "--to", "x").exits(2), "export uai job:mnist")


if __name__ == "__main__":
    unittest.main()
