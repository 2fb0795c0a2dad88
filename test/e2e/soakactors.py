"""Who acts in a soak (soak.py): writers, those who break things, the operator (policies, servers, triggers, pauses, calls) and the killer.

Each is a thread with a session of its own that outlives its server, and draws what it does from the soak's seed. What must hold meanwhile and at the
end is not theirs to say: they collect what they were told that cannot be true in `wrong`.
"""
from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any, Callable

import psycopg2
import psycopg2.extras
from faultylake import Lake, LivingTable
from lakehouse import Lakehouse

if TYPE_CHECKING:
    from soak import Soak

OPERATION = "rewrite_data_files"


def policy(lake: Lake, engine: str) -> dict[str, Any]:
    """Calls for a rewrite after a few commits, and for an expiry before that where rewrites fail."""
    few = len(next(iter(lake.tables.values())).base.metadata["snapshots"]) + 3

    def calls(many: int) -> dict[str, Any]:
        return {"when": {"any": [{"metric": "snapshot_count", "op": ">=", "value": many}]}, "min_interval": "0", "timeout": "1 minute"}
    return {"engine": engine, "poll_interval": "2 seconds", "min_poll_interval": "1 second",
            OPERATION: {**calls(few), "options": {"rewrite_all": True}}, "expire_snapshots": {**calls(few + 6), "options": {"retain_last": 1, "max_snapshot_age": "1 hour"}}}


# -------------------------------------------------------------------------------------------------
# A session that outlives its server
# -------------------------------------------------------------------------------------------------

class Down(Exception):
    """The server cannot be asked now."""


class Session:
    def __init__(self, pg: Lakehouse):
        self.pg = pg
        self.connection: Any = None

    def sql(self, query: str, params: Any = None) -> list[dict[str, Any]]:
        try:
            if self.connection is None or self.connection.closed:
                self.connection = self.pg.connect()
            with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(query, params)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        except psycopg2.Error as error:
            # 57P0x: the server or the backend is being shut down, or recovers
            if error.pgcode is None or error.pgcode.startswith(("08", "57P")):
                self.connection = None
                raise Down(str(error)) from error
            raise

    def value(self, query: str, params: Any = None) -> Any:
        rows = self.sql(query, params)
        return next(iter(rows[0].values())) if rows else None


class Actor(threading.Thread):
    """Does one thing after the other until it is stopped; an exception that nobody expected is kept for the verdict."""

    def __init__(self, soak: Soak):
        super().__init__(daemon=True)
        self.soak, self.lake, self.pg = soak, soak.lake, soak.pg
        self.session = Session(soak.pg)
        self.chance = random.Random(f"{soak.seed} {type(self).__name__}")
        self.ended = threading.Event()
        self.wrong: list[str] = []

    def step(self) -> float:
        """Returns the seconds until the next."""
        raise NotImplementedError

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                pause = self.step()
            except Down:
                pause = 0.2
            except Exception as error:  # noqa: BLE001
                self.wrong.append(f"{type(self).__name__}: {type(error).__name__}: {error}")
                pause = 1
            self.ended.wait(pause)

    def stop(self) -> None:
        self.ended.set()
        self.join(60)


# -------------------------------------------------------------------------------------------------
# Who acts
# -------------------------------------------------------------------------------------------------

class Writers(Actor):
    """Somebody writes the tables, and sometimes says so."""

    def step(self) -> float:
        table = self.chance.choice(list(self.lake.tables.values()))
        table.append()
        if self.chance.random() < 0.5:
            self.session.sql("SELECT floe.notify_commit(%s)", (table.text,))
        return self.chance.uniform(0, 0.2)


class Outages(Actor):
    """Catalogs whose process is killed and comes back, engines that are restarted and have forgotten everything, for some seconds each."""

    def step(self) -> float:
        seconds = self.chance.uniform(1, 6)
        if self.chance.random() < 0.6:
            catalog = self.chance.choice(self.lake.catalogs)
            catalog.mock.down()
            self.soak.count["catalog killed"] += 1
            self.ended.wait(seconds)
            catalog.mock.up()
        else:
            self.lake.engine_mock.down()
            for engine in self.lake.engines:
                engine.forget()
            self.soak.count["engines killed"] += 1
            self.ended.wait(seconds)
            self.lake.engine_mock.up()
        return self.chance.uniform(2, 8)


