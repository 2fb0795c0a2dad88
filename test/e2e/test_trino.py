"""floe's operations on a real Trino: the effect as the independent judge measures it, the same rows, nothing live lost, and what Trino refuses.

On local files and S3 behind an Iceberg REST catalog, on Nessie and on a Hive Metastore, each pair of operation and catalog where that catalog
can show something of its own. Trino folds names to lower case: tables it would mistake for others are never sent to it.
"""
import json
import sys
import time

import pyarrow

from harness import MOVING, Tap, checksum, judge, lab, make_tables, reachable
from lakehouse import Lakehouse
from trinolake import OPERATIONS, Case, add_engine, start

from catalogs import LabCatalog

NS = f"trino_{int(time.time())}"
THRESHOLDS = {"excess_file_count": 1, "excess_manifest_count": 1, "expirable_snapshot_count": 1, "delete_ratio": 0.01}
POLICY = {"engine": "trino", "thresholds": {name: {"warning": value, "critical": 1000} for name, value in THRESHOLDS.items()}, **{operation: {} for operation in OPERATIONS}}
SHAPES = {"rest": ["many_small", "aged", "orphans", "skewed", "position_deletes", "branch_tag"], "s3": ["many_small", "aged", "orphans", "skewed"],
          "nessie": ["many_small"], "hive3": ["many_small", "orphans"]}


def judged(lab_name, table):
    return {name: value for name, value in judge(lab_name, [NS, table])["metrics"].items() if name not in MOVING and value is not None}


class Done:
    """One table, triggered by hand and followed to the end."""

    def __init__(self, t, pg, lab_name, table, operation):
        self.name = name = f"{lab_name}.{NS}.{table}"
        content, self.before = checksum(lab_name, [NS, table]), judged(lab_name, table)
        refs = LabCatalog(lab_name).catalog.load_table((NS, table)).metadata.refs.keys()
        verdict = pg.sql("SELECT * FROM floe.trigger(%s, ARRAY[%s])", (name, operation))[0]
        t.equal(verdict["verdict"], "queued", f"{name}: a trigger queues {operation}") or t.note(verdict)
        notices = pg.maintain(name, wait=True)
        self.row = pg.sql("SELECT * FROM floe.operations WHERE table_name = %s AND operation = %s", (name, operation))[0]
        self.after = judged(lab_name, table)
        t.ok((self.row["state"], self.row["error"], self.row["attempt"]) == ("succeeded", None, 1), f"{name}: {operation} succeeded", notices, self.row)
        t.equal(checksum(lab_name, [NS, table]), content, f"{name}: the same rows")
        t.equal(reachable(lab_name, [NS, table])["missing"], [], f"{name}: no file of any snapshot is missing")
        t.ok(LabCatalog(lab_name).catalog.load_table((NS, table)).metadata.refs.keys() >= refs - {"dropped", "gone"}, f"{name}: references are kept")


def data_files(t, pg, lab_name):
    one = Done(t, pg, lab_name, "many_small", "rewrite_data_files")
    t.equal((one.before["data_file_count"], one.after["data_file_count"], one.after["excess_file_count"]), (120, 20, 0), f"{one.name}: one file for each partition is left")
    t.equal([snapshot["operation"] for snapshot in one.row["new_snapshots"]], ["replace"], f"{one.name}: by one snapshot of its own")
    t.equal(one.row["effect"]["data_file_count"], -100, f"{one.name}: floe.operations says so")
    t.contains(one.row["statement"], "EXECUTE optimize(file_size_threshold => '384MB')", f"{one.name}: files below floe's own limit are small")
    if lab_name == "rest":
        t.ok(one.row["external_id"] and one.row["external_id"][8] == "_", f"{one.name}: under Trino's id of the query", one.row["external_id"])
        again = pg.sql("SELECT * FROM floe.trigger(%s)", (one.name,))
        t.equal({row["verdict"] for row in again if row["operation"] == "rewrite_data_files"}, {"not needed"}, f"{one.name}: a second trigger finds nothing to do")


