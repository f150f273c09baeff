"""What the benches share: timing in turn, medians, and a table of ratios against limits."""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent


class Cost:
    def __init__(self, seconds, megabytes):
        self.seconds, self.megabytes = seconds, megabytes


def timed(words, cwd, env=None):
    """One run of a program, its output thrown away: what it took."""
    null = os.open(os.devnull, os.O_RDWR)
    before = os.getcwd()
    os.chdir(cwd)
    began = time.perf_counter()
    child = os.posix_spawn(words[0], words, env or dict(os.environ), file_actions=[(os.POSIX_SPAWN_DUP2, null, fd) for fd in (0, 1, 2)])
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - began
    os.chdir(before)
    os.close(null)
    if status != 0:
        sys.exit(f"failed in {cwd}: {' '.join(words)}")
    return Cost(seconds, usage.ru_maxrss / 1024)


def in_turn(rivals, rounds):
    """rivals: name → (words, folder). Runs each `rounds` times, one after the other in turn; name → median cost."""
    costs = {name: [] for name in rivals}
    for name, (words, cwd) in rivals.items():
        timed(words, cwd)  # to warm up
    for _ in range(rounds):
        for name, (words, cwd) in rivals.items():
            costs[name].append(timed(words, cwd))
    return {name: Cost(statistics.median(c.seconds for c in of), max(c.megabytes for c in of)) for name, of in costs.items()}


def program(path, how):
    """The absolute path of a program that must be there; leaves with what to do where it is not."""
    if not os.access(path, os.X_OK):
        sys.exit(f"no program at {path}: {how}")
    return os.path.abspath(path)


class Table:
    """Rows of measurement against limit; remembers whether one was missed."""

    def __init__(self):
        self.missed = 0

    def row(self, what, got, limit, unit="×", least=False):
        met = got >= limit if least else got <= limit
        self.missed += not met
        print(f"{'ok  ' if met else 'MISS'}  {what:<58} {got:8.2f}{unit}  ({'at least' if least else 'at most'} {limit:g}{unit})", flush=True)

    def note(self, text):
        print(f"      {text}", flush=True)

    def end(self):
        print(f"{self.missed} limits missed" if self.missed else "every limit met")
        return 1 if self.missed else 0


def compiled(source, folder, *options):
    """A program of one source file, made in `folder`."""
    program = pathlib.Path(folder) / source.partition(".")[0]
    subprocess.run(["c++", "-std=c++20", "-O2", "-pthread", str(HERE / source), "-o", str(program), *options], check=True)
    return str(program)


def scratch(where):
    return tempfile.TemporaryDirectory(prefix="trainmake-bench-", dir=where)
