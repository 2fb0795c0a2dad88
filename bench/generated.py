"""A fleet of generated tables: what can be observed of each, and what a rewrite of it would truly remove and cost.

The truth is not floe's estimate in other words. A run pays for its start, for every file it opens and for the bytes that it reads and writes at
a speed of the table's own; it touches only the partitions in which bin-packing finds something; some of its commits lose against writers. Of
that a planner sees counts and sums, as metadata has them. Seeded: the same seed is the same fleet on every machine.
"""
from __future__ import annotations

import io
import json
import math
import random
from dataclasses import dataclass, fields
from typing import Any, Iterable

MB, GB, TB = 1 << 20, 1 << 30, 1 << 40
TARGET = 512 * MB
SMALL_BELOW = int(0.75 * TARGET)
MIN_INPUT_FILES = 5
DAY = 86400

MEMORY_GB = 4


@dataclass(frozen=True)
class Engine:
    """In truth; another for each seed. A session of 4 GB has two cores: a file of an object store takes some 50 to 100 ms of one to open, and rows are read,
    encoded and written at 15 to 30 MB/s by each. floe is told the memory and learns the rest from a log of runs."""
    start_s: float
    open_s: float
    bytes_per_s: float


def engine(seed: int) -> Engine:
    dice = random.Random(f"engine {seed}")
    return Engine(dice.uniform(6, 20), dice.uniform(0.025, 0.05), dice.uniform(30e6, 60e6))


@dataclass
class Table:
    """One table. The names of floe's metrics are what is observed; what begins with true_ nobody sees before the run."""
    number: int
    kind: str
    name: str = ""
    is_partitioned: bool = True
    partition_count: int = 1
    partition_skew: float = 1.0
    excess_file_count: int = 0
    small_file_count: int = 0
    small_file_bytes: int = 0
    rewrite_file_count: int = 0      # of the partitions that bin-packing touches
    rewrite_bytes: int = 0
    data_file_count: int = 0
    data_bytes: int = 0
    record_count: int = 0
    size_error: float = 0.0          # mean of (target - size)^2 for a target of 128 MB: Gravitino's
    below_100mb: int = 0             # the original's small files
    delete_ratio: float = 0.0
    position_delete_file_count: int = 0
    equality_delete_file_count: int = 0
    delete_bytes: int = 0
    manifest_count: int = 1
    manifest_bytes: int = 8192
    snapshot_count: int = 1
    oldest_snapshot_age: float = 0.0
    newest_snapshot_age: float = 0.0
    commit_interval: float = DAY
    last_success_age: float = 0.0
    failures: int = 0
    failure_rate: float = 0.0
    true_gain: float = 0.0
    true_cost: float = 0.0           # GB-hours
    true_seconds: float = 0.0
    true_bytes: float = 0.0


@dataclass(frozen=True)
class Mix:
    """What a fleet is made of: shares of kinds, and the median size of its tables."""
    name: str
    shares: dict[str, float]
    median_bytes: float = 20 * GB
    spread: float = 2.0


MIXES = {
    "mixed": Mix("mixed", {"healthy": 0.55, "streaming": 0.15, "batch": 0.15, "merged": 0.06, "overwritten": 0.05, "giant": 0.02, "trickle": 0.02}),
    "streaming": Mix("streaming", {"healthy": 0.35, "streaming": 0.40, "batch": 0.08, "merged": 0.08, "overwritten": 0.04, "giant": 0.01, "trickle": 0.04}, 5 * GB, 1.8),
    "warehouse": Mix("warehouse", {"healthy": 0.60, "streaming": 0.05, "batch": 0.20, "merged": 0.05, "overwritten": 0.04, "giant": 0.05, "trickle": 0.01}, 80 * GB, 2.2),
}


def log_normal(dice: random.Random, median: float, spread: float, least: float, most: float) -> float:
    return min(most, max(least, median * math.exp(dice.gauss(0, spread))))


def generate(seed: int, count: int, mix: Mix, runs_on: Engine | None = None) -> list[Table]:
    """The fleet. Kinds: healthy: nothing worth doing; streaming: hot partitions of tiny files; batch: unpartitioned or few partitions of middling files;
    merged: with delete files; overwritten: unpartitioned, small, and written over by somebody all the time; giant: many bytes in files that are nearly
    full, much work for little; trickle: thousands of partitions with a few files each, which count as small and cannot be merged."""
    dice = random.Random(seed)
    kinds, weights = list(mix.shares), list(mix.shares.values())
    runs_on = runs_on or engine(seed)
    return [_table(dice, number, dice.choices(kinds, weights)[0], mix, runs_on) for number in range(count)]


