"""What is asked for while the workers are at the very thing: an answer that was under way before does not count.

And what is put right by hand is tried at once, not when its backoff is over.
"""
from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from typing import Iterator

from heldwork import Hold, Stage, load_of, pid_of
from badengine import Case, Work
from badinput import ACCESS_KEY, SECRET_KEY, Table
from harness import Tap
from lakehouse import literal

LISTING = "/tables(\\?|$)"
SOON = 5  # seconds; every backoff and interval that could hide a forgotten request is longer


def known(stage: Stage, name: str) -> Table:
    table = Table(stage.mock, ("w", name), stage.lab.base)
    stage.pg.sql("SELECT floe.refresh('mock.none.none')")
    stage.pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = %s", (f"mock.w.{name}",), timeout=30)
    return table


def while_it_is_looked_at(stage: Stage) -> None:
    for name, ask in (("refreshed", "floe.refresh('mock.w.refreshed')"), ("notified", "floe.notify_commit('mock.w.notified')")):
        table, hold = known(stage, name), Hold(carried_out=True)
        stage.mock.misbehave(load_of(name), hold)
        stage.pg.sql("SELECT floe.notify_commit(%s)", (f"mock.w.{name}",))
        hold.reached.wait(20)
        # the answer that is on its way is that of before
        table.commit()
        stage.pg.sql(f"SELECT {ask}")
        hold.let_go()
        stage.t.ok(stage.pg.wait_for("SELECT metadata_location = %s FROM floe_internal.iceberg_table WHERE name = %s", (table.metadata_location, f"mock.w.{name}"), timeout=SOON),
                   f"{ask} during a look: the table is looked at again")
        stage.stores.heal()


