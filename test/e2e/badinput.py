"""What the tests of bad input share: real tables served by the mock, damage to them, and what floe must show whatever the damage is.

A table is made once by the lab's writers in versitygw; copies of it, byte for byte the same manifests at paths of their own, are
served by test/mock/catalog.py. Each commit() of a copy is a new version with new paths, so floe has to read all of it again.
"""
from __future__ import annotations

import copy
import io
import json
import os
import re
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import fastavro
import psycopg2.extras

from harness import ROOT, Tap, make_tables
from lakehouse import Lakehouse, literal

sys.path.insert(0, str(ROOT / "test" / "mock"))
from catalog import Catalog, Mock  # noqa: E402

ACCESS_KEY = "mock"
SECRET_KEY = "s3-secret-of-the-mock"


# -------------------------------------------------------------------------------------------------
# Avro object container files, to be taken apart and put together in ways no writer does
# -------------------------------------------------------------------------------------------------

def zigzag(value: int) -> bytes:
    value = value << 1 if value >= 0 else (-value << 1) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def unzigzag(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


class Ocf:
    """meta: header entries; blocks: (number of rows, bytes as the rows stand, not compressed)."""

    MAGIC = b"Obj\x01"

    def __init__(self, data: bytes):
        assert data[:4] == self.MAGIC
        self.meta: dict[str, bytes] = {}
        at = 4
        while True:
            count, at = unzigzag(data, at)
            if count == 0:
                break
            for _ in range(count):
                size, at = unzigzag(data, at)
                key, at = data[at:at + size].decode(), at + size
                size, at = unzigzag(data, at)
                self.meta[key], at = data[at:at + size], at + size
        self.sync, at = data[at:at + 16], at + 16
        self.header_size = at
        self.blocks: list[tuple[int, bytes]] = []
        while at < len(data):
            count, at = unzigzag(data, at)
            size, at = unzigzag(data, at)
            self.blocks.append((count, self._unpack(data[at:at + size])))
            at += size
            assert data[at:at + 16] == self.sync
            at += 16

    @property
    def codec(self) -> str:
        return self.meta.get("avro.codec", b"null").decode()

    def _unpack(self, data: bytes) -> bytes:
        return {"null": lambda: data, "deflate": lambda: zlib.decompress(data, -15)}[self.codec]()

    def pack(self, data: bytes) -> bytes:
        if self.codec != "deflate":
            return data
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()

    def schema(self) -> Any:
        return fastavro.parse_schema(json.loads(self.meta["avro.schema"]))

    def rows(self) -> list[dict[str, Any]]:
        schema, found = self.schema(), []
        for count, data in self.blocks:
            stream = io.BytesIO(data)
            found += [fastavro.schemaless_reader(stream, schema, None) for _ in range(count)]
        return found

    def replace(self, rows: list[dict[str, Any]]) -> "Ocf":
        """All rows anew, in one block."""
        schema, stream = self.schema(), io.BytesIO()
        for row in rows:
            fastavro.schemaless_writer(stream, schema, row)
        self.blocks = [(len(rows), stream.getvalue())]
        return self

    def header(self, magic: bytes = MAGIC) -> bytes:
        out = magic + zigzag(len(self.meta))
        for key, value in self.meta.items():
            out += zigzag(len(key)) + key.encode() + zigzag(len(value)) + value
        return out + zigzag(0) + self.sync

    def block(self, count: int, packed: bytes) -> bytes:
        return zigzag(count) + zigzag(len(packed)) + packed + self.sync

    def bytes(self) -> bytes:
        return self.header() + b"".join(self.block(count, self.pack(data)) for count, data in self.blocks)


# -------------------------------------------------------------------------------------------------
# Tables
# -------------------------------------------------------------------------------------------------

class Base:
    """A real table in versitygw, read from its directory: metadata, manifest list and manifests of the current snapshot."""

    def __init__(self, shape: str = "position_deletes"):
        self.made = made = make_tables("s3", f"bad_{time.time_ns()}", [shape])[0]
        self.metadata = json.loads(self.read(made["metadata_location"]))
        current = self.metadata["current-snapshot-id"]
        self.snapshot = next(one for one in self.metadata["snapshots"] if one["snapshot-id"] == current)
        self.list = self.read(self.snapshot["manifest-list"])
        self.manifests = {row["manifest_path"]: self.read(row["manifest_path"]) for row in Ocf(self.list).rows()}

    @staticmethod
    def read(location: str) -> bytes:
        return (Path(os.environ["FLOE_S3_DIR"]).parent / location.removeprefix("s3://")).read_bytes()


class Table:
    """A copy of the base at s3://lake/CATALOG/NAMESPACE/NAME/, served by the mock."""

    def __init__(self, catalog: Catalog, levels: tuple[str, ...], base: Base, place: str | None = None):
        self.mock, self.catalog, self.base, self.levels = catalog.mock, catalog, base, levels
        self.root = f"lake/{catalog.name}/" + (place or "/".join(re.sub("[^a-z0-9_]", "_", level) for level in levels))
        self.version = 0
        self.metadata: Any = None
        self.commit()
        catalog.add(levels, self)

    @property
    def name(self) -> list[str]:
        return [self.catalog.name, *self.levels]

    def commit(self) -> None:
        """A healthy new version."""
        with self.catalog.whole:
            self.version += 1
            where = f"{self.root}/metadata/{self.version:05}"
            self.metadata = copy.deepcopy(self.base.metadata)
            self.metadata["location"] = f"s3://{self.root}"
            self.metadata_location = f"s3://{where}.metadata.json"
            self.list_key = f"{where}-list.avro"
            self.snapshot["manifest-list"] = f"s3://{self.list_key}"
            self.mock.objects[f"{where}.metadata.json"] = json.dumps(self.metadata).encode()
            self.manifest_keys: list[str] = []
            listed = Ocf(self.base.list)
            rows = listed.rows()
            for row in rows:
                key = f"{where}-m{len(self.manifest_keys)}.avro"
                self.mock.objects[key] = self.base.manifests[row["manifest_path"]]
                row["manifest_path"] = f"s3://{key}"
                self.manifest_keys.append(key)
            self.mock.objects[self.list_key] = listed.replace(rows).bytes()

    @property
    def snapshot(self) -> dict[str, Any]:
        return next(one for one in self.metadata["snapshots"] if one["snapshot-id"] == self.metadata["current-snapshot-id"])

    # damage

    def put_metadata_file(self, data: bytes) -> None:
        self.mock.objects[self.metadata_location.removeprefix("s3://")] = data

    def remove_metadata_file(self) -> None:
        del self.mock.objects[self.metadata_location.removeprefix("s3://")]

    def put_list(self, data: bytes) -> None:
        self.mock.objects[self.list_key] = data

    def list(self) -> Ocf:
        return Ocf(self.mock.objects[self.list_key])

    def edit_rows(self, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        """Changes the rows of the manifest list."""
        listed = self.list()
        rows = listed.rows()
        change(rows)
        self.put_list(listed.replace(rows).bytes())

    def manifest(self, index: int = 0) -> Ocf:
        return Ocf(self.mock.objects[self.manifest_keys[index]])

    def put_manifest(self, data: bytes, index: int = 0) -> None:
        """New bytes of a manifest; the manifest list says their length, as it would if a writer had made them."""
        self.mock.objects[self.manifest_keys[index]] = data
        self.edit_rows(lambda rows: rows[index].update(manifest_length=len(data)))

    def edit_entries(self, change: Callable[[list[dict[str, Any]]], Any], index: int = 0) -> None:
        manifest = self.manifest(index)
        rows = manifest.rows()
        change(rows)
        self.put_manifest(manifest.replace(rows).bytes(), index)


# -------------------------------------------------------------------------------------------------
# What must hold
# -------------------------------------------------------------------------------------------------

@dataclass
class Case:
    """A damage to one table and what floe has to say of it: patterns of the error code and over "message: detail"."""
    name: str
    damage: Callable[[Table], Any]
    code: str
    says: str
    status: str = "error"


class Bench:
    """A private server, the mock and a TAP, with the questions every test asks."""

    def __init__(self, t: Tap, pg: Lakehouse, mock: Mock):
        self.t, self.pg, self.mock = t, pg, mock
        self.connection = pg.connect()
        self.postmaster = self._postmaster()

    def sql(self, query: str, params: Any = None) -> list[dict[str, Any]]:
        """On the bench's own connection: tests ask hundreds of questions."""
        with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(query, params)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def _postmaster(self) -> str:
        return (self.pg.data / "postmaster.pid").read_text().splitlines()[0]

    def connect(self, catalog: Catalog, mapping: dict[str, str] | None = None, **server: str) -> None:
        """CREATE SERVER and USER MAPPING for a catalog of the mock."""
        keys = {"s3_access_key_id": ACCESS_KEY, "s3_secret_access_key": SECRET_KEY}
        self.pg.add_server(catalog.name, "floe_catalog", "rest", {"uri": catalog.uri, "s3_endpoint": self.mock.uri, **server}, {**keys, **(mapping or {})})

    def refresh_and_maintain(self, settings: str = "", within: float = 40, pattern: str | None = None) -> str:
        """All tables and catalogs are due again; one pass. Returns its notices."""
        self.sql("SELECT floe.refresh()")
        return self.maintain(settings, within, pattern)

    def maintain(self, settings: str = "", within: float = 40, pattern: str | None = None) -> str:
        """One pass over what is due."""
        started = time.monotonic()
        done = self.pg.psql(f"{settings}; CALL floe.run_maintenance({literal(pattern) if pattern else 'NULL'})", timeout=within + 60)
        took = time.monotonic() - started
        self.t.ok(done.returncode == 0 and took < within, f"the pass ends well and in time ({took:.1f} of {within:.0f} s)", done.stderr[-2000:])
        return done.stderr

    def table(self, name: list[str]) -> dict[str, Any]:
        """One row of what floe shows and keeps of a table; empty when it does not know it."""
        rows = self.sql("""SELECT t.name, t.status, t.error, t.error_detail, t.error_since, i.error_code, p.claim_pass, p.polled_at, i.assessed_at,
                (SELECT to_jsonb(h) FROM floe_internal.health AS h WHERE h.table_id = i.table_id) AS health
            FROM floe.tables AS t JOIN floe_internal.iceberg_table AS i ON i.name = t.name AND i.first_seen_at = t.first_seen_at
            LEFT JOIN floe_internal.table_poll AS p ON p.table_id = i.table_id WHERE i.levels = %s ORDER BY i.table_id DESC LIMIT 1""", (name,))
        return rows[0] if rows else {}

    @staticmethod
    def matches(pattern: str, text: str) -> bool:
        return re.search(pattern, text) is not None

    def now(self) -> Any:
        return self.sql("SELECT clock_timestamp() AS now")[0]["now"]

    def events(self, kind: str, since: Any, of_table: str | None = None, catalog: str | None = None) -> list[dict[str, Any]]:
        return self.sql("""SELECT message, data FROM floe.events WHERE kind = %s AND happened_at >= %s
            AND (%s::text IS NULL OR table_name = %s) AND (%s::text IS NULL OR catalog = %s) ORDER BY id""",
                           (kind, since, of_table, of_table, catalog, catalog))

    def assessed(self, names: list[list[str]], since: Any, what: str) -> None:
        """These tables are fine, and were looked at since then."""
        rows = [(name, self.table(name)) for name in names]
        wrong = [f"{name}: {row}" for name, row in rows
                 if row.get("status") != "ok" or row["error"] is not None or row["health"] is None or row["polled_at"] < since]
        self.t.ok(names and not wrong, what, *wrong[:5])

    def unharmed(self, secrets: tuple[str, ...] = (SECRET_KEY,)) -> None:
        """Nothing is left claimed, no process crashed, no secret is in the log."""
        left = self.sql("""SELECT 'table ' || table_id AS what FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL OR crashes > 0
            UNION ALL SELECT 'catalog ' || server_name FROM floe_internal.catalog WHERE claim_pass IS NOT NULL
            UNION ALL SELECT 'operation ' || operation_id FROM floe_internal.operation_queue WHERE state <> 'queued'
            UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory'""")
        self.t.equal(left, [], "nothing is left claimed")
        log = self.pg.server_log()
        crashed = [line for line in log.splitlines() if "terminated by signal" in line or "PANIC" in line or "terminating any other active" in line]
        self.t.ok(self._postmaster() == self.postmaster and not crashed, "no process crashed", *crashed)
        faults = [line for line in log.splitlines() if re.search(r"floe: .*(internal|out of memory)|XX000|LOG:  floe: ", line)]
        self.t.equal(faults, [], "floe logged no failure of its own")
        self.t.equal([secret for secret in secrets if secret in log], [], "no secret in the server's log")


def spoken(row: dict[str, Any]) -> str:
    """Message and detail of a table, catalog or engine, as people read them."""
    return ": ".join(filter(None, [row.get("error"), row.get("error_detail")]))


def fits(case: Case, row: dict[str, Any]) -> bool:
    return bool(row.get("status") == case.status and re.fullmatch(case.code, row["error_code"]) and re.search(case.says, spoken(row)))


def run_cases(bench: Bench, base: Base, catalog: Catalog, cases: list[Case], settings: str = "") -> None:
    """Every damage to a table of its own, healthy ones beside them: at first sight, after it was healthy, and healed."""
    t = bench.t
    seen = {case.name: Table(catalog, ("seen", case.name), base) for case in cases}
    healthy = [Table(catalog, ("fine", f"h{i}"), base) for i in range(3)]
    start = bench.now()
    bench.refresh_and_maintain(settings)
    bench.assessed([one.name for one in [*seen.values(), *healthy]], start, f"{len(seen) + len(healthy)} tables are assessed before any damage")
    before = {name: bench.table(table.name) for name, table in seen.items()}

    # The next version of each is damaged; and a table of the same damage that floe never saw healthy.
    unseen = {case.name: Table(catalog, ("unseen", case.name), base) for case in cases}
    for case in cases:
        seen[case.name].commit()
        case.damage(seen[case.name])
        case.damage(unseen[case.name])
    for one in healthy:
        one.commit()
    start = bench.now()
    notices = bench.refresh_and_maintain(settings)
    for case in cases:
        _judge(bench, case, seen[case.name], before[case.name], start)
        row = bench.table(unseen[case.name].name)
        t.ok(fits(case, row) and row["health"] is None, f"{case.name}: the same at first sight, and no health is made up", row)
    told(bench, catalog, notices, len(seen) + len(unseen))
    bench.assessed([one.name for one in healthy], start, "the healthy tables beside them are assessed")
    t.ok(all(bench.table(one.name)["assessed_at"] >= start for one in healthy), "their new versions were read")
    bench.unharmed()

    for one in [*seen.values(), *unseen.values()]:
        one.commit()
    bench.mock.heal()
    start = bench.now()
    bench.refresh_and_maintain(settings)
    bench.assessed([one.name for one in [*seen.values(), *unseen.values(), *healthy]], start, "without the damage all are assessed again")
    for case in cases:
        row = bench.table(seen[case.name].name)
        t.ok(row["status"] == "ok" and row["error"] is None and row["error_since"] is None and row["assessed_at"] >= start,
             f"{case.name}: healed", row)
    bench.unharmed()


def _judge(bench: Bench, case: Case, table: Table, before: dict[str, Any], start: Any) -> None:
    row = bench.table(table.name)
    bench.t.ok(fits(case, row) and row["error_since"] >= start, f"{case.name}: a row with the reason",
               f"wanted {case.status} {case.code}: {case.says}", f"got {row['status']} {row['error_code']}: {spoken(row)}")
    bench.t.ok(row["health"] == before["health"] and row["health"] is not None, f"{case.name}: its health is kept")
    events = bench.events("table " + case.status, start, row["name"])
    bench.t.ok(len(events) == 1 and events[0]["message"] == row["error"], f"{case.name}: one event", events)


def told(bench: Bench, catalog: Catalog, notices: str, failed: int) -> None:
    """The pass names the first five tables that it could not assess, and how many there are."""
    named = re.findall(rf"^NOTICE:  ({catalog.name}\.\S+): (.+)$", notices, re.MULTILINE)
    rows = {row["name"]: row for row in bench.sql("SELECT name, error, error_detail FROM floe.tables WHERE error IS NOT NULL")}
    wrong = [(name, text) for name, text in named if name not in rows or not text.startswith(rows[name]["error"])]
    bench.t.ok(len(named) == min(failed, 5) and not wrong, f"{catalog.name}: of {failed} tables that failed the first are named", *named)
    summary = f'catalog "{catalog.name}": {failed} tables could not be assessed, {failed - 5} of them not named here; see floe.tables'
    bench.t.equal(notices.count(summary), 1 if failed > 5 else 0, f"{catalog.name}: the others are a number")
