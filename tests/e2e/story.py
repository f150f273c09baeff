"""What stories are written with: a place full of files, and trainmake run in it as a person would.

Knows the program from outside alone. Nothing here sleeps: what has to be waited for is a condition with a deadline.
"""

import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest

BINARY = os.environ.get("TRAINMAKE_BIN", "trainmake")
DEADLINE_S = 60


class Answer:
    """What one call of trainmake came to."""

    def __init__(self, words, code, out, err):
        self.words, self.code = words, code
        self.out, self.err = (stream.decode("utf-8", "surrogateescape") for stream in (out, err))

    def __str__(self):
        told = f"$ trainmake {' '.join(self.words)}   (exit {self.code})\n{self.out[-4000:]}{self.err[-4000:]}"
        return told.encode("utf-8", "backslashreplace").decode()

    def exits(self, code):
        if self.code != code:
            raise AssertionError(f"expected exit {code}:\n{self}")
        return self

    @property
    def text(self):
        return self.out + self.err

    @property
    def lines(self):
        """stdout as JSON, one object a line."""
        try:
            return [json.loads(line) for line in self.out.splitlines()]
        except ValueError as error:
            raise AssertionError(f"stdout is not one JSON object a line ({error}):\n{self}") from None

    @property
    def only(self):
        lines = self.lines
        if len(lines) != 1:
            raise AssertionError(f"expected one line, got {len(lines)}:\n{self}")
        return lines[0]

    def events(self, name):
        return [line for line in self.lines if line.get("event") == name]

    @property
    def finished(self):
        lines = self.lines
        if not lines or lines[-1].get("event") != "finished":
            raise AssertionError(f"its last line is not the `finished` event:\n{self}")
        return lines[-1]

    def labels(self, state):
        return sorted(self.finished["steps"][state])

    @property
    def ran(self):
        return self.labels("ran")

    @property
    def messages(self):
        """Every error with its hint, as one text."""
        return "\n".join(f"{error['message']} {error['hint'] or ''}" for error in self.events("error"))

    @property
    def cost(self):
        """(layers pushed, objects uploaded, jobs submitted)"""
        end = self.finished
        return end["pushed"]["layers"], end["uploaded"]["objects"], end["submitted"]


class Going:
    """A trainmake that is running."""

    def __init__(self, words, process):
        self.words, self.process, self.seen = words, process, b""

    def until(self, word):
        """Reads stdout until it holds `word`."""
        deadline = time.monotonic() + DEADLINE_S
        while word.encode() not in self.seen:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            more = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not more:
                self.kill()
                raise AssertionError(f"it never said {word!r}:\n{self.end()}")
            self.seen += more
        return self

    def interrupt(self):
        """As Ctrl-C on a terminal, which reaches the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self

    def kill(self):
        self.process.kill()
        return self

    def end(self, within_s=DEADLINE_S):
        try:
            out, err = self.process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            raise AssertionError(f"it did not end in {within_s} s:\n{Answer(self.words, None, self.seen + out, err)}") from None
        return Answer(self.words, self.process.returncode, self.seen + out, err)


class Gate:
    """A named pipe that a job reads from, and so waits at until it is opened."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)

    def open(self):
        eventually(self.try_open, "nobody came to the gate")

    def try_open(self):
        try:
            os.close(os.open(self.path, os.O_WRONLY | os.O_NONBLOCK))
            return True
        except OSError:
            return False


class Place:
    """A folder of files with a home beside it."""

    def __init__(self, files=(), root=None, home=None):
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="story-"))
        self.home = pathlib.Path(home or tempfile.mkdtemp(prefix="story-home-"))
        self.going, self.gates = [], []
        self.env = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for name, content in dict(files).items():
            self.write(name, content)

    def close(self):
        for started in self.going:
            if started.process.poll() is None:
                started.process.kill()
            started.process.wait()
            started.process.stdout.close()
            started.process.stderr.close()
        for gate in self.gates:
            gate.try_open()
        if os.environ.get("KEEP"):
            print(f"left in {self.root}")
            return
        for folder in (self.root, self.home):
            subprocess.run(["chmod", "-R", "u+rwX", folder], check=False, stderr=subprocess.DEVNULL)
            shutil.rmtree(folder, ignore_errors=True)

    # Files. Names are from the root.

    def path(self, name="."):
        return self.root / name

    def write(self, name, content, mode=None):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if mode is not None:
            path.chmod(mode)

    def append(self, name, content):
        self.write(name, self.path(name).read_bytes() + content.encode())

    def replace(self, name, old, new):
        text = self.read(name)
        assert old in text, f"{old!r} is not in {name}"
        self.write(name, text.replace(old, new))

    def read(self, name):
        return self.path(name).read_text()

    def remove(self, name):
        path = self.path(name)
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def rename(self, old, new):
        self.path(old).rename(self.path(new))

    def touch(self, *names):
        for name in names:
            stat = self.path(name).stat()
            os.utime(self.path(name), ns=(stat.st_atime_ns, stat.st_mtime_ns + 3_000_000_000))

    def files_below(self, name="."):
        """Paths from there, sorted."""
        top = self.path(name)
        return sorted(str(path.relative_to(top)) for path in top.rglob("*") if path.is_file() or path.is_symlink())

    def objects(self, name="bucket"):
        """What a `dir:` store holds, less what trainmake keeps there for itself."""
        return [path for path in self.files_below(name) if ".trainmake" not in path.split("/")] if self.path(name).exists() else []

    def gate(self, name="gate"):
        self.gates.append(Gate(self.path(name)))
        return self.gates[-1]

    def git(self, *words):
        who = {f"GIT_{role}_{what}": "a@example.com" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        return subprocess.run(["git", *words], cwd=self.root, env={**self.env, **who}, check=True, capture_output=True, text=True).stdout

    def commit_all(self):
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "all")

    def clone(self, with_state=False):
        """The same files elsewhere, with new times; without state, and with another home, as on another machine."""
        other = Place(home=self.home if with_state else None)

        def left_out(folder, names):
            return [n for n in names if n == ".trainmake" and not with_state and pathlib.Path(folder) == self.root]

        shutil.copytree(self.root, other.root, dirs_exist_ok=True, symlinks=True, ignore=left_out, copy_function=shutil.copy)
        return other

    # trainmake.

    def start(self, *words, env=None, cwd=None):
        process = subprocess.Popen([BINARY, *words], cwd=self.path(cwd or "."), env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0, start_new_session=True)
        self.going.append(Going(words, process))
        return self.going[-1]

    def ask(self, *words, env=None, cwd=None, stdin=""):
        """Runs trainmake to its end, whatever that is."""
        done = subprocess.run([BINARY, *words], cwd=self.path(cwd or "."), env={**self.env, **(env or {})}, input=stdin.encode(),
                              capture_output=True, timeout=DEADLINE_S, check=False)
        return Answer([os.fsdecode(word) for word in words], done.returncode, done.stdout, done.stderr)

    def make(self, *labels, env=None, cwd=None):
        """Brings labels up to date; it has to succeed."""
        return self.ask(*labels, "--json", env=env, cwd=cwd).exits(0)

    def plan(self, *labels):
        return self.ask("plan", *labels, "--json").exits(0).only

    def why(self, label):
        return [(reason["kind"], reason["name"]) for reason in self.ask("why", label, "--json").exits(0).only["reasons"]]

    def query(self, expression):
        return sorted(line["label"] for line in self.ask("query", expression, "--json").exits(0).lines)

    def runs(self, label=None):
        return [run for run in self.ask("runs", "--json").exits(0).lines if label in (None, run["label"])]

    def pull(self, label, name):
        """The text of one output of a job."""
        out = tempfile.mkdtemp(dir=self.home)
        self.ask("pull", label, "--to", out).exits(0)
        return (pathlib.Path(out) / name).read_text()


