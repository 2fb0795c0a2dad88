"""Whole passes with the server under Valgrind: no invalid read, no use of uninitialised memory, no invalid free on floe's way through HTTP, metadata and manifests.

Real catalogs, all kinds of tables, broken ones among them, and operations on the real Spark. Valgrind is some thirty times slower, so time limits are
wide. What counts are reports with a frame of floe or of a library it brings; but for the padding between WAL records, which PostgreSQL writes as it is
whoever commits.
"""
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from harness import ROOT, Tap, bindir, free_port, make_tables
from lakehouse import Lakehouse

NS = f"valgrind_{int(time.time())}"
REST = ["many_small", "position_deletes", "deletion_vectors", "equality_deletes", "evolved_spec", "many_partitions", "format_v1", "transforms", "empty",
        "gzip_metadata", "zstd_manifests", "snappy_manifests", "skewed"]
WEED = ["many_small", "nested"]
LIMITS = {"floe.request_timeout": "10min", "floe.connect_timeout": "2min", "floe.low_speed_time": "5min"}
SOURCES = "|".join(re.escape(one.name) for one in (ROOT / "src").rglob("*.c"))
OURS = re.compile(rf"\bfloe_\w+ \(|/floe\.so\)|\(({SOURCES}):\d+\)|lib(curl|jansson|deflate|snappy|zstd)")
PADDING = re.compile(r"Syscall param pwrite64.*\n.*pwrite.*\n.*bin/postgres\)\n.*XLog")


def wrapper(folder: Path) -> Path:
    """What pg_ctl starts instead of postgres: the same under Valgrind, one report file for each process."""
    program = folder / "postgres"
    real = f"{bindir()}/postgres"
    program.write_text(f"""#!/bin/sh
[ "$1" != -V ] || exec "{real}" -V
exec valgrind --quiet --leak-check=no --trace-children=yes --log-file="{folder}/%p" "{real}" "$@"
""")
    program.chmod(0o755)
    return program


def damage(tables):
    """Manifest lists without their end, and manifests with other bytes in their block."""
    folders = {one["table"]: Path(re.sub("^file:/*", "/", one["metadata_location"])).parent for one in tables if one["catalog"] == "rest" and "metadata_location" in one}
    for one in folders["skewed"].glob("snap-*.avro"):
        one.write_bytes(one.read_bytes()[:-20])
    for one in folders["many_partitions"].glob("*-m0.avro"):
        data = one.read_bytes()
        one.write_bytes(data[:-300] + b"\xff" * 8 + data[-292:])


def reports(folder: Path):
    """Every error of every process: its lines, without the process id."""
    for file in folder.glob("[0-9]*"):
        lines = [re.sub(r"^==\d+== ?", "", line) for line in file.read_text(errors="replace").splitlines() if line.startswith("==")]
        yield from (part for part in "\n".join(lines).split("\n\n") if part.strip())


def main():
    with Tap() as t:
        folder = Path(tempfile.mkdtemp(prefix="valgrind-", dir=os.environ.get("FLOE_TEST_DIR")))
        tables = make_tables("rest", NS, REST, partitions=20) + make_tables("seaweedfs", NS, WEED)
        made = [one for one in tables if "refused" not in one]
        damage(made)
        with Lakehouse(conf=LIMITS, program=wrapper(folder), patience=300) as pg:
            pg.add_catalog("rest")
            pg.add_catalog("seaweedfs")
            pg.add_server("down", "floe_catalog", "rest", {"uri": f"http://127.0.0.1:{free_port()}"}, {})
            pg.add_engine()
            for name in ("rest", "seaweedfs", "down"):
                answer = pg.sql("SELECT success, message FROM floe.check_catalog(%s)", (name,))[0]
                t.equal(answer["success"], name != "down", f"check_catalog: {name}: {answer['message']}")
            pg.sql("""SELECT floe.create_policy('all', %s, '{"engine": "spark", "rewrite_data_files": {"when": [{"metric": "data_file_count", "value": 1000}]}}')""",
                   (f"seaweedfs.{NS}.many_small",))
            pattern = f"rest.{NS}.**, seaweedfs.{NS}.**, down.**"
            pg.maintain(pattern, timeout=800)
            states = {row["name"]: row["status"] for row in pg.sql("SELECT name, status FROM floe.tables WHERE name LIKE %s", (f"%.{NS}.%",))}
            t.equal(sum(one == "error" for one in states.values()), 2, "the two damaged tables are in error")
            t.equal(sum(one == "ok" for one in states.values()), len(made) - 2, "all others are assessed")
            pg.sql("SELECT floe.trigger(%s, '{rewrite_data_files}')", (f"seaweedfs.{NS}.many_small",))
            pg.maintain(pattern, wait=True, timeout=800)
            t.equal(pg.value("SELECT string_agg(operation || ' ' || state, ', ') FROM floe.operations WHERE table_name LIKE 'seaweedfs.%'"), "rewrite_data_files succeeded", "an operation on Spark succeeds")
            pg.sql("DROP EXTENSION floe CASCADE")
        found = list(reports(folder))
        ours = [one for one in found if OURS.search(one) and not PADDING.match(one)]
        t.ok(len(list(folder.glob("[0-9]*"))) > 10, "the server ran under Valgrind")
        t.ok(not ours, f"of {len(found)} reports none has a frame of floe or its libraries", "\n\n".join(ours)[:20000])
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
