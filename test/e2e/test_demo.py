"""make demo and make demo-stop, as a stranger runs them: what they print, what they leave running, and that they leave nothing behind.

Its own PostgreSQL, SeaweedFS and Spark, since starting them is what is tested.
"""
import json
import os
import re
import shlex
import subprocess
from collections import Counter
from pathlib import Path

from harness import ROOT, Tap

DEMO = Path(os.environ.get("FLOE_TEST_DIR", "/tmp")) / "demo"
ENV = {**{key: value for key, value in os.environ.items() if not key.startswith(("FLOE_", "PG"))},
       **{key: os.environ[key] for key in ("FLOE_CACHE",) if key in os.environ}, "FLOE_DEMO": str(DEMO), "LANG": "C.UTF-8"}
TABLES = ["audit", "checkpoints", "clicks", "countries", "customers", "events", "exports", "orders"]
# The warning value of each metric in 3_policies.sql.
LIMITS = {"excess_file_count": 20, "excess_delete_file_count": 10, "excess_manifest_count": 20}
# Those that are written in the second part.
LIVE = {"checkpoints", "clicks", "customers", "events", "orders"}


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
    part = output[output.index("by pyiceberg"):output.index("demo/6_again.sql")]
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


def query(sql):
    """Rows, as JSON."""
    rows = f"SELECT coalesce(json_agg(x), '[]') FROM ({sql}) AS x"
    done = psql(f"psql -XqAt -v ON_ERROR_STOP=1 -c {shlex.quote(rows)}")
    return json.loads(done.stdout) if done.returncode == 0 else [{"error": done.stderr}]


def section(output, file):
    """What one of the files printed."""
    return re.search(rf"demo/{file}\.sql\n(.*?)(?=^\[ *[\d.]+ s\]|\Z)", output, re.DOTALL | re.MULTILINE).group(1)


def by_hand(t, output):
    """The first part: the workers are off, and the calls that are shown did it all."""
    again = section(output, "6_again")
    t.ok("queued" not in again and again.count("not needed") == 4, "the second run finds nothing to do, and says why")
    told = set(map(int, re.findall(r"^NOTICE:  operation (\d+): .*: succeeded: ", output, re.MULTILINE)))
    first = query("SELECT id, state, error FROM floe.operations WHERE NOT 'live' = ANY (policies)")
    t.equal({row["id"] for row in first if row["state"] == "succeeded"}, told, "what succeeded in the first part was told to who called")
    t.ok(len(told) >= 10, f"{len(told)} operations")
    t.ok(all(row["state"] == "succeeded" or (row["state"] == "cancelled" and "no longer called for" in row["error"]) for row in first), "the rest was not needed any more", first)
    t.equal(query("SELECT count(*) FROM floe_internal.pass WHERE kind <> 'procedure' AND started_at < (SELECT max(ended_at) FROM floe_internal.pass WHERE kind = 'procedure')"),
            [{"count": 0}], "no worker ran before that was over")


def alone(t, output):
    """The second part: nobody calls, the workers do it."""
    t.equal(query("SELECT worker, state, failures FROM floe.workers ORDER BY 1"),
            [{"worker": worker, "state": "running", "failures": 0} for worker in ("assessor", "executor")], "the workers run, and none has failed")
    watch = section(output, "8_watch")
    t.equal(re.findall(r"^ (assessor|executor) +\| (\w+) ", watch, re.MULTILINE), [("executor", "running"), ("assessor", "running")], "and are shown")
    live = {f"lake.shop.{name}" for name in LIVE}
    health = query("SELECT t.name, h.metric, h.value, h.warning, h.level FROM floe.tables AS t, floe.health(t.name) AS h WHERE 'live' = ANY (t.policies) AND h.warning IS NOT NULL")
    t.equal({row.get("name") for row in health}, live, "five tables are watched")
    t.equal([row for row in health if row["level"] != "ok" or row["value"] >= row["warning"]], [], "all of them are within their thresholds")
    t.equal(set(re.findall(r"\| +[\d.]+ \| +[\d.]+ \| (\w+) +\| \w", watch)), {"ok"}, "which is what is shown")
    rows = query("SELECT * FROM floe.operations WHERE 'live' = ANY (policies)")
    explained(t, rows)
    times = sum(map(int, re.findall(r"^ lake\.shop\.\w+ +\| \w+ +\| \w+ +\| +(\d+) \| \w+_count +\| [\d ]+\| [12]0 +\| (?:policy|built in)", watch, re.MULTILINE)))
    t.equal(times, len(rows), "the log that is shown has all of them, each with metric, value, limit and who set it")
    written = re.findall(r"^  (\w+) +(\d+) +(\d+) +(\d+) +(\d+)  (.*)$", output[output.index("the rows of the five tables"):], re.MULTILINE)
    t.equal({row[0]: row[5] for row in written}, {name: "as written" for name in LIVE}, "every row is there as written, and nothing else, by pyiceberg")
    # a slow machine writes less; these two are written far beyond their thresholds on any
    many = {row[0] for row in written if int(row[2]) >= 40}
    mended = {row["table_name"].rsplit(".", 1)[1] for row in rows if (row["operation"], row["state"]) == ("rewrite_data_files", "succeeded")}
    t.ok({"events", "orders"} <= many <= mended, "tables that would be beyond their thresholds without floe were rewritten", many, mended)


