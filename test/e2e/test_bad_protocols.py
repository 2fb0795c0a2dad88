"""Nessies, Hive Metastores and databases that lie, drip, flood or say nothing: each a row with the reason, beside others that are well.

What an Iceberg REST server can do wrong is test_bad_catalog.py's, what tokens can, test_bad_credentials.py's. Here a catalog answers with the place of a metadata
file: the files are a real table's, in the mock's store.
"""
from __future__ import annotations

import json
import re
import struct
from dataclasses import dataclass, field
from typing import Any, Callable

from badinput import ACCESS_KEY, SECRET_KEY, Base, Bench, Table
from catalog import Answer, Catalog, Mock, answer, as_json, cut, drip, endless, error, hang, redirect, refusal, reset
from harness import Tap
from lakehouse import Lakehouse
from metastore import LIST, STRING, STRUCT, Call, Metastore, list_of, message, result, send, struct_of, table_of, text
from metastore import field as of_field

SETTINGS = "SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '5s'"
KEYS = {"s3_access_key_id": ACCESS_KEY, "s3_secret_access_key": SECRET_KEY}
WHO = r"127\.0\.0\.1:\d+"
DEEP = "[" * 10000 + "]" * 10000
SAME, BARREN = "list tables: the pages do not come to an end", "list tables: the pages do not come to an end"


@dataclass
class Bad:
    """of_table: only its tables are in error, and the catalog is well."""
    name: str
    damage: Callable[[Any], Any]
    code: str
    says: str
    of_table: bool = False
    options: dict[str, str] = field(default_factory=dict)


# -------------------------------------------------------------------------------------------------
# Nessie
# -------------------------------------------------------------------------------------------------

class Nessie(Catalog):
    """Its API, version 2, as far as floe asks; one page has it all."""
    hash = "0"

    def answer(self, exchange: Any) -> Answer:
        rest = exchange.parts[1:]
        reference = {"type": "BRANCH", "name": "main", "hash": self.hash}
        if rest == ["api", "v2", "config"]:
            return as_json({"defaultBranch": "main", "minSupportedApiVersion": 1, "maxSupportedApiVersion": 2})
        if rest == ["api", "v2", "trees", "main"]:
            return as_json({"reference": reference})
        if rest == ["api", "v2", "trees", "main", "entries"]:
            entries = [{"type": "ICEBERG_TABLE", "name": {"elements": list(levels)}, "contentId": "c"} for levels in self.tables]
            return as_json({"entries": entries, "hasMore": False, "effectiveReference": reference})
        if rest == ["api", "v2", "trees", "main", "contents"]:
            wanted = [tuple(key["elements"]) for key in json.loads(exchange.request_body)["requestedKeys"]]
            return as_json({"contents": [self.content(levels) for levels in wanted if levels in self.tables], "effectiveReference": reference})
        return refusal(404, "NoSuchPath", "/".join(rest))

    def content(self, levels: tuple[str, ...], **change: Any) -> dict[str, Any]:
        table = self.tables[levels]
        return {"key": {"elements": list(levels)}, "content": {"type": "ICEBERG_TABLE", "id": "c", "metadataLocation": table.metadata_location,
                "snapshotId": table.metadata["current-snapshot-id"], "schemaId": 0, "specId": 0, "sortOrderId": 0, **change}}

    def contents(self, **change: Any) -> Answer:
        return as_json({"contents": [self.content(levels, **change) for levels in self.tables], "effectiveReference": {"hash": "f"}})


def on(pattern: str, behaviour: Any) -> Callable[[Nessie], None]:
    """A behaviour, or an answer."""
    return lambda catalog: catalog.misbehave(pattern, (lambda exchange: exchange.send(behaviour)) if isinstance(behaviour, Answer) else behaviour)


def config(behaviour: Any) -> Callable[[Nessie], None]:
    return on("^GET /api/v2/config", behaviour)


def entries(behaviour: Any) -> Callable[[Nessie], None]:
    return on("^GET /api/v2/trees/main/entries", behaviour)


