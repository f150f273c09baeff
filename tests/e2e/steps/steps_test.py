"""`run` steps of images, in real containers of busybox. Skipped, saying why, where no container can be run."""

import gzip
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

from registries import registry, unpacked
from story import BINARY, Place, Story

BUSYBOX = "/bin/busybox"
LINKS = ("sh", "cat", "chmod", "chown", "echo", "grep", "head", "id", "ip", "ls", "cp", "mkdir", "printf", "rm", "sleep", "tr", "wc")
FILE = '''
image "busy" {{ base = "scratch", files = {{ {{ srcs = glob "root/**", dest = "/" }} }} }}
image "i" {{ base = "image:busy", run = {{ {run} }} {more} }}
'''
SECRET = "hunter2-hunter2"


def lua(commands):
    return ", ".join(f"[[{command}]]" for command in commands)


def containers():
    """Why no container can be run here; "" when one can."""
    if not os.path.exists(BUSYBOX):
        return "there is no busybox-static: sh tests/deps.sh test"
    place = Place()
    try:
        (found,) = [line for line in place.ask("doctor", "--json").lines if line["check"] == "containers"]
    finally:
        place.close()
    return "" if found["ok"] else found["detail"]


class StepStory(Story):
    @classmethod
    def setUpClass(cls):
        if why := containers():
            raise cls.skipTest(cls, why)

    def project(self, *run, more="", **files):
        place = self.place({"TRAINFILE.lua": FILE.format(run=lua(run), more=more), "root/etc/motd": "hello\n", **files})
        shutil.copy(BUSYBOX, place.path("root/") / "busybox")
        place.path("root/bin").mkdir()
        place.rename("root/busybox", "root/bin/busybox")
        for name in LINKS:
            place.path(f"root/bin/{name}").symlink_to("busybox")
        return place

    def steps_of(self, place, *run, more=""):
        place.write("TRAINFILE.lua", FILE.format(run=lua(run), more=more))

    def said(self, answer):
        return [line["line"] for line in answer.events("log")]

    def root_of(self, place, name="i"):
        folder = tempfile.mkdtemp(dir=place.home)
        return unpacked(f"oci:{place.path('.trainmake/images')}:{name}:latest", folder)

    def layers(self, answer):
        return answer.finished["pushed"]["layers"]


