"""A lake of mocks that lives and fails: catalogs, tables that are written and rewritten, engines, and faults of every kind by chance.

    with Lake(seed, catalogs=3, tables=12) as lake:
        lake.append(lake.pick())                # somebody writes a table
        lake.trouble = 0.03                     # the part of all requests that goes wrong
        lake.catalogs[0].mock.down()            # its process is gone; up()

What must never happen is noticed here, where it would happen: two statements at once on one table, at whatever engines, and a statement carried
out twice. Used by soak.py, which torments floe with it; the mocks themselves are test/mock/catalog.py and hs2.py.
"""
from __future__ import annotations

import json
import random
import re
import threading
import time
from collections import Counter, deque
from types import SimpleNamespace
from typing import Any

# First: it makes test/mock importable.
from badinput import ACCESS_KEY, SECRET_KEY, Base, Table

import catalog as rest
import hs2
from lakehouse import Lakehouse

KEPT_VERSIONS = 4  # of a table's files: somebody may be reading an old one


def slow(low: float, high: float, chance: random.Random) -> rest.Behaviour:
    """The normal answer, in pieces, complete after some seconds."""
    def behave(exchange: Any) -> None:
        normal = exchange.normal()
        exchange.send_head(normal, len(normal.body))
        pieces = 8
        size = len(normal.body) // pieces + 1
        for i in range(pieces):
            if exchange.server.ended.wait(chance.uniform(low, high) / pieces):
                return
            exchange.raw(normal.body[i * size:(i + 1) * size])
    return behave


class LivingTable(Table):
    """Written by append(), rewritten by carry_out(). Its snapshots since the base's are told apart by what made them."""

    def __init__(self, lake: "Lake", catalog: rest.Catalog, levels: tuple[str, ...], base: Base):
        self.lock = threading.RLock()
        self.lake = lake
        self.extra: list[dict[str, Any]] = []
        self.next_id = base.snapshot["snapshot-id"] + 1
        self.versions: deque[list[str]] = deque()
        super().__init__(catalog, levels, base)
        self.publish()

    @property
    def text(self) -> str:
        return ".".join(self.name)

    def commit(self) -> None:
        with self.lock:
            super().commit()
            current, metadata = self.snapshot, self.metadata
            for one in self.extra:
                metadata["snapshots"].append({**current, **one})
            if self.extra:
                last = self.extra[-1]
                metadata["current-snapshot-id"] = metadata["refs"]["main"]["snapshot-id"] = last["snapshot-id"]
                metadata["last-updated-ms"] = last["timestamp-ms"]
            self.versions.append([self.metadata_location.removeprefix("s3://"), self.list_key, *self.manifest_keys])
            if len(self.versions) > KEPT_VERSIONS:
                for key in self.versions.popleft():
                    self.mock.objects.pop(key, None)

    def publish(self) -> None:
        """In one step: who loads a table gets metadata and location of one version."""
        with self.lock:
            if self.levels in self.catalog.tables:
                self.catalog.tables[self.levels] = SimpleNamespace(metadata=json.dumps(self.metadata).encode(), metadata_location=self.metadata_location)

    def _grow(self, operation: str) -> None:
        self.extra.append({"snapshot-id": self.next_id, "parent-snapshot-id": self.next_id - 1, "timestamp-ms": int(time.time() * 1000),
                           "summary": {"operation": operation}})
        self.next_id += 1

    def append(self) -> None:
        with self.lock:
            self._grow("append")
            self.commit()
            self.publish()

    def carry_out(self, operation: str) -> None:
        with self.lock:
            if operation == "expire_snapshots":
                self.extra = self.extra[-1:]
            else:
                # what was rewritten is expired at once, or the tables would grow
                self.extra = []
                self._grow("replace")
            self.commit()
            self.publish()

    def drop(self) -> None:
        with self.lock:
            self.catalog.tables.pop(self.levels, None)

    def restore(self) -> None:
        with self.lock:
            self.catalog.tables.setdefault(self.levels, None)
            self.publish()

    def is_there(self) -> bool:
        return self.levels in self.catalog.tables


