"""A Slurm of a test's own on loopback: munged, slurmctld and two slurmds, on free ports, with all state in a folder that goes
with them. Nothing of it needs to be set up on the machine, and nothing of a Slurm that is there is touched.

As a program: `slurm_cluster.py COMMAND...` runs a command while one is up, with TRAINMAKE_TEST_SLURM set.
"""

import contextlib
import getpass
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

from story import eventually

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol")
FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
NODES = ("n1", "n2")

CONF = """
ClusterName=story
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CryptoType=crypto/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
MinJobAge={remembers_s}
MaxArraySize=20001
MaxJobCount=50000
MessageTimeout=5
SlurmctldDebug=info
GresTypes=gpu
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=NO
PartitionName=short Nodes=ALL MaxTime=1 State=UP OverSubscribe=NO
"""


def free_ports(count):
    """Free when asked; they are held together, so that no two are the same."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class CannotStart(Exception):
    """Slurm cannot be started on this machine; says why."""


class SlurmCluster:
    """Up when made. `env` is what its commands, and trainmake, need to reach it."""

    def __init__(self, remembers_s=300):
        missing = [program for program in PROGRAMS if shutil.which(program, path=FOLDERS) is None]
        if missing:
            raise CannotStart(f"{', '.join(missing)} not installed (`sh tests/deps.sh test` installs all)")
        # A socket's path has to be short.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        self.daemons = {}
        self.env = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": FOLDERS, "HOME": str(self.folder), "LANG": "C.UTF-8"}
        try:
            self.configure(remembers_s)
            self.start_munged()
            self.start_controller()
            for node in NODES:
                self.start_node(node)
            self.await_nodes()
        except BaseException:
            told = self.logs()
            self.stop()
            print(told)
            raise

    def configure(self, remembers_s):
        ctld, *nodes = free_ports(1 + len(NODES))
        host = socket.gethostname().split(".")[0]
        lines = [f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=4000 Gres=gpu:2 State=UNKNOWN"
                 for name, port in zip(NODES, nodes, strict=True)]
        for name in ("munge", "state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(mode=0o755)
        self.folder.chmod(0o755)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o600)
        (self.folder / "slurm.conf").write_text(CONF.format(host=host, ctld=ctld, user=getpass.getuser(), folder=self.folder,
                                                           remembers_s=remembers_s, nodes="\n".join(lines)))
        for number in range(2):  # what stands for a device only has to be there
            (self.folder / f"gpu{number}").touch()
        (self.folder / "gres.conf").write_text(f"Name=gpu File={self.folder}/gpu[0-1]\n")

    def start(self, name, *words):
        log = (self.folder / f"{name}.out").open("ab")
        self.daemons[name] = subprocess.Popen(words, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()

    def start_munged(self):
        munge = self.folder / "munge"
        self.start("munged", "munged", "--foreground", "--force", f"--socket={munge}/socket", f"--key-file={munge}/key",
                   f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed", "--num-threads=2")
        eventually(lambda: (munge / "socket").exists() or self.fell("munged"), "munged does not come up")

    def start_controller(self, *more):
        """`-c` lets it forget every job."""
        self.start("slurmctld", "slurmctld", "-D", *more)
        eventually(lambda: self.ask("scontrol", "ping").returncode == 0 or self.fell("slurmctld"), "slurmctld does not come up")

    def kill_controller(self):
        self.kill("slurmctld")

    def start_node(self, node):
        self.start(f"slurmd-{node}", "slurmd", "-D", "-N", node)

    def await_nodes(self):
        def up():
            states = self.ask("sinfo", "--noheader", "--Node", "--partition=main", "--format=%T").stdout.split()
            return states == ["idle"] * len(NODES) or any(self.fell(f"slurmd-{node}") for node in NODES)
        eventually(up, "the nodes do not come up")

    def fell(self, name):
        if self.daemons[name].poll() is not None:
            raise CannotStart(f"{name} ended with {self.daemons[name].returncode}:\n{self.logs()}")
        return False

    def kill(self, name):
        self.daemons[name].kill()
        self.daemons.pop(name).wait()

    def ask(self, *words):
        return subprocess.run(words, env=self.env, capture_output=True, text=True, check=False, timeout=60)

    def jobs(self):
        """Every job that it remembers: (name, state)."""
        told = self.ask("squeue", "--noheader", "--states=all", "--format=%j %T").stdout
        return sorted(tuple(line.split()) for line in told.splitlines())

    def logs(self):
        files = [*sorted(self.folder.glob("*.out")), *sorted(self.folder.glob("*.log")), self.folder / "munge" / "log"]
        return "\n".join(f"== {file.name}\n{file.read_text(errors='replace')[-3000:]}" for file in files if file.exists())

    def stop(self):
        if "slurmctld" in self.daemons:
            self.ask("scancel", f"--user={getpass.getuser()}", "--signal=KILL", "--full")
        for name in sorted(self.daemons, reverse=True):  # slurmds first, munged last
            self.daemons[name].send_signal(signal.SIGTERM)
            try:
                self.daemons[name].wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.daemons[name].kill()
                self.daemons[name].wait()
        self.daemons.clear()
        for process in self.left():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if not os.environ.get("KEEP"):
            shutil.rmtree(self.folder, ignore_errors=True)

    def left(self):
        """What jobs left, and slurmd's steps: each was started with this very configuration."""
        mark = f"SLURM_CONF={self.env['SLURM_CONF']}".encode()
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in path.read_bytes().split(b"\0"):
                    yield int(path.parent.name)
            except OSError:  # it is over, or another user's
                continue


def main():
    try:
        cluster = SlurmCluster()
    except CannotStart as error:
        sys.exit(f"no Slurm can be started here: {error}")
    try:
        return subprocess.run(sys.argv[1:], env={**os.environ, **cluster.env, "TRAINMAKE_TEST_SLURM": "1"}, check=False).returncode
    finally:
        cluster.stop()


if __name__ == "__main__":
    sys.exit(main())