def eventually(condition, otherwise):
    """Waits until the condition holds; returns what it gave."""
    deadline, nap = time.monotonic() + DEADLINE_S, threading.Event()
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{otherwise}, for {DEADLINE_S} s")
        nap.wait(0.01)


class Story(unittest.TestCase):
    maxDiff = None

    def place(self, files=(), **more):
        place = Place(files, **more)
        self.addCleanup(place.close)
        return place

    def tiny(self, **more):
        """The smallest project with all four kinds, a store to send to, and a job that reads another's output."""
        return self.place({**TINY, **more})

    def waiting(self, then="", job=""):
        """A project whose job says `at the gate` and waits there; `then` is the rest of its script. Returns its place and the gate."""
        place = self.place({
            "code/slow.sh": f'echo at the gate\nread _ < "$GATE" || true\n{then}\necho done > "$TRAINMAKE_OUTPUT_DIR/out.txt"\n',
        })
        place.write("TRAINFILE.lua", f'''
            code "slow" {{ srcs = glob "code/**", main = "slow.sh" }}
            image "slow" {{ code = "code:slow", base = "scratch" }}
            job "slow" {{ image = "image:slow", outputs = {{ out = "out.txt" }}, env = {{ GATE = "{place.path("gate")}" }}, {job} }}
        ''')
        return place, place.gate()

    def assert_told(self, whole, *parts):
        text = str(whole)
        for part in parts:
            self.assertIn(part, text)

    def assert_nothing_ran(self, answer):
        self.assertEqual((answer.ran, answer.cost), ([], (0, 0, 0)), str(answer))


TINY = {
    "TRAINSPACE.lua": 'store "bucket" { url = "dir:bucket" }\ndefault_store "bucket"\n',
    "TRAINFILE.lua": '''
project { name = "tiny" }
code "tiny" { srcs = glob "code/**", main = "train.sh" }
data "letters" { files = glob "data/*.txt" }
data "solver" { files = { "data/solver.json" } }
image "tiny" { code = "code:tiny", base = "scratch" }
job "train" {
  image = "image:tiny",
  data = { "data:letters", "data:solver" },
  args = { solver = data_dir "solver.json" },
  params = { rate = 0.5 },
  outputs = { model = "model.txt" },
  metrics = { loss = "loss=([%d.]+)" },
}
job "eval" { image = "image:tiny", main = "eval.sh", data = { "data:letters", model = "job:train" }, outputs = { score = "score.txt" } }
''',
    "code/train.sh": '''set -eu
while [ $# -gt 0 ]; do
  case $1 in
    --solver) solver=$2 ;;
    --rate) rate=$2 ;;
  esac
  shift 2
done
echo "loss=0.75"
echo "loss=0.25"
cat "$TRAINMAKE_DATA_DIR"/*.txt "$solver" >"$TRAINMAKE_OUTPUT_DIR/model.txt"
echo "rate $rate" >>"$TRAINMAKE_OUTPUT_DIR/model.txt"
''',
    "code/eval.sh": 'wc -l <"$TRAINMAKE_DATA_DIR/model/model.txt" >"$TRAINMAKE_OUTPUT_DIR/score.txt"\n',
    "data/a.txt": "aaa\n",
    "data/b.txt": "bbb\n",
    "data/solver.json": '{"momentum": 0.9}\n',
    ".gitignore": ".trainmake/\nbucket/\n",
}

TRAIN = ["//code:tiny", "//data:letters", "//data:solver", "//image:tiny", "//job:train"]
EVERYTHING = sorted([*TRAIN, "//job:eval"])