class LakeCatalog:
    """One catalog with its object store, in a server of its own, so that it can be killed."""

    def __init__(self, lake: "Lake", name: str):
        self.lake, self.name = lake, name
        self.mock = rest.Mock()
        self.catalog = self.mock.catalog(name)
        self.requests = 0
        for owner in (self.catalog, self.mock):
            owner.misbehave(".", self._answer)
        chance = lake.chance
        self.faults = [
            rest.error(400, "BadRequestException"), rest.error(401, "NotAuthorizedException"), rest.error(403, "ForbiddenException"), rest.error(404, "NoSuchTableException"),
            rest.error(409, "CommitFailedException"), rest.error(418, "Teapot"), rest.error(429, "TooManyRequestsException", Retry_After="1"),
            rest.error(500), rest.error(502), rest.error(503, Retry_After="1"), rest.error(504), rest.answer(200, b""), rest.answer(200, b"<html>Sign in</html>"),
            rest.answer(200, bytes(range(256)) * 40), rest.answer(200, b'{"metadata": [' * 3000), rest.edited(lambda normal: normal.headers.update({"Content-Encoding": "gzip"})),
            rest.reset, rest.cut(0.5), rest.cut(0.999), rest.hang, rest.drip, slow(0.2, 1.5, chance), slow(0.2, 1.5, chance), slow(1, 6, chance),
        ]

    def _answer(self, exchange: Any) -> None:
        if self.lake.chance.random() < self.lake.trouble:
            self.lake.chance.choice(self.faults)(exchange)
        else:
            exchange.send(exchange.normal())

    def forget(self) -> None:
        """What was asked is not kept: an hour of it does not fit."""
        with self.mock.lock:
            for owner in (self.catalog, self.mock):
                self.requests += len(owner.requests)
                del owner.requests[:], owner.header_log[:]


