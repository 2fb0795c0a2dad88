"""Operations that have to be ended, and what vanishes under them: time that is up, cancelling, silence; the table, the engine's server, the catalog.

What the engine misbehaves at is test_bad_engine.py's; here it is floe, people and other systems that end things.
"""
import json
import threading

from TCLIService import ttypes

from badengine import OPERATION, Case, at, brief, healthy, policy, run
from badinput import Table

import hs2
from catalog import error
from catalog import answer as answer_of_catalog
from hs2 import answer, refused


def never_ends(engine):
    engine.polls = float("inf")


# -------------------------------------------------------------------------------------------------
# Time that is up, cancelling, silence
# -------------------------------------------------------------------------------------------------

def stubborn(*rules):
    """A statement that never ends, at an engine that misbehaves when it is to be ended."""
    def disturb(engine):
        never_ends(engine)
        for call, behaviour in rules:
            engine.misbehave(call, behaviour)
    return disturb


def unmoved(exchange):
    """Says that it was cancelled, and goes on."""
    exchange.send_reply(ttypes.TCancelOperationResp(status=exchange.engine.OK))


TOO_LONG = "cancelled at the engine after its timeout of 60s"
TIMED_OUT = [
    Case("time_up", stubborn(), TOO_LONG, "resource"),
    Case("time_up_refused", stubborn(("CancelOperation", refused("cannot be cancelled"))), TOO_LONG, "resource"),
    Case("time_up_unmoved", stubborn(("CancelOperation", unmoved)), TOO_LONG, "resource"),
    Case("time_up_500", stubborn(("CancelOperation", answer(500, "oops"))), TOO_LONG, "resource"),
    Case("time_up_open", stubborn(("CancelOperation", refused("no")), ("CloseSession", refused("no"))), TOO_LONG, "resource"),
]
# What the engine refuses is no end: these go on until it gives in.
GIVES_IN = {"time_up_500": "CancelOperation", "time_up_open": "CloseSession"}
CANCELLED = [Case("by_hand", stubborn()), Case("by_hand_refused", stubborn(("CancelOperation", refused("no"))))]


def later(interval):
    """floe's clock goes ahead."""
    return f"SET floe.request_timeout = '4s'; SELECT set_config('floe.virtual_clock', (clock_timestamp() + interval '{interval}')::text, false) IS NULL"


def stopping(lab):
    silent, disowned = Case("silent", at("GetOperationStatus", answer(503))), Case("disowned", at("GetOperationStatus", answer(503)))
    found = lab.begin(TIMED_OUT + CANCELLED + [silent, disowned] + healthy(["fine_9"]), timeout="1 minute")
    lab.run()
    for case in TIMED_OUT + CANCELLED + [silent, disowned]:
        found[case.name].ok(found[case.name].row()["state"] == "running", "it runs", brief(found[case.name].row()))
    found["fine_9"].succeeded()
    for case in CANCELLED:
        found[case.name].ok(lab.pg.value("SELECT floe.cancel(%s)", (found[case.name].row()["id"],)) == "requested", "to be cancelled")

    notices = lab.run(settings=later("5 minutes"))
    for case in TIMED_OUT:
        one = found[case.name]
        if case.name in GIVES_IN:
            one.ok(one.row()["state"] in ("running", "lost") and one.engine.running(), "a refusal to end it is no end", brief(one.row()))
        else:
            one.ok(one.row()["state"] == "failed" and one.row()["error_class"] == "resource" and one.row()["error"] == TOO_LONG, "failed, because its time was up", brief(one.row()))
            one.ok(one.events("operation failed") == [f"{OPERATION} failed: {TOO_LONG}"] and TOO_LONG in notices, "one event, and a notice", one.events("operation failed"))
        one.ok(len(one.engine.calls("CancelOperation")) >= 1, "it was cancelled at the engine")
    for case in CANCELLED:
        one = found[case.name]
        one.ok(one.row()["state"] == "cancelled" and one.row()["cancel_requested_by"] == "postgres", "cancelled", brief(one.row()))
        one.ok(one.events("operation cancelled") == [f"{OPERATION} cancelled: cancelled by postgres"], "one event says by whom", one.events("operation cancelled"))
    one = found["silent"]
    one.ok(one.row()["state"] in ("running", "lost"), "a short silence is no end", brief(one.row()))

    for name, call in GIVES_IN.items():
        one = found[name]
        one.engine.rules = [rule for rule in one.engine.rules if rule[0] != call]
        lab.run(settings=later("6 minutes"), pattern=one.name)
        one.ok(one.row()["state"] == "failed" and one.row()["error"] == TOO_LONG and not one.engine.running(), "now it is ended", brief(one.row()))
    for one in found.values():
        if one.case not in (silent, disowned):
            one.tidy()

    # Engines that cannot be asked, and may still be at it: nothing else is sent, for as long as nobody cancels.
    for case in (silent, disowned):
        found[case.name].engine.misbehave(".*", answer(503))
    one = found["disowned"]
    one.ok(lab.pg.value("SELECT floe.cancel(%s)", (one.row()["id"],)) == "requested", "to be cancelled")
    lab.run(settings=later("30 minutes"), pattern=one.name)
    one.ok(one.row()["state"] == "cancelled", "cancelled, and a long silence: the table decides", brief(one.row()))
    one = found["silent"]
    notices = lab.run(settings=later("30 minutes"), wait=True, pattern=one.name)
    one.ok(one.row()["state"] in ("running", "lost") and len(one.engine.calls("ExecuteStatement")) == 1, "a long silence is no end either", brief(one.row()))
    one.ok("may still run: the engine was silent for " in notices, "who waits is told so, and waits no longer", notices)
    one.engine.heal()
    one.engine.forget()
    lab.run(pattern=one.name)
    one.ok(one.row()["state"] == "queued" and len(one.events("operation requeued")) == 1, "an engine that is back and does not know it: the table is as it was, so it is queued again", brief(one.row()))
    lab.impatient()
    lab.run(wait=True, pattern=one.name)
    one.succeeded(attempts=2)
    one.tidy()
    for row in lab.bench.sql("SELECT id FROM floe.operations WHERE finished_at IS NULL"):
        lab.pg.sql("SELECT floe.cancel(%s)", (row["id"],))
    lab.end()