def contents(behaviour: Any) -> Callable[[Nessie], None]:
    return on("^POST /api/v2/trees/main/contents", behaviour)


def located(**change: Any) -> Callable[[Nessie], None]:
    return lambda catalog: contents(catalog.contents(**change))(catalog)


def pages(token: Callable[[str], str | None], names: Callable[[int], list[list[str]]] = lambda n: []) -> Callable[[Any], None]:
    asked: list[str] = []

    def behave(exchange: Any) -> None:
        asked.append(exchange.query.get("page-token", ""))
        found = [{"type": "ICEBERG_TABLE", "name": {"elements": one}} for one in names(len(asked))]
        exchange.send(as_json({"entries": found, "hasMore": True, "token": token(asked[-1])}))
    return behave


NESSIE = [
    Bad("n_down", config(reset), "network", f"^get configuration: {WHO} closed the connection"),
    Bad("n_hangs", config(hang), "timeout", f"^get configuration: {WHO} did not answer"),
    Bad("n_v1", config(as_json({"defaultBranch": "main", "maxSupportedApiVersion": 1})), "unsupported", "does not speak version 2 of Nessie's API"),
    Bad("n_branchless", config(as_json({"maxSupportedApiVersion": 2})), "protocol", "there is no default branch"),
    Bad("n_html", config(answer(200, "<html>Sign in</html>", Content_Type="text/html")), "protocol", "^answer to /config: "),
    Bad("n_endless", config(endless(b'{"defaultBranch": "')), "too_large", "^get configuration: the answer of"),
    Bad("n_moved", config(redirect("http://127.0.0.1:9/api/v2/config")), "denied", "redirects to another origin"),
    Bad("n_401", entries(error(401, "NotAuthorized", "who are you")), "auth", "^list tables: the catalog answered 401"),
    Bad("n_403", entries(error(403, "Forbidden", "not you")), "forbidden", "^list tables: the catalog answered 403"),
    Bad("n_no_ref", entries(as_json({"status": 404, "reason": "Not Found", "message": "Named reference 'main' not found", "errorCode": "REFERENCE_NOT_FOUND"}, 404)), "not_found",
        "^list tables: the catalog answered 404"),
    Bad("n_deep", entries(answer(200, '{"entries": ' + DEEP + "}")), "protocol|too_large", "^answer to list tables: "),
    Bad("n_twice", entries(answer(200, '{"entries": [], "entries": [], "hasMore": false}')), "protocol", "^answer to list tables: "),
    Bad("n_flood", entries(endless(b'{"entries": [')), "too_large|timeout", "^list tables: the answer of"),
    Bad("n_drip", entries(drip), "timeout", "^list tables: the answer of"),
    Bad("n_cut", entries(cut(0.5)), "network", "^list tables: connection to .* lost"),
    Bad("n_object", entries(as_json({"entries": {}})), "protocol", "entries"),
    Bad("n_no_name", entries(as_json({"entries": [{"type": "ICEBERG_TABLE"}], "hasMore": False})), "protocol", "^list tables: entry 0 has no name"),
    Bad("n_numbers", entries(as_json({"entries": [{"type": "ICEBERG_TABLE", "name": {"elements": ["a", 7]}}], "hasMore": False})), "protocol", "^list tables: entry 0 has no name"),
    Bad("n_no_token", entries(pages(lambda token: None)), "protocol", "there are more, and no token to ask for them"),
    Bad("n_same_token", entries(pages(lambda token: "again")), "protocol", SAME),
    Bad("n_barren", entries(pages(lambda token: f"t{len(token)}{token[-8:]}")), "protocol", BARREN),
    Bad("n_hashless", contents(as_json({"contents": []})), "protocol", "effectiveReference", True),
    Bad("n_nothing", contents(as_json({"contents": [], "effectiveReference": {"hash": "f"}})), "not_found", 'the catalog has no such table on "main"', True),
    Bad("n_others", contents(as_json({"contents": [{"key": {"elements": ["x", "y"]}, "content": {"type": "ICEBERG_TABLE"}}] * 1000, "effectiveReference": {"hash": "f"}})), "not_found",
        "the catalog has no such table", True),
    Bad("n_500", contents(error(500)), "server", "^get contents: the catalog answered 500", True),
    Bad("n_view", located(type="ICEBERG_VIEW"), "unsupported", "it is not an Iceberg table: ICEBERG_VIEW", True),
    Bad("n_location", located(metadataLocation=None), "protocol", "metadataLocation", True),
    Bad("n_snapshot", located(snapshotId="none"), "protocol", "snapshotId", True),
    Bad("n_passwd", located(metadataLocation="file:///etc/passwd"), "denied", "floe.allowed_file_roots", True),
    Bad("n_cloud", located(metadataLocation="http://169.254.169.254/latest/meta-data"), "denied|unsupported|config", "", True),
    Bad("n_program", located(metadataLocation="jar:file:///x!/y"), "unsupported|config|protocol", "", True),
    Bad("n_other_table", lambda catalog: located(metadataLocation="s3://lake/nobody/00001.metadata.json")(catalog), "corrupt", "NoSuchKey", True),
]


