#!/usr/bin/env python3
"""What a look at a thousand tables that have not changed costs each real catalog: requests and bytes, on the wire.

    polls.py [--tables 1000] [--only rest,jdbc] [--results FOLDER]

For each catalog of fleets.py: a thousand tables in the real server, floe lists and assesses them, all are due again, and one pass looks at all of
them. Between floe and the catalog, and between floe and the object store, is a relay (relay.py) that counts. The peer does without floe's means
what has to be known, where each table's metadata is: pyiceberg's load_table() of each table, through the same relay in the same run. A figure is
only printed for work that was done: every table was looked at, none was read again.

bench/run polls sets it up; by hand it wants FLOE_BINDIR and the lab (test/lab/lab env) with the servers of its rows.
"""
from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "test" / "e2e"), str(HERE.parent / "test" / "lab")]

import fleets
import report
from fleets import ROWS, Fleet, Row
from lakehouse import Lakehouse, catalog_definition, catalog_type, literal
from relay import Count, Relays


def say(text: str) -> None:
    print(f"-- {text}", file=sys.stderr, flush=True)


class Poll:
    """One row."""

    def __init__(self, row: Row, pg: Lakehouse, relays: Relays, fleet: Fleet):
        self.row, self.pg, self.fleet = row, pg, fleet
        self.catalog, self.store = relays[row.server], relays[row.store]
        pattern = f"{row.key}.{fleet.namespaces()[0].rsplit('_', 1)[0]}_*.*"
        # the catalog may have others
        self.mine = f"FROM floe.tables AS t WHERE t.status <> 'dropped' AND floe_internal.match_pattern({literal(pattern)}, floe_internal.parse_name(t.name)) IS NOT NULL"

    def add_server(self) -> None:
        if self.row.lab == fleets.HERE:
            server, mapping = {"uri": "postgresql:///", "s3_endpoint": os.environ["FLOE_S3_URI"], "s3_region": os.environ["FLOE_S3_REGION"]}, {
                "s3_access_key_id": os.environ["FLOE_S3_KEY"], "s3_secret_access_key": os.environ["FLOE_S3_SECRET"]}
            kind = "jdbc"
        else:
            server, mapping = catalog_definition(self.row.lab)
            kind = catalog_type(self.row.lab)
            if self.row.lab.startswith("hive"):
                # the lab's metastores have local files; the fleet's are in S3
                _, keys = catalog_definition("s3")
                server, mapping = {**server, "s3_endpoint": os.environ["FLOE_S3_URI"], "s3_region": os.environ["FLOE_S3_REGION"]}, {**mapping, **keys}
        self.pg.add_server(self.row.key, "floe_catalog", kind, server, mapping)

    def counted(self, work: Callable[[], Any]) -> dict[str, Any]:
        """catalog and store: what went through the relays meanwhile."""
        before, begun = (self.catalog.count(), self.store.count()), time.monotonic()
        work()
        took = round(time.monotonic() - begun, 3)
        return {"seconds": took, "catalog": as_json(self.catalog.count() - before[0]), "store": as_json(self.store.count() - before[1])}

    def due(self, tables: str, listing: str) -> None:
        """When this catalog's are. Then CALL without a pattern, with which everything would be due."""
        self.pg.sql(f"UPDATE floe_internal.catalog SET next_list_at = {listing}")
        self.pg.sql("UPDATE floe_internal.table_poll SET next_poll_at = now() + interval '1 day'")
        self.pg.sql(f"UPDATE floe_internal.table_poll SET next_poll_at = {tables} "
                    f"WHERE table_id IN (SELECT i.table_id FROM floe_internal.iceberg_table AS i WHERE i.name IN (SELECT t.name {self.mine}))")

    def listing(self) -> dict[str, Any]:
        """Nothing is new and no table is due."""
        self.due("now() + interval '1 day'", "'-infinity'")
        result = self.counted(self.pg.maintain)
        if self.pg.value("SELECT count(*) FROM floe_internal.catalog AS c WHERE c.server_name = %s AND c.next_list_at > now()", (self.row.key,)) != 1:
            raise RuntimeError(f"{self.row.key}: it was not listed")
        return result

    def unchanged(self) -> dict[str, Any]:
        self.due("now() - interval '1 minute'", "now() + interval '1 day'")
        since = self.pg.value("SELECT clock_timestamp()")
        result = self.counted(self.pg.maintain)
        looked, again = self.pg.sql(f"SELECT count(*) FILTER (WHERE t.polled_at >= %s) AS looked, count(*) FILTER (WHERE t.assessed_at >= %s) AS again {self.mine}", (since, since))[0].values()
        if looked != len(self.fleet.names) or again:
            raise RuntimeError(f"{self.row.key}: {looked} of {len(self.fleet.names)} tables were looked at, {again} were read again")
        return result

    def naive(self, here: str) -> dict[str, Any] | None:
        """Opening the catalog counts on this side as it does on floe's."""
        if self.row.peer is None:
            return None

        def load_each() -> None:
            catalog = self.row.peer(here)
            for name in self.fleet.names:
                if catalog.load_table(name).metadata_location is None:
                    raise RuntimeError(f"{self.row.key}: pyiceberg loaded nothing of {name}")
        result = self.counted(load_each)
        if result["catalog"]["requests"] < len(self.fleet.names):
            raise RuntimeError(f"{self.row.key}: pyiceberg asked past the relay: {result['catalog']['requests']} requests for {len(self.fleet.names)} tables")
        return result

    def run(self, here: str) -> dict[str, Any]:
        self.add_server()
        first = self.counted(self.pg.maintain)
        good = self.pg.value(f"SELECT count(*) FILTER (WHERE t.status = 'ok' AND t.assessed_at IS NOT NULL) {self.mine}")
        if good != len(self.fleet.names):
            raise RuntimeError(f"{self.row.key}: of {len(self.fleet.names)} tables {good} were assessed: " + str(self.pg.sql(f"SELECT t.name, t.status, t.error, t.error_detail {self.mine} AND t.status <> 'ok' LIMIT 3")))
        result = {"label": self.row.label, "first": first, "listing": self.listing(), "unchanged": self.unchanged(), "naive": self.naive(here)}
        self.pg.sql(f'DROP SERVER "{self.row.key}" CASCADE')
        say(f"{self.row.key}: {result['unchanged']['catalog']['requests']} requests in {result['unchanged']['seconds']:.2f} s")
        return result