def _table(dice: random.Random, number: int, kind: str, mix: Mix, runs_on: Engine) -> Table:
    table = Table(number, kind, f"lake.s{number % 40}.t{number:06d}")
    table.is_partitioned = kind not in ("overwritten",) and (kind != "batch" or dice.random() < 0.6)
    size = log_normal(dice, mix.median_bytes, mix.spread, 50 * MB, 40 * TB)
    # partitions in which there is something to merge: files and their mean size
    loaded: list[tuple[int, float]] = []
    tail = 0
    if kind == "streaming":
        mean = log_normal(dice, 3 * MB, 1.2, 30e3, 80 * MB)
        files = log_normal(dice, 900, 1.4, 20, 150000)
        loaded = _spread(dice, files, dice.randint(1, 48), mean)
        tail = dice.randint(0, 400)
    elif kind == "batch":
        mean = log_normal(dice, 24 * MB, 1.0, 1e6, 300 * MB)
        loaded = _spread(dice, log_normal(dice, 200, 1.3, 10, 40000), dice.randint(1, 24) if table.is_partitioned else 1, mean)
        tail = dice.randint(0, 100) if table.is_partitioned else 0
    elif kind == "merged":
        loaded = _spread(dice, log_normal(dice, 300, 1.2, 10, 20000), dice.randint(1, 30), log_normal(dice, 12 * MB, 1.0, 1e6, 250 * MB))
        tail = dice.randint(0, 200)
    elif kind == "overwritten":
        loaded = [(int(log_normal(dice, 250, 1.0, 20, 20000)), log_normal(dice, 6 * MB, 1.0, 1e5, 100 * MB))]
        size = loaded[0][0] * loaded[0][1] * dice.uniform(1, 1.5)
    elif kind == "giant":
        size = log_normal(dice, 8 * TB, 0.8, 1 * TB, 60 * TB)
        mean = dice.uniform(240, 370) * MB
        loaded = _spread(dice, size / mean, dice.randint(20, 200), mean)
    elif kind == "trickle":
        tail = dice.randint(2000, 30000)
        loaded = _spread(dice, log_normal(dice, 60, 0.8, 10, 1000), dice.randint(1, 10), log_normal(dice, 4 * MB, 1, 1e5, 50 * MB))
    else:
        tail = dice.randint(0, 60)
    loaded = [(files, mean) for files, mean in loaded if files >= MIN_INPUT_FILES]
    _observe(dice, table, kind, size, loaded, tail)
    _truth(dice, table, kind, runs_on)
    return table


def _spread(dice: random.Random, files: float, partitions: int, mean: float) -> list[tuple[int, float]]:
    """So many files over so many partitions, the newest with most."""
    shares = [dice.expovariate(1) + 0.05 for _ in range(partitions)]
    whole = sum(shares)
    return [(int(files * share / whole), mean * math.exp(dice.gauss(0, 0.2))) for share in shares]


def _observe(dice: random.Random, table: Table, kind: str, size: float, loaded: list[tuple[int, float]], tail: int) -> None:
    tail_mean = dice.uniform(2, 200) * MB
    packed = [(files, files * mean, files - math.ceil(files * mean / TARGET)) for files, mean in loaded]
    table.excess_file_count = sum(max(0, excess) for _, _, excess in packed)
    table.small_file_count = sum(files for files, _, _ in packed) + tail
    table.small_file_bytes = int(sum(total for _, total, _ in packed) + tail * tail_mean)
    touched = [(files, total) for files, total, excess in packed if excess > 0]
    table.rewrite_file_count, table.rewrite_bytes = sum(files for files, _ in touched), int(sum(total for _, total in touched))
    full = max(0.0, size - table.small_file_bytes)
    full_files = math.ceil(full / (TARGET * dice.uniform(0.8, 1.0)))
    table.data_file_count = table.small_file_count + full_files
    table.data_bytes = int(table.small_file_bytes + full)
    table.record_count = int(table.data_bytes / log_normal(dice, 120, 0.7, 10, 5000)) + 1
    small_mean = sum(total for _, total, _ in packed) / max(1, sum(files for files, _, _ in packed))
    squares = (table.small_file_count - tail) * (128 * MB - small_mean) ** 2 + tail * (128 * MB - tail_mean) ** 2 + full_files * (128 * MB - TARGET * 0.9) ** 2
    table.size_error = squares / max(1, table.data_file_count)
    table.below_100mb = sum(files for files, mean in loaded if mean < 100 * MB) + (tail if tail_mean < 100 * MB else 0)
    table.partition_count = (len(loaded) + tail + dice.randint(0, 300)) if table.is_partitioned else 1
    table.partition_skew = max([files for files, _ in loaded], default=1) / max(1.0, table.data_file_count / max(1, table.partition_count))
    if kind == "merged":
        table.delete_ratio = dice.choice([0.02, 0.05, 0.1, 0.15, 0.25, 0.4])
        table.position_delete_file_count = int(log_normal(dice, 80, 1.0, 2, 5000))
        table.delete_bytes = table.position_delete_file_count * 200000
    table.manifest_count = max(1, int(log_normal(dice, 12, 1.0, 1, 2000)))
    table.manifest_bytes = table.data_file_count * 300 + table.manifest_count * 4096
    table.commit_interval = {"streaming": 120, "merged": 900, "overwritten": 600, "trickle": 1800}.get(kind, 20 * 3600) * math.exp(dice.gauss(0, 0.6))
    idle = table.commit_interval * dice.random() if kind != "healthy" or dice.random() < 0.5 else dice.uniform(1, 400) * DAY
    # nothing is written to half of what batches made
    table.newest_snapshot_age = dice.uniform(2, 120) * DAY if kind == "batch" and dice.random() < 0.5 else idle
    table.snapshot_count = max(1, min(2000, int(log_normal(dice, 60, 1.0, 1, 2000))))
    table.oldest_snapshot_age = table.newest_snapshot_age + dice.uniform(0.2, 30) * DAY
    table.last_success_age = dice.uniform(0.1, 60) * DAY
    if dice.random() < 0.06:
        table.failures = dice.randint(1, 5)
        table.failure_rate = min(100.0, table.failures * 10 + dice.randint(0, 4) * 10)