# -------------------------------------------------------------------------------------------------
# Hive
# -------------------------------------------------------------------------------------------------

def does(method: str, behaviour: Callable[[Call], None]) -> Callable[[Metastore], None]:
    return lambda mock: mock.misbehave.__setitem__(method, behaviour)


def waits(call: Call) -> None:
    call.wait()


def drips(call: Call) -> None:
    for byte in message(call.method, call.sequence, struct_of(of_field(STRING, 0, text("3" * 1000)))):
        call.send(bytes([byte]))
        if call.link.server.ended.wait(0.1):
            return


def floods(call: Call) -> None:
    """A list of names without an end."""
    call.send(message(call.method, call.sequence, struct.pack(">bh", LIST, 0) + list_of(STRING, [], 2**31 - 1)))
    while not call.link.server.ended.is_set():
        call.send(text("a" * 1000) * 1000)


def refuses(name: str, words: str) -> Callable[[Call], None]:
    return lambda call: call.send(message(call.method, call.sequence, struct_of(of_field(STRUCT, 1, struct_of(of_field(STRING, 1, text(words)))))))


def objects(change: Callable[[Call, Metastore], bytes]) -> Callable[[Metastore], None]:
    return lambda mock: does("get_table_objects_by_name_req", lambda call: call.success(STRUCT, struct_of(of_field(LIST, 1, change(call, mock)))))(mock)


def parameters(**values: str) -> Callable[[Metastore], None]:
    return objects(lambda call, mock: list_of(STRUCT, [table_of(name, call.arguments[1][1], values) for name in call.arguments[1][2]]))


