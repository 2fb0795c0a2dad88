"""Workers that are told to end while everything they wait for hangs: they end within a second, and whoever comes after them goes on.

To be ended is no crash: no table is suspected because of it. What is killed is test_worker_crash.py's.
"""
# test/run: alone
from __future__ import annotations

import sys
import time

from heldwork import WORKERS, Scene, Stage, pid_of
from harness import Tap, wait_gone

PATIENCE = 1.0  # seconds


def ended(stage: Stage, pids: dict[str, int], begun: float, what: str) -> None:
    """These processes are gone in time, and with them their connections: they leave pg_stat_activity a moment before."""
    left = [name for name, pid in pids.items() if not wait_gone(pid, 10)]
    took = time.monotonic() - begun
    stage.t.ok(not left and took < PATIENCE, f"{what} ends at once ({took * 1000:.0f} ms)", left)


def terminate(stage: Stage, *who: str) -> None:
    for name in who:
        pid = pid_of(stage.pg, name)
        begun = time.monotonic()
        stage.sql("SELECT pg_terminate_backend(%s)", (pid,))
        ended(stage, {name: pid}, begun, f"SIGTERM: the {name}")


def unsuspected(stage: Stage, what: str) -> None:
    found = stage.sql("SELECT i.name, p.crashes FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table AS i USING (table_id) WHERE p.crashes > 0")
    stage.t.equal(found, [], f"{what}: is no crash, so no table is suspected")


def sigterm(stage: Stage) -> None:
    scene = Scene(stage, "SIGTERM", with_plan=False)
    scene.disarm()
    terminate(stage, "executor", "assessor", "launcher")
    scene.let_go()
    stage.back()
    unsuspected(stage, "SIGTERM")
    scene.heals()


def sigterm_in_a_decision(stage: Stage) -> None:
    scene = Scene(stage, "SIGTERM while it waits for a lock")
    scene.disarm()
    terminate(stage, "assessor")
    scene.let_go()
    stage.back()
    unsuspected(stage, "SIGTERM while it waits for a lock")
    # the executor lives and gets its answers
    scene.heals(attempts={"execute": 1, "executed": 1}, sessions={"opened": 0})


def configured_away(stage: Stage) -> None:
    scene = Scene(stage, "floe.scheduler = off", with_plan=False)
    scene.disarm()
    pids = {who: pid_of(stage.pg, who) for who in WORKERS}
    stage.pg.sql("ALTER SYSTEM SET floe.scheduler = off")
    begun = time.monotonic()
    stage.pg.sql("SELECT pg_reload_conf()")
    ended(stage, pids, begun, "floe.scheduler = off: each worker")
    stage.pg.sql("ALTER SYSTEM RESET floe.scheduler")
    stage.pg.sql("SELECT pg_reload_conf()")
    scene.let_go()
    stage.back()
    unsuspected(stage, "floe.scheduler = off")
    scene.heals()


def restarts(stage: Stage) -> None:
    """Two orderly restarts in mid-work would be enough for a quarantine, were they taken for crashes."""
    scene = Scene(stage, "restart", with_plan=False)
    scene.disarm()
    begun = time.monotonic()
    stage.pg.stop("fast")
    took = time.monotonic() - begun
    stage.t.ok(took < 3, f"restart: the server stops at once ({took:.1f} s)")
    stage.pg.start()
    scene.let_go()
    stage.back()
    stage.pg.wait_for("SELECT count(*) = 0 FROM floe_internal.pass WHERE ended_at IS NULL AND pass_id NOT IN (SELECT floe_internal.live_passes())")
    unsuspected(stage, "restart")
    scene.heals()


CASES = [sigterm, sigterm_in_a_decision, configured_away, restarts]


def main() -> None:
    with Tap() as t, Stage(t) as stage:
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(stage)


if __name__ == "__main__":
    main()
