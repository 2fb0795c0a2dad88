"""A streaming writer and floe's workers on one table, on real Spark: what is being written is left alone, what cooled is compacted, and the writer never fails.

The writer commits every two seconds, every third time a delete, to one partition, and moves on to another. One minute; five with FLOE_LONG. Beyond that what
happens when both want the same files: a rewrite that loses against a delete is a conflict, and is repeated smaller.
"""
from __future__ import annotations

import json
import os
import re
import threading
import time
from typing import Any

from harness import Tap, checksum
from lakehouse import Lakehouse

# after harness, which makes test/lab importable
from catalogs import LabCatalog
from streams import Pace, Stream

NS = f"streams_{int(time.time())}"
QUIET_S = 8
MOST_TRIES = 5  # Iceberg's default: commit.retry.num-retries is 4
COLD = (1, 2, 3, 4)
HOT = (11, 12, 13)
FOUGHT = tuple(range(1, 61))  # so many that several deletes are committed while a rewrite is under way


class Writer(Stream):
    """Writes to the partitions of pace.days, and deletes rows of these alone."""

    def __init__(self, lab: LabCatalog, name: str, pace: Pace):
        super().__init__(lab, (NS, name), pace)
        self.told: list[dict[str, Any]] = []
        self.left: dict[int, float] = {}  # when it wrote to a partition for the last time
        self.error: BaseException | None = None

    def commit(self) -> None:
        self.told.append({**self._one(), "day": self.pace.days[0] if len(self.pace.days) == 1 else None})
        for day in self.pace.days:
            self.left[day] = time.time()

    def _delete(self) -> dict[str, Any]:
        every = self.rows
        self.rows = {key: row for key, row in every.items() if row["day"] in self.pace.days}
        try:
            before = set(self.rows)
            told = super()._delete()
            for gone in before - set(self.rows):
                del every[gone]
        finally:
            self.rows = every
        return told

    def backlog(self, days: tuple[int, ...], commits: int) -> None:
        kept, self.pace = self.pace, Pace(0, rows=self.pace.rows, days=days)
        for _ in range(commits):
            self.commit()
        self.pace = kept

    def run(self, seconds: float) -> None:
        """One partition after the other."""
        try:
            begun = time.monotonic()
            while (spent := time.monotonic() - begun) < seconds:
                self.pace.days = (HOT[int(spent / seconds * len(HOT))],)
                due = time.monotonic() + self.pace.every
                self.commit()
                time.sleep(max(0, due - time.monotonic()))
        except BaseException as error:  # the test tells
            self.error = error


def partitions(spark: Any, name: str) -> dict[int, int]:
    """Data files of each."""
    return {int(re.search(r"-?\d+", row["partition"]).group()): row["file_count"] for row in spark.sql(f"SELECT partition, file_count FROM lab.{NS}.{name}.partitions")}


def same_rows(t: Tap, writer: Writer, name: str) -> None:
    end = writer.end()
    t.equal(checksum("rest", [NS, name]), (end["rows"], end["checksum"]), f"{name}: exactly the rows that were written and not deleted")


def stream(t: Tap, pg: Lakehouse, lab: LabCatalog, spark: Any, seconds: float) -> None:
    name, writer = f"rest.{NS}.live", Writer(lab, "live", Pace(2, rows=20, days=COLD, deletes=3))
    writer.backlog(COLD, 6)
    thread = threading.Thread(target=writer.run, args=(seconds,), daemon=True)
    thread.start()
    pg.sql("SELECT floe.create_policy('live', %s, %s)", (name, json.dumps({
        "engine": "spark", "poll_interval": "2 seconds", "min_poll_interval": "1 second", "thresholds": {"excess_file_count": {"warning": 3, "critical": 10000}},
        "rewrite_data_files": {"min_interval": "0", "quiet_period": f"{QUIET_S} seconds", "options": {"min_input_files": 2}}})))
    pg.sql("SELECT floe.refresh('rest.**')")
    waits = set()
    compact_by: dict[int, float] = {}
    while thread.is_alive():
        waits |= {re.sub(r"\d+", "n", row["value"]) for row in pg.sql("SELECT * FROM floe.why(%s) WHERE verdict = 'wait' AND gate = 'writers'", (name,))} if pg.sql(
            "SELECT 1 FROM floe.tables WHERE name = %s AND status = 'ok'", (name,)) else set()
        for day, files in partitions(spark, "live").items():
            if files == 1 and day not in compact_by and day in writer.left and time.time() - writer.left[day] > QUIET_S / 2:
                compact_by[day] = time.time()
        time.sleep(1)
    ended = time.time()
    t.ok(writer.error is None, f"the writer did not fail in {len(writer.told)} commits", writer.error)
    tries = [one["tries"] for one in writer.told]
    t.ok(max(tries) <= MOST_TRIES, f"and none of them needed more than its own retries ({sum(tries) - len(tries)} repeated, at most {max(tries) - 1} times)", tries)
    t.ok(sum(one["what"] == "delete" for one in writer.told) >= 5, "a third of them were deletes")
    t.ok(set(COLD) <= set(compact_by) and all(compact_by[day] < ended for day in COLD), "the cold partitions were at one file while it wrote", compact_by, partitions(spark, "live"))
    t.ok(HOT[0] in compact_by, "and so was one that it had left", compact_by, partitions(spark, "live"))
    t.ok("n of n partitions are hot" in waits, "floe.why() said when all that needed it was hot", waits)
    deadline = time.time() + 180
    while set(partitions(spark, "live").values()) != {1} and time.time() < deadline:
        time.sleep(1)
    # the table knows before the log does
    pg.wait_for("SELECT count(*) = 0 FROM floe.queue", timeout=120)
    t.equal(set(partitions(spark, "live").values()), {1}, "when it was over all cooled, and were compacted")
    log(t, pg, name, writer)
    same_rows(t, writer, "live")


