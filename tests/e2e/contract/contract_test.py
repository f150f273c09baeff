"""What a job on this machine finds: arguments, environment, folders."""

import os

from story import Story

SHOW = r'''#!/bin/sh
for word in "$@"; do printf 'arg=%s\n' "$word"; done
env | LC_ALL=C sort | sed 's/^/env=/'
printf 'cwd=%s\n' "$PWD"
ls -A | sed 's/^/here=/'
ls -A "$HOME" | sed 's/^/home=/'
(cd "$TRAINMAKE_DATA_DIR" && find -L . -type f | LC_ALL=C sort | sed 's/^/data=/')
sed 's/^/params=/' "$TRAINMAKE_PARAMS"
'''


class Contract(Story):
    def show(self, job="", more="", **files):
        place = self.place({"code/show.sh": SHOW, "code/lib/x.sh": "", **files})
        place.write("TRAINFILE.lua", f'code "c" {{ srcs = glob "code/**", main = "show.sh" }}\nimage "i" {{ code = "code:c", base = "scratch" }}\n'
                                     f'{more}\njob "j" {{ image = "image:i", {job} }}\n')
        answer = place.make("job:j", env={"LEAKED": "from outside"})
        self.facts = [log["line"].partition("=")[::2] for log in answer.events("log")]
        return place

    def all_of(self, name):
        return [value for fact, value in self.facts if fact == name]

    def env(self, name):
        return next((value.partition("=")[2] for value in self.all_of("env") if value.partition("=")[0] == name), None)

    def test_args_come_before_params_each_sorted_by_name(self):
        self.show("args = { b = 2, a = 'x y' }, params = { z = 1, lr = 0.1 }")
        self.assertEqual(self.all_of("arg"), ["--a", "x y", "--b", "2", "--lr", "0.1", "--z", "1"])

    def test_true_is_a_flag_false_is_nothing_a_list_is_its_values(self):
        self.show("params = { deep = true, flat = false, sizes = { 3, 4 } }")
        self.assertEqual(self.all_of("arg"), ["--deep", "--sizes", "3", "4"])

    def test_numbers_are_written_as_a_person_writes_them(self):
        self.show("params = { a = 1, b = 1e-5, c = 0.1, d = 100000000, e = 2.0, f = -3 }")
        values = dict(zip(self.all_of("arg")[::2], self.all_of("arg")[1::2]))
        self.assertEqual((values["--a"], values["--c"], values["--d"], values["--f"]), ("1", "0.1", "100000000", "-3"))
        self.assertEqual((float(values["--b"]), float(values["--e"])), (1e-5, 2.0))

    def test_awkward_words_arrive_whole(self):
        self.show('''args = { word = "a'b\\"c $HOME `x` \\\\ *", empty = "" }''')
        self.assertEqual(self.all_of("arg"), ["--empty", "", "--word", "a'b\"c $HOME `x` \\ *"])

    def test_params_are_a_json_file_too(self):
        self.show("params = { lr = 0.1, deep = true }")
        self.assertEqual("".join(self.all_of("params")).replace(" ", ""), '{"deep":true,"lr":0.1}')

    def test_nothing_leaks_into_its_environment(self):
        self.show("env = { MODE = 'fast' }")
        self.assertEqual((self.env("LEAKED"), self.env("MODE")), (None, "fast"))
        known = ("PATH", "LANG", "HOME", "MODE", "PWD", "OLDPWD", "SHLVL", "_")
        strange = [value for value in self.all_of("env") if value.partition("=")[0] not in known and not value.startswith("TRAINMAKE_")]
        self.assertEqual(strange, [])

    def test_it_has_the_folders_of_the_contract(self):
        self.show()
        for name in ("CODE", "DATA", "OUTPUT", "CHECKPOINT", "LOG"):
            self.assertTrue((self.env(f"TRAINMAKE_{name}_DIR") or "").startswith("/"), name)
        self.assertEqual(self.env("TRAINMAKE_LABEL"), "//job:j")
        self.assertTrue(self.env("TRAINMAKE_RUN"))

    def test_its_working_folder_is_the_code(self):
        self.show()
        self.assertEqual(self.all_of("here"), ["lib", "show.sh"])
        self.assertEqual(os.path.realpath(self.all_of("cwd")[0]), os.path.realpath(self.env("TRAINMAKE_CODE_DIR")))

    def test_its_home_is_its_own_and_empty(self):
        place = self.show()
        self.assertNotEqual(self.env("HOME"), str(place.home))
        self.assertEqual(self.all_of("home"), [])

    def test_data_lies_by_key_and_channel(self):
        self.show("data = { 'data:b', train = 'data:a' }", more="data 'a' { files = glob 'in/train/**' }\ndata 'b' { files = { 'in/extra.txt' }, dest = 'more' }",
                  **{"in/train/x/1.txt": "1", "in/train/2.txt": "2", "in/extra.txt": "e"})
        self.assertEqual(self.all_of("data"), ["./more/extra.txt", "./train/2.txt", "./train/x/1.txt"])

    def test_another_jobs_output_lies_in_its_channel(self):
        place = self.tiny()
        place.make("job:eval")
        self.assertEqual(place.pull("job:eval", "score.txt").strip(), "4")

    def test_dir_functions_are_completed_by_the_contract(self):
        self.show("data = { x = 'data:d' }, args = { data = data_dir 'x/y', out = output_dir 'z', code = code_dir 'show.sh' }",
                  'data "d" { files = { "y" } }', y="data")
        values = dict(zip(self.all_of("arg")[::2], self.all_of("arg")[1::2]))
        self.assertEqual(values["--data"], self.env("TRAINMAKE_DATA_DIR") + "/x/y")
        self.assertEqual(values["--out"], self.env("TRAINMAKE_OUTPUT_DIR") + "/z")
        self.assertEqual(values["--code"], self.env("TRAINMAKE_CODE_DIR") + "/show.sh")

    def test_command_takes_the_place_of_main(self):
        self.show("command = { 'sh', 'show.sh', 'as', 'told' }")
        self.assertEqual(self.all_of("arg")[:2], ["as", "told"])

    def test_a_main_of_its_own_and_a_shebang(self):
        place = self.place({"code/tool": "#!/usr/bin/env sh\necho from the tool\n",
                            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**" }\nimage "i" { code = "code:c", base = "scratch" }\njob "j" { image = "image:i", main = "tool" }\n'})
        self.assertIn("from the tool", [log["line"] for log in place.make("job:j").events("log")])

    def test_a_lua_main_and_a_missing_main_are_refused(self):
        place = self.place({"code/x.lua": "print(1)\n",
                            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**" }\nimage "i" { code = "code:c", base = "scratch" }\njob "l" { image = "image:i", main = "x.lua" }\n'
                                             'job "m" { image = "image:i", main = "y.sh" }\n'})
        self.assert_told(place.ask("job:l").exits(2), "x.lua")
        self.assert_told(place.ask("job:m").exits(2), "y.sh")

    def test_data_cannot_be_written_through(self):
        place = self.tiny(**{"code/train.sh": 'echo spoilt >"$TRAINMAKE_DATA_DIR/a.txt" && echo wrote\necho x >"$TRAINMAKE_OUTPUT_DIR/model.txt"\n'})
        place.ask("job:train", "--json")
        if os.geteuid() != 0:  # nothing binds root without namespaces
            self.assertEqual(place.read("data/a.txt"), "aaa\n")

    def test_two_files_with_one_key_are_an_error_that_names_both(self):
        place = self.tiny()
        place.append("TRAINFILE.lua", 'data "again" { files = { "data/a.txt" } }\njob "bad" { image = "image:tiny", data = { "data:letters", "data:again" } }\n')
        self.assert_told(place.ask("job:bad").exits(2), "data:letters", "data:again", "a.txt")

    def test_an_output_may_be_a_folder(self):
        place = self.place({"code/m.sh": 'mkdir "$TRAINMAKE_OUTPUT_DIR/ckpt" && echo 1 >"$TRAINMAKE_OUTPUT_DIR/ckpt/a" && echo 2 >"$TRAINMAKE_OUTPUT_DIR/ckpt/b"\n',
                            "code/r.sh": 'cat "$TRAINMAKE_DATA_DIR"/m/ckpt/* >"$TRAINMAKE_OUTPUT_DIR/all.txt"\n',
                            "TRAINFILE.lua": 'code "c" { srcs = glob "code/**" }\nimage "i" { code = "code:c", base = "scratch" }\n'
                                             'job "m" { image = "image:i", main = "m.sh", outputs = { ckpt = "ckpt" } }\n'
                                             'job "r" { image = "image:i", main = "r.sh", data = { m = "job:m" }, outputs = { all = "all.txt" } }\n'})
        place.make("job:r")
        self.assertEqual(place.pull("job:r", "all.txt"), "1\n2\n")
