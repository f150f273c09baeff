"""The same TRAINFILE under other platforms' contracts, on this machine: the layout, flags, variables and files that its code would find there."""

import json
import re
import shlex

from story import Story

# Reads the solver that its argument names, wherever that is, and writes to the folder that a flag or variable names.
TRAIN = r'''
import json, os, sys
words, flags = sys.argv[1:], {}
while words:
    word = words.pop(0).removeprefix("--")
    if "=" in word:
        name, _, flags[name] = word.partition("=")
    else:
        flags[word] = words.pop(0) if words and not words[0].startswith("--") else "yes"
out = flags.get("output_dir") or flags.get("train_url") or flags.get("out") or os.environ.get("TM_MODEL_DIR") or os.environ["TRAINMAKE_OUTPUT_DIR"]
seen = {"flags": flags, "cwd": os.getcwd(), "env": dict(os.environ), "solver": open(flags["solver"]).read(), "main": os.path.abspath(__file__)}
if "TM_INPUT_CONFIG_DIR" in os.environ:
    seen["hyperparameters"] = json.load(open(os.environ["TM_INPUT_CONFIG_DIR"] + "/hyperparameters.json"))
seen["train"] = {name: os.listdir(os.environ[name]) for name in os.environ if "CHANNEL_" in name or name == "IN_TRAIN"}
seen["data"] = os.path.dirname(flags["solver"])
with open(os.path.join(out, "seen.json"), "w") as file:
    json.dump(seen, file)
'''

MINE = '''
contract "mine" {
  folders = { code = "/app", data = "/mnt/in", output = "/mnt/out" },
  variables = { ["IN_{CHANNEL}"] = "{data}/{channel}" },
  flags = { out = "{output}", steps = "{gpus_if_any}" },
  arguments = { form = "--name=value", booleans = "true/false" },
}
'''


