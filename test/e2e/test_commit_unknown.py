"""The catalog's answer to a commit is lost on its way to a real Spark, which cannot know whether it was made (CommitStateUnknownException): the table's snapshots decide, and only what was not done is sent again."""
import time

from harness import Tap, checksum, make_tables, reachable
from lakehouse import Lakehouse, catalog_definition
from proxy import Proxy, instead, says
from triggered import Triggered

from catalogs import LabCatalog

NS = f"unknown_{int(time.time())}"
OPERATION = "rewrite_data_files"


def commit(t, pg, proxy, word, shape, rule, attempts):
    """One table, whose next commit goes by the rule."""
    levels = [NS, make_tables("rest", NS, [shape])[0]["table"]]
    before = checksum("rest", levels)
    pg.sql("SELECT floe.refresh('behind.**')")
    case = Triggered(t, pg, word, ["behind", *levels], OPERATION, "spark", rewrite_all=True)
    case.trigger()
    proxy.rule("commit", rule)
    for _ in range(attempts):
        notices = pg.maintain(case.table, wait=True, timeout=300)
        proxy.rules.clear()
        pg.sql("UPDATE floe_internal.operation_queue SET not_before = '-infinity'")
    row = case.row()
    t.equal((row["state"], row["attempt"]), ("succeeded", attempts), f"{word}: succeeded, at attempt {attempts}") or t.note(row, notices)
    lost = [one["message"] for one in pg.sql("SELECT message FROM floe.events WHERE operation_id = %s AND kind = 'operation requeued'", (row["id"],))]
    case.ok(len(lost) == attempts - 1 and all("CommitStateUnknownException" in one for one in lost), f"sent again {attempts - 1} times, with the reason", lost)
    t.equal(row["engine_outcome"], "lost" if attempts == 1 else "succeeded", f"{word}: what the last engine call came to is kept")
    table = LabCatalog("rest").catalog.load_table(tuple(levels))
    t.equal([one.summary.operation.value for one in table.metadata.snapshots].count("replace"), 1, f"{word}: the table was rewritten once")
    case.ok(checksum("rest", levels) == before and not reachable("rest", levels)["missing"], "the same rows, and no file is missing")
    t.equal(len(list(table.scan().plan_files())), pg.metrics(case.table)["data_file_count"], f"{word}: floe knows its files")


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
