"""Keys of a session, as Amazon's STS gives them for a role: moto's STS gives them, and its S3 checks each signature, token and right of floe's requests."""
from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

from badinput import Base, Bench
from catalog import Mock
from harness import Tap, free_port, judge
from lakehouse import Lakehouse, literal
from storelake import ODD, Copy, Stores, copy_differences

TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::moto/granted/*"}]}
TOKEN = "InvalidToken"


@dataclass
class Session:
    key: str
    secret: str
    token: str

    def mapping(self) -> dict[str, str]:
        return {"s3_access_key_id": self.key, "s3_secret_access_key": self.secret, "s3_session_token": self.token}

    def vended(self) -> dict[str, str]:
        return {"s3.access-key-id": self.key, "s3.secret-access-key": self.secret, "s3.session-token": self.token}


class Moto:
    """Bucket "moto" and a role that may read what is below granted/."""

    def __init__(self) -> None:
        self.uri = f"http://127.0.0.1:{free_port()}"
        self.process = subprocess.Popen([os.environ["FLOE_MOTO"], "-H", "127.0.0.1", "-p", self.uri.rsplit(":", 1)[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._await()
        self._form("iam", Action="CreateRole", Version="2010-05-08", RoleName="reader", AssumeRolePolicyDocument=json.dumps(TRUST))
        self._form("iam", Action="PutRolePolicy", Version="2010-05-08", RoleName="reader", PolicyName="read", PolicyDocument=json.dumps(ALLOWED))
        self._send("PUT", "/moto")

    def _send(self, method: str, path: str, data: bytes | None = None, service: str = "s3", kind: str = "application/octet-stream") -> str:
        # what a request is for, moto reads in its signature, before it checks any
        signed = f"AWS4-HMAC-SHA256 Credential=root/20240101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
        request = urllib.request.Request(self.uri + path, data=data, method=method, headers={"Authorization": signed, "Content-Type": kind})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    def _form(self, service: str, **fields: str) -> str:
        return self._send("POST", "/", urllib.parse.urlencode(fields).encode(), service, "application/x-www-form-urlencoded")

    def _await(self) -> None:
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"moto ended with {self.process.returncode}")
            try:
                self._send("GET", "/moto-api/data.json")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise TimeoutError("moto is not ready")

    def put(self, location: str, data: bytes) -> None:
        self._send("PUT", "/" + urllib.parse.quote(location.removeprefix("s3://")), data)

    def assume(self) -> Session:
        said = self._form("sts", Action="AssumeRole", Version="2011-06-15", RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="floe")
        return Session(*(re.search(f"<{name}>(.*?)</{name}>", said).group(1) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")))

    def be_strict(self) -> None:
        self._send("POST", "/moto-api/reset-auth", b"0", kind="text/plain")

    def __enter__(self) -> "Moto":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


def tables(s: Stores, moto: Moto, one: Session, other: Session) -> tuple[list[Copy], dict[str, Copy]]:
    """Those that may be read, and those that may not."""
    own, place = {"s3_endpoint": moto.uri}, {"s3.endpoint": moto.uri, "s3.path-style-access": "true", "client.region": "us-east-1"}
    nobody = Session("ASIANOBODY", one.secret, one.token)
    readable = [
        s.connect("own", f"s3://moto/granted/{ODD}/own", moto.put, {**own, "metadata_source": "store"}, one.mapping()),
        s.connect("vended", f"s3://moto/granted/{ODD}/vended", moto.put, credentials={"s3://moto/": {**place, **nobody.vended()}, "s3://moto/granted/": {**place, **one.vended()}}),
    ]
    refused = {
        "AccessDenied": s.connect("ungranted", "s3://moto/elsewhere/t", moto.put, own, one.mapping()),
        "SignatureDoesNotMatch": s.connect("secret", "s3://moto/granted/secret", moto.put, own, {**one.mapping(), "s3_secret_access_key": other.secret}),
        TOKEN: s.connect("token", "s3://moto/granted/token", moto.put, own, {**one.mapping(), "s3_session_token": other.token}),
        "InvalidAccessKeyId": s.connect("nobody", "s3://moto/granted/nobody", moto.put, own, nobody.mapping()),
    }
    return readable, refused


def read(s: Stores, readable: list[Copy], refused: dict[str, Copy]) -> None:
    wanted = judge("s3", [*s.base.made["namespace"], s.base.made["table"]])["metrics"]
    s.look([*readable, *refused.values()])
    for one in readable:
        s.is_read(one, f"{one.catalog.name}: the keys of a session let floe in")
        found = s.pg.metrics(s.bench.table(one.name)["name"])
        wrong = copy_differences(found, wanted)
        s.t.ok(not wrong and len(wanted) > 10, f"{one.catalog.name}: health equals the judge's", *wrong)
    for reason, one in refused.items():
        s.refused(one, "forbidden|auth|http", reason, f"{one.catalog.name}: refused with the store's own reason")


def renewed(s: Stores, one: Copy, session: Session) -> None:
    keys = ", ".join(f"SET {name} {literal(value)}" for name, value in session.mapping().items())
    s.pg.sql(f"ALTER USER MAPPING FOR PUBLIC SERVER {one.catalog.name} OPTIONS ({keys})")
    s.look([one])
    s.is_read(one, f"{one.catalog.name}: with the keys of another session it is read")


def main() -> None:
    with Tap() as t, Mock() as mock, Moto() as moto, Lakehouse() as pg:
        one, other = moto.assume(), moto.assume()
        stores = Stores(Bench(t, pg, mock), Base())
        readable, refused = tables(stores, moto, one, other)
        moto.be_strict()
        read(stores, readable, refused)
        renewed(stores, refused[TOKEN], other)
        stores.bench.unharmed((one.secret, one.token, other.secret, other.token))


if __name__ == "__main__":
    main()