def as_json(count: Count) -> dict[str, Any]:
    return {**vars(count), "kinds": dict(count.kinds), "answers": dict(count.answers)}


def ratio(much: int, little: int) -> str:
    return f"{much / little:,.1f}" if little else "∞" if much else "1.0"


def line(row: dict[str, Any], tables: int) -> list[str]:
    floe, naive = row["unchanged"], row["naive"]
    one = floe["catalog"]
    ours = [row["label"], f"{one['requests']:,}", f"{one['bytes_out']:,}", f"{one['bytes_in']:,}", f"{(one['bytes_out'] + one['bytes_in']) / tables:,.1f}",
            f"{floe['store']['requests']:,}", f"{row['listing']['catalog']['requests']:,}"]
    if naive is None:
        return [*ours, "cannot", "", "", ""]
    other = naive["catalog"]
    everything = [sum(part["bytes_out"] + part["bytes_in"] for part in (side["catalog"], side["store"])) for side in (naive, floe)]
    return [*ours, f"{other['requests']:,}", f"{naive['store']['requests']:,}", f"{everything[0] / tables:,.0f}", ratio(*everything)]


def table(result: dict[str, Any]) -> str:
    head = ["catalog", "requests", "bytes out", "bytes in", "bytes a table", "store requests", "a listing", "naive: requests", "store requests", "bytes a table", "x floe's bytes"]
    machine, tables = result["machine"], result["tables"]
    return "\n".join([
        f"floe {result['commit']}, {result['date']}, PostgreSQL {result['postgres']}: a look at {tables:,} tables that have not changed, in {fleets.NAMESPACES} namespaces",
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}", "",
        report.columns([head, *(line(row, tables) for row in result["catalogs"].values())]), "",
        "bytes are of TCP's payload, connecting and logging in included; naive: pyiceberg's load_table() of each table, through the same relay; its bytes: catalog and store"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=1000)
    parser.add_argument("--only", default=",".join(row.key for row in ROWS), help="which catalogs")
    parser.add_argument("--results", type=Path, default=Path("build/bench"))
    options = parser.parse_args()
    options.driver, options.changed = "procedure", 0
    # ended as it ends by itself: the server is stopped, and nothing is left
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    wanted = options.only.split(",")
    if unknown := set(wanted) - {row.key for row in ROWS}:
        parser.error("unknown catalogs: " + ", ".join(sorted(unknown)))
    rows = [row for row in ROWS if row.key in wanted]
    prefix = f"polls_{int(time.time())}"
    names = [(f"{prefix}_{number % fleets.NAMESPACES}", f"t{number:05d}") for number in range(options.tables)]
    direct = dict(os.environ)
    # the OpenID provider's tokens say localhost
    with Lakehouse(name="polls", conf={"floe.allowed_hosts": "127.0.0.1, localhost"}) as pg:
        here = f"postgresql://postgres@127.0.0.1:{pg.port}/postgres"
        fleet = Fleet(names, fleets.template(fleets.LabCatalog("s3"), prefix), here)
        result = report.about(pg, options, {})
        protocols = {row.store: "http" for row in rows} | {row.server: row.protocol for row in rows}
        with Relays({name: (here if name == fleets.HERE else direct[name], protocol) for name, protocol in protocols.items()}) as relays:
            result["catalogs"] = {row.key: run_row(row, pg, relays, fleet, direct) for row in rows}
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / f"polls-{options.tables}.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(result))


def run_row(row: Row, pg: Lakehouse, relays: Relays, fleet: Fleet, direct: dict[str, str]) -> dict[str, Any]:
    """Filled directly; whatever looks at it afterwards is told that the servers are where their relays are."""
    before = next((one for one in reversed(ROWS[:ROWS.index(row) + 1]) if one.fill is not None), row)
    try:
        if row.fill is not None or (before.key, fleet.names[0]) not in FILLED:
            before.fill(fleet)
            FILLED.add((before.key, fleet.names[0]))
        os.environ.update({name: relay.uri for name, relay in relays.items() if name != fleets.HERE})
        return Poll(row, pg, relays, fleet).run(relays[fleets.HERE].uri if fleets.HERE in relays else fleet.here)
    finally:
        os.environ.update({name: direct[name] for name in relays if name != fleets.HERE})


FILLED: set[tuple[str, tuple[str, str]]] = set()

if __name__ == "__main__":
    main()