class LakeEngine(hs2.Engine):
    """A statement takes some polls, may fail, and works on the tables of the lake. Only what runs is kept."""

    def __init__(self, lake: "Lake", name: str):
        super().__init__(lake.engine_mock, name)
        self.lake = lake
        self.requests = 0
        self.work = lake.carry_out
        chance = lake.chance
        self.faults = [
            hs2.answer(500, "oops"), hs2.answer(502), hs2.answer(503, "busy", Retry_After="1"), hs2.answer(401, "who are you"), hs2.answer(404), hs2.answer(200, b""),
            hs2.answer(200, b"\x80\x01\x00\x02" + bytes(range(200))), hs2.refused("no"), hs2.fault("internal"), hs2.edited(lambda data: data[:len(data) // 2]),
            hs2.edited(lambda data: bytes(chance.randrange(256) for _ in data)), hs2.unanswered, hs2.forgotten, hs2.reset, hs2.hang, hs2.promised(b"\x80\x01", 4000),
        ]
        self.misbehave(".*", self._answer)

    def _answer(self, exchange: Any) -> None:
        if self.lake.chance.random() < self.lake.trouble:
            self.lake.chance.choice(self.faults)(exchange)
        else:
            exchange.send_reply(exchange.normal())

    def _ExecuteStatement(self, request: Any) -> Any:
        chance = self.lake.chance
        self.history = [one for one in self.history if one.state == hs2.RUNNING]
        self.polls = chance.randint(1, 6)
        reply = super()._ExecuteStatement(request)
        if reply.operationHandle is not None:
            self.lake.executed(self.history[-1])
        return reply

    def _GetOperationStatus(self, request: Any) -> Any:
        self.ends = (hs2.FAILED, self.lake.chance.choice(FAILURES)) if self.lake.chance.random() < self.lake.failing else None
        return super()._GetOperationStatus(request)

    def heal(self) -> None:
        """All it has is answered; its rule stays."""
        with self.lock:
            self.polls = 1
            for one in self.history:
                one.polls = 1

    def forget_log(self) -> None:
        with self.lock:
            self.requests += len(self.log)
            del self.log[:]


FAILURES = [
    "org.apache.iceberg.exceptions.CommitFailedException: Cannot commit, found new position delete for replaced data file",
    "java.lang.OutOfMemoryError: Java heap space", "org.apache.spark.SparkException: Job aborted due to stage failure", "java.io.IOException: Connection reset by peer",
    "org.apache.iceberg.exceptions.ValidationException: Missing required files to delete", None,
]


class Lake:
    """trouble: the part of requests that go wrong; failing: the part of polls at which a statement fails."""

    def __init__(self, seed: int, base: Base, catalogs: int, tables: int, engines: int):
        self.chance = random.Random(seed)
        self.trouble = self.failing = 0.0
        self.lock = threading.Lock()
        self.engine_mock = hs2.Mock()
        self.engines = [LakeEngine(self, f"e{i}") for i in range(engines)]
        self.engine_mock.engines.update({one.name: one for one in self.engines})
        self.catalogs = [LakeCatalog(self, f"c{i}") for i in range(catalogs)]
        self.tables = {one.text: one for catalog in self.catalogs for i in range(tables)
                       for one in [LivingTable(self, catalog.catalog, ("w", f"t{i}"), base)]}
        self.running: dict[str, list[hs2.Operation]] = {}  # by table
        self.overlaps: list[tuple[str, str]] = []
        self.finished: Counter[str] = Counter()  # by the operation's key
        self.carried_out = 0

    def __enter__(self) -> "Lake":
        for one in [self.engine_mock, *(catalog.mock for catalog in self.catalogs)]:
            one.__enter__()
        return self

    def __exit__(self, *exc: Any) -> None:
        for one in [self.engine_mock, *(catalog.mock for catalog in self.catalogs)]:
            one.__exit__(*exc)

    # statements: /* floe:KEY */ CALL `…`.system.OPERATION(table => '`CATALOG`.`NAMESPACE`.`TABLE`'

    @staticmethod
    def parse(statement: str) -> tuple[str, str, str]:
        """Key, operation and table."""
        key, operation, table = re.match(r"/\* floe:(\S+) \*/ CALL `\w+`\.system\.(\w+)\(table => '([^']*)'", statement).groups()
        return key, operation, table.replace("`", "")

    def executed(self, one: hs2.Operation) -> None:
        table = self.parse(one.statement)[2]
        with self.lock:
            others = [other for other in self.running.get(table, []) if other.state == hs2.RUNNING]
            self.overlaps += [(other.statement, one.statement) for other in others]
            self.running[table] = [*others, one]

    def carry_out(self, statement: str) -> None:
        key, operation, table = self.parse(statement)
        with self.lock:
            self.finished[key] += 1
            self.carried_out += 1
        self.tables[table].carry_out(operation)

    # everybody's hands

    def connect(self, pg: Lakehouse) -> None:
        for catalog in self.catalogs:
            self.add_catalog(pg, catalog)
        for engine in self.engines:
            self.add_engine(pg, engine)

    def add_catalog(self, pg: Lakehouse, catalog: LakeCatalog) -> None:
        pg.add_server(catalog.name, "floe_catalog", "rest", {"uri": catalog.catalog.uri, "s3_endpoint": catalog.mock.uri, "engine_catalog": catalog.name, "list_interval": "3 seconds"},
                      {"s3_access_key_id": ACCESS_KEY, "s3_secret_access_key": SECRET_KEY})

    def add_engine(self, pg: Lakehouse, engine: LakeEngine) -> None:
        pg.add_server(engine.name, "floe_engine", "spark-thrift", {"url": engine.url, "max_operations": "4"}, {})

    def append(self, table: LivingTable) -> None:
        table.append()

    def heal(self) -> None:
        self.trouble = self.failing = 0.0
        for engine in self.engines:
            engine.heal()

    def forget(self) -> int:
        """Drops what was asked; the number of requests so far."""
        for catalog in self.catalogs:
            catalog.forget()
        for engine in self.engines:
            engine.forget_log()
        return sum(one.requests for one in [*self.catalogs, *self.engines])
