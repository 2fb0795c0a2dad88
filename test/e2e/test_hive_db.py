"""A Hive Metastore straight from its database: the same tables, states and health as by Thrift, by a role that may read five tables and nothing else.

Both real metastores' databases, and a copy of one in floe's own database. Separate from test_catalogs.py, whose catalogs are servers that can be stopped.
"""
from __future__ import annotations

import json
import os
import re
import time
from typing import Any

import psycopg2

from harness import MOVING, Tap, lab, make_tables
from lakehouse import Lakehouse

from catalogs import LabCatalog

NS = f"db_{int(time.time())}"
READ = ["VERSION", "DBS", "TBLS", "SDS", "TABLE_PARAMS"]
READER = {"username": "floe_reader", "password": "reading"}
SETTINGS = {"floe.request_timeout": "5s", "floe.connect_timeout": "2s"}


def in_lab(database: str, query: str) -> list[tuple[Any, ...]]:
    """As the metastore's own user."""
    place = os.environ["FLOE_DATABASE_URI"].split("://")[1]
    with psycopg2.connect(f"postgresql://lab:labsecret@{place}/{database}") as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall() if cursor.description else []


def seen(pg: Lakehouse, catalog: str) -> dict[str, tuple[Any, ...]]:
    rows = pg.sql("SELECT t.name, t.status, t.error, t.error_detail, t.location, i.metadata_location FROM floe.tables AS t JOIN floe_internal.iceberg_table AS i ON i.name = t.name "
                  "WHERE t.name LIKE %s AND t.status <> 'dropped'", (f"{catalog}.%",))
    return {row["name"].split(".", 1)[1]: tuple(row.values())[1:] for row in rows}


def health(pg: Lakehouse, table: str) -> dict[str, float | None]:
    return {key: value for key, value in pg.metrics(table).items() if key not in MOVING}


def check(pg: Lakehouse, name: str) -> tuple[bool, str, str]:
    row = pg.sql("SELECT success, message, detail FROM floe.check_catalog(%s)", (name,))[0]
    return row["success"], row["detail"].get("code", ""), f"{row['message']}: {row['detail'].get('detail', '')}"


def real(t: Tap, pg: Lakehouse, made: list[dict[str, Any]]) -> None:
    writer = LabCatalog("hive3").catalog
    pairs = {"hive3": "metastore3", "hive4": "metastore4"}
    for name, database in pairs.items():
        pg.add_catalog(name)
        pg.add_server(f"{name}_db", "floe_catalog", "hive", {"uri": f"{os.environ['FLOE_DATABASE_URI']}/{database}"}, READER)
        success, code, said = check(pg, f"{name}_db")
        t.ok(not success and code == "forbidden" and "permission denied for table" in said, f"{name}: a role that may read nothing is told so", code, said)
        in_lab(database, f"GRANT SELECT ON {', '.join(chr(34) + one + chr(34) for one in READ)} TO floe_reader")
        success, code, said = check(pg, f"{name}_db")
        t.ok(success, f"{name}: five tables are enough", code, said)
        t.ok(pg.sql("SELECT detail FROM floe.check_catalog(%s)", (f"{name}_db",))[0]["detail"]["catalog"]["schema_version"].startswith(name[-1] + "."), f"{name}: the version of its schema is known")
    everything = [f"{catalog}.**" for name in pairs for catalog in (name, f"{name}_db")]

    def look() -> None:
        LabCatalog.copy_to_hive4(NS)
        for pattern in everything:
            pg.maintain(pattern)

    def same(what: str) -> None:
        for name in pairs:
            by_thrift, by_sql = seen(pg, name), seen(pg, f"{name}_db")
            t.ok(by_thrift == by_sql and by_sql, f"{name}: {what}: {len(by_sql)} tables, as by Thrift", {key: (by_thrift.get(key), by_sql.get(key)) for key in {*by_thrift, *by_sql}
                                                                                                         if by_thrift.get(key) != by_sql.get(key)})

    look()
    same("listed and assessed")
    wanted = {f"{NS}.{one['table']}" for one in made}
    for name in pairs:
        found = seen(pg, f"{name}_db")
        t.equal({key for key, value in found.items() if value[0] == "ok" and key.startswith(NS)}, wanted, f"{name}: and well")
        t.equal(found[f"{NS}.plain"][:3], ("unsupported", "it is not an Iceberg table", "EXTERNAL_TABLE"), f"{name}: a table of Hive's own is listed with the reason")
        different = {one: (health(pg, f"{name}.{one}"), health(pg, f"{name}_db.{one}")) for one in wanted if health(pg, f"{name}.{one}") != health(pg, f"{name}_db.{one}")}
        t.ok(not different and health(pg, f"{name}_db.{NS}.many_small")["data_file_count"] > 0, f"{name}: the health is the same", different)

    before = {row["name"]: row["assessed_at"] for row in pg.sql("SELECT name, assessed_at FROM floe.tables WHERE name LIKE 'hive3_db.%%'")}
    table = writer.load_table((NS, "many_small"))
    table.append(table.scan(limit=3).to_arrow())
    writer.drop_table((NS, "empty"))
    look()
    same("after a commit and a drop")
    current = writer.load_table((NS, "many_small")).metadata_location
    t.equal([seen(pg, f"{name}_db")[f"{NS}.many_small"][4] for name in pairs], [current] * 2, "the commit is seen")
    t.equal([pg.value("SELECT status FROM floe.tables WHERE name = %s", (f"{name}_db.{NS}.empty",)) for name in pairs], ["dropped"] * 2, "and the drop")
    after = {row["name"]: row["assessed_at"] for row in pg.sql("SELECT name, assessed_at FROM floe.tables WHERE name LIKE 'hive3_db.%%' AND status = 'ok'")}
    t.equal([name for name, at in after.items() if at != before[name]], [f"hive3_db.{NS}.many_small"], "nothing else is read again")

    uri = f"{os.environ['FLOE_DATABASE_URI']}/metastore3"
    for name, server, mapping, code, says in (
            ("wrong_password", {"uri": uri}, {**READER, "password": "not-the-secret"}, "auth", "password authentication failed"),
            ("wrong_schema", {"uri": uri, "schema": "nowhere"}, READER, "not_found", 'no table "nowhere"."VERSION"'),
            ("no_metastore", {"uri": f"{os.environ['FLOE_DATABASE_URI']}/iceberg"}, READER, "not_found", 'no table "public"."VERSION"'),
            ("no_user", {"uri": uri}, {"username": "nobody", "password": "x"}, "auth", "authentication failed")):
        pg.add_server(name, "floe_catalog", "hive", server, mapping)
        success, got, said = check(pg, name)
        t.ok(not success and got == code and says in said, f"{name}: a reason", got, said)
        pg.sql(f'DROP SERVER "{name}" CASCADE')
    pg.add_server("other_catalog", "floe_catalog", "hive", {"uri": uri, "catalog_name": "spark"}, READER)
    t.equal(check(pg, "other_catalog")[0], True, "another catalog of the metastore")
    pg.maintain("other_catalog.**")
    t.equal(seen(pg, "other_catalog"), {}, "has none of these tables")
    t.ok("not-the-secret" not in pg.server_log(), "no password is in the log")


