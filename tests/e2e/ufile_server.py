"""UCloud's object store on loopback, as strict as the vendor's: signatures, digests, names, numbers and sizes of parts. And its API, which makes buckets.

A request that no client may send is kept in `wrong`, beside being refused. Knows nothing of what trainmake keeps: a bucket is keys and bytes.
"""

import base64
import hashlib
import hmac
import http.server
import json
import re
import struct
import threading
import urllib.parse
import uuid

PUBLIC, PRIVATE = "TOKEN-a-public-key@example.com", "a-private-key-that-nobody-may-read-in-any-message"
ENV = {"UCLOUD_PUBLIC_KEY": PUBLIC, "UCLOUD_PRIVATE_KEY": PRIVATE}
BLOCK = 4 << 20
TRUSTED_HEADERS = re.compile(r"x-ufile-(meta-[a-z0-9-]+|copy-source(-range)?|metadata-directive|storage-class)$")

NO_BUCKET, NO_OBJECT, WRONG_SIGNATURE, WRONG_REQUEST = -30010, -148654, -148658, -148643


def etag(content):
    """What the service calls an object."""
    blocks = [hashlib.sha1(content[at:at + BLOCK]).digest() for at in range(0, len(content) or 1, BLOCK)]
    digest = blocks[0] if len(blocks) == 1 else hashlib.sha1(b"".join(blocks)).digest()
    return base64.urlsafe_b64encode(struct.pack("<I", len(blocks)) + digest).decode()


def part_tag(content):
    return base64.urlsafe_b64encode(hashlib.sha1(content).digest()).decode()


class Refused(Exception):
    def __init__(self, status, code, message, wrong=None):
        super().__init__(message)
        self.status, self.code, self.message, self.wrong = status, code, message, wrong


