"""Many projects in one workspace."""

import time

from story import Story

ONE = 'code "c" { srcs = glob "code/**", main = "a.sh" }\nimage "i" { code = "code:c", base = "scratch" }\njob "j" { image = "image:i", outputs = { o = "o.txt" } }\n'
SCRIPT = 'echo out >"$TRAINMAKE_OUTPUT_DIR/o.txt"\n'


class Workspaces(Story):
    def space(self, *folders):
        place = self.place({"TRAINSPACE.lua": ""})
        for folder in folders or ("vision/mnist", "vision/cifar", "text"):
            place.write(f"{folder}/TRAINFILE.lua", ONE)
            place.write(f"{folder}/code/a.sh", SCRIPT)
        return place

    def test_a_label_is_reached_from_the_root_from_beside_and_from_inside(self):
        place = self.space()
        for cwd, label in ((".", "//vision/mnist/job:j"), (".", "vision/mnist/job:j"), ("vision/mnist", "job:j"), ("vision/mnist/code", "job:j"),
                           ("vision", "mnist/job:j"), ("text", "//vision/mnist/job:j")):
            self.assertEqual(place.ask("query", label, "--json", cwd=cwd).exits(0).only["label"], "//vision/mnist/job:j", (cwd, label))

    def test_patterns_take_folders_kinds_and_names(self):
        place = self.space()
        self.assertEqual(len(place.query("//...")), 9)
        self.assertEqual(place.query("//vision/.../job:*"), ["//vision/cifar/job:j", "//vision/mnist/job:j"])
        self.assertEqual(place.query("//text/..."), ["//text/code:c", "//text/image:i", "//text/job:j"])
        self.assertEqual([line["label"] for line in place.ask("query", "...", "--json", cwd="vision/mnist").exits(0).lines],
                         ["//vision/mnist/code:c", "//vision/mnist/image:i", "//vision/mnist/job:j"])

    def test_a_pattern_that_fits_nothing_is_a_usage_error(self):
        self.space().ask("//nowhere/...").exits(2)

    def test_errors_print_the_shortest_label_that_works(self):
        told = self.space().ask("plan", "image:j", cwd="vision/mnist").exits(2).text
        self.assertIn("image:i", told)
        self.assertNotIn("//vision/mnist/image:i", told)

    def test_targets_may_need_those_of_other_projects(self):
        place = self.space()
        place.write("text/TRAINFILE.lua", 'job "k" { image = "//vision/mnist/image:i", data = { "data:d", m = "//vision/mnist/job:j" } }\ndata "d" { files = glob "in/**" }\n')
        place.write("text/in/x.txt", "x")
        self.assertEqual(place.make("//text/job:k").ran, ["//text/data:d", "//text/job:k", "//vision/mnist/code:c", "//vision/mnist/image:i", "//vision/mnist/job:j"])

    def test_only_projects_that_are_needed_are_read(self):
        place = self.space()
        place.write("text/TRAINFILE.lua", "this is not lua\n")
        place.make("//vision/mnist/job:j")
        place.make("//vision/...")
        place.ask("//...").exits(2)

    def test_a_label_into_a_folder_without_a_project_is_told(self):
        place = self.space()
        self.assert_told(place.ask("//vision/mnits/job:j").exits(2), "mnits")

    def test_an_edit_in_one_project_runs_nothing_in_another(self):
        place = self.space()
        place.make("//...")
        place.append("vision/mnist/code/a.sh", "#\n")
        self.assertEqual(place.make("//...").ran, ["//vision/mnist/code:c", "//vision/mnist/image:i", "//vision/mnist/job:j"])

    def test_equal_projects_share_nothing_but_bytes(self):
        place = self.space()
        answer = place.make("//...")
        self.assertEqual(answer.finished["submitted"], 3)
        self.assertEqual({run["label"] for run in place.runs()}, {"//text/job:j", "//vision/cifar/job:j", "//vision/mnist/job:j"})

    def test_a_shared_file_of_values_is_an_input_of_those_that_load_it(self):
        place = self.space()
        place.write("vision/common.lua", "return { rate = 0.1 }\n")
        place.append("vision/mnist/TRAINFILE.lua", 'local common = load_file "../common.lua"\njob "p" { image = "image:i", params = { rate = common.rate } }\n')
        place.make("//...")
        place.write("vision/common.lua", "return { rate = 0.2 }\n")
        self.assertEqual(place.make("//...").ran, ["//vision/mnist/job:p"])

    def test_a_new_project_is_found(self):
        place = self.space()
        place.make("//...")
        place.write("new/TRAINFILE.lua", 'code "n" { srcs = glob "*.sh" }\n')
        place.write("new/a.sh", "")
        self.assertEqual(place.make("//...").ran, ["//new/code:n"])
        place.remove("new")
        self.assertEqual(place.make("//...").ran, [])

    def test_a_thousand_small_projects(self):
        place = self.space(*(f"p{number // 100}/q{number}" for number in range(1000)))
        began = time.monotonic()
        self.assertEqual(len(place.make("//.../image:*").ran), 2000)
        built = time.monotonic()
        self.assertEqual(place.make("//.../image:*").ran, [])
        place.make("//.../image:*")
        again = time.monotonic()
        self.assertEqual(place.make("//.../image:*").finished["hashed"]["files"], 0)
        once = time.monotonic() - again
        self.assertLess(built - began, 60)
        self.assertLess(once, 5)

    def test_two_projects_that_are_no_workspace_yet_are_told_how_to_be_one(self):
        place = self.place({"a/TRAINFILE.lua": "", "b/TRAINFILE.lua": ""})
        place.path("loop").symlink_to("loop")
        self.assert_told(place.ask("//...").exits(2).err, "TRAINSPACE.lua")
        self.assert_told(place.ask("-C", "a", "../b/code:x").exits(2).err, "leads out of the workspace", "TRAINSPACE.lua")

    def test_a_project_without_a_workspace_file_is_its_own_root(self):
        place = self.space()
        place.remove("TRAINSPACE.lua")
        self.assertIn("//job:j", place.make("job:j", cwd="vision/mnist").ran)