def _truth(dice: random.Random, table: Table, kind: str, runs_on: Engine) -> None:
    """What would happen. Noise: how fast this table's rows are read and written, what writers change meanwhile, and lost commits."""
    applies_deletes = table.delete_ratio >= 0.2
    rewritten, opened = float(table.rewrite_bytes), table.rewrite_file_count
    gain = table.excess_file_count * dice.uniform(0.93, 1.0)
    if applies_deletes:
        rewritten = table.data_bytes * dice.uniform(0.8, 1.0)
        opened = table.data_file_count + table.position_delete_file_count
        gain += table.position_delete_file_count * dice.uniform(0.85, 1.0)
    speed = runs_on.bytes_per_s * math.exp(dice.gauss(0, 0.25))
    table.true_seconds = runs_on.start_s * dice.uniform(0.8, 1.3) + opened * runs_on.open_s + rewritten / speed
    table.true_bytes = rewritten
    if kind == "overwritten":
        # a third of the commits replace what is being rewritten, and the rewrite is lost
        gain *= math.exp(-table.true_seconds / table.commit_interval / 3)
    # who has failed may well fail again
    table.true_gain = gain * (1 - 0.12 * table.failures)
    table.true_cost = table.true_seconds / 3600 * MEMORY_GB


# ---- into floe ----

OBSERVED = ["excess_file_count", "small_file_count", "small_file_bytes", "rewrite_file_count", "rewrite_bytes", "data_file_count", "data_bytes", "record_count", "delete_ratio", "position_delete_file_count",
            "equality_delete_file_count", "delete_bytes", "manifest_count", "manifest_bytes", "partition_count", "partition_skew", "snapshot_count", "commit_interval"]
_AGES = ["oldest_snapshot_age", "newest_snapshot_age", "last_success_age"]


