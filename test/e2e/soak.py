"""floe's workers at full speed under everything that goes wrong, and what must hold all the time and at the end.

    first a storm in which workers, catalogs and the server are killed; then one without kills, in which one life of each worker is long enough to see
    what grows; then everything is healed, and must become well by itself within a bounded time; then a year passes, and nothing may be left over.

Faults of requests are faultylake.py's, and who acts meanwhile soakactors.py's; here is the watch, who asks once a second, and the verdict.
All of them draw from one seed, which is printed; threads and processes race all the same, so a seed repeats what was done, not when.
"""
from __future__ import annotations

import json
import os
import re
import statistics
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import psycopg2
from faultylake import Lake
from harness import Tap
from lakehouse import Lakehouse
from soakactors import Actor, CalmOperator, Down, Killer, OPERATION, Operator, Outages, Session, Writers, policy

CONF = {
    "floe.request_timeout": "3s", "floe.connect_timeout": "1s", "floe.decision_interval": "1min", "floe.event_retention": "4h", "floe.health_history_retention": "1h",
    "floe.operation_log_retention": "1d", "autovacuum_naptime": "5s", "max_worker_processes": "16", "shared_buffers": "64MB",
}
CLAIM_OF_THE_DEAD_S = 30   # until somebody noticed, while workers run
CLAIM_S = 120              # of somebody who lives: requests take 3 s, and are repeated
HEAL_S = 60                # beyond what was announced as the time of the next try
# What a process may hold more at the end than in the middle of its life. In a short one the load of the moment counts: hostile documents, large plans.
GROWTH_KB, GROWTH_SHORT_KB, SHORT_S = 3000, 10000, 600
FILES = 300    # of relations, which PostgreSQL keeps open
SOCKETS = 256  # kept for the next request: the cap of all hosts
OWN_SOCKETS = 15  # a process's own, and those of what it asks for while nothing is due


# -------------------------------------------------------------------------------------------------
# Who watches
# -------------------------------------------------------------------------------------------------

def descriptors(pid: int) -> tuple[int, int]:
    """Files and connections that a process has open."""
    kinds = Counter()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        try:
            kinds[os.readlink(one).startswith("socket:")] += 1
        except FileNotFoundError:
            pass
    return kinds[False], kinds[True]


@dataclass
class Life:
    """One process: what it held, second by second."""
    kind: str
    kb: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    sockets: list[int] = field(default_factory=list)
    requests: list[int] = field(default_factory=list)

    def memory_growth(self) -> int:
        """Of what it mostly holds (kB): memory is kept for the next statement, so that the least there is is a moment in which some of it was given back."""
        third = len(self.kb) // 3
        return int(statistics.median(self.kb[2 * third:]) - statistics.median(self.kb[third:2 * third]))


CLAIMS = """
    SELECT 'table ' || t.name AS what, p.claim_pass AS pass, true AS must_end FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table AS t ON t.table_id = p.table_id WHERE p.claim_pass IS NOT NULL
    UNION ALL SELECT 'catalog ' || c.server_name, c.claim_pass, true FROM floe_internal.catalog AS c WHERE c.claim_pass IS NOT NULL
    UNION ALL SELECT 'operation ' || q.operation_id, q.driver_pass, q.state = 'dispatching' FROM floe_internal.operation_queue AS q WHERE q.state <> 'queued' AND q.driver_pass <> 0"""

# In one snapshot, so there is no moment in which this may be otherwise.
NEVER_POLLED = """
    SELECT t.name, t.status, p.next_poll_at FROM floe_internal.iceberg_table AS t LEFT JOIN floe_internal.table_poll AS p ON p.table_id = t.table_id
    WHERE t.status NOT IN ('dropped', 'quarantined') AND COALESCE(p.next_poll_at, 'infinity') > clock_timestamp() + interval '70 minutes'"""

# A table may be made due in the moment in which it is dropped; that ends at the next claim.
POLLED_IN_VAIN = """
    SELECT 'dropped table ' || t.name AS what FROM floe_internal.iceberg_table AS t JOIN floe_internal.table_poll AS p ON p.table_id = t.table_id
    JOIN floe_internal.catalog AS c ON c.catalog_id = t.catalog_id AND c.status = 'ok' WHERE t.status IN ('dropped', 'quarantined') AND p.next_poll_at < 'infinity'"""