# -------------------------------------------------------------------------------------------------
# What vanishes: the table, the engine's server, the catalog
# -------------------------------------------------------------------------------------------------

def loads_of(name):
    return f"/tables/{name}(\\?|$)"


def table_gone(lab):
    down = at("OpenSession", answer(503))
    found = lab.begin([Case("gone_queued", down), Case("gone_at_load", down), Case("gone_failed", never_ends), Case("gone_done", never_ends), Case("unreadable", never_ends)]
                      + healthy(["fine_10"]))
    lab.run()
    states = {name: one.row()["state"] for name, one in found.items()}
    lab.t.equal(states, {"gone_queued": "queued", "gone_at_load": "queued", "gone_failed": "running", "gone_done": "running", "unreadable": "running", "fine_10": "succeeded"},
                "before the tables vanish")

    for name in ("gone_queued", "gone_failed", "gone_done"):
        del lab.catalog.tables[("w", name)]
    lab.catalog.misbehave(loads_of("gone_at_load"), error(404, "NoSuchTableException", "Table does not exist: w.gone_at_load"))
    for one in found.values():
        one.engine.heal()
    found["gone_failed"].engine.ends = (hs2.FAILED, "org.apache.iceberg.exceptions.NoSuchTableException: Table does not exist: w.gone_failed")
    # The engine has finished; before floe can look at the table, the catalog fails for it.
    unreadable = found["unreadable"]
    unreadable.engine.work = lambda statement: (unreadable.carry_out(statement), lab.catalog.misbehave(loads_of("unreadable"), answer_of_catalog(503)))
    lab.impatient()
    notices = lab.run()
    for name, says in (("gone_queued", "the catalog no longer lists the table"), ("gone_at_load", "404")):
        one = found[name]
        told = one.events("operation cancelled")
        one.ok(one.row()["state"] == "cancelled" and len(told) == 1 and says in told[0], "what was queued is cancelled, with the reason", brief(one.row()), told)
        one.ok(not one.engine.history, "nothing was sent")
    one = found["gone_failed"]
    one.ok(one.row()["state"] == "failed" and one.row()["error_class"] == "config" and one.row()["error"].startswith("NoSuchTableException: Table does not exist"),
           "what the engine said is the reason", brief(one.row()))
    one = found["gone_done"]
    one.ok(one.row()["state"] == "failed" and one.row()["error"] == "the catalog does not list the table any more", "an effect that cannot be measured is none", brief(one.row()))
    unreadable.ok(unreadable.row()["state"] == "verifying", "a catalog that fails is no end: it is to be verified", brief(unreadable.row()))
    unreadable.ok("on mock.w.unreadable ended at the engine; its effect is still to be measured: " in notices, "a notice says so", notices)
    lab.catalog.heal()
    lab.run()
    unreadable.succeeded()
    for name in ("gone_queued", "gone_failed", "gone_done"):
        found[name].ok(len(found[name].rows()) == 1, "nothing more is planned for it", *map(brief, found[name].rows()))
    for one in found.values():
        one.tidy()
    lab.bench.sql("SELECT floe.cancel(id) FROM floe.operations WHERE table_name = 'mock.w.gone_at_load' AND state = 'queued'")
    lab.end()


