"""Google Cloud Storage, Azure Data Lake and Amazon S3 as far as a reader of objects meets them, and as strict as they are.

    with Gcs() as gcs, Adls("acc") as adls, S3() as s3, Trap() as trap:
        gcs.objects["bucket/dir/a b.avro"] = b"..."         # bucket or container, slash, name: as it is, not encoded
        gcs.tokens["t1"] = ["bucket/dir/"]                  # what it may read
        adls.sas("container", seconds=3600)                 # signed with the account's key, and checked by it
        s3.keys["AK"] = Key("secret", session="token", until=time.time() + 60)
        s3.regions["bucket"] = "eu-west-3"

Every server keeps what it was asked: requests (method, raw path and query, status) and headers. What it does not know is refused with the status and the
document that the real one has, so that a header, a version, a path or an encoding that floe has wrong is a failed test. The S3 one is for what the lab's
versitygw has not: regions, buckets in host names, session tokens, redirects. Separate from catalog.py, which misbehaves by rules. Standard library only.

Sources: Google, "Objects: get", "Encoding URI path parts", "HTTP status and error codes for JSON"; Microsoft, "Path - Read", "Path - Get Properties",
"Versioning for Azure Storage", "Create a service SAS", "Azure Data Lake Storage error codes"; Amazon, "Authenticating Requests: Using the Authorization
Header", "Error responses", "Making requests using REST: redirection".
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import math
import re
import threading
import time
import urllib.parse
from dataclasses import dataclass
from typing import Callable

import served

Said = tuple[int, bytes, dict[str, str]]
Behaviour = Callable[["Exchange"], "Said | None"]


class Exchange(served.Exchange):
    """One request: path and query as they came, and decoded once."""

    def _serve(self) -> None:
        store = self.server.mock
        self.raw_path, _, self.raw_query = self.path.partition("?")
        self.query = dict(urllib.parse.parse_qsl(self.raw_query, keep_blank_values=True))
        said = next((behaviour(self) for pattern, behaviour in list(store.rules) if re.search(pattern, f"{self.command} {self.path}")), None)
        if self.close_connection and said is None:
            return
        status, body, headers = said if said is not None else self._checked(store)
        with store.lock:
            store.requests.append((self.command, self.path, status))
            store.headers.append(dict(self.headers.items()))
        self.send_response_only(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _checked(self, store: "Store") -> Said:
        """Each byte of a path is unreserved, a slash or encoded in upper case; nobody has sent a body."""
        if not re.fullmatch(r"(?:[A-Za-z0-9\-._~/!$&'()*,;:@]|%[0-9A-F]{2})*", self.raw_path):
            return 400, b"malformed request path", {}
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            return 400, b"a body with " + self.command.encode(), {}
        return store.answer(self)


class Store(served.Served):
    """Objects, what was asked for them, and rules: (pattern over "GET /path?query", a behaviour that may answer otherwise)."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.objects: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.headers: list[dict[str, str]] = []
        self.rules: list[tuple[str, Behaviour]] = []
        super().__init__(Exchange)

    def forget(self) -> None:
        with self.lock:
            self.requests.clear()
            self.headers.clear()

    def statuses(self) -> list[int]:
        with self.lock:
            return [status for _, _, status in self.requests]

    def answer(self, exchange: Exchange) -> Said:
        raise NotImplementedError

    @staticmethod
    def content(exchange: Exchange, data: bytes, headers: dict[str, str]) -> Said:
        """The object, or the range that was asked for (RFC 9110, 14.2)."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", exchange.headers.get("Range", ""))
        if exchange.headers.get("Range") is None or wanted is None:
            return 200, data, headers
        first, last = int(wanted[1]), min(int(wanted[2] or len(data)), len(data) - 1)
        if first >= len(data):
            return 416, b"", {"Content-Range": f"bytes */{len(data)}"}
        return 206, data[first:last + 1], {**headers, "Content-Range": f"bytes {first}-{last}/{len(data)}"}


class Trap(Store):
    """Where nobody may go: it keeps what came."""

    def answer(self, exchange: Exchange) -> Said:
        return 200, b"", {}


class Plain(Store):
    """A web server: https: and http: locations. It takes no credentials and refuses them."""

    def answer(self, exchange: Exchange) -> Said:
        if "Authorization" in exchange.headers or any(name.lower().startswith("x-") for name in exchange.headers):
            return 400, b"credentials for a public file", {}
        data = self.objects.get(urllib.parse.unquote(exchange.raw_path[1:], errors="strict"))
        return (404, b"Not Found", {}) if data is None else self.content(exchange, data, {"Content-Type": "application/octet-stream"})


# -------------------------------------------------------------------------------------------------
# Google Cloud Storage, JSON API
# -------------------------------------------------------------------------------------------------

class Gcs(Store):
    """tokens: a bearer token and the prefixes of bucket/name that it may read."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[str, list[str]] = {}

    @staticmethod
    def refusal(status: int, reason: str, message: str) -> Said:
        return status, json.dumps({"error": {"code": status, "message": message, "errors": [
            {"message": message, "domain": "global", "reason": reason}]}}).encode(), {"Content-Type": "application/json; charset=UTF-8"}

    def answer(self, exchange: Exchange) -> Said:
        # the name is one segment: a slash in it that is not encoded is another path, and that is nobody's
        place = re.fullmatch(r"/storage/v1/b/([^/]+)/o/([^/]+)", exchange.raw_path)
        if place is None or exchange.command != "GET":
            return 404, b"Not Found", {"Content-Type": "text/html; charset=UTF-8"}
        bucket, name = (urllib.parse.unquote(part, errors="strict") for part in place.groups())
        bearer = re.fullmatch(r"Bearer ([A-Za-z0-9\-._~+/]+=*)", exchange.headers.get("Authorization", ""))
        if bearer is None:
            return self.refusal(401, "required", "Anonymous caller does not have storage.objects.get access to the Google Cloud Storage object.")
        if bearer[1] not in self.tokens:
            return self.refusal(401, "authError", "Invalid Credentials")
        if not any(f"{bucket}/{name}".startswith(prefix) for prefix in self.tokens[bearer[1]]):
            return self.refusal(403, "forbidden", "floe@lab.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object.")
        data = self.objects.get(f"{bucket}/{name}")
        if data is None and exchange.query.get("alt") == "media":
            return 404, f"No such object: {bucket}/{name}".encode(), {"Content-Type": "text/html; charset=UTF-8"}
        if data is None:
            return self.refusal(404, "notFound", f"No such object: {bucket}/{name}")
        if exchange.query == {"alt": "media"}:
            return self.content(exchange, data, {"Content-Type": "application/octet-stream", "x-goog-generation": "1"})
        if exchange.query == {"fields": "size"}:
            return 200, json.dumps({"size": str(len(data))}).encode(), {"Content-Type": "application/json; charset=UTF-8"}
        return self.refusal(400, "invalidParameter", f"Invalid query {exchange.raw_query}")


