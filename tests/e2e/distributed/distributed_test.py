"""Jobs of several processes: all of them are started, told of each other and ended together, here and on Slurm."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

import slurm_cluster
from fake_gpus import add_gpus
from story import Story, eventually

EXAMPLE = pathlib.Path(__file__).resolve().parents[3] / "examples/distributed"

# Leaves what it was told in a file of its own.
SHOW = '''#!/usr/bin/python3
import json, os, sys, time
words = dict(word[2:].split("=", 1) for word in sys.argv[1:] if "=" in word)
names = ("RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "TF_CONFIG", "CUDA_VISIBLE_DEVICES")
told = {"flags": words, **{name: os.environ[name] for name in names if name in os.environ}}
print("here I am")
name = "-".join([words.get("job_name", ""), words.get("task_index", ""), os.environ.get("RANK", ""), str(os.getpid())])
out = os.path.join(os.environ["TRAINMAKE_OUTPUT_DIR"], "told")
os.makedirs(out, exist_ok=True)
json.dump(told, open(os.path.join(out, name), "w"))
os.rename(os.path.join(out, name), os.path.join(out, name + ".json"))
cluster = json.loads(told.get("TF_CONFIG", "{}")).get("cluster") or {kind: words.get(kind + "_hosts", "").split(",") for kind in ("ps", "worker")}
# Servers are ended when the workers are done, which would be before they said anything.
late = time.monotonic() + 30
while cluster.get("ps", [""]) != [""] and time.monotonic() < late and sum(name.endswith(".json") for name in os.listdir(out)) < sum(map(len, cluster.values())):
    time.sleep(0.01)
if words.get("job_name") == "ps" or '"type":"ps"' in told.get("TF_CONFIG", ""):
    import signal
    signal.pause()
'''


# Ranks that talk to each other: 1 + 2 + … of all of them, written by the first.
SUM = '''#!/usr/bin/python3
import os
from mpi4py import MPI
world = MPI.COMM_WORLD
total = world.allreduce(world.rank + 1)
print(f"rank {world.rank} of {world.size}", flush=True)
if world.rank == 0:
    print(f"sum={total}", flush=True)
    open(os.path.join(os.environ["TRAINMAKE_OUTPUT_DIR"], "sum"), "w").write(f"{total}\\n")
'''


def why_no_mpi():
    if shutil.which("mpirun") is None or subprocess.run(["/usr/bin/python3", "-c", "import mpi4py"], capture_output=True, check=False).returncode != 0:
        return "needs openmpi-bin and python3-mpi4py: sh tests/deps.sh test"
    return ""


class Distributed(Story):
    def project(self, distribution, resources="nodes = 2, gpus = 2", script=SHOW, job="outputs = { told = 'told' }"):
        place = self.place({"code/main.py": script})
        add_gpus(place, 4)
        place.write("TRAINFILE.lua", f'''
            code "c" {{ srcs = glob "code/**", main = "main.py" }}
            image "i" {{ code = "code:c", base = "scratch" }}
            job "j" {{ image = "image:i", resources = {{ {resources} }}, distribution = {distribution}, {job} }}
        ''')
        return place

    def told(self, place):
        out = place.path("out")
        place.ask("pull", "job:j", "--to", "out", "--overwrite").exits(0)
        return [json.loads(path.read_text()) for path in sorted((out / "told").iterdir())]

    def example(self):
        if subprocess.run(["/usr/bin/python3", "-c", "import numpy"], capture_output=True, check=False).returncode != 0:
            self.skipTest("needs python3-numpy")
        place = self.place()
        shutil.copytree(EXAMPLE, place.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".trainmake", "__pycache__"))
        return place

    def assert_mxnet_is_told(self, place):
        lines = sorted(line["line"] for line in place.make("job:j").events("log"))
        who, told = zip(*(line.split("] ") for line in lines))
        self.assertEqual(who, ("[scheduler 0", "[server 0", "[server 1", "[worker 0", "[worker 1"))
        words = [dict(word.split("=") for word in one.split()) for one in told]
        self.assertEqual([one["ROLE"] for one in words], ["scheduler", "server", "server", "worker", "worker"])
        self.assertEqual({(one["NUM_SERVER"], one["NUM_WORKER"], one["PS_ROOT_URI"]) for one in words}, {("2", "2", "127.0.0.1")})
        self.assertEqual(len({one["PS_ROOT_PORT"] for one in words}), 1)
        self.assert_nobody_lives(place)

    def assert_the_cause_is_told(self, place, *since):
        """The last lines are those of the process that failed by itself, and what is of no process comes after."""
        (error,) = place.ask("job:j", "--json").exits(1).events("error")
        message, *lines = error["message"].split("\n")
        self.assertEqual((message, lines[0]), ("`job:j` failed: process `1`: exit code 7", "  [1] the cause"))
        self.assertNotIn("my peer", error["message"])
        self.assert_told("\n".join(lines[1:]), "[trainmake] 1 failed: exit code 7; the others are ended", *since)
        again = place.ask("job:j").exits(1)
        self.assert_told(again.err, "the cause")
        self.assertNotIn("my peer", again.err)

    def assert_nobody_lives(self, place):
        def none():
            processes = [pathlib.Path("/proc", name) for name in os.listdir("/proc") if name.isdigit()]
            return not [1 for process in processes if str(place.root).encode() in command_of(process)]
        eventually(none, "a process of it lives on")

    def summing(self, nodes=2):
        """A job of four real ranks of MPI."""
        if why := why_no_mpi():
            self.skipTest(why)
        return self.project(f'{{ kind = "mpi", processes_per_node = {4 // nodes} }}', resources=f"nodes = {nodes}", script=SUM, job='outputs = { sum = "sum" }, metrics = { sum = "sum=(%d+)" }')

    def assert_summed(self, place):
        answer = place.make("job:j")
        lines = "\n".join(line["line"] for line in answer.events("log"))
        self.assert_told(lines, *(f"rank {rank} of 4" for rank in range(4)))
        self.assertEqual((place.pull("job:j", "sum"), place.runs()[0]["metrics"]), ("10\n", {"sum": 10}))
        self.assert_nothing_ran(place.make("job:j"))



def command_of(process):
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


# As MXNet's processes have it: who is told what, and who waits until it is ended.
MXNET = '''#!/usr/bin/python3
import os, signal, time
print(*(f"{name[5:]}={value}" for name, value in sorted(os.environ.items()) if name.startswith("DMLC_")), flush=True)
open(os.path.join(os.environ["TRAINMAKE_OUTPUT_DIR"], f"{os.environ['DMLC_ROLE']}-{os.getpid()}"), "w").close()
if os.environ["DMLC_ROLE"] != "worker": signal.pause()
late = time.monotonic() + 30  # others are ended when the workers are done, which would be before they said anything
while len(os.listdir(os.environ["TRAINMAKE_OUTPUT_DIR"])) < 5 and time.monotonic() < late: time.sleep(0.01)
'''

# One fails, and the others have more to say of that than itself.
NOISY = '''#!/usr/bin/python3
import os, signal, sys
def end(*_):
    for _ in range(500): print("my peer is gone")
    sys.exit(1)
signal.signal(signal.SIGTERM, end)
if os.environ["RANK"] == "1":
    print("the cause", flush=True)
    sys.exit(7)
while True: signal.pause()
'''


class Here(Distributed):
    def test_torchrun_gives_each_process_its_rank(self):
        place = self.project('"torchrun"')
        answer = place.make("job:j")
        told = sorted(self.told(place), key=lambda one: int(one["RANK"]))
        self.assertEqual([(one["RANK"], one["NODE_RANK"], one["LOCAL_RANK"]) for one in told],
                         [("0", "0", "0"), ("1", "0", "1"), ("2", "1", "0"), ("3", "1", "1")])
        self.assertEqual({(one["WORLD_SIZE"], one["LOCAL_WORLD_SIZE"], one["MASTER_ADDR"]) for one in told}, {("4", "2", "127.0.0.1")})
        self.assertEqual([one["CUDA_VISIBLE_DEVICES"] for one in told], ["0,1", "0,1", "2,3", "2,3"])
        self.assertEqual(len({one["MASTER_PORT"] for one in told}), 1)
        self.assertEqual(sorted(line["line"] for line in answer.events("log")), [f"[{rank}] here I am" for rank in range(4)])
        self.assert_nothing_ran(place.make("job:j"))

    def test_servers_are_ended_when_the_workers_are_done(self):
        place = self.project('"ps_worker"')
        answer = place.make("job:j")
        told = {(one["flags"]["job_name"], one["flags"]["task_index"]): one["flags"] for one in self.told(place)}
        self.assertEqual(sorted((one["flags"]["job_name"], one["CUDA_VISIBLE_DEVICES"]) for one in self.told(place)),
                         [("ps", ""), ("ps", ""), ("worker", "0,1"), ("worker", "2,3")])
        self.assertEqual(sorted(told), [("ps", "0"), ("ps", "1"), ("worker", "0"), ("worker", "1")])
        (hosts,) = {(flags["ps_hosts"], flags["worker_hosts"]) for flags in told.values()}
        addresses = ",".join(hosts).split(",")
        self.assertEqual([address.split(":")[0] for address in addresses], ["127.0.0.1", "127.0.0.2"] * 2)
        self.assertEqual(len(set(addresses)), 4)
        self.assert_told("\n".join(line["line"] for line in answer.events("log")), "[ps 0] here I am", "[worker 1] here I am")
        self.assert_nobody_lives(place)

    def test_tf_config_is_told_to_each(self):
        place = self.project('{ kind = "tf_config", ps = 1, chief = "chief" }')
        place.make("job:j")
        configs = [json.loads(one["TF_CONFIG"]) for one in self.told(place)]
        self.assertEqual(sorted((config["task"]["type"], config["task"]["index"]) for config in configs), [("chief", 0), ("ps", 0), ("worker", 0)])
        self.assertEqual(len({json.dumps(config["cluster"], sort_keys=True) for config in configs}), 1)

    def test_mpi_is_started_by_mpirun(self):
        place = self.project('{ kind = "mpi", processes_per_node = 3, options = "--bind-to none" }', job="", script="print(1)")
        place.write("bin/mpirun", '#!/bin/sh\necho "mpirun $*"\n', 0o755)
        answer = place.ask("job:j", "--json", env={"PATH": f"{place.path('bin')}:{place.env['PATH']}"}).exits(0)
        self.assert_told(answer.events("log")[0]["line"], "mpirun -np 6 --bind-to none python3", "/code/main.py")

    def test_ranks_of_a_real_mpi_find_each_other(self):
        self.assert_summed(self.summing())

    def test_when_a_rank_of_a_real_mpi_fails_the_others_are_ended(self):
        place = self.summing()
        place.replace("code/main.py", "total =", "if world.rank == 1: os._exit(7)\ntotal =")
        self.assert_told(place.ask("job:j").exits(1), "exit code 7")
        self.assert_nobody_lives(place)

    def test_when_one_fails_the_others_are_ended_and_it_is_named(self):
        for who, reason in (("worker 1", "exit code 7"), ("ps 0", "killed by signal 9")):
            with self.subTest(who=who):
                script = ('import os, signal, sys\nrole = " ".join(word.partition("=")[2] for word in sys.argv[1:] if word.startswith(("--job_name", "--task_index")))\n'
                          f'if role == "{who}":\n    {"sys.exit(7)" if "exit" in reason else "os.kill(os.getpid(), 9)"}\nsignal.pause()\n')
                place = self.project('"ps_worker"', job="", script=script)
                answer = place.ask("job:j").exits(1)
                self.assert_told(answer, f"process `{who}`: {reason}", f"[trainmake] {who} failed: {reason}")
                self.assertEqual(place.runs()[0]["status"], "failed")
                self.assert_nobody_lives(place)

    def test_the_lines_of_the_one_that_failed_are_told(self):
        self.assert_the_cause_is_told(self.project('"torchrun"', resources="nodes = 2", job="", script=NOISY))

    def test_mxnet_is_told_by_its_scheduler(self):
        self.assert_mxnet_is_told(self.project('"dmlc"', resources="nodes = 2", job="", script=MXNET))

    def test_one_that_does_not_listen_is_killed(self):
        script = ('import os, signal, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint("ready", flush=True)\n'
                  'if os.environ["RANK"] == "0":\n    sys.exit(3)\nwhile True: signal.pause()\n')
        place = self.project('"torchrun"', resources="nodes = 2", job="", script=script)
        self.assert_told(place.ask("job:j").exits(1), "process `0`: exit code 3")
        self.assert_nobody_lives(place)

    def test_cancel_and_timeout_end_all(self):
        script = 'import signal\nprint("ready", flush=True)\nsignal.pause()\n'
        place = self.project('"torchrun"', job="timeout = 1", script=script)
        self.assert_told(place.ask("job:j").exits(1), "timed out after 1.0 s")
        place.replace("TRAINFILE.lua", "timeout = 1", "env = { MODE = 'long' }")
        going = place.start("job:j", "--json").until("[3] ready")
        place.ask("cancel", "job:j").exits(0)
        self.assertNotEqual(going.end().code, 0)
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled", "failed"])
        self.assert_nobody_lives(place)

    def test_none_outlives_its_supervisor(self):
        script = 'import signal\nprint("ready", flush=True)\nsignal.pause()\n'
        place = self.project('"torchrun"', job="", script=script)
        going = place.start("job:j", "--json").until("ready")
        (run,) = place.runs()
        supervisor = int(place.read(f".trainmake/runs/{run['run']}/started").split()[0])
        going.kill()
        os.kill(supervisor, signal.SIGKILL)
        self.assert_nobody_lives(place)

    def test_secrets_stay_secret_in_every_process(self):
        place = self.project('"torchrun"', job='secrets = { "TOKEN" }', script='import os\nprint("told " + os.environ["TOKEN"])\n')
        answer = place.ask("job:j", "--json", env={"TOKEN": "open sesame"}).exits(0)
        self.assertEqual(sorted(line["line"] for line in answer.events("log")), [f"[{rank}] told ***" for rank in range(4)])

    def test_what_cannot_be_is_told_before_it_starts(self):
        for distribution, more, told in (('"torchrunn"', "", "Did you mean `torchrun`?"), ('{ kind = "ps_worker", workers = 200000 }', "", "are too many for one machine"),
                                         ('"ps_worker"', "params = { task_index = 3 }", "`task_index` is set by the job's distribution")):
            place = self.project(distribution, job=more)
            self.assert_told(place.ask("job:j").exits(2), told, "TRAINFILE.lua:4")

    def test_another_distribution_is_another_result(self):
        place = self.project('"torchrun"', job="", script="print(1)")
        place.make("job:j")
        place.replace("TRAINFILE.lua", '"torchrun"', '{ kind = "torchrun" }')
        self.assert_nothing_ran(place.make("job:j"))
        place.replace("TRAINFILE.lua", '{ kind = "torchrun" }', '{ kind = "torchrun", processes_per_node = 1 }')
        self.assertEqual(place.why("job:j"), [("input_changed", "distribution")])

    def test_the_hosts_of_a_contract_are_those_of_the_nodes(self):
        place = self.project('"torchrun"', resources="nodes = 2", job="", script='import os\nprint(os.environ["TM_CURRENT_HOST"] + " of " + os.environ["TM_HOSTS"])\n')
        answer = place.ask("run", "--local", "--contract", "ti", "job:j", "--json").exits(0)
        self.assertEqual(sorted(line["line"] for line in answer.events("log")), [f'[{node}] 127.0.0.{node + 1} of ["127.0.0.1","127.0.0.2"]' for node in range(2)])

    def test_the_example_learns_with_two_servers_and_two_workers(self):
        place = self.example()
        answer = place.make("job:eval")
        self.assertEqual(answer.finished["submitted"], 2)
        self.assertGreater(place.runs("//job:eval")[0]["metrics"]["accuracy"], 0.9)
        self.assert_told("\n".join(line["line"] for line in answer.events("log")), "[ps 1] serving", "[worker 1] done")
        there = place.ask("run", "--local", "--contract", "moxing", "job:eval", "--json").exits(0)
        self.assertEqual(there.finished["submitted"], 2)
        self.assertEqual(len({run["outputs"][0]["sha256"] for run in place.runs("//job:train")}), 1)


class OnSlurm(Distributed):
    @classmethod
    def setUpClass(cls):
        try:
            cls.cluster = slurm_cluster.SlurmCluster()
        except slurm_cluster.CannotStart as error:
            raise unittest.SkipTest(f"no Slurm can be started here: {error}") from None
        cls.addClassCleanup(cls.cluster.stop)

    def on_slurm(self, place):
        place.env["SLURM_CONF"] = self.cluster.env["SLURM_CONF"]
        place.path("shared").mkdir()
        place.write("TRAINSPACE.lua", f'platform "lab" {{ type = "slurm", shared_dir = "{place.path("shared")}" }}\ndefault_platform "lab"\n')
        return place

    def test_the_example_learns_the_same_as_here(self):
        place = self.example()
        place.env["SLURM_CONF"] = self.cluster.env["SLURM_CONF"]
        place.env["SHARED_DIR"] = str(place.path("shared"))
        place.path("shared").mkdir()
        self.assertEqual(place.ask("job:eval", "--platform", "lab", "--json").exits(0).finished["submitted"], 2)
        self.assertEqual(place.make("job:eval").finished["submitted"], 2)
        for label in ("//job:train", "//job:eval"):
            here, there = place.runs(label)
            self.assertEqual((here["platform"], there["platform"]), ("local", "lab"))
            self.assertEqual((here["metrics"], here["outputs"]), (there["metrics"], there["outputs"]))

    def test_torchrun_gives_each_process_its_rank(self):
        place = self.on_slurm(self.project('"torchrun"'))
        place.make("job:j")
        told = sorted(self.told(place), key=lambda one: int(one["RANK"]))
        self.assertEqual([(one["RANK"], one["NODE_RANK"], one["LOCAL_RANK"]) for one in told],
                         [("0", "0", "0"), ("1", "0", "1"), ("2", "1", "0"), ("3", "1", "1")])
        self.assertEqual({(one["WORLD_SIZE"], one["LOCAL_WORLD_SIZE"], one["MASTER_ADDR"]) for one in told}, {("4", "2", "127.0.0.1")})

    def test_tf_config_is_told_to_each(self):
        place = self.on_slurm(self.project('{ kind = "tf_config", ps = 1, chief = "master" }'))
        place.make("job:j")
        configs = [json.loads(one["TF_CONFIG"]) for one in self.told(place)]
        self.assertEqual(sorted((config["task"]["type"], config["task"]["index"]) for config in configs), [("master", 0), ("ps", 0), ("worker", 0)])
        self.assertEqual({config["environment"] for config in configs}, {"cloud"})
        self.assertEqual(sorted(configs[0]["cluster"]), ["master", "ps", "worker"])

    def test_when_one_fails_the_others_are_ended_and_it_is_named(self):
        script = ('import signal, sys\nrole = " ".join(word.partition("=")[2] for word in sys.argv[1:] if word.startswith(("--job_name", "--task_index")))\n'
                  'if role == "ROLE": sys.exit(7)\nsignal.pause()\n')
        for who in ("worker 1", "ps 0"):
            with self.subTest(who=who):
                place = self.on_slurm(self.project('"ps_worker"', job="", script=script.replace("ROLE", who)))
                self.assert_told(place.ask("job:j").exits(1), f"process `{who}`: exit code 7")
                self.assert_nobody_lives(place)
                self.assertNotIn("cannot access", place.ask("logs", "job:j").out)

    def test_the_lines_of_the_one_that_failed_are_told_and_sruns_after(self):
        self.assert_the_cause_is_told(self.on_slurm(self.project('"torchrun"', resources="nodes = 2", job="", script=NOISY)), "srun: error: ")

    def test_mxnet_is_told_by_its_scheduler(self):
        self.assert_mxnet_is_told(self.on_slurm(self.project('"dmlc"', resources="nodes = 2", job="", script=MXNET)))

    def test_one_that_listens_to_the_end_has_time_to(self):
        script = ('import os, signal, sys, time\ndef end(*_):\n    time.sleep(0.5)\n    print("tidied up", flush=True)\n    sys.exit(0)\n'
                  'signal.signal(signal.SIGTERM, end)\nif os.environ["RANK"] == "0":\n    time.sleep(1)\n    sys.exit(3)\nwhile True: signal.pause()\n')
        place = self.on_slurm(self.project('"torchrun"', resources="nodes = 2", job="", script=script))
        self.assert_told(place.ask("job:j").exits(1), "process `0`: exit code 3", "tidied up")

    def test_jobs_that_run_at_once_have_ports_of_their_own(self):
        script = ('import os, sys, time\nwords = dict(word[2:].split("=", 1) for word in sys.argv[1:])\n'
                  'if words["job_name"] == "worker" and words["task_index"] == "0": print("at", words["ps_hosts"] + "," + words["worker_hosts"], flush=True)\n'
                  'while not os.path.exists("GATE"): time.sleep(0.05)\n')
        place = self.on_slurm(self.project('"ps_worker"', resources="nodes = 2", job=""))
        place.write("code/main.py", "#!/usr/bin/python3\n" + script.replace("GATE", str(place.path("gate"))))
        place.write("TRAINFILE.lua", place.read("TRAINFILE.lua") + place.read("TRAINFILE.lua").splitlines()[3].replace('"j"', '"k"').replace("image =", 'env = { OTHER = "1" }, image ='))
        going = place.start("job:j", "job:k", "--json")
        told = eventually(lambda: (lines := [line for line in place.ask("logs", "job:j", "job:k").out.splitlines() if " at " in line]) and len(lines) == 2 and lines, "they do not begin")
        addresses = ",".join(line.split(" at ")[1] for line in told).split(",")
        self.assertEqual((len(addresses), len(set(addresses))), (8, 8))
        self.assertEqual(len(os.listdir(place.path("shared/ports"))), 8)
        place.write("gate", "")
        going.end().exits(0)
        self.assertEqual(os.listdir(place.path("shared/ports")), [])

    def test_mpi_starts_as_many_as_asked_for(self):
        place = self.on_slurm(self.project('{ kind = "mpi", processes_per_node = 2 }', job="", script='print("hello")\n'))
        self.assertEqual(sorted(line["line"] for line in place.make("job:j").events("log")), [f"[{rank}] hello" for rank in range(4)])

    def test_ranks_of_a_real_mpi_find_each_other(self):
        place = self.on_slurm(self.summing(nodes=1))
        place.replace("TRAINSPACE.lua", "shared_dir", 'mpi = "pmix", shared_dir')
        self.assert_summed(place)

    def over_two_nodes(self):
        # Open MPI would name its memory by the machine and the rank in the node, which two nodes on one machine have alike.
        place = self.on_slurm(self.summing(nodes=2))
        place.replace("TRAINFILE.lua", "outputs =", 'env = { OMPI_MCA_btl = "tcp,self" }, outputs =')
        place.replace("TRAINSPACE.lua", "shared_dir", 'mpi = "pmix", shared_dir')
        return place

    def test_ranks_of_a_real_mpi_on_two_nodes_find_each_other(self):
        place = self.over_two_nodes()
        place.replace("code/main.py", "import os\n", 'import os\nprint("node", os.environ["SLURM_NODEID"], "of", os.environ["SLURM_NNODES"], flush=True)\n')
        self.assert_summed(place)
        nodes = [line.split(" ", 1)[1] for line in place.ask("logs", "job:j").out.splitlines() if "node" in line]
        self.assertEqual(sorted(nodes), ["node 0 of 2", "node 0 of 2", "node 1 of 2", "node 1 of 2"])

    def test_when_a_rank_on_another_node_fails_all_are_ended(self):
        place = self.over_two_nodes()
        place.replace("code/main.py", "total =", "if world.rank == 3: os._exit(7)\nimport signal; signal.pause()\ntotal =")
        self.assert_told(place.ask("job:j").exits(1), "exit code 7")
        self.assert_nobody_lives(place)

    def test_a_contract_has_its_folders_there_too(self):
        place = self.on_slurm(self.project('"torchrun"', resources="nodes = 1", job="outputs = { o = 'o' }",
                                           script='import sys\nout = [word for word in sys.argv if word.startswith("--output_dir=")][0]\nprint(out)\nopen(out[13:] + "/o", "w")\n'))
        place.replace("TRAINSPACE.lua", "shared_dir", 'contract = "uai", shared_dir')
        self.assert_told(place.make("job:j").events("log")[0]["line"], "/places/data/output")
