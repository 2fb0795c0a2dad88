"""Options on real Spark: each one of the catalogue reaches the engine, ten that matter are seen in the table, and predicates select what pyiceberg selects.

The statement is made by floe from the columns that it read, and what is in it is read back before it is sent. Most of it is sent by the test
itself, because what floe does around a statement is test_operations.py's.
"""
import datetime
import json
import re
import time
from decimal import Decimal

from harness import Tap, statistics_fields
from lakehouse import Lakehouse
from pyiceberg.expressions import (AlwaysTrue, And, EqualTo, GreaterThan, GreaterThanOrEqual, In, IsNull, LessThan, LessThanOrEqual, Not, NotEqualTo, NotIn, NotNull, NotStartsWith,
                                   Or, StartsWith)

from catalogs import LabCatalog

NS = f"options_{int(time.time())}"
NOW = datetime.datetime(2026, 1, 5, 12, 0, tzinfo=datetime.timezone.utc)
EVIL = "it's \"a\" `b`"
WHERE = [
    ("id = 3", EqualTo("id", 3)), ("4 <= id", GreaterThanOrEqual("id", 4)), ("id <> 3", NotEqualTo("id", 3)), ("NOT id < 3", GreaterThanOrEqual("id", 3)),
    ("n IN (1, 2, -7)", In("n", {1, 2, -7})), ("n NOT IN (1, 2)", NotIn("n", {1, 2})), ("n BETWEEN 2 AND 4", And(GreaterThanOrEqual("n", 2), LessThanOrEqual("n", 4))),
    ("n NOT BETWEEN 2 AND 4", Or(LessThan("n", 2), GreaterThan("n", 4))), ("x > 2.5", GreaterThan("x", 2.5)), ("f <= 2.5", LessThanOrEqual("f", 2.5)),
    ("price = 3.25", EqualTo("price", Decimal("3.25"))), ("ok", EqualTo("ok", True)), ("NOT ok", EqualTo("ok", False)),
    ("day >= DATE '2026-01-03'", GreaterThanOrEqual("day", "2026-01-03")), ("day = '2026-01-02'", EqualTo("day", "2026-01-02")),
    ("day >= current_date - 2 days", GreaterThanOrEqual("day", "2026-01-03")), ("at < TIMESTAMP '2026-01-02 12:00:00'", LessThan("at", "2026-01-02T12:00:00")),
    ("at >= now() - interval '36 hours'", GreaterThanOrEqual("at", "2026-01-04T00:00:00")), ("tz >= TIMESTAMP '2026-01-03 01:00:00+01:00'", GreaterThanOrEqual("tz", "2026-01-03T00:00:00+00:00")),
    ("tz < DATE '2026-01-03'", LessThan("tz", "2026-01-03T00:00:00+00:00")), ("name LIKE 'a%'", StartsWith("name", "a")), ("name NOT LIKE 'a%'", NotStartsWith("name", "a")),
    ("name LIKE 'b_1'", None), ("name = 'it''s \"5\"'", EqualTo("name", "it's \"5\"")), ("name IS NULL", IsNull("name")), ("name IS NOT NULL", NotNull("name")),
    ('"it\'s ""a"" `b`" = 4', EqualTo(EVIL, 4)), ("`it's \"a\" ``b``` > 4", GreaterThan(EVIL, 4)), ("s.a = 2", EqualTo("s.a", 2)), ("TRUE", AlwaysTrue()),
    ("id = 1 OR n = 2 AND NOT (ok OR name LIKE 'zz%')", Or(EqualTo("id", 1), And(EqualTo("n", 2), And(EqualTo("ok", False), NotStartsWith("name", "zz"))))),
]
# The others are planned only, which is what takes or refuses them.
REWRITTEN = ("id = 3", "n NOT IN (1, 2)", "at < TIMESTAMP '2026-01-02 12:00:00'", "name NOT LIKE 'a%'")
# Of each type of option one value, and what Spark has to be given.
SAMPLES = {"bytes": ("64MB", "67108864"), "count": (2, "2"), "ratio": (0.5, "0.5"), "boolean": (True, "true"), "duration": ("2 days", "TIMESTAMP '2026-01-03 12:00:00.000Z'"),
           "list of ids": ([1, "2"], "array(1L, 2L)"), "list of columns": (["id", "s.a"], "array('id', 's.a')"), "text": ("main", "main"),
           "map of texts": ({"s3a,s3n": "s3"}, "map('s3a,s3n', 's3')"), "sort order": ("id DESC NULLS LAST, bucket(4, name)", "`id` DESC NULLS LAST, bucket(4, `name`)"),
           "predicate": ("id > 1 AND name <> 'q'", "`id` > 1L AND `name` <> 'q'")}
