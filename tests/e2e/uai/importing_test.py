"""What UAI-Train's own tools and the scripts around them were told becomes a TRAINFILE. Keys in here are nobody's."""

import shlex
import unittest

from packing_test import GOLDEN, PACKED, TEST_PLACES
from story import Story

PACK = ("sudo python caffe_tool.py pack --public_key=PUBLIC-OF-NOBODY --private_key=PRIVATE-OF-NOBODY --ai_arch_v=caffe-1.0.0 --uhub_username=u "
        "--uhub_password=PASSWORD-OF-NOBODY --uhub_registry=demo --uhub_imagename=caffe-mnist --internal_uhub=true --code_path=./code/ "
        "--mainfile_path=train.py --solver=/data/data/lenet_solver.prototxt --test_data_path=/data/test/data --test_output_path=/data/test/output")
# As the guide has it, with keys as long as they are: longer than the name of a file may be.
REAL = PACK.replace("PRIVATE-OF-NOBODY", "PRIVATE-OF-NOBODY-" + "46f09bb9" * 5).replace("PUBLIC-OF-NOBODY", "PUBLIC-OF-NOBODY-" + "1296235120" * 3)
KEYS = ("PUBLIC-OF-NOBODY", "PRIVATE-OF-NOBODY", "PASSWORD-OF-NOBODY")
CONFIG = '''dirname=first_job
registry=demo
base_image_cpu=uhub.service.ucloud.cn/uaishare/cpu_uaitrain_ubuntu-16.04_python-3.6_tensorflow-1.7.0:v1.0
base_image_gpu=uhub.service.ucloud.cn/uaishare/gpu_uaitrain_ubuntu-16.04_python-3.6_tensorflow-1.7.0:v1.0
target_image_gpu=${dirname/_/-}_gpu:target
project_id=org-x
public_key="PUBLIC-OF-NOBODY"
private_key="PRIVATE-OF-NOBODY"
docker_cmd="/data/train.py --max_step=2000"
touch=$(touch run-after-all)
'''