def explained(t, rows):
    """An operation may end in three ways while a writer is at work. succeeded. cancelled: another one made it unnecessary before it was sent. failed, of class
    conflict: the writer committed to the same files first, which Iceberg decides; then a later one, or the health, shows that it was made good."""
    t.ok(len(rows) > 5, f"{len(rows)} operations in the second part")
    t.equal([row for row in rows if (row["origin"], row["requested_by"]) != ("policy", "floe")], [], "none was called for by hand")
    calls = {row["id"]: [gate for gate in row["reason"] if gate["gate"].endswith("_count") and gate["status"] == "pass"] for row in rows}
    t.equal([(number, gates) for number, gates in calls.items()
             if len(gates) != 1 or any(gate.get("limit") != str(LIMITS[gate["gate"]]) or float(gate["value"]) < LIMITS[gate["gate"]] or not gate.get("set_by") for gate in gates)],
            [], "each says which metric called for it, at what value over which limit, and who set that")
    ends = {"succeeded": lambda row: True, "cancelled": lambda row: "no longer called for" in row["error"], "failed": lambda row: row["error_class"] == "conflict"}
    t.equal([row for row in rows if not ends.get(row["state"], lambda row: False)(row)], [], "each succeeded, or became unnecessary, or came second to the writer")
    succeeded = [row for row in rows if row["state"] == "succeeded"]
    wrong = [row for row in succeeded if "replace" not in [one["operation"] for one in row["new_snapshots"] or []] or not row["effect"]
             or row["effect"] != {key: row["after"].get(key, 0) - row["before"][key] for key in row["before"] if key in row["after"] and row["after"][key] != row["before"][key]}]
    t.equal(wrong, [], "each that succeeded has a snapshot of its own and a measured effect")
    t.ok(len({row["operation"] for row in succeeded}) > 1, "they are of more than one kind", Counter(row["operation"] for row in succeeded))


def main():
    with Tap() as t:
        try:
            done = make("demo")
            t.equal(done.returncode, 0, "make demo")
            if done.returncode:
                t.note(done.stdout[-3000:] + done.stderr[-3000:])
                return
            output = done.stdout
            # alone() judges what the log of the second part says
            rest = output.replace(section(output, "8_watch"), "") + done.stderr
            t.ok(not re.search(r"(?i)error|warning:|traceback|failed", rest), "nothing went wrong on the way", done.stderr)
            compare(t, output)
            t.contains(output, "blocked    | gc_enabled", "the table whose owner forbids deleting files is explained")
            by_hand(t, output)
            alone(t, output)
            t.equal(query("SELECT count(*) FROM floe.tables"), [{"count": 8}], "build/demo.env leads to it")
            for command in re.findall(r"^    (psql -c .*)$", output, re.MULTILINE):
                tried = psql(command.replace("psql ", "psql -v ON_ERROR_STOP=1 ", 1))
                t.ok(tried.returncode == 0 and "(0 rows)" not in tried.stdout and tried.stdout.strip(), f"the command it proposes works: {command[:60]}", tried.stderr)
            t.ok(processes(), "everything is left running")
        finally:
            stop = make("demo-stop")
            t.equal(stop.returncode, 0, "make demo-stop")
            t.equal(processes(), [], "ends every process")
            t.ok(not DEMO.exists() and not (ROOT / "build" / "demo.env").exists(), "and removes everything")


if __name__ == "__main__":
    main()