class Operator(Actor):
    """What people do, all of it at once. Each action with the errors that it may rightly get."""

    def __init__(self, soak: Soak):
        super().__init__(soak)
        self.callers: list[subprocess.Popen[bytes]] = []
        self.extra = 0
        self.missing: dict[str, tuple[float, Callable[[], Any]]] = {}  # what was dropped, and comes back at a time
        # weight, what, SQLSTATEs of a proper refusal: what it needs was dropped, has ended, or is not known yet; two policies would contradict each other
        self.actions: list[tuple[int, Callable[[], Any], set[str]]] = [
            (8, self.trigger, {"42704", "42P01", "55000"}), (5, self.cancel, {"42704"}), (6, self.refresh, set()), (4, self.alter_policy, {"42704"}),
            (3, self.pause, set()), (3, self.resume, set()), (1, self.drain, set()), (3, self.extra_policy, {"23P01"}), (2, self.budget, set()),
            (4, self.drop_table, set()), (1, self.drop_catalog, set()), (1, self.drop_engine, set()), (2, self.alter_server, {"42704"}),
            (1, self.reconfigure, set()), (2, self.call, set()), (4, self.look, {"42P01"}),
        ]

    def step(self) -> float:
        for name, (at, restore) in list(self.missing.items()):
            if at < time.monotonic():
                restore()
                del self.missing[name]
        self.callers = [one for one in self.callers if one.poll() is None]
        _, action, proper = self.chance.choices(self.actions, weights=[one[0] for one in self.actions])[0]
        self.soak.count[action.__name__] += 1
        try:
            action()
        except psycopg2.Error as error:
            if error.pgcode not in proper:
                self.wrong.append(f"{action.__name__}: {error.pgcode} {error}")
        return self.chance.uniform(0.05, 0.4)

    def finish(self) -> None:
        """Everything that was dropped is there again, and nothing holds floe back."""
        for one in self.callers:
            one.kill()
            one.wait()
        for _, restore in self.missing.values():
            restore()
        self.missing.clear()
        self.session.sql("SET client_min_messages = error")
        self.session.sql("SELECT floe.resume('**'), floe.undrain()")
        self.session.sql("DELETE FROM floe.budget")
        self.session.sql("SELECT floe.drop_policy(p.name) FROM floe.policy AS p WHERE p.name LIKE 'extra%'")
        for catalog in self.lake.catalogs:
            self.session.sql("SELECT floe.alter_policy(%s, %s)", (catalog.name, json.dumps(policy(self.lake, "e" + catalog.name[1:]))))
        for name in ("floe.scheduler", "floe.enabled", "floe.assessors"):
            self.session.sql(f"ALTER SYSTEM RESET {name}")
        self.session.sql("SELECT pg_reload_conf()")

    def table(self) -> LivingTable:
        return self.chance.choice(list(self.lake.tables.values()))

    def pattern(self) -> str:
        return self.chance.choice([self.table().text, f"{self.chance.choice(self.lake.catalogs).name}.**", "**.t1"])

    def later(self, what: str, restore: Callable[[], Any], low: float = 1, high: float = 8) -> None:
        self.missing[what] = (time.monotonic() + self.chance.uniform(low, high), restore)

    # the actions

    def trigger(self) -> None:
        self.session.sql("SELECT * FROM floe.trigger(%s, %s)", (self.table().text, self.chance.choice([None, [OPERATION], [OPERATION, "expire_snapshots"]])))

    def cancel(self) -> None:
        number = self.session.value("SELECT id FROM floe.queue ORDER BY random() LIMIT 1")
        if number is not None:
            self.session.sql("SELECT floe.cancel(%s)", (number,))

    def refresh(self) -> None:
        self.session.sql("SELECT floe.refresh(%s)", (self.chance.choice(["**", self.pattern()]),))

    def alter_policy(self) -> None:
        catalog, engine = self.chance.choice(self.lake.catalogs), self.chance.choice(self.lake.engines)
        changed = self.chance.choice([{"engine": engine.name}, {"poll_interval": f"{self.chance.randint(1, 4)} seconds"}, {OPERATION: {"min_interval": f"{self.chance.randint(0, 3)} seconds"}},
                                      {OPERATION: {"options": {"max_concurrent_file_group_rewrites": self.chance.randint(1, 9)}}},
                                      {"thresholds": {"excess_file_count": {"warning": self.chance.randint(1, 9), "critical": 50}}}])
        if changed.get("engine") not in self.missing:
            self.session.sql("SELECT floe.alter_policy(%s, %s)", (catalog.name, json.dumps(changed)))

    def pause(self) -> None:
        self.session.sql("SELECT floe.pause(%s, clock_timestamp() + %s * interval '1 second', 'soak')", (self.pattern(), self.chance.uniform(1, 8)))

    def resume(self) -> None:
        self.session.sql("SET client_min_messages = error")
        self.session.sql("SELECT floe.resume('**')")

    def drain(self) -> None:
        self.session.sql("SELECT floe.drain('soak')")
        self.later("drain", lambda: self.session.sql("SELECT floe.undrain()"), 1, 4)

    def extra_policy(self) -> None:
        if self.chance.random() < 0.5:
            self.extra += 1
            self.session.sql("SELECT floe.create_policy(%s, %s, %s)", (f"extra{self.extra}", self.pattern(), json.dumps({"priority": self.chance.randint(-9, 9), OPERATION: {"max_attempts": 2}})))
        else:
            self.session.sql("SELECT floe.drop_policy(p.name) FROM floe.policy AS p WHERE p.name LIKE 'extra%%' ORDER BY p.policy_id LIMIT %s", (self.chance.randint(1, 3),))

    def budget(self) -> None:
        if self.chance.random() < 0.5:
            self.session.sql("INSERT INTO floe.budget (name, pattern, concurrency) VALUES ('soak', %s, %s) ON CONFLICT (name) DO UPDATE SET concurrency = EXCLUDED.concurrency",
                             (self.pattern(), self.chance.randint(1, 6)))
        else:
            self.session.sql("DELETE FROM floe.budget")

    def drop_table(self) -> None:
        table = self.table()
        table.drop()
        self.later(table.text, table.restore, 3, 12)

    def drop_catalog(self) -> None:
        catalog = self.chance.choice(self.lake.catalogs)
        if catalog.name not in self.missing:
            self.session.sql(f'DROP SERVER "{catalog.name}" CASCADE')
            self.later(catalog.name, lambda: self.restore_server(catalog.name, lambda: self.lake.add_catalog(self.pg, catalog)))

    def drop_engine(self) -> None:
        engine = self.chance.choice(self.lake.engines)
        if engine.name not in self.missing:
            self.session.sql(f'DROP SERVER "{engine.name}" CASCADE')
            self.later(engine.name, lambda: self.restore_server(engine.name, lambda: self.lake.add_engine(self.pg, engine)))

    def restore_server(self, name: str, add: Callable[[], Any]) -> None:
        """With its user mapping; the server may have gone down between the two."""
        self.session.sql(f'DROP SERVER IF EXISTS "{name}" CASCADE')
        try:
            add()
        except psycopg2.OperationalError as error:
            raise Down(str(error)) from error

    def alter_server(self) -> None:
        catalog = self.chance.choice(self.lake.catalogs)
        if catalog.name not in self.missing:
            option = self.chance.choice(["max_in_flight", "max_rate", "max_operations"])
            known = self.session.value("SELECT options ? %s FROM floe_internal.server WHERE server_name = %s", (option, catalog.name))
            what = f'DROP "{option}"' if known else f'ADD "{option}" \'{self.chance.randint(2, 40)}\''
            self.session.sql(f'ALTER SERVER "{catalog.name}" OPTIONS ({what})')

    def reconfigure(self) -> None:
        name, value = self.chance.choice([("floe.assessors", str(self.chance.randint(1, 3))), ("floe.scheduler", "off"), ("floe.enabled", "off")])
        self.session.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.session.sql("SELECT pg_reload_conf()")
        if value == "off":
            self.soak.off_until = time.monotonic() + 60
            self.later(name, lambda: self.switch_on(name), 1, 4)

    def switch_on(self, name: str) -> None:
        self.session.sql(f"ALTER SYSTEM RESET {name}")
        self.session.sql("SELECT pg_reload_conf()")
        self.soak.off_until = time.monotonic() + 5

    def call(self) -> None:
        """A pass beside the workers; some are cancelled in the middle, some lose their client."""
        if len(self.callers) < 2:
            settings = f"SET statement_timeout = '{self.chance.randint(200, 9000)}ms'; " if self.chance.random() < 0.7 else ""
            self.callers.append(subprocess.Popen([*self.pg.psql_command(), "-c", settings + f"CALL floe.run_maintenance('{self.pattern()}', {self.chance.choice(['true', 'false'])})"],
                                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        else:
            self.callers[0].kill()

    def look(self) -> None:
        self.session.sql(self.chance.choice([
            "SELECT * FROM floe.workers", "SELECT * FROM floe.queue", "SELECT * FROM floe.in_flight", "SELECT * FROM floe.breakers", "SELECT * FROM floe.lag",
            "SELECT * FROM floe.tables", "SELECT * FROM floe.operations", "SELECT * FROM floe.status()", "SELECT * FROM floe.plan()", "SELECT * FROM floe.stats()"]))
        self.session.sql("SELECT * FROM floe.why(%s)", (self.table().text,))


class CalmOperator(Operator):
    """Without what ends workers: their lives shall be long."""

    def __init__(self, soak: Soak):
        super().__init__(soak)
        self.actions = [one for one in self.actions if one[1] != self.reconfigure]


class Killer(Actor):
    """Ends processes of the server: a worker with SIGTERM, any of floe's with SIGKILL (which takes the server through a recovery), the whole server."""

    def step(self) -> float:
        drawn = self.chance.random()
        if drawn < 0.55:
            self.end_one(signal.SIGTERM)
        elif drawn < 0.92:
            self.end_one(signal.SIGKILL)
        else:
            self.soak.count["server stopped"] += 1
            self.pg.stop("immediate")
            self.start_again()
        return self.chance.uniform(2, 7)

    def start_again(self) -> None:
        """Whatever keeps it from starting now: the others need it."""
        for attempt in range(5):
            try:
                self.pg.start()
                return
            except RuntimeError as error:
                self.soak.t.note(f"the server did not start: {error}")
                time.sleep(1)
        self.wrong.append("the server cannot be started any more")

    def end_one(self, with_signal: signal.Signals) -> None:
        found = self.session.sql("SELECT pid, backend_type FROM pg_stat_activity WHERE backend_type LIKE 'floe %%' ORDER BY backend_type")
        if found:
            one = self.chance.choice(found)
            try:
                os.kill(one["pid"], with_signal)
                self.soak.count[f"{one['backend_type']} {with_signal.name}"] += 1
            except ProcessLookupError:
                pass
