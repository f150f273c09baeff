"""Real registries on loopback, and a proxy in front of one that counts, cuts and refuses. Each stops with its `with` block."""

import base64
import contextlib
import hashlib
import http.client
import http.server
import io
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tarfile
import tempfile
import threading
import time
import urllib.parse
import urllib.request

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


def built(name):
    """A program that tests/servers/build.sh has built."""
    here = pathlib.Path(__file__).resolve().parents[1] / "servers"
    lines = [(of, line) for of in ("versions", "bench_versions") for line in (here / of).read_text().splitlines() if line and not line.startswith("#")]
    versions, lists = dict(line.split() for _, line in lines), {line.split()[0]: of for of, line in lines}
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "trainmake-tests"
    path = cache / f"{name}-{versions[name].rpartition('@')[2]}"
    assert path.exists(), f"{name} is not built: sh tests/servers/build.sh {lists[name]}"
    return str(path)


@contextlib.contextmanager
def registry(extra="", kind="debian", tls=None):
    """A registry, empty: Debian's docker-registry 2.8, "distribution" (v3), or go-containerregistry's "memory". Gives its port. `extra` is more of its
    configuration, `tls` the Authority that vouches for it; "memory" takes neither."""
    folder = pathlib.Path(tempfile.mkdtemp())
    port = free_port()
    if kind == "memory":
        assert not extra and not tls, "put a Proxy in front of it"
        words = [built("registry"), "-port", str(port)]
    else:
        (folder / "htpasswd").write_text(HTPASSWD)
        secured = f", tls: {{ certificate: {tls.certificate}, key: {tls.key} }}" if tls else ""
        (folder / "config.yml").write_text(
            f"version: 0.1\nlog: {{ level: error }}\nstorage:\n  filesystem: {{ rootdirectory: {folder}/data }}\n  delete: {{ enabled: true }}\n"
            f"http: {{ addr: 127.0.0.1:{port}{secured} }}\n" + extra.format(folder=folder))
        words = [program("docker-registry") if kind == "debian" else built("distribution"), "serve", str(folder / "config.yml")]
    with open(folder / "log", "wb") as log:
        child = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "OTEL_TRACES_EXPORTER": "none"})
    try:
        eventually(lambda: listens(port, child, folder / "log"), "it does not listen")
        yield port
    finally:
        child.terminate()
        child.wait()
        shutil.rmtree(folder, ignore_errors=True)