def log(t: Tap, pg: Lakehouse, name: str, writer: Writer) -> None:
    rows = pg.sql("SELECT * FROM floe.operations WHERE table_name = %s ORDER BY id", (name,))
    t.ok(rows and all(row["state"] in ("succeeded", "cancelled", "no_change") for row in rows), f"{len(rows)} operations, none failed", *[(row["state"], row["slice"], row["statement"], row["new_snapshots"], row["error"]) for row in rows])
    done = [row for row in rows if row["state"] == "succeeded"]
    t.ok(len(done) >= 3 and any(row["slice"] and row["slice"].get("hot_partitions") for row in done), "the log says which partitions were left out as hot", [row["slice"] for row in done])
    wrong = []
    for row in done:
        began = row["started_at"].timestamp()
        for day in {int(one) for one in re.findall(r"`day` = (\d+)", row["statement"])}:
            times = [told["at"] for told in writer.told if told.get("day") == day]
            if any(began - QUIET_S < at < began for at in times):
                wrong.append((row["id"], day))
    t.equal(wrong, [], "no partition was rewritten that was written within the quiet period before")
    t.note(f"SUMMARY: {len(writer.told)} commits of the writer, {sum(one['tries'] > 1 for one in writer.told)} of them repeated; {len(rows)} operations ({len(done)} succeeded)")


def conflict(t: Tap, pg: Lakehouse, lab: LabCatalog) -> None:
    """Deletes as fast as they go, in every partition that is rewritten."""
    name, writer = f"rest.{NS}.fought", Writer(lab, "fought", Pace(0, rows=600, days=FOUGHT))  # rows enough to delete until the rewrite is over
    writer.backlog(FOUGHT, 4)
    pg.sql("SELECT floe.create_policy('fought', %s, %s)", (name, json.dumps({
        "engine": "spark", "thresholds": {"excess_file_count": {"warning": 3, "critical": 10000}},
        "rewrite_data_files": {"min_interval": "0", "quiet_period": "1 hour", "options": {"min_input_files": 2, "max_concurrent_file_group_rewrites": 1}}})))
    pg.assess(name)
    t.equal(pg.value("SELECT gate FROM floe.why(%s) WHERE operation = 'rewrite_data_files'", (name,)), "excess_file_count", "while files are only added nothing is in the way")
    writer.told.append(Stream._delete(writer))
    pg.assess(name)
    t.equal(pg.value("SELECT gate FROM floe.why(%s) WHERE operation = 'rewrite_data_files'", (name,)), "writers", "once somebody deletes, floe waits")
    t.equal(pg.value("SELECT verdict FROM floe.trigger(%s, ARRAY['rewrite_data_files'])", (name,)), "queued", "asked for by name it does not")
    over = threading.Event()

    def disturb() -> None:
        while not over.is_set() and len(writer.rows) > 20:
            writer.told.append(Stream._delete(writer))

    thread = threading.Thread(target=disturb, daemon=True)
    thread.start()
    try:
        pg.maintain(name, wait=True)
    finally:
        over.set()
        thread.join(60)
    row = pg.sql("SELECT * FROM floe.operations WHERE table_name = %s ORDER BY id DESC LIMIT 1", (name,))[0]
    t.equal((row["state"], row["error_class"]), ("failed", "conflict"), "a rewrite that lost is a conflict") or t.note((row["error"], row["engine_result"]))
    t.note(row["error"])
    t.ok(max(one["tries"] for one in writer.told) <= MOST_TRIES, "the writer got through, all the same")
    backoff = pg.sql("SELECT gate, next_at - clock_timestamp() < interval '2 minutes' AS is_soon FROM floe.why(%s) WHERE operation = 'rewrite_data_files'", (name,))[0]
    t.equal(backoff, {"gate": "backoff", "is_soon": True}, "it is repeated after a minute or so")
    # the minute and the quiet hour are over
    pg.sql("ALTER DATABASE postgres SET floe.virtual_clock = %s", (pg.value("SELECT (clock_timestamp() + interval '2 hours')::text"),))
    pg.maintain(name, wait=True)
    later = pg.sql("SELECT * FROM floe.operations WHERE table_name = %s AND id > %s ORDER BY id", (name, row["id"]))
    t.ok(later and later[0]["state"] == "succeeded" and later[0]["slice"]["partitions"] == len(FOUGHT) / 2 and later[0]["slice"]["halvings"] == 1,
         "then half of the partitions, and it succeeds", *[(one["state"], one["slice"], one["error"]) for one in later])
    pg.maintain(name, wait=True)
    rows = pg.sql("SELECT state, slice, queued_at, finished_at, files_before, files_after, reason, error FROM floe.operations WHERE table_name = %s AND id > %s ORDER BY id", (name, row["id"]))
    t.ok([one["state"] for one in rows] == ["succeeded"] * 2 and rows[1]["slice"] is None, "and then the rest, as large as before", *rows)
    pg.sql("ALTER DATABASE postgres RESET floe.virtual_clock")
    same_rows(t, writer, "fought")


def main() -> None:
    lab = LabCatalog("rest")
    seconds = 300 if os.environ.get("FLOE_LONG") else 60
    with Tap() as t, lab.spark() as spark:
        with Lakehouse(name="quiet") as pg:
            pg.add_engine()
            pg.add_catalog("rest")
            lab.catalog.create_namespace((NS,))
            conflict(t, pg, lab)
        with Lakehouse(conf={"floe.decision_interval": "1min"}, preload=True, name="live") as pg:
            pg.add_engine()
            pg.add_catalog("rest")
            stream(t, pg, lab, spark, seconds)


if __name__ == "__main__":
    main()
