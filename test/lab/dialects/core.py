"""What the three dialects have in common: requests, answers, refusals, pages, a state that tests may change, and tokens.

Separate because nothing here is of one product.
"""
from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import threading
import time
import urllib.parse
import urllib.request
from typing import Any, Callable

UNIT = "\x1f"


class Request:
    """target is the path with its query, as it came."""

    def __init__(self, method: str, target: str, headers: Any, body: bytes):
        path, _, query = target.partition("?")
        self.method, self.path, self.headers, self.body = method, path, headers, body
        self.query = {key: values[-1] for key, values in urllib.parse.parse_qs(query, keep_blank_values=True).items()}

    def segments(self, base: str) -> list[str]:
        """Of the path below base, each decoded."""
        return [urllib.parse.unquote(one) for one in self.path[len(base):].strip("/").split("/")]

    def json(self) -> dict[str, Any]:
        value = json.loads(self.body)
        if not isinstance(value, dict):
            raise ValueError("not an object")
        return value

    def form(self) -> dict[str, str]:
        return {key: values[-1] for key, values in urllib.parse.parse_qs(self.body.decode(errors="replace")).items()}


class Answer:
    def __init__(self, status: int, body: Any = None, **headers: str):
        self.status, self.headers = status, {key.replace("_", "-"): value for key, value in headers.items()}
        self.body = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        if self.body and "content-type" not in self.headers:
            self.headers["content-type"] = "application/json"


class Refusal(Exception):
    """An error of the product; each product has its own way to say it."""

    def __init__(self, status: int, kind: str, message: str, *more: str):
        super().__init__(message)
        self.status, self.kind, self.message, self.more = status, kind, message, more


def levels_of(text: str) -> tuple[str, ...]:
    """A namespace of a path or of "parent", decoded: 0x1F is what all three split at."""
    return tuple(text.split(UNIT)) if text else ()


def digest(*parts: Any) -> str:
    return hashlib.sha256(UNIT.join(map(str, parts)).encode()).hexdigest()


# ---- pages ----

def page_token(at: int) -> str:
    return base64.urlsafe_b64encode(f"1&{at}".encode()).decode().rstrip("=")


def page_start(token: str) -> int:
    """Raises ValueError for what page_token() did not make."""
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    if not text.startswith("1&"):
        raise ValueError(token)
    return int(text[2:])


# ---- what a test may change ----

class State:
    """A JSON document in a file: users, grants, policies. It survives a restart, as a product's own database would."""

    def __init__(self, path: str, first: dict[str, Any]):
        self.path, self.lock = path, threading.RLock()
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                self.value = json.load(file)
        else:
            self.replace(first)

    def replace(self, value: dict[str, Any]) -> None:
        with self.lock:
            self.value = value
            with open(self.path + ".new", "w", encoding="utf-8") as file:
                json.dump(value, file, indent=1)
            os.replace(self.path + ".new", self.path)

    def change(self, function: Callable[[dict[str, Any]], Any]) -> Any:
        """function may change the document, or raise and leave it as it was."""
        with self.lock:
            copy = json.loads(json.dumps(self.value))
            result = function(copy)
            self.replace(copy)
            return result

    def merge(self, patch: Any) -> None:
        """RFC 7396."""
        self.replace(_merged(self.value, patch))


def _merged(value: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for key, one in patch.items():
        if one is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), one)
    return result


# ---- tokens ----

class Tokens:
    """Those that a product issues itself. They end with the process, so a client meets a 401 after a restart and has to fetch another."""

    def __init__(self) -> None:
        self.key = os.urandom(32)

    def issue(self, seconds: int, **claims: Any) -> str:
        body = base64.urlsafe_b64encode(json.dumps({**claims, "exp": time.time() + seconds}).encode()).decode().rstrip("=")
        return f"{body}.{hmac.new(self.key, body.encode(), 'sha256').hexdigest()}"

    def read(self, token: str) -> dict[str, Any] | None:
        """Its claims; None for one that is not ours, or too old."""
        body, _, mark = token.partition(".")
        if not hmac.compare_digest(mark, hmac.new(self.key, body.encode(), "sha256").hexdigest()):
            return None
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        return claims if claims["exp"] > time.time() else None


class Issuer:
    """An OpenID provider's tokens: RS256 (RFC 7518, 3.3), issuer, times; keys are fetched again when one is not known."""

    def __init__(self, uri: str):
        self.uri, self.keys = uri, {}

    def read(self, token: str) -> dict[str, Any] | None:
        try:
            head, body, mark = token.split(".")
            header, claims = (json.loads(_unpadded(one)) for one in (head, body))
            if header.get("alg") != "RS256" or not self._signed(f"{head}.{body}".encode(), _unpadded(mark), self._key(header["kid"])):
                return None
            now = time.time()
            good = claims["iss"] == self.uri and claims["exp"] > now and claims.get("nbf", 0) <= now + 60
            return claims if good else None
        except (ValueError, KeyError, TypeError, OSError):
            return None

    def _key(self, name: str) -> tuple[int, int]:
        if name not in self.keys:
            with urllib.request.urlopen(self.uri + "/jwks", timeout=5) as answer:
                self.keys = {key["kid"]: tuple(int.from_bytes(_unpadded(key[part]), "big") for part in ("n", "e")) for key in json.load(answer)["keys"]}
        return self.keys[name]

    @staticmethod
    def _signed(text: bytes, mark: bytes, key: tuple[int, int]) -> bool:
        size = (key[0].bit_length() + 7) // 8
        found = pow(int.from_bytes(mark, "big"), key[1], key[0]).to_bytes(size, "big")
        # RFC 8017, 9.2: what stands before a SHA-256
        tail = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(text).digest()
        return hmac.compare_digest(found, b"\x00\x01" + b"\xff" * (size - len(tail) - 3) + b"\x00" + tail)


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
