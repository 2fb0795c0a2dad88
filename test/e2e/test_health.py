"""Every metric of every lab table, as floe stores it and as the independent judge counts it from the same files.

Three catalogs: local files behind the reference REST server, versitygw (signed S3) behind the same, and SeaweedFS (OAuth2, its own S3).
"""
import argparse
import datetime
import json
import sys
import time

from harness import Tap, differences, make_tables
from lakehouse import Lakehouse, catalog_definition

import judge
from catalogs import LabCatalog

# Every shape where the reference server takes it; the other two differ in how files are reached and in times.
SHAPES = {
    "rest": ["all"],
    "s3": ["empty", "many_small", "many_partitions", "position_deletes", "nested", "evil_names", "gzip_metadata", "snappy_manifests"],
    "seaweedfs": ["empty", "few_large", "many_small", "skewed", "many_snapshots", "evolved_spec", "format_v1", "branch_tag", "aged", "position_deletes",
                  "equality_deletes", "dangling_deletes", "nested", "zstd_manifests"],
}
# A new one each time: a dropped table leaves its files behind.
NS = f"health_{int(time.time())}"


def judged(lab, levels, now_ms, **options):
    table = lab.catalog.load_table(tuple(levels))
    given = argparse.Namespace(now=now_ms, target=None, min_input_files=5, max_snapshot_age_ms=None, min_snapshots_to_keep=None)
    vars(given).update(options)
    return judge.metrics(table.io, table.metadata_location, given)


def compare(t, name, found, wanted):
    """One test per table: a list of what differs."""
    wrong = differences(found, wanted, but=())
    t.ok(not wrong and wanted, f"{name}: all {len(wanted)} metrics equal the judge's", *wrong)


def compare_partitions(t, pg, name, wanted):
    columns = [key for key in wanted[0] if key not in ("spec_id", "partition", "last_write_at")] if wanted else []
    found = {(row["spec_id"], json.dumps(row["partition"], sort_keys=True)): row for row in pg.sql("SELECT * FROM floe.partition_health(%s)", (name,))}
    wrong = []
    for one in wanted:
        row = found.pop((one["spec_id"], json.dumps(one["partition"], sort_keys=True)), None)
        if row is None:
            wrong.append(f"{one['partition']}: missing")
            continue
        wrong += [f"{one['partition']} {differs}" for differs in differences({key: row[key] for key in columns}, {key: one[key] for key in columns}, but=())]
        last = one["last_write_at"] and datetime.datetime.fromisoformat(one["last_write_at"])
        if row["last_write_at"] != last:
            wrong.append(f"{one['partition']} last_write_at: floe {row['last_write_at']}, judge {last}")
    wrong += [f"only floe has partition {key}" for key in found]
    t.ok(not wrong, f"{name}: {len(wanted)} partitions equal the judge's", *wrong[:20])


def pattern(pg, catalog, tables):
    """The namespaces of these tables: what other tests left in the catalog is not of interest."""
    return ", ".join(pg.format_name([catalog, one]) + ".**" for one in sorted({one["namespace"][0] for one in tables}))


def catalog(t, pg, lab_name, at):
    lab = LabCatalog(lab_name)
    tables = [one for one in make_tables(lab_name, NS, SHAPES[lab_name]) if "refused" not in one]
    t.ok(len(tables) >= len(SHAPES[lab_name]), f"{lab_name}: {len(tables)} tables made")
    pg.maintain(pattern(pg, lab_name, tables))
    rows = {row["name"]: row for row in pg.sql("SELECT name, status, error, error_detail FROM floe.tables")}
    for one in tables:
        name = pg.format_name([lab_name, *one["namespace"], one["table"]])
        row = rows.get(name)
        if row is None or row["status"] != "ok":
            # pyiceberg cuts local paths at "?" and "#": such a table lacks files, which floe has to say.
            broken = any(c in "".join([*one["namespace"], one["table"]]) for c in "?#") and lab_name == "rest"
            t.ok(broken and row is not None and row["status"] == "error" and "No such file" in row["error_detail"], f"{name}: assessed, or its files are missing", row)
            continue
        wanted = judged(lab, [*one["namespace"], one["table"]], int(at.timestamp() * 1000))
        compare(t, name, pg.metrics(name, at.isoformat()), wanted["metrics"])
        compare_partitions(t, pg, name, wanted["partitions"])
    return tables


def unchanged(t, pg, lab_name, tables):
    """A second look reads nothing again: by the catalog's ETag, or by the metadata location where it gives none."""
    def assessed():
        return {row["name"]: (row["assessed_at"], row["polled_at"]) for row in pg.sql("SELECT name, assessed_at, polled_at FROM floe.tables WHERE status = 'ok' AND name LIKE %s", (f"{lab_name}.%",))}

    before = assessed()
    pg.maintain(pattern(pg, lab_name, tables))
    after = assessed()
    t.equal([name for name in before if after[name][0] != before[name][0]], [], f"{lab_name}: none of {len(before)} tables that did not change is read again")
    t.equal([name for name in before if not after[name][1] > before[name][1]], [], f"{lab_name}: but all were looked at")


def by_metadata_file(t, pg, at, tables):
    """The same tables where floe reads the metadata file itself instead of the catalog's answer, and has its S3 key from a file."""
    server, mapping = catalog_definition("s3")
    key = pg.dir / "s3_key"
    key.touch(0o600)
    key.write_text(mapping.pop("s3_secret_access_key") + "\n")
    pg.add_server("s3_store", "floe_catalog", "rest", {**server, "metadata_source": "store"}, {**mapping, "s3_secret_access_key_file": str(key)})
    pg.maintain(pattern(pg, "s3_store", tables))
    for one in tables:
        levels = [*one["namespace"], one["table"]]
        found, wanted = (pg.metrics(pg.format_name([catalog, *levels]), at.isoformat()) for catalog in ("s3_store", "s3"))
        t.equal(found, wanted, f"{levels}: the same health from the metadata file as from the catalog's answer")


def main():
    names = sys.argv[1:] or ["rest", "s3", "seaweedfs"]
    with Tap() as t, Lakehouse() as pg:
        at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=7)
        for name in names:
            pg.add_catalog(name)
            tables = catalog(t, pg, name, at)
            unchanged(t, pg, name, tables)
            if name == "s3":
                by_metadata_file(t, pg, at, tables)
        t.equal(pg.value("SELECT count(*) FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL OR crashes > 0"), 0, "no claim is left behind")


if __name__ == "__main__":
    main()
