"""The main job on real tables: trigger, run on real Spark, and the effect as the independent judge measures it.

On local files and on S3, with a table for each of the five operations: what was promised happened, the rows are the same, nothing live is
missing, the effects that floe.operations shows add up to the judge's difference, and a second trigger finds nothing to do.
"""
import json
import sys
import time

from harness import MOVING, Tap, checksum, is_close, judge, make_tables, reachable
from lakehouse import Lakehouse

from catalogs import LabCatalog

NS = f"ops_{int(time.time())}"
THRESHOLDS = {"excess_file_count": 1, "excess_manifest_count": 1, "excess_delete_file_count": 1, "dangling_delete_count": 1, "expirable_snapshot_count": 1}
POLICY = {
    "engine": "spark", "thresholds": {name: {"warning": value, "critical": 1000} for name, value in THRESHOLDS.items()},
    "rewrite_data_files": {}, "rewrite_position_delete_files": {}, "rewrite_manifests": {}, "expire_snapshots": {}, "remove_orphan_files": {},
    "compute_table_stats": {}, "compute_partition_stats": {},
}


def judged(lab_name, table):
    return {name: value for name, value in judge(lab_name, [NS, table])["metrics"].items() if name not in MOVING and value is not None}


def same(a, b):
    return a.keys() == b.keys() and all(is_close(a[key], b[key]) for key in b)


def added_up(rows):
    """The effects of several operations together; a metric that went and came back is none."""
    total = {}
    for row in rows:
        for name, change in (row["effect"] or {}).items():
            total[name] = total.get(name, 0) + change
    return {name: change for name, change in total.items() if abs(change) > 1e-9 and name not in MOVING and name != "orphan_files_removed"}


class Case:
    """One table, triggered by hand and followed to the end."""

    def __init__(self, t, pg, lab_name, table, operation, again="not needed"):
        self.t, self.pg, self.lab_name, self.table, self.name = t, pg, lab_name, table, f"{lab_name}.{NS}.{table}"
        content, self.before = checksum(lab_name, [NS, table]), judged(lab_name, table)
        verdicts = {row["operation"]: row["verdict"] for row in pg.sql("SELECT * FROM floe.trigger(%s)", (self.name,))}
        t.equal(verdicts[operation], "queued", f"{self.name}: a trigger queues {operation}")
        self.notices = pg.maintain(self.name, wait=True)
        self.rows = pg.sql("SELECT * FROM floe.operations WHERE table_name = %s ORDER BY started_at, id", (self.name,))
        self.after = judged(lab_name, table)
        done = [row for row in self.rows if row["operation"] == operation]
        t.ok([row["state"] for row in done] == ["succeeded"], f"{self.name}: {operation} succeeded, once", self.notices, *done)
        self.row = done[0]
        t.ok(all(row["state"] in ("succeeded", "no_change", "cancelled") for row in self.rows), f"{self.name}: nothing failed", self.notices)
        t.equal(checksum(lab_name, [NS, table]), content, f"{self.name}: the same rows")
        t.equal(reachable(lab_name, [NS, table])["missing"], [], f"{self.name}: no file of any snapshot is missing")
        self.effect()
        self.second_trigger(operation, again)

    def effect(self):
        sent = [row for row in self.rows if row["before"] is not None]
        wanted = {name: self.after[name] - self.before[name] for name in self.before if name in self.after and abs(self.after[name] - self.before[name]) > 1e-9}
        shown = added_up(sent)
        self.t.ok(same(shown, wanted), f"{self.name}: the effects in floe.operations add up to the judge's difference",
                  f"  floe  {json.dumps(shown, sort_keys=True)}", f"  judge {json.dumps(wanted, sort_keys=True)}")
        first = {name: value for name, value in sent[0]["before"].items() if name not in MOVING}
        self.t.ok(same(first, self.before), f"{self.name}: before is what the judge measured before", first, self.before)
        for key, metric in (("files", "data_file_count"), ("snapshots", "snapshot_count"), ("manifests", "manifest_count")):
            self.t.equal((sent[0][key + "_before"], sent[-1][key + "_after"]), (self.before[metric], self.after[metric]), f"{self.name}: {key} before and after")

    def second_trigger(self, operation, again):
        rows = self.pg.sql("SELECT * FROM floe.trigger(%s)", (self.name,))
        wanted = {row["operation"]: again if row["operation"] == operation else "not needed" for row in rows}
        self.t.equal({row["operation"]: row["verdict"] for row in rows}, wanted, f"{self.name}: a second trigger finds nothing to do") or self.t.note(rows)
        self.t.ok(len(rows) == 7 and all(row["gate"] and row["value"] is not None and row["set_by"] for row in rows), f"{self.name}: and says why, for each operation", rows)
        self.t.equal(self.pg.value("SELECT count(*) FROM floe.operations WHERE table_name = %s AND finished_at IS NULL", (self.name,)), 0, f"{self.name}: nothing is queued")


