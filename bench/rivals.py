"""Other systems' ways to choose, re-created from their code and papers: each puts a fleet in order from what can be observed of it.

What is theirs and what was lifted is said at each. All get the candidates that floe has (no rival wastes a run on a table without need), and all
spend the same true GB-hours in their order, going on below what does not fit: most of the originals stop there, or overshoot.
"""
from __future__ import annotations

import math
from typing import Callable

from generated import DAY, MB, Table

Order = Callable[[list[Table]], list[Table]]


def round_robin(tables: list[Table]) -> list[Table]:
    """One after the other, as they are listed."""
    return sorted(tables, key=lambda one: one.number)


def staleness_first(tables: list[Table]) -> list[Table]:
    """Who has waited longest for a successful run (Amoro's "balanced")."""
    return sorted(tables, key=lambda one: -one.last_success_age)


def original_debt(one: Table) -> float:
    """nssalian/floe: 100 critical + 50 warning + 10 info + 0.5 a day + failure rate + 20 a failure in a row, at most 1000; its default thresholds."""
    def level(value: float, warning: float, critical: float) -> float:
        return 100 if value >= critical else 50 if value >= warning else 0

    files = max(1, one.data_file_count)
    deletes = one.position_delete_file_count + one.equality_delete_file_count
    score = level(100 * one.below_100mb / files, 20, 50) + level(files, 10_000, 50_000) + level(one.snapshot_count, 100, 500)
    score += level(one.oldest_snapshot_age / DAY, 7, 30) + level(deletes, 100, 500) + level(deletes / files, 0.10, 0.25)
    score += level(one.manifest_count, 100, 500) + level(one.manifest_bytes, 100 * MB, 500 * MB) + level(one.partition_count, 5_000, 10_000)
    score += level(one.partition_skew, 3, 10) + level(one.newest_snapshot_age / DAY, 7, 30)
    return min(1000.0, score + 0.5 * one.newest_snapshot_age / DAY + one.failure_rate + 20 * one.failures)


def original(tables: list[Table]) -> list[Table]:
    return sorted(tables, key=lambda one: (-original_debt(one), one.name))


def autocomp(tables: list[Table]) -> list[Table]:
    """LinkedIn OpenHouse: 0.7 gain - 0.3 cost, each min-max normalised over the candidates. Gain: small files less the files they become, over the whole table, none for an
    unpartitioned table that was written within a week; cost: their bytes at 2 MB/s and 2 GB, and 0.5. Lifted: at most ten tables, and the last one over the budget."""
    target = 2 * 256 * MB - 10 * MB
    traits = []
    for one in tables:
        gain = max(0, one.small_file_count - math.ceil(one.small_file_bytes / target))
        if not one.is_partitioned and one.newest_snapshot_age < 7 * DAY:
            gain = 0
        if gain >= 1:
            traits.append((one, float(gain), one.small_file_bytes / (2 * MB) / 3600 * 2 + 0.5))
    if not traits:
        return []

    def normal(values: list[float]) -> Callable[[float], float]:
        least, most = min(values), max(values)
        return lambda value: 0.0 if most == least else (value - least) / (most - least)

    gains, costs = normal([gain for _, gain, _ in traits]), normal([cost for _, _, cost in traits])
    return [one for one, _, _ in sorted(traits, key=lambda trait: (-(0.7 * gains(trait[1]) - 0.3 * costs(trait[2])), trait[0].name))]


def gravitino(tables: list[Table]) -> list[Table]:
    """Mean squared error of file sizes against 128 MB, and 100 a delete file, which are added as they are."""
    trigger = (128 * MB * 0.15) ** 2
    deletes = {one.number: one.position_delete_file_count + one.equality_delete_file_count for one in tables}
    called = [one for one in tables if one.size_error >= trigger or deletes[one.number] >= 1]
    return sorted(called, key=lambda one: (-(one.size_error + 100 * deletes[one.number]), one.name))


def amoro(tables: list[Table]) -> list[Table]:
    """The dearest first: twice the bytes of fragments and undersized files, and the deletes."""
    return sorted(tables, key=lambda one: (-(2 * one.small_file_bytes + one.delete_bytes + one.small_file_count * 4 * MB), one.name))


RIVALS: dict[str, Order] = {"round-robin": round_robin, "staleness first": staleness_first, "the original's formula": original, "AutoComp": autocomp, "Gravitino": gravitino,
                            "Amoro, dearest first": amoro}


def spend(order: list[Table], gb_hours: float) -> tuple[float, float, int]:
    """Files removed, GB-hours spent and tables, if they are rewritten in this order. What the run will cost is known before it is added."""
    files = spent = 0.0
    count = 0
    for one in order:
        if spent + one.true_cost <= gb_hours:
            files, spent, count = files + one.true_gain, spent + one.true_cost, count + 1
    return files, spent, count


def optimum(tables: list[Table], gb_hours: float) -> float:
    """No choice of whole tables removes more: the linear bound of the knapsack over the true gains and costs, with a part of the last one."""
    files = left = 0.0
    left = gb_hours
    for one in sorted(tables, key=lambda one: -one.true_gain / one.true_cost):
        part = min(1.0, left / one.true_cost)
        files, left = files + part * one.true_gain, left - part * one.true_cost
        if left <= 0:
            break
    return files
