"""floe.why() of a healthy, a sick, a paused, a policy-less and a gc.enabled=false table, all of them real: every operation has a verdict and a reason."""
import json
import time

from harness import Tap, make_tables
from lakehouse import Lakehouse

NS = f"why_{int(time.time())}"
OPERATIONS = ["rewrite_data_files", "rewrite_position_delete_files", "rewrite_manifests", "expire_snapshots", "remove_orphan_files", "compute_table_stats", "compute_partition_stats"]
POLICY = {"engine": "spark", **{operation: {} for operation in OPERATIONS}, "expire_snapshots": {"options": {"max_snapshot_age": "3 days"}},
          "remove_orphan_files": {"schedule": "0 3 * * 0", "timezone": "Europe/Amsterdam"}}


def why(pg, table, detail=False):
    return pg.sql("SELECT * FROM floe.why(%s, %s)", (f"rest.{NS}.{table}", detail))


def verdicts(rows):
    return {row["operation"]: (row["verdict"], row["gate"]) for row in rows}


def complete(t, pg, table, word):
    """What holds for every table: a row for each operation, in order, each with the gate, its value and where it comes from; with detail every gate of each."""
    rows, detail = why(pg, table), why(pg, table, True)
    t.equal([row["operation"] for row in rows], OPERATIONS, f"{word}: one row for each operation")
    t.ok(all(row["gate"] and row["value"] and (row["set_by"] or row["gate"] == "policy") for row in rows), f"{word}: each says which gate decides, its value and who set it", *rows)
    known = pg.value("SELECT count(*) FROM floe_internal.gate")
    gates = {operation: [row["gate"] for row in detail if row["operation"] == operation] for operation in OPERATIONS}
    t.ok(all(len(one) == known for one in gates.values()), f"{word}: detail has every gate", gates)
    for row in rows:
        stops = [one for one in detail if one["operation"] == row["operation"] and one["verdict"] != "pass"]
        first = (stops[0]["verdict"], stops[0]["gate"], stops[0]["value"]) if stops else ("run", row["gate"], row["value"])
        t.equal((row["verdict"], row["gate"], row["value"]), first, f"{word}: {row['operation']}: the verdict is the first gate that stops")
    return {row["operation"]: row for row in rows}


def main():
    with Tap() as t, Lakehouse() as pg:
        pg.add_engine()
        pg.add_catalog("rest")
        make_tables("rest", NS, ["few_large", "many_small", "many_snapshots", "gc_disabled", "aged"], snapshots=30)
        pg.sql("SELECT floe.create_policy('house', %s, %s)", (f"rest.{NS}.**, !**.few_large", json.dumps(POLICY)))
        pg.sql("SELECT floe.create_policy('big', %s, %s)", (f"rest.{NS}.few_large", json.dumps(POLICY)))
        pg.assess("rest.**")  # beside tables that were never looked at nobody's orphans are removed

        rows = complete(t, pg, "few_large", "healthy")
        t.equal({row["verdict"] for row in rows.values()}, {"not needed", "wait"}, "healthy: nothing runs")
        t.equal([rows[one]["verdict"] for one in OPERATIONS[:4]], ["not needed"] * 4, "healthy: four are not needed")
        t.equal((rows["remove_orphan_files"]["verdict"], rows["remove_orphan_files"]["gate"], rows["remove_orphan_files"]["value"]), ("wait", "schedule", "0 3 * * 0"),
                "healthy: the fifth waits for its schedule")
        t.equal(pg.value("SELECT extract(isodow FROM %s AT TIME ZONE 'Europe/Amsterdam') * 100 + extract(hour FROM %s AT TIME ZONE 'Europe/Amsterdam')",
                         (rows["remove_orphan_files"]["next_at"],) * 2), 703, "healthy: until Sunday at three in the policy's time zone")

        rows = complete(t, pg, "many_small", "sick")
        one = rows["rewrite_data_files"]
        t.equal((one["verdict"], one["gate"], one["value"], one["limit_value"], one["set_by"]), ("run", "excess_file_count", "100", "100", "built in"), "sick: which metric calls, its value and threshold")
        t.ok(one["score"] > 0 and one["score"] == max(row["score"] for row in rows.values()), "sick: with the highest debt of its operations", rows)
        pg.sql("SELECT floe.alter_policy('house', %s)", (json.dumps({"thresholds": {"excess_file_count": {"warning": 101, "critical": 1000}}}),))
        one = complete(t, pg, "many_small", "sick with another threshold")["rewrite_data_files"]
        t.equal((one["verdict"], one["value"], one["limit_value"]), ("not needed", "100", "101"), "sick with another threshold: not needed at once, without a poll")
        t.ok(one["set_by"].startswith('policy "house"'), "sick with another threshold: set by the policy", one["set_by"])

        rows = complete(t, pg, "aged", "aged")
        t.equal(rows["expire_snapshots"]["verdict"], "not needed", "aged: few snapshots to expire")

        pg.sql("SELECT floe.pause(%s, 'infinity', 'freeze for the quarter')", (f"rest.{NS}.many_snap*",))
        rows = complete(t, pg, "many_snapshots", "paused")
        t.equal({(row["verdict"], row["gate"], row["value"]) for row in rows.values()}, {("blocked", "paused", "freeze for the quarter")}, "paused: blocked, with the reason given")
        t.ok(all("postgres" in row["set_by"] and f"rest.{NS}.many_snap*" in row["set_by"] for row in rows.values()), "paused: by whom, with which pattern", rows)

        rows = complete(t, pg, "gc_disabled", "gc.enabled=false")
        t.equal({name: (row["verdict"], row["gate"]) for name, row in rows.items() if name in ("expire_snapshots", "remove_orphan_files")},
                {name: ("blocked", "gc_enabled") for name in ("expire_snapshots", "remove_orphan_files")}, "gc.enabled=false: what deletes files is blocked")
        t.equal({row["verdict"] for name, row in rows.items() if name.startswith("rewrite")}, {"not needed"}, "gc.enabled=false: the others are judged as usual")
        t.equal(rows["expire_snapshots"]["set_by"], "table property gc.enabled", "gc.enabled=false: by the table's own property")
        triggered = pg.sql("SELECT * FROM floe.trigger(%s, ARRAY['expire_snapshots', 'remove_orphan_files'])", (f"rest.{NS}.gc_disabled",))
        t.equal([row["verdict"] for row in triggered], ["blocked", "blocked"], "gc.enabled=false: not even by name")

        pg.sql("SELECT floe.drop_policy('big')")
        rows = complete(t, pg, "few_large", "policy-less")
        t.equal({(row["verdict"], row["gate"], row["value"]) for row in rows.values()}, {("off", "policy", "no policy matches")}, "policy-less: off, because no policy matches")
        t.raises(lambda: pg.sql("SELECT * FROM floe.trigger(%s)", (f"rest.{NS}.few_large",)), "no policy matches", "policy-less: a trigger is refused")
        t.raises(lambda: pg.sql("SELECT * FROM floe.trigger(%s)", (f"rest.{NS}.few_large",)), "floe.create_policy", "policy-less: with the hint how to make one")
        t.raises(lambda: why(pg, "no_such_table"), "is not known to floe", "a table that does not exist is an error")


if __name__ == "__main__":
    main()
