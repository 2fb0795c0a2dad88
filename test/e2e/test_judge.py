"""The judge against tables of known shape, and docs/metrics.md against what Spark's procedures really do."""
import sys
import time

# harness first: it makes test/lab importable
from harness import Tap, checksum, judge, make_tables, reachable
from catalogs import LabCatalog
from sparksql import quote

# A new one each time: a dropped table leaves its files behind, and they would count as orphans.
NS = f"judge_{int(time.time())}"
MIB = 1024 * 1024
CATALOG = "rest"


def metrics(table, catalog=CATALOG, **options):
    return judge(catalog, [NS, table], **options)["metrics"]


def procedure(name, table, *more, catalog=CATALOG, namespace=NS):
    with LabCatalog(catalog).spark() as session:
        return session.sql(f"CALL lab.system.{name}(table => '{quote(namespace, table)}'" + "".join(", " + one for one in more) + ")")


def known_numbers(t):
    """Counted by hand from test/lab/tables.py."""
    expected = {
        "empty": {"snapshot_count": 0, "newest_snapshot_age": None, "data_file_count": 0, "manifest_count": 0, "average_file_bytes": None,
                  "delete_ratio": None, "partition_count": 0, "partition_skew": None, "ref_count": 0, "metadata_log_count": 0},
        "many_small": {"snapshot_count": 6, "data_file_count": 120, "record_count": 240, "small_file_count": 120, "excess_file_count": 100,
                       "partition_count": 20, "partition_skew": 1.0, "manifest_count": 6, "manifest_spread": 6.0, "excess_manifest_count": 5,
                       "stat_column_count": 4.0, "ref_count": 1, "oversized_file_count": 0},
        "many_partitions": {"data_file_count": 300, "partition_count": 150, "excess_file_count": 0, "small_file_count": 300},
        "skewed": {"data_file_count": 25, "partition_count": 9, "partition_skew": 17 / (25 / 9), "data_manifest_count": 25},
        "position_deletes": {"position_delete_file_count": 3, "excess_delete_file_count": 1, "position_delete_row_count": 32, "dangling_delete_count": 0,
                             "delete_manifest_count": 2, "delete_ratio": 32 / 200},
        "equality_deletes": {"equality_delete_file_count": 2, "equality_delete_row_count": 4, "dangling_delete_count": 0, "partition_count": 3},
        "dangling_deletes": {"dangling_delete_count": 3, "position_delete_file_count": 3, "excess_delete_file_count": 1, "equality_delete_file_count": 2},
        "deletion_vectors": {"deletion_vector_count": 2, "deletion_vector_row_count": 21, "position_delete_file_count": 0, "excess_delete_file_count": 0,
                             "dangling_delete_count": 0, "delete_ratio": 21 / 200},
        "dangling_spark": {"dangling_delete_count": 1, "position_delete_file_count": 1},
        "emptied": {"data_file_count": 0, "record_count": 0, "average_file_bytes": None, "delete_ratio": None, "partition_count": 0},
        "rewritten": {"data_file_count": 2, "record_count": 30},
        "branch_tag": {"ref_count": 4, "snapshot_count": 4, "data_file_count": 3},
        "format_v1": {"data_file_count": 3, "record_count": 30, "dangling_delete_count": 0},
        "limited_stats": {"stat_column_count": 2 / 3},
        "aged": {"snapshot_count": 12, "ref_count": 6, "expirable_snapshot_count": 5, "commit_interval": 86400.0},
    }
    for shape, wanted in expected.items():
        found = metrics(shape, target=MIB)
        for name, value in wanted.items():
            t.close(found[name], value, f"{shape}: {name}")


def partition_values(t):
    shown = [one["partition"] for one in judge(CATALOG, [NS, "transforms"])["partitions"]]
    t.ok({"s": "a", "i": 1, "d": "2026-01-31", "n": "1.50", "b": True, "f": 1.5, "t_trunc": "abc", "k_trunc": 10, "y_year": "2026",
          "m_month": "2026-01", "dd_day": "2026-01-31", "h_hour": "2026-01-31-08"}.items()
         <= next(one for one in shown if one["s"] == "a").items(), "a partition of every transform as people write it", shown)
    old = next(one for one in shown if one["i"] == -5)
    t.equal([old[name] for name in ("d", "n", "k_trunc", "y_year", "m_month", "dd_day", "h_hour")],
            ["1969-12-30", "-0.25", -20, "1968", "1969-11", "1969-12-31", "1969-12-31-22"], "values before 1970 round downwards")
    t.ok(any(all(value is None for value in one.values()) for one in shown), "a partition of nulls")


