"""The catalog's answer to a commit is lost on its way to a real Spark, which cannot know whether it was made (CommitStateUnknownException): the table's snapshots decide, and only what was not done is sent again."""
import json
import time

from harness import Tap, checksum, make_tables, reachable
from lakehouse import Lakehouse, catalog_definition
from proxy import Proxy, instead, says

from catalogs import LabCatalog

NS = f"unknown_{int(time.time())}"
OPERATION = "rewrite_data_files"


def commit(t, pg, proxy, case, shape, rule, attempts):
    """One table, whose next commit goes by the rule."""
    made = make_tables("rest", NS, [shape])[0]
    levels = [NS, made["table"]]
    name = pg.format_name(["behind", *levels])
    pg.sql("SELECT floe.refresh('behind.**')")
    pg.maintain(name)
    never = {"when": {"any": [{"metric": "data_file_count", "op": "<", "value": 0}]}}
    pg.sql("SELECT floe.create_policy(%s, %s, %s)", (case, name, json.dumps({"engine": "spark", OPERATION: {**never, "min_interval": "0", "options": {"rewrite_all": True}}})))
    before = checksum("rest", levels)
    queued = pg.sql("SELECT * FROM floe.trigger(%s, ARRAY[%s])", (name, OPERATION))[0]
    proxy.rule("commit", rule)
    for _ in range(attempts):
        pg.maintain(name, wait=True, timeout=300)
        proxy.rules.clear()
        pg.sql("UPDATE floe_internal.operation_queue SET not_before = '-infinity'")
    row = pg.sql("SELECT * FROM floe.operations WHERE id = %s", (queued["operation_id"],))[0]
    t.equal((row["state"], row["attempt"]), ("succeeded", attempts), f"{case}: succeeded, at attempt {attempts}") or t.note(row)
    lost = [one["message"] for one in pg.sql("SELECT message FROM floe.events WHERE operation_id = %s AND kind = 'operation requeued'", (row["id"],))]
    t.ok(len(lost) == attempts - 1 and all("CommitStateUnknownException" in one for one in lost), f"{case}: sent again {attempts - 1} times, with the reason", lost)
    t.equal(row["engine_outcome"], "lost" if attempts == 1 else "succeeded", f"{case}: what the last engine call came to is kept")
    table = LabCatalog("rest").catalog.load_table(tuple(levels))
    t.equal([one.summary.operation.value for one in table.metadata.snapshots].count("replace"), 1, f"{case}: the table was rewritten once")
    t.ok(checksum("rest", levels) == before and not reachable("rest", levels)["missing"], f"{case}: the same rows, and no file is missing")
    t.equal(len(list(table.scan().plan_files())), pg.metrics(name)["data_file_count"], f"{case}: floe knows its files")


def main():
    with Tap() as t, Lakehouse() as pg:
        pg.add_engine()
        server, mapping = catalog_definition("rest")
        proxy = Proxy(server["uri"], lambda method, path: {"POST": "commit", "GET": "load"}.get(method, "other") if path.rpartition("/")[0].endswith("/tables") else "other")
        pg.add_server("behind", "floe_catalog", "rest", {**server, "engine.uri": proxy.url}, mapping)

        def made(exchange):
            """Iceberg looks whether its snapshot is there: it does not get that far."""
            proxy.rule("load", says(502), times=1000)
            return instead(502)(exchange)

        commit(t, pg, proxy, "made, and its answer lost", "many_small", made, 1)
        commit(t, pg, proxy, "not made", "skewed", says(502), 2)
        t.equal(pg.value("SELECT count(*) FROM floe.operations WHERE finished_at IS NULL"), 0, "nothing is left under way")


if __name__ == "__main__":
    main()
