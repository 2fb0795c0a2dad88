"""Everything that can happen to an operation on a real Trino between its first request and its end: a true final row, and nothing done twice.

A proxy stands between floe and Trino where answers are to be lost. A query is held in the middle of its work by freezing the store
that holds its table's data; metadata is in files, so that Trino and the catalog get that far. How often the work was done is read from the table's history and from Trino's own list of queries.
"""
import itertools
import os
import signal
import threading
import time

from harness import Tap, checksum, lab, lab_pid, reachable
from lakehouse import Lakehouse
from proxy import cut, first, instead, says
from trinolake import Case, Frozen, add_engine, ask, between, queries, start, wait_until

from catalogs import LabCatalog
from writers import SCHEMA, Rows

NS = f"trinofaults_{int(time.time())}"
OPERATION = "rewrite_data_files"


class Fault(Case):
    """A table of four small files in S3, its metadata in files, and an engine behind a proxy, both of its own."""

    def __init__(self, t, pg, name, at=None, **more):
        self.proxy = between()
        self.name = [f"{NS}_{name}", "t"]
        self.lake, rows = LabCatalog("s3").catalog, Rows(name)
        self.lake.create_namespace(self.name[0])
        table = self.lake.create_table(tuple(self.name), SCHEMA, location=f"file://{os.environ['FLOE_REST_WAREHOUSE']}/{self.name[0]}",
                                       properties={"write.data.path": f"s3://{os.environ['FLOE_S3_BUCKET']}/{self.name[0]}"})
        for _ in range(4):
            table.append(rows.take(20))
        self.content = checksum("s3", self.name)
        pg.sql("SELECT floe.refresh('s3.**')")
        add_engine(pg, name, self.proxy.url, **more)
        super().__init__(t, pg, name, ["s3", *self.name], OPERATION, engine=name)

    def background(self):
        """A pass that waits, at work while the test goes on; it holds the query in the store from the moment it is posted."""
        self.store = Frozen("versitygw")
        self.proxy.rule("submit", first(self.store.freeze))
        self.trigger()
        # PostgreSQL may be killed under it
        self.worker = threading.Thread(target=lambda: self.pg.psql(f"CALL floe.run_maintenance('{self.table}', true)", timeout=300))
        self.worker.start()
        self.pg.wait_for("SELECT state = 'running' FROM floe.operations WHERE table_name = %s AND finished_at IS NULL", (self.table,))
        self.key = self.row()["key"]
        query = wait_until(lambda: [one for one in queries(self.key) if one["state"] == "RUNNING"])
        self.ok(query, "a query is at work", queries(self.key))
        return query[0]["queryId"]

    def ended(self, state="succeeded", replaced=1, sent=1, attempt=1):
        """The final row, the table as it must be, and how often Trino was given the statement."""
        row = self.row()
        self.t.note(f"{self.word}: {row['state']} {row['error_class']} {row['error']}")
        self.ok(row["state"] == state and row["finished_at"] is not None and row["attempt"] == attempt, f"{state} in the end", row["state"], row["error"], row["attempt"])
        table = self.lake.load_table(tuple(self.name))
        found = [one.summary.operation.value for one in table.metadata.snapshots].count("replace")
        self.ok(found == replaced, f"the table was rewritten {replaced} times", found)
        self.ok(checksum("s3", self.name) == self.content and not reachable("s3", self.name)["missing"], "the same rows, and no file is missing")
        if sent is not None:
            given = [one for one in ask("/v1/query") if f'"{self.name[0]}"' in one["query"]]
            self.ok(len(given) == sent, f"Trino was given {sent} statements", [(one["queryId"], one["state"]) for one in given])
        self.ok(len(self.rows()) == 1 and self.pg.value("SELECT count(*) FROM floe.operations WHERE finished_at IS NULL AND table_name = %s", (self.table,)) == 0, "one row, and nothing is left")


# -------------------------------------------------------------------------------------------------
# Answers that are lost
# -------------------------------------------------------------------------------------------------

