"""Real registries on loopback, and a proxy in front of one that counts, cuts and refuses. Each stops with its `with` block."""

import base64
import contextlib
import http.client
import http.server
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from story import eventually

DEADLINE_S = 30
PASSWORD = "open sesame"
HTPASSWD = "somebody:$2y$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n"  # its bcrypt


def program(name):
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin")
    assert found, f"{name} is not installed: sh tests/deps.sh test"
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port, child, log):
    assert child.poll() is None, f"it ended: {pathlib.Path(log).read_text()[-2000:]}"
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def registry(extra=""):
    """Debian's docker-registry, empty. Gives its port. `extra` is more of its configuration."""
    folder = pathlib.Path(tempfile.mkdtemp())
    port = free_port()
    (folder / "htpasswd").write_text(HTPASSWD)
    (folder / "config.yml").write_text(
        f"version: 0.1\nlog: {{ level: error }}\nstorage:\n  filesystem: {{ rootdirectory: {folder}/data }}\n  delete: {{ enabled: true }}\n"
        f"http: {{ addr: 127.0.0.1:{port} }}\n" + extra.format(folder=folder))
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen([program("docker-registry"), "serve", str(folder / "config.yml")], stdout=log, stderr=log)
    try:
        eventually(lambda: listens(port, child, folder / "log"), "it does not listen")
        yield port
    finally:
        child.terminate()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)


BASIC = "auth: {{ htpasswd: {{ realm: here, path: {folder}/htpasswd }} }}\n"


class Proxy:
    """Passes requests on to a registry. `fault(method, path, number)` may say "cut" (after half of the body), or a status to answer in its place."""

    def __init__(self, behind, fault=None):
        self.behind, self.fault, self.requests, self.bytes_sent = behind, fault, [], 0
        self.lock = threading.Lock()

    def __enter__(self):
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words):
                pass

            def serve(self):
                with proxy.lock:
                    proxy.requests.append((self.command, self.path))
                    number = len(proxy.requests)
                fault = proxy.fault(self.command, self.path, number) if proxy.fault else None
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size // 2 if fault == "cut" else size)
                proxy.bytes_sent += len(body)
                if fault == "cut":
                    self.close_connection = True
                    self.connection.close()
                    return
                if isinstance(fault, int):
                    self.send_response(fault)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                upstream = http.client.HTTPConnection("127.0.0.1", proxy.behind, timeout=DEADLINE_S)
                upstream.request(self.command, self.path, body=body, headers=dict(self.headers))
                answer = upstream.getresponse()
                content = answer.read()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", answer.getheader("Content-Length", str(len(content))))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *trouble):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def take(self):
        """The requests since the last call, and the bytes that came with them."""
        with self.lock:
            taken, self.requests = self.requests, []
            sent, self.bytes_sent = self.bytes_sent, 0
        return taken, sent


def inspect(port, name, *more):
    """What skopeo reads of an image."""
    done = subprocess.run([program("skopeo"), "inspect", "--tls-verify=false", *more, f"docker://127.0.0.1:{port}/{name}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def unpacked(source, folder):
    """The root folder that umoci makes of an image, given as skopeo names it."""
    subprocess.run([program("skopeo"), "copy", "-q", "--src-tls-verify=false", source, f"oci:{folder}/layout:it"], check=True)
    subprocess.run([program("umoci"), "unpack", "--rootless", "--image", f"{folder}/layout:it", f"{folder}/bundle"], check=True, capture_output=True)
    return pathlib.Path(folder) / "bundle/rootfs"


def login_file(port, password=PASSWORD):
    return json.dumps({"auths": {f"127.0.0.1:{port}": {"auth": base64.b64encode(f"somebody:{password}".encode()).decode()}}})


class TokenService:
    """Gives tokens for a login, signed as docker-registry wants them: by a key whose certificate goes along."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=tokens", "-days", "2", "-keyout", str(self.folder / "key.pem"),
                        "-out", str(self.folder / "cert.pem")], check=True, capture_output=True)
        self.asked = []
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *words):
                pass

            def do_GET(self):
                wanted = base64.b64encode(f"somebody:{PASSWORD}".encode()).decode()
                query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
                service.asked.append(query.get("scope", []))
                if self.headers.get("Authorization") != f"Basic {wanted}":
                    self.send_response(401)
                    self.end_headers()
                    return
                body = json.dumps({"token": service.token(query)}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *trouble):
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def configuration(self):
        return (f"auth:\n  token:\n    realm: http://127.0.0.1:{self.port}/token\n    service: here\n    issuer: tokens\n"
                f"    rootcertbundle: {self.folder}/cert.pem\n")

    def token(self, query):
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        certificate = "".join((self.folder / "cert.pem").read_text().splitlines()[1:-1])
        parts = ({"typ": "JWT", "alg": "RS256", "x5c": [certificate]},
                 {"iss": "tokens", "sub": "somebody", "aud": "here", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": str(now), "access": access})
        text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.folder / "key.pem")], input=text, check=True, capture_output=True).stdout
        return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()