ODD = {"max_output_size": ("16B", "16"), "var_length_contribution": ("8B", "8"), "max_file_size": ("2GB", "2147483648"), "min_file_size": ("1MB", "1048576"), "output_spec_id": (0, "0"),
       "spec_id": (0, "0"), "partial_progress_max_failed_commits": (1, "1")}
BESIDE = {"strategy": {"sort_order": "id"}, "compression_factor": {"strategy": "sort", "sort_order": "id"}, "shuffle_partitions_per_file": {"strategy": "sort", "sort_order": "id"},
          "max_output_size": {"sort_order": "zorder(id, name)"}, "var_length_contribution": {"sort_order": "zorder(id, name)"}}
TEXT = r"(?:(?:'[^']*'|\"[^\"]*\") ?)+"


def joined(literal):
    """The text of a Spark literal, which may be several behind each other."""
    return "".join(one[1:-1] for one in re.findall(r"'[^']*'|\"[^\"]*\"", literal))


def read_back(statement):
    """Arguments of a CALL, and the entries of its options map; texts without their quotes."""
    found = {}
    inside, _, options = statement[statement.index("(") + 1:-1].partition(", options => map(")
    for key, value in re.findall(rf"(\w+) => ({TEXT}|TIMESTAMP '[^']*'|(?:array|map)\([^)]*\)|[\w.-]+)", inside):
        found[key] = joined(value) if value[0] in "'\"" else value
    entries = re.findall(r"'([^']*)'", options)
    found.update(zip(entries[::2], entries[1::2]))
    return found


class Bench:
    def __init__(self, t, pg, session):
        self.t, self.pg, self.session, self.now = t, pg, session, NOW

    def statement(self, table, operation, options):
        """What floe would send now, for a catalog that the test's session calls "lab"."""
        return self.pg.value("SELECT floe_internal.render_statement('spark-thrift', 'lab', t.namespace, t.table_name, %s, %s, %s, floe_internal.table_schema(t.details, t.specs)) "
                             "FROM floe_internal.iceberg_table AS t WHERE t.name = %s", (operation, json.dumps(options), self.now or datetime.datetime.now(datetime.timezone.utc), f"rest.{NS}.{table}"))

    def call(self, table, operation, **options):
        return self.session.sql(self.statement(table, operation, options))

    def table(self, name):
        return LabCatalog("rest").catalog.load_table((NS, name))


def make(session):
    evil = EVIL.replace("`", "``")
    session.sql(f"CREATE NAMESPACE IF NOT EXISTS lab.{NS}")
    session.sql(f"CREATE TABLE lab.{NS}.typed (id bigint, n int, x double, f float, price decimal(9,2), ok boolean, day date, at timestamp_ntz, tz timestamp, name string, `{evil}` int, "
                "s struct<a: int>) USING iceberg PARTITIONED BY (days(at))")
    session.sql(f"INSERT INTO lab.{NS}.typed SELECT id, CAST(id AS int), id + 0.5D, CAST(id + 0.5 AS float), CAST(id + 0.25 AS decimal(9,2)), id % 2 = 0, date_add(DATE '2026-01-01', CAST(id AS int)), "
                "CAST('2026-01-01' AS timestamp_ntz) + make_dt_interval(CAST(id AS int)), timestamp'2026-01-01 00:00:00Z' + make_dt_interval(CAST(id AS int)), "
                "CASE id WHEN 0 THEN NULL WHEN 5 THEN 'it\\'s \"5\"' ELSE concat(if(id < 3, 'a', 'b'), id) END, CAST(id AS int), named_struct('a', CAST(id AS int)) FROM range(6)")
    session.sql(f"CREATE TABLE lab.{NS}.plain (id bigint, name string, s struct<a: int>) USING iceberg TBLPROPERTIES ('write.delete.mode'='merge-on-read')")
    fill(session, "plain", 0)
    session.sql(f"DELETE FROM lab.{NS}.plain WHERE id = 7")