def snapshots(t, pg, lab_name):
    ids = {one.snapshot_id for one in LabCatalog(lab_name).catalog.load_table((NS, "aged")).metadata.snapshots}
    wanted = judge(lab_name, [NS, "aged"])["metrics"]["expirable_snapshot_count"]
    one = Done(t, pg, lab_name, "aged", "expire_snapshots")
    metadata = LabCatalog(lab_name).catalog.load_table((NS, "aged")).metadata
    left = {one.snapshot_id for one in metadata.snapshots}
    t.equal((wanted, len(ids - left)), (5, 5), f"{one.name}: the expirable snapshots are gone")
    t.ok({one.snapshot_id for one in metadata.refs.values()} <= left and "main" in metadata.refs, f"{one.name}: what a ref points to is kept", metadata.refs)
    t.contains(one.row["statement"], "EXECUTE expire_snapshots(retention_threshold => '5d')", f"{one.name}: by the age that the table's own property says, not by Trino's default")


def orphans(t, pg, lab_name, planted):
    def plain(path):
        return path.split("://")[-1].removeprefix("file:").lstrip("/")

    # It has one manifest for each append, and no partitions: the pass does what is called for beside the trigger.
    one = Done(t, pg, lab_name, "orphans", "remove_orphan_files")
    t.ok(one.before["excess_manifest_count"] > 1 and one.after["excess_manifest_count"] == 0, f"{one.name}: no manifest too many is left", one.before, one.after)
    left = {plain(path) for path in reachable(lab_name, [NS, "orphans"])["unreferenced"]}
    t.ok(not left & {plain(path) for path in planted["old"]}, f"{one.name}: the old orphans are gone", left)
    t.ok({plain(path) for path in planted["young"]} <= left, f"{one.name}: the young one is left", left)
    t.ok("orphan_files_removed" not in one.row["effect"], f"{one.name}: this Trino does not say how many, and floe makes up no number", one.row["effect"])
    t.contains(one.row["statement"], "EXECUTE remove_orphan_files(retention_threshold => '3d')", f"{one.name}: by the age in the statement")


def manifests(t, pg, lab_name):
    """Trino writes one manifest for each partition at least: fewer than there were, and more than Spark would leave."""
    one = Done(t, pg, lab_name, "skewed", "rewrite_manifests")
    t.ok(25 == one.before["manifest_count"] > one.after["manifest_count"] >= one.after["partition_count"] > 1, f"{one.name}: as many manifests as partitions are left", one.before, one.after)


def deletes(t, pg):
    """What calls for the rewrite are deletes: Trino has none of the options that Spark needs for them, and does it without."""
    one = Done(t, pg, "rest", "position_deletes", "rewrite_data_files")
    t.ok(one.before["position_delete_file_count"] == 3 and one.after["position_delete_file_count"] == one.after["delete_ratio"] == 0, f"{one.name}: no delete is left", one.before, one.after)
    t.equal(one.row["engine_result"], None, f"{one.name}: of which Trino says nothing")


# -------------------------------------------------------------------------------------------------
# What is refused: by floe before anything is sent, or by Trino
# -------------------------------------------------------------------------------------------------

