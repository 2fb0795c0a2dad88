"""A table whose manifests are larger than what floe may hold in memory: read whole and right, in bounded memory, and only once.

Served by the mock, which has the bytes of one manifest for all of them: a gigabyte from a real store would prove the same.
"""
import re
from pathlib import Path

from badinput import Base, Bench, Table
from harness import Tap
from lakehouse import Lakehouse
from catalog import Mock

ENTRIES, MANIFESTS = 12000, 350
# what a backend needs anyway, shared buffers included, and 256 MB, which is the most that floe holds of manifests at a time
LIMIT_MB = 350


def grow(table):
    """One data manifest with many entries, listed many times."""
    manifest = table.manifest()
    first = manifest.rows()[0]
    first["data_file"]["file_size_in_bytes"], first["data_file"]["record_count"] = 1000, 10
    manifest.replace([first])
    manifest.blocks = [(ENTRIES, manifest.blocks[0][1] * ENTRIES)]
    manifest.meta["avro.codec"] = b"null"
    data = manifest.bytes()
    listed = table.list()
    row = listed.rows()[0]
    row.update(manifest_length=len(data), added_files_count=ENTRIES, existing_files_count=0, deleted_files_count=0, added_rows_count=ENTRIES * 10, existing_rows_count=0, deleted_rows_count=0)
    rows = []
    for i in range(MANIFESTS):
        key = f"{table.root}/metadata/big-{i}.avro"
        table.mock.objects[key] = data
        rows.append({**row, "manifest_path": f"s3://{key}"})
    table.put_list(listed.replace(rows).bytes())
    return len(data) * MANIFESTS


def reads(mock):
    return sum("/metadata/big-" in line for line in mock.requests)


def main():
    with Tap() as t, Mock() as mock, Lakehouse() as pg:
        bench, base = Bench(t, pg, mock), Base("few_large")
        catalog = mock.catalog("big")
        table = Table(catalog, ("ns", "t"), base)
        total = grow(table)
        bench.connect(catalog)
        connection = pg.connect()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            status = Path(f"/proc/{cursor.fetchone()[0]}/status")
            cursor.execute("CALL floe.run_maintenance()")
            peak = int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text()).group(1)) >> 10
        t.ok(total > (1 << 30) and peak < LIMIT_MB, f"{total >> 20} MB of manifests in at most {peak} MB of memory")
        found = pg.metrics("big.ns.t")
        t.equal((found.get("data_file_count"), found.get("record_count"), found.get("data_bytes"), found.get("manifest_count")),
                (MANIFESTS * ENTRIES, MANIFESTS * ENTRIES * 10, MANIFESTS * ENTRIES * 1000, MANIFESTS), "every entry is counted")
        t.equal(reads(mock), MANIFESTS, "each manifest was read once")
        table.metadata["last-updated-ms"] += 1
        table.metadata_location = table.metadata_location.replace("00001", "00002")
        bench.refresh_and_maintain()
        t.equal((reads(mock), pg.metrics("big.ns.t").get("data_file_count")), (MANIFESTS, MANIFESTS * ENTRIES), "and for the next version of the table none again")
        t.equal(pg.value("SELECT metadata_location FROM floe_internal.iceberg_table"), table.metadata_location, "which it has read")
        bench.unharmed()
        connection.close()


if __name__ == "__main__":
    main()
