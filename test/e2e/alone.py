"""A lake left alone: floe's workers, a policy, a writer that appends to five tables, and nobody who calls anything. What is watched meanwhile, and what must hold.

The bound is not one that floe could choose. A table is within its thresholds if, from the end of the first operation of each kind on it (from its first
commit, if it began healthy), no metric that has a threshold reaches its critical value, measured every few seconds by the judge from the
table's files and every second by floe itself; and if, soon after the last commit, when no snapshot is too young to go any more, the judge finds
all of them below their warning values.
What the writer made is enough to be beyond them without floe, or the run says nothing.

The writer is test/lab/streams.py, a process of its own, which also knows what must be in the tables. Separate from test_alone.py, so that a person can watch
for as long as he likes:  FLOE_PYTHON test/e2e/test_alone.py MINUTES
"""
from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import psycopg2.extras
from harness import LAB, Tap, judge, reachable
from harness import checksum as rows_of
from lakehouse import Lakehouse

from streams import STREAMS

# Ages count in the retention: a snapshot is old after this.
MAX_SNAPSHOT_AGE_S = 20
RETAIN_LAST = 5
THRESHOLDS = {"excess_file_count": (10, 60), "excess_delete_file_count": (10, 60), "excess_manifest_count": (20, 100), "expirable_snapshot_count": (20, 100)}
OFTEN = {"min_interval": "5 seconds"}
POLICY = {
    "engine": "spark", "poll_interval": "5 seconds", "min_poll_interval": "1 second",
    "rewrite_data_files": {**OFTEN, "quiet_period": "10 seconds"}, "rewrite_position_delete_files": OFTEN, "rewrite_manifests": OFTEN,
    "expire_snapshots": {**OFTEN, "options": {"max_snapshot_age": f"{MAX_SNAPSHOT_AGE_S} seconds", "retain_last": RETAIN_LAST}},
    "thresholds": {metric: {"warning": warning, "critical": critical} for metric, (warning, critical) in THRESHOLDS.items()},
}
CONF = {"floe.decision_interval": "1min"}
# Of a table that began beyond its thresholds: what mends each.
REMEDY = {"excess_file_count": "rewrite_data_files", "excess_delete_file_count": "rewrite_position_delete_files",
          "excess_manifest_count": "rewrite_manifests", "expirable_snapshot_count": "expire_snapshots"}
SETTLE_S = 120


