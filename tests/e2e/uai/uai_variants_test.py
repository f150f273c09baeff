"""One code, images for processors and accelerators: which of them goes to UHub, and which one a try on this machine takes."""

import json
import os
import urllib.request

from busybox_image import BUSYBOX, PROGRAMS, InBusybox
from registries import push_base
from uai_story import OnUai

TRAINSPACE = '''
platform "uai" { type = "uai", project_id = env("UAI_PROJECT", ""), registry = "demo", internal_uhub = true, bucket = "mnist-bucket" }
default_platform "uai"
'''


class AtUhub(OnUai):
    def tags(self, server):
        with urllib.request.urlopen(f"http://127.0.0.1:{server.hub}/v2/demo/i/tags/list", timeout=30) as answer:
            return sorted(tag for tag in json.load(answer)["tags"] if not tag.startswith("trainmake-"))

    def test_the_gpu_image_alone_is_sent(self):
        server = self.cloud()
        for variant in ("cpu", "gpu"):
            push_base(server.hub, f"uaishare/{variant}_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0", "v1.0")
        place = self.place({"code/main.py": "print('it')\n", "TRAINSPACE.lua": TRAINSPACE, "TRAINFILE.lua": '''
            code "c" { srcs = glob "code/**", main = "main.py" }
            image "i" { code = "code:c", base = uai.base { arch = "caffe-1.0.0", internal = true } }
        '''})
        self.connect(place, server)
        place.make("image:i")
        self.assertEqual(self.tags(server), ["latest", "latest-gpu"])
        self.assert_nothing_ran(place.make("image:i"))
        place.replace("TRAINFILE.lua", 'code = "code:c"', 'push_cpu = true, code = "code:c"')
        place.make("image:i")
        self.assertEqual(self.tags(server), ["latest", "latest-cpu", "latest-gpu"])
        self.assert_nothing_ran(place.make("image:i"))


    def test_a_variant_that_the_image_has_not_is_told_before_anything_is_fetched(self):
        server = self.cloud()
        push_base(server.hub, "uaishare/gpu_uaitrain_ubuntu-16.04_python-3.6.2_pytorch-0.2.0", "v1.0")
        place = self.place({"code/main.py": "", "TRAINSPACE.lua": TRAINSPACE, "TRAINFILE.lua": '''
            code "c" { srcs = glob "code/**", main = "main.py" }
            image "i" { code = "code:c", base = uai.base { arch = "pytorch-0.2.0" } }
            job "j" { image = "image:i", resources = { node_type = "1-P40", hours = 1 } }
        '''})
        self.connect(place, server)
        words = ("run", "--local", "--container", "--variant", "cpu", "job:j")
        self.assert_told(place.ask(*words).exits(2), "TRAINFILE.lua:3", "`image:i` has no variant `cpu`", "It has `gpu`", "`cpu = true` in its `uai.base`", "without `--container`")
        self.assertFalse([each for each in server.requests if "uaishare" in str(each)])
        self.assertFalse(place.path("TRAINFILE.lock").exists())
        place.replace("TRAINFILE.lua", 'uai.base {', 'uai.base { cpu = true,')
        self.assertNotIn("no variant", place.ask(*words).err)

    def test_no_job_is_paid_for_in_an_image_for_processors_unless_that_is_said(self):
        server = self.cloud()
        push_base(server.hub, "uaishare/cpu_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0", "v1.0")
        place = self.place({"code/main.py": "", "TRAINSPACE.lua": TRAINSPACE, "TRAINFILE.lua": '''
            code "c" { srcs = glob "code/**", main = "main.py" }
            image "i" { code = "code:c", base = uai.base { arch = "caffe-1.0.0" }, variants = { "cpu" } }
            job "j" { image = "image:i", resources = { node_type = "1-P40", hours = 1 } }
        '''})
        self.connect(place, server)
        self.assert_told(place.ask("job:j").exits(2), "TRAINFILE.lua:3", "`image:i` has the variant `cpu` alone", "`push_cpu = true`", "--variant cpu job:j`")
        self.assertEqual((server.jobs, place.runs()), ({}, []))
        base = 'base = uai.base { arch = "caffe-1.0.0" }, variants = { "cpu" }'
        place.replace("TRAINFILE.lua", base, 'base = "uhub.service.ucloud.cn/uaishare/cpu_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0:v1.0"')
        self.assert_told(place.ask("job:j").exits(2), "TRAINFILE.lua:3", "`image:i` is built on a base for processors alone", "`push_cpu = true`")
        self.assertEqual((server.jobs, place.runs()), ({}, []))
        place.replace("TRAINFILE.lua", 'base = "uhub.service.ucloud.cn/uaishare/cpu_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0:v1.0"', "push_cpu = true, " + base)
        place.make("job:j")
        self.assertEqual(len(server.jobs), 1)

    def test_of_bases_of_ones_own_the_other_need_not_be_there(self):
        server = self.cloud()
        push_base(server.hub, "mine/on-gpus", "1")
        place = self.place({"code/main.py": "print('it')\n", "TRAINSPACE.lua": TRAINSPACE, "TRAINFILE.lua": '''
            code "c" { srcs = glob "code/**", main = "main.py" }
            image "i" { code = "code:c", base = { cpu = "uhub.service.ucloud.cn/mine/on-cpus:1", gpu = "uhub.service.ucloud.cn/mine/on-gpus:1" } }
        '''})
        self.connect(place, server)
        place.make("image:i")
        self.assertEqual(self.tags(server), ["latest", "latest-gpu"])
        self.assertFalse([each for each in server.requests if "on-cpus" in str(each)])

    def test_a_try_as_a_process_needs_no_image(self):
        server = self.cloud()
        place = self.place({"code/main.py": "import sys\nprint(sys.argv[1:])\n", "data/s.prototxt": "", "TRAINSPACE.lua": TRAINSPACE, "TRAINFILE.lua": '''
            code "c" { srcs = glob "code/**", main = "main.py" }
            data "d" { files = glob "data/**" }
            image "i" { code = "code:c", base = uai.base { arch = "caffe-1.0.0", internal = true }, run = { "true" } }
            job "j" { image = "image:i", data = "data:d", solver = data_dir "s.prototxt", resources = { node_type = "1-P40", hours = 1 } }
        '''})
        self.connect(place, server)
        tried = place.ask("run", "--local", "--json", "job:j").exits(0)
        self.assert_told([event["line"] for event in tried.events("log")], "--use_cpu=True', '--work_dir=", "/data/output']")
        self.assertEqual((sum(tried.finished["requests"].values()), server.requests), (0, []))
        self.assert_nothing_ran(place.ask("run", "--local", "--json", "job:j").exits(0))
        place.append("code/main.py", "print('new')\n")
        self.assertEqual(place.ask("run", "--local", "--json", "job:j").exits(0).ran, ["//code:c", "//image:i", "//job:j"])
        self.assert_told(place.ask("show", "job:j").exits(0), "--use_cpu=True")
        place.replace("TRAINFILE.lua", "caffe-1.0.0", "tensorflow-1.1.0")
        tried = place.ask("run", "--local", "--json", "job:j").exits(0)
        self.assertEqual(tried.ran, ["//job:j"])
        self.assertNotIn("use_cpu", str(tried.events("log")))
        # The image itself is another matter.
        self.assert_told(place.ask("run", "--local", "image:i"), "uaishare/gpu_uaitrain_ubuntu-14.04_python-2.7.6_tensorflow-1.1.0")
        self.assertNotEqual(place.ask("run", "--local", "image:i").code, 0)