def load(pg: Any, tables: Iterable[Table]) -> None:
    """As if a catalog had listed them and the library had read them: without manifests, because decisions read only the sums. The database
    is empty but for the SERVER lake."""


    columns = ["name", "is_partitioned", "failures", *OBSERVED, *_AGES]
    known = {one.name for one in fields(Table)}
    assert known.issuperset(columns)
    text = io.StringIO()
    for one in tables:
        text.write("\t".join(str(getattr(one, column)) for column in columns) + "\n")
    text.seek(0)
    connection = pg.connect(autocommit=False)
    with connection, connection.cursor() as cursor:
        kinds = {"name": "text", "is_partitioned": "bool", "delete_ratio": "float8", "partition_skew": "float8", "commit_interval": "float8", **{age: "float8" for age in _AGES}}
        cursor.execute("SET jit = off")
        cursor.execute("CREATE TEMP TABLE fleet (" + ", ".join(f"{column} {kinds.get(column, 'int8')}" for column in columns) + ") ON COMMIT DROP")
        cursor.copy_expert("COPY fleet FROM STDIN", text)
        cursor.execute("ANALYZE fleet")
        cursor.execute("""SELECT floe_internal.apply_listing(c.catalog_id, array_agg(split_part(f.name, '.', 2)), array_agg(split_part(f.name, '.', 3)))
            FROM floe_internal.catalog AS c, fleet AS f WHERE c.server_name = 'lake' GROUP BY c.catalog_id""")
        cursor.execute("""UPDATE floe_internal.iceberg_table AS t SET status = 'ok', metadata_location = 'm1', properties = '{}', refs = '[{"name": "main", "type": "branch", "snapshot_id": 1}]',
                current_snapshot_id = 1, location = 's3://lake/' || f.name, location_key = 's3://lake/' || f.name, assessed_at = floe_internal.clock(), first_seen_at = floe_internal.clock() - interval '90 days',
                details = jsonb_build_object('snapshot_count', 1, 'is_partitioned', f.is_partitioned), manifest_ids = '{}',
                -- one snapshot: version, count, operation and flags, id, time as zigzag varint, sequence number
                snapshots = '\\x0101'::bytea || '\\x0100'::bytea || int8send(1) || '\\x80e0f1ffbf6402'::bytea
            FROM fleet AS f WHERE t.name = f.name""")
        cursor.execute(f"""INSERT INTO floe_internal.health (table_id, assessed_at, snapshot_id, metadata_location, target_file_bytes, small_below_bytes, oversized_above_bytes, min_input_files, is_complete, is_inexact,
                equality_delete_row_count, position_delete_row_count, excess_delete_file_count, deletion_vector_count, dangling_delete_count, excess_manifest_count, oldest_snapshot_at, newest_snapshot_at, last_write_at, {", ".join(OBSERVED)})
            SELECT t.table_id, floe_internal.clock(), 1, 'm1', z.target_bytes, z.small_below, z.oversized_above, z.min_input_files, true, false, 0, 0, 0, 0, 0, 0,
                floe_internal.clock() - f.oldest_snapshot_age * interval '1 second', floe_internal.clock() - f.newest_snapshot_age * interval '1 second', floe_internal.clock() - f.newest_snapshot_age * interval '1 second',
                {", ".join("f." + column for column in OBSERVED)}
            FROM fleet AS f JOIN floe_internal.iceberg_table AS t ON t.name = f.name
            CROSS JOIN LATERAL (SELECT * FROM floe_internal.size_limits(t.table_id, t.properties)) AS z""")
        cursor.execute("""INSERT INTO floe_internal.table_operation (table_id, operation, last_run_at, last_success_at, last_state, failures)
            SELECT t.table_id, 'rewrite_data_files', floe_internal.clock() - f.last_success_age * interval '1 second', floe_internal.clock() - f.last_success_age * interval '1 second',
                CASE WHEN f.failures > 0 THEN 'failed' ELSE 'succeeded' END, f.failures
            FROM fleet AS f JOIN floe_internal.iceberg_table AS t ON t.name = f.name""")
    connection.close()
    pg.sql("VACUUM ANALYZE")


def load_past(pg: Any, past: list[Table]) -> None:
    """Runs on other tables that are over, as the log has them, one after the other; floe learns from each as it does when one ends."""
    runs = [{"number": place, "estimate": {"objects": one.excess_file_count, "bytes": one.rewrite_bytes if one.delete_ratio < 0.2 else one.data_bytes, "minutes": one.true_seconds / 60},
             "measured": {"objects": round(one.true_gain), "bytes": one.true_bytes, "files_touched": 2 * one.rewrite_file_count - one.excess_file_count, "minutes": one.true_seconds / 60,
                          "bytes_written": one.true_bytes}} for place, one in enumerate(past, 1)]
    pg.sql("""INSERT INTO floe_internal.operation_log (table_id, table_name, operation, state, outcome, by_hand, requested_by, attempt, engine, settings, settings_hash, policies, reason, estimate, measured,
            queued_at, dispatched_at, started_at, engine_ended_at, finished_at)
        SELECT - x.number, 'lake.past.t' || x.number, 'rewrite_data_files', 'succeeded', 'succeeded', false, 'floe', 1, 'spark', '{"engine": "spark"}', '', '{}', '[]', x.estimate, x.measured,
            e.at - s.took, e.at - s.took, e.at - s.took, e.at, e.at
        FROM jsonb_to_recordset(%s) AS x (number int8, estimate jsonb, measured jsonb)
        CROSS JOIN LATERAL (SELECT make_interval(mins => 1) * (x.measured ->> 'minutes')::float8 AS took) AS s
        CROSS JOIN LATERAL (SELECT floe_internal.clock() - interval '90 days' + x.number * interval '4 hours' AS at) AS e ORDER BY x.number""", (json.dumps(runs),))
    pg.sql("SELECT floe_internal.learn(l.operation_id) FROM (SELECT operation_id FROM floe_internal.operation_log ORDER BY operation_id) AS l")