def while_it_is_listed(stage: Stage) -> None:
    hold = Hold(carried_out=True)
    stage.mock.misbehave(LISTING, hold)
    stage.pg.sql("SELECT floe.refresh('mock.none.none')")
    hold.reached.wait(20)
    Table(stage.mock, ("w", "late"), stage.lab.base)
    stage.pg.sql("SELECT floe.refresh('mock.none.none')")
    hold.let_go()
    stage.t.ok(stage.pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = 'mock.w.late'", timeout=SOON), "floe.refresh() during a listing: the catalog is listed again")
    stage.pg.wait_for("SELECT claim_pass IS NULL AND next_list_at > now() + interval '1 minute' FROM floe_internal.catalog WHERE server_name = 'mock'")
    stage.t.ok(True, "and then not for a while")
    stage.stores.heal()


def put_right(stage: Stage) -> None:
    """A server without credentials, then with them; a wrong address, then the right one."""
    catalog = stage.stores.catalog("forgetful")
    table = Table(catalog, ("w", "t"), stage.lab.base)
    stage.pg.sql(f"CREATE SERVER forgetful TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri {literal(catalog.uri)}, s3_endpoint {literal(stage.stores.uri)})")
    stage.pg.wait_for("SELECT status = 'error' FROM floe.tables WHERE name = 'forgetful.w.t'")
    stage.pg.sql(f"CREATE USER MAPPING FOR PUBLIC SERVER forgetful OPTIONS (s3_access_key_id '{ACCESS_KEY}', s3_secret_access_key '{SECRET_KEY}')")
    stage.t.ok(stage.pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = 'forgetful.w.t'", timeout=SOON), "CREATE USER MAPPING: what failed without it is tried at once")

    stage.pg.sql(f"ALTER SERVER forgetful OPTIONS (SET uri {literal(stage.stores.uri + '/nowhere')})")
    stage.pg.wait_for("SELECT status = 'error' FROM floe.catalogs WHERE name = 'forgetful'")
    table.commit()
    stage.pg.sql(f"ALTER SERVER forgetful OPTIONS (SET uri {literal(catalog.uri)})")
    stage.t.ok(stage.pg.wait_for("SELECT status = 'ok' FROM floe.catalogs WHERE name = 'forgetful'", timeout=SOON), "ALTER SERVER: the catalog is tried at once")

    # the change comes while the old address still keeps floe waiting
    catalog.misbehave("^GET /v1/config", hold := Hold())
    stage.pg.sql("SELECT floe.refresh('forgetful.none.none')")
    hold.reached.wait(20)
    other = stage.stores.catalog("elsewhere")
    for name in ("t", "only_there"):
        Table(other, ("w", name), stage.lab.base)
    stage.pg.sql(f"ALTER SERVER forgetful OPTIONS (SET uri {literal(other.uri)})")
    hold.let_go()
    stage.t.ok(stage.pg.wait_for("SELECT count(*) = 1 FROM floe.tables WHERE name = 'forgetful.w.only_there' AND status = 'ok'", timeout=SOON),
               "ALTER SERVER during a connection: the new address is tried as soon as the old one has answered")


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """More to do than there are processors: whoever commits may be held up in the middle of it."""
    with contextlib.ExitStack() as stack:
        for _ in range(2 * (os.cpu_count() or 1)):
            one = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(one.wait)
            stack.callback(one.kill)
        yield


def moves(stage: Stage) -> None:
    """An address that changes all the time: who is woken by the change sees the change, also if he is faster than the one who made it."""
    here, there = stage.stores.catalog("here"), stage.stores.catalog("there")
    for catalog in (here, there):
        Table(catalog, ("w", "t"), stage.lab.base)
    stage.pg.add_server("moving", "floe_catalog", "rest", {"uri": here.uri, "s3_endpoint": stage.stores.uri}, {"s3_access_key_id": ACCESS_KEY, "s3_secret_access_key": SECRET_KEY})
    stage.pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = 'moving.w.t'")
    missed = 0
    with busy():
        for i in range(60):
            stage.pg.wait_for("SELECT claim_pass IS NULL AND next_list_at > now() FROM floe_internal.catalog WHERE server_name = 'moving'")
            now = (there, here)[i % 2]
            asked = len(now.asked(LISTING))
            stage.sql(f"ALTER SERVER moving OPTIONS (SET uri {literal(now.uri)})")
            end = time.monotonic() + SOON
            while len(now.asked(LISTING)) == asked and time.monotonic() < end:
                time.sleep(0.005)
            missed += len(now.asked(LISTING)) == asked
    stage.t.equal(missed, 0, "ALTER SERVER, sixty times: the new address is listed each time")


def unusable_credentials(stage: Stage) -> None:
    """Credentials that contradict each other, while an operation runs that another process has to take over: it is left alone until they are right again."""
    work = Work(stage.lab, Case("rotated", lambda engine: None))
    hold = Hold(carried_out=True)
    work.engine.misbehave("GetOperationStatus", hold)
    stage.pg.sql("SELECT floe.refresh('mock.none.none')")
    stage.pg.wait_for("SELECT status = 'ok' FROM floe.tables WHERE name = %s", (work.name,))
    stage.lab.add_policy("rotated")
    stage.t.ok(hold.reached.wait(30), "an operation runs")
    before = pid_of(stage.pg, "launcher")
    stage.sql("ALTER USER MAPPING FOR PUBLIC SERVER mock OPTIONS (ADD client_id 'floe')")
    stage.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'floe executor'")
    hold.let_go()
    stage.t.ok(stage.wait_for("SELECT driver_pass = 0 FROM floe_internal.operation_queue WHERE table_name = %s", (work.name,)), "it cannot be followed, and is left to later", work.rows())
    stage.sql("ALTER USER MAPPING FOR PUBLIC SERVER mock OPTIONS (DROP client_id)")
    stage.wait_for("SELECT bool_and(finished_at IS NOT NULL) FROM floe.operations WHERE table_name = %s", (work.name,))
    stage.t.ok([row["state"] for row in work.rows()] == ["succeeded"] and work.carried_out == 1, "then it is found again, sent once, and succeeds", work.rows())
    stage.t.equal(pid_of(stage.pg, "launcher"), before, "and nothing crashed")
    stage.stores.heal()
    work.engine.heal()


CASES = [unusable_credentials, while_it_is_looked_at, while_it_is_listed, put_right, moves]


def main() -> None:
    with Tap() as t, Stage(t) as stage:
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(stage)
        stage.rests("in the end")


if __name__ == "__main__":
    main()
