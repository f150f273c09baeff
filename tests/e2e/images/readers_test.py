"""What other tools read of our images, and what we read of theirs."""

import pathlib
import shutil
import subprocess
import tempfile

import container_run
from registries import inspect, program, registry
from story import Story

FILE = '''code "c" {{ srcs = glob "code/**", main = "a.py" }}
image "top" {{ code = "code:c", base = "{base}", env = {{ MODE = "x" }}, workdir = "/code" }}
'''
SPACE = 'registry "hub" {{ url = "127.0.0.1:{port}/team" }}\ndefault_registry "hub"\n'


class Buildah:
    """One with a storage of its own."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        return self

    def __exit__(self, *trouble):
        shutil.rmtree(self.folder, ignore_errors=True)

    def ask(self, *words, cwd=None):
        storage = ["--storage-driver", "vfs", "--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]
        done = subprocess.run([program("buildah"), *storage, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=cwd, check=False)
        assert done.returncode == 0, f"buildah {' '.join(words)}: {done.stderr}"
        return done.stdout.strip()

    def root_of(self, source, cwd=None):
        """The root folder of an image, given as skopeo names it; from `cwd`, since not every path can be part of a name."""
        return pathlib.Path(self.ask("mount", self.ask("from", "--pull-always", "--tls-verify=false", source, cwd=cwd)))

    def push(self, port, name, *more):
        """An image of one file, as it makes them."""
        container = self.ask("from", "scratch")
        (self.folder / "hello").write_text("from below\n")
        self.ask("copy", container, str(self.folder / "hello"), "/etc/hello")
        self.ask("config", "--env", "BELOW=1", "--cmd", "/bin/sh", container)
        self.ask("commit", "--quiet", *more, container, name)
        self.ask("push", "--quiet", "--tls-verify=false", *more, name, f"docker://127.0.0.1:{port}/{name}")


class Readers(Story):
    def project(self, port, base="scratch"):
        space = {"TRAINSPACE.lua": SPACE.format(port=port)} if port else {}
        return self.place({"TRAINFILE.lua": FILE.format(base=base), "code/a.py": "print(1)\n", **space})

    def test_buildah_reads_what_is_pushed_and_exported(self):
        with registry() as port, Buildah() as buildah:
            self.project(port).make("image:top")
            place = self.project(None)
            place.make("image:top")
            for to in ("top.tar", "out/"):
                place.ask("image", "export", "image:top", "--to", to).exits(0)
            for source in (f"docker://127.0.0.1:{port}/team/top", f"oci-archive:{place.path('top.tar')}", f"docker-archive:{place.path('top.tar')}",
                           "oci:out:top:latest"):
                self.assertEqual((buildah.root_of(source, cwd=place.path()) / "code/a.py").read_text(), "print(1)\n", source)

    def check_base(self, port, name, buildah):
        """An image on that base is sound, and holds what both brought."""
        place = self.project(port, base=f"127.0.0.1:{port}/{name}")
        place.make("image:top")
        self.assertEqual(place.ask("image", "check", "image:top", f"127.0.0.1:{port}/{name}", "--json").exits(0).lines[0]["layers"], 2)
        config = inspect(port, "team/top", "--config")
        self.assertEqual((config["config"]["Env"][-2:], config["config"]["Cmd"]), (["BELOW=1", "MODE=x"], ["/bin/sh"]))
        root = buildah.root_of(f"docker://127.0.0.1:{port}/team/top")
        self.assertEqual(((root / "etc/hello").read_text(), (root / "code/a.py").read_text()), ("from below\n", "print(1)\n"))

    def test_we_build_on_what_buildah_pushes(self):
        with registry() as port, Buildah() as buildah:
            for kind in ("docker", "oci"):
                buildah.push(port, f"{kind}-base", "--format", kind)
                self.check_base(port, f"{kind}-base", buildah)

    def test_we_build_on_zstd_and_on_what_skopeo_converts(self):
        with registry() as port, Buildah() as buildah:
            buildah.push(port, "first", "--format", "oci")
            for name, more in (("packed", ["--format", "oci", "--dest-compress-format", "zstd"]), ("older", ["--format", "v2s2"])):
                subprocess.run([program("skopeo"), "copy", "-q", "--src-tls-verify=false", "--dest-tls-verify=false", *more, f"docker://127.0.0.1:{port}/first",
                                f"docker://127.0.0.1:{port}/{name}"], check=True, capture_output=True)
                self.check_base(port, name, buildah)

    def test_what_is_exported_runs(self):
        place = self.place({"TRAINFILE.lua": 'image "i" { base = "scratch", files = { { srcs = { "bin/busybox" }, dest = "/bin" } }, env = { WHO = "you" },'
                                             ' entrypoint = { "/bin/busybox", "sh", "-c" }, cmd = { "echo hello $WHO; pwd" }, workdir = "/bin" }\n'})
        place.path("bin").mkdir()
        shutil.copy(program("busybox"), place.path("bin/busybox"))
        place.make("image:i")
        place.ask("image", "export", "image:i", "--to", "i.tar").exits(0)
        with tempfile.TemporaryDirectory() as folder:
            bundle = container_run.unpack(f"oci-archive:{place.path('i.tar')}", folder)
            self.assertEqual(container_run.run(bundle, self, ["/bin/busybox", "true"]), "hello you\n/bin\n")
