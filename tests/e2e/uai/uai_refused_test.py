"""What UAI-Train would refuse is told before anything is sent there, whatever was tried before."""

from story import Story
from uai_story import OnUai
from uai_test import TRAINFILE, TRAINSPACE

TRAIN = 'import sys\nopen([word for word in sys.argv if word.startswith("--output_dir=")][0][13:] + "/model.txt", "w").write("1")\nprint("loss=1")\n'


class Refused(OnUai):
    def project(self, server):
        place = self.place({"code/train.py": TRAIN, "data/lenet_solver.prototxt": "", "TRAINFILE.lua": TRAINFILE % {"args": ""}, "TRAINSPACE.lua": TRAINSPACE})
        place.replace("TRAINFILE.lua", 'args = { solver = "/data/data/lenet_solver.prototxt" },', "")
        self.connect(place, server)
        return place

    def assert_refused_first(self, server, place):
        for now, wanted, told in (("", ", hours = 6", "hours"), ("nodes = 2", "nodes = 1", "names none"), ('"9-P40"', '"1-P40"', "9-P40"),
                                  ('memo = "first", secrets = { "TOKEN" }', 'memo = "first"', "no place for `secrets`")):
            with self.subTest(now=now, wanted=wanted):
                place.replace("TRAINFILE.lua", wanted, now)
                refused = place.ask("job:mnist", "--json", env={"TOKEN": "a long secret"}).exits(2)
                self.assert_told(refused.messages, told)
                self.assertEqual((refused.ran, refused.cost), ([], (0, 0, 0)))
                place.replace("TRAINFILE.lua", now or '"1-P40", nodes = 1', wanted if now else '"1-P40", nodes = 1, hours = 6')

    def test_after_a_try_on_this_machine(self):
        server = self.cloud()
        place = self.project(server)
        place.ask("run", "--local", "job:mnist").exits(0)
        self.assert_refused_first(server, place)

    def test_after_a_run_there_whose_code_was_edited(self):
        server = self.cloud()
        place = self.project(server)
        place.make("job:mnist")
        place.append("code/train.py", "# edited\n")
        self.assert_refused_first(server, place)

    def test_without_keys_nothing_is_asked_or_made(self):
        server = self.cloud()
        place = self.project(server)
        place.replace("TRAINFILE.lua", 'base = "scratch"', 'base = uai.base { arch = "caffe-1.0.0" }')
        told = place.ask("job:mnist", "--json", env={"UCLOUD_PUBLIC_KEY": "", "UCLOUD_PRIVATE_KEY": ""})
        self.assert_told(told.exits(3).messages, "No UCloud keys were found")
        self.assertEqual((sum(told.finished["requests"].values()), told.ran, server.requests), (0, [], []))
        place.replace("TRAINFILE.lua", 'base = uai.base { arch = "caffe-1.0.0" }', 'base = "scratch"')
        told = place.ask("job:mnist", "--json", env={"UCLOUD_PUBLIC_KEY": "", "UCLOUD_PRIVATE_KEY": ""})
        self.assert_told(told.exits(3).messages, "No UCloud keys were found")
        self.assertEqual((sum(told.finished["requests"].values()), told.ran, server.requests), (0, [], []))

    def test_keys_that_do_not_fit_are_told_as_that(self):
        server = self.cloud("mnist-bucket")
        place = self.project(server)
        place.replace("TRAINFILE.lua", 'base = "scratch"', 'base = "scratch", notes = "x"')
        told = place.ask("data:mnist", env={"UCLOUD_PRIVATE_KEY": "another-private-key"}).exits(3)
        self.assert_told(told, "UCLOUD_PRIVATE_KEY")
        server.wrong.clear()


class Whole(Story):
    def test_reasons_after_a_try_say_what_a_person_knows(self):
        place = self.place()
        place.ask("new", "--template", "uai-caffe", "c").exits(0)
        place.ask("run", "--local", "job:c", cwd="c").exits(0)
        reasons = place.ask("why", "image:c", "--platform", "local", cwd="c").exits(0).out
        self.assert_told(reasons, "its code alone was gathered, for a try on this machine")
        self.assertNotIn("compression", reasons)

    def test_a_command_that_says_nothing_is_no_project(self):
        place = self.place()
        self.assert_told(place.ask("import", "uai", "tf_tool.py", "pack").exits(2), "`tf_tool.py pack` says nothing of a job by itself")
        self.assertEqual(place.files_below("."), [])
