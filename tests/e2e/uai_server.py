"""UCloud on loopback, as strict as its documents: the API's calls about training jobs, beside the buckets of ufile_server.py; a registry stands in for UHub.

A job really runs: its image is got from the registry, its data from the bucket, its command is run over both in a sandbox without a network, and what it
leaves goes into the bucket. A call that no client may make is kept in `wrong`, beside being refused. Not known of the real service, and so only a guess here:
what its names may look like, what states of waiting are called, and how much of a log it tells.
"""

import hashlib
import io
import json
import pathlib
import random
import re
import shutil
import string
import subprocess
import tarfile
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from ufile_server import PRIVATE, PUBLIC, UfileServer

PROJECT, REGION, ZONE = "org-tests", "cn-bj2", "cn-bj2-04"
MODES = {"StandAlone": 101, "Distributed": 102}
MACHINES = {201: (1, "P40"), 204: (4, "P40"), 211: (1, "K80")}
BACKENDS = {"UFile": 301, "UFS": 302}
FRAMEWORKS = {"tensorflow": 401, "mxnet": 402, "pytorch": 403}
UFILE_URL = re.compile(r"https?://([a-zA-Z0-9_-]+)\.([a-zA-Z0-9_-]+)\.ufileos\.com/((?:/?[A-Za-z0-9_.-])+/)$")
UFS_PATH = re.compile(r"(\d+\.\d+\.\d+\.\d+:/ufs-[0-9A-Za-z]+)/(\w.*/)$")
UHUB = re.compile(r"uhub(?:\.service)?\.ucloud\.cn/([a-z0-9_-]+/[a-z0-9_.-]+):([A-Za-z0-9_.-]+)$")
JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")
MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
LAST_LINES = 50  # that are told of a job that is over

# By action: its own parameters, whole numbers among them as int.
ACTIONS = {
    "GetUAITrainAvailableTrainMode": {},
    "GetUAITrainAvailableResource": {"TrainModeId": int, "NodeType": str},
    "GetUAITrainAvailableDistAIFramework": {"TrainModeId": int},
    "GetUAITrainAvailableBackend": {"TrainModeId": int},
    "CreateUAITrainJob": {"TrainJobName": str, "TrainWorkId": int, "CodeUhubPath": str, "DataUfilePath": str, "InputDataBackendId": int,
                          "OutputUfilePath": str, "OutputDataBackendId": int, "DockerCmd": str, "MaxExecuteTime": int, "TrainWorkAmount": int,
                          "TrainModeId": int, "DistAIFrame": int, "TrainPublicKey": str, "TrainPrivateKey": str, "TrainJobMemo": str, "BusinessGroup": str},
    "GetUAITrainJobList": {"TrainJobId": str, "Offset": int, "Limit": int},
    "GetUAITrainRunningInfo": {"TrainJobId": str},
    "GetUAITrainRunningLogTopicList": {"TrainJobId": str},
    "GetUAITrainRunningLog": {"TrainJobId": str, "LogTopicId": str},
    "GetUAITrainTensorboardUrl": {"TrainJobId": str},
    "GetUAITrainBillInfo": {"BeginTime": int, "EndTime": int, "Offset": int, "Limit": int},
    "StopUAITrainJob": {"TrainJobId": str},
    "RemoveUAITrainJob": {"TrainJobId": str},
    "ModifyUAITrainJobName": {"TrainJobId": str, "TrainJobName": str},
    "ModifyUAITrainJobMemo": {"TrainJobId": str, "TrainJobMemo": str},
}
MAY_BE_EMPTY = {"TrainJobMemo", "BusinessGroup"}
OVER = {"Done", "Stopped", "Deleted", "Error"}


class Refusal(Exception):
    """`wrong` unless a client may well be refused so."""

    def __init__(self, code, message, wrong=True):
        super().__init__(message)
        self.code, self.message, self.wrong = code, message, wrong


