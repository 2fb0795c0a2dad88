"""floe's choice on generated fleets whose truth is known (bench/brain.py), small enough for every commit: against other systems' ways to choose, and
against the best there is."""
import sys

from harness import ROOT, Cluster, Tap

sys.path.insert(0, str(ROOT / "bench"))

import brain
import generated
import rivals

TABLES, BUDGETS = 1000, [10, 40]
# of a few dozen tables one more or less is much: the fleets together are within the 5 % that thousands are each
EACH, TOGETHER = 0.90, brain.OF_OPTIMUM


def test_rivals(t):
    """What each of them does, on tables made for it."""
    def table(number, **observed):
        return generated.Table(number, "made", f"lake.s.t{number}", **observed)

    def order(rival, *tables):
        return [one.number for one in rival(list(tables))]

    mb = generated.MB
    t.equal(order(rivals.round_robin, table(2), table(1)), [1, 2], "round-robin: as they are listed")
    t.equal(order(rivals.staleness_first, table(1, last_success_age=5.0), table(2, last_success_age=9.0)), [2, 1], "staleness: who waited longest")
    t.equal([rivals.original_debt(table(1, newest_snapshot_age=one * generated.DAY)) for one in (0, 10, 35)], [0, 55, 117.5], "the original: a warning and ten days are 55, by its own example")
    t.equal(rivals.original_debt(table(1, snapshot_count=500, failures=3, failure_rate=30.0)), 190, "... failures raise it")
    t.equal(rivals.original_debt(table(1, newest_snapshot_age=4000 * generated.DAY)), 1000, "... and it is at most 1000")
    # 10,000 of 8 MB: 160 files of 502 MB remain
    large, small = table(1, small_file_count=10000, small_file_bytes=80000 * mb), table(2, small_file_count=100, small_file_bytes=100 * mb)
    t.equal(order(rivals.autocomp, small, large), [1, 2], "AutoComp: gain goes before cost")
    t.equal(order(rivals.autocomp, small, table(3, small_file_count=9000, is_partitioned=False)), [2], "... an unpartitioned table that was just written has none")
    t.equal(order(rivals.autocomp, small, table(3, small_file_count=9000, is_partitioned=False, newest_snapshot_age=8 * generated.DAY)), [3, 2], "... but after a week it has")
    wide, deleted = table(1, size_error=(128 * mb) ** 2 + 1e10), table(2, size_error=(128 * mb) ** 2, position_delete_file_count=100000)
    t.equal(order(rivals.gravitino, deleted, wide), [1, 2], "Gravitino: a hundred thousand delete files weigh less than a hair of its squares")
    one, two = table(1, true_gain=10.0, true_cost=4.0), table(2, true_gain=10.0, true_cost=1.0)
    t.equal(rivals.spend([one, two], 4.5), (10.0, 4.0, 1), "what does not fit is passed over")
    t.equal(rivals.spend([one, two], 3.0), (10.0, 1.0, 1), "... and what is below it is taken")
    t.equal([rivals.optimum([one, two], budget) for budget in (1, 3, 9)], [10.0, 15.0, 20.0], "the bound takes a part of the last one")


def test_fleet(t):
    fleets = [generated.generate(seed, 300, generated.MIXES["mixed"]) for seed in (1, 1, 2)]
    t.ok(fleets[0] == fleets[1] and fleets[0] != fleets[2], "the same seed is the same fleet, another is another")
    t.equal({one.kind for one in generated.generate(3, 2000, generated.MIXES["mixed"])}, set(generated.MIXES["mixed"].shares), "with tables of every kind")
    t.ok(all(0 <= one.excess_file_count <= one.rewrite_file_count <= one.small_file_count <= one.data_file_count and one.rewrite_bytes <= one.small_file_bytes <= one.data_bytes for one in fleets[0]),
         "what is observed of a table fits together")


def main():
    with Tap() as t:
        test_rivals(t)
        test_fleet(t)
        with Cluster({"shared_buffers": "128MB"}) as pg:
            results = brain.run(pg, [1], list(generated.MIXES), TABLES, BUDGETS)
        for one in results:
            name = f"{one['mix']}, {one['budget']:g} GB-hours: {one['tables']} of {one['candidates']} candidates"
            t.ok(5 < one["tables"] < one["candidates"], f"{name}: something is chosen, and not everything")
            for rival, times in brain.MUST.items():
                theirs = one["rivals"][rival]["files_per_gb_hour"]
                t.ok(one["files_per_gb_hour"] > theirs and one["files_per_gb_hour"] >= times * theirs, f"{name}: {one['files_per_gb_hour']:.0f} files a GB-hour, {rival} {theirs:.0f}")
            t.ok(one["files"] >= EACH * one["optimum"], f"{name}: {one['files']:.0f} files, the bound is {one['optimum']:.0f}", f"{one['files'] / one['optimum'] * 100:.1f} %")
            t.ok(one["estimated"] <= one["budget"], f"{name}: the estimates stay within the budget", one["estimated"])
        t.ok(sum(one["files"] for one in results) >= TOGETHER * sum(one["optimum"] for one in results), "all fleets together are within 5 % of the best there is")


if __name__ == "__main__":
    main()