def capabilities(t, pg):
    checked = pg.sql("SELECT * FROM floe.check_engine('trino')")[0]
    t.ok(checked["success"] and {"product": "Trino", "version": "476"} in checked["detail"]["engine"], "check_engine() says which Trino it is", checked)
    for operation, options, says in (("rewrite_position_delete_files", {}, "trino cannot do it"), ("rewrite_data_files", {"strategy": "sort", "sort_order": "a"}, 'no option like "strategy"'),
                                     ("expire_snapshots", {"retain_last": 3}, 'no option like "retain_last"'), ("rewrite_data_files", {"where": "a = \"x\""}, "a value is missing"),
                                     ("rewrite_manifests", {"use_caching": True}, "it has none"), ("remove_orphan_files", {"dry_run": True}, 'no option like "dry_run"')):
        refusal = pg.value("SELECT floe_internal.engine_refusal('trino', %s, %s)", (operation, json.dumps(options)))
        t.contains(refusal, says, f"{operation} with {options} is refused")
    t.equal(pg.value("SELECT floe_internal.engine_refusal('trino', 'rewrite_data_files', '{\"min_file_size\": 1000, \"where\": \"day = 3\"}')"), None, "what Trino has is not")
    pg.add_server("wrong", "floe_engine", "trino", {"url": pg.value("SELECT option_value FROM pg_options_to_table((SELECT srvoptions FROM pg_foreign_server WHERE srvname = 'trino')) "
                                                                    "WHERE option_name = 'url'")}, {"username": "floe", "password": "s3cret-word"})
    checked = pg.sql("SELECT * FROM floe.check_engine('wrong')")[0]
    t.ok(not checked["success"] and "https" in str(checked) and "s3cret-word" not in str(checked), "a password over http is refused, before it is sent", checked)


