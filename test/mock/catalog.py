"""Iceberg REST catalogs and an S3 store that misbehave when told to, for tests of what bad input does to floe.

One server on a free port of 127.0.0.1, in threads of the test's own process, so that a test says in plain Python what
goes wrong and reads what was asked:

    with Mock() as mock:
        bad = mock.catalog("bad")
        bad.add(("ns", "t"), table)                       # .metadata, .metadata_location: what loadTable answers
        mock.objects["lake/ns/t/list.avro"] = b"..."      # s3://lake/ns/t/list.avro, at endpoint mock.uri
        bad.misbehave("GET /v1/config", answer(503))      # a regular expression over "METHOD /path?query"
        bad.heal()

A catalog answers below mock.uri/NAME: configuration, token endpoint, namespaces, tables, loadTable. Every other path is a
bucket and a key. Separate from hostile.py, which is the HTTP engine's and knows nothing of Iceberg. Python's standard library only.
"""
from __future__ import annotations

import hashlib
import json
import re
import ssl
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Callable

import served
from served import hang, reset_at_close  # hang: for the tests, as the other behaviours

SEPARATOR = "\x1f"


@dataclass
class Answer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        return json.loads(self.body)


def as_json(value: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


def refusal(status: int, kind: str, message: str) -> Answer:
    """Iceberg's error envelope."""
    return as_json({"error": {"message": message, "type": kind, "code": status}}, status)


# -------------------------------------------------------------------------------------------------
# Behaviours: functions of an exchange that do something else than to send its normal answer
# -------------------------------------------------------------------------------------------------

Behaviour = Callable[["Exchange"], None]


def answer(status: int, body: bytes | str = b"", **headers: str) -> Behaviour:
    """A fixed answer; header names with _ for -."""
    data = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda exchange: exchange.send(Answer(status, data, named))


def error(status: int, kind: str = "ServerException", message: str = "as asked", **headers: str) -> Behaviour:
    """Iceberg's error envelope, with headers."""
    def behave(exchange: "Exchange") -> None:
        one = refusal(status, kind, message)
        one.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
        exchange.send(one)
    return behave


def edited(change: Callable[[Answer], Any]) -> Behaviour:
    """The normal answer, changed in place."""
    def behave(exchange: "Exchange") -> None:
        normal = exchange.normal()
        change(normal)
        exchange.send(normal)
    return behave


def edited_json(change: Callable[[Any], Any]) -> Behaviour:
    """The normal answer with its JSON changed: change returns the new value, or None after changing it in place."""
    def one(normal: Answer) -> None:
        value = normal.json()
        new = change(value)
        normal.body = json.dumps(value if new is None else new).encode()
    return edited(one)


def cut(keep: float) -> Behaviour:
    """This part of the normal body, although the header promises all of it."""
    def behave(exchange: "Exchange") -> None:
        normal = exchange.normal()
        exchange.send_head(normal, len(normal.body))
        exchange.raw(normal.body[:int(len(normal.body) * keep)])
        exchange.close()
    return behave


def drip(exchange: "Exchange") -> None:
    """The normal answer, ten bytes a second."""
    normal = exchange.normal()
    exchange.send_head(normal, 1 << 20)
    while not exchange.server.ended.wait(0.5):
        exchange.raw(b"     ")


def reset(exchange: "Exchange") -> None:
    """A connection reset in place of an answer."""
    reset_at_close(exchange)


def endless(prefix: bytes = b"", piece: bytes = b" " * 65536, seconds: float = 30, **headers: str) -> Behaviour:
    """A body without an end, as fast as it is taken."""
    def behave(exchange: "Exchange") -> None:
        head = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
        exchange.send_head(Answer(200, b"", head), None)
        end = time.monotonic() + seconds
        data = prefix + piece
        while time.monotonic() < end and not exchange.server.ended.is_set():
            exchange.raw(b"%x\r\n" % len(data) + data + b"\r\n")
            data = piece
        exchange.close()
    return behave


def redirect(to: str, status: int = 302) -> Behaviour:
    return answer(status, b"", Location=to)


# -------------------------------------------------------------------------------------------------
# One request
# -------------------------------------------------------------------------------------------------

class Exchange(served.Exchange):
    def _serve(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.parts = [urllib.parse.unquote(part) for part in url.path.split("/")[1:]]
        self.request_body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mock = self.server.mock
        self.catalog = mock.catalogs.get(self.parts[0])
        where = self.path[1 + len(self.parts[0]):] if self.catalog else self.path
        self.line = f"{self.command} {where}"
        owner: Any = self.catalog or mock
        with mock.lock:
            owner.requests.append(self.line)
            owner.header_log.append(dict(self.headers.items()))
            if self.catalog is not None and self.line.startswith("POST /v1/oauth/tokens"):
                self.catalog.token_requests.append((dict(urllib.parse.parse_qsl(self.request_body.decode(), keep_blank_values=True)), dict(self.headers.items())))
        try:
            for pattern, behaviour in list(owner.rules):
                if re.search(pattern, self.line):
                    behaviour(self)
                    return
            self.send(self.normal())
        except (ConnectionError, ssl.SSLError, TimeoutError):
            self.close_connection = True

    do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = _serve

    def normal(self) -> Answer:
        """What a well-behaved server would say."""
        if self.catalog is not None:
            return self.catalog.answer(self)
        return self.server.mock.answer_store(self)

    def send_head(self, head: Answer, length: int | None) -> None:
        self.send_response_only(head.status)
        for name, value in head.headers.items():
            self.send_header(name, value)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        elif "Content-Length" not in head.headers:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def send(self, one: Answer) -> None:
        self.send_head(one, len(one.body))
        if self.command != "HEAD" and one.status not in (204, 304):
            self.raw(one.body)

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)

    def close(self) -> None:
        self.close_connection = True


# -------------------------------------------------------------------------------------------------
# A catalog
# -------------------------------------------------------------------------------------------------

class Catalog:
    """tables: levels -> object with metadata (dict or bytes) and metadata_location."""

    def __init__(self, mock: "Mock", name: str):
        self.mock, self.name = mock, name
        self.uri = f"{mock.uri}/{name}"
        self.tables: dict[tuple[str, ...], Any] = {}
        self.whole = threading.RLock()              # held by whoever changes a table in several steps: it is loaded before or after them
        self.rules: list[tuple[str, Behaviour]] = []
        self.requests: list[str] = []
        self.header_log: list[dict[str, str]] = []
        self.warehouse: str | None = None
        self.client: tuple[str, str] | None = None  # id and secret, when the catalog wants a token
        self.token: str | None = None               # the one fixed bearer token it takes, without a client
        self.token_seconds: int | None = 3600       # "expires_in" of the tokens it gives
        self.tokens: dict[str, float] = {}          # given -> until when they are good
        self.subjects: set[str] = set()             # tokens of somebody else that it takes in exchange for its own (RFC 8693)
        self.token_requests: list[tuple[dict[str, str], dict[str, str]]] = []  # each form, and its HTTP headers
        self.vended: dict[str, str] = {}            # "config" of loadTable
        self.credentials: Callable[[], list[dict[str, Any]]] | None = None  # "storage-credentials" of each loadTable

    def add(self, levels: tuple[str, ...], table: Any) -> Any:
        self.tables[levels] = table
        return table

    def misbehave(self, pattern: str, behaviour: Behaviour) -> None:
        """From now on, for every request that matches; the rule that was made first wins."""
        self.rules.append((pattern, behaviour))

    def heal(self) -> None:
        self.rules.clear()

    def asked(self, pattern: str) -> list[str]:
        """Requests so far that match."""
        with self.mock.lock:
            return [line for line in self.requests if re.search(pattern, line)]

    # answers

    def answer(self, exchange: Exchange) -> Answer:
        rest = exchange.parts[1:]
        if rest == ["v1", "oauth", "tokens"] and exchange.command == "POST":
            return self._give_token(exchange)
        if not self._is_authorized(exchange):
            return refusal(401, "NotAuthorizedException", "a valid token is needed")
        if rest == ["v1", "config"]:
            if self.warehouse is not None and exchange.query.get("warehouse") != self.warehouse:
                return refusal(404, "NoSuchWarehouseException", f"no warehouse {exchange.query.get('warehouse')}")
            return as_json({"defaults": {}, "overrides": {}})
        if rest[:2] == ["v1", "namespaces"]:
            return self._answer_namespaces(exchange, rest[2:])
        return refusal(404, "NoSuchPath", "/".join(rest))

    def _answer_namespaces(self, exchange: Exchange, rest: list[str]) -> Answer:
        if not rest:
            parent = tuple(exchange.query["parent"].split(SEPARATOR)) if exchange.query.get("parent") else ()
            known = {levels[:n] for levels in self.tables for n in range(1, len(levels))}
            below = sorted(ns for ns in known if len(ns) == len(parent) + 1 and ns[:len(parent)] == parent)
            return as_json({"namespaces": below})
        namespace = tuple(rest[0].split(SEPARATOR))
        if rest[1:] == ["tables"]:
            names = sorted(levels[-1] for levels in self.tables if levels[:-1] == namespace)
            return as_json({"identifiers": [{"namespace": namespace, "name": name} for name in names]})
        if len(rest) == 3 and rest[1] == "tables":
            with self.whole:
                return self._load(exchange, (*namespace, rest[2]))
        return refusal(404, "NoSuchPath", "/".join(rest))

    def _load(self, exchange: Exchange, levels: tuple[str, ...]) -> Answer:
        table = self.tables.get(levels)
        if table is None:
            return refusal(404, "NoSuchTableException", f"Table does not exist: {'.'.join(levels)}")
        etag = '"' + hashlib.sha256(table.metadata_location.encode()).hexdigest()[:16] + '"'
        if exchange.headers.get("If-None-Match") == etag:
            return Answer(304, b"", {"ETag": etag})
        metadata = table.metadata if isinstance(table.metadata, bytes) else json.dumps(table.metadata).encode()
        more = b', "storage-credentials": ' + json.dumps(self.credentials()).encode() if self.credentials is not None else b""
        body = b'{"metadata-location": %s, "metadata": %s, "config": %s%s}' % (
            json.dumps(table.metadata_location).encode(), metadata, json.dumps(self.vended).encode(), more)
        return Answer(200, body, {"Content-Type": "application/json", "ETag": etag})

    def _give_token(self, exchange: Exchange) -> Answer:
        form = dict(urllib.parse.parse_qsl(exchange.request_body.decode(), strict_parsing=True, keep_blank_values=True))
        grant = form.get("grant_type")
        if self.client is not None and (form.get("client_id"), form.get("client_secret")) != self.client:
            return as_json({"error": "invalid_client", "error_description": "unknown client or wrong secret"}, 401)
        if grant != ("urn:ietf:params:oauth:grant-type:token-exchange" if self.subjects else "client_credentials"):
            return as_json({"error": "unsupported_grant_type", "error_description": str(grant)}, 400)
        if self.subjects and form.get("subject_token") not in self.subjects:
            return as_json({"error": "invalid_grant", "error_description": "the subject token means nothing"}, 400)
        if self.client is None and not self.subjects:
            return as_json({"error": "invalid_client", "error_description": "there are no clients"}, 401)
        with self.mock.lock:
            token = f"{self.name}-token-{len(self.tokens) + 1}"
            self.tokens[token] = time.monotonic() + (3600 if self.token_seconds is None else self.token_seconds)
        given: dict[str, Any] = {"access_token": token, "token_type": "bearer"}
        if self.token_seconds is not None:
            given["expires_in"] = self.token_seconds
        return as_json(given)

    def _is_authorized(self, exchange: Exchange) -> bool:
        bearer = exchange.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.client is not None or self.subjects:
            return self.tokens.get(bearer, 0) > time.monotonic()
        return self.token is None or bearer == self.token


# -------------------------------------------------------------------------------------------------
# The server
# -------------------------------------------------------------------------------------------------

class Mock(served.Served):
    """The server; with certificate and key files it speaks TLS."""

    def __init__(self, certificate: str | None = None, key: str | None = None):
        context = None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
        self.lock = threading.Lock()
        self.catalogs: dict[str, Catalog] = {}
        self.objects: dict[str, bytes] = {}
        self.access_key = "mock"
        self.rules: list[tuple[str, Behaviour]] = []
        self.requests: list[str] = []
        self.header_log: list[dict[str, str]] = []
        super().__init__(Exchange, context)

    def catalog(self, name: str) -> Catalog:
        return self.catalogs.setdefault(name, Catalog(self, name))

    def misbehave(self, pattern: str, behaviour: Behaviour) -> None:
        """Of the store: pattern over "GET /bucket/key"."""
        self.rules.append((pattern, behaviour))

    def heal(self) -> None:
        self.rules.clear()
        for one in self.catalogs.values():
            one.heal()

    def answer_store(self, exchange: Exchange) -> Answer:
        def xml(status: int, code: str, message: str) -> Answer:
            return Answer(status, f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode(),
                          {"Content-Type": "application/xml"})

        signed = re.match(r"AWS4-HMAC-SHA256 Credential=([^/]*)/", exchange.headers.get("Authorization", ""))
        if signed is None:
            return xml(403, "AccessDenied", "Access Denied.")
        if signed.group(1) != self.access_key:
            return xml(403, "InvalidAccessKeyId", "The access key does not exist.")
        found = self.objects.get("/".join(exchange.parts))
        if found is None:
            return xml(404, "NoSuchKey", "The specified key does not exist.")
        return Answer(200, found, {"Content-Type": "application/octet-stream", "ETag": '"0"'})