def fill(session, table, start):
    session.sql(f"INSERT INTO lab.{NS}.{table} SELECT /*+ REPARTITION(4) */ id, concat('n', id), named_struct('a', CAST(id AS int)) FROM range({start}, {start + 40})")


def predicates(b):
    """The same files as pyiceberg's scan plans are rewritten, and the same rows selected."""
    for text, filtered in WHERE:
        if filtered is None:
            b.t.raises(lambda: b.statement("typed", "rewrite_data_files", {"where": text}), "LIKE takes a beginning only", f"where {text}: refused")
            continue
        where = read_back(b.statement("typed", "rewrite_data_files", {"where": text}))["where"]
        rows = sorted(row["id"] for row in b.session.sql(f"SELECT id FROM lab.{NS}.typed WHERE {where}"))
        scan = b.table("typed").scan(row_filter=filtered)
        wanted = sorted(row["id"] for row in scan.to_arrow().to_pylist())
        b.t.equal((rows, len(rows) > 0), (wanted, True), f"where {text}: Spark selects what pyiceberg does, by {where}")
        planned = len(list(scan.plan_files()))
        is_done = text in REWRITTEN
        done = b.call("typed", "rewrite_data_files", where=text, rewrite_all=is_done)[0]["rewritten_data_files_count"]
        if not is_done:
            b.t.equal(done, 0, f"where {text}: the procedure takes it")
            continue
        # one row, one file; Iceberg's Java also leaves out files of a single value that is not asked for
        b.t.ok(len(rows) <= done <= planned, f"where {text}: the procedure takes it and rewrites the files that pyiceberg plans", done, planned, len(rows))


def every_option(b):
    """What floe sends is read back, and the procedure takes it."""
    for row in b.pg.sql("SELECT operation, option, engine_name, value_type, allowed FROM floe_internal.engine_options() WHERE engine_type = 'spark-thrift'"):
        given, wanted = ODD.get(row["option"]) or SAMPLES.get(row["value_type"]) or (row["allowed"][-1], row["allowed"][-1])
        if row["option"] == "snapshot_id":
            given = b.table("typed").metadata.current_snapshot_id
            wanted = str(given)
        # the other one has a column that Iceberg computes no statistics of
        if row["operation"] == "compute_table_stats" and row["option"] == "snapshot_id":
            given = b.table("plain").metadata.current_snapshot_id
            wanted = str(given)
        statement = b.statement("plain" if row["operation"] == "compute_table_stats" else "typed", row["operation"], {**BESIDE.get(row["option"], {}), row["option"]: given})
        sent = read_back(statement)
        b.t.equal(sent.get(row["engine_name"]), wanted, f"{row['operation']}: {row['option']} is sent as {row['engine_name']}")
        try:
            b.session.sql(statement)
            b.t.ok(True, f"{row['operation']}: {row['option']} is taken")
        except Exception as error:
            b.t.ok(False, f"{row['operation']}: {row['option']} is taken", statement, error)


