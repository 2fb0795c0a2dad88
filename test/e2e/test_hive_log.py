"""The notification log of a Hive Metastore: what it saves, and that floe never believes one that is off, lies or has holes.

Real metastores say what it saves: hive3 has a DbNotificationListener, hive4 has none; a relay counts the calls. How a log can be wrong is shown with a
double, and each time a commit that happens meanwhile has to be seen. Separate from test_catalogs.py, which asks whether catalogs work at all.
"""
from __future__ import annotations

import json
import os
import re
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from harness import ROOT, Tap, lab, make_tables
from lakehouse import Lakehouse, catalog_definition

from catalogs import LabCatalog

sys.path.insert(0, str(ROOT / "test" / "mock"))
from metastore import EXCEPTION, I32, I64, LIST, STRING, STRUCT, Call, Log, Metastore, Relay, event_of, list_of, message, result, send, struct_of, text  # noqa: E402
from metastore import field as of_field  # noqa: E402

NS = f"log_{int(time.time())}"
ALIVE, CONFIG, NEWEST, EVENTS = "aliveSince", "get_config_value", "get_current_notificationEventId", "get_next_notification"
OBJECTS, LISTED = "get_table_objects_by_name_req", ("getVersion", "get_all_databases", "get_tables_by_type")
SETTINGS = {"floe.request_timeout": "3s", "floe.connect_timeout": "2s"}
USED = "used"


def of_looks(asked: list[str]) -> list[str]:
    """Without the calls of connecting and listing, which come with every pass of a procedure."""
    return [method for method in asked if method not in (*LISTED, ALIVE, CONFIG)]


def log_of(pg: Lakehouse, name: str) -> str:
    """What check_catalog() says of the log."""
    return pg.sql("SELECT detail FROM floe.check_catalog(%s)", (name,))[0]["detail"]["catalog"]["notification_log"]


def locations(pg: Lakehouse, name: str) -> dict[str, str]:
    rows = pg.sql("SELECT array_to_string(namespace || table_name, '.') AS t, metadata_location AS l FROM floe_internal.iceberg_table "
                  "WHERE catalog_id = (SELECT catalog_id FROM floe_internal.catalog WHERE server_name = %s) AND status = 'ok'", (name,))
    return {row["t"]: row["l"] for row in rows}


# -------------------------------------------------------------------------------------------------
# Real metastores
# -------------------------------------------------------------------------------------------------

def real(t: Tap, pg: Lakehouse) -> None:
    made = [one for one in make_tables("hive3", NS, ["empty", "many_small", "position_deletes", "branch_tag"]) if "refused" not in one]
    tables = [f"{NS}.{one['table']}" for one in made]
    writer = LabCatalog("hive3").catalog
    LabCatalog.copy_to_hive4(NS)

    def commit() -> str:
        table = writer.load_table((NS, "many_small"))
        table.append(table.scan(limit=3).to_arrow())
        LabCatalog.copy_to_hive4(NS)
        return writer.load_table((NS, "many_small")).metadata_location

    with Relay(os.environ["FLOE_HIVE3_URI"]) as three, Relay(os.environ["FLOE_HIVE4_URI"]) as four:
        relays = {"logged": three, "unlogged": four, "switched_off": three}
        for name, relay in relays.items():
            server, mapping = catalog_definition("hive3")
            pg.add_server(name, "floe_catalog", "hive", {**server, "uri": relay.uri, **({"notification_log": "off"} if name == "switched_off" else {})}, mapping)
        t.equal(log_of(pg, "logged"), USED, "3.1 with a listener: its log is used")
        t.ok(re.match("not used: the metastore has no DbNotificationListener", log_of(pg, "unlogged")), "4.0 without: its log is not, and why", log_of(pg, "unlogged"))
        t.equal(log_of(pg, "switched_off"), 'not used: option "notification_log" is off', "switched off by the option: neither, and why")

        def look(name: str) -> list[str]:
            relays[name].asked.clear()
            pg.maintain(f"{name}.{NS}.**")
            return of_looks(relays[name].asked)

        for name in relays:
            look(name)
            t.equal(sorted(locations(pg, name)), sorted(tables), f"{name}: all are assessed")
        t.equal({name: look(name) for name in relays}, {"logged": [NEWEST], "unlogged": [OBJECTS], "switched_off": [OBJECTS]},
                f"nothing has changed: with the log that is one call for {len(tables)} tables, without they are looked at")
        before = {name: pg.value("SELECT max(assessed_at) FROM floe.tables WHERE name LIKE %s AND name NOT LIKE '%%many_small'", (f"{name}.{NS}.%",)) for name in relays}
        new = commit()
        asked = {name: look(name) for name in relays}
        # hive4's copies are made anew with their metadata where it was
        t.equal(asked, {"logged": [NEWEST, EVENTS, OBJECTS], "unlogged": [OBJECTS], "switched_off": [OBJECTS]}, "a commit: the log says of which table")
        t.equal({name: locations(pg, name)[f"{NS}.many_small"] for name in relays}, dict.fromkeys(relays, new), "and all see it")
        t.equal({name: pg.value("SELECT max(assessed_at) FROM floe.tables WHERE name LIKE %s AND name NOT LIKE '%%many_small'", (f"{name}.{NS}.%",)) for name in relays}, before,
                "nothing else is read again")
        t.equal(look("logged"), [NEWEST], "then it is one call again")

        writer.drop_table((NS, "position_deletes"))
        writer.create_table((NS, "fresh"), writer.load_table((NS, "empty")).schema())
        look("logged")
        t.equal(sorted(locations(pg, "logged")), sorted({*tables, f"{NS}.fresh"} - {f"{NS}.position_deletes"}), "a dropped and a new table are seen")
        t.equal(look("logged"), [NEWEST], "and one call it is again")

        # without its listener for a while: nobody writes the log, and then it looks as if nothing had happened
        lab("stop", "hive3")
        lab("start", "hive3")
        pg.sql("SELECT floe.refresh('logged.**')")
        t.ok(OBJECTS in look("logged"), "a metastore that was restarted is not believed", three.asked)
        t.equal((CONFIG in three.asked, look("logged")), (True, [NEWEST]), "but asked for its listener, and then it is")