def engine_gone(lab):
    found = lab.begin([Case("server_queued", at("OpenSession", answer(503)))]
                      + [Case(name, never_ends) for name in ("server_running", "server_done", "server_back", "server_waited")] + healthy(["fine_11"]))
    waited = found["server_waited"]
    lab.run(pattern="mock.w.server_queued")
    for name in ("server_running", "server_done", "server_back"):
        lab.run(pattern=f"mock.w.{name}")
    caller = threading.Thread(target=lab.run, kwargs={"pattern": waited.name, "wait": True})
    caller.start()
    lab.pg.wait_for("SELECT state = 'running' FROM floe.operations WHERE table_name = %s", (waited.name,))
    for name in ("server_queued", "server_running", "server_done", "server_back", "server_waited"):
        lab.pg.sql(f'DROP SERVER "{name}" CASCADE')
    # A pass that has the operation in its hands still ends it.
    waited.engine.heal()
    caller.join()
    waited.ok(waited.row()["state"] == "succeeded" and waited.carried_out == 1, "the pass that follows it goes on to the end", brief(waited.row()))

    found["server_done"].carry_out("")
    notices = lab.run(wait=True, within=30)
    one = found["server_queued"]
    told = one.events("operation cancelled")
    one.ok(one.row()["state"] == "cancelled" and told == [f'{OPERATION} cancelled: its engine "server_queued" was removed'], "what was queued is cancelled, with the reason", brief(one.row()), told)
    for name in ("server_running", "server_done", "server_back"):
        one = found[name]
        one.ok(one.row()["state"] == "running" and f"on {one.name} cannot be followed: there is no server" in notices, "what runs stays as it is, and a notice says so", brief(one.row()))
        one.ok(len(lab.bench.sql("SELECT id FROM floe.events WHERE kind = 'engine removed' AND message LIKE %s", (f'engine "{name}" %',))) == 1, "one event says that the engine is gone")
        one.ok(one.why()["gate"] in ("conditions", "interlock", "engine"), "why", one.why())
    lab.pg.add_server("server_back", "floe_engine", "spark-thrift", {"url": found["server_back"].engine.url}, {})
    found["server_back"].engine.heal()
    lab.run(pattern="mock.w.server_back")
    found["server_back"].succeeded()
    for name in ("server_running", "server_done"):
        lab.run(settings=later("10 hours"), pattern=f"mock.w.{name}")
        lab.run(settings=later("10 hours"), pattern=f"mock.w.{name}")
    one = found["server_done"]
    one.ok(one.row()["state"] == "succeeded" and one.row()["engine_outcome"] == "lost", "when it must have ended the table decides: it was done", brief(one.row()))
    one = found["server_running"]
    one.ok(one.row()["state"] == "cancelled" and len(one.engine.history) == 1, "when it must have ended the table decides: it was not done, and nobody can send it again", brief(one.row()))
    found["fine_11"].succeeded()
    lab.end()


def catalog_gone(lab):
    """The server of the catalog is dropped while one operation is queued and another runs."""
    for name in ("catalog_queued", "catalog_running"):
        lab.engines.engine(name)
    other = lab.bench.mock.catalog("other")
    tables = {name: Table(other, ("w", name), lab.base) for name in ("catalog_queued", "catalog_running")}
    lab.bench.connect(other)
    for name in tables:
        lab.pg.add_server(name, "floe_engine", "spark-thrift", {"url": lab.engines.engine(name).url}, {})
        lab.pg.sql("SELECT floe.create_policy(%s, %s, %s)", (name, f"other.w.{name}", json.dumps(policy(name, lab.base))))
    lab.engines.engine("catalog_queued").misbehave("OpenSession", answer(503))
    never_ends(lab.engines.engine("catalog_running"))
    lab.run(pattern="other.**")

    def rows():
        return {row["engine"]: row for row in lab.bench.sql("SELECT * FROM floe.operations WHERE table_name LIKE 'other.%%'")}
    lab.t.equal({name: row["state"] for name, row in rows().items()}, {"catalog_queued": "queued", "catalog_running": "running"}, "before the catalog vanishes")
    lab.pg.sql('DROP SERVER "other" CASCADE')
    lab.run(wait=True, pattern="other.**", within=30)
    row = rows()["catalog_queued"]
    lab.t.equal(row["state"], "cancelled", "catalog_queued: cancelled")
    lab.t.equal(rows()["catalog_running"]["state"], "running", "catalog_running: it may still run, so nothing else may touch the table")
    notices = lab.run(settings=later("10 hours"), pattern="other.**")
    row = rows()["catalog_running"]
    lab.t.ok(row["state"] == "failed" and row["error"] == 'its catalog "other" was removed', "catalog_running: when it must have ended it is given up", brief(row), notices[-500:])
    lab.end()


if __name__ == "__main__":
    run([stopping, table_gone, engine_gone, catalog_gone])