def maintained(t: Tap, pg: Lakehouse) -> None:
    """Engines go to the metastore itself, where engine.uri says that it is."""
    name = f"hive3_db.{NS}.many_small"
    pg.add_engine()
    policy = {"engine": "spark", "rewrite_data_files": {"options": {"rewrite_all": True}}}
    pg.sql("SELECT floe.create_policy('m', %s, %s)", (name, json.dumps(policy)))
    before = pg.metrics(name)["data_file_count"]

    def run() -> list[dict[str, Any]]:
        verdict = pg.sql("SELECT * FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (name,))[0]
        pg.maintain(name, wait=True)
        return pg.sql("SELECT state, error FROM floe.operations WHERE id = %s", (verdict["operation_id"],))

    failed = run()
    t.ok(len(failed) == 1 and failed[0]["state"] == "failed" and "no uri" in str(failed[0]), "without engine.uri an operation says what is missing", failed)
    pg.sql(f"ALTER SERVER hive3_db OPTIONS (ADD \"engine.uri\" '{os.environ['FLOE_HIVE3_URI']}')")
    done = run()
    t.equal([row["state"] for row in done], ["succeeded"], "with it Spark does it through the metastore")
    t.ok(pg.metrics(name)["data_file_count"] < before, "the files are fewer", before, pg.metrics(name)["data_file_count"], done)


def here(t: Tap, pg: Lakehouse, made: list[dict[str, Any]]) -> None:
    """The rows of a real metastore in a schema of floe's own database, where they can be changed."""
    pg.sql('CREATE SCHEMA "Meta""store"; SET search_path = "Meta""store"; CREATE TABLE "VERSION" ("SCHEMA_VERSION" text); CREATE TABLE "DBS" ("DB_ID" bigint, "NAME" text, "CTLG_NAME" text); '
           'CREATE TABLE "TBLS" ("TBL_ID" bigint, "DB_ID" bigint, "SD_ID" bigint, "TBL_NAME" text, "TBL_TYPE" text); CREATE TABLE "SDS" ("SD_ID" bigint, "LOCATION" text); '
           'CREATE TABLE "TABLE_PARAMS" ("TBL_ID" bigint, "PARAM_KEY" text, "PARAM_VALUE" text)')
    columns = {"VERSION": ["SCHEMA_VERSION"], "DBS": ["DB_ID", "NAME", "CTLG_NAME"], "TBLS": ["TBL_ID", "DB_ID", "SD_ID", "TBL_NAME", "TBL_TYPE"], "SDS": ["SD_ID", "LOCATION"],
               "TABLE_PARAMS": ["TBL_ID", "PARAM_KEY", "PARAM_VALUE"]}
    for table, names in columns.items():
        quoted = ", ".join(f'"{name}"' for name in names)
        for row in in_lab("metastore3", f'SELECT {quoted} FROM "{table}"'):
            pg.sql(f'INSERT INTO "Meta""store"."{table}" ({quoted}) VALUES ({", ".join(["%s"] * len(row))})', row)
    pg.add_server("here", "floe_catalog", "hive", {"uri": "postgresql:///", "schema": 'Meta"store'}, {})
    pg.maintain("here.**")
    t.ok(seen(pg, "here") == seen(pg, "hive3_db") and seen(pg, "here"), "in this database: the same tables", seen(pg, "here"), seen(pg, "hive3_db"))
    name = f"{NS}.many_small"

    def param(key: str, value: str | None) -> tuple[Any, ...]:
        table = '"Meta""store"."TABLE_PARAMS"'
        of = f'"TBL_ID" = (SELECT t."TBL_ID" FROM "Meta""store"."TBLS" AS t JOIN "Meta""store"."DBS" AS d USING ("DB_ID") WHERE d."NAME" = \'{NS}\' AND t."TBL_NAME" = \'many_small\') AND "PARAM_KEY" = %s'
        if value is None:
            pg.sql(f"DELETE FROM {table} WHERE {of}", (key,))
        else:
            pg.sql(f'UPDATE {table} SET "PARAM_VALUE" = %s WHERE {of}', (value, key))
        pg.maintain("here.**")
        return seen(pg, "here")[name]

    good = seen(pg, "here")[name][4]
    for value, status, says in (("file:///etc/passwd", "error", "floe.allowed_file_roots"), ("s3://", "error", "has no bucket and key"), ("", "error", "has no metadata_location")):
        row = param("metadata_location", value)
        t.ok(row[0] == status and says in f"{row[1]}: {row[2]}", f"metadata_location {value!r}: a row with the reason", row)
    row = param("metadata_location", good)
    t.equal(row[0], "ok", "well again")
    row = param("metadata_location", None)
    t.ok((row[0], row[1]) == ("error", "the metastore has no metadata_location of the table"), "no metadata_location: likewise", row)
    row = param("table_type", None)
    t.equal(row[:2], ("unsupported", "it is not an Iceberg table"), "no table_type: not Iceberg's")
    pg.sql('INSERT INTO "Meta""store"."VERSION" VALUES (NULL)')
    success, code, said = check(pg, "here")
    t.ok(not success and code == "protocol" and "VERSION" in said, "two versions: no metastore's", code, said)
    pg.sql('DELETE FROM "Meta""store"."VERSION" WHERE "SCHEMA_VERSION" IS NULL')
    pg.sql('''INSERT INTO "Meta""store"."DBS" VALUES (-1, 'a', 'hive'), (-2, E'b\\x1f', 'hive'), (-3, NULL, 'hive'); INSERT INTO "Meta""store"."TBLS" VALUES
           (-1, -1, NULL, E'new\\nline "; DROP TABLE x; --', 'EXTERNAL_TABLE'), (-2, -2, NULL, 'x', 'EXTERNAL_TABLE'), (-3, -3, NULL, 'x', 'EXTERNAL_TABLE'), (-4, -1, NULL, 'v', 'VIRTUAL_VIEW')''')
    count = len(seen(pg, "here"))
    pg.sql("SELECT floe.refresh('here.**')")
    pg.maintain("here.**")
    t.equal(len(seen(pg, "here")), count + 1, "views are no tables, and of odd names those that floe can keep are kept")
    pg.sql('ALTER TABLE "Meta""store"."TBLS" RENAME TO "X"')
    pg.sql("SELECT floe.refresh('here.**')")
    pg.maintain("here.**")
    row = pg.sql("SELECT status, error, error_detail FROM floe.catalogs WHERE name = 'here'")[0]
    t.ok(row["status"] == "error" and re.search("TBLS", str(row["error_detail"])) and len(seen(pg, "here")) == count + 1, "a table is missing: an error with the reason, and nothing is dropped", row)


def main() -> None:
    own = ["database", "hive3", "hive4"]
    with Tap() as t, Lakehouse(conf=SETTINGS) as pg:
        try:
            for component in own:
                lab("start", component)
            if not in_lab("metastore3", "SELECT 1 FROM pg_roles WHERE rolname = 'floe_reader'"):
                in_lab("metastore3", "CREATE ROLE floe_reader LOGIN PASSWORD 'reading'")
            for database in ("metastore3", "metastore4"):
                in_lab(database, f"REVOKE ALL ON {', '.join(chr(34) + one + chr(34) for one in READ)} FROM floe_reader")
            made = [one for one in make_tables("hive3", NS, ["empty", "many_small", "position_deletes"]) if "refused" not in one]
            LabCatalog.plain_hive_table(NS, "plain")
            real(t, pg, made)
            maintained(t, pg)
            here(t, pg, made)
            t.equal(pg.value("SELECT count(*) FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL OR crashes > 0"), 0, "no claim is left behind")
        finally:
            lab("stop", *reversed(own))


if __name__ == "__main__":
    main()