class Writer:
    """The process that writes, and what it told: its commits, and at the end what must be in the tables."""

    def __init__(self, catalog: str, namespace: str, seconds: float):
        self.commits: list[dict[str, Any]] = []
        self.ends: dict[str, dict[str, Any]] = {}
        self.process = subprocess.Popen([sys.executable, str(LAB / "streams.py"), "--catalog", catalog, "--namespace", namespace, "--seconds", str(seconds)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = ""
        self.threads = [threading.Thread(target=one, daemon=True) for one in (self._listen, self._hear)]
        for one in self.threads:
            one.start()

    def _listen(self) -> None:
        for line in self.process.stdout:
            told = json.loads(line)
            if told.get("end"):
                self.ends[told["table"]] = told
            else:
                self.commits.append(told)

    def _hear(self) -> None:
        self.said = self.process.stderr.read()

    def is_over(self) -> bool:
        return self.process.poll() is not None and not self.threads[0].is_alive()

    def by_snapshot(self) -> dict[int, dict[str, Any]]:
        return {one["snapshot"]: one for one in self.commits}

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(60)


@dataclass
class Samples:
    """value at a time, per table and metric."""
    by: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: str, metric: str, at: float, value: float | None) -> None:
        if value is not None:
            self.by[table, metric].append((at, value))

    def most(self, table: str, metric: str, since: float) -> float:
        return max((value for at, value in self.by[table, metric] if at >= since), default=0)


class Alone:
    def __init__(self, t: Tap, pg: Lakehouse, catalog: str, namespace: str):
        self.t, self.pg, self.catalog, self.namespace = t, pg, catalog, namespace
        self.names = {name: pg.format_name([catalog, namespace, name]) for name in STREAMS}
        self.connection = pg.connect()
        self.by_judge, self.by_floe = Samples(), Samples()
        self.operations: list[dict[str, Any]] = []

    def sql(self, query: str, params: Any = None) -> list[dict[str, Any]]:
        with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
            cursor.execute(query, params)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    # watching

    def judged(self, name: str) -> dict[str, float]:
        """The judge's numbers. Files that he is about to read may be expired under his eyes: then he looks again."""
        for attempt in range(5):
            try:
                return judge(self.catalog, [self.namespace, name], max_snapshot_age_ms=MAX_SNAPSHOT_AGE_S * 1000, min_snapshots_to_keep=RETAIN_LAST)["metrics"]
            except FileNotFoundError:
                if attempt == 4:
                    raise
        raise AssertionError

    def sample_judge(self) -> dict[str, list[str]]:
        """One look at every table; those that are not below a warning, with the metrics."""
        beyond = defaultdict(list)
        for name in STREAMS:
            at = time.time()  # before it is read: what ended until then is in it
            found = self.judged(name)
            for metric, (warning, _) in THRESHOLDS.items():
                self.by_judge.add(name, metric, at, found[metric])
                if found[metric] >= warning:
                    beyond[name].append(f"{metric} {found[metric]} of {warning}")
        return dict(beyond)

    def sample_floe(self) -> None:
        for row in self.sql("""SELECT t.name, h.metric, h.value, extract(epoch FROM now())::float8 AS at FROM floe.tables AS t
                CROSS JOIN LATERAL floe.health(t.name) AS h WHERE t.name = ANY (%s) AND h.metric = ANY (%s)""", (list(self.names.values()), list(THRESHOLDS))):
            self.by_floe.add(row["name"].rsplit(".", 1)[1], row["metric"], row["at"], row["value"])

    def watch(self, writer: Writer) -> float:
        """Until the writer is done; returns when that was."""
        judged_at = 0.0
        while not writer.is_over():
            self.sample_floe()
            if time.monotonic() - judged_at > 5:
                self.sample_judge()
                judged_at = time.monotonic()
            time.sleep(1)
        return time.time()

    def settle(self, writer: Writer) -> tuple[float, dict[str, list[str]]]:
        """Until all snapshots but the kept ones are old enough to go, the judge finds all tables below their warnings, and nothing is under way.
        Seconds since the last commit, and what is beyond."""
        last = max(one["at"] for one in writer.commits)
        while True:
            self.sample_floe()
            beyond = self.sample_judge()
            busy = self.sql("SELECT 1 FROM floe.queue")
            since = time.time() - last
            if (since > MAX_SNAPSHOT_AGE_S + 1 and not beyond and not busy) or since > SETTLE_S:
                return since, beyond
            time.sleep(1)

    # what must hold

    def check_thresholds(self, writer: Writer) -> None:
        t = self.t
        first = {(row["table_name"].rsplit(".", 1)[1], row["operation"]): row["finished_at"].timestamp() for row in reversed(self.operations) if row["state"] == "succeeded"}
        for name in STREAMS:
            for metric, (warning, critical) in THRESHOLDS.items():
                since = first.get((name, REMEDY[metric]), 0) if STREAMS[name].backlog else 0
                most = {who: samples.most(name, metric, since) for who, samples in (("judge", self.by_judge), ("floe", self.by_floe))}
                t.ok(max(most.values()) < critical and self.by_judge.by[name, metric] and self.by_floe.by[name, metric],
                     f"{name}: {metric} stays below critical ({most['judge']:.0f} and {most['floe']:.0f} of {critical}; warning {warning})")
        files = Counter()
        for one in writer.commits:
            files[one["table"]] += one["files"] if one["what"] == "append" else 0
        warning, critical = THRESHOLDS["excess_file_count"]
        t.ok(all(files[name] > 2 * warning for name in STREAMS) and max(files.values()) > critical,
             f"without floe all of them would be beyond ({', '.join(f'{name} {files[name]} files' for name in STREAMS)})")

    def check_explained(self, row: dict[str, Any]) -> list[str]:
        """What is missing in the log of one operation."""
        wrong = []
        calls = [gate for gate in row["reason"] if gate["gate"] in THRESHOLDS or gate["gate"] == "delete_ratio"]
        if len(calls) != 1 or calls[0]["status"] != "pass":
            wrong.append("no metric called for it")
        else:
            call = calls[0]
            value, limit = (float(re.match(r"[0-9.]+", call[key]).group()) for key in ("value", "limit"))
            if value < limit or (call["gate"] in THRESHOLDS and limit != THRESHOLDS[call["gate"]][0]):
                wrong.append(f"its reason does not hold: {call}")
            if call["set_by"] != (f'policy "alone" ({self.catalog}.{self.namespace}.*)' if call["gate"] in THRESHOLDS else "built in"):
                wrong.append(f"its limit is said to be set by {call['set_by']}")
        if row["policies"] != ["alone"] or row["origin"] != "policy" or row["requested_by"] != "floe":
            wrong.append("it does not say who wanted it")
        if row["state"] not in ("succeeded", "no_change", "failed", "cancelled"):
            wrong.append(f"it is {row['state']}")
        if row["state"] == "failed" and (row["error_class"] != "conflict" or not row["error"]):
            wrong.append(f"it failed, and not because the writer was quicker: {row['error_class']} {row['error']}")
        if row["state"] == "cancelled" and "no longer called for" not in (row["error"] or ""):
            wrong.append(f"it was cancelled: {row['error']}")
        return wrong

    def check_effect(self, row: dict[str, Any], commits: dict[int, dict[str, Any]]) -> tuple[list[str], int]:
        """What is wrong with the measured effect of one that succeeded; and how many of its numbers the writer vouches for."""
        before, after, fresh = row["before"], row["after"], row["new_snapshots"] or []
        wrong, vouched = [], 0
        if row["effect"] != {key: after.get(key, 0) - before[key] for key in before if key in after and after[key] != before[key]} or not row["effect"]:
            wrong.append("its effect is not the difference of what was before and after")
        own = [one for one in fresh if one["operation"] == "replace"]
        if row["operation"] != "expire_snapshots" and len(own) == 0:
            wrong.append("no snapshot of it is in the table")
        if row["operation"] == "expire_snapshots" and not after["snapshot_count"] < before["snapshot_count"] + len(fresh):
            wrong.append("no snapshot is gone")
        strangers = [one["snapshot_id"] for one in fresh if one["operation"] != "replace" and one["snapshot_id"] not in commits]
        if strangers:
            wrong.append(f"new snapshots that nobody made: {strangers}")
        # the writer knows how many files there were after each of its commits
        ends = [(row["before_snapshot_id"], before)] + ([(fresh[-1]["snapshot_id"], after)] if fresh else [])
        for snapshot, numbers in ends:
            if snapshot in commits:
                vouched += 1
                if commits[snapshot]["total_files"] != numbers["data_file_count"]:
                    wrong.append(f"{numbers['data_file_count']} data files in snapshot {snapshot}, and the writer made it {commits[snapshot]['total_files']}")
        return wrong, vouched

    def check_log(self, writer: Writer) -> None:
        t, rows, commits = self.t, self.operations, writer.by_snapshot()
        wrong = [f"operation {row['id']} ({row['operation']} on {row['table_name']}): {one}" for row in rows for one in self.check_explained(row)]
        t.ok(rows and not wrong, f"every one of {len(rows)} operations has a reason: metric, value, limit and policy", *wrong[:10])
        done = [row for row in rows if row["state"] == "succeeded"]
        found = [(row, *self.check_effect(row, commits)) for row in done]
        wrong = [f"operation {row['id']} ({row['operation']} on {row['table_name']}): {one}" for row, each, _ in found for one in each]
        t.ok(done and not wrong, f"every one of {len(done)} that succeeded shows its effect", *wrong[:10])
        vouched = sum(one for _, _, one in found)
        t.ok(vouched >= len(done) / 2, f"and the number of files is what the writer says it was ({vouched} of {2 * len(done)} numbers are of a snapshot of his)")
        t.ok({row["table_name"] for row in done if row["operation"] == "rewrite_data_files"} == set(self.names.values()), "every table was rewritten")
        t.ok(len({row["operation"] for row in done}) >= 3, "by more than two kinds of operations", Counter(row["operation"] for row in done))

    def check_events(self) -> None:
        """Each operation was queued once, ended once, and ran as often as it was sent; no event speaks of another."""
        rows = {row["id"]: row for row in self.operations}
        told = defaultdict(Counter)
        for event in self.sql("SELECT operation_id, kind, message FROM floe.events WHERE operation_id IS NOT NULL"):
            told[event["operation_id"]][event["kind"]] += 1
        wrong = []
        for number, row in rows.items():
            kinds, ran = told[number], row["started_at"] is not None
            wanted = {"operation queued": 1, f"operation {row['state']}": 1}
            if {kind: n for kind, n in kinds.items() if kind not in ("operation running", "operation requeued", "operation lost")} != wanted or (kinds["operation running"] > 0) != ran:
                wrong.append(f"operation {number} is {row['state']}: {dict(kinds)}")
        self.t.ok(not wrong and set(told) == set(rows), "events and operations agree", *wrong[:10], set(told) ^ set(rows))
        log = self.pg.server_log()
        wrong = [row["id"] for row in rows.values() if f"operation {row['state']}: {row['operation']} {row['state'].replace('_', ' ')}" not in log or row["table_name"] not in log]
        self.t.equal(wrong, [], "the server's log has a line for the end of each")

    def check_content(self, writer: Writer) -> None:
        for name in STREAMS:
            end = writer.ends.get(name, {})
            self.t.equal(rows_of(self.catalog, [self.namespace, name]), (end.get("rows"), end.get("checksum")), f"{name}: exactly the rows that were written")
            self.t.equal(reachable(self.catalog, [self.namespace, name])["missing"], [], f"{name}: no file is missing")

    def check_undisturbed(self, pids: list[dict[str, Any]]) -> None:
        t = self.t
        t.equal(self.sql("SELECT kind, count(*) FROM floe_internal.pass WHERE kind NOT IN ('assessor', 'executor') GROUP BY kind"), [], "nobody called anything")
        t.equal(self.workers(), pids, "the workers are the same processes as at the beginning")
        wrong = self.sql("SELECT name, status, error FROM floe.tables WHERE name = ANY (%s) AND status <> 'ok'", (list(self.names.values()),))
        t.equal(wrong, [], "no table is in error")
        faults = [line for line in self.pg.server_log().splitlines() if re.search(r"PANIC|FATAL|XX000|terminated by signal|floe: .*internal", line)]
        t.equal(faults, [], "nothing of the kind is in the server's log")

    def workers(self) -> list[dict[str, Any]]:
        return self.sql("SELECT worker, number, state, pid, failures FROM floe.workers ORDER BY worker, number")

    # all of it

    def summary(self, writer: Writer, minutes: float, settled: float) -> None:
        t = self.t
        for name in STREAMS:
            end = writer.ends.get(name, {})
            done = Counter(f"{row['operation']} {row['state']}" for row in self.operations if row["table_name"] == self.names[name])
            most = ", ".join(f"{metric.removesuffix('_count')} {self.by_judge.most(name, metric, 0):.0f}" for metric in THRESHOLDS)
            t.note(f"{name}: {end.get('commits')} commits, {end.get('files')} files, {end.get('conflicts')} conflicts of the writer; at most {most}; "
                   + ", ".join(f"{count} {what}" for what, count in sorted(done.items())))
        states = Counter(row["state"] for row in self.operations)
        t.note(f"SUMMARY: {minutes:g} minutes, {len(writer.commits)} commits to {len(STREAMS)} tables, {len(self.operations)} operations "
               f"({', '.join(f'{count} {state}' for state, count in states.most_common())}), all below their warnings {settled:.0f} s after the last commit")

    def run(self, minutes: float) -> None:
        t, pg = self.t, self.pg
        writer = Writer(self.catalog, self.namespace, minutes * 60)
        try:
            while {one["table"] for one in writer.commits} != set(STREAMS) and not writer.is_over():
                time.sleep(0.2)
            pg.wait_for("SELECT count(*) = 2 FROM floe.workers WHERE state = 'running'")
            pids = self.workers()
            pg.sql("SELECT floe.create_policy('alone', %s, %s)", (f"{self.catalog}.{self.namespace}.*", json.dumps({**POLICY, "engine": None})))
            pg.add_engine()
            pg.sql("SELECT floe.alter_policy('alone', %s)", (json.dumps({"engine": "spark"}),))
            pg.add_catalog(self.catalog)
            # From here on nobody does anything but watch.
            self.watch(writer)
            t.equal((writer.process.returncode, sorted(writer.ends)), (0, sorted(STREAMS)), "the writer ended as it should") or t.note(writer.said[-3000:])
            settled, beyond = self.settle(writer)
            t.ok(not beyond, f"all tables are below their warnings {settled:.0f} s after the last commit, by the judge", beyond)
            self.operations = self.sql("""SELECT o.*, l.before_snapshot_id FROM floe.operations AS o LEFT JOIN floe_internal.operation_log AS l ON l.operation_id = o.id
                ORDER BY o.finished_at DESC NULLS FIRST""")
            self.check_thresholds(writer)
            self.check_log(writer)
            self.check_events()
            self.check_content(writer)
            self.check_undisturbed(pids)
            self.summary(writer, minutes, settled)
        finally:
            writer.stop()
