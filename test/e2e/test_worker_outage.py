"""Engines and catalogs that die under the workers and come back: with their sessions, without them; nobody calls anything.

One process serves all mock engines, another all mock catalogs and the store: each goes down and comes up as a whole, with work held at every point.
"""
from __future__ import annotations

import sys

from heldwork import Scene, Stage
from harness import Tap


def engines_noticed(stage: Stage, scene: Scene, names: tuple[str, ...]) -> None:
    """floe says of each that it cannot be reached, and of nothing that it is at its end."""
    stage.pg.wait_for("SELECT count(*) = %s FROM floe.breakers WHERE kind = 'engine' AND name = ANY (%s) AND state <> 'closed' AND error IS NOT NULL AND retry_at IS NOT NULL",
                      (len(names), [scene.prefix + name for name in names]))
    stage.t.ok(True, f"{scene.word}: the breakers of {len(names)} engines are open, with the reason and the time of the next try")
    row = scene.works["running"].row()
    stage.t.ok(row["state"] in ("running", "lost"), f"{scene.word}: what may be running is not given up", row)


BUSY = ("open", "opened", "execute", "executed", "finished", "running", "status", "metadata", "fetch", "cancel")


def engine_with_sessions(stage: Stage) -> None:
    """The network to the engine is gone for a while, or a proxy restarts: what ran goes on running there."""
    scene = Scene(stage, "engine away", with_plan=False)
    scene.disarm()
    stage.engines.down()
    engines_noticed(stage, scene, BUSY)
    stage.engines.up()
    scene.let_go()
    # A session that cannot be closed in three attempts is left to the engine's own idle timeout.
    scene.heals(sessions={"close_operation": (0, 1), "close_session": (0, 1)})


def engine_restarted(stage: Stage) -> None:
    """kill -9 of the engine: whoever comes back knows no session, and nothing runs."""
    scene = Scene(stage, "engine restarted", with_plan=False)
    scene.disarm()
    stage.engines.down()
    for work in scene.works.values():
        work.engine.forget()
    engines_noticed(stage, scene, BUSY)
    stage.engines.up()
    scene.let_go()
    scene.heals(attempts={"running": 2}, sessions={"opened": 0})


def catalog_down(stage: Stage) -> None:
    scene = Scene(stage, "catalog down", with_plan=False)
    scene.disarm()
    stage.stores.down()
    stage.pg.wait_for("SELECT count(*) = 2 FROM floe.breakers WHERE kind = 'catalog' AND name IN ('config', 'listing') AND state <> 'closed' AND error IS NOT NULL AND retry_at > now()")
    stage.t.ok(True, "catalog down: its breakers are open")
    names = [".".join(table.name) for table in scene.tables.values()]
    stage.pg.wait_for("SELECT count(*) = 3 FROM floe.tables WHERE name = ANY (%s) AND status = 'error' AND error IS NOT NULL", (names,))
    stage.t.ok(True, "catalog down: what was being looked at says so")
    # what is put off is tried again now and then
    stage.pg.wait_for("SELECT array_agg(state ORDER BY state) = '{queued,verifying}' FROM floe.operations WHERE table_name = ANY (%s)",
                      ([scene.works[name].name for name in ("preflight", "verify")],))
    stage.t.ok(True, "catalog down: what cannot be looked at before is put off, what cannot be looked at after waits")
    stage.stores.up()
    scene.let_go()
    # operations were neither at the engine when it happened, nor sent again; whoever has lost no answer has lost nothing
    scene.heals(attempts={"execute": 1, "executed": 1, "preflight": (1, 2)}, sessions={"opened": 0})


CASES = [engine_with_sessions, engine_restarted, catalog_down]


def main() -> None:
    with Tap() as t, Stage(t) as stage:
        for case in CASES:
            if len(sys.argv) < 2 or case.__name__ in sys.argv[1:]:
                case(stage)


if __name__ == "__main__":
    main()