class Authority:
    """Somebody whom no machine trusts, and a certificate of his for this one."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        self.ca, self.certificate, self.key = (self.folder / name for name in ("ca.crt", "server.crt", "server.key"))

        def openssl(*words):
            subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *new_key, "-days", "2", "-subj", "/CN=nobody knows me", "-keyout", self.folder / "ca.key", "-out", self.ca)
        openssl("req", *new_key, "-subj", "/CN=here", "-keyout", self.key, "-out", self.folder / "server.csr")
        (self.folder / "names").write_text("subjectAltName = IP:127.0.0.1, DNS:localhost\n")
        openssl("x509", "-req", "-in", self.folder / "server.csr", "-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", "2",
                "-extfile", self.folder / "names", "-out", self.certificate)
        return self

    def __exit__(self, *trouble):
        shutil.rmtree(self.folder, ignore_errors=True)


BASIC = "auth: {{ htpasswd: {{ realm: here, path: {folder}/htpasswd }} }}\n"


class Proxy:
    """Passes requests on to a registry. `fault(method, path, number)` may say "cut" (after half of the body), a status to answer in its place, or
    bytes to give in place of the answer's. With `login`, whoever does not say it is asked for it; with `tls`, an Authority vouches for it; with `most`,
    it takes no larger body."""

    def __init__(self, behind, fault=None, login=None, tls=None, most=None):
        self.behind, self.fault, self.login, self.tls, self.most, self.requests, self.bytes_sent = behind, fault, login, tls, most, [], 0
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
                if proxy.most and size > proxy.most:
                    fault = 413
                if proxy.login and self.headers.get("Authorization") != f"Basic {base64.b64encode(proxy.login.encode()).decode()}":
                    fault = 401
                if isinstance(fault, int):
                    self.send_response(fault)
                    if proxy.login:
                        self.send_header("WWW-Authenticate", 'Basic realm="here"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                upstream = http.client.HTTPConnection("127.0.0.1", proxy.behind, timeout=DEADLINE_S)
                upstream.request(self.command, self.path, body=body, headers=dict(self.headers))
                answer = upstream.getresponse()
                content = answer.read()
                if isinstance(fault, bytes):
                    content = fault
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)) if self.command != "HEAD" else answer.getheader("Content-Length", "0"))
                self.end_headers()
                self.wfile.write(content)
                upstream.close()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *connection: None  # whoever does not trust us goes away in the middle
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.tls.certificate, self.tls.key)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
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
    """Gives tokens for a login, signed as the registry wants them: by a key whose certificate goes along, or with `jwks` by one that it is told of."""

    def __init__(self, jwks=False):
        self.jwks = jwks

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp())
        kind = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1") if self.jwks else ("-newkey", "rsa:2048")
        subprocess.run(["openssl", "req", "-x509", *kind, "-nodes", "-subj", "/CN=tokens", "-days", "2", "-keyout", str(self.folder / "key.pem"),
                        "-out", str(self.folder / "cert.pem")], check=True, capture_output=True)
        if self.jwks:
            point = subprocess.run(["openssl", "pkey", "-in", str(self.folder / "key.pem"), "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout[-64:]
            key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "tokens", "x": base64url(point[:32]), "y": base64url(point[32:])}
            (self.folder / "jwks.json").write_text(json.dumps({"keys": [key]}))
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
        trusted = f"jwks: {self.folder}/jwks.json" if self.jwks else f"rootcertbundle: {self.folder}/cert.pem"
        return f"auth:\n  token:\n    realm: http://127.0.0.1:{self.port}/token\n    service: here\n    issuer: tokens\n    {trusted}\n"

    def token(self, query):
        access = []
        for scope in query.get("scope", []):
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        now = int(time.time())
        certificate = "".join((self.folder / "cert.pem").read_text().splitlines()[1:-1])
        head = {"typ": "JWT", "alg": "ES256", "kid": "tokens"} if self.jwks else {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        claims = {"iss": "tokens", "sub": "somebody", "aud": "here", "exp": now + 300, "nbf": now - 10, "iat": now, "jti": str(now), "access": access}
        text = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self.folder / "key.pem")], input=text.encode(), check=True, capture_output=True).stdout
        return f"{text}.{base64url(raw_signature(signature) if self.jwks else signature)}"


def base64url(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def raw_signature(der):
    """The two numbers of an ECDSA signature, side by side, as JWS has them."""
    numbers, at = b"", 2
    for _ in range(2):
        size = der[at + 1]
        numbers += der[at + 2:at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + size
    return numbers


def push_base(port, name, tag, programs=()):
    """A base of one layer with a file of its own, for amd64; `programs` are more of them, by path."""
    def ask(method, path, body=b"", kind="application/octet-stream"):
        asked = urllib.request.Request(urllib.parse.urljoin(f"http://127.0.0.1:{port}/v2/{name}/", path), data=body, method=method, headers={"Content-Type": kind})
        with urllib.request.urlopen(asked, timeout=DEADLINE_S) as answer:
            return answer.headers

    def blob(kind, content):
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        at = ask("POST", "blobs/uploads/")["Location"]
        ask("PUT", at + ("&" if "?" in at else "?") + "digest=" + digest, content)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": digest, "size": len(content)}

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("etc/base")
        entry.size = len(name)
        tar.addfile(entry, io.BytesIO(name.encode()))
        for path, content in dict(programs).items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    layer = packed.getvalue()
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": blob("config.v1+json", json.dumps(config).encode()), "layers": [blob("layer.v1.tar", layer)]}
    ask("PUT", f"manifests/{tag}", json.dumps(manifest).encode(), manifest["mediaType"])