class HereAsThere(InBusybox, OnUai):
    """The promised local test, on the published image; the base that is not asked for is not there."""

    def project(self, variant, base='select { uai = uai.base { arch = "caffe-1.0.0" }, default = "scratch" }', default='default_platform "uai"\n'):
        server = self.cloud()
        python = b'#!/bin/sh\necho "ran: $*"\n'
        push_base(server.hub, f"uaishare/{variant}_uaitrain_ubuntu-14.04_python-2.7.6_caffe-1.0.0", "v1.0",
                  {"bin/sh": BUSYBOX.read_bytes(), "usr/bin/python": python})
        place = self.place({"code/main.py": "", "data/s.prototxt": "", "TRAINSPACE.lua": TRAINSPACE.replace('default_platform "uai"\n', default), "TRAINFILE.lua": f'''
            code "c" {{ srcs = glob "code/**", main = "main.py" }}
            data "d" {{ files = glob "data/**" }}
            image "i" {{ code = "code:c", base = {base} }}
            job "j" {{ image = "image:i", data = "data:d", solver = data_dir "s.prototxt", resources = {{ node_type = "1-P40", hours = 1 }} }}
        '''})
        self.connect(place, server)
        return server, place

    def test_select_chooses_what_the_platform_would_and_one_variant_is_made(self):
        _, place = self.project("cpu")
        tried = place.ask("run", "--local", "--container", "--variant", "cpu", "job:j").exits(0)
        self.assert_told(tried, "ran: -u /data/main.py --solver=/data/data/s.prototxt --use_cpu=True")
        self.assertNotIn("gpu_uaitrain", place.read("TRAINFILE.lock"))
        self.assert_nothing_ran(place.make("run", "--local", "--container", "--variant", "cpu", "job:j"))

    def test_so_it_does_under_its_contract_where_another_platform_is_the_usual_one(self):
        _, place = self.project("cpu", default="")
        place.ask("run", "--local", "--container", "--contract", "uai", "--variant", "cpu", "job:j").exits(0)

    def test_what_this_machine_has_of_its_own_is_chosen_first(self):
        _, place = self.project("cpu", base='select { uai = "scratch", ["local"] = uai.base { arch = "caffe-1.0.0" }, default = "scratch" }')
        place.ask("run", "--local", "--container", "--variant", "cpu", "job:j").exits(0)

    def test_a_base_without_the_program_says_which_word_chooses_another(self):
        _, place = self.project("cpu", base='"scratch"')
        self.assert_told(place.ask("run", "--local", "--container", "job:j").exits(2), "The image has no `/usr/bin/python`", "`base` is \"scratch\"", "--variant NAME")


