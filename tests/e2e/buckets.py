"""Real S3 services on loopback, somebody who reads and writes there beside trainmake, and a proxy that counts and breaks. Each stops with its `with` block.

Knows nothing of what trainmake keeps: a bucket is keys and bytes.
"""

import contextlib
import datetime
import hashlib
import hmac
import http.client
import http.server
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import urllib.parse
import xml.etree.ElementTree

from registries import DEADLINE_S, built, free_port, listens
from story import eventually

KEY, SECRET, REGION = "a-key-of-tests", "a-secret-that-nobody-may-read-in-any-message", "us-east-1"
ENV = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true"}
BOTO3 = ("boto3==1.44.5", "botocore==1.44.5")


def python_with(name, *requirements):
    """A python that has these, made when it is not there."""
    script = pathlib.Path(__file__).resolve().parents[1] / "servers/python.sh"
    return subprocess.run(["sh", str(script), name, *requirements], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@contextlib.contextmanager
def service(kind, where=None):
    """MinIO or versitygw, empty; gives its port. It ends with whoever started it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bucket-", dir=where))
    data, port = folder / "data", free_port()
    data.mkdir()
    address = f"127.0.0.1:{port}"
    words = {"minio": ["server", "--quiet", "--address", address, str(data)],
             "versitygw": ["--access", KEY, "--secret", SECRET, "--region", REGION, "--port", address, "--quiet", "posix", str(data)]}[kind]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off"}
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", built(kind), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
    try:
        eventually(lambda: listens(port, child, folder / "log") and answers(port), "it does not listen")
        yield port
    finally:
        child.terminate()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)


def answers(port):
    """MinIO listens before it knows who it is."""
    try:
        return ask(port, "GET", "/")[0] == 200
    except OSError:
        return False


def ask(port, method, path, query="", body=b"", headers=()):
    """One signed request: (status, headers, bytes). The path is as it is, the query encoded and in order."""
    path, now = urllib.parse.quote(path), datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(body).hexdigest()
    told = {"host": f"127.0.0.1:{port}", "x-amz-content-sha256": digest, "x-amz-date": now, **dict(headers)}
    names = ";".join(sorted(told))
    canonical = "\n".join([method, path, query, *(f"{name}:{told[name]}" for name in sorted(told)), "", names, digest])
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    told["Authorization"] = f"AWS4-HMAC-SHA256 Credential={KEY}/{scope}, SignedHeaders={names}, Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_S)
    try:
        connection.request(method, path + (f"?{query}" if query else ""), body=body or None, headers=told)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


class Bucket:
    """A bucket as somebody else sees it."""

    def __init__(self, port, name, make=True):
        self.port, self.name = port, name
        if make:
            self.ask("PUT", "")

    def ask(self, method, key, query="", body=b""):
        status, _, answer = ask(self.port, method, f"/{self.name}/{key}" if key else f"/{self.name}", query, body)
        assert status < 300, f"{method} {key}: {status} {answer.decode()}"
        return answer

    def read(self, key):
        return self.ask("GET", key)

    def write(self, key, content):
        self.ask("PUT", key, body=content)

    def remove(self, key):
        self.ask("DELETE", key)

    def exists(self):
        return ask(self.port, "HEAD", f"/{self.name}")[0] == 200

    def keys(self):
        """Every key, but what trainmake keeps there for itself."""
        found, more = [], ""
        while True:
            answer = xml.etree.ElementTree.fromstring(self.ask("GET", "", query=f"{more}list-type=2"))
            space = answer.tag.partition("}")[0] + "}"
            found += [entry.findtext(f"{space}Key") for entry in answer.iter(f"{space}Contents")]
            token = answer.findtext(f"{space}NextContinuationToken")
            if not token:
                return sorted(key for key in found if ".trainmake" not in key.split("/"))
            more = f"continuation-token={urllib.parse.quote(token, safe='')}&"

    def objects(self):
        return {key: self.read(key) for key in self.keys()}


class Request:
    """One that came to the proxy: `sent` bytes of its body, and the status that it got, or how it was cut."""

    def __init__(self, method, url):
        self.method, (path, _, self.query) = method, url.partition("?")
        self.path, self.sent, self.answer, self.range, self.if_match = urllib.parse.unquote(path), 0, None, None, None

    def __repr__(self):
        return f"{self.method} {self.path}{'?' if self.query else ''}{self.query} ({self.sent} bytes) → {self.answer}"

    @property
    def kind(self):
        return "list" if "list-type=2" in self.query else self.method.lower()

    @property
    def is_kept_for_itself(self):
        return ".trainmake" in self.path.split("/")


SLOW = b'<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>'


class Proxy:
    """Passes requests on to a service behind it. `fault(request, number)` may say a status to answer with in its place, or where to cut: "before" the
    body, in the "middle" of it, "after" it, once the service has done it and its answer is "lost", or after "half" of that. What a strict service would refuse is an error at the end."""

    FAULTS = (500, 503, "before", "middle", "after", "lost")

    def __init__(self, behind, fault=None):
        self.behind, self.fault, self.requests, self.number, self.wrong, self.lock = behind, fault, [], 0, [], threading.Lock()
        self.change = None  # what becomes of the bytes of an answer

    def __enter__(self):
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1
            upstream = None

            def log_message(self, *words):
                pass

            def cut(self, request, how):
                request.answer = how
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)

            def take_body(self, request, size):
                pieces = []
                while request.sent < size:
                    piece = self.rfile.read1(min(1 << 18, size - request.sent))
                    if not piece:
                        break
                    request.sent += len(piece)
                    pieces.append(piece)
                return b"".join(pieces)

            def serve(self):
                request = Request(self.command, self.path)
                request.range, request.if_match = self.headers.get("Range"), self.headers.get("If-Match")
                with proxy.lock:
                    proxy.requests.append(request)
                    proxy.number += 1
                    number = proxy.number
                fault = proxy.fault(request, number) if proxy.fault else None
                size = int(self.headers.get("Content-Length") or 0)
                if fault == "before":
                    return self.cut(request, fault)
                body = self.take_body(request, size // 2 if fault == "middle" else size)
                if fault in ("middle", "after"):
                    return self.cut(request, fault)
                if len(body) < size:
                    return self.cut(request, "torn")
                proxy.check(request, self.headers, body)
                status, headers, content = (fault, [], SLOW if fault == 503 else b"") if isinstance(fault, int) else self.pass_on(body)
                if fault == "lost":
                    return self.cut(request, fault)
                if proxy.change:
                    content = proxy.change(request, content)
                request.answer = status
                self.send_response_only(status)
                for name, value in headers:
                    if name.lower() not in ("transfer-encoding", "connection", "content-length"):
                        self.send_header(name, value)
                told = dict((name.lower(), value) for name, value in headers).get("content-length", "0") if self.command == "HEAD" else str(len(content))
                if status != 204:
                    self.send_header("Content-Length", told)
                self.end_headers()
                if fault == "half":
                    self.wfile.write(content[:len(content) // 2])
                    return self.cut(request, fault)
                self.wfile.write(content)
                return None

            def pass_on(self, body):
                if self.upstream is None:
                    self.upstream = http.client.HTTPConnection("127.0.0.1", proxy.behind, timeout=DEADLINE_S)
                self.upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        self.upstream.putheader(name, value)
                self.upstream.endheaders(body or None)
                answer = self.upstream.getresponse()
                return answer.status, answer.getheaders(), answer.read()

            def finish(self):
                with contextlib.suppress(OSError):
                    super().finish()
                if self.upstream is not None:
                    self.upstream.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *connection):
                pass  # whoever was killed goes away in the middle

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind, *trouble):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()
        assert kind or not self.wrong, self.wrong

    def check(self, request, headers, body):
        """Every request is signed, with the digest of its body."""
        if not (headers.get("Authorization") or "").startswith("AWS4-HMAC-SHA256 "):
            self.wrong.append(f"{request}: it is not signed")
        if headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
            self.wrong.append(f"{request}: {headers.get('x-amz-content-sha256')} is not the digest of its body")

    def take(self):
        """The requests since the last call; from then on they are counted from 1."""
        with self.lock:
            taken, self.requests, self.number = self.requests, [], 0
        return taken


def sent(requests):
    return sum(request.sent for request in requests)