class Contracts(Story):
    def project(self):
        place = self.place({"code/train.py": TRAIN, "data/solver.json": "{}", "more/x.txt": "x"})
        place.write("TRAINFILE.lua", '''
            code "c" { srcs = glob "code/**", main = "train.py" }
            data "solver" { files = glob "data/**" }
            data "more" { files = glob "more/**" }
            image "i" { code = "code:c", base = "scratch" }
            job "j" { image = "image:i", data = { "data:solver", train = "data:more" }, args = { solver = data_dir "solver.json" },
                      params = { lr = 0.1, deep = true }, outputs = { seen = "seen.json" } }
        ''')
        place.write("TRAINSPACE.lua", MINE)
        return place

    def run_under(self, place, contract, *more):
        answer = place.ask("run", "--local", "--contract", contract, "job:j", "--json", *more).exits(0)
        return answer, json.loads(place.pull("job:j", "seen.json"))

    def test_uai_tells_its_code_by_flags(self):
        place = self.project()
        _, seen = self.run_under(place, "uai")
        top = seen["flags"]["work_dir"].removesuffix("/data")
        for flag, below in (("solver", "/data/data/solver.json"), ("data_dir", "/data/data"), ("output_dir", "/data/output"), ("log_dir", "/data/output")):
            self.assertEqual(seen["flags"][flag], top + below)
        self.assertEqual(seen["main"], top + "/data/train.py")
        self.assertEqual((seen["flags"]["lr"], seen["flags"]["deep"], seen["solver"]), ("0.1", "yes", "{}"))
        self.assertNotIn("num_gpus", seen["flags"])

    def test_ti_tells_its_code_by_variables_and_files(self):
        _, seen = self.run_under(self.project(), "ti")
        self.assertTrue(seen["env"]["TM_MODEL_DIR"].endswith("/opt/ml/model"))
        self.assertEqual(json.loads(seen["env"]["TM_CHANNELS"]), ["train"])
        self.assertEqual(seen["train"], {"TM_CHANNEL_TRAIN": ["x.txt"]})
        self.assertEqual(seen["flags"]["deep"], "True")
        self.assertEqual((seen["hyperparameters"]["lr"], seen["hyperparameters"]["deep"]), ("0.1", "true"))

    def test_moxing_trains_into_train_url(self):
        _, seen = self.run_under(self.project(), "moxing")
        self.assertTrue(seen["flags"]["data_url"].endswith("/home/ma-user/modelarts/inputs/data_url_0"))
        self.assertTrue(seen["flags"]["train_url"].endswith("/home/ma-user/modelarts/outputs/train_url_0"))
        self.assertEqual((seen["flags"]["deep"], seen["flags"]["lr"]), ("true", "0.1"))

    def test_one_of_ones_own_says_all_of_it(self):
        place = self.project()
        _, seen = self.run_under(place, "mine")
        self.assertTrue(seen["flags"]["out"].endswith("/mnt/out"))
        self.assertEqual((seen["flags"]["deep"], "steps" in seen["flags"], seen["train"]), ("true", False, {"IN_TRAIN": ["x.txt"]}))
        place.replace("TRAINSPACE.lua", "{gpus_if_any}", "7")
        answer, seen = self.run_under(place, "mine")
        self.assertEqual((answer.finished["submitted"], seen["flags"]["steps"]), (1, "7"))

    def test_each_contract_has_a_result_of_its_own_and_keeps_it(self):
        place = self.project()
        for contract in ("uai", "ti"):
            self.assertEqual(self.run_under(place, contract)[0].finished["submitted"], 1)
        self.assertEqual(self.run_under(place, "ti")[0].finished["submitted"], 0)
        again = self.run_under(place, "uai")[0].finished
        self.assertEqual((again["submitted"], again["reused"]), (0, 1))
        self.assertEqual(place.make("job:j").finished["submitted"], 1)
        self.assertEqual(place.ask("run", "--local", "job:j", "--json").exits(0).finished["submitted"], 0)

    def test_a_platform_may_have_another_contract_than_the_default(self):
        place = self.project()
        place.append("TRAINSPACE.lua", 'platform "here" { type = "local", contract = "mine" }\ndefault_platform "here"\n')
        place.make("job:j")
        self.assertTrue(json.loads(place.pull("job:j", "seen.json"))["flags"]["out"].endswith("/mnt/out"))

    def test_wrong_ones_are_told_with_their_line(self):
        place = self.project()
        self.assert_told(place.ask("run", "--local", "--contract", "mien", "job:j").exits(2), "There is no contract `mien`", "Did you mean `mine`?")
        self.assert_told(place.ask("job:j", "--contract", "uai").exits(2), "has no flag `--contract`")
        for wrong, told in (('contract "x" { folder = {} }', "Did you mean `folders`?"),
                            ('contract "x" { flags = { a = "{outptu}" } }', "Did you mean `output`?"),
                            ('contract "uai" {}', "is one that trainmake knows itself"),
                            ('platform "p" { type = "local", contract = "mien" }', "Did you mean `mine`?")):
            place.write("TRAINSPACE.lua", MINE + wrong + "\n")
            self.assert_told(place.ask("job:j").exits(2), told, "TRAINSPACE.lua:8")

    def test_code_in_the_way_of_a_folder_is_an_error_before_it_starts(self):
        place = self.project()
        place.write("code/data/x", "")
        self.assert_told(place.ask("run", "--local", "--contract", "uai", "job:j"), "where the code has `data`")

    def test_an_attempt_goes_on_where_one_stopped_under_any_contract(self):
        place = self.project()
        place.write("code/train.py", "import os, sys\nout = sys.argv[-1].partition('=')[2]\nagain = os.path.exists(out + '/checkpoint/step')\n"
                                     "open(out + '/checkpoint/step', 'w')\nopen(out + '/seen.json', 'w').write('{}')\nsys.exit(0 if again else 3)\n")
        self.assert_told(place.ask("run", "--local", "--contract", "uai", "job:j").exits(1), "exit code 3")
        place.ask("run", "--local", "--contract", "uai", "--retry", "job:j").exits(0)

    def test_hints_work_when_they_are_pasted(self):
        place = self.project()
        place.write("code/train.py", "import sys\nsys.exit(3)\n")
        for words in (["run", "--local", "--contract", "uai", "job:j"], ["run", "--contract", "mine", "job:j"]):
            told = place.ask(*words).exits(1).err
            first = place.runs()[0]["run"]
            again = re.search("`trainmake ([^`]*--retry)`", told)[1]
            repeat = re.search("^repeat .*trainmake (.*)$", place.ask("show", first).exits(0).out, re.M)[1]
            for typed in (again, repeat):
                place.ask(*shlex.split(typed)).exits(1)
                newest = place.runs()[0]["run"]
                self.assertNotEqual(newest, first)
                self.assertEqual(place.ask("diff", first, newest).exits(0).out.splitlines()[2], "nothing that matters differs", typed)
