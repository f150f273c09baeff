"""Jobs of several nodes: UAI-Train and a run on this machine under its contract tell every process the same, and both read and write what they should."""

import json

from uai_server import BACKENDS, FRAMEWORKS, MODES
from uai_story import OnUai

UFS = "10.9.1.2:/ufs-abc123"
NAMES = ("TF_CONFIG", "MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "WORKER_NUM", "WORKER_GPU_NUM", "UAI_HOSTS", "PS_VERBOSE", "DMLC_ROLE",
         "DMLC_PS_ROOT_URI", "DMLC_PS_ROOT_PORT", "DMLC_NUM_WORKER", "DMLC_NUM_SERVER")

# Each leaves what it was told in a file of its own; servers go on until they are ended.
SHOW = f'''
import json, os, signal, sys, tempfile, time
flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
told = {{name: os.environ[name] for name in {NAMES} if name in os.environ}}
lines = sorted(open(os.path.join(flags["data_dir"], "lines.txt")).read().split())
folder = os.path.join(flags["output_dir"], "told")
os.makedirs(folder, exist_ok=True)
with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False) as out:
    json.dump([told, lines], out)
print("here I am")
sys.stdout.flush()
if '"type": "ps"' in told.get("TF_CONFIG", "").replace('":"', '": "') or told.get("DMLC_ROLE") in ("server", "scheduler"):
    signal.pause()
time.sleep(0.5)
'''

LINKS = '''
import os, sys
flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
top = flags["output_dir"]
if os.environ["RANK"] == "0":
    os.makedirs(top + "/told/epoch-3")
    with open(top + "/told/epoch-3/model", "w") as file:
        file.write("3")
    os.symlink("epoch-3", top + "/told/latest")
    os.symlink("/data/output/told/epoch-3", top + "/told/last")
    os.symlink("/etc/passwd", top + "/not-declared")
'''

# The first node alone: the folder is of both.
GOES_ON = '''
import os, sys
flags = dict(word[2:].split("=", 1) for word in sys.argv[1:])
path = os.path.join(flags["output_dir"], "checkpoint", "epoch")
if os.environ["RANK"] == "0":
    began_at = int(open(path).read()) if os.path.exists(path) else 0
    print("epochs", began_at, "to", flags["epochs"])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for each in (path, os.path.join(flags["output_dir"], "told")):
        with open(each, "w") as file:
            file.write(flags["epochs"])
'''

TRAINFILE = '''
project {{ name = "nodes" }}
code "c" {{ srcs = glob "code/**", main = "show.py" }}
data "d" {{ files = glob "data/**" }}
image "i" {{ code = "code:c", base = "scratch" }}
job "j" {{ image = "image:i", data = "data:d", resources = {{ node_type = "4-P40", nodes = 2, hours = 1 }}, distribution = "{}", outputs = {{ told = "told" }} }}
'''

TRAINSPACE = '''
platform "uai" {{ type = "uai", project_id = env("UAI_PROJECT", ""), registry = "demo", internal_uhub = true, bucket = "mnist-bucket"{} }}
default_platform "uai"
'''


def without_ports(told):
    """As it is wherever it runs."""
    told = dict(told)
    for name in ("MASTER_PORT", "DMLC_PS_ROOT_PORT"):
        if name in told:
            told[name] = "a port"
    if "TF_CONFIG" in told:
        config = json.loads(told["TF_CONFIG"])
        config["cluster"] = {role: [address.split(":")[0] for address in addresses] for role, addresses in config["cluster"].items()}
        told["TF_CONFIG"] = json.dumps(config, sort_keys=True)
    return json.dumps(told, sort_keys=True)


