"""A Slurm of a test's own on loopback: munged, slurmctld and two slurmds, on free ports, with all state in a folder that goes
with them; with accounting also slurmdbd and a MariaDB. Nothing of it needs to be set up on the machine, and nothing of a Slurm that is there is touched.

As a program: `slurm_cluster.py COMMAND...` runs a command while one is up, with TRAINMAKE_TEST_SLURM set.
"""

import contextlib
import getpass
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile

from story import eventually

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo", "scontrol")
ACCOUNTANTS = ("slurmdbd", "mariadbd", "mariadb-install-db", "mariadb", "sacct")
FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
NODES = ("n1", "n2")
ORDER_OF_END = (*(f"slurmd-{node}" for node in NODES), "slurmctld", "slurmdbd", "mariadbd", "munged")

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
TmpFS={folder}/tmp-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
{accounting}
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

ACCOUNTING = "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1\nAccountingStoragePort={port}\nAccountingStoragePass={folder}/munge/socket"
HOLDS_MEMORY = "TaskPlugin=task/cgroup\nSelectTypeParameters=CR_Core_Memory\n"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
CGROUP_CONF = f"CgroupPlugin=cgroup/v1\nCgroupMountpoint={CGROUPS}\nConstrainRAMSpace=yes\n"
DBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""


def free_ports(count):
    """Free when asked, and below those that connections from here take by chance; they are held together, so that no two are the same."""
    held = []
    while len(held) < count:
        one = socket.socket()
        try:
            one.bind(("127.0.0.1", random.randrange(15000, 32000)))
            held.append(one)
        except OSError:
            one.close()
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class CannotStart(Exception):
    """Slurm cannot be started on this machine; says why."""


class SlurmCluster:
    """Up when made. `env` is what its commands, and trainmake, need to reach it."""

    def __init__(self, remembers_s=300, accounting=False, holds_memory=False, conf=""):
        """`conf` is more lines of slurm.conf; of a setting said twice, the last counts."""
        if holds_memory and not os.access(CGROUPS / "memory", os.W_OK):
            raise CannotStart(f"no {CGROUPS}/memory to hold jobs to their memory with")
        missing = [program for program in (*PROGRAMS, *(ACCOUNTANTS if accounting else ())) if shutil.which(program, path=FOLDERS) is None]
        if missing:
            raise CannotStart(f"{', '.join(missing)} not installed (`sh tests/deps.sh test` installs all)")
        # A socket's path has to be short.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
        self.daemons = {}
        self.env = {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": FOLDERS, "HOME": str(self.folder), "LANG": "C.UTF-8"}
        try:
            self.configure(remembers_s, accounting, (HOLDS_MEMORY if holds_memory else "") + conf)
            self.start_munged()
            if accounting:
                self.start_database()
                self.start_accounting()
            self.start_controller()
            for node in NODES:
                self.start_node(node)
            self.await_nodes()
        except BaseException:
            told = self.logs()
            self.stop()
            print(told)
            raise

    def configure(self, remembers_s, accounting, more):
        ctld, self.dbd, self.database, *nodes = free_ports(3 + len(NODES))
        host = socket.gethostname().split(".")[0]
        lines = [f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=4 RealMemory=4000 Gres=gpu:2 State=UNKNOWN"
                 for name, port in zip(NODES, nodes, strict=True)]
        for name in ("munge", "state", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir(mode=0o755)
        for node in NODES:  # each of them by itself, as on machines of their own: PMIx keeps what it starts there
            (self.folder / f"tmp-{node}").mkdir()
            (self.folder / f"tmp-{node}").chmod(0o1777)
        self.folder.chmod(0o755)
        key = self.folder / "munge" / "key"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o600)
        (self.folder / "slurm.conf").write_text(CONF.format(host=host, ctld=ctld, user=getpass.getuser(), folder=self.folder,
                                                           remembers_s=remembers_s, nodes="\n".join(lines),
                                                           accounting=ACCOUNTING.format(port=self.dbd, folder=self.folder) if accounting else "AccountingStorageType=accounting_storage/none") + more)
        if accounting:
            conf = self.folder / "slurmdbd.conf"
            conf.write_text(DBD_CONF.format(host=host, port=self.dbd, database=self.database, user=getpass.getuser(), folder=self.folder))
            conf.chmod(0o600)
        (self.folder / "cgroup.conf").write_text(CGROUP_CONF)
        for number in range(2):  # Slurm counts any devices, but names to jobs only what is one
            gpu = self.folder / f"gpu{number}"
            if os.getuid() == 0:
                os.mknod(gpu, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
            else:
                gpu.touch()
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

    def start_database(self):
        data, socket_path = self.folder / "database", self.folder / "database.socket"
        where = ("--no-defaults", f"--datadir={data}", f"--user={getpass.getuser()}")
        self.ask("mariadb-install-db", *where, "--auth-root-authentication-method=normal", "--skip-test-db")
        self.start("mariadbd", "mariadbd", *where, f"--socket={socket_path}", "--bind-address=127.0.0.1", f"--port={self.database}", f"--pid-file={self.folder}/mariadbd.pid",
                   "--innodb-buffer-pool-size=32M", "--innodb-flush-log-at-trx-commit=0")
        grant = "CREATE USER slurm@'%' IDENTIFIED BY 'slurm'; GRANT ALL ON slurm_acct_db.* TO slurm@'%'"
        eventually(lambda: self.ask("mariadb", "--no-defaults", f"--socket={socket_path}", "--user=root", f"--execute={grant}").returncode == 0 or self.fell("mariadbd"),
                   "MariaDB does not come up")

    def start_accounting(self):
        self.start("slurmdbd", "slurmdbd", "-D")
        eventually(lambda: self.ask("sacctmgr", "--noheader", "show", "cluster").returncode == 0 or self.fell("slurmdbd"), "slurmdbd does not come up")

    def start_controller(self, *more):
        """`-c` lets it forget every job."""
        self.start("slurmctld", "slurmctld", "-D", *more)
        eventually(lambda: self.ask("scontrol", "ping").returncode == 0 or self.fell("slurmctld"), "slurmctld does not come up")

    def kill_controller(self):
        self.kill("slurmctld")

    def await_saved(self):
        """Until the controller wrote down what it started. One that falls before starts it again, and drains the nodes, which refuse that."""
        name = f"saved-{secrets.token_hex(8)}"
        number = self.ask("sbatch", "--parsable", "--hold", f"--job-name={name}", "--wrap=true").stdout.strip()

        def is_saved():
            with contextlib.suppress(FileNotFoundError):  # while it is replaced
                return name.encode() in (self.folder / "state" / "job_state").read_bytes()
            return False
        eventually(is_saved, "slurmctld saves nothing")
        self.ask("scancel", number)

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
        for name in sorted(self.daemons, key=ORDER_OF_END.index):
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
        for node in NODES:  # what slurmd leaves where it held jobs to their memory
            with contextlib.suppress(OSError):
                (CGROUPS / "memory" / f"slurm_{node}").rmdir()
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