class Watch(Actor):
    def __init__(self, soak: "Soak"):
        super().__init__(soak)
        self.lives: dict[tuple[int, str], Life] = {}
        self.claims: dict[tuple[str, int, bool], float] = {}
        self.in_vain: dict[str, float] = {}
        self.rows: dict[str, int] = {}
        self.most_rows: Counter[str] = Counter()
        self.most_locks: Counter[str] = Counter()
        self.most_backends = self.samples = 0
        self.longest_claim = {True: 0.0, False: 0.0}

    def step(self) -> float:
        at = time.monotonic()
        self.soak.requests = self.lake.forget()
        workers = self.session.sql("SELECT pid, backend_type FROM pg_stat_activity WHERE backend_type LIKE 'floe %%'")
        for one in workers:
            self.measure(one["pid"], one["backend_type"])
        self.watch_claims(at, {one["backend_type"] for one in workers} >= {"floe assessor", "floe executor"})
        for row in self.session.sql(NEVER_POLLED):
            self.wrong.append(f"table {row['name']} is {row['status']}, and is looked at {row['next_poll_at']}")
        self.in_vain = {row["what"]: self.in_vain.get(row["what"], at) for row in self.session.sql(POLLED_IN_VAIN)}
        self.wrong += [f"{what} is looked at for {at - since:.0f} s" for what, since in self.in_vain.items() if at - since > CLAIM_OF_THE_DEAD_S]
        for row in self.session.sql("""SELECT a.backend_type, l.locktype, count(*) AS n FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
                WHERE a.backend_type LIKE 'floe %%' GROUP BY a.pid, a.backend_type, l.locktype"""):
            key = f"{row['backend_type']} {row['locktype']}"
            self.most_locks[key] = max(self.most_locks[key], row["n"])
        self.most_backends = max(self.most_backends, self.session.value("SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'floe %%'"))
        if self.samples % 10 == 0:
            self.rows = self.count_rows(self.session)
            for name, n in self.rows.items():
                self.most_rows[name] = max(self.most_rows[name], n)
        self.samples += 1
        return max(0, 1 - (time.monotonic() - at))

    def measure(self, pid: int, kind: str) -> None:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            status = Path(f"/proc/{pid}/status").read_text()
            files, sockets = descriptors(pid)
        except OSError:
            return
        life = self.lives.setdefault((pid, stat[19]), Life(kind))
        life.kb.append(int(re.search(r"RssAnon:\s+(\d+)", status).group(1)))
        life.files.append(files)
        life.sockets.append(sockets)
        life.requests.append(self.soak.requests)

    def watch_claims(self, at: float, at_work: bool) -> None:
        """A claim of a pass that is gone ends soon, if there is anybody to notice; one of a pass that lives ends, too."""
        live = {row["pass"] for row in self.session.sql("SELECT floe_internal.live_passes() AS pass")}
        now = {(row["what"], row["pass"], row["pass"] in live): row["must_end"] for row in self.session.sql(CLAIMS)}
        if not at_work or at < self.soak.off_until:
            # nobody is there who could
            self.claims = {key: since for key, since in self.claims.items() if key[2]}
            now = {key: must for key, must in now.items() if key[2]}
        self.claims = {key: self.claims.get(key, at) for key, must in now.items() if must or not key[2]}
        for (what, number, alive), since in self.claims.items():
            age, most = at - since, CLAIM_S if alive else CLAIM_OF_THE_DEAD_S
            self.longest_claim[alive] = max(self.longest_claim[alive], age)
            if age > most:
                self.wrong.append(f"{what} is claimed by pass {number}, which {'lives' if alive else 'is gone'}, for {age:.0f} s")

    @staticmethod
    def count_rows(session: Session) -> dict[str, int]:
        names = [row["name"] for row in session.sql("SELECT relname AS name FROM pg_class WHERE relnamespace = 'floe_internal'::regnamespace AND relkind = 'r'")]
        return session.sql("SELECT " + ", ".join(f"(SELECT count(*) FROM floe_internal.{name}) AS {name}" for name in names))[0]


# -------------------------------------------------------------------------------------------------
# All of it
# -------------------------------------------------------------------------------------------------

