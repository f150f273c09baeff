"""Jobs in containers of their own image: real runtimes, an image of busybox alone."""

import os
import shutil
import signal
import subprocess

from busybox_image import InBusybox
from story import BINARY, eventually


class InAContainer(InBusybox):
    def test_the_image_is_where_it_runs_and_the_output_comes_back(self):
        place = self.in_busybox('cat "$1" /data/again/a.txt; pwd; id -u; echo $OF; ls /; ip -o link | wc -l; echo out > "$TRAINMAKE_OUTPUT_DIR/o.txt"\n', 'args = { }, command = { "sh", code_dir "main.sh", data_dir "a.txt" }')
        place.ask("run", "--local", "--container", "job:j").exits(0)
        told = place.ask("logs", "job:j").exits(0).out.split()
        self.assertEqual(told[:5], ["aaa", "aaa", "/code", "0", "image"])
        self.assertEqual(told[-1], "1", "it has a network")
        self.assertNotIn("root", told)
        self.assertEqual(place.pull("job:j", "o.txt"), "out\n")
        self.assertEqual(place.path(".trainmake/runs").stat().st_uid, os.getuid())
        self.assert_nothing_ran(place.make("--container", "job:j"))
        (run,) = place.runs()
        self.assertEqual(place.path(f".trainmake/runs/{run['run']}/output").stat().st_uid, os.getuid())

    def test_a_link_that_it_leaves_leads_by_its_own_names(self):
        place = self.in_busybox('echo w > /checkpoint/w; mkdir /output/o.txt; cd /output/o.txt; echo a > a; ln -s /output/o.txt/a b; ln -s /checkpoint/w c\n')
        place.ask("--container", "job:j").exits(0)
        self.assertEqual([place.pull("job:j", f"o.txt/{name}") for name in "abc"], ["a\n", "a\n", "w\n"])

    def test_under_another_contract_its_links_lead_by_the_names_of_that_whoever_concludes_it(self):
        for conclude in (["attach", "job:j"], ["ps"]):
            with self.subTest(conclude=conclude):
                place = self.in_busybox("sleep 1; echo real > /data/output/a.txt; ln -s /data/output/a.txt /data/output/o.txt\n")
                place.ask("run", "--local", "--container", "--contract", "uai", "--no-wait", "job:j").exits(0)
                eventually(lambda: list(place.path(".trainmake/runs").glob("*/exit.json")), "it never ended")  # noqa: B023
                place.ask(*conclude).exits(0)
                self.assertEqual([run["status"] for run in place.runs()], ["succeeded"])
                self.assertEqual(place.pull("job:j", "o.txt"), "real\n")

    def test_what_it_left_is_not_given_up_while_its_contract_is_not_declared(self):
        place = self.in_busybox("sleep 1; echo real > /out/a.txt; ln -s /out/a.txt /out/o.txt\n")
        declared = 'contract "mine" { folders = { code = "/c", data = "/d", output = "/out" } }\n'
        place.write("TRAINSPACE.lua", declared)
        place.ask("run", "--local", "--container", "--contract", "mine", "--no-wait", "job:j").exits(0)
        place.write("TRAINSPACE.lua", "")
        self.assert_told(place.ask("attach", "job:j").exits(2), "its contract `mine` is not declared any more")
        place.write("TRAINSPACE.lua", declared)
        place.ask("attach", "job:j").exits(0)
        self.assertEqual(place.pull("job:j", "o.txt"), "real\n")

    def test_a_link_out_of_what_it_wrote_is_never_read_here(self):
        place = self.in_busybox("")
        place.write("secret", "of this machine\n")
        for target in (place.path("secret"), "../../../../secret"):
            place.write("code/main.sh", f"ln -s {target} /output/o.txt\n")
            self.assert_told(place.ask("--container", "job:j").exits(1), "output `o` (o.txt) cannot be kept: it leads to `/", "nothing that the job wrote")
        place.write("code/main.sh", f"sleep 0.3; ln -s {place.path('secret')} /output/o.txt\n")
        place.ask("--container", "--no-wait", "job:j").exits(0)
        self.assert_told(place.ask("attach", "job:j").exits(1), "cannot be kept: it leads to `/")
        self.assertEqual([run for run in place.runs() if run["status"] != "failed"], [])
        for path in place.path(".trainmake/blobs").rglob("*"):
            self.assertFalse(path.is_file() and b"of this machine" in path.read_bytes(), path)

    def test_it_is_another_result_than_that_of_a_process(self):
        place = self.in_busybox('echo out > "$TRAINMAKE_OUTPUT_DIR/o.txt"\n')
        self.assertEqual(place.make("job:j").finished["submitted"], 1)
        self.assertEqual(place.ask("plan", "--container", "job:j", "--json").exits(0).only["totals"]["jobs"], 1)
        self.assertEqual(place.make("job:j", "--container").finished["submitted"], 1)
        self.assert_nothing_ran(place.make("job:j", "--container"))
        place.write("TRAINSPACE.lua", 'platform "here" { type = "local", container = true, network = true }\n')
        self.assertEqual(place.make("job:j", "--platform", "here").finished["submitted"], 1)
        self.assertEqual(place.make("job:j").labels("reused"), ["//job:j"])

    def test_a_program_that_the_image_lacks_is_the_reason(self):
        place = self.in_busybox("", 'command = { "python3" }')
        self.assert_told(place.ask("--container", "job:j").exits(2), "The image has no program `python3` in its PATH")
        self.assertEqual(place.runs(), [])
        place.replace("TRAINFILE.lua", 'command = { "python3" }', "")
        place.write("code/main.sh", "#!/usr/bin/python3\n")
        self.assert_told(place.ask("--container", "job:j").exits(2), "The image has no `/usr/bin/python3`", "with which `main.sh` is run", "TRAINFILE.lua:5")
        self.assertEqual(place.runs(), [])

    def test_too_little_room_for_its_layers_is_told_before_they_are_unpacked(self):
        if os.getuid() != 0:
            self.skipTest("needs root, to have a small disk")
        place = self.in_busybox("echo out > /output/o.txt\n")
        small = place.path("small")
        small.mkdir()
        place.env["XDG_CACHE_HOME"] = str(small)
        answer = subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs -o size=512k tmpfs {small} && exec {BINARY} --container job:j"],
                                cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        self.assertEqual(answer.returncode, 1, answer.stderr)
        self.assert_told(answer.stderr, "There is no room for the image's layers, unpacked: at least", "512.0 KiB are free")
        self.assertEqual(place.runs(), [])

    def test_code_that_is_edited_meanwhile_changes_nothing(self):
        place = self.in_busybox('echo up; while ! test -e /checkpoint/go; do sleep 0.02; done; cat /code/other.txt; echo x > /output/o.txt\n', **{"code/other.txt": "before\n"})
        going = place.start("--container", "job:j", "--json").until('"up"')
        place.write("code/other.txt", "after\n")
        (folder,) = place.path(".trainmake/checkpoints").iterdir()
        (folder / "go").touch()
        going.end().exits(0)
        self.assert_told(place.ask("logs", "job:j").out, "before")

    def test_it_goes_on_without_its_client_and_is_told_from_one_that_failed(self):
        place = self.in_busybox('echo up; while ! test -e /checkpoint/go; do sleep 0.02; done; exit 3\n')
        place.start("--container", "job:j", "--json").until('"up"').kill().end()
        (run,) = place.ask("ps", "--json").exits(0).lines
        self.assertEqual(run["status"], "running")
        (folder,) = place.path(".trainmake/checkpoints").iterdir()
        (folder / "go").touch()
        self.assert_told(place.ask("attach", "job:j").exits(1), "exit code 3")

    def test_nothing_of_it_outlives_its_supervisor(self):
        place = self.in_busybox('echo up; sleep 314159\n')
        place.ask("--container", "--no-wait", "job:j").exits(0)
        (run,) = place.runs()
        eventually(lambda: "up" in place.ask("logs", run["run"]).out, "it never began")
        os.kill(int(place.read(f".trainmake/runs/{run['run']}/started").split()[0]), signal.SIGKILL)
        eventually(lambda: place.runs()[0]["status"] == "lost", "it was never lost")
        eventually(lambda: not subprocess.run(["pgrep", "-f", "sleep 314159"], capture_output=True, check=False).stdout, "it goes on")

    def test_what_it_leaves_running_ends_with_it(self):
        runtimes = [name for name in ("crun", "runc", "bwrap") if shutil.which(name, path="/usr/bin:/usr/sbin:/bin")]
        for runtime in runtimes:
            with self.subTest(runtime=runtime):
                place = self.in_busybox("sleep 271828 & echo main ends; echo out > /output/o.txt\n", "timeout = 20")
                place.write("TRAINSPACE.lua", f'platform "here" {{ type = "local", container = true, runtime = "{runtime.replace("bwrap", "bubblewrap")}" }}\n')
                place.ask("--platform", "here", "job:j").exits(0)
                self.assertEqual(place.ask("logs", "job:j").exits(0).out, "main ends\n")
                self.assertFalse(subprocess.run(["pgrep", "-f", "sleep 271828"], capture_output=True, check=False).stdout)

    def test_who_is_not_root_can_do_it_too(self):
        if os.getuid() != 0 or not shutil.which("setpriv"):
            self.skipTest("needs root, to be somebody else")
        place = self.in_busybox('id -u; ls -ln /output >/dev/null; echo out > /output/o.txt\n')
        for path in (place.root, place.home):
            subprocess.run(["chown", "-R", "12345:12345", str(path)], check=True)
        as_other = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", BINARY]
        done = subprocess.run([*as_other, "--container", "job:j"], cwd=place.root, env=place.env, capture_output=True, text=True, check=False)
        if "Namespaces cannot be made here" in done.stderr or "No container can be run here" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 0, done.stderr)
        (output,) = place.path(".trainmake/runs").glob("*/output")
        self.assertEqual(output.stat().st_uid, 12345)