def gateways(t, pg):
    """502, 503 and 429, before and after Trino has the request."""
    for name, rules in {
        "turned_away": [("info", says(503)), ("submit", says(503, Retry_After="1")), ("submit", says(429)), ("page", says(502)), ("page", says(503))],
        "answer_lost": [("submit", instead(502)), ("find", says(502)), ("page", instead(504)), ("page", cut)],
        "submit_cut": [("submit", cut), ("page", cut), ("page", cut)],
    }.items():
        one = Fault(t, pg, name)
        for kind, behaviour in rules:
            one.proxy.rule(kind, behaviour)
        one.trigger()
        # the first one goes back to the queue: nothing was sent
        for _ in range(2 if name == "turned_away" else 1):
            pg.maintain(one.table, wait=True)
            pg.sql("UPDATE floe_internal.operation_queue SET not_before = '-infinity'")
            pg.sql("UPDATE floe_internal.engine SET retry_at = NULL")
        one.ended()
        one.ok(name != "answer_lost" or one.proxy.seen.count("find") == 2, "Trino was asked whether it has the statement", one.proxy.seen)


# -------------------------------------------------------------------------------------------------
# Trino freezes, dies, is stopped
# -------------------------------------------------------------------------------------------------

def frozen(t, pg):
    one = Fault(t, pg, "frozen")
    one.background()
    with one.store, Frozen("trino") as trino:
        trino.freeze()
        one.store.thaw()
        time.sleep(1)
        trino.thaw()
        one.worker.join()
    one.ended()


def frozen_long(t, pg):
    """For half an hour by floe's clock: no end, for it may still run."""
    one = Fault(t, pg, "frozen_long")
    store = Frozen("versitygw")
    one.proxy.rule("submit", first(store.freeze))
    one.trigger()
    with store, Frozen("trino") as trino:
        pg.maintain(one.table)
        one.ok(one.row()["state"] == "running", "it runs", one.row()["state"])
        trino.freeze()
        later = "SET floe.request_timeout = '2s'; SELECT set_config('floe.virtual_clock', (clock_timestamp() + interval '30 minutes')::text, false) IS NULL;"
        told = pg.psql(f"{later} CALL floe.run_maintenance('{one.table}')").stderr
        one.ok(one.row()["state"] in ("running", "lost") and one.row()["finished_at"] is None, "half an hour of silence is no end", one.row()["state"], told)
        trino.thaw()
        store.thaw()
        pg.sql("UPDATE floe_internal.operation_queue SET not_before = '-infinity'")
        pg.maintain(one.table, wait=True)
    one.ended()


def killed(t, pg):
    """In mid-run, and started again: it knows nothing of the query, the table is as it was, and the statement is sent again."""
    one = Fault(t, pg, "killed")
    query = one.background()
    with one.store:
        lab("stop", "trino")
        one.store.thaw()
        lab("start", "trino")
        one.worker.join()
        pg.sql("UPDATE floe_internal.operation_queue SET not_before = '-infinity'")
        pg.maintain(one.table, wait=True)
    one.ended(attempt=2)
    one.ok(one.row()["external_id"] != query, "by another query")


def restarted_server(t, pg):
    """PostgreSQL is killed with a query in flight, which is found again and followed to its end."""
    one = Fault(t, pg, "restarted")
    query = one.background()
    with one.store:
        one.pg.kill9()
        one.worker.join()
        one.pg.start()
        one.store.thaw()
    pg.maintain(one.table, wait=True)
    one.ended()
    one.ok(one.row()["external_id"] == query, "it is the query of before", one.row()["external_id"], query)