class Job:
    def __init__(self, asked):
        self.asked, self.id = asked, "uaitrain-" + "".join(random.choices(string.ascii_lowercase + string.digits, k=6))
        self.state, self.created, self.started, self.ended = "Pending", int(time.time()), 0, 0
        self.logs = [[] for _ in range(asked["TrainWorkAmount"])]  # of each node
        self.processes, self.stopped, self.root = [], False, None

    @property
    def name(self):
        return self.asked["TrainJobName"]

    @property
    def lines(self):
        return self.logs[0]


class UaiServer(UfileServer):
    """`ufs` are folders of this machine by the mount point that they are. `trouble(action, parameters)` may say "silent" (nobody hears, and it is not done), "lost" (it is done, and nobody hears), "cut" (the list is null), (CODE, MESSAGE) to refuse, or
    ("done", CODE, MESSAGE) to do it and refuse.
    While `held` is set, jobs wait as `Pending`; `open` lets those go on that wait for `/data/go`."""

    def __init__(self, *buckets, hub=None, **more):
        super().__init__(*buckets, **more)
        self.hub, self.jobs, self.calls, self.trouble, self.threads = hub, {}, [], None, []
        self.held, self.ufs = threading.Event(), {}
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="uai-"))

    def __exit__(self, *trouble):
        self.held.clear()
        for job in list(self.jobs.values()):
            self.end(job)
        for thread in self.threads:
            thread.join()
        super().__exit__(*trouble)
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def api(self):
        return f"http://127.0.0.1:{self.port}/api"

    def open(self):
        for job in self.jobs.values():
            if job.root:
                (job.root / "data/go").touch()

    def called(self, action):
        return [parameters for name, parameters in self.calls if name == action]

    # One call.

    def serve(self, asked):
        if urllib.parse.urlsplit(asked.path).path.rstrip("/") != "/api":
            return super().serve(asked)
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        parameters = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True))
        action = parameters.get("Action", "")
        with self.lock:
            self.requests.append((asked.command, asked.path))
            self.calls.append((action, parameters))
        trouble = self.trouble(action, parameters) if self.trouble else None
        if trouble == "silent":
            return self.hang_up(asked)
        try:
            if isinstance(trouble, tuple) and trouble[0] != "done":
                raise Refusal(*trouble, wrong=False)
            with self.lock:
                document = self.answer(asked, body, dict(parameters))
            if isinstance(trouble, tuple):
                raise Refusal(*trouble[1:], wrong=False)
            if trouble == "cut":
                document["DataSet"] = None
        except Refusal as refusal:
            if refusal.wrong:
                self.wrong.append(f"{action}: {refusal.message}")
            document = {"RetCode": refusal.code, "Message": refusal.message}
        except Exception as error:  # of the stand-in itself, which nobody would see
            self.wrong.append(f"{action}: {error!r}")
            raise
        if trouble == "lost":
            return self.hang_up(asked)
        content = json.dumps({"Action": action + "Response", **document}).encode()
        asked.send_response(200)
        asked.send_header("Content-Type", "application/json")
        asked.send_header("Content-Length", str(len(content)))
        asked.end_headers()
        asked.wfile.write(content)
        return None

    def answer(self, asked, body, parameters):
        if asked.command != "POST" or "?" in asked.path:
            raise Refusal(160, "parameters stand in the address")
        if not asked.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            raise Refusal(160, "no form")
        if parameters.get("Action") == "CreateBucket":
            return json.loads(self.call(asked, body)[2])
        self.check_who(parameters)
        own = self.own_parameters(parameters)
        return {"RetCode": 0, **getattr(self, "on_" + parameters["Action"])(own)}

    @staticmethod
    def check_who(parameters):
        signature = parameters.pop("Signature", None)
        if signature is None:
            raise Refusal(170, "Missing signature")
        if parameters.get("PublicKey") != PUBLIC:
            raise Refusal(172, "User not exists", wrong=False)
        signed = "".join(name + parameters[name] for name in sorted(parameters)) + PRIVATE
        if signature != hashlib.sha1(signed.encode()).hexdigest():
            raise Refusal(171, "Signature VerifyAC Error", wrong=False)

    @staticmethod
    def own_parameters(parameters):
        action = parameters.get("Action")
        if action not in ACTIONS:
            raise Refusal(161, f"Action [{action}] not exists")
        if parameters.get("Region") != REGION or parameters.get("Zone") != ZONE:
            raise Refusal(293, "no permission to access the zone", wrong=False)
        if parameters.get("ProjectId", PROJECT) != PROJECT:
            raise Refusal(292, "project not exist", wrong=False)
        own = {name: value for name, value in parameters.items() if name not in ("Action", "PublicKey", "Region", "Zone", "ProjectId")}
        wanted = ACTIONS[action]
        if more := sorted(own.keys() - wanted.keys()):
            raise Refusal(230, f"Params {more} not available")
        for name, kind in wanted.items():
            if name not in own or (not own[name] and name not in MAY_BE_EMPTY and (action, name) != ("GetUAITrainJobList", "TrainJobId")):
                raise Refusal(220, f"Missing params [{name}]")
            if kind is int:
                if not re.fullmatch(r"\d+", own[name]):
                    raise Refusal(210, f"Params [{name}] is no number")
                own[name] = int(own[name])
        return own

    def job(self, own):
        job = self.jobs.get(own["TrainJobId"])
        if not job:
            raise Refusal(230, f"Train job [{own['TrainJobId']}] not exist", wrong=False)
        return job

    # What there is.

    def on_GetUAITrainAvailableTrainMode(self, own):
        return {"DataItem": [{"TrainModeId": number, "TrainModeName": name} for name, number in MODES.items()]}

    def on_GetUAITrainAvailableResource(self, own):
        if own["TrainModeId"] not in MODES.values() or own["NodeType"] not in ("Work", "PS"):
            raise Refusal(230, "no such mode or node type")
        return {"DataSet": [{"NodeId": number, "NodeName": f"{count}-{kind}", "NodeType": own["NodeType"], "DiskSize": 100, "CPU": 8, "Memory": 64,
                             "AcceleratorName": "GPU", "AcceleratorVersion": kind, "AcceleratorAmount": count, "UnitPrice": 10 * count}
                            for number, (count, kind) in MACHINES.items()]}

    def on_GetUAITrainAvailableBackend(self, own):
        names = ["UFS"] if own["TrainModeId"] == MODES["Distributed"] else ["UFile", "UFS"]
        return {"DataItem": [{"DataBackendId": BACKENDS[name], "DataBackendName": name, "DataBackendRegexp": ".*"} for name in names]}

    def on_GetUAITrainAvailableDistAIFramework(self, own):
        if own["TrainModeId"] != MODES["Distributed"]:
            raise Refusal(230, "no such mode")
        return {"DataItem": [{"DistAIFrameId": number, "DistAIFrameName": name} for name, number in FRAMEWORKS.items()]}

    # Jobs.

    def check_folders(self, own):
        """One of several nodes reads and writes UFS alone."""
        is_ufs = own["TrainWorkAmount"] > 1 or own["InputDataBackendId"] == BACKENDS["UFS"]
        if {own["InputDataBackendId"], own["OutputDataBackendId"]} != {BACKENDS["UFS" if is_ufs else "UFile"]}:
            raise Refusal(230, "a store that such jobs do not have")
        for name in ("DataUfilePath", "OutputUfilePath"):
            if is_ufs:
                found = UFS_PATH.match(own[name])
                if not found or found[1] not in self.ufs or not (self.ufs[found[1]] / found[2]).is_dir():
                    raise Refusal(230, f"Current data_path invalid: {own[name]}")
                continue
            found = UFILE_URL.match(own[name])
            if not found or found[2] != "cn-bj":
                raise Refusal(230, f"Current data_path invalid: {own[name]}")
            if found[1] not in self.buckets:
                raise Refusal(230, f"bucket {found[1]} not exist")
        if not list(self.below(own["DataUfilePath"])):
            raise Refusal(230, f"nothing lies at {own['DataUfilePath']}")

    def on_CreateUAITrainJob(self, own):
        if not JOB_NAME.match(own["TrainJobName"]):
            raise Refusal(230, "invalid job name")
        if not UHUB.match(own["CodeUhubPath"]):
            raise Refusal(230, f"invalid image {own['CodeUhubPath']}")
        self.check_folders(own)
        if (own["TrainPublicKey"], own["TrainPrivateKey"]) != (PUBLIC, PRIVATE):
            raise Refusal(230, "TrainPublicKey and TrainPrivateKey are nobody's")
        is_distributed = own["TrainModeId"] == MODES["Distributed"]
        if is_distributed != (own["TrainWorkAmount"] > 1) or is_distributed != (own["DistAIFrame"] in FRAMEWORKS.values()) or own["TrainWorkAmount"] > 8:
            raise Refusal(230, "a mode, a number of nodes and a framework that do not belong together")
        if not is_distributed and own["DistAIFrame"] != 0 or own["TrainWorkId"] not in MACHINES:
            raise Refusal(230, "an id that nobody was told")
        if not 1 <= own["MaxExecuteTime"] <= 720:
            raise Refusal(230, "MaxExecuteTime out of range")
        job = Job(own)
        self.jobs[job.id] = job
        self.threads.append(threading.Thread(target=self.run, args=(job,), daemon=True))
        self.threads[-1].start()
        return {"TrainJobId": job.id}

    def on_GetUAITrainJobList(self, own):
        jobs = [job for job in self.jobs.values() if own["TrainJobId"] in ("", job.id)]
        jobs = jobs[own["Offset"]:][:own["Limit"] or None]
        hidden = ("TrainPublicKey", "TrainPrivateKey")
        told = [{"TrainJobId": job.id, "Status": job.state, "CreateTime": job.created, "StartTime": job.started, "EndTime": job.ended, "ResourceId": "",
                 "LogFileURL": f"http://logs.example.com/{job.id}.log" if job.state in OVER else "", "TrainWorkSrv": [], "TrainPSSrv": None, "BillTotalPrice": 10, "BillUnitPrice": 10,
                 **{name: value for name, value in job.asked.items() if name not in hidden}} for job in jobs]
        return {"TotalCount": len(self.jobs), "DataSet": told or None}

    def on_GetUAITrainRunningInfo(self, own):
        job = self.job(own)
        return {"ExecTime": (job.ended or int(time.time())) - job.started if job.started else 0, "TotalPrice": 1234}

    def on_GetUAITrainRunningLogTopicList(self, own):
        job = self.job(own)
        return {"DataSet": [{"TopicId": f"{job.id}-worker-{node}", "TopicName": f"worker-{node}"} for node in range(len(job.logs))]}

    def on_GetUAITrainRunningLog(self, own):
        job = self.job(own)
        topics = [topic["TopicId"] for topic in self.on_GetUAITrainRunningLogTopicList(own)["DataSet"]]
        if own["LogTopicId"] not in topics:
            raise Refusal(230, "no such topic")
        lines = job.logs[topics.index(own["LogTopicId"])]
        return {"RunningLog": (lines[-LAST_LINES:] if job.state in OVER else lines) or None}

    def on_GetUAITrainTensorboardUrl(self, own):
        if self.job(own).state != "Doing":
            raise Refusal(230, "job is not running")
        return {"TensorboardURL": f"http://tensorboard.example.com/{own['TrainJobId']}"}

    def on_StopUAITrainJob(self, own):
        job = self.job(own)
        if job.state in OVER:
            raise Refusal(230, f"job is {job.state}", wrong=False)
        self.end(job)
        return {}

    def on_RemoveUAITrainJob(self, own):
        if self.job(own).state not in OVER:
            raise Refusal(230, "job is running")
        del self.jobs[own["TrainJobId"]]
        return {}

    def on_GetUAITrainBillInfo(self, own):
        if own["BeginTime"] > own["EndTime"] or own["Limit"] < own["Offset"]:
            raise Refusal(210, "no such stretch")
        jobs = [job for job in self.jobs.values() if job.started and own["BeginTime"] <= job.started <= own["EndTime"]]
        told = [{"TrainJobId": job.id, "TrainJobName": job.name, "TrainJobStatus": job.state, "BillUnitPrice": 10,
                 "ExecuteTime": self.on_GetUAITrainRunningInfo({"TrainJobId": job.id})["ExecTime"], "TotalPrice": 1234} for job in jobs]
        return {"TotalCount": len(told), "TotalExecuteTime": sum(each["ExecuteTime"] for each in told), "TotalPrice": 1234 * len(told),
                "DataSet": told[own["Offset"]:][:own["Limit"] or None] or None}

    def on_ModifyUAITrainJobName(self, own):
        if not JOB_NAME.match(own["TrainJobName"]):
            raise Refusal(230, "invalid job name", wrong=False)
        self.job(own).asked["TrainJobName"] = own["TrainJobName"]
        return {}

    def on_ModifyUAITrainJobMemo(self, own):
        self.job(own).asked["TrainJobMemo"] = own["TrainJobMemo"]
        return {}

    @staticmethod
    def end(job):
        job.stopped = True
        if job.state not in OVER:
            job.state = "Stopping"
        for process in job.processes:
            process.kill()

    # Its machines.

    def below(self, url):
        """Paths below a folder of a bucket or a UFS, and what lies there."""
        if ufs := UFS_PATH.match(url):
            folder = self.ufs[ufs[1]] / ufs[2]
            yield from ((str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*") if path.is_file())
            return
        bucket, _, prefix = UFILE_URL.match(url).groups()
        for key, content in self.buckets[bucket].items():
            if key.startswith(prefix):
                yield key[len(prefix):], content

    def run(self, job):
        while self.held.is_set() and not job.stopped:
            time.sleep(0.01)
        try:
            succeeded = not job.stopped and self.train(job)
        except Exception as error:
            job.lines.append(f"the machine could not start it: {error}")
            succeeded = False
        with self.lock:
            job.ended = int(time.time())
            job.state = "Stopped" if job.stopped else "Done" if succeeded else "Error"

    def train(self, job):
        job.state = "Starting"
        root = self.folder / job.id
        self.unpack(job.asked["CodeUhubPath"], root)
        with self.lock:
            found = {folder: list(self.below(job.asked[name])) if UFILE_URL.match(job.asked[name]) else []
                     for folder, name in (("data", "DataUfilePath"), ("output", "OutputUfilePath"))}
        for folder, objects in found.items():
            (root / "data" / folder).mkdir(parents=True, exist_ok=True)
            for path, content in objects:
                to = root / "data" / folder / path
                if path.endswith("/") or not path:
                    to.mkdir(parents=True, exist_ok=True)
                    continue
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(content)
        with self.lock:
            if job.stopped:
                return False
            job.root, job.started, job.state = root, int(time.time()), "Doing"
            running = [(serves, self.machine(job, variables), node) for serves, variables, node in self.roles_of(job)]
            job.processes = [process for _, process, _ in running]
        succeeded = self.follow(job, running)
        if UFILE_URL.match(job.asked["OutputUfilePath"]):
            bucket, _, prefix = UFILE_URL.match(job.asked["OutputUfilePath"]).groups()
            output = root / "data/output"
            with self.lock:
                for path in output.rglob("*"):
                    if path.is_file():
                        self.buckets[bucket][prefix + str(path.relative_to(output))] = path.read_bytes()
        return succeeded

    @staticmethod
    def follow(job, running):
        """It is over when all who are no servers are."""
        readers = [threading.Thread(target=job.logs[node].extend, args=(process.stdout,), daemon=True) for _, process, node in running]
        for reader in readers:
            reader.start()
        codes = [process.wait() for serves, process, _ in running if not serves]
        for _, process, _ in running:
            process.kill()
        for (_, process, _), reader in zip(running, readers):
            process.wait()
            reader.join()
        return not any(codes)

    def machine(self, job, variables):
        """The command, over /data of the image and its data, with this machine's programs, and its Python 3 as the one that the service runs."""
        gpus = MACHINES[job.asked["TrainWorkId"]][0]
        command = (f"/usr/bin/python {job.asked['DockerCmd']} --num_gpus={gpus} --work_dir=/data --data_dir=/data/data --output_dir=/data/output "
                   "--log_dir=/data/output")
        places = ["--ro-bind", "/usr/bin", "/usr/real", "--symlink", "usr/real", "/bin", "--dir", "/usr/bin", "--symlink", "../real/python3", "/usr/bin/python"]
        for name in ("lib", "lib64"):
            places += ["--ro-bind", f"/usr/{name}", f"/usr/{name}", "--symlink", f"usr/{name}", f"/{name}"]
        sandbox = ["bwrap", *places, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", str(job.root / "data"), "/data", *self.mounts_of(job),
                   "--unshare-pid", "--die-with-parent", "--chdir", "/data", "sh", "-c", command]
        return subprocess.Popen(sandbox, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                env={"PATH": "/usr/bin:/bin", **variables})

    def mounts_of(self, job):
        """A UFS is mounted, not copied. Nodes find each other on loopback; one alone has no network."""
        words = [] if job.asked["TrainWorkAmount"] > 1 else ["--unshare-net"]
        for name, at in (("DataUfilePath", "/data/data"), ("OutputUfilePath", "/data/output")):
            if ufs := UFS_PATH.match(job.asked[name]):
                words += ["--bind", str(self.ufs[ufs[1]] / ufs[2]), at]
        return words

    def roles_of(self, job):
        """Of each process whether it is a server, what it finds in its environment, and its node."""
        nodes = job.asked["TrainWorkAmount"]
        if nodes == 1:
            return [(False, {}, 0)]
        framework = {number: name for name, number in FRAMEWORKS.items()}[job.asked["DistAIFrame"]]
        return getattr(self, "roles_of_" + framework)([f"127.0.0.{node + 1}" for node in range(nodes)], MACHINES[job.asked["TrainWorkId"]][0])

    @staticmethod
    def roles_of_tensorflow(hosts, gpus):
        cluster = {"master": [f"{hosts[0]}:7001"], "ps": [f"{host}:7000" for host in hosts], "worker": [f"{host}:7001" for host in hosts[1:]]}
        tasks = [("ps", index) for index in range(len(hosts))] + [("master", 0)] + [("worker", index) for index in range(len(hosts) - 1)]
        return [(kind == "ps", {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}, "environment": "cloud"})},
                 index + (kind == "worker")) for kind, index in tasks]

    @staticmethod
    def roles_of_mxnet(hosts, gpus):
        common = {"DMLC_PS_ROOT_URI": hosts[0], "DMLC_PS_ROOT_PORT": "7002", "DMLC_NUM_WORKER": str(len(hosts)), "DMLC_NUM_SERVER": str(len(hosts)),
                  "PS_VERBOSE": "1", "UAI_HOSTS": ",".join(hosts)}
        roles = [("scheduler", 0)] + [(role, node) for node in range(len(hosts)) for role in ("server", "worker")]
        return [(role != "worker", {**common, "DMLC_ROLE": role}, node) for role, node in roles]

    @staticmethod
    def roles_of_pytorch(hosts, gpus):
        return [(False, {"MASTER_ADDR": hosts[0], "MASTER_PORT": "7003", "RANK": str(rank), "WORKER_NUM": str(len(hosts)), "WORKER_GPU_NUM": str(gpus)}, rank)
                for rank in range(len(hosts))]

    def unpack(self, image, root):
        repository, tag = UHUB.match(image).groups()
        root.mkdir(parents=True)

        def get(path, accept="*/*"):
            asked = urllib.request.Request(f"http://127.0.0.1:{self.hub}/v2/{repository}/{path}", headers={"Accept": accept})
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return answer.read()

        for layer in json.loads(get(f"manifests/{tag}", MANIFESTS))["layers"]:
            with tarfile.open(fileobj=io.BytesIO(get(f"blobs/{layer['digest']}"))) as tar:
                tar.extractall(root)
