"""For end-to-end tests: a private PostgreSQL with floe, the lab's real components, the independent judge, and TAP.

    from harness import Cluster, Tap, judge, lab, make_tables

    with Tap() as t, Cluster() as pg:
        pg.sql("CREATE EXTENSION floe")
        made = make_tables("rest", "demo", ["many_small"])
        t.equal(judge("rest", ["demo", "many_small"])["metrics"]["data_file_count"], 120, "files before")

test/run sets the environment (FLOE_BINDIR, FLOE_TEST_DIR, and where the lab's components are); by hand:

    eval "$(test/lab/lab env)"
    FLOE_BINDIR=... $FLOE_PYTHON test/e2e/test_judge.py

Python's own library and the lab's environment (psycopg2, pyiceberg) are all it needs.
"""
from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any, Callable, Iterable

import psycopg2
import psycopg2.extras

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "test" / "lab"
sys.path.insert(0, str(LAB))


# Metrics that move while nothing happens to the table.
MOVING = ("newest_snapshot_age", "oldest_snapshot_age", "last_write_age", "expirable_snapshot_count", "table_stats_age", "partition_stats_age")


def is_close(got: float | None, wanted: float | None, within: float = 1e-6) -> bool:
    """Equal numbers, but for a relative difference; None is only None."""
    if got is None or wanted is None:
        return got is wanted
    return abs(got - wanted) <= within * max(1.0, abs(wanted))


def differences(found: dict[str, Any], wanted: dict[str, Any], but: Iterable[str] = MOVING) -> list[str]:
    """Of floe's metrics from the judge's; but: those that are not compared."""
    return [f"{key}: floe {found.get(key)!r}, judge {value!r}" for key, value in wanted.items() if key not in but and not is_close(found.get(key), value)]


# -------------------------------------------------------------------------------------------------
# TAP
# -------------------------------------------------------------------------------------------------