# -------------------------------------------------------------------------------------------------
# Azure Data Lake Storage Gen2
# -------------------------------------------------------------------------------------------------

class Adls(Store):
    """One account. tokens: bearer tokens that may read everything in it."""

    def __init__(self, account: str):
        super().__init__()
        self.account, self.key = account, hashlib.sha512(account.encode()).digest()
        self.tokens: set[str] = set()

    def sas(self, container: str, folder: str = "", seconds: float = 3600, permissions: str = "r") -> str:
        """A service SAS for a container or one of its folders."""
        resource = {"sr": "d", "sdd": str(folder.count("/") + 1)} if folder else {"sr": "c"}
        fields = {"sv": "2021-12-02", "sp": permissions, "se": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds)), **resource}
        return urllib.parse.urlencode({**fields, "sig": self._sign(fields, "/".join(filter(None, [container, folder])))})

    def _sign(self, fields: dict[str, str], place: str) -> str:
        said = "\n".join([fields.get("sp", ""), fields.get("st", ""), fields.get("se", ""), f"/blob/{self.account}/{place}", "", "", "",
                          fields.get("sv", ""), fields.get("sr", ""), "", "", "", "", "", "", ""])
        return base64.b64encode(hmac.digest(self.key, said.encode(), "sha256")).decode()

    def refusal(self, exchange: Exchange, status: int, code: str, message: str, **headers: str) -> Said:
        text = f"{message}\nRequestId:00000000-0000-0000-0000-000000000000\nTime:2026-01-01T00:00:00.0000000Z"
        return status, json.dumps({"error": {"code": code, "message": text}}).encode(), {
            "Content-Type": "application/json;charset=utf-8", "x-ms-error-code": code, "x-ms-request-id": "0", **headers}

    def _refuse_sas(self, exchange: Exchange, container: str, path: str) -> str | None:
        """Why; None: it is good."""
        query = exchange.query
        if query["sv"] > exchange.headers["x-ms-version"]:
            return "sv is newer than x-ms-version"
        depth = int(query.get("sdd", 0))
        place = "/".join([container, *path.split("/")[:depth]])
        if not hmac.compare_digest(query["sig"], self._sign(query, place)):
            return f"Signature did not match. String to sign used was {query.get('sp')}"
        if query.get("se", "") < time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()):
            return f"Signed expiry time [{query.get('se')}] must be after signed start time"
        return None if "r" in query.get("sp", "") else "permission"

    def answer(self, exchange: Exchange) -> Said:
        version = exchange.headers.get("x-ms-version", "")
        container, slash, path = (urllib.parse.unquote(exchange.raw_path[1:], errors="strict")).partition("/")
        authorization = exchange.headers.get("Authorization")
        if not slash or exchange.command not in ("GET", "HEAD"):
            return self.refusal(exchange, 405, "UnsupportedHttpVerb", "The resource doesn't support specified Http Verb.")
        if not re.fullmatch(r"20\d\d-\d\d-\d\d", version) or version < "2018-11-09":
            return self.refusal(exchange, 400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")
        if authorization is not None and "sig" in exchange.query:
            return self.refusal(exchange, 400, "InvalidAuthenticationInfo", "Two kinds of authentication.")
        if authorization is not None:
            if authorization.removeprefix("Bearer ") not in self.tokens or not authorization.startswith("Bearer "):
                return self.refusal(exchange, 401, "InvalidAuthenticationInfo", "Server failed to authenticate the request. Please refer to the information in the "
                                    "www-authenticate header.", **{"WWW-Authenticate": "Bearer"})
        elif "sig" not in exchange.query:
            return self.refusal(exchange, 401, "NoAuthenticationInformation", "Server failed to authenticate the request.")
        elif (why := self._refuse_sas(exchange, container, path)) == "permission":
            return self.refusal(exchange, 403, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
        elif why is not None:
            return self.refusal(exchange, 403, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of Authorization header is "
                                f"formed correctly including the signature. {why}")
        data = self.objects.get(f"{container}/{path}")
        if data is None:
            return self.refusal(exchange, 404, "PathNotFound", "The specified path does not exist.")
        if exchange.command == "HEAD":
            return 200, data, {"x-ms-resource-type": "file", "Accept-Ranges": "bytes"}
        return self.content(exchange, data, {"Content-Type": "application/octet-stream", "x-ms-resource-type": "file"})


# -------------------------------------------------------------------------------------------------
# Amazon S3
# -------------------------------------------------------------------------------------------------

@dataclass
class Key:
    secret: str
    session: str | None = None
    until: float = math.inf  # on this clock: time.time()


class S3(Store):
    """Below localhost, buckets in host names: BUCKET.localhost. wrong_region: how it refuses a signature for another region than the bucket's."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[str, Key] = {}
        self.regions: dict[str, str] = {}
        self.wrong_region: Callable[[str], Said] = malformed

    def answer(self, exchange: Exchange) -> Said:
        host = exchange.headers["Host"].split(":")[0]
        path = urllib.parse.unquote(exchange.raw_path[1:], errors="strict")
        bucket, name = (host.removesuffix(".localhost"), path) if host.endswith(".localhost") else path.split("/", 1)
        scope = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
                             exchange.headers.get("Authorization", ""))
        if scope is None:
            return xml(403, "AccessDenied", "Access Denied")
        access, day, region, signed, signature = scope.groups()
        if access not in self.keys:
            return xml(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        key = self.keys[access]
        if region != self.regions.get(bucket, "us-east-1"):
            return self.wrong_region(self.regions.get(bucket, "us-east-1"))
        if exchange.headers.get("x-amz-security-token") != key.session:
            return xml(403, "InvalidToken", "The provided token is malformed or otherwise invalid.")
        if time.time() >= key.until:
            return xml(400, "ExpiredToken", "The provided token has expired.")
        if self._sign(exchange, key.secret, day, region, signed.split(";")) != signature:
            return xml(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
        data = self.objects.get(f"{bucket}/{name}")
        return xml(404, "NoSuchKey", "The specified key does not exist.") if data is None else self.content(exchange, data, {"ETag": '"0"'})

    @staticmethod
    def _sign(exchange: Exchange, secret: str, day: str, region: str, signed: list[str]) -> str | None:
        """None: something that must be signed is not."""
        headers = {name.lower(): " ".join(value.split()) for name, value in exchange.headers.items()}
        if not {"host", *(name for name in headers if name.startswith("x-amz-"))} <= set(signed) or signed != sorted(signed):
            return None
        path = urllib.parse.quote(urllib.parse.unquote_to_bytes(exchange.raw_path), safe="/-._~")
        request = "\n".join([exchange.command, path, "", *(f"{name}:{headers[name]}" for name in signed), "", ";".join(signed), headers["x-amz-content-sha256"]])
        scope = f"{day}/{region}/s3/aws4_request"
        text = "\n".join(["AWS4-HMAC-SHA256", headers["x-amz-date"], scope, hashlib.sha256(request.encode()).hexdigest()])
        key = ("AWS4" + secret).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.new(key, text.encode(), "sha256").hexdigest()


def xml(status: int, code: str, message: str, more: str = "", **headers: str) -> Said:
    body = f"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}<RequestId>0</RequestId></Error>"
    return status, body.encode(), {"Content-Type": "application/xml", **{name.replace("_", "-"): value for name, value in headers.items()}}


def malformed(region: str) -> Said:
    """A signature for the wrong region, where the host is right (HEAD has the header alone)."""
    return xml(400, "AuthorizationHeaderMalformed", f"The authorization header is malformed; the region 'us-east-1' is wrong; expecting '{region}'",
               f"<Region>{region}</Region>", x_amz_bucket_region=region)


def moved(to: str, status: int = 301, named: bool = True) -> Callable[[str], Said]:
    """PermanentRedirect or TemporaryRedirect to a host, with or without the region's name."""
    def behave(region: str) -> Said:
        code = "PermanentRedirect" if status == 301 else "TemporaryRedirect"
        return xml(status, code, "Please send all future requests to this endpoint.", f"<Endpoint>{to.split('//')[1]}</Endpoint>", Location=to,
                   **({"x_amz_bucket_region": region} if named else {}))
    return behave


def redirect(to: str, status: int = 307) -> Behaviour:
    return lambda exchange: (status, b"", {"Location": to})