# -------------------------------------------------------------------------------------------------
# A double
# -------------------------------------------------------------------------------------------------

def refuses(words: str) -> Callable[[Call], None]:
    return lambda call: call.send(message(call.method, call.sequence, struct_of(of_field(STRUCT, 1, struct_of(of_field(STRING, 1, text(words)))))))


def broken(words: str) -> Callable[[Call], None]:
    """TApplicationException, as a metastore answers whose get_current_notificationEventId is not allowed."""
    return lambda call: call.send(message(call.method, call.sequence, struct_of(of_field(STRING, 1, text(words)), of_field(I32, 2, struct.pack(">i", 6))), EXCEPTION))


def number(value: int) -> Callable[[Call], None]:
    return result(STRUCT, struct_of(of_field(I64, 1, struct.pack(">q", value))))


def events(*items: bytes, kind: int = STRUCT) -> Callable[[Call], None]:
    return result(STRUCT, struct_of(of_field(LIST, 1, list_of(kind, list(items)))))


def waits(call: Call) -> None:
    call.wait()


def hides(last: int) -> Callable[["Store"], None]:
    """Events up to there were cleaned away."""
    return lambda one: one.log.events.__setitem__(slice(None), [event for event in one.log.events if event[0] > last])


def bad(method: str, behaviour: Callable[[Call], None]) -> Callable[["Store"], None]:
    return lambda one: one.mock.misbehave.__setitem__(method, behaviour)


def sets(**values: Any) -> Callable[["Store"], None]:
    return lambda one: one.log.__dict__.update(values)


def other(*adds: tuple[str, ...]) -> Callable[["Store"], None]:
    return lambda one: [one.log.add(*add) for add in adds] and None


@dataclass
class Wrong:
    """A log, what goes wrong before a commit is to be seen, the calls that then are made (None: whatever), and what is said of the log after it."""
    name: str
    damage: Callable[["Store"], Any]
    asked: list[str] | None
    says: str = USED
    log: bool = True  # the commit is in it