class Tap:
    """Counts and prints tests. As a context manager it prints the plan at the end; an exception is one more failed test, with its trace."""

    def __init__(self) -> None:
        self.count = self.failed = 0

    def ok(self, condition: Any, name: str, *diagnosis: Any) -> bool:
        self.count += 1
        print(f"{'ok' if condition else 'not ok'} {self.count} - {' '.join(str(name).split()).replace('#', 'no.')}", flush=True)
        if not condition:
            self.failed += 1
            for line in diagnosis:
                self.note(line)
        return bool(condition)

    def equal(self, got: Any, wanted: Any, name: str) -> bool:
        return self.ok(got == wanted, name, f"     got: {got!r}", f"  wanted: {wanted!r}")

    def close(self, got: float | None, wanted: float | None, name: str, within: float = 1e-9) -> bool:
        return self.ok(is_close(got, wanted, within), name, f"     got: {got!r}", f"  wanted: {wanted!r}")

    def contains(self, text: Any, part: str, name: str) -> bool:
        return self.ok(part in str(text), name, f"  {part!r} is not in: {str(text)[:1000]!r}")

    def raises(self, function: Callable[[], Any], part: str, name: str) -> bool:
        """The call must fail with a message that holds part."""
        try:
            function()
        except Exception as error:
            return self.contains(error, part, name)
        return self.ok(False, name, "  nothing was raised")

    def skip(self, name: str, why: str) -> None:
        """For what does not apply. A component that should be there and is not is a failure, not a skip."""
        self.count += 1
        print(f"ok {self.count} - {name} # SKIP {why}", flush=True)

    @staticmethod
    def note(text: Any) -> None:
        for line in str(text).splitlines() or [""]:
            print("# " + line, flush=True)

    def __enter__(self) -> "Tap":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is not None:
            self.ok(False, f"the test program ran to its end: {kind.__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            self.note("".join(traceback.format_exception(kind, error, trace)))
        print(f"1..{self.count}", flush=True)
        if self.failed:
            raise SystemExit(1)
        return False


# -------------------------------------------------------------------------------------------------
# PostgreSQL
# -------------------------------------------------------------------------------------------------

def free_port() -> int:
    """One that nobody listens on, above the lab's and below the ephemeral ones: the kernel gives it to nobody else before it is used."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", random.randrange(20000, 29000)))
            except OSError:
                continue
            return probe.getsockname()[1]


def wait_gone(pid: int, timeout: float) -> bool:
    """Whether the process, and with it its connections, is gone within so many seconds."""
    end = time.monotonic() + timeout
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def bindir() -> str:
    return os.environ.get("FLOE_BINDIR") or subprocess.check_output(["pg_config", "--bindir"], text=True).strip()


class Cluster:
    """A PostgreSQL of its own, on a Unix socket and 127.0.0.1; superuser postgres, database postgres. Removed when the block ends."""

    def __init__(self, conf: dict[str, str] | None = None, name: str = "main", preload: bool = False, program: Path | None = None, patience: int = 60,
                 standby_of: Cluster | None = None):
        """program: what pg_ctl starts instead of postgres; patience: seconds it may take to be ready; standby_of: streams from that one, until promote()."""
        self.bin, self.program, self.patience = Path(bindir()), program, patience
        base = Path(os.environ.get("FLOE_TEST_DIR") or tempfile.gettempdir())
        self.dir = Path(tempfile.mkdtemp(prefix=f"pg-{name}-", dir=base))
        # The path of a Unix socket has a limit of about 100 bytes.
        self.socket = Path(tempfile.mkdtemp(prefix="floe-"))
        self.data, self.log = self.dir / "data", self.dir / "log"
        self.port = free_port()
        if standby_of is None:
            self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        else:
            self._run("pg_basebackup", "-d", standby_of.dsn(), "-D", self.data, "-R", "-c", "fast", "-X", "stream", "--no-sync")
        settings = {
            "port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.socket), "fsync": "off",
            "shared_buffers": "32MB", "max_connections": "50", "log_statement": "none", "log_min_messages": "info",
            **({"shared_preload_libraries": "floe"} if preload else {}), **(conf or {}),
        }
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            for key, value in settings.items():
                file.write(f"{key} = '{value}'\n")
        self.start()

    def _run(self, program: str, *args: Any, check: bool = True) -> subprocess.CompletedProcess[str]:
        # pg_ctl waits for ever on an inherited pipe: no stdin, and its output in a file.
        with open(self.dir / "commands.log", "a+", encoding="utf-8") as out:
            done = subprocess.run([str(self.bin / program), *map(str, args)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, text=True, timeout=180)
        if check and done.returncode:
            raise RuntimeError(f"{program} failed: " + (self.dir / "commands.log").read_text()[-2000:] + self.server_log()[-2000:])
        return done

    def start(self) -> None:
        other = ["-p", self.program] if self.program else []
        self._run("pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", self.patience, *other, "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop", check=False)

    def restart(self, mode: str = "fast") -> None:
        self.stop(mode)
        self.start()

    def promote(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "promote")

    def kill9(self) -> None:
        """Ends every process of the server at once, as a power failure would; start() recovers."""
        pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in [pid, *map(int, children)]:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for one in [pid, *map(int, children)]:
            wait_gone(one, 5)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def dsn(self, dbname: str = "postgres", user: str = "postgres") -> str:
        return f"host={self.socket} port={self.port} dbname={dbname} user={user}"

    def connect(self, dbname: str = "postgres", user: str = "postgres", autocommit: bool = True) -> Any:
        connection = psycopg2.connect(self.dsn(dbname, user))
        connection.autocommit = autocommit
        return connection

    def sql(self, query: str, params: Any = None, dbname: str = "postgres", user: str = "postgres") -> list[dict[str, Any]]:
        """Runs statements in autocommit and returns the last one's rows as dicts."""
        connection = self.connect(dbname, user)
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(query, params)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    def value(self, query: str, params: Any = None, **more: Any) -> Any:
        """The first column of the first row, None without one."""
        rows = self.sql(query, params, **more)
        return next(iter(rows[0].values())) if rows else None

    def psql(self, text: str, dbname: str = "postgres", user: str = "postgres", stop: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """psql -X -qAt on a text; returncode, stdout and stderr as they come."""
        return subprocess.run([*self.psql_command(dbname, user), *(["-v", "ON_ERROR_STOP=1"] if stop else [])], input=text, text=True,
                              capture_output=True, timeout=timeout)

    def psql_command(self, dbname: str = "postgres", user: str = "postgres") -> list[str]:
        """The command line of psql, for a test that kills it in the middle."""
        return [str(self.bin / "psql"), "-XqAt", "-d", self.dsn(dbname, user)]

    def server_log(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_for(self, query: str, params: Any = None, timeout: float = 60, **more: Any) -> Any:
        """Asks until the value is true; returns it. Fails with what the server said last."""
        value = None
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            value = self.value(query, params, **more)
            if value:
                return value
            time.sleep(0.1)
        raise TimeoutError(f"not true within {timeout} s: {query} (last: {value!r})")

    def close(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.socket, ignore_errors=True)
        if not os.environ.get("FLOE_KEEP"):
            shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is not None:
            Tap.note("end of the server's log:\n" + self.server_log()[-3000:])
        self.close()


# -------------------------------------------------------------------------------------------------
# The lab
# -------------------------------------------------------------------------------------------------

def lab(*args: str) -> str:
    """test/lab/lab with these arguments: lab("stop", "spark"), lab("start", "spark")."""
    done = subprocess.run([str(LAB / "lab"), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"lab {' '.join(args)}: {done.stderr[-2000:]}")
    return done.stdout


def lab_pid(component: str) -> int:
    """The process of a component, for a test that kills it."""
    return int((Path(os.environ["FLOE_RUN"]) / f"{component}.pid").read_text().split()[0])


def make_tables(catalog: str, namespace: str, shapes: Iterable[str], **options: Any) -> list[dict[str, Any]]:
    """Makes tables (test/lab/tables.py); one dict each. Refused ones are among them, with the key "refused"."""
    more = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    command = [sys.executable, str(LAB / "tables.py"), "--catalog", catalog, "--namespace", namespace, "--shapes", ",".join(shapes), *more]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-3000:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def judge(catalog: str, table: list[str] | tuple[str, ...], *flags: str, **options: Any) -> dict[str, Any]:
    """What the independent judge says of a table: judge("rest", ["ns", "t"], target=1048576)["metrics"]; flags "--checksum", "--reachable"."""
    more = [f"--{key.replace('_', '-')}={value}" for key, value in options.items() if value is not None]
    # Imported late: the tests that only need a server do without pyiceberg's second of start-up.
    from judge import run

    return run(["--catalog", catalog, "--table", json.dumps(list(table)), *flags, *more])


def checksum(catalog: str, table: list[str] | tuple[str, ...], reader: str = "auto") -> tuple[int, str]:
    """Number of rows and their checksum; the same whoever reads them, but for columns of nested types."""
    found = judge(catalog, table, "--checksum", reader=reader)
    return found["rows"], found["checksum"]


def statistics_fields(metadata: Any) -> list[list[int]]:
    """Of pyiceberg's table metadata: fields, by their ids, of each blob of the statistics of the current snapshot. Iceberg's Java lists those of all snapshots in the order of a hash table."""
    return sorted(blob.fields for one in metadata.statistics if one.snapshot_id == metadata.current_snapshot_id for blob in one.blob_metadata)


def reachable(catalog: str, table: list[str] | tuple[str, ...]) -> dict[str, Any]:
    """files, missing and unreferenced of all snapshots."""
    return judge(catalog, table, "--reachable")