def definitions_hold_on_spark(t):
    """The metrics that predict what a procedure removes, against the procedure."""
    for catalog in ("rest", "seaweedfs"):
        before = metrics("aged", catalog)
        procedure("expire_snapshots", "aged", catalog=catalog)
        t.equal(before["snapshot_count"] - metrics("aged", catalog)["snapshot_count"], before["expirable_snapshot_count"],
                f"{catalog}: expire_snapshots removes the snapshots that expirable_snapshot_count counted")
        t.equal(reachable(catalog, [NS, "aged"])["missing"], [], f"{catalog}: and no file that is still needed")

    before, rows = metrics("many_small", target=MIB), checksum(CATALOG, [NS, "many_small"])
    procedure("rewrite_manifests", "many_small")
    t.equal(before["manifest_count"] - metrics("many_small")["manifest_count"], before["excess_manifest_count"],
            "rewrite_manifests removes excess_manifest_count manifests")
    procedure("rewrite_data_files", "many_small", "options => map('target-file-size-bytes', '1048576')")
    after = metrics("many_small", target=MIB)
    t.equal(before["data_file_count"] - after["data_file_count"], before["excess_file_count"], "rewrite_data_files removes excess_file_count files")
    t.equal((after["excess_file_count"], after["commit_interval"]), (0, before["commit_interval"]),
            "then nothing is in excess, and snapshots of operation replace are no writes")
    t.equal(checksum(CATALOG, [NS, "many_small"]), rows, "the same rows")
    t.equal(checksum(CATALOG, [NS, "many_small"], "spark"), rows, "and Spark reads the same")

    procedure("rewrite_data_files", "many_partitions", "options => map('target-file-size-bytes', '1048576')")
    t.equal(metrics("many_partitions")["data_file_count"], 300, "partitions below min-input-files are left alone")

    procedure("rewrite_data_files", "dangling_spark", "options => map('rewrite-all', 'true', 'remove-dangling-deletes', 'true')")
    t.equal(metrics("dangling_spark")["dangling_delete_count"], 0, "Spark drops the delete file that was found dangling")


def orphans(t, made):
    """Planted files that are old go, the young one and everything live stays: on local files, versitygw and SeaweedFS."""
    for one in made:
        catalog, planted, table = one["catalog"], one["planted"], [*one["namespace"], "orphans"]
        before = checksum(catalog, table)
        listed = reachable(catalog, table)
        t.equal(len(listed["unreferenced"]), len(planted["old"]) + len(planted["young"]), f"{catalog}: planted files are seen as unreferenced")
        removed = procedure("remove_orphan_files", "orphans", *(["prefix_listing => true"] if catalog != "rest" else []), catalog=catalog,
                            namespace=table[0])
        t.equal(len(removed), len(planted["old"]), f"{catalog}: remove_orphan_files takes the old ones")
        listed = reachable(catalog, table)
        t.equal((len(listed["unreferenced"]), listed["missing"]), (len(planted["young"]), []), f"{catalog}: the young one and all live files stay")
        t.equal(checksum(catalog, table), before, f"{catalog}: the same rows")


def main():
    with Tap() as t:
        shapes = ["empty", "many_small", "many_partitions", "skewed", "position_deletes", "equality_deletes", "dangling_deletes", "deletion_vectors",
                  "dangling_spark", "emptied", "rewritten", "branch_tag", "format_v1", "limited_stats", "aged", "transforms", "orphans"]
        made = make_tables(CATALOG, NS, shapes) + make_tables("s3", NS + "_s3", ["orphans"]) + make_tables("seaweedfs", NS, ["aged", "orphans"])
        t.equal([one for one in made if "refused" in one], [], "every shape was made")
        known_numbers(t)
        partition_values(t)
        definitions_hold_on_spark(t)
        orphans(t, [one for one in made if one["shape"] == "orphans"])


if __name__ == "__main__":
    sys.exit(main())
