"""Vended credentials that are real: a key pair of versitygw for each table and right, which its bucket policy lets into that table's prefix only.

A product vends what its STS gives: keys with a session token, for an hour. versitygw has no session tokens, so these are plain key pairs
of users that are made for the purpose and removed when newer ones have taken their place.
"""
from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import os
import threading
import time
import urllib.request
from typing import Any

LIFE_S = 3600
AT_MOST = 400  # users: the bucket policy names them all; more tables than this at once would take each other's keys away


class Vending:
    def __init__(self, endpoint: str, key: str, secret: str, region: str):
        self.endpoint, self.key, self.secret, self.region = endpoint, key, secret, region
        self.lock, self.granted = threading.Lock(), {}

    def keys(self, location: str, writes: bool) -> dict[str, Any]:
        """access, secret, until_ms of a user that may read, or also write, what is below location (s3://bucket/prefix)."""
        with self.lock:
            now = time.time()
            granted = self.granted.get((location, writes))
            # half of their life is left to whoever gets them
            if granted is None or granted["until_ms"] / 1000 - now < LIFE_S / 2:
                granted = {"access": "vend" + os.urandom(8).hex(), "secret": os.urandom(16).hex(), "until_ms": int((now + LIFE_S) * 1000)}
                self._create_user(granted["access"], granted["secret"])
                old = [self.granted.pop((location, writes), None)]
                self.granted[location, writes] = granted
                while len(self.granted) > AT_MOST:
                    old.append(self.granted.pop(next(iter(self.granted))))
                self._put_policy(location.removeprefix("s3://").split("/")[0])
                for one in filter(None, old):
                    self._delete_user(one["access"])
            return granted

    def config(self, location: str, writes: bool) -> dict[str, str]:
        """The same as the protocol's properties."""
        granted = self.keys(location, writes)
        return {**self.place(), "s3.access-key-id": granted["access"], "s3.secret-access-key": granted["secret"],
                "s3.session-token-expires-at-ms": str(granted["until_ms"]), "expiration-time": str(granted["until_ms"])}

    def place(self) -> dict[str, str]:
        return {"s3.endpoint": self.endpoint, "s3.path-style-access": "true", "s3.region": self.region, "client.region": self.region}

    def _create_user(self, access: str, secret: str) -> None:
        """As "versitygw admin create-user" does it; as a program for each it would take thirty times as long."""
        body = f"<Account><Access>{access}</Access><Secret>{secret}</Secret><Role>user</Role></Account>"
        self._signed("PATCH", "/create-user", "", body.encode())

    def _delete_user(self, access: str) -> None:
        self._signed("PATCH", "/delete-user", f"access={access}", b"")

    def _put_policy(self, bucket: str) -> None:
        statements = []
        for (location, writes), granted in self.granted.items():
            if not location.startswith(f"s3://{bucket}/"):
                continue
            prefix = location.removeprefix(f"s3://{bucket}/")
            who = {"Effect": "Allow", "Principal": {"AWS": [granted["access"]]}}
            actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"] if writes else ["s3:GetObject"]
            statements.append({**who, "Action": actions, "Resource": [f"arn:aws:s3:::{bucket}/{prefix}/*"]})
            statements.append({**who, "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{bucket}"],
                               "Condition": {"StringLike": {"s3:prefix": [f"{prefix}/*"]}}})
        self._signed("PUT", f"/{bucket}", "policy=", json.dumps({"Version": "2012-10-17", "Statement": statements}).encode())

    def _signed(self, method: str, path: str, query: str, body: bytes) -> None:
        """One request with a signature of AWS, version 4."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        host, hashed = self.endpoint.split("://")[1], hashlib.sha256(body).hexdigest()
        headers = {"host": host, "x-amz-content-sha256": hashed, "x-amz-date": now}
        names = ";".join(headers)
        canonical = "\n".join([method, path, query, *(f"{key}:{value}" for key, value in headers.items()), "", names, hashed])
        scope = f"{now[:8]}/{self.region}/s3/aws4_request"
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), "sha256").digest()
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        mark = hmac.new(key, text.encode(), "sha256").hexdigest()
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={self.key}/{scope}, SignedHeaders={names}, Signature={mark}"
        request = urllib.request.Request(f"{self.endpoint}{path}?{query}", method=method, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=30):
            pass