class UfileServer:
    """`fault(method, target, number)` may say "cut" (after half of the body), "lost" (it is done, and nobody hears), "empty" (nothing is done, and answered with
    200 and nothing else), or a status to answer in its place.
    A bucket is a dict of keys to bytes."""

    def __init__(self, *buckets, suffix=None, fault=None):
        self.buckets = {name: {} for name in buckets}
        self.metadata, self.uploads, self.made = {}, {}, []
        self.suffix, self.fault, self.wrong, self.requests, self.bytes_sent, self.page = suffix, fault, [], [], 0, 1000
        self.lock = threading.Lock()

    def __enter__(self):
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *words):
                pass

            def serve(self):
                service.serve(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *connection: None  # whoever was cut
        self.port = self.server.server_address[1]
        self.suffix = self.suffix or f"127.0.0.1:{self.port}"
        self.suffix = self.suffix.format(port=self.port)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *trouble):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def take(self):
        """The requests since the last call, as METHOD and target, and the bytes that came with them."""
        with self.lock:
            taken, self.requests = self.requests, []
            sent, self.bytes_sent = self.bytes_sent, 0
        return taken, sent

    def objects(self, bucket):
        """What lies there, less what trainmake keeps for itself."""
        return {key: content for key, content in self.buckets[bucket].items() if ".trainmake" not in key.split("/")}

    # One request.

    def serve(self, asked):
        with self.lock:
            self.requests.append((asked.command, asked.path))
            number = len(self.requests)
        fault = self.fault(asked.command, asked.path, number) if self.fault else None
        size = int(asked.headers.get("Content-Length") or 0)
        body = asked.rfile.read(size // 2 if fault == "cut" else size)
        with self.lock:
            self.bytes_sent += len(body)
        if fault == "cut":
            return self.hang_up(asked)
        try:
            if isinstance(fault, int):
                raise Refused(fault, -1, "told to refuse")
            with self.lock:
                status, headers, answer = (200, {}, b"") if fault == "empty" else self.perform(asked, body)
        except Refused as refused:
            if refused.wrong:
                self.wrong.append(f"{asked.command} {asked.path}: {refused.wrong}")
            status, headers = refused.status, {"Content-Type": "application/json", "X-SessionId": str(uuid.uuid4())}
            answer = json.dumps({"RetCode": refused.code, "ErrMsg": refused.message}).encode()
        except Exception as error:  # of the stand-in itself, which nobody would see
            self.wrong.append(f"{asked.command} {asked.path}: {error!r}")
            raise
        if fault == "lost":
            return self.hang_up(asked)
        asked.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            asked.send_header(name, value)
        asked.end_headers()
        if asked.command != "HEAD":
            asked.wfile.write(answer)
        return None

    @staticmethod
    def hang_up(asked):
        asked.close_connection = True
        asked.connection.close()

    def perform(self, asked, body):
        host = asked.headers.get("Host", "")
        target = urllib.parse.urlsplit(asked.path)
        if asked.command == "POST" and host == f"127.0.0.1:{self.port}" and target.path == "/api/":
            return self.call(asked, body)
        bucket, dot, suffix = host.partition(".")
        if not dot or suffix != self.suffix:
            raise Refused(400, WRONG_REQUEST, "no such host", f"host {host}")
        key = urllib.parse.unquote(target.path[1:], errors="surrogateescape")
        query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True))
        self.check(asked, body, bucket, key, query)
        if bucket not in self.buckets:
            raise Refused(404, NO_BUCKET, "bucket not exist")
        if key == "":
            return self.of_bucket(asked, bucket, query)
        return self.of_upload(asked, body, bucket, key, query) if {"uploads", "uploadId"} & query.keys() else self.of_object(asked, body, bucket, key, query)

    def check(self, asked, body, bucket, key, query):
        headers = {name.lower(): value for name, value in asked.headers.items()}
        presigned = "Signature" in query
        when = query.pop("Expires", "") if presigned else headers.get("date", "")
        lines = [asked.command, headers.get("content-md5", ""), headers.get("content-type", ""), when]
        resource = f"/{bucket}/{key}"
        forms = ["\n".join([*lines, resource])]
        if "listobjects" in query:  # the vendor's Python client signs more than others there
            forms.append(forms[0] + "\nlistobjects\n" + "\n".join(f"{name}:{query.get(name, '')}" for name in ("delimiter", "marker", "max-keys", "prefix")))
        right = [base64.b64encode(hmac.new(PRIVATE.encode(), form.encode(errors="surrogateescape"), hashlib.sha1).digest()).decode() for form in forms]
        said = (query.pop("UCloudPublicKey", None), query.pop("Signature")) if presigned else self.authorization(headers)
        if said[0] != PUBLIC or said[1] not in right:
            raise Refused(403, WRONG_SIGNATURE, "invalid signature")
        if headers.get("content-md5", digest := hashlib.md5(body).hexdigest()) != digest:
            raise Refused(400, WRONG_REQUEST, "md5 mismatch", "its body is not what its MD5 says")
        if any(name.startswith("x-ucloud-") or name.startswith("x-ufile-") and not TRUSTED_HEADERS.match(name) for name in headers):
            raise Refused(400, WRONG_REQUEST, "unknown header", f"headers {sorted(headers)}")
        try:
            name = key.encode()
        except UnicodeEncodeError:
            raise Refused(400, WRONG_REQUEST, "invalid key", "a key that is no UTF-8") from None
        if len(name) > 1023 or key.startswith(("/", "\\")):
            raise Refused(400, WRONG_REQUEST, "invalid key", f"key {key!r}")
        if asked.command in ("PUT", "POST") and "Content-Length" not in asked.headers:
            raise Refused(411, WRONG_REQUEST, "no length", "a body without its length")
        if len(body) > 512 << 20:
            raise Refused(400, WRONG_REQUEST, "too large", "a body of more than 512 MB")

    @staticmethod
    def authorization(headers):
        scheme, _, rest = headers.get("authorization", "").partition(" ")
        return rest.rsplit(":", 1) if scheme == "UCloud" and ":" in rest else (None, None)

    def of_bucket(self, asked, bucket, query):
        objects = self.buckets[bucket]
        if asked.command != "GET":
            raise Refused(405, WRONG_REQUEST, "method not allowed", "of a bucket")
        if "muploadpart" in query:
            upload = self.uploads.get(query.get("uploadId"))
            if not upload:
                raise Refused(404, NO_OBJECT, "upload id not exist")
            parts = [{"PartNum": number, "Etag": part_tag(part), "Size": len(part), "LastModified": 0} for number, part in sorted(upload["parts"].items())]
            return self.say({"Bucket": bucket, "Key": upload["key"], "UploadId": query["uploadId"], "Parts": parts, "IsTruncated": False, "NextPartNumberMarker": 0})
        by_objects = "listobjects" in query
        if not by_objects and "list" not in query:
            raise Refused(405, WRONG_REQUEST, "method not allowed", "of a bucket")
        most = int(query.get("max-keys", 100) if by_objects else query.get("limit", 20))
        if not 1 <= most <= 1000 or query.get("delimiter", "") not in ("", "/"):
            raise Refused(400, WRONG_REQUEST, "invalid parameter", f"a list of {query}")
        found = [key for key in sorted(objects, key=str.encode) if key.startswith(query.get("prefix", "")) and key.encode() > query.get("marker", "").encode()]
        page = found[:min(most, self.page)]
        more = len(page) < len(found)
        if not by_objects:
            entries = [{"BucketName": bucket, "FileName": key, "Hash": etag(objects[key]), "MimeType": "", "Size": len(objects[key])} for key in page]
            return self.say({"BucketName": bucket, "BucketId": bucket, "NextMarker": page[-1] if more else "", "DataSet": entries})
        contents = [{"Key": key, "MimeType": "", "ETag": f'"{etag(objects[key])}"', "Size": str(len(objects[key])), "StorageClass": "STANDARD", "LastModified": 0,
                     "CreateTime": 0, "UserMeta": {}} for key in page]
        # In no order to count on, and with a marker that is not the last key.
        return self.say({"Name": bucket, "Prefix": query.get("prefix", ""), "MaxKeys": str(most), "IsTruncated": more, "NextMarker": page[0] if more else "",
                         "Contents": contents[::-1], "CommonPrefixes": []})

    def of_object(self, asked, body, bucket, key, query):
        objects = self.buckets[bucket]
        if query:
            raise Refused(400, WRONG_REQUEST, "invalid parameter", f"a query {query}")
        if asked.command == "PUT":
            if source := asked.headers.get("X-Ufile-Copy-Source"):
                where, name = self.source(source)
                if body or len(self.buckets[where][name]) > 100_000_000:
                    raise Refused(400, WRONG_REQUEST, "invalid copy", "a copy of more than 100 MB, or with a body")
                objects[key], self.metadata[bucket, key] = self.buckets[where][name], self.metadata.get((where, name), {})
            else:
                objects[key], self.metadata[bucket, key] = body, self.user_metadata(asked)
            return 200, {"ETag": f'"{etag(objects[key])}"'}, b""
        if key not in objects:
            raise Refused(404, NO_OBJECT, "file not exist")
        if asked.command == "DELETE":
            del objects[key]
            return 204, {}, b""
        if asked.command not in ("GET", "HEAD"):
            raise Refused(405, WRONG_REQUEST, "method not allowed", "of an object")
        headers = {"ETag": f'"{etag(objects[key])}"', "Last-Modified": asked.date_time_string(), "Content-Type": "application/octet-stream"}
        return 200, {**headers, **self.metadata.get((bucket, key), {})}, objects[key]

    def of_upload(self, asked, body, bucket, key, query):
        if asked.command == "POST" and "uploads" in query:
            name = str(uuid.uuid4())
            self.uploads[name] = {"bucket": bucket, "key": key, "metadata": self.user_metadata(asked), "parts": {}}
            return self.say({"UploadId": name, "BlkSize": BLOCK, "Bucket": bucket, "Key": key})
        name = query.get("uploadId")
        upload = self.uploads.get(name)
        if not upload or (upload["bucket"], upload["key"]) != (bucket, key):
            raise Refused(404, NO_OBJECT, "upload id not exist")
        if asked.command == "DELETE":
            del self.uploads[name]
            return 200, {}, b""
        if asked.command == "PUT":
            return self.put_part(asked, body, upload, query)
        if asked.command != "POST":
            raise Refused(405, WRONG_REQUEST, "method not allowed", "of an upload")
        tags = [tag.strip('"') for tag in body.decode().split(",")]
        parts = [upload["parts"].get(number) for number in range(len(tags))]
        if len(parts) != len(upload["parts"]) or None in parts or [part_tag(part) for part in parts] != tags:
            raise Refused(400, WRONG_REQUEST, "invalid parts", f"parts {sorted(upload['parts'])} as {len(tags)} tags")
        if any(len(part) != BLOCK for part in parts[:-1]):
            raise Refused(400, WRONG_REQUEST, "invalid part size", f"parts of {[len(part) for part in parts]}")
        content = b"".join(parts)
        self.buckets[bucket][key], self.metadata[bucket, key] = content, upload["metadata"]
        del self.uploads[name]
        status, headers, answer = self.say({"Bucket": bucket, "Key": key, "FileSize": len(content)})
        return status, {**headers, "ETag": f'"{etag(content)}"'}, answer

    def put_part(self, asked, body, upload, query):
        if not re.fullmatch(r"\d+", query.get("partNumber", "")):
            raise Refused(400, WRONG_REQUEST, "invalid part number", "a part without a number")
        if source := asked.headers.get("X-Ufile-Copy-Source"):
            where, name = self.source(source)
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("X-Ufile-Copy-Source-Range", ""))
            content = self.buckets[where][name]
            if not found or not int(found[1]) <= int(found[2]) < len(content):
                raise Refused(419, WRONG_REQUEST, "invalid range")
            body = content[int(found[1]):int(found[2]) + 1]
        if not 0 < len(body) <= BLOCK:
            raise Refused(400, WRONG_REQUEST, "invalid part size", f"a part of {len(body)}")
        number = int(query["partNumber"])
        upload["parts"][number] = body
        status, headers, answer = self.say({"PartNumber": number})
        return status, {**headers, "ETag": f'"{part_tag(body)}"'}, answer

    def source(self, named):
        bucket, _, key = urllib.parse.unquote(named).removeprefix("/").partition("/")
        if key not in self.buckets.get(bucket, {}):
            raise Refused(404, NO_OBJECT, "file not exist")
        return bucket, key

    @staticmethod
    def user_metadata(asked):
        return {name: value for name, value in asked.headers.items() if name.lower().startswith("x-ufile-meta-")}

    @staticmethod
    def say(document):
        return 200, {"Content-Type": "application/json"}, json.dumps(document).encode()

    # The API.

    def call(self, asked, body):
        parameters = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
        signature = parameters.pop("Signature", None)
        signed = "".join(name + parameters[name] for name in sorted(parameters)) + PRIVATE
        if asked.headers.get("Content-Type") != "application/x-www-form-urlencoded" or parameters.get("PublicKey") != PUBLIC:
            return self.refuse_call(172, "no such user")
        if signature != hashlib.sha1(signed.encode()).hexdigest():
            return self.refuse_call(171, "Signature VerifyAC Error")
        if parameters.get("Action") != "CreateBucket":
            return self.refuse_call(161, "no such action")
        name = parameters.get("BucketName", "")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", name):
            return self.refuse_call(15001, "invalid bucket name")
        if not parameters.get("Region"):
            return self.refuse_call(15002, "missing Region")
        if parameters.get("Type") not in ("private", "public"):
            return self.refuse_call(15003, "invalid Type")
        if name in self.buckets:
            return self.say({"RetCode": 15000, "Message": "bucket name is taken"})  # another may well have been quicker
        self.buckets[name] = {}
        self.made.append(parameters)
        return self.say({"RetCode": 0, "Action": "CreateBucketResponse", "BucketName": name, "BucketId": "ufile-1"})

    def refuse_call(self, code, message):
        self.wrong.append(f"the API: {message}")
        return self.say({"RetCode": code, "Message": message})