nested = struct.pack(">bh", STRUCT, 1) * 10000 + b"\0" * 10001
HIVE = [
    Bad("h_ssh", does("getVersion", send(b"SSH-2.0-OpenSSH_9.6\r\n" * 3)), "protocol", "no Thrift message.*sasl"),
    Bad("h_closes", does("getVersion", send(b"")), "network", "closed the connection.*sasl"),
    Bad("h_waits", does("getVersion", waits), "timeout", "getVersion: no answer of the metastore"),
    Bad("h_drips", does("getVersion", drips), "timeout", "getVersion: no answer of the metastore"),
    Bad("h_http", does("getVersion", send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")), "protocol", "no Thrift message"),
    Bad("h_sequence", does("getVersion", lambda call: call.send(message(call.method, call.sequence + 1, struct_of(of_field(STRING, 0, text("3")))))), "protocol", "getVersion|sequence"),
    Bad("h_method", does("getVersion", lambda call: call.send(message("shutdown", call.sequence, struct_of()))), "protocol", "getVersion|shutdown"),
    Bad("h_no_method", does("getVersion", lambda call: Metastore().answer(Call(call.link, "x", call.sequence, {}))), "protocol|unsupported|server", ""),
    Bad("h_nothing", does("getVersion", lambda call: call.send(message(call.method, call.sequence, struct_of()))), "protocol", "no result"),
    Bad("h_deep", does("getVersion", lambda call: call.send(message(call.method, call.sequence, nested))), "protocol|server", "getVersion|get version"),
    Bad("h_minus", does("get_all_databases", result(LIST, list_of(STRING, [struct.pack(">i", -5)]))), "protocol", "get_all_databases|list databases"),
    Bad("h_count", does("get_all_databases", result(LIST, list_of(STRING, [text("w")], 2**31 - 1))), "protocol|timeout|too_large", "get_all_databases|list databases"),
    Bad("h_of_bool", does("get_all_databases", result(LIST, list_of(2, [b"\1"]))), "protocol", "list databases: the metastore's answer is malformed"),
    Bad("h_huge_text", does("get_all_databases", result(LIST, list_of(STRING, [struct.pack(">i", 2**30)]))), "protocol|timeout|too_large", "get_all_databases"),
    Bad("h_floods", does("get_all_databases", floods), "too_large|timeout", "get_all_databases"),
    Bad("h_forbidden", does("get_all_databases", refuses("MetaException", "User floe is not allowed to perform this operation")), "forbidden", "the metastore refused: User floe is not allowed"),
    Bad("h_fails", does("get_tables_by_type", refuses("MetaException", "Got exception: java.sql.SQLException\n\tat x")), "server", "list tables: the metastore refused: Got exception"),
    Bad("h_not_there", objects(lambda call, mock: list_of(STRUCT, [])), "not_found", "the metastore has no such table", True),
    Bad("h_more", objects(lambda call, mock: list_of(STRUCT, mock.objects(call) * 300)), "protocol", "get tables: the metastore's answer is malformed", True),
    Bad("h_structs", objects(lambda call, mock: list_of(LIST, [])), "not_found", "the metastore has no such table", True),
    Bad("h_plain", parameters(EXTERNAL="TRUE"), "unsupported", "it is not an Iceberg table: EXTERNAL_TABLE", True),
    Bad("h_no_location", parameters(table_type="iceberg"), "protocol", "the metastore has no metadata_location", True),
    Bad("h_passwd", parameters(table_type="ICEBERG", metadata_location="file:/etc/passwd"), "denied", "floe.allowed_file_roots", True),
    Bad("h_dots", parameters(table_type="ICEBERG", metadata_location="s3://"), "corrupt", "has no bucket and key", True),
    Bad("h_nul", parameters(table_type="ICEBERG", metadata_location="s3://lake/a\0b"), "protocol", "get tables: the metastore's answer is malformed", True),
    Bad("h_cut", objects(lambda call, mock: list_of(STRUCT, [table_of("t", "w", {})[:-30]])), "protocol|timeout", "get_table_objects_by_name_req|get tables", True),
]


# -------------------------------------------------------------------------------------------------
# Databases: the table iceberg_tables may be a view, and whatever its owner likes
# -------------------------------------------------------------------------------------------------

def view(query: str) -> Callable[["Database"], None]:
    return lambda one: one.make(f"VIEW iceberg_tables AS {query}")


def row(name: str = "'t'", namespace: str = "'w'", location: str = "'s3://lake/x'", catalog: str = "'c'", rows: str = "") -> str:
    return f"SELECT {catalog}::text AS catalog_name, {namespace}::text AS table_namespace, {name}::text AS table_name, {location}::text AS metadata_location {rows}"


class Database:
    """One schema."""

    def __init__(self, pg: Lakehouse, name: str, location: str):
        self.pg, self.name, self.location = pg, name, location
        pg.sql(f"CREATE SCHEMA {name}")

    def make(self, what: str) -> None:
        self.drop()
        self.pg.sql(f"SET search_path = {self.name}, pg_catalog; CREATE {what}")

    def drop(self) -> None:
        kind = self.pg.value("SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END FROM pg_class WHERE oid = to_regclass(%s)", (f"{self.name}.iceberg_tables",))
        if kind:
            self.pg.sql(f"DROP {kind} {self.name}.iceberg_tables")

    def heal(self) -> None:
        self.make("TABLE iceberg_tables (catalog_name text, table_namespace text, table_name text, metadata_location text, previous_metadata_location text)")
        self.pg.sql(f"INSERT INTO {self.name}.iceberg_tables VALUES ('c', 'w', 't', %s)", (self.location,))


JDBC = [
    Bad("missing", lambda one: one.drop(), "not_found", "the database has no table"),
    Bad("columns", view("SELECT 1 AS x"), "protocol|server", "get catalog names: the database answered with an error: .*catalog_name"),
    Bad("numbers", view("SELECT 1 AS catalog_name, 2 AS table_namespace, 3 AS table_name, 4 AS metadata_location"), "protocol|server", "the database answered with an error"),
    Bad("two", view(row() + " UNION ALL " + row(catalog="'d'")), "config", "the database holds more than one catalog"),
    Bad("fails", view(row(location="(1 / (random() * 0)::int)::text")), "server", "division by zero"),
    Bad("sleeps", view(row(rows="FROM pg_sleep(1000)")), "timeout", "get catalog names: "),
    Bad("floods", view(row(name="'n' || g || repeat('x', 200000)", rows="FROM generate_series(1, 100000) AS g")), "too_large|timeout", "list tables: "),
    Bad("nulls", view("SELECT 'c'::text AS catalog_name, 'w'::text AS table_namespace, x::text AS table_name, NULL::text AS metadata_location FROM (VALUES ('t'), (NULL), ('')) AS v (x)"),
        "protocol", "the catalog's row has no metadata_location", True),
    Bad("twice", view(row(rows="FROM generate_series(1, 3)")), "protocol", "locate tables: the database answered for 3 of 1", True),
    Bad("passwd", view(row(location="'file:///etc/passwd'")), "denied", "floe.allowed_file_roots", True),
    Bad("names", view(row(name="chr(10) || '\"; DROP TABLE x; --'")), "", "", True),
]


class Sick:
    """One catalog with its damage."""

    def __init__(self, bench: Bench, base: Base, kind: str, case: Bad):
        self.bench, self.kind, self.case, self.name = bench, kind, case, case.name if kind in ("nessie", "hive") else f"{kind}_{case.name}"
        bench.mock.catalogs[self.name] = (Nessie if kind == "nessie" else Catalog)(bench.mock, self.name)
        self.table = Table(bench.mock.catalogs[self.name], ("w", "t"), base)
        store = {"s3_endpoint": bench.mock.uri}
        if kind == "nessie":
            self.double: Any = self.table.catalog
            server, kind_of = {"uri": self.table.catalog.uri + "/api/v2"}, "nessie"
        elif kind == "hive":
            self.double = Metastore().__enter__()
            self.double.tables = {"w": {"t": self.table.metadata_location}}
            server, kind_of = {"uri": self.double.uri}, "hive"
        else:
            self.double = Database(bench.pg, self.name, self.table.metadata_location)
            self.double.heal()
            there = "postgresql:///" if kind == "here" else f"postgresql://localhost:{bench.pg.port}/postgres"
            server, kind_of = {"uri": there, "schema": self.name}, "jdbc"
        bench.pg.add_server(self.name, "floe_catalog", kind_of, {**server, **store, **case.options}, {**KEYS, **({"username": "postgres"} if kind == "there" else {})})

    def commit(self) -> None:
        """A new version, in the catalog too."""
        self.table.commit()
        if self.kind == "nessie":
            self.double.hash += "1"
        elif self.kind == "hive":
            self.double.tables["w"]["t"] = self.table.metadata_location
        else:
            self.double.location = self.table.metadata_location

    def damage(self) -> None:
        self.before = self.bench.table(self.table.name)
        self.commit()
        self.case.damage(self.double)

    def heal(self) -> None:
        self.double.misbehave.clear() if self.kind == "hive" else self.double.heal()

    def judge(self) -> None:
        case, t = self.case, self.bench.t
        of_catalog = self.bench.sql("SELECT v.*, c.error_code FROM floe.catalogs AS v JOIN floe_internal.catalog AS c ON c.server_name = v.name WHERE v.name = %s", (self.name,))[0]
        of_table = self.bench.table(self.table.name)
        if case.code == "":
            t.ok(of_catalog["status"] == "ok" and of_table["status"] == "dropped", f"{self.name}: well, with another table", of_catalog, of_table)
            return
        found = of_table if case.of_table else of_catalog
        said = ": ".join(filter(None, [found["error"], found["error_detail"]]))
        bad = ("error", "unsupported") if case.of_table else ("error",)
        t.ok(found["status"] in bad and re.fullmatch(case.code, found["error_code"]) and re.search(case.says, said), f"{self.name}: a row with the reason",
             f"wanted {case.code}: {case.says}", f"got {found['status']} {found['error_code']}: {said}")
        t.ok(of_table["health"] == self.before["health"] and of_table["health"] is not None and of_table["status"] != "dropped", f"{self.name}: its table and health are kept", of_table)
        if case.of_table:
            t.equal(of_catalog["status"], "ok", f"{self.name}: the catalog itself is well")

    def end(self) -> None:
        if self.kind == "hive":
            self.double.__exit__()


def hosts(bench: Bench) -> None:
    """A database by the name of its host, which libpq itself would have looked up while everybody waits."""
    port = bench.pg.port
    for name, place, code, says in (
            ("unknown", f"nowhere.invalid:{port}", "dns", f"no connection to the database at nowhere.invalid:{port}.*cannot resolve host"),
            ("refuses", "localhost:9", "connect", "no connection to the database at localhost:9"),
            ("elsewhere", f"ip6-localhost:{port}", "denied", "floe.allowed_hosts"),
            ("literal", "127.0.0.1:9", "connect", "no connection to the database at 127.0.0.1:9")):
        bench.pg.add_server(f"host_{name}", "floe_catalog", "jdbc", {"uri": f"postgresql://{place}/postgres"}, {"username": "postgres"})
        said = bench.sql("SELECT success, detail ->> 'code' AS code, concat_ws(' ', message, detail ->> 'detail') AS said FROM floe.check_catalog(%s)", (f"host_{name}",))[0]
        bench.t.ok(not said["success"] and said["code"] == code and re.search(says, said["said"]), f"host_{name}: said so", said)
        bench.pg.sql(f"DROP SERVER host_{name} CASCADE")


def main() -> None:
    with Tap() as t, Mock() as mock, Lakehouse(conf={"floe.max_connections_per_host": "100", "floe.allowed_hosts": "127.0.0.1, localhost, nowhere.invalid"}) as pg:
        bench, base = Bench(t, pg, mock), Base()
        pg.sql("CREATE TABLE public.witness (x int)")
        sick = [Sick(bench, base, kind, case) for kind, cases in (("nessie", NESSIE), ("hive", HIVE), ("there", JDBC), ("here", JDBC)) for case in cases]
        start = bench.now()
        bench.refresh_and_maintain(SETTINGS, 90)
        t.equal(bench.sql("SELECT name, error, error_detail FROM floe.catalogs WHERE error IS NOT NULL"), [], "all catalogs answer before any damage")
        bench.assessed([one.table.name for one in sick], start, f"{len(sick)} tables are assessed before any damage")

        for one in sick:
            one.damage()
        bench.refresh_and_maintain(SETTINGS, 90)
        for one in sick:
            one.judge()
        bench.unharmed()

        for one in sick:
            one.heal()
        start = bench.now()
        bench.refresh_and_maintain(SETTINGS, 90)
        bench.assessed([one.table.name for one in sick], start, "all are well again")
        hosts(bench)
        bench.unharmed()
        for one in sick:
            one.end()


if __name__ == "__main__":
    main()