def seen_in_the_table(b):
    """Ten options, and more, that matter: what they did is in the table's files, snapshots and metadata."""
    t, table = b.t, lambda: b.table("plain")
    b.now = None

    def paths():
        return {one.file.file_path for one in table().scan().plan_files()}

    b.call("plain", "rewrite_data_files", where="id >= 1000", rewrite_all=True)
    t.equal((len(paths()), len(table().metadata.snapshots)), (4, 2), "where: nothing that cannot match is rewritten")
    b.call("plain", "rewrite_data_files", min_input_files=5)
    t.equal(len(paths()), 4, "min_input_files: four files are too few")
    b.call("plain", "rewrite_data_files", delete_file_threshold=1, delete_ratio_threshold=1)
    t.equal([len(one.delete_files) for one in table().scan().plan_files()], [0] * len(paths()), "delete_file_threshold: the file with a delete was rewritten")
    fill(b.session, "plain", 40)
    before, target = len(paths()), 2 * max(one.file.file_size_in_bytes for one in table().scan().plan_files())
    b.call("plain", "rewrite_data_files", rewrite_all=True, max_files_to_rewrite=2)
    t.equal(len(paths()), before - 1, "max_files_to_rewrite: two became one")
    b.call("plain", "rewrite_data_files", rewrite_all=True, target_file_size=target)
    t.ok(1 < len(paths()) < before - 1, "target_file_size: fewer, and not one", len(paths()), before)
    b.session.sql(f"ALTER TABLE lab.{NS}.plain SET TBLPROPERTIES ('write.target-file-size-bytes'='{target}')")
    fill(b.session, "plain", 80)
    before = len(paths())
    b.call("plain", "rewrite_data_files", rewrite_all=True)
    t.ok(1 < len(paths()) < before, "without target_file_size the table's property holds", len(paths()), before)
    b.call("plain", "rewrite_data_files", rewrite_all=True, target_file_size="1GB")
    t.equal(len(paths()), 1, "target_file_size: what the policy says comes before the table's property")
    b.session.sql(f"ALTER TABLE lab.{NS}.plain UNSET TBLPROPERTIES ('write.target-file-size-bytes')")
    fill(b.session, "plain", 120)
    before = len(table().metadata.snapshots)
    b.call("plain", "rewrite_data_files", rewrite_all=True, max_file_group_size=target, partial_progress_enabled=True, partial_progress_max_commits=2)
    t.equal(len(table().metadata.snapshots), before + 2, "max_file_group_size, partial_progress_enabled: two commits")
    b.call("plain", "rewrite_data_files", rewrite_all=True, strategy="sort", sort_order="id DESC")
    ids = [row["id"] for row in table().scan().to_arrow().to_pylist()]
    t.equal((len(paths()), ids), (1, sorted(ids, reverse=True)), "rewrite_all, sort_order: one file, its rows in that order")
    b.call("plain", "rewrite_data_files", rewrite_all=True, sort_order="zorder(id, name)")
    zordered = [row["id"] for row in table().scan().to_arrow().to_pylist()]
    t.ok(zordered != ids and sorted(zordered) == sorted(ids), "sort_order zorder: the same rows in another order", zordered)
    rows = sorted(row["id"] for row in b.table("typed").scan().to_arrow().to_pylist())
    done = b.call("typed", "rewrite_data_files", rewrite_all=True, sort_order='"it\'s ""a"" `b`" DESC NULLS LAST, bucket(4, name), days(tz), truncate(2, price)')[0]
    t.equal((done["rewritten_data_files_count"], sorted(row["id"] for row in b.table("typed").scan().to_arrow().to_pylist())), (len(rows), rows), "sort_order: transforms, and a name full of quotes")
    b.session.sql(f"ALTER TABLE lab.{NS}.plain CREATE BRANCH side")
    main = table().metadata.current_snapshot_id
    b.call("plain", "rewrite_data_files", rewrite_all=True, branch="side")
    t.ok(table().metadata.current_snapshot_id == main and table().metadata.refs["side"].snapshot_id != main, "branch: main stands where it was, and the branch went on", table().metadata.refs)
    b.call("plain", "compute_table_stats", columns=["name"])
    t.equal(statistics_fields(table().metadata), [[2]], "columns: statistics of one column")
    oldest = table().metadata.snapshots[0].snapshot_id
    b.call("plain", "expire_snapshots", snapshot_ids=[oldest], max_snapshot_age="100 days")
    t.ok(oldest not in {one.snapshot_id for one in table().metadata.snapshots} and len(table().metadata.snapshots) > 3, "snapshot_ids: that one is gone, younger than the age or not")
    b.call("plain", "expire_snapshots", max_snapshot_age="0 days", retain_last=3)
    kept, at = set(), table().metadata.current_snapshot_id
    for _ in range(3):
        kept.add(at)
        at = table().snapshot_by_id(at).parent_snapshot_id
    left = {one.snapshot_id for one in table().metadata.snapshots}
    t.ok(kept <= left and len(left) < 2 * 3, "max_snapshot_age, retain_last: three of each branch are left", left, kept)


