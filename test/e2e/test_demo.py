"""make demo and make demo-stop, as a stranger runs them: what they print, what they leave running, and that they leave nothing behind.

Its own PostgreSQL, SeaweedFS and Spark, since starting them is what is tested.
"""
import os
import re
import subprocess
from pathlib import Path

from harness import ROOT, Tap

DEMO = Path(os.environ.get("FLOE_TEST_DIR", "/tmp")) / "demo"
ENV = {**{key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "PG"))},
       **{key: os.environ[key] for key in ("FLOE_CACHE",) if key in os.environ}, "FLOE_DEMO": str(DEMO), "LANG": "C.UTF-8"}
TABLES = ["audit", "checkpoints", "clicks", "countries", "customers", "events", "exports", "orders"]


def make(target):
    return subprocess.run(["make", target], cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)


def psql(commands):
    """In a shell that has read build/demo.env."""
    return subprocess.run(["bash", "-c", f". build/demo.env && {commands}"], cwd=ROOT, env=ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)


def processes():
    """Those that run in the demo's directory."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        try:
            if str(DEMO) in os.readlink(one / "cwd") or str(DEMO) in (one / "cmdline").read_text():
                found.append((one / "cmdline").read_text().replace("\0", " ")[:200])
        except OSError:
            pass
    return found


def compare(t, output):
    """The last table: two lines for each Iceberg table, before and after."""
    part = output[output.index("by pyiceberg"):]
    numbers = {}
    for name, after in re.findall(r"^  (\w+)  .*\n(.*)$", part, re.MULTILINE):
        before = re.search(rf"^  {name}  .*$", part, re.MULTILINE).group(0)
        files = [int(re.search(r"(\d+) [^\s\d]+ ", line).group(1)) for line in (before, after)]
        numbers[name] = files
        t.ok("identical" in after, f"{name}: the query has the same answer")
    t.equal(sorted(numbers), TABLES, "all tables are compared")
    for name, most in (("events", 4), ("orders", 4), ("audit", 1), ("customers", 4)):
        before, after = numbers.get(name, (0, 0))
        t.ok(after <= most < before, f"{name}: a query opens {after} files instead of {before}")
    total = re.search(r"all tables: files (\d+) > (\d+), .*; answers identical", part)
    t.ok(total and int(total.group(2)) * 3 < int(total.group(1)), "all tables together: fewer than a third of the files, and identical answers")


def main():
    with Tap() as t:
        try:
            done = make("demo")
            t.equal(done.returncode, 0, "make demo")
            if done.returncode:
                t.note(done.stdout[-3000:] + done.stderr[-3000:])
                return
            output = done.stdout
            compare(t, output)
            t.contains(output, "blocked    | gc_enabled", "the table whose owner forbids deleting files is explained")
            t.ok(len(re.findall(r"NOTICE: .*: succeeded: ", output)) >= 10, "the operations are told as they end")
            t.ok(not re.search(r"(?i)error|warning:|traceback|failed", output + done.stderr), "nothing went wrong on the way", done.stderr)
            again = output[output.index("6_again.sql"):]
            t.ok("queued" not in again and again.count("not needed") == 4, "the second run finds nothing to do, and says why")
            states = psql("psql -XqAt -c 'SELECT DISTINCT state FROM floe.operations' -c 'SELECT count(*) FROM floe.tables'")
            t.equal(states.stdout.split(), ["cancelled", "succeeded", "8"], "build/demo.env leads to it: every operation succeeded or was not needed any more")
            for command in re.findall(r"^    (psql -c .*)$", output, re.MULTILINE):
                tried = psql(command.replace("psql ", "psql -v ON_ERROR_STOP=1 ", 1))
                t.ok(tried.returncode == 0 and tried.stdout.strip(), f"the command it proposes works: {command[:60]}", tried.stderr)
            t.ok(processes(), "everything is left running")
        finally:
            stop = make("demo-stop")
            t.equal(stop.returncode, 0, "make demo-stop")
            t.equal(processes(), [], "ends every process")
            t.ok(not DEMO.exists() and not (ROOT / "build" / "demo.env").exists(), "and removes everything")


if __name__ == "__main__":
    main()
