"""What the tests of object stores share: a real table's metadata, byte for byte, copied to where a catalog of the mock says that it is."""
from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any, Callable

from badinput import Base, Bench, Ocf, spoken
from catalog import Catalog
from harness import MOVING, differences
from stores import S3, Adls, Gcs, Plain, Store, Trap

# What a URL gives a meaning, what it cannot hold, and what stands for itself.
ODD = "dt=2024-01-01 10:00/a b%20%2F+&;é日(1)'!@$,~"
SETTINGS = "SET floe.request_timeout = '20s'; SET floe.connect_timeout = '2s'"
Put = Callable[[str, bytes], Any]


class Copy:
    """A version of a table: its metadata, manifest list and manifests below a location, put where the store has them."""

    def __init__(self, catalog: Catalog, base: Base, root: str, put: Put, name: str = "t"):
        self.catalog, self.base, self.root, self.put, self.version = catalog, base, root, put, 0
        self.levels = ("ns", name)
        self.commit()
        catalog.add(self.levels, self)

    @property
    def name(self) -> list[str]:
        return [self.catalog.name, *self.levels]

    def commit(self, list_at: str | None = None, manifests_at: str | None = None) -> None:
        """All of it anew; the manifest list or the manifests perhaps elsewhere."""
        self.version += 1
        where = f"{self.root}/metadata/{self.version:05}"
        listed = Ocf(self.base.list)
        rows = listed.rows()
        for i, row in enumerate(rows):
            data = self.base.manifests[row["manifest_path"]]
            row["manifest_path"] = f"{manifests_at or where}-m{i}.avro"
            if manifests_at is None:
                self.put(row["manifest_path"], data)
        self.list_location = list_at or f"{where}-list.avro"
        if list_at is None:
            self.put(self.list_location, listed.replace(rows).bytes())
        self.metadata = copy.deepcopy(self.base.metadata)
        self.metadata["location"] = self.root
        next(one for one in self.metadata["snapshots"] if one["snapshot-id"] == self.metadata["current-snapshot-id"])["manifest-list"] = self.list_location
        self.metadata_location = f"{where}.metadata.json"
        self.size = len(json.dumps(self.metadata).encode())
        self.put(self.metadata_location, json.dumps(self.metadata).encode())


def into(store: Store, scheme: str, host: str = "") -> Put:
    """Locations of one scheme are objects of a double; host: what of them is not part of the name."""
    def put(location: str, data: bytes) -> None:
        assert location.startswith(scheme), location
        store.objects[location.removeprefix(scheme).replace(host, "", 1)] = data
    return put


def into_versitygw(location: str, data: bytes) -> None:
    file = Path(os.environ["FLOE_S3_DIR"]).parent / location.split("://", 1)[1]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


class Stores:
    """The means to connect a catalog of the mock with a store, and the doubles, where there are any."""

    def __init__(self, bench: Bench, base: Base, **doubles: Any):
        self.bench, self.base = bench, base
        self.t, self.pg, self.mock = bench.t, bench.pg, bench.mock
        self.trap: Trap = doubles.pop("trap", None)
        self.gcs: Gcs = doubles.get("gcs")
        self.adls: Adls = doubles.get("adls")
        self.s3: S3 = doubles.get("s3")
        self.plain: Plain = doubles.get("plain")
        self.doubles = list(doubles.values())

    def connect(self, name: str, root: str, put: Put, server: dict[str, str] | None = None, mapping: dict[str, str] | None = None,
                vended: dict[str, str] | None = None, credentials: Any = None) -> Copy:
        """A catalog with one table; vended: "config", credentials: "storage-credentials" as prefix -> config, or a function."""
        catalog = self.mock.catalog(name)
        catalog.vended = vended or {}
        if credentials is not None:
            given = credentials if callable(credentials) else lambda: [{"prefix": prefix, "config": config} for prefix, config in credentials.items()]
            catalog.credentials = given
        self.pg.add_server(name, "floe_catalog", "rest", {"uri": catalog.uri, **(server or {})}, mapping or {})
        return Copy(catalog, self.base, root, put)

    def forget(self) -> None:
        for one in [*self.doubles, self.trap]:
            one.forget()
            one.rules.clear()

    def look(self, copies: list[Copy], within: float = 60) -> Any:
        start = self.bench.now()
        self.bench.refresh_and_maintain(SETTINGS, within=within, pattern=", ".join(f'{one.catalog.name}.**' for one in copies))
        return start

    def refused(self, one: Copy, code: str, says: str, what: str) -> None:
        row = self.bench.table(one.name)
        self.t.ok(row.get("status") == ("unsupported" if code == "unsupported" else "error") and row["error_code"] in code.split("|") and self.bench.matches(says, spoken(row)), what,
                  f"{row.get('error_code')}: {spoken(row)}")

    def is_read(self, one: Copy, what: str) -> None:
        row = self.bench.table(one.name)
        self.t.ok(row.get("status") == "ok" and row["health"] is not None, what, f"{row.get('error_code')}: {spoken(row)}")


def copy_differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Of floe's metrics of a copy from the judge's of the original: a copy has a metadata file of its own."""
    return differences(found, wanted, but=(*MOVING, "metadata_json_bytes"))