class Steps(StepStory):
    def test_each_is_a_layer_on_the_one_before(self):
        place = self.project("echo one > /one", "cat /one /one > /two")
        self.assertEqual(self.layers(place.make("image:busy")), 1)
        self.assertEqual(place.plan("image:i")["totals"]["layers"], 2)
        self.assertEqual(self.layers(place.make("image:i")), 2)
        root = self.root_of(place)
        self.assertEqual(((root / "one").read_text(), (root / "two").read_text()), ("one\n", "one\none\n"))
        self.assertEqual((root / "etc/motd").read_text(), "hello\n")
        self.assert_nothing_ran(place.make("image:i"))

    def test_an_edited_second_step_runs_alone(self):
        place = self.project("echo first; echo 1 > /one", "echo second; echo 2 > /two")
        self.assertEqual(self.said(place.make("image:i")), ["first", "second"])
        self.steps_of(place, "echo first; echo 1 > /one", "echo other; echo 3 > /two")
        self.assertEqual(place.plan("image:i")["totals"]["layers"], 1)
        answer = place.make("image:i")
        self.assertEqual((self.said(answer), self.layers(answer)), (["other"], 1))
        self.steps_of(place, "echo again; echo 1 > /one", "echo other; echo 3 > /two")
        self.assertEqual(self.said(place.make("image:i")), ["again"])  # the same layer as before: what is on it holds

    def test_one_that_changes_nothing_leaves_no_layer(self):
        place = self.project("ls / >/dev/null; mkdir /tmp/x; rm -r /tmp/x", "echo 1 > /one")
        place.make("image:busy")
        self.assertEqual(self.layers(place.make("image:i")), 1)
        self.steps_of(place, "ls / >/dev/null; mkdir /tmp/x; rm -r /tmp/x", "echo 2 > /one")
        self.assertEqual(self.layers(place.make("image:i")), 1)

    def test_what_one_removes_is_gone_for_other_readers(self):
        place = self.project("rm /etc/motd /bin/wc; rm -r /etc; mkdir /etc; echo new > /etc/new")
        place.make("image:i")
        root = self.root_of(place)
        self.assertFalse((root / "bin/wc").is_symlink())
        self.assertEqual(sorted(path.name for path in (root / "etc").iterdir()), ["new"])

    def test_the_machine_is_in_no_layer(self):
        place = self.project("mkdir -p /opt; echo 1 > /opt/x; echo 1 > /run/x; echo 1 > /dev/shm/x", more=", network = true")
        place.make("image:i")
        self.assertEqual(sorted(path.name for path in self.root_of(place).iterdir()), ["bin", "etc", "opt"])
        self.assertEqual(sorted(path.name for path in (self.root_of(place) / "etc").iterdir()), ["motd"])

    def test_there_is_no_network_unless_asked(self):
        place = self.project("ip -o link | wc -l")
        self.assertEqual(self.said(place.make("image:i")), ["1"])
        self.steps_of(place, "ls /sys/class/net >/dev/null; ip -o link | wc -l", more=", network = true")
        interfaces = len(pathlib.Path("/proc/net/dev").read_text().splitlines()) - 2
        self.assertEqual(self.said(place.make("image:i")), [str(interfaces)])

    def test_inputs_are_read_and_not_kept(self):
        place = self.project("cat names.txt sub/more.txt > /sorted", more=', inputs = { "names.txt", "sub/more.txt" }', **{"names.txt": "a\n", "sub/more.txt": "b\n"})
        place.make("image:i")
        root = self.root_of(place)
        self.assertEqual((root / "sorted").read_text(), "a\nb\n")
        self.assertFalse((root / "names.txt").exists() or (root / "sub").exists())
        place.touch("names.txt")
        self.assert_nothing_ran(place.make("image:i"))
        place.write("names.txt", "c\n")
        self.assertEqual(place.why("image:i"), [("input_changed", "names.txt")])
        self.assertEqual(self.layers(place.make("image:i")), 1)

    def test_inputs_never_hide_a_folder_of_the_base(self):
        place = self.project("true", more=', inputs = { "etc/names.txt" }', **{"etc/names.txt": "a\n"})
        self.assert_told(place.ask("image:i").exits(2).err, "TRAINFILE.lua:3", "`inputs` would hide the base's folder `/etc`")

    def test_one_that_wants_the_network_is_told_how_to_have_it(self):
        for said in ("could not resolve host: pypi", "<urlopen error [Errno -3] Temporary failure in name resolution>",
                     "Could not find any downloads that satisfy the requirement nltk", "ERROR: No matching distribution found for nltk",
                     "wget: bad address 'pypi'"):
            with self.subTest(said=said):
                place = self.project(f"echo \"{said}\" >&2; exit 1")
                self.assert_told(place.ask("image:i").exits(1).err, "`network = true` gives it one")

    def test_names_that_are_no_utf8_are_kept(self):
        place = self.project("echo 1 > /$(printf 'a\\377b')", "echo 2 > /two")
        self.assertEqual(self.layers(place.make("image:i")), 3)
        self.assertEqual((self.root_of(place) / os.fsdecode(b"a\xffb")).read_text(), "1\n")
        self.assert_told(place.ask("image", "check", "image:i").exits(0), "fine")

    def test_folders_of_a_base_stay_as_they_are_below_files(self):
        place = self.project("mkdir -p /home/me /srv/deep; chmod 700 /home/me; chown 7:7 /home/me; chmod 1777 /srv/deep")
        place.write("w/a", "1\n")
        place.append("TRAINFILE.lua", 'image "j" { base = "image:i", files = { { srcs = glob "w/**", dest = "/home/me/w" } } }\nimage "k" { base = "image:j", run = { "ls -ldn /home/me > /seen" } }\n')
        place.make("image:k")
        owner = "7" if os.getuid() == 0 else "0"
        self.assertEqual((self.root_of(place, "k") / "seen").read_text().split()[:3:2], ["drwx------", owner])

    def test_one_that_two_images_share_runs_once(self):
        place = self.project("head -c 20 /dev/urandom > /noise; echo ran")
        place.append("TRAINFILE.lua", 'image "j" { base = "image:busy", run = { [[head -c 20 /dev/urandom > /noise; echo ran]] }, user = "7" }\n')
        for words in ((), ("--force",)):
            answer = place.ask("image:i", "image:j", "--json", *words).exits(0)
            self.assertEqual(self.said(answer), ["ran"])
        self.assertEqual((self.root_of(place) / "noise").read_bytes(), (self.root_of(place, "j") / "noise").read_bytes())

    def test_forced_images_that_share_layers_wait_for_nobody(self):
        place = self.project("true")
        for name in ("x", "e"):
            place.write(f"{name}.bin", os.urandom(3_000_000))
        layer = '{{ srcs = {{ "{0}.bin" }}, dest = "/{0}" }}'
        for name, order in (("a", "xe"), ("b", "ex")):
            files = ", ".join(layer.format(each) for each in order)
            place.append("TRAINFILE.lua", f'image "{name}" {{ base = "image:busy", files = {{ {files} }} }}\nimage "i{name}" {{ base = "image:{name}", run = {{ "echo 1 > /1", "echo 2 > /2" }} }}\n')
        place.ask("image:ia", "image:ib").exits(0)
        for _ in range(3):
            place.ask("--force", "image:ia", "image:ib").exits(0)

    def test_a_damaged_base_is_told_and_nothing_is_made_of_it(self):
        place = self.project("cat /etc/motd > /seen")
        place.make("image:i")
        layers = place.home / ".cache/trainmake" / ("layers" if os.getuid() == 0 else "layers-user")
        (busy,) = [path for path in layers.iterdir() if (path / "etc/motd").exists()]
        (busy / "etc/motd").write_text("TAMPERED\n")
        blob = max(place.path(".trainmake/images/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
        content = bytearray(blob.read_bytes())
        content[len(content) // 2] ^= 255
        blob.chmod(0o644)
        blob.write_bytes(content)
        told = place.ask("--force", "image:i")
        self.assertNotIn("TAMPERED", told.text)
        place.ask("--force", "image:busy", "image:i").exits(0)
        self.assertEqual((self.root_of(place) / "seen").read_text(), "hello\n")

    def test_one_that_fails_quotes_what_it_said_and_records_nothing(self):
        place = self.project("echo fine > /one", "echo about to fail; echo it broke >&2; exit 3")
        answer = place.ask("image:i", "--json").exits(1)
        self.assert_told(answer.messages, "about to fail", "it broke", "exit code 3")
        self.assertNotIn("network", answer.text)
        self.assertEqual(answer.events("error")[0]["line"], 3)
        self.assertEqual(answer.labels("failed"), ["//image:i"])
        self.assert_told(place.ask("image:i").exits(1), "it broke")
        self.steps_of(place, "echo fine > /one", "echo better")
        self.assertEqual(self.said(place.make("image:i")), ["better"])

    def test_a_base_without_a_shell_is_told(self):
        place = self.project("true")
        shutil.rmtree(place.path("root/bin"))
        self.assert_told(place.ask("image:i").exits(1), "The image has no `/bin/sh`", "TRAINFILE.lua:3")
        place.replace("TRAINFILE.lua", "image:busy", "scratch")
        self.assert_told(place.ask("image:i").exits(2), "`scratch` has nothing that `run` could run")

    def test_ctrl_c_leaves_nothing_running(self):
        mark = "31415926"
        place = self.project(f"echo up; sleep {mark} & sleep {mark}")
        self.assertEqual(place.start("image:i", "--json").until('"up"').interrupt().end().code, 130)
        for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.assertNotIn(mark, process.read_text())
            except OSError:
                pass  # it ended meanwhile
        self.assertEqual(list(place.path(".trainmake/steps").iterdir()), [])
        self.assertNotIn(str(place.root), pathlib.Path("/proc/mounts").read_text())

    def test_the_layers_of_a_base_come_from_its_registry(self):
        with registry() as port:
            place = self.project("cat /etc/motd")
            place.write("TRAINSPACE.lua", f'registry "hub" {{ url = "127.0.0.1:{port}" }}\ndefault_registry "hub"\n')
            place.make("image:busy")
            other = self.place({"TRAINFILE.lua": f'image "i" {{ base = "127.0.0.1:{port}/busy", run = {{ "cat /etc/motd; echo 1 > /one" }} }}'})
            self.assertEqual(self.said(other.make("image:i")), ["hello"])
            self.assertEqual((self.root_of(other) / "one").read_text(), "1\n")


    def test_a_layer_that_occurs_twice_is_no_trouble(self):
        place = self.project("cat /etc/motd; echo 1 > /one")
        twice = '{ srcs = glob "root/**", dest = "/" }'
        place.replace("TRAINFILE.lua", f"files = {{ {twice} }}", f"files = {{ {twice}, {twice} }}")
        self.assertEqual(self.said(place.make("image:i")), ["hello"])
        self.assertEqual((self.root_of(place) / "one").read_text(), "1\n")

    def test_whose_umask_and_folder_it_is_does_not_matter(self):
        made = []
        for umask in (0o022, 0o077):
            place = self.project("echo 1 > x; echo 2 > /tmp/y; mkdir -p /opt/z; echo 3 > /opt/z/w")
            place.replace("TRAINFILE.lua", 'image "busy" {', 'image "busy" { workdir = "/srv/app",')
            if umask == 0o077 and os.getuid() == 0:
                os.chown(place.root, 0, 12345)
                place.root.chmod(0o2775)
            before = os.umask(umask)
            try:
                place.make("image:i")
            finally:
                os.umask(before)
            made.append({path.name for path in place.path(".trainmake/images/blobs/sha256").iterdir()})
            (folder,) = {path.parent for path in (self.root_of(place) / "tmp").glob("y")}
            self.assertEqual(folder.stat().st_mode & 0o7777, 0o1777)
        self.assertEqual(*made)

    def test_what_inputs_are_like_is_nobodys_umask(self):
        layers = set()
        for umask in (0o022, 0o077, 0o000):
            place = self.project("cp -a tools /opt", more=', inputs = glob "tools/**"', **{"tools/deep/t": "1\n"})
            before = os.umask(umask)
            self.addCleanup(os.umask, before)
            place.make("image:i")
            os.umask(before)
            entries = json.loads(place.read(".trainmake/images/index.json"))["manifests"]
            layers.update(entry["digest"] for entry in entries if entry["annotations"]["org.opencontainers.image.ref.name"] == "i:latest")
        self.assertEqual(len(layers), 1)

    def test_a_name_that_deletes_is_refused(self):
        place = self.project("echo 1 > /etc/.wh.motd")
        self.assert_told(place.ask("image:i").exits(1).err, "The step made `/etc/.wh.motd`", "`.wh.`")

    def test_a_damaged_copy_of_a_base_is_fetched_again(self):
        with registry() as port:
            place = self.project("cat /etc/motd")
            place.write("TRAINSPACE.lua", f'registry "hub" {{ url = "127.0.0.1:{port}" }}\ndefault_registry "hub"\n')
            place.make("image:busy")
            other = self.place({"TRAINFILE.lua": f'image "i" {{ base = "127.0.0.1:{port}/busy", run = {{ "cat /etc/motd" }} }}'})
            other.make("image:i")
            (largest,) = sorted(other.path(".trainmake/images/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)[-1:]
            content = bytearray(largest.read_bytes())
            content[len(content) // 2] ^= 1
            largest.write_bytes(content)
            shutil.rmtree(other.home / ".cache/trainmake")
            other.replace("TRAINFILE.lua", "cat /etc/motd", "cat /etc/motd /etc/motd")
            self.assertEqual(self.said(other.make("image:i")), ["hello", "hello"])


class Secrets(StepStory):
    def blobs(self, place):
        for path in place.path(".trainmake/images/blobs/sha256").iterdir():
            content = path.read_bytes()
            yield gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content

    def test_they_are_there_for_the_step_alone(self):
        place = self.project("cat /run/secrets/TOKEN | wc -c; echo it is $TOKEN; echo $TOKEN | tr a-z A-Z > /upper", more=', secrets = { "TOKEN" }')
        answer = place.ask("image:i", "--json", env={"TOKEN": SECRET}).exits(0)
        self.assertEqual(self.said(answer), [str(len(SECRET)), "it is ***"])
        self.assertEqual((self.root_of(place) / "upper").read_text(), SECRET.upper() + "\n")
        self.assertFalse([blob for blob in self.blobs(place) if SECRET.encode() in blob])
        self.assertEqual(subprocess.run(["grep", "-rl", SECRET, place.root, place.home], capture_output=True, text=True, check=False).stdout, "")

    def test_one_that_is_left_in_a_file_is_an_error(self):
        place = self.project("mkdir -p /etc; echo token $TOKEN > /etc/pip.conf", more=', secrets = { "TOKEN" }')
        answer = place.ask("image:i", env={"TOKEN": SECRET}).exits(1)
        self.assert_told(answer, "The value of secret `TOKEN` stands in `/etc/pip.conf`")
        self.assertNotIn(SECRET, answer.text)
        self.assertFalse([blob for blob in self.blobs(place) if SECRET.encode() in blob])

    def test_one_that_is_too_short_to_be_looked_for_is_told(self):
        place = self.project("echo ran", more=', secrets = { "PIN" }')
        self.assert_told(place.ask("image:i", env={"PIN": "4711"}).exits(0), "Too short to be looked for", "`PIN`")

    def test_one_that_is_not_set_is_told_before_anything_runs(self):
        place = self.project("echo ran", more=', secrets = { "TOKEN" }')
        answer = place.ask("image:i", "--json").exits(2)
        self.assert_told(answer.messages, "Secret `TOKEN`", "is not set")
        self.assertEqual(self.said(answer), [])

    def test_one_that_is_not_set_is_told_before_anything_is_sent(self):
        place = self.project("echo 1 > /one", more=', secrets = { "TOKEN" }', **{"TRAINSPACE.lua": 'store "b" { url = "dir:bucket" }\ndefault_store "b"\n'})
        place.append("TRAINFILE.lua", 'data "d" { files = { "TRAINSPACE.lua" } }\n')
        place.make("image:busy")
        answer = place.ask("data:d", "image:i", "--json").exits(2)
        self.assert_told(answer.messages, "Secret `TOKEN` of `image:i` is not set")
        self.assertEqual((answer.ran, place.objects()), ([], []))
        place.plan("image:i")

    def test_one_that_no_step_needs_any_more_may_be_unset(self):
        place = self.project("echo 1 > /one", more=', secrets = { "TOKEN" }')
        place.ask("image:i", env={"TOKEN": SECRET}).exits(0)
        place.replace("TRAINFILE.lua", 'secrets = { "TOKEN" }', 'secrets = { "TOKEN" }, user = "7"')
        self.assertEqual(place.make("image:i").ran, ["//image:i"])

    def test_one_more_is_another_step_and_what_is_no_utf8_is_refused(self):
        place = self.project("echo $TOKEN | wc -c > /counted")
        place.make("image:i")
        self.steps_of(place, "echo $TOKEN | wc -c > /counted", more=', secrets = { "TOKEN" }')
        self.assert_told(place.ask("image:i", env={"TOKEN": os.fsdecode(b"gr\xfcn-" + SECRET.encode())}).exits(2).err, "The value of secret `TOKEN` is no UTF-8")
        place.ask("image:i", env={"TOKEN": SECRET}).exits(0)
        self.assertEqual((self.root_of(place) / "counted").read_text().strip(), str(len(SECRET) + 1))

    def test_another_value_runs_nothing(self):
        place = self.project("echo 1 > /one", more=', secrets = { "TOKEN" }')
        place.ask("image:i", env={"TOKEN": SECRET}).exits(0)
        self.assert_nothing_ran(place.ask("image:i", "--json", env={"TOKEN": "another one"}).exits(0))


class Unprivileged(StepStory):
    def test_nobody_needs_to_be_root(self):
        if os.getuid() != 0:
            self.skipTest("this is no root already: the other stories tell it")
        place = self.project("id -u; echo 1 > /one; rm /etc/motd")
        shutil.copy(BINARY, place.home / "trainmake")
        for folder in (place.root, place.home):
            subprocess.run(["chown", "-R", "12345:12345", folder], check=True)

        def ask(*words):
            return subprocess.run(["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", place.home / "trainmake", *words], cwd=place.root,
                                  env=place.env, capture_output=True, text=True, check=False)

        if '"containers","ok":true' not in ask("doctor", "--json").stdout:
            self.skipTest(f"containers need root here: {ask('doctor').stdout}")
        done = ask("image:i")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        root = self.root_of(place)
        self.assertEqual((root / "one").read_text(), "1\n")
        self.assertFalse((root / "etc/motd").exists())


class Shared(StepStory):
    def test_layers_are_unpacked_once_for_all_workspaces(self):
        place = self.project("true")
        place.make("image:i")
        layers = place.home / ".cache/trainmake" / ("layers" if os.getuid() == 0 else "layers-user")
        self.assertEqual(layers.stat().st_mode & 0o777, 0o700, "programs that run as somebody else lie there")
        (unpacked_once,) = [path for path in layers.iterdir() if path.is_dir()]
        when = unpacked_once.stat().st_ctime_ns
        other = place.clone(with_state=True)
        self.addCleanup(other.close)
        shutil.rmtree(other.path(".trainmake"))
        other.make("image:i")
        self.assertEqual(unpacked_once.stat().st_ctime_ns, when)

    def test_damaged_ones_heal(self):
        place = self.project("echo 1")
        place.make("image:i")
        layers = place.home / ".cache/trainmake" / ("layers" if os.getuid() == 0 else "layers-user")
        (layer,) = [path for path in layers.iterdir() if path.is_dir()]
        shutil.rmtree(layer)
        layer.write_text("rubbish")
        self.steps_of(place, "echo 2")
        self.assertEqual(self.said(place.make("image:i")), ["2"])
        shutil.rmtree(layer / "bin")
        self.steps_of(place, "echo 3")
        self.assert_told(place.ask("image:i").exits(1).err, "has no `/bin/sh`", "`--force`")
        self.assertEqual(self.said(place.ask("image:i", "--force", "--json").exits(0)), ["3"])

    def test_gc_removes_those_that_nobody_used_for_long(self):
        place = self.project("true")
        place.make("image:i")
        layers = place.home / ".cache/trainmake" / ("layers" if os.getuid() == 0 else "layers-user")
        self.assertEqual(place.ask("gc", "--json").exits(0).only["removed"]["unpacked"], 0)
        (used,) = layers.glob("*.used")
        os.utime(used, (0, 0))
        self.assert_told(place.ask("gc").exits(0), "1 unpacked layer")
        self.assertEqual([path for path in layers.iterdir() if path.is_dir()], [])
