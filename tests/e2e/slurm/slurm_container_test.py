"""Jobs in containers of their own image on the nodes of a real Slurm: real runtimes, an image of busybox alone."""

import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time

from busybox_image import InBusybox
from fake_gpus import LOOK, add_driver, found
from slurm_test import OnSlurm
from story import BINARY, eventually


class InBusyboxOnSlurm(InBusybox, OnSlurm):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()  # skips where no container can be run
        cls.start_cluster()

    def in_busybox(self, script, job="", more="container = true", **files):
        return self.on_slurm(super().in_busybox(script, job, **files), more)

    def only_layers(self, place):
        """The unpacked layers, by their names."""
        return [path.name for path in place.path(f"shared/images-{os.getuid()}/layers").iterdir() if path.is_dir()]

    def assert_ends(self, command):
        eventually(lambda: not subprocess.run(["pgrep", "-f", command], capture_output=True, check=False).stdout, f"`{command}` goes on")


class InAContainer(InBusyboxOnSlurm):
    def test_the_image_is_where_it_runs_and_the_output_comes_back(self):
        place = self.in_busybox('cat "$1" /data/again/a.txt; pwd; echo $OF; ls /; (: >/data/x) 2>/dev/null || echo read-only; ip -o link | wc -l; echo out > "$TRAINMAKE_OUTPUT_DIR/o.txt"\n',
                                'command = { "sh", code_dir "main.sh", data_dir "a.txt" }')
        place.make("job:j")
        told = place.ask("logs", "job:j").exits(0).out.split()
        self.assertEqual(told[:4], ["aaa", "aaa", "/code", "image"])
        self.assertEqual(told[-2:], ["read-only", "1"], "it may write there, or has a network")
        self.assertNotIn("root", told)
        self.assertEqual(place.pull("job:j", "o.txt"), "out\n")
        for path in place.path("shared").rglob("output/*"):
            self.assertEqual(path.stat().st_uid, os.getuid())
        self.assert_nothing_ran(place.make("job:j"))

    def test_data_and_layers_that_were_purged_in_part_are_whole_again(self):
        place = self.in_busybox('cat /data/again/a.txt; busybox cat /code/other.txt; echo out > "$TRAINMAKE_OUTPUT_DIR/o.txt"\n', **{"code/other.txt": "other\n"})
        place.make("job:j")
        for path in [*place.path("shared/content").rglob("*"), *place.path("shared").glob("images-*/layers/*/code/other.txt")]:
            if path.is_file():
                path.unlink()
        self.assert_told(place.ask("job:j", "--force").exits(0), "placed again")
        self.assertEqual(place.ask("logs", "job:j").exits(0).out.split(), ["aaa", "other"])

    def test_a_link_out_of_what_it_wrote_is_never_read_here(self):
        place = self.in_busybox('ln -s /output/a /output/o.txt; echo own > /output/a\n')
        place.make("job:j")
        self.assertEqual(place.pull("job:j", "o.txt"), "own\n")
        place.write("secret", "of this machine\n")
        place.write("code/main.sh", f"ln -s {place.path('secret')} /output/o.txt\n")
        self.assert_told(place.ask("job:j").exits(1), "output `o` (o.txt) cannot be kept: it leads to `/", "nothing that the job wrote")

    def test_it_is_another_result_than_that_of_a_process(self):
        place = self.in_busybox('echo out > "$TRAINMAKE_OUTPUT_DIR/o.txt"\n', more="")
        self.assertEqual(place.make("job:j").finished["submitted"], 1)
        self.assertEqual(place.ask("plan", "--container", "job:j", "--json").exits(0).only["totals"]["jobs"], 1)
        self.assertEqual(place.make("--container", "job:j").finished["submitted"], 1)
        self.assert_nothing_ran(place.make("--container", "job:j"))
        self.assertEqual(place.make("job:j").labels("reused"), ["//job:j"])
        in_container, process = place.runs()
        self.assert_told(place.ask("show", in_container["run"]).exits(0).out, "in a container")
        self.assertNotIn("in a container", place.ask("show", process["run"]).exits(0).out)

    def test_paths_of_a_contract_hold(self):
        place = self.in_busybox('pwd; cat /data/data/again/a.txt; echo out > /data/output/o.txt\n', more='container = true, contract = "uai"')
        place.make("job:j")
        self.assertEqual(place.ask("logs", "job:j").exits(0).out.split(), ["/data", "aaa"])
        self.assertEqual(place.pull("job:j", "o.txt"), "out\n")

    def test_code_that_is_edited_meanwhile_changes_nothing(self):
        place = self.in_busybox('echo up; while ! test -e /checkpoint/go; do sleep 0.02; done; cat /code/other.txt; echo x > /output/o.txt\n', **{"code/other.txt": "before\n"})
        going = place.start("job:j", "--json").until('"up"')
        place.write("code/other.txt", "after\n")
        (folder,) = place.path("shared/checkpoints").glob("*/*")
        (folder / "go").touch()
        going.end().exits(0)
        self.assert_told(place.ask("logs", "job:j").out, "before")

    def test_it_goes_on_from_a_whole_checkpoint_or_does_not_begin(self):
        place = self.in_busybox('cat /checkpoint/step || { echo 1 >/checkpoint/step; exit 1; }\necho x > /output/o.txt\n')
        place.ask("job:j").exits(1)
        going = place.start("job:j", "--retry", "--json", env=self.wrapped_sbatch(place, 'real --hold "$@"'))
        number = eventually(lambda: len(place.runs()) == 2 and place.runs()[0]["job"], "no number")
        (folder,) = place.path("shared/checkpoints").glob(f"*/run-{place.runs()[0]['run']}")
        (folder / "step").unlink()
        self.slurm("scontrol", "release", number)
        self.assert_told(going.end().exits(1), "Not begun: ", "there are 0 files, 0 bytes in")
        self.assertNotIn("/checkpoint/step", place.ask("logs", "job:j").exits(0).out)
        place.ask("job:j", "--retry").exits(0)
        self.assertEqual(place.ask("logs", "job:j").exits(0).out, "1\n")

    def test_a_sweep_is_an_array_that_shares_one_copy_of_the_image(self):
        place = self.in_busybox("")
        place.append("TRAINFILE.lua", '''
            for n = 1, 3 do
              job("sweep-" .. n) { image = "image:i", params = { n = n }, command = { "sh", "-c", "echo $(($1 * 2)) >/output/o.txt", "sh", tostring(n) }, outputs = { o = "o.txt" } }
            end
        ''')
        self.assertEqual(place.make("job:sweep-*").finished["submitted"], 3)
        self.assertEqual([place.pull(f"job:sweep-{n}", "o.txt") for n in (1, 2, 3)], ["2\n", "4\n", "6\n"])
        self.assertEqual(len(self.only_layers(place)), 2)
        self.assertEqual(len(list(place.path("shared/programs").iterdir())), 1)

    def test_cancel_ends_all_that_runs_in_it(self):
        place = self.in_busybox("echo up; sleep 314161 & sleep 314161\n")
        going = place.start("job:j", "--json").until('"up"')
        place.ask("cancel", "job:j").exits(0)
        self.assertNotEqual(going.end().code, 0)
        self.assertEqual([run["status"] for run in place.runs()], ["cancelled"])
        self.assert_ends("sleep 314161")

    def test_how_it_ended_is_told(self):
        place = self.in_busybox("kill -9 $$\n")
        self.assert_told(place.ask("job:j").exits(1), "killed by signal 9")
        place.write("code/main.sh", "exit 3\n")
        self.assert_told(place.ask("job:j").exits(1), "exit code 3")
        place.replace("TRAINFILE.lua", 'outputs = { o = "o.txt" }', 'outputs = { o = "o.txt" }, command = { "python3" }')
        self.assert_told(place.ask("job:j").exits(2), "The image has no program `python3` in its PATH")

    def test_what_it_leaves_running_ends_with_it(self):
        place = self.in_busybox("sleep 60 & echo main ends; echo out > /output/o.txt\n")
        began = time.monotonic()
        place.ask("job:j").exits(0)
        self.assertLess(time.monotonic() - began, 40)
        self.assertEqual(place.ask("logs", "job:j").exits(0).out, "main ends\n")

    def test_a_secret_lies_nowhere_afterwards(self):
        place = self.in_busybox('cat /run/secrets/TOKEN | wc -c; echo "it is $TOKEN"; echo up; while ! test -e /checkpoint/go; do sleep 0.02; done; echo x > /output/o.txt\n', 'secrets = { "TOKEN" }')
        going = place.start("job:j", "--json", env={"TOKEN": "open sesame"}).until('"up"')
        for top in (place.path("shared"), self.cluster.folder, pathlib.Path(f"/tmp/trainmake-{os.getuid()}")):
            for path in top.rglob("*"):
                if path.is_file():
                    self.assertNotIn(b"open sesame", path.read_bytes(), path)
        (folder,) = place.path("shared/checkpoints").glob("*/*")
        (folder / "go").touch()
        self.assert_told(going.end().exits(0), "it is ***")
        self.assertEqual(place.ask("logs", "job:j").out.split()[0], "11")

    def test_it_is_repeated_in_the_image_that_it_had(self):
        place = self.in_busybox('echo "$OF"; echo "$OF" >/output/o.txt\n')
        place.make("job:j")
        (original,) = [run["run"] for run in place.runs()]
        place.replace("TRAINFILE.lua", 'OF = "image"', 'OF = "another"')
        place.make("job:j")
        told = place.ask("repro", original, "--json").exits(0).lines[-1]
        self.assertTrue(told["same"])
        self.assertEqual(place.ask("logs", told["run"]).exits(0).out, "image\n")

    def test_a_preflight_has_the_network_that_it_has(self):
        place = self.in_busybox('test "$(ip -o link | wc -l)" -gt 1 && echo out >/output/o.txt\n', "preflight = { steps = 1 }", "container = true, network = true")
        place.make("job:j")

    def test_a_preflight_is_started_by_what_starts_it(self):
        place = self.in_busybox("echo out >/output/o.txt\n", "preflight = { steps = 1 }", 'container = true, runtime = "apptainer"')
        if shutil.which("apptainer"):
            self.skipTest("there is an apptainer, so that nothing is amiss")
        self.assert_told(place.ask("job:j"), "apptainer")
        self.assertEqual(place.runs(), [])

    def test_a_preflight_is_in_the_image_too(self):
        place = self.in_busybox('echo "$TRAINMAKE_PREFLIGHT_STEPS of $OF"; [ "$OF" = image ] && [ ! -e /usr ] && cat /data/a.txt && echo out >/output/o.txt\n', "preflight = { steps = 1 }")
        place.make("job:j")
        place.replace("code/main.sh", "[ ", '[ -z "$TRAINMAKE_PREFLIGHT_STEPS" ] && [ ')
        self.assert_told(place.ask("job:j").exits(1), "Preflight of `job:j` failed: exit code 1", "1 of image")
        place.replace("TRAINFILE.lua", "preflight", 'distribution = "torchrun", preflight')
        self.assert_told(place.ask("job:j").exits(1), "Preflight of `job:j` failed: process `0`: exit code 1", "1 of image")

    def test_who_is_not_root_can_do_it_too(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root, to be somebody else")
        place = self.in_busybox("id -u; cat /data/a.txt; echo out >/output/o.txt\n")
        nobody = pwd.getpwnam("nobody")  # whom Slurm has to know
        for path in (place.root, place.home):
            subprocess.run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", str(path)], check=True)
        as_other = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", BINARY]
        done = subprocess.run([*as_other, "job:j"], cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        if "Namespaces cannot be made here" in done.stderr or "No container can be run here" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_told(done.stderr, "| 0\n", "| aaa\n")
        (output,) = place.path("shared/runs").glob("*/*/output/o.txt")
        self.assertEqual(output.stat().st_uid, nobody.pw_uid)

    def test_what_cannot_be_done_is_told_before_anything_is(self):
        place = self.in_busybox("", 'distribution = "mpi"')
        self.assert_told(place.ask("job:j").exits(2), "Processes of MPI are not told of each other in containers yet", "TRAINFILE.lua:5")
        place.replace("TRAINFILE.lua", 'distribution = "mpi"', "")
        place.path("shared").rename(place.path("gone"))
        self.assert_told(place.ask("job:j").exits(2), "There is no folder", "shared_dir")
        self.assertFalse(place.path("shared").exists())


class WithGpus(InBusyboxOnSlurm):
    def setUp(self):
        if os.getuid() != 0:
            self.skipTest("needs root, to make what Slurm takes for gpus")
        super().setUp()

    def test_a_job_sees_those_that_slurm_gives_it(self):
        more = 'container = true, cdi = "cdi", extra = { nodelist = "n1" }'
        place = self.in_busybox("cat /dev/nvidia[0-9]; echo up; while ! test -e /checkpoint/go; do sleep 0.02; done; echo out >/output/o.txt\n", "resources = { gpus = 1 }", more=more)
        add_driver(place, 2)
        going = place.start("job:j", "--json").until('"up"')
        place.write("code/main.sh", LOOK)
        other = self.in_busybox(LOOK, "resources = { gpus = 1 }", more=more.replace('"cdi"', f'"{place.path("cdi")}"'))
        other.make("job:j")
        self.assertEqual(other.ask("logs", "job:j").out, found(1))
        (folder,) = place.path("shared/checkpoints").glob("*/*")
        (folder / "go").touch()
        going.end().exits(0)
        self.assertEqual(place.ask("logs", "job:j").out.split("\n")[0], "gpu 0")

    def test_each_process_sees_those_of_its_node(self):
        place = self.in_busybox('mkdir -p /output/o.txt; echo "$(ls /dev | grep -c nvidia[0-9]) $CUDA_VISIBLE_DEVICES" >/output/o.txt/$RANK\n', 'distribution = "torchrun", resources = { nodes = 2, gpus = 2 }', more='container = true, cdi = "cdi"')
        add_driver(place, 2)
        place.make("job:j")
        self.assertEqual([place.pull("job:j", f"o.txt/{rank}") for rank in range(4)], ["2 0,1\n"] * 4)


class OnTwoNodes(InBusyboxOnSlurm):
    def test_each_has_a_container_and_the_network_of_its_node(self):
        place = self.in_busybox('mkdir -p /output/o.txt; echo "$RANK of $WORLD_SIZE at $NODE_RANK: $MASTER_ADDR ${MASTER_PORT:+port} $OF $(cat /proc/sys/kernel/hostname) $(ip -o link | wc -l)" >/output/o.txt/$RANK\n', "resources = { nodes = 2 }")
        place.make("job:j")
        links = len(os.listdir("/sys/class/net"))
        for rank in range(2):
            self.assertEqual(place.pull("job:j", f"o.txt/{rank}"), f"{rank} of 2 at {rank}: n1 port image {socket.gethostname()} {links}\n")

    def test_parameter_servers_end_with_the_last_worker(self):
        place = self.in_busybox('for word; do last=$word; case $word in --job_name=*) name=${word#*=} ;; esac; done\n[ "$name" = ps ] && exec sleep 314162\necho "$last" >>/output/o.txt\n', 'distribution = "ps_worker", resources = { nodes = 2 }')
        place.make("job:j")
        self.assertEqual(sorted(place.pull("job:j", "o.txt").split()), ["--task_index=0", "--task_index=1"])
        self.assert_ends("sleep 314162")

    def test_when_one_fails_the_others_end(self):
        place = self.in_busybox('[ "$RANK" = 1 ] && exit 7\nexec sleep 314163\n', "resources = { nodes = 2 }")
        self.assert_told(place.ask("job:j").exits(1), "exit code")
        self.assert_ends("sleep 314163")