ALL = [NEWEST, OBJECTS, OBJECTS]  # as if there were no events: one call for each database
WRONG = [
    Wrong("well", lambda one: None, [NEWEST, EVENTS, OBJECTS]),
    Wrong("other_tables", other(("CREATE_TABLE", "nobody", "x"), ("DROP_TABLE", "b", "y"), ("OPEN_TXN",), ("ADD_PARTITION", "a", "t1", "spark")), [NEWEST, EVENTS, OBJECTS]),
    Wrong("of_database", other(("ALTER_DATABASE", "B")), [NEWEST, EVENTS, OBJECTS, OBJECTS]),
    Wrong("of_anyone", other(("DROP_CATALOG",)), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("no_ascii", other(("ALTER_TABLE", "B", "Ä")), [NEWEST, EVENTS, OBJECTS, OBJECTS]),
    Wrong("many", lambda one: [one.log.add("ADD_PARTITION", "a", "nobody") for _ in range(700)], [NEWEST, EVENTS, EVENTS, OBJECTS]),
    Wrong("too_many", lambda one: [one.log.add("ADD_PARTITION", "a", "nobody") for _ in range(5000)], ALL),
    Wrong("off", sets(listeners="", event=10), ["-", OBJECTS, OBJECTS], "not used: the metastore has no DbNotificationListener", False),
    Wrong("zero", sets(event=0), ALL, USED, False),
    Wrong("backwards", sets(event=5), ALL, USED, False),
    Wrong("minus", bad(NEWEST, number(-1)), ALL),
    Wrong("last", bad(NEWEST, number(2**63 - 1)), ALL),
    Wrong("restarted", sets(alive=1_700_000_001), ALL, USED, False),
    Wrong("no_start", bad(ALIVE, number(1)), ["-", OBJECTS, OBJECTS], "not used: get start time"),
    Wrong("cleaned", lambda one: (one.log.add("ALTER_TABLE", "b", "t1"), hides(11)(one)), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("cleaned_all", bad(EVENTS, events()), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("hole", lambda one: sets(event=13, events=[(11, "X", "b", "t1", ""), (13, "X", "b", "t1", "")])(one), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("cut_short", lambda one: sets(event=12, events=[(11, "X", "b", "t1", "")])(one), [NEWEST, EVENTS, EVENTS, *ALL[1:]]),
    Wrong("twice", bad(EVENTS, events(event_of(11, "X", "b", "t1"), event_of(11, "X", "b", "t1"))), None),
    Wrong("endless", bad(EVENTS, lambda call: events(*[event_of(call.arguments[1][1] + 1 + i, "X", "b", "t1") for i in range(3000)])(call)), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("refused", bad(NEWEST, refuses("Permission denied: floe may not")), ALL),
    Wrong("broken", bad(NEWEST, broken("Internal error processing get_current_notificationEventId")), ALL),
    Wrong("no_config", bad(CONFIG, refuses("For security reasons, the config key cannot be accessed")), ["-", OBJECTS, OBJECTS], "not used: get listeners.*For security reasons"),
    Wrong("unknown", lambda one: setattr(one.mock, "log", None), ["-", OBJECTS, OBJECTS], "not used: .*Invalid method name: 'aliveSince'"),
    Wrong("closes", bad(NEWEST, send(b"")), ALL),
    Wrong("garbage", bad(NEWEST, send(b"HTTP/1.1 400 Bad Request\r\n\r\n")), ALL),
    Wrong("events_close", bad(EVENTS, send(b"")), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("events_garbage", bad(EVENTS, send(os.urandom(3000))), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("events_hang", bad(EVENTS, waits), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("events_refused", bad(EVENTS, refuses("java.sql.SQLException")), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("events_texts", bad(EVENTS, events(text("x"), kind=STRING)), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("events_nothing", bad(EVENTS, result(STRING, text("x"))), [NEWEST, EVENTS, *ALL[1:]]),
    Wrong("events_count", bad(EVENTS, result(STRUCT, struct_of(of_field(LIST, 1, list_of(STRUCT, [b"\0"] * 3, 2**31 - 1))))), [NEWEST, EVENTS, *ALL[1:]]),
]


class Store:
    """A metastore with four tables in two databases, and their metadata files."""

    def __init__(self, pg: Lakehouse, case: Wrong, place: Path, **options: str):
        self.pg, self.case, self.name, self.place, self.version = pg, case, f"w_{case.name}", place / case.name, 0
        self.place.mkdir(parents=True)
        self.mock = Metastore().__enter__()
        self.log = self.mock.log = Log()
        self.mock.tables = {database: {table: self.write() for table in ("t1", "t2")} for database in ("a", "b")}
        pg.add_server(self.name, "floe_catalog", "hive", {"uri": self.mock.uri, **options}, {})

    def write(self) -> str:
        self.version += 1
        metadata = {"format-version": 2, "table-uuid": f"00000000-0000-4000-8000-{self.version:012}", "location": f"file://{self.place}", "last-sequence-number": 0,
                    "last-updated-ms": 1_700_000_000_000 + self.version, "last-column-id": 1, "current-schema-id": 0, "schemas": [
                        {"type": "struct", "schema-id": 0, "fields": [{"id": 1, "name": "x", "required": False, "type": "int"}]}],
                    "default-spec-id": 0, "partition-specs": [{"spec-id": 0, "fields": []}], "last-partition-id": 999, "default-sort-order-id": 0,
                    "sort-orders": [{"order-id": 0, "fields": []}], "properties": {}, "current-snapshot-id": -1, "refs": {}, "snapshots": [], "snapshot-log": [], "metadata-log": []}
        file = self.place / f"{self.version:05}.metadata.json"
        file.write_text(json.dumps(metadata))
        return f"file://{file}"

    def commit(self, database: str, table: str, log: bool = True) -> str:
        self.mock.commit(database, table, self.write(), log)
        return self.mock.tables[database][table]

    def known(self) -> bool:
        """Does floe know all tables as they are?"""
        return locations(self.pg, self.name) == {f"{database}.{table}": place for database, tables in self.mock.tables.items() for table, place in tables.items()}

    def clear(self) -> None:
        self.mock.asked.clear()
        self.mock.calls.clear()

    def looks(self) -> list[str]:
        return of_looks(self.mock.asked)


def double(t: Tap, pg: Lakehouse) -> None:
    place = Path(os.environ["FLOE_RUN"]) / NS
    stores = [Store(pg, case, place) for case in WRONG]
    pg.maintain("w_*.**")
    pg.maintain("w_*.**")
    for one in stores:
        one.clear()
    pg.maintain("w_*.**")
    t.equal([one.name for one in stores if not one.known() or one.looks() != [NEWEST]], [], f"{len(stores)} doubles: unchanged, one call each")
    # the log is cut, stopped, or lies; the commit is there either way
    for one in stores:
        one.clear()
        if one.case.log:
            one.commit("a", "t1")
        one.case.damage(one)
        if not one.case.log:
            one.commit("a", "t1", False)
    pg.maintain("w_*.**")
    for one in stores:
        wanted = [method for method in one.case.asked or one.looks() if method != "-"]
        t.ok(one.known() and one.looks() == wanted, f"{one.case.name}: the commit is seen", wanted, one.looks(), one.known())
        t.equal(pg.value("SELECT status FROM floe.catalogs WHERE name = %s", (one.name,)), "ok", f"{one.case.name}: and the catalog is well")
        t.ok(re.match(one.case.says, said := log_of(pg, one.name)), f"{one.case.name}: what is said of the log", said)
    # healed, whatever it was
    for one in stores:
        one.mock.misbehave.clear()
        one.mock.log = one.log = Log(event=20_000)
        one.commit("b", "t2")
    pg.maintain("w_*.**")
    pg.maintain("w_*.**")
    for one in stores:
        one.clear()
    pg.maintain("w_*.**")
    t.equal([one.name for one in stores if not one.known() or one.looks() != [NEWEST]], [], "well again: one call each")
    one = stores[0]
    asked = next(call for call in stores[5].mock.calls if call.method == NEWEST)
    t.equal(asked.arguments, {}, "the question has no arguments")
    limits(t, pg, one)
    said_by_option(t, pg, place)
    t.equal(pg.value("SELECT count(*) FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL OR crashes > 0"), 0, "no claim is left behind")
    for one in stores:
        one.mock.__exit__()


def limits(t: Tap, pg: Lakehouse, one: Store) -> None:
    """Another metastore over the same database, without the listener: what it does is in no log, and is seen all the same after ten minutes."""
    one.commit("a", "t2", False)
    pg.maintain(f"{one.name}.**")
    t.ok(not one.known(), "a commit that a log in use does not tell is not seen at once")
    pg.sql("UPDATE floe_internal.table_poll SET etag = regexp_replace(etag, '[0-9]+$', (extract(epoch FROM now())::int8 - 601)::text) WHERE etag ~ '^log:'")
    pg.maintain(f"{one.name}.**")
    t.ok(one.known(), "but after ten minutes")
    pg.sql("UPDATE floe_internal.table_poll SET etag = regexp_replace(etag, '[0-9]+$', (extract(epoch FROM now())::int8 + 86400)::text) WHERE etag ~ '^log:'")
    one.commit("a", "t2", False)
    pg.maintain(f"{one.name}.**")
    t.ok(one.known(), "a clock that was put back delays nothing")


def said_by_option(t: Tap, pg: Lakehouse, place: Path) -> None:
    never = Store(pg, Wrong("option_off", lambda one: None, None), place, notification_log="off")
    always = Store(pg, Wrong("option_on", lambda one: None, None), place, notification_log="on")
    always.mock.misbehave[CONFIG] = refuses("For security reasons")
    for _ in range(2):
        never.clear()
        always.clear()
        pg.maintain("w_option_*.**")
    t.ok(never.known() and not {ALIVE, CONFIG, NEWEST} & set(never.mock.asked), "notification_log 'off': it is not even asked for", never.mock.asked)
    t.ok(always.known() and always.looks() == [NEWEST] and CONFIG not in always.mock.asked, "'on': it is believed without a look at the configuration", always.mock.asked)
    for one in (never, always):
        one.mock.__exit__()


def main() -> None:
    own = ["database", "hive3", "hive4"]
    with Tap() as t, Lakehouse(conf=SETTINGS) as pg:
        double(t, pg)
        try:
            for component in own:
                lab("start", component)
            real(t, pg)
        finally:
            lab("stop", *reversed(own))


if __name__ == "__main__":
    main()
