"""A scheduler that does not care whether the run before has ended: CALL floe.run_maintenance() again and again, while catalogs are slow and operations outlive the pass that sent them.

Nothing is done twice, every operation is followed to its end by later passes, and every call ends well. The races themselves are in
test/isolation/specs/passes.spec; what is killed in the middle is test_crash.py's.
"""
import re
import threading
import time

from badengine import OPERATION, Case, brief, run

EVERY = 0.5      # seconds between the starts of two passes
SLOW = 1.5       # seconds for an answer of the slow part of the catalog
CASES = [Case(f"long_{n}", lambda engine: None) for n in range(6)] + [Case(f"slow_{n}", lambda engine: None) for n in range(3)]


class Scheduler:
    """Starts a pass at fixed times, each in a session of its own, and keeps what they said."""

    def __init__(self, pg):
        self.pg, self.threads, self.done, self.lock = pg, [], [], threading.Lock()

    def call(self):
        one = self.pg.psql("CALL floe.run_maintenance()", timeout=120)
        with self.lock:
            self.done.append(one)

    def until(self, condition, within):
        end = time.monotonic() + within
        while time.monotonic() < end:
            thread = threading.Thread(target=self.call)
            thread.start()
            self.threads.append(thread)
            if condition():
                break
            time.sleep(EVERY)
        for thread in self.threads:
            thread.join()
        return condition()


def slowly(exchange):
    time.sleep(SLOW)
    exchange.send(exchange.normal())


def overlapping(lab):
    t = lab.t
    found = lab.begin(CASES)
    # so that all passes have something to look at
    lab.pg.sql("UPDATE floe.policy SET poll_interval = '1 second'")
    lab.catalog.misbehave(r"^GET .*/tables/slow_\d(\?|$)", slowly)
    for one in found.values():
        # longer than any pass, if nobody stays with it
        one.engine.polls = 3
    before = lab.bench.sql("SELECT COALESCE(max(pass_id), 0) AS id FROM floe_internal.pass")[0]["id"]
    scheduler = Scheduler(lab.pg)
    ended = scheduler.until(lambda: len(lab.bench.sql("SELECT id FROM floe.operations WHERE finished_at IS NOT NULL")) >= len(CASES), within=90)
    t.ok(ended, f"all operations end, in {len(scheduler.done)} passes", *[brief(one.row()) for one in found.values()])

    failed = [one.stderr[-500:] for one in scheduler.done if one.returncode or "ERROR" in one.stderr or "WARNING" in one.stderr]
    t.equal(failed, [], "every pass ends well")
    passes = lab.bench.sql("SELECT pass_id, started_at, ended_at FROM floe_internal.pass WHERE pass_id > %s", (before,))
    t.ok(len(passes) == len(scheduler.done) and all(one["ended_at"] for one in passes), "and is a pass that ended", passes)
    most = max(sum(other["started_at"] <= one["started_at"] < other["ended_at"] for other in passes) for one in passes)
    t.ok(most >= 2, f"they overlapped: up to {most} at the same time")
    said = "".join(one.stderr for one in scheduler.done)
    for name, one in found.items():
        one.succeeded()
        one.tidy()
        one.ok(len(one.engine.calls("ExecuteStatement")) == 1 and len(one.engine.calls("OpenSession")) == 1, "sent once", [call.name for call in one.engine.log])
        followed = re.findall(rf"operation \d+: {OPERATION} on {re.escape(one.name)} was left running by a process that is gone; taken over", said)
        one.ok(len(followed) >= 1, f"followed by later passes ({len(followed)})", said[-2000:])
    lab.catalog.heal()
    lab.end()


def behind_a_slow_one(lab):
    """What a pass left running does not wait for another pass that hangs at a catalog, unless that one took it over before."""
    quick, stuck = Case("quick", lambda engine: None), Case("stuck", lambda engine: None)
    found = lab.begin([quick, stuck])
    one = found["quick"]
    one.engine.polls = 2
    lab.run(pattern=one.name)
    one.ok(one.row()["state"] == "running", "a pass left it running", brief(one.row()))
    release = threading.Event()
    lab.catalog.misbehave(r"^GET .*/tables/stuck(\?|$)", lambda exchange: (release.wait(60), exchange.send(exchange.normal())))
    hanging = threading.Thread(target=lab.run, kwargs={"pattern": found["stuck"].name, "settings": "SET floe.request_timeout = '90s'", "within": 90})
    hanging.start()
    lab.pg.wait_for("SELECT claim_pass IS NOT NULL FROM floe_internal.table_poll AS p JOIN floe_internal.iceberg_table AS t USING (table_id) WHERE t.name = %s", (found["stuck"].name,))
    lab.run(pattern=one.name)
    lab.run(pattern=one.name)
    one.succeeded()
    release.set()
    hanging.join()
    lab.catalog.heal()
    lab.run(wait=True)
    lab.end()


if __name__ == "__main__":
    run([overlapping, behind_a_slow_one])