def refusals(t, pg):
    """Trino's own words, each with the class that follows from it; nothing is changed."""
    lab_catalog = LabCatalog("rest").catalog
    table = lab_catalog.load_table((NS, "branch_tag"))
    before = table.metadata.current_snapshot_id
    floor = Case(t, pg, "floor", ["rest", NS, "branch_tag"], "expire_snapshots", engine="strict", max_snapshot_age="1 day")
    floor.run()
    floor.failed("config", "shorter than the minimum retention")
    lifted = Case(t, pg, "lifted", ["rest", NS, "many_small"], "expire_snapshots", engine="lifted", max_snapshot_age="1 day")
    notices = lifted.run()
    lifted.ok(lifted.row()["state"] in ("succeeded", "no_change"), "an option session.* lowers the minimum", lifted.row()["error"], notices)
    orphans_floor = Case(t, pg, "orphans_floor", ["rest", NS, "orphans"], "remove_orphan_files", engine="strict", older_than="24 hours")
    orphans_floor.run()
    orphans_floor.failed("config", "shorter than the minimum retention")
    orphans_floor.ok("'1450m'" in orphans_floor.row()["statement"], "floe's own floor is sent a little older than it is", orphans_floor.row()["statement"])
    column = Case(t, pg, "column", ["rest", NS, "branch_tag"], "rewrite_data_files", where="no_such_column = 1")
    verdict = pg.sql("SELECT * FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (column.table,))[0]
    t.ok((verdict["verdict"], verdict["gate"]) == ("blocked", "options") and "no_such_column" in verdict["value"], "a column that the table has not is told before anything is sent", verdict)
    other = Case(t, pg, "unpartitioned", ["rest", NS, "skewed"], "rewrite_data_files", where="id = 1")
    other.run()
    other.failed("config", 'option "where"')
    pg.sql("SELECT floe.drop_policy('unpartitioned')")
    days = Case(t, pg, "days", ["rest", NS, "skewed"], "rewrite_data_files", where="day BETWEEN 1 AND 2")
    notices = days.run()
    days.ok(days.row()["state"] in ("succeeded", "no_change") and "WHERE" in days.row()["statement"], "a predicate on partitions is one that Trino takes", days.row()["statement"], days.row()["error"], notices)
    missing = Case(t, pg, "nowhere", ["rest", NS, "aged"], "rewrite_data_files", engine="nowhere")
    missing.run()
    missing.failed("config", "TABLE_NOT_FOUND")
    t.equal(lab_catalog.load_table((NS, "branch_tag")).metadata.current_snapshot_id, before, "what was refused left no snapshot")


def names(t, pg):
    """Trino takes "UP" for up: the one must never be changed in place of the other."""
    catalog = LabCatalog("rest").catalog
    schema = pyarrow.schema([("id", pyarrow.int64())])
    able, unable = ["up", "we.ird", 'q"uote', "sp ace", "ünï", "semi;--", "'ap", "select"], ["UP", "É", "up$files", "at@1"]
    for name in able + unable:
        table = catalog.create_table((NS, name), schema=schema)
        for i in range(3):
            table.append(pyarrow.table({"id": [i]}))
    pg.sql("SELECT floe.refresh('rest.**')")
    pg.maintain(f"rest.{NS}.**")
    for name in unable:
        told = pg.psql(f"SELECT floe_internal.render_statement('trino', 'rest', ARRAY['{NS}'], '{name}', 'rewrite_data_files', '{{}}', now())").stderr
        t.ok("the name of the table has" in told, f"{name}: refused", told)
    for i, name in enumerate(able):
        case = Case(t, pg, f"name_{i}", ["rest", NS, name], "rewrite_data_files")
        case.trigger()
    upper = Case(t, pg, "upper", ["rest", NS, "UP"], "rewrite_data_files")
    upper.trigger()
    pg.maintain(upper.table, wait=False)
    for name in able:
        pg.maintain(pg.format_name(["rest", NS, name]), wait=True)
        t.equal(len(list(catalog.load_table((NS, name)).scan().plan_files())), 1, f"{name}: optimized")
    t.equal(len(list(catalog.load_table((NS, "UP")).scan().plan_files())), 3, "UP: as it was")
    upper.ok(upper.row()["external_id"] is None, "nothing was sent for it", upper.row())
    upper.failed("config", "the name of the table has")


def gc_disabled(t, pg):
    """Trino removes files whatever gc.enabled says; floe does not let it."""
    table = make_tables("rest", NS, ["gc_disabled"])[0]["table"]
    pg.sql("SELECT floe.refresh('rest.**')")
    case = Case(t, pg, "gc", ["rest", NS, table], "remove_orphan_files")
    for operation in ("remove_orphan_files", "expire_snapshots"):
        pg.sql("SELECT floe.alter_policy('gc', %s)", (json.dumps({operation: {"engine": "trino"}}),))
        verdict = pg.sql("SELECT * FROM floe.trigger(%s, ARRAY[%s])", (case.table, operation))[0]
        t.equal((verdict["verdict"], verdict["gate"]), ("blocked", "gc_enabled"), f"gc.enabled=false: {operation} is blocked")
    pg.maintain(case.table, wait=True)
    t.equal(pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s", (case.table,)), 0, "gc.enabled=false: nothing was queued or sent")


def main():
    lab_names = sys.argv[1:] or list(SHAPES)
    own = [server for lab_name, server in (("nessie", "nessie"), ("hive3", "database"), ("hive3", "hive3")) if lab_name in lab_names]
    with Tap() as t, Lakehouse() as pg:
        try:
            start(*own)
            add_engine(pg)
            add_engine(pg, "strict", **{"catalog.rest": "floor"})
            add_engine(pg, "lifted", **{"catalog.rest": "floor", "session.floor.expire_snapshots_min_retention": "1h"})
            add_engine(pg, "nowhere", **{"catalog.rest": "no_such_catalog"})
            for lab_name in lab_names:
                shapes = SHAPES[lab_name]
                pg.add_catalog(lab_name)
                tables = make_tables(lab_name, NS, shapes)
                pg.assess(f"{lab_name}.**")
                pg.sql("SELECT floe.create_policy(%s, %s, %s)", (lab_name, f"{lab_name}.{NS}.**", json.dumps(POLICY)))
                data_files(t, pg, lab_name)
                if "aged" in shapes:
                    snapshots(t, pg, lab_name)
                if "orphans" in shapes:
                    orphans(t, pg, lab_name, next(one["planted"] for one in tables if one["shape"] == "orphans"))
                if "skewed" in shapes:
                    manifests(t, pg, lab_name)
                if lab_name == "rest":
                    deletes(t, pg)
                pg.sql("SELECT floe.drop_policy(%s)", (lab_name,))
                if lab_name == "rest":
                    # before the same server is known under another name, too: then no orphans may be removed
                    capabilities(t, pg)
                    refusals(t, pg)
                    names(t, pg)
                    gc_disabled(t, pg)
        finally:
            if own:
                lab("stop", *reversed(own))


if __name__ == "__main__":
    main()