class Here(InBusybox):
    def project(self):
        place = self.place({"code/main.sh": "cat /which\n"})
        for variant in ("cpu", "gpu"):
            place.write(f"{variant}/which", variant + "\n")
            place.write(f"{variant}/bin/busybox", BUSYBOX.read_bytes(), 0o755)
            for program in PROGRAMS:
                os.symlink("busybox", place.path(f"{variant}/bin") / program)
        place.write("TRAINFILE.lua", '''
            code "c" { srcs = glob "code/**", main = "main.sh" }
            for _, variant in ipairs { "cpu", "gpu" } do
              image(variant) { base = "scratch", files = { { srcs = glob(variant .. "/**"), dest = "/" } } }
            end
            image "i" { code = "code:c", base = { cpu = "image:cpu", gpu = "image:gpu" } }
            job "j" { image = "image:i" }
        ''')
        return place

    def test_a_try_here_takes_the_variant_that_is_asked_for(self):
        place = self.project()
        for words, expected in (((), "cpu"), (("--variant", "gpu"), "gpu"), (("--variant", "cpu"), "cpu")):
            tried = place.ask("run", "--local", "--container", *words, "job:j").exits(0)
            self.assert_told(tried, expected)
        # Each is a result of its own.
        self.assertEqual(len(place.runs()), 3)
        self.assert_nothing_ran(place.make("run", "--local", "--container", "--variant", "gpu", "job:j"))
        self.assert_nothing_ran(place.make("run", "--local", "--variant", "gpu", "job:j"))

    def test_a_try_in_a_container_is_what_the_tools_ran(self):
        place = self.place({"code/train.py": "", "data/s.prototxt": "", "TRAINSPACE.lua": TRAINSPACE})
        place.write("root/usr/bin/python", '#!/bin/sh\necho "ran: $0 $*"\n', 0o755)
        place.write("root/bin/busybox", BUSYBOX.read_bytes(), 0o755)
        os.symlink("busybox", place.path("root/bin") / "sh")
        place.write("TRAINFILE.lua", '''
            code "c" { srcs = glob "code/**", main = "train.py" }
            data "d" { files = glob "data/**" }
            image "python" { base = "scratch", files = { { srcs = glob "root/**", dest = "/" } } }
            image "i" { code = "code:c", base = { cpu = "image:python", gpu = "image:python" } }
            job "j" { image = "image:i", data = "data:d", solver = data_dir "s.prototxt", resources = { node_type = "1-P40", hours = 1 } }
        ''')
        tried = place.ask("run", "--local", "--container", "--variant", "cpu", "job:j").exits(0)
        self.assert_told(tried, "ran: /usr/bin/python -u /data/train.py --solver=/data/data/s.prototxt "
                                "--use_cpu=True --work_dir=/data --data_dir=/data/data --output_dir=/data/output --log_dir=/data/output\n")
        self.assert_told(place.ask("run", "--local", "--container", "--variant", "gpu", "job:j").exits(2), "asks for 1 gpu", "`--variant cpu` tries the image without gpus")

    def test_a_variant_that_there_is_not_is_told(self):
        place = self.project()
        self.assert_told(place.ask("run", "--local", "--container", "--variant", "gpuu", "job:j").exits(2), "Did you mean `gpu`?")
        place.replace("TRAINFILE.lua", 'base = { cpu = "image:cpu", gpu = "image:gpu" }', 'base = { cpu = "image:cpu" }')
        self.assert_told(place.ask("run", "--local", "--container", "--variant", "gpu", "job:j").exits(2), "no variant `gpu`", "It has `cpu`")
