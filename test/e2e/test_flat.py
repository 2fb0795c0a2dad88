"""1,000 polls in one backend: memory and file descriptors are as they were after the first.

Each poll reads everything anew (metadata, manifest list, manifests), over HTTP with OAuth2 and signed S3, from local files, and in vain: a
catalog that is down and tables whose files are missing are among them.
"""
import os
import re
import time
from pathlib import Path

from harness import Tap, free_port, make_tables
from lakehouse import Lakehouse

NS = f"flat_{int(time.time())}"
SHAPES = ["many_small", "position_deletes", "aged", "evolved_spec", "format_v1", "nested", "empty", "gzip_metadata"]
POLLS = 1000
# Only these: other tests leave theirs in the same catalogs.
PATTERN = f"rest.{NS}.**, seaweedfs.{NS}.**, down.**"


class Process:
    def __init__(self, pid):
        self.proc = Path(f"/proc/{pid}")

    def descriptors(self):
        """What is open, but for the files of relations, of which PostgreSQL keeps some open as it likes, and its log."""
        names = (os.readlink(one) for one in (self.proc / "fd").iterdir())
        return sorted(name.split(":")[0] for name in names if "/data/" not in name)

    def memory(self):
        """kB in memory that only this process has and no file is behind: the heap. Shared buffers fill up and are not counted."""
        total, counts = 0, False
        for line in (self.proc / "smaps").read_text().splitlines():
            if re.match("[0-9a-f]+-[0-9a-f]+ ", line):
                fields = line.split()
                counts = fields[1].endswith("p") and fields[4] == "0"
            elif counts and line.startswith(("Private_Dirty:", "Swap:")):
                total += int(line.split()[1])
        return total


def round_of_polls(connection):
    """Every table once, as if seen for the first time; returns how many polls that were."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE floe_internal.table_poll SET etag = NULL")
        cursor.execute("DELETE FROM floe_internal.manifest")
        cursor.execute("UPDATE floe_internal.iceberg_table SET metadata_location = NULL, manifest_ids = NULL")
        cursor.execute("CALL floe.run_maintenance(%s)", (PATTERN,))
        cursor.execute("SELECT count(*) FROM floe_internal.table_poll WHERE polled_at >= (SELECT max(started_at) FROM floe_internal.pass)")
        return cursor.fetchone()[0]


def main():
    # an ANALYZE in the middle has the session's plans made anew, and larger ones: not what is asked for here
    with Tap() as t, Lakehouse(conf={"autovacuum": "off"}) as pg:
        pg.add_catalog("rest")
        pg.add_catalog("seaweedfs")
        pg.add_server("down", "floe_catalog", "rest", {"uri": f"http://127.0.0.1:{free_port()}"}, {})
        tables = make_tables("rest", NS, SHAPES) + make_tables("seaweedfs", NS, SHAPES[:5])
        broken = next(one for one in tables if one["table"] == "evolved_spec" and one["catalog"] == "rest")
        for file in Path(broken["metadata_location"].removeprefix("file:").replace("//", "/")).parent.glob("snap-*.avro"):
            file.unlink()
        connection = pg.connect()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            process = Process(cursor.fetchone()[0])
        # What the heap has in reserve goes up and down by a megabyte: its peak in the first rounds against its least in the last ones.
        polls, samples, descriptors = 0, [], None
        while polls < POLLS:
            polls += round_of_polls(connection)
            samples.append(process.memory())
            descriptors = descriptors or process.descriptors()
        peak, least = max(samples[5:20]), min(samples[-15:])
        t.ok(polls >= POLLS and len(samples) > 50, f"{polls} polls in {len(samples)} passes")
        t.ok(least - peak < 1024, f"private memory has not grown by a megabyte ({peak} kB, {least} kB)", samples)
        t.equal(process.descriptors(), descriptors, f"the same {len(descriptors)} file descriptors")
        t.equal(pg.value("SELECT count(*) FROM floe.tables WHERE status = 'ok' AND name LIKE %s", (f"%.{NS}%",)), len(tables) - 1, "all tables but the broken one are assessed")
        t.equal(pg.value("SELECT status FROM floe.tables WHERE name = %s", (f"rest.{NS}.evolved_spec",)), "error", "the broken one is in error")
        t.equal(pg.value("SELECT status FROM floe.catalogs WHERE name = 'down'"), "error", "and so is the catalog that is down")
        t.equal(pg.value("SELECT count(*) FROM floe_internal.health_history GROUP BY table_id ORDER BY 1 DESC LIMIT 1"), 1, "health that stays the same makes no history")
        connection.close()


if __name__ == "__main__":
    main()