class Soak:
    def __init__(self, t: Tap, pg: Lakehouse, lake: Lake, seed: int):
        self.t, self.pg, self.lake, self.seed = t, pg, lake, seed
        self.session = Session(pg)
        self.count: Counter[str] = Counter()
        self.requests = 0
        self.off_until = 0.0

    def ask(self, query: str, params: Any = None) -> list[dict[str, Any]]:
        """Until the server answers."""
        end = time.monotonic() + 60
        while True:
            try:
                return self.session.sql(query, params)
            except Down:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def wait_until(self, what: str, wrong: Callable[[], list[Any]], within: float) -> bool:
        """Until nothing is wrong; a test of its own."""
        begun = time.monotonic()
        found: list[Any] = [None]
        while found and time.monotonic() - begun < within:
            try:
                found = wrong()
            except Down:
                pass
            time.sleep(0.25 if found else 0)
        return self.t.ok(not found, f"{what} ({time.monotonic() - begun:.0f} of {within:.0f} s)", *found[:10])

    def not_well(self, since: Any) -> list[Any]:
        """Everything that is not as it should be in a lake without faults."""
        found = self.session.sql("""
            SELECT 'catalog' AS what, name, status, error::text FROM floe.catalogs WHERE status <> 'ok'
            UNION ALL SELECT 'table', name, status, error FROM floe.tables WHERE status <> 'ok' OR polled_at IS NULL OR polled_at < %s
            UNION ALL SELECT 'worker', worker, state, reason FROM floe.workers WHERE state <> 'running'""", (since,))
        known = {row["name"] for row in self.session.sql("SELECT name FROM floe.tables WHERE status <> 'dropped'")}
        return found + sorted(self.lake.tables.keys() - known)

    def begin(self) -> None:
        for catalog in self.lake.catalogs:
            self.pg.sql("SELECT floe.create_policy(%s, %s, %s)", (catalog.name, f"{catalog.name}.**", json.dumps({**policy(self.lake, "x"), "engine": None})))
        self.lake.connect(self.pg)
        for catalog in self.lake.catalogs:
            self.pg.sql("SELECT floe.alter_policy(%s, %s)", (catalog.name, json.dumps({"engine": "e" + catalog.name[1:]})))
        self.wait_until(f"{len(self.lake.tables)} tables of {len(self.lake.catalogs)} catalogs are assessed before the storm", lambda: self.not_well("-infinity"), 60)

    def storm(self, kinds: list[type[Actor]], seconds: float) -> list[Actor]:
        self.lake.trouble, self.lake.failing = 0.03, 0.05
        actors = [kind(self) for kind in kinds]
        for one in actors:
            one.start()
        time.sleep(seconds)
        for one in actors:
            one.stop()
        return actors

    def finish(self, actors: list[Actor]) -> None:
        for one in actors:
            if isinstance(one, Operator):
                end = time.monotonic() + 60
                while True:
                    try:
                        one.finish()
                        break
                    except (Down, psycopg2.Error):
                        if time.monotonic() > end:
                            raise
                        time.sleep(0.5)
        for table in self.lake.tables.values():
            table.restore()

    # healing

    def announced(self) -> float:
        """Seconds until the last of the times at which floe said it would try again."""
        return self.ask("""SELECT GREATEST(0, extract(epoch FROM max(x.at) - clock_timestamp()))::float8 AS seconds FROM (
            SELECT retry_at AS at FROM floe_internal.engine WHERE status <> 'removed' UNION ALL SELECT not_before FROM floe_internal.operation_queue WHERE not_before < 'infinity'
            UNION ALL SELECT next_start_at FROM floe.workers) AS x WHERE x.at > '-infinity'""")[0]["seconds"] or 0

    def maintain_again(self, since: Any, names: list[str] | None = None) -> list[Any]:
        """Triggers those that have not succeeded since then and are not about to; what refuses for now, as for an engine that is not asked yet, is triggered again."""
        left = self.session.sql("""SELECT t.name, t.last_operation, t.last_state, t.current_operation FROM floe.tables AS t
            WHERE t.status <> 'dropped' AND (%s::text[] IS NULL OR t.name = ANY (%s)) AND NOT EXISTS (SELECT 1 FROM floe.operations AS o WHERE o.table_name = t.name AND o.operation = %s AND o.state = 'succeeded' AND o.finished_at > %s)""",
                                (names, names, OPERATION, since))
        for row in left:
            if row["current_operation"] is None:
                row["trigger"] = self.session.sql("SELECT verdict, gate, value, next_at FROM floe.trigger(%s, %s)", (row["name"], [OPERATION]))
        return left

    def heal(self) -> None:
        """No more faults: whoever mended them says so (floe.refresh), and does nothing else. What an engine was announced to be asked again at, is waited for."""
        self.lake.heal()
        since = self.ask("SELECT clock_timestamp() AS now, floe.refresh()")[0]["now"]
        announced = self.announced()
        self.wait_until("healed: all workers run, all catalogs and tables are well", lambda: self.not_well(since), announced + HEAL_S)
        self.wait_idle(announced + HEAL_S)
        # Each table is still one that can be maintained.
        for table in self.lake.tables.values():
            table.append()
        since = self.ask("SELECT clock_timestamp() AS now, floe.refresh()")[0]["now"]
        self.wait_until("the last commits are seen", lambda: self.not_well(since), HEAL_S)
        self.wait_until("every table is maintained once more", lambda: self.maintain_again(since), self.announced() + 30 + 2 * len(self.lake.tables))
        self.wait_until("all engines answer", lambda: self.session.sql("SELECT name, status, error FROM floe.engines WHERE status <> 'ok'"), HEAL_S)

    def wait_idle(self, within: float) -> None:
        self.wait_until("what was under way has ended", lambda: self.session.sql("SELECT id, table_name, operation, state, waits_for, not_before FROM floe.queue"), within)

    # verdicts

    def check_lives(self, watch: Watch, least: float) -> None:
        """Of processes that lived through the storm without kills."""
        t = self.t
        for kind in ("floe assessor", "floe executor", "floe launcher"):
            long = [life for life in watch.lives.values() if life.kind == kind and len(life.kb) >= least]
            t.ok(long, f"one life of a {kind} is long enough to see what grows", [(life.kind, len(life.kb)) for life in watch.lives.values()])
            for life in long:
                kb, asked = life.memory_growth(), life.requests[-1] - life.requests[0]
                t.ok(kb < (GROWTH_SHORT_KB if len(life.kb) < SHORT_S else GROWTH_KB), f"{kind}: no memory is leaked: {kb:+d} kB from the middle to the last third of {len(life.kb)} s and {asked} requests, {max(life.kb) / 1024:.1f} MB at most", life.kb[::max(1, len(life.kb) // 60)])
                t.ok(max(life.sockets) <= SOCKETS and max(life.files) < FILES, f"{kind}: descriptors are bounded: {max(life.files)} files at most, {max(life.sockets)} connections")

    def check_connections(self, watch: Watch, least: float) -> None:
        """Nothing is due any more, and every server ends its connections: what a process holds after its next requests, it has forgotten to close, at any time of its life."""
        self.ask("UPDATE floe.policy SET poll_interval = '1 hour' WHERE poll_interval IS NOT NULL")
        self.ask("UPDATE floe.policy SET min_poll_interval = '1 hour' WHERE min_poll_interval IS NOT NULL")
        self.wait_until("nothing is due", lambda: self.session.sql("SELECT table_id FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL OR next_poll_at < clock_timestamp() + interval '30 minutes'"), HEAL_S)
        before = {pid: descriptors(pid)[1] for pid in self.workers()}
        for mock in (self.lake.engine_mock, *(catalog.mock for catalog in self.lake.catalogs)):
            mock.down()
            mock.up()
        name = next(iter(self.lake.tables))

        def held() -> list[Any]:
            found = [(kind, n) for pid, kind in self.workers().items() if (n := descriptors(pid)[1]) >= OWN_SOCKETS]
            if found:
                # dead ones are closed when another request is made: of the assessor, and of the executor
                self.session.sql("SELECT floe.refresh(%s)", (name,))
                self.maintain_again("infinity", [name])
            return found

        self.wait_until(f"no descriptor is leaked: of {sorted(before.values())} connections none is left that its server has ended", held, HEAL_S)
        self.wait_idle(self.announced() + HEAL_S)
        lived = {pid for (pid, _), life in watch.lives.items() if len(life.kb) >= least}
        self.t.ok(lived & self.workers().keys(), "by processes that lived through the storm", lived, before)

    def workers(self) -> dict[int, str]:
        return {row["pid"]: row["backend_type"] for row in self.ask("SELECT pid, backend_type FROM pg_stat_activity WHERE backend_type LIKE 'floe %%'")}

    def check_quiet(self) -> None:
        """When all is done: what every process still holds."""
        t = self.t
        self.wait_until("nothing is claimed", lambda: self.session.sql(CLAIMS), 30)
        held = self.ask("""SELECT a.backend_type, l.locktype, count(*) AS n FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid WHERE a.backend_type LIKE 'floe %%'
            GROUP BY a.backend_type, l.locktype, a.pid ORDER BY 1, 2""")
        for _ in range(100):
            if all(row["locktype"] == "advisory" and row["n"] == 2 for row in held):
                break
            # in the middle of a transaction
            time.sleep(0.1)
            held = self.ask("""SELECT a.backend_type, l.locktype, count(*) AS n FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid WHERE a.backend_type LIKE 'floe %%'
                GROUP BY a.backend_type, l.locktype, a.pid ORDER BY 1, 2""")
        t.equal([(row["backend_type"], row["locktype"], row["n"]) for row in held], [("floe assessor", "advisory", 2), ("floe executor", "advisory", 2)],
                "no lock is left but each worker's own and that of its pass")
        for pid, kind in self.workers().items():
            files, sockets = descriptors(pid)
            t.ok(files < FILES and sockets < OWN_SOCKETS, f"{kind}: {sockets} connections and {files} files are open when nothing is done")
        t.equal([one.statement for running in self.lake.running.values() for one in running if one.state == 0], [], "nothing is left running at the engines")

    def check_operations(self) -> None:
        t, rows = self.t, self.ask("SELECT id, key::text, table_name, operation, state, error_class, error, attempt, engine_outcome, started_at, finished_at, new_snapshots FROM floe.operations")
        t.equal(self.lake.overlaps, [], "never were two statements at once on one table, at whatever engines")
        t.equal([key for key, n in self.lake.finished.items() if n > 1], [], f"none of {len(self.lake.finished)} operations was carried out twice")
        known = {row["key"] for row in rows}
        t.equal([key for key in self.lake.finished if key not in known], [], "no operation was lost")
        wrong = [row for row in rows if row["operation"] == OPERATION and row["state"] in ("succeeded", "no_change") and (row["state"] == "succeeded") != (self.lake.finished[row["key"]] == 1)]
        t.equal(wrong, [], "those that succeeded were carried out, those without an effect were not")
        wrong = [row for row in rows if row["state"] in ("failed", "cancelled") and not row["error"]]
        t.equal(wrong, [], "every one that failed or was cancelled says why")
        events = defaultdict(int, {row["operation_id"]: row["n"] for row in self.ask("""SELECT operation_id, count(*) AS n FROM floe.events
            WHERE kind IN ('operation succeeded', 'operation no_change', 'operation failed', 'operation cancelled') GROUP BY operation_id""")})
        t.equal([row["id"] for row in rows if events[row["id"]] != 1], [], "each ended once, by its events")
        states = Counter(row["state"] for row in rows)
        t.ok(states["succeeded"] >= len(self.lake.tables), "a good many succeeded", dict(states))
        self.states = states

    def check_rows(self, watch: Watch) -> None:
        """A year later: what is beyond its retention is gone, and what has none is bounded by what there is."""
        t = self.t
        tables, catalogs = len(self.lake.tables), len(self.lake.catalogs)
        kinds = self.ask("SELECT count(*) AS n FROM floe_internal.operation_kind")[0]["n"]
        policies = self.ask("SELECT count(*) AS n FROM floe.policy")[0]["n"]
        manifests = 2 * tables * len(next(iter(self.lake.tables.values())).manifest_keys)  # the current ones, and those they replaced within a day
        later = self.ask("SELECT (clock_timestamp() + interval '400 days')::text AS at")[0]["at"]
        for one in self.lake.tables.values():
            one.append()
        # Nobody acts any more: what a year would bring by itself is not the question.
        self.ask("ALTER SYSTEM SET floe.scheduler = off")
        self.ask("SELECT pg_reload_conf()")
        self.wait_until("the workers end when they are switched off", lambda: self.session.sql("SELECT 1 FROM pg_stat_activity WHERE backend_type IN ('floe assessor', 'floe executor')"), 30)
        session = Session(self.pg)
        session.sql(f"SET floe.virtual_clock = '{later}'")
        session.sql("SELECT floe.pause('**')")
        session.sql("SET client_min_messages = error")
        session.sql("CALL floe.run_maintenance('**', false)")
        while session.value("SELECT floe_internal.purge(5000)"):
            pass
        session.sql("SELECT floe.resume('**')")
        rows = Watch.count_rows(session)
        # What a pass a year later wrote: one of its own, and what it found.
        bound = {
            "catalog": catalogs, "engine": len(self.lake.engines), "iceberg_table": tables, "table_poll": tables, "table_decision": tables, "table_operation": tables * kinds,
            "health": tables, "policy_match": tables * policies, "policy_set": 20, "effective": 20 * (kinds + 1), "manifest": manifests, "health_history": 2 * tables, "event": 20 * tables,
            "operation_log": 0, "operation_queue": 4 * tables, "trigger_request": 0, "pause": 0, "drain": 0, "pass": 3, "dispatch_turn": catalogs * (policies + 2),
            # the pause above is over; returns outlast the log: a row for what ran, at most; a verdict of the last pass for each operation; days and speeds are few
            "pause_past": 1, "weekly_return": sum(self.states.values()), "verdict": tables * kinds, "table_outlook": tables, "fleet_day": 3, "engine_speed": 12 * kinds * (len(self.lake.engines) + 1),
        }
        fixed = {row["name"] for row in session.sql("SELECT split_part(relation, '.', 2) AS name FROM floe.retention WHERE rule = 'fixed' OR relation = 'floe_internal.policy_version'")}
        over = {name: (n, bound.get(name)) for name, n in rows.items() if name not in fixed and n > bound.get(name, 0)}
        t.equal(over, {}, "a year later no table of floe has rows that nothing accounts for")
        self.rows = rows

    def check_log(self, minutes: float) -> None:
        t, log = self.t, self.pg.server_log()
        ours = sum(n for what, n in self.count.items() if what.endswith("SIGKILL"))
        killed = len(re.findall(r"was terminated by signal 9", log))
        t.ok(killed <= ours, f"only what was killed went down ({killed} of {ours} processes)")
        lines = log.splitlines()
        crashed = [i for i, line in enumerate(lines) if re.search(r"PANIC|TRAP|terminated by signal (?!9\b)|deadlock detected|XX000|invalid memory|out of memory|could not (open|access) shared", line)]
        t.ok(not crashed, "nothing crashed, locked up or ran out", *(line for i in crashed[:3] for line in lines[i:i + 12]))
        said = Counter(re.sub(r"\d+", "N", line.split("LOG:  ", 1)[1])[:160] for line in log.splitlines() if re.search(r"LOG:  floe: (?!database )", line))
        # people drop catalogs with many tables while a worker wants their rows: it waits a second, and takes the step again
        waits = {what: n for what, n in said.items() if what.endswith("canceling statement due to lock timeout")}
        t.ok(sum(waits.values()) <= 10 * minutes, "steps that waited too long for a lock and were taken again are few", waits)
        t.equal({what: n for what, n in said.items() if what not in waits}, {}, "floe logged no failure of its own")
        errors = Counter(re.sub(r"\d+", "N", line.split("ERROR:  ", 1)[1])[:160] for line in log.splitlines() if "ERROR:  " in line)
        self.errors = errors

    def run(self, minutes: float) -> None:
        t = self.t
        t.note(f"seed {self.seed}, {minutes:g} minutes")
        with_kills, without = minutes * 60 * 0.4, minutes * 60 * 0.6
        self.begin()
        watch = Watch(self)
        watch.start()
        first = self.storm([Writers, Outages, Operator, Killer], with_kills)
        self.finish(first)
        second = self.storm([Writers, Outages, CalmOperator], without)
        self.finish(second)
        self.heal()
        watch.stop()
        for one in [*first, *second, watch]:
            t.equal(one.wrong[:10], [], f"{type(one).__name__.lower()}: nothing happened that must not")
        self.check_lives(watch, 0.6 * without)
        self.check_connections(watch, 0.6 * without)
        self.check_quiet()
        self.check_operations()
        self.check_log(minutes)
        self.check_rows(watch)
        self.tell(minutes, watch)

    def tell(self, minutes: float, watch: Watch) -> None:
        t = self.t
        t.note("done: " + ", ".join(f"{n} {what}" for what, n in sorted(self.count.items())))
        t.note("locks at most: " + ", ".join(f"{n} {what}" for what, n in sorted(watch.most_locks.items())) + f"; {watch.most_backends} processes of floe at most")
        t.note(f"claims held at most {watch.longest_claim[True]:.0f} s by the living, {watch.longest_claim[False]:.0f} s by the dead")
        t.note("rows at most: " + ", ".join(f"{name} {n}" for name, n in watch.most_rows.most_common(12)))
        t.note("refused: " + "; ".join(f"{n} x {what}" for what, n in self.errors.most_common(12)))
        t.note(f"SUMMARY: {minutes:g} minutes, seed {self.seed}, {self.requests} requests, {sum(self.states.values())} operations ({', '.join(f'{n} {state}' for state, n in self.states.most_common())}), "
               f"{sum(n for what, n in self.count.items() if 'SIG' in what or 'killed' in what or 'stopped' in what)} kills")