class Nodes(OnUai):
    def project(self, server, kind, ufs=True):
        place = self.place({"code/show.py": SHOW, "data/lines.txt": "one\ntwo\n", "TRAINFILE.lua": TRAINFILE.format(kind)})
        folder = place.path("mount")
        folder.mkdir()
        server.ufs[UFS] = folder
        place.write("TRAINSPACE.lua", TRAINSPACE.format(f', ufs = "{UFS}", ufs_dir = "mount"' if ufs else ""))
        self.connect(place, server)
        return place

    def told(self, folder):
        all_told = []
        for path in folder.rglob("*.json"):
            told, lines = json.loads(path.read_text())
            self.assertEqual(lines, ["one", "two"])
            all_told.append(without_ports(told))
        return sorted(all_told)

    def here_and_there(self, kind):
        server = self.cloud()
        place = self.project(server, kind)
        place.ask("run", "--local", "--contract", "uai", "job:j").exits(0)
        place.ask("pull", "job:j", "--to", "here").exits(0)
        here = self.told(place.path("here"))
        self.assertEqual(server.jobs, {})
        place.make("job:j")
        place.ask("pull", "job:j", "--to", "there").exits(0)
        told = place.ask("logs", "job:j").exits(0).out.splitlines()
        self.assertEqual(set(told), {f"[worker-{node}] here I am" for node in range(2)})
        self.assertEqual(self.told(place.path("there")), here)
        asked = server.called("CreateUAITrainJob")[0]
        self.assertEqual((asked["TrainModeId"], asked["TrainWorkAmount"]), (str(MODES["Distributed"]), "2"))
        self.assertEqual({asked["InputDataBackendId"], asked["OutputDataBackendId"]}, {str(BACKENDS["UFS"])})
        self.assertTrue(asked["OutputUfilePath"].startswith(UFS + "/trainmake/uai/runs/"), asked)
        server.take()
        self.assert_nothing_ran(place.make("job:j"))
        self.assertEqual(server.take(), ([], 0))
        return asked, [json.loads(each) for each in here]

    def test_tensorflow(self):
        asked, told = self.here_and_there("tf_config")
        self.assertEqual(asked["DistAIFrame"], str(FRAMEWORKS["tensorflow"]))
        configs = [json.loads(each["TF_CONFIG"]) for each in told]
        cluster = {"master": ["127.0.0.1"], "ps": ["127.0.0.1", "127.0.0.2"], "worker": ["127.0.0.2"]}
        self.assertEqual([config["cluster"] for config in configs], [cluster] * 4)
        self.assertEqual(sorted((config["task"]["type"], config["task"]["index"]) for config in configs), [("master", 0), ("ps", 0), ("ps", 1), ("worker", 0)])

    def test_mxnet(self):
        asked, told = self.here_and_there("dmlc")
        self.assertEqual(asked["DistAIFrame"], str(FRAMEWORKS["mxnet"]))
        self.assertEqual(sorted(each["DMLC_ROLE"] for each in told), ["scheduler", "server", "server", "worker", "worker"])
        self.assertEqual({(each["UAI_HOSTS"], each["PS_VERBOSE"]) for each in told}, {("127.0.0.1,127.0.0.2", "1")})

    def test_pytorch(self):
        asked, told = self.here_and_there("torchrun")
        self.assertEqual(asked["DistAIFrame"], str(FRAMEWORKS["pytorch"]))
        self.assertEqual([(each["RANK"], each["WORKER_NUM"], each["WORKER_GPU_NUM"]) for each in told], [("0", "2", "4"), ("1", "2", "4")])

    def test_data_that_lies_on_the_ufs_is_read_where_it_lies(self):
        server = self.cloud()
        place = self.project(server, "tf_config")
        place.write("mount/big/lines.txt", "one\ntwo\n")
        place.replace("TRAINFILE.lua", 'files = glob "data/**"', 'url = "dir:mount/big"')
        place.make("job:j")
        self.assertEqual(server.called("CreateUAITrainJob")[0]["DataUfilePath"], UFS + "/big/")
        self.assertEqual(server.bytes_sent, 0)
        place.append("mount/big/lines.txt", "")
        self.assert_nothing_ran(place.make("job:j"))
        place.write("data/lines.txt", "two\none\n")
        place.replace("TRAINFILE.lua", 'url = "dir:mount/big"', 'files = glob "data/**", store = "ufs"')
        place.append("TRAINSPACE.lua", 'store "ufs" { url = "dir:mount/sent" }\n')
        self.assertEqual(place.make("job:j").cost[1:], (1, 1))
        self.assertEqual(server.called("CreateUAITrainJob")[1]["DataUfilePath"], UFS + "/sent/d/")

    def test_links_that_a_job_left_on_the_ufs_lead_where_it_saw_them(self):
        server = self.cloud()
        place = self.project(server, "torchrun")
        place.write("code/show.py", LINKS)
        place.make("job:j")
        place.ask("pull", "job:j", "--to", "got").exits(0)
        self.assertEqual(place.files_below("got"), ["told/epoch-3/model", "told/last/model", "told/latest/model"])
        self.assertEqual({place.read(f"got/{path}") for path in place.files_below("got")}, {"3"})

    def test_what_a_run_left_on_the_ufs_is_where_the_next_one_goes_on(self):
        server = self.cloud()
        place = self.project(server, "torchrun")
        place.write("code/show.py", GOES_ON)
        place.replace("TRAINFILE.lua", 'outputs = { told = "told" }', 'outputs = { told = "told" }, resume = true, params = { epochs = 1 }')
        for epochs, began_at in ((1, 0), (2, 1), (3, 2)):
            place.replace("TRAINFILE.lua", f"epochs = {max(epochs - 1, 1)} ", f"epochs = {epochs} ")
            self.assert_told(place.make("job:j"), f"[worker-0] epochs {began_at} to {epochs}")
        self.assertEqual(len({asked["OutputUfilePath"] for asked in server.called("CreateUAITrainJob")}), 3)
        self.assertEqual([key for key in server.buckets["mnist-bucket"] if "runs/" in key], [])

    def test_a_ufs_that_is_not_mounted_is_told_before_anything_is_done(self):
        server = self.cloud()
        place = self.project(server, "tf_config")
        place.path("mount").rmdir()
        for words in (("plan", "job:j"), ("job:j",)):
            self.assert_told(place.ask(*words).exits(2), "The `ufs_dir` of platform `uai`, ", "/mount`, is no folder here", f"Mount {UFS} there")
        self.assertFalse(place.path("mount").exists())
        self.assertEqual((server.calls, server.bytes_sent), ([], 0))

    def test_what_the_service_cannot_do_is_told_before_anything_is_done(self):
        server = self.cloud()
        place = self.project(server, "tf_config", ufs=False)
        self.assert_told(place.ask("job:j").exits(2), "read UFS alone", "platform `uai` names none", "`ufs_dir = ")
        place.remove("TRAINSPACE.lua")
        place.write("TRAINSPACE.lua", TRAINSPACE.format(f', ufs = "{UFS}", ufs_dir = "mount"'))
        place.replace("TRAINFILE.lua", 'distribution = "tf_config"', 'distribution = { kind = "tf_config", ps = 1 }')
        self.assert_told(place.ask("job:j").exits(2), "`distribution.ps` says otherwise", "TRAINFILE.lua:")
        place.replace("TRAINFILE.lua", 'distribution = { kind = "tf_config", ps = 1 }', 'distribution = "mpi"')
        self.assert_told(place.ask("job:j").exits(2), "not as `mpi` does", "`dmlc`")
        self.assertEqual(server.bytes_sent, 0)