def blocked(b):
    """What the table has not, or cannot lose, is never sent."""
    t, pg, name = b.t, b.pg, f"rest.{NS}.typed"
    pg.maintain(name)
    metadata = b.table("typed").metadata
    cases = [("rewrite_data_files", {"where": "nope = 1"}, 'column "nope" of the predicate is not in the table'), ("rewrite_data_files", {"sort_order": "zorder(id, nope)"}, 'column "nope" of sort_order'),
             ("rewrite_data_files", {"sort_order": "hours(day)"}, "is of type date, which hours does not take"), ("rewrite_position_delete_files", {"where": "day = 'soon'"}, "is compared with what is not a date"),
             ("expire_snapshots", {"snapshot_ids": [metadata.current_snapshot_id]}, 'what branch "main" points to')]
    for operation, options, says in cases:
        row = pg.sql("SELECT * FROM floe.trigger(%s, %s, %s)", (name, [operation], json.dumps({operation: options})))[0]
        t.ok((row["verdict"], row["gate"]) == ("blocked", "options") and says in row["value"], f"{operation} {options}: blocked, with the reason", row)
    pg.sql("SELECT floe.alter_policy('typed', %s)", (json.dumps({"rewrite_data_files": {"options": {"sort_order": "nope DESC"}}}),))
    row = pg.sql("SELECT * FROM floe.why(%s) WHERE operation = 'rewrite_data_files'", (name,))[0]
    t.equal((row["verdict"], row["gate"], row["value"], row["set_by"]), ("blocked", "options", 'column "nope" of sort_order is not in the table', "the table's metadata"), "a policy's, too")
    pg.sql("SELECT floe.alter_policy('typed', %s)", (json.dumps({"rewrite_data_files": {"options": {"sort_order": None}}}),))
    # the column goes while the operation waits
    row = pg.sql("SELECT * FROM floe.trigger(%s, '{rewrite_data_files}', %s)", (name, json.dumps({"rewrite_data_files": {"where": "price > 1", "rewrite_all": True}})))[0]
    b.session.sql(f"ALTER TABLE lab.{NS}.typed DROP COLUMN price")
    pg.maintain(name, wait=True)
    row = pg.sql("SELECT * FROM floe.operations WHERE id = %s", (row["operation_id"],))[0]
    t.ok((row["state"], row["error_class"], row["statement"]) == ("failed", "config", None) and 'column "price"' in row["error"], "dropped while it was queued: class config, and nothing was sent", row)
    t.equal(pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s AND statement IS NOT NULL", (name,)), 0, "nothing of all this was sent")


def main():
    with Tap() as t, Lakehouse() as pg, LabCatalog("rest").spark() as session:
        make(session)
        pg.add_catalog("rest"), pg.add_engine()
        never = {"when": {"any": [{"metric": "data_file_count", "op": "<", "value": 0}]}}
        pg.sql("SELECT floe.create_policy('typed', %s, %s)", (f"rest.{NS}.typed", json.dumps({"engine": "spark", "rewrite_data_files": never, "rewrite_position_delete_files": never, "expire_snapshots": never})))
        pg.maintain(f"rest.{NS}.**")
        b = Bench(t, pg, session)
        predicates(b)
        every_option(b)
        seen_in_the_table(b)
        blocked(b)


if __name__ == "__main__":
    main()
