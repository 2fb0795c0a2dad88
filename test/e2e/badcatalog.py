"""What the tests of bad catalogs share: many catalogs of the mock in one pass, each with a damage of its own, and healthy ones beside them.

Apart from badinput.py, which is about damage to single tables.
"""
from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any, Callable

from badinput import Base, Bench, Table
from catalog import Catalog, Mock
from lakehouse import literal


@dataclass
class CatalogCase:
    """A damage to one catalog: what the mock does, options of the server or the mapping that are wrong meanwhile, and what floe says of it.

    phase: what check_catalog() calls the step that failed; None where a listing fails that check_catalog() does not ask for.
    """
    name: str
    damage: Callable[[Catalog], Any] | None
    code: str
    says: str
    phase: str | None
    server: dict[str, str | None] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    waits: float = 8  # seconds until it is listed again, at least


@dataclass
class Kind:
    """How the catalogs of some cases are made while they are healthy."""
    mock: Mock
    cases: list[CatalogCase]
    prepare: Callable[[Catalog], Any] = lambda catalog: None
    server: dict[str, str] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)


def alter(bench: Bench, what: str, old: dict[str, str], new: dict[str, str | None]) -> None:
    """ALTER with options that are set, changed, or dropped for None."""
    words = [f'{"SET" if key in old else "ADD"} "{key}" {literal(value)}' if value is not None else f'DROP "{key}"' for key, value in new.items()]
    if words:
        bench.sql(f"ALTER {what} OPTIONS ({', '.join(words)})")


class Patient:
    """One catalog with its damage."""

    def __init__(self, bench: Bench, kind: Kind, case: CatalogCase, base: Base):
        self.bench, self.case = bench, case
        self.catalog = kind.mock.catalog(case.name)
        kind.prepare(self.catalog)
        self.server = {"uri": self.catalog.uri, "s3_endpoint": kind.mock.uri, **kind.server}
        self.mapping = dict(kind.mapping)
        self.table = Table(self.catalog, ("ns", "t"), base)
        bench.connect(self.catalog, self.mapping, **self.server)

    def damage(self) -> None:
        self.before = self.bench.table(self.table.name)
        self.table.commit()
        if self.case.damage is not None:
            self.case.damage(self.catalog)
        alter(self.bench, f'SERVER "{self.case.name}"', self.server, self.case.server)
        alter(self.bench, f'USER MAPPING FOR PUBLIC SERVER "{self.case.name}"', self.mapping, dict(self.case.mapping))

    def heal(self) -> None:
        self.catalog.heal()
        now = {**self.server, **self.case.server}
        alter(self.bench, f'SERVER "{self.case.name}"', {key: value for key, value in now.items() if value is not None},
              {key: self.server.get(key) for key in self.case.server})
        alter(self.bench, f'USER MAPPING FOR PUBLIC SERVER "{self.case.name}"', {**self.mapping, **self.case.mapping},
              {key: self.mapping.get(key) for key in self.case.mapping})

    def row(self) -> dict[str, Any]:
        return self.bench.sql("""SELECT v.*, c.error_code, c.claim_pass FROM floe.catalogs AS v JOIN floe_internal.catalog AS c ON c.server_name = v.name
            WHERE v.name = %s""", (self.case.name,))[0]

    def check(self, settings: str, within: float) -> None:
        """check_catalog() says the same, without a pass."""
        case, t = self.case, self.bench.t
        started = time.monotonic()
        answer = self.bench.sql(settings + "; SELECT * FROM floe.check_catalog(%s)", (case.name,))[0]
        took = time.monotonic() - started
        said = ": ".join(filter(None, [answer["message"], answer["detail"].get("detail")]))
        fine = answer["success"] and case.phase is None or (
            not answer["success"] and re.fullmatch(case.phase or "", answer["detail"]["phase"]) and re.fullmatch(case.code, answer["detail"]["code"]) and re.search(case.says, said))
        t.ok(fine and took < within and answer["latency_ms"] / 1000 < within, f"{case.name}: check_catalog() says which phase failed, and why",
             f"{took:.1f} s", answer)

    def judge(self, start: Any, notices: str) -> None:
        case, t, row = self.case, self.bench.t, self.row()
        said = ": ".join(filter(None, [row["error"], row["error_detail"]]))
        t.ok(row["status"] == "error" and re.fullmatch(case.code, row["error_code"]) and re.search(case.says, said) and row["error_since"] >= start
             and row["failures"] == 1 and (row["next_list_at"] - start).total_seconds() > case.waits, f"{case.name}: a row with the reason and the time of the next try", f"wanted {case.code}: {case.says}",
             f"got {row['status']} {row['error_code']}: {said}", row)
        events = self.bench.events("catalog error", start, catalog=case.name)
        t.ok(len(events) == 1 and events[0]["message"] == row["error"] and f'catalog "{case.name}": {row["error"]}' in notices, f"{case.name}: one event, and a notice", events)
        now = self.bench.table(self.table.name)
        t.ok(now["status"] == "ok" and now["health"] == self.before["health"] and now["health"] is not None, f"{case.name}: its table and health are kept", now)

    def still(self, since: Any, before: dict[str, Any]) -> None:
        """After one more pass: the same error, not a new one."""
        row = self.row()
        events = self.bench.events("catalog error", since, catalog=self.case.name) + self.bench.events("catalog ok", since, catalog=self.case.name)
        self.bench.t.ok(row["status"] == "error" and row["error_since"] == before["error_since"] and row["failures"] in ([1, 2] if row["error_code"] == "throttled" else [2])
                        and not events, f"{self.case.name}: after another pass the same error, since the same time", row, *events)

    def healed(self, start: Any) -> None:
        row, now = self.row(), self.bench.table(self.table.name)
        self.bench.t.ok(row["status"] == "ok" and row["error"] is None and row["error_since"] is None and row["failures"] == 0 and now["status"] == "ok"
                        and now["assessed_at"] >= start, f"{self.case.name}: healed, and its table's new version is read", row, now)


def run_kinds(bench: Bench, base: Base, kinds: list[Kind], settings: str, secrets: tuple[str, ...] = ()) -> None:
    """All catalogs healthy, then each damaged, then healthy again; two others stay healthy all the time."""
    patients = [Patient(bench, kind, case, base) for kind in kinds for case in kind.cases]
    fine = [bench.mock.catalog(f"fine{i}") for i in range(2)]
    healthy = [Table(catalog, ("ns", f"h{i}"), base) for catalog in fine for i in range(2)]
    for catalog in fine:
        bench.connect(catalog)
    start = bench.now()
    bench.refresh_and_maintain(settings)
    bench.assessed([one.table.name for one in patients] + [one.name for one in healthy], start, f"{len(patients) + 2} catalogs are well before any damage")

    for one in patients:
        one.damage()
    for one in healthy:
        one.commit()
    start = bench.now()
    notices = bench.refresh_and_maintain(settings)
    for one in patients:
        one.judge(start, notices)
    bench.assessed([one.name for one in healthy], start, "the tables of healthy catalogs beside them are assessed")
    bench.t.ok(all(bench.table(one.name)["assessed_at"] >= start for one in healthy), "their new versions were read")
    for one in patients:
        one.check(settings, 6)
    before = [one.row() for one in patients]
    since = bench.now()
    bench.maintain(settings)
    for one, row in zip(patients, before):
        one.still(since, row)
    bench.unharmed(secrets)

    for one in patients:
        one.heal()
    start = bench.now()
    bench.refresh_and_maintain(settings)
    for one in patients:
        one.healed(start)
    bench.unharmed(secrets)