def data_files(t, pg, lab_name):
    case = Case(t, pg, lab_name, "many_small", "rewrite_data_files")
    t.equal((case.before["data_file_count"], case.after["data_file_count"], case.after["excess_file_count"]), (120, 20, 0), f"{case.name}: one file for each partition is left")
    t.equal([one["operation"] for one in case.row["new_snapshots"]], ["replace"], f"{case.name}: by one snapshot of its own")
    t.equal(case.row["engine_result"][0]["rewritten_data_files_count"], 120, f"{case.name}: Spark counts the same")


def snapshots(t, pg, lab_name):
    lab = LabCatalog(lab_name)
    ids = {one.snapshot_id for one in lab.catalog.load_table((NS, "aged")).metadata.snapshots}
    wanted = judge(lab_name, [NS, "aged"])["metrics"]["expirable_snapshot_count"]
    case = Case(t, pg, lab_name, "aged", "expire_snapshots")
    metadata = lab.catalog.load_table((NS, "aged")).metadata
    left = {one.snapshot_id for one in metadata.snapshots}
    t.equal((wanted, len(ids - left)), (5, 5), f"{case.name}: the expirable snapshots are gone")
    t.equal(case.row["effect"]["snapshot_count"], -wanted, f"{case.name}: floe.operations says so")
    t.ok({one.snapshot_id for one in metadata.refs.values()} <= left, f"{case.name}: what a ref points to is kept", metadata.refs)
    t.ok({"main", "young-enough", "for-ever", "short"} <= metadata.refs.keys() and not {"dropped", "gone"} & metadata.refs.keys(),
         f"{case.name}: refs end by their own retention", metadata.refs.keys())


def orphans(t, pg, lab_name, planted):
    def plain(path):
        return path.split("://")[-1].removeprefix("file:").lstrip("/")

    case = Case(t, pg, lab_name, "orphans", "remove_orphan_files")
    left = {plain(one) for one in reachable(lab_name, [NS, "orphans"])["unreferenced"]}
    t.ok(not left & {plain(one) for one in planted["old"]}, f"{case.name}: the old orphans are gone", left)
    t.ok({plain(one) for one in planted["young"]} <= left, f"{case.name}: the young one is left", left)
    t.equal(case.row["effect"]["orphan_files_removed"], len(planted["old"]), f"{case.name}: floe.operations shows {len(planted['old'])} removed")


def position_deletes(t, pg, lab_name):
    """Spark writes one delete file for each data file, unless the table wants one for each partition: the "rest" one does."""
    case, left = Case(t, pg, lab_name, "position_deletes", "rewrite_position_delete_files"), 2 if lab_name == "rest" else 3
    # On SeaweedFS rewritten, and yet as many as before: now each names its data file, and to do it again and again would be no help.
    row = pg.sql("SELECT * FROM floe.why(%s) WHERE operation = 'rewrite_position_delete_files'", (case.name,))[0]
    t.equal((row["verdict"], row["gate"], row["value"]), ("not needed", "excess_delete_file_count", "0"), f"{case.name}: one for each data file is not too many")
    t.equal(pg.value("SELECT verdict FROM floe.trigger(%s, ARRAY['rewrite_position_delete_files'])", (case.name,)), "queued", f"{case.name}: unless it is asked for by name")
    t.equal((case.before["position_delete_file_count"], case.after["position_delete_file_count"]), (3, left), f"{case.name}: position delete files before and after")
    t.equal((case.before["excess_delete_file_count"], case.after["excess_delete_file_count"]), (1, 0), f"{case.name}: and those that are too many")


def manifests(t, pg, lab_name):
    case = Case(t, pg, lab_name, "skewed", "rewrite_manifests")
    t.ok(case.before["excess_manifest_count"] > 1 and case.after["excess_manifest_count"] == 0, f"{case.name}: no manifest too many is left", case.before, case.after)


def main():
    with Tap() as t, Lakehouse() as pg:
        pg.add_engine()
        for lab_name in sys.argv[1:] or ["rest", "seaweedfs"]:
            pg.add_catalog(lab_name)
            tables = make_tables(lab_name, NS, ["many_small", "aged", "orphans", "position_deletes", "skewed"])
            if lab_name == "rest":
                with LabCatalog(lab_name).catalog.load_table((NS, "position_deletes")).transaction() as tx:
                    tx.set_properties({"write.delete.granularity": "partition"})
            pg.sql("SELECT floe.create_policy(%s, %s, %s)", (lab_name, f"{lab_name}.{NS}.**", json.dumps(POLICY)))
            pg.assess(f"{lab_name}.**")
            t.equal(pg.value("SELECT count(*) FROM floe.tables WHERE status = 'ok' AND name LIKE %s", (f"{lab_name}.{NS}.%",)), 5, f"{lab_name}: five tables assessed")
            data_files(t, pg, lab_name)
            snapshots(t, pg, lab_name)
            orphans(t, pg, lab_name, next(one["planted"] for one in tables if one["shape"] == "orphans"))
            position_deletes(t, pg, lab_name)
            manifests(t, pg, lab_name)


if __name__ == "__main__":
    main()