class Importing(Story):
    def assert_no_key(self, place, *answers):
        written = [place.read(name) for name in place.files_below() if name.endswith(".lua")]
        for key in KEYS:
            for text in [*written, *map(str, (answer.text for answer in answers))]:
                self.assertNotIn(key, text)

    def test_every_golden_command_packs_the_same_again(self):
        goldens = sorted(GOLDEN.glob("b*"))
        self.assertGreaterEqual(len(goldens), 3)
        for golden in goldens:
            with self.subTest(golden=golden.name):
                command = (golden / "command.txt").read_text()
                main = command.split("--mainfile_path=")[1].split()[0]
                place = self.place({f"code/{main}": ""})
                made = place.ask("import", "uai", command, "--json").exits(0).only
                place.ask("export", "uai", f"job:{made['name']}", "--to", "packed", *TEST_PLACES).exits(0)
                self.assertEqual(place.files_below("packed"), sorted(PACKED))
                for file in PACKED:
                    self.assertEqual(place.path(f"packed/{file}").read_bytes(), (golden / file).read_bytes(), file)

    def test_a_real_command_is_no_path_and_its_keys_are_shown_nowhere(self):
        place = self.place({"code/train.py": "", "data/lenet_solver.prototxt": ""})
        made = place.ask("import", "uai", REAL).exits(0)
        self.assert_told(made.err, "--private_key", "--uhub_password", "UCLOUD_PRIVATE_KEY", "job:caffe-mnist")
        self.assert_no_key(place, made)
        for command in (REAL.replace("_tool.py", ""), REAL + " 'x", REAL.replace(" pack ", " start "), REAL + " $(x)", REAL + " --max_exec_time=x", REAL + " more",
                        REAL + " --job_memo", REAL.replace("sudo python caffe_tool.py pack", "caffe_tool.py\tpack")):
            for words in ([command], shlex.split(command) if "'" not in command else [command], ["--json", command]):
                self.assert_no_key(place, place.ask("import", "uai", *words).exits(2))

    def test_the_guides_command_keeps_its_pattern_and_leaves_its_blanks(self):
        place = self.place({"code/train.py": ""})
        params = "--input_file_pattern=/train-?????-of-00256 --inception_checkpoint_file=/inception_v3.ckpt --train_inception=false"
        made = place.ask("import", "uai", "sudo python tf_tool.py pack --public_key=<YOUR_PUB_KEY> --private_key=<YOUR_PRI_KEY> --ai_arch_v=tensorflow-1.1.0 "
                         "--uhub_registry=demo --uhub_imagename=im2txt --code_path=./code/ --mainfile_path=train.py "
                         f'--train_params="{params}" --test_data_path=/data/test/data').exits(0)
        self.assert_told(made.err, "--public_key, --private_key")
        self.assertNotIn("train_params", made.err)
        place.ask("export", "uai", "job:im2txt", "--to", "packed", *TEST_PLACES).exits(0)
        self.assertEqual(place.read("packed/uaitrain_cmd.txt").splitlines()[0], f"CMD Used for deploying: /data/train.py {params}")

    def test_a_pack_and_its_create_are_one_project(self):
        create = ("python caffe_tool.py create --public_key=PUBLIC-OF-NOBODY --private_key=PRIVATE-OF-NOBODY --job_name=first --node_type=1-P40 --max_exec_time=7 "
                  "--code_uhub_path=uhub.service.ucloud.cn/demo/caffe-mnist:uaitrain --docker_cmd='/data/train.py --solver=/data/data/lenet_solver.prototxt' "
                  "--data_ufile_path=http://b.cn-bj.ufileos.com/m/")
        for text in (f"cd uai-sdk && {PACK} && {create}", f"{create}\n{PACK}\n", f"{PACK}; {create}"):
            place = self.place({"code/train.py": "", "data/lenet_solver.prototxt": ""})
            made = place.ask("import", "uai", text).exits(0)
            self.assert_told(place.read("TRAINFILE.lua"), 'solver = data_dir "lenet_solver.prototxt"', 'node_type = "1-P40", hours = 7', 'prefix = "m"', 'arch = "caffe-1.0.0"')
            self.assert_told(place.read("TRAINSPACE.lua"), 'bucket = "b"', 'registry = "demo"')
            self.assertNotIn("--docker_cmd", made.err)
            self.assert_told(made.err, "Next: trainmake plan job:caffe-mnist", "`trainmake login uhub.service.ucloud.cn`")
            self.assert_no_key(place, made)
        self.assert_told(self.place().ask("import", "uai", f"{PACK} && {PACK}").exits(2), "one `pack` and one `create`")

    def test_what_is_missing_stands_before_what_is_next(self):
        made = self.place({"data/x": ""}).ask("import", "uai", PACK).exits(0)
        self.assert_told(made.err, "Still missing: code/train.py, `bucket` in TRAINSPACE.lua\nThen: trainmake plan job:caffe-mnist")
        place = self.place({"code/train.py": "", "data/x": ""})
        missing = place.ask("import", "uai", PACK.replace("--uhub_registry=demo ", ""), "--json").exits(0).only["missing"]
        self.assertEqual(missing, ["`registry` in TRAINSPACE.lua", "`bucket` in TRAINSPACE.lua"])
        place.replace("TRAINSPACE.lua", 'type = "uai",', 'type = "uai", registry = "demo", bucket = "my-bucket",')
        place.write("data/lenet_solver.prototxt", "")
        place.ask("plan", "job:caffe-mnist", env={"UCLOUD_PUBLIC_KEY": "x", "UCLOUD_PRIVATE_KEY": "y"}).exits(0)

    def test_so_is_what_the_image_is_of(self):
        missing = self.place().ask("import", "uai", "python caffe_tool.py pack --uhub_registry=demo", "--json").exits(0).only["missing"]
        self.assertIn("`arch` of `uai.base` in TRAINFILE.lua", missing)

    def test_what_the_tools_did_beside_is_another_command_here(self):
        for what, here in (("stop", "`trainmake uai stop ID`"), ("bill", "`trainmake uai bill`"), ("log", "`trainmake logs RUN`")):
            self.assert_told(self.place().ask("import", "uai", f"caffe_tool.py {what} --job_id=x").exits(2), here)

    def test_parameters_that_a_shell_would_change_are_told_with_the_character(self):
        made = self.place().ask("import", "uai", "tf_tool.py pack --uhub_imagename=m --ai_arch_v=tensorflow-1.4.0 --train_params='--a;b'").exits(0)
        self.assert_told(made.err, "`train_params`: A shell would not leave `;` as it stands. Write `';'` where it means itself")

    def test_a_folder_of_code_comes_back_as_it_was_typed(self):
        for typed, line in (("code/", "ADD ./code/ /data/"), ("code", "ADD ./code /data/"), ("./src/main/", "ADD ././src/main/ /data/"), ("./", "ADD ././ /data/")):
            with self.subTest(typed=typed):
                place = self.place({f"old/{typed}/train.py": ""})
                place.ask("import", "uai", "--to", "old", PACK.replace("./code/", typed)).exits(0)
                place.ask("export", "uai", "job:caffe-mnist", "--to", "../packed", *TEST_PLACES, cwd="old").exits(0)
                if typed != "./":  # there TRAINFILE.lua lies beside it
                    self.assertEqual(place.read("packed/uaitrain.Dockerfile").splitlines()[-1], line)

    def test_the_published_command_of_pytorch_is_for_a_shell_where_the_job_runs(self):
        place = self.place()
        launch = "-m torch.distributed.launch --use_env --nproc_per_node $WORKER_GPU_NUM --master_addr $MASTER_ADDR --nnodes=$WORKER_NUM /data/train.py --epochs 2"
        place.ask("import", "uai", f"python pytorch_tool.py create --job_name=t --node_type=4-P40 --node_num=2 --max_exec_time=6 --docker_cmd='{launch}' "
                  "--code_uhub_path=uhub.ucloud.cn/demo/t:x --data_ufile_path=http://b.cn-gd.ufileos.com/m/").exits(0)
        attributes = place.ask("query", "job:t", "--json").exits(0).only["attrs"]
        self.assertEqual(attributes["command"], ["sh", "-c", f'exec /usr/bin/python -u {launch} "$@"', "sh"])
        self.assertEqual(attributes["distribution"], "torchrun")
        self.assert_told(place.read("TRAINSPACE.lua"), 'url = "ufile://b"', 'region = "cn-gd"')

    def test_jobs_on_a_ufs_are_planned_where_it_is_mounted(self):
        place = self.place({"ufs/sets/coco/a.txt": "a"})
        made = place.ask("import", "uai", "python tf_tool.py create --job_name=t --node_type=1-P40 --node_num=2 --max_exec_time=6 --dist_ai_frame=tensorflow "
                         "--docker_cmd=/data/train.py --code_uhub_path=uhub.ucloud.cn/demo/t:x --data_ufs_path=sets/coco/ --data_ufs_mount_point=10.9.1.2:/ufs-x "
                         "--output_ufs_path=out/ --output_ufs_mount_point=10.9.1.2:/ufs-x").exits(0)
        self.assert_told(made.err, "`10.9.1.2:/ufs-x` is on this machine", "`/mnt/ufs`")
        for file in ("TRAINFILE.lua", "TRAINSPACE.lua"):
            place.replace(file, "/mnt/ufs", str(place.path("ufs")))
        self.assertEqual(place.ask("query", "data:t", "--json").exits(0).only["attrs"]["url"], f"dir:{place.path('ufs')}/sets/coco")
        self.assert_told(place.ask("plan", "job:t").exits(0), "job:t")

    def test_words_that_a_shell_has_split_are_the_same_command(self):
        place = self.place()
        made = place.ask("import", "uai", "--to", "new", "--json", *PACK.split(" ")).exits(0).only
        self.assertEqual((made["name"], made["files"]), ("caffe-mnist", ["TRAINFILE.lua", "TRAINSPACE.lua"]))
        self.assertEqual(made["credentials"], ["--public_key", "--private_key", "--uhub_username", "--uhub_password"])
        self.assertTrue(place.path("new/TRAINFILE.lua").exists())
        for behind in (["--to", "other"], ["--to=other"]):
            self.assert_told(place.ask("import", "uai", *PACK.split(" "), *behind).exits(2), "Write it in front")

    def test_a_project_of_the_scripts_is_planned_and_tried_here(self):
        place = self.place({"old/configall.sh": CONFIG, "old/edit_image_cmd.txt": "RUN pip3 install nltk\n", "old/data/a.txt": "a",
                            "old/code/train.py": "import sys\nprint(sys.argv[1:])\n"})
        made = place.ask("import", "uai", "old").exits(0)
        self.assert_told(made.err, "public_key", "private_key", "configall.sh:10 (`touch`)")
        self.assertFalse(place.path("old/run-after-all").exists())
        self.assert_no_key(place, made)
        self.assert_told(place.read("old/TRAINFILE.lua"), 'run = { "pip3 install nltk" }', 'prefix = "first_job/data"', 'train_params = "--max_step=2000"')
        self.assert_told(place.read("old/TRAINSPACE.lua"), 'bucket = "first-job-bucket"', 'project_id = "org-x"')
        self.assertEqual(place.ask("query", "//...", "--json", cwd="old").exits(0).lines[-1]["label"], "//job:first_job")
        # The base cannot be reached from here.
        place.replace("old/TRAINFILE.lua", place.read("old/TRAINFILE.lua").split("base = ")[1].split("\n")[0], '"scratch",')
        place.replace("old/TRAINFILE.lua", '  run = { "pip3 install nltk" },\n  network = true,\n', "")
        tried = place.ask("run", "--local", "--contract", "uai", "job:first_job", cwd="old").exits(0)
        self.assert_told(tried, "'--max_step=2000', '--work_dir=")

    def test_nothing_is_overwritten(self):
        place = self.place({"TRAINSPACE.lua": "-- mine\n"})
        self.assert_told(place.ask("import", "uai", PACK).exits(2), "TRAINSPACE.lua", "--to")
        self.assertEqual(place.files_below(), ["TRAINSPACE.lua"])

    def test_a_create_that_completes_an_earlier_pack_says_what_to_add(self):
        place = self.place({"code/train.py": "", "data/lenet_solver.prototxt": ""})
        place.ask("import", "uai", PACK).exits(0)
        mine = place.read("TRAINFILE.lua")
        create = "python caffe_tool.py create --private_key=PRIVATE-OF-NOBODY --job_name=first --node_type=2-P40 --max_exec_time=7 --code_uhub_path=uhub.ucloud.cn/demo/x:y --docker_cmd='/data/train.py'"
        refused = place.ask("import", "uai", create).exits(2)
        self.assert_told(refused.err, "never overwrites", "Add what it lacks", "a `pack` and its `create`")
        self.assert_told(refused.out, "-- TRAINFILE.lua", 'node_type = "2-P40", hours = 7', "-- TRAINSPACE.lua")
        self.assertNotIn("PRIVATE-OF", refused.out + refused.err)
        self.assertEqual(place.read("TRAINFILE.lua"), mine)

    def test_a_key_that_stands_elsewhere_too_is_in_no_file(self):
        place = self.place()
        told = place.ask("import", "uai", PACK + " --train_params=x --snapshot=/data/PRIVATE-OF-NOBODY").exits(2)
        self.assert_told(told, "`--private_key`")
        self.assert_no_key(place, told)
        for said in ('--train_params="--pw=\'pa\\"ss-word99\'"', "--train_params='--pw pa\\\"ss-word99'", "--job_memo='pa\"ss-word99'"):
            told = place.ask("import", "uai", "tf_tool.py pack --uhub_password='pa\"ss-word99' --uhub_imagename=m --ai_arch_v=tensorflow-1.4.0 " + said).exits(2)
            self.assert_told(told, "`--uhub_password`")
            self.assertNotIn("ss-word99", told.text)
        self.assertEqual(place.files_below(), [])

    def test_what_is_neither_is_refused(self):
        place = self.place({"empty/x": ""})
        self.assert_told(place.ask("import", "uai", "empty").exits(2), "configall.sh")
        self.assert_told(place.ask("import", "uai", "nothing").exits(2), "There is no folder `nothing`")
        for command in (["docker run x"], ["docker", "run", "x"]):
            self.assert_told(place.ask("import", "uai", *command).exits(2), "no command of UAI-Train's tools")
        self.assert_told(place.ask("import", "old").exits(2), "import uai")


if __name__ == "__main__":
    unittest.main()