def restarted_between_pages(t, pg):
    """It is killed before it has seen the third page, which Trino has given. Trino gives that one again, and none before it: who cannot go on
    from there follows the query by its id only, and Trino may call it abandoned, five minutes after its commit."""
    one = Fault(t, pg, "restarted_pages")
    pages, is_at_work, is_killed = itertools.count(1), threading.Event(), threading.Event()

    def third(exchange):
        if next(pages) < 3:
            return False
        is_at_work.wait(60)
        exchange.forward()
        one.pg.kill9()
        is_killed.set()
        exchange.handler.close_connection = True
        return True

    one.proxy.rule("page", third, times=3)
    query = one.background()
    with one.store:
        is_at_work.set()
        one.ok(is_killed.wait(60), "Trino has given a third page, and PostgreSQL is killed")
        one.worker.join()
        one.pg.start()
        one.store.thaw()
    pg.maintain(one.table, wait=True)
    one.ended()
    one.ok(one.row()["external_id"] == query and "look" not in one.proxy.seen, "it is the query of before, by its pages", one.row()["external_id"], query, one.proxy.seen)


def cancelled(t, pg):
    queued = Fault(t, pg, "cancel_queued")
    queued.trigger()
    pg.sql("SELECT floe.cancel(%s)", (queued.row()["id"],))
    pg.maintain(queued.table, wait=True)
    queued.ended("cancelled", replaced=0, sent=0, attempt=0)
    running = Fault(t, pg, "cancel_running")
    query = running.background()
    with running.store:
        pg.sql("SELECT floe.cancel(%s)", (running.row()["id"],))
        state = wait_until(lambda: (found := ask(f"/v1/query/{query}?pruned=true"))["state"] == "FAILED" and found)
        running.ok(state and state["errorCode"]["name"] == "USER_CANCELED", "Trino was told so", state and state["errorCode"])
        running.store.thaw()
        running.worker.join()
    running.ended("cancelled", replaced=0)
    killed_there = Fault(t, pg, "killed_there")
    query = killed_there.background()
    with killed_there.store:
        ask(f"/v1/query/{query}", "DELETE")
        killed_there.store.thaw()
        killed_there.worker.join()
    killed_there.failed("transient", "somebody ended it at the engine")
    killed_there.ended("failed", replaced=0)


# -------------------------------------------------------------------------------------------------
# The table changes under it
# -------------------------------------------------------------------------------------------------

def conflict(t, pg):
    """A writer removes the files that Trino is about to replace."""
    one = Fault(t, pg, "conflict")
    one.background()
    with one.store, Frozen("trino") as trino:
        trino.freeze()
        one.store.thaw()
        table = one.lake.load_table(tuple(one.name))
        rows = table.scan().to_arrow()
        table.overwrite(rows)
        trino.thaw()
        one.worker.join()
    one.failed("conflict", "ICEBERG_COMMIT_ERROR")
    one.ended("failed", replaced=0)


def dropped(t, pg):
    queued = Fault(t, pg, "drop_queued")
    queued.trigger()
    queued.lake.drop_table(tuple(queued.name))
    pg.maintain("s3.**", wait=True)
    queued.ok(queued.row()["state"] == "cancelled" and "submit" not in queued.proxy.seen, "dropped while it was queued: cancelled, and nothing was sent", queued.row()["state"])
    running = Fault(t, pg, "drop_running")
    running.background()
    with running.store, Frozen("trino") as trino:
        trino.freeze()
        running.store.thaw()
        running.lake.drop_table(tuple(running.name))
        trino.thaw()
        running.worker.join()
    row = running.row()
    running.ok(row["state"] == "failed" and row["finished_at"] is not None and len(running.rows()) == 1, "dropped while it ran: failed", row["state"], row["error_class"], row["error"])


def main():
    with Tap() as t, Lakehouse() as pg:
        try:
            start()
            pg.add_catalog("s3")
            for case in (gateways, frozen, frozen_long, restarted_server, restarted_between_pages, cancelled, conflict, dropped, killed):
                began = time.monotonic()
                case(t, pg)
                t.note(f"{case.__name__}: {time.monotonic() - began:.1f} s")
            t.ok(lab_pid("trino") > 0 and pg.value("SELECT count(*) FROM floe.operations WHERE finished_at IS NULL") == 0, "Trino is there, and no operation is left")
        finally:
            # whatever failed: nothing stays frozen
            os.kill(lab_pid("versitygw"), signal.SIGCONT)
            lab("stop", "trino")


if __name__ == "__main__":
    main()
