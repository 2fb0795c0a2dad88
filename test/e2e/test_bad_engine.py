"""Engines that are down, slow, wrong, broken or against it: each ends in the right state with the reason, and harms nothing else.

The mock of HiveServer2 misbehaves at each call of an operation's life in turn. Statements that have to be ended, and what vanishes under
them: test_engine_ends.py. Statement errors of a real Spark: test_spark_refuses.py.
"""
import json
import re
import socket
import struct
import time

from TCLIService import ttypes
from thrift.Thrift import TApplicationException

from badengine import OPERATION, Case, at, brief, healthy, run

import hs2
from hs2 import answer, changed, edited, fault, finished_unanswered, forgotten, hang, promised, refused, reset, unanswered

HTML = "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"
TRACE = """org.apache.hive.service.cli.HiveSQLException: Error running query: java.util.concurrent.ExecutionException: org.apache.iceberg.exceptions.CommitFailedException: Commit failed: Requirement failed: branch main has changed
\tat org.apache.spark.sql.hive.thriftserver.HiveThriftServerErrors$.runningQueryError(HiveThriftServerErrors.scala:43)
\tat java.base/java.lang.Thread.run(Thread.java:840)
Caused by: java.util.concurrent.ExecutionException: org.apache.iceberg.exceptions.CommitFailedException: Commit failed: Requirement failed: branch main has changed
\tat java.base/java.util.concurrent.FutureTask.report(FutureTask.java:122)
\t... 12 more
Caused by: org.apache.iceberg.exceptions.CommitFailedException: Commit failed: Requirement failed: branch main has changed: expected id 1 != 2
\tat org.apache.iceberg.rest.ErrorHandlers$CommitErrorHandler.accept(ErrorHandlers.java:102)
"""


def closed_port():
    """A port that nobody listens on; it stays bound, so that nobody else gets it."""
    one = socket.socket()
    one.bind(("127.0.0.1", 0))
    return one, one.getsockname()[1]


KEPT, PORT = closed_port()


def huge_string(body):
    """The first text of the message, its name, says that it is 2 GB long."""
    return body[:4] + struct.pack(">i", 0x7FFFFFFF) + body[8:]


def huge_guid(body):
    """The handle's id says that it is 1 GB long."""
    place = body.index(struct.pack(">i", 16))
    return body[:place] + struct.pack(">i", 0x40000000) + body[place + 4:]


def other_version(body):
    return b"\x80\x02" + body[2:]


def other_sequence(body):
    place = 4 + 4 + struct.unpack(">i", body[4:8])[0]
    return body[:place] + struct.pack(">i", 4711) + body[place + 4:]


# -------------------------------------------------------------------------------------------------
# OpenSession: nothing was sent that could run
# -------------------------------------------------------------------------------------------------

UNREACHED = [
    Case("down", lambda engine: None, r"\[connect\].*cannot connect|\[connect\].*refused", server={"url": f"http://127.0.0.1:{PORT}/cliservice"}),
    Case("hanging", at("OpenSession", hang), r"\[timeout\].*did not answer within"),
    Case("open_reset", at("OpenSession", reset), r"\[network\].*closed the connection without an answer|\[network\].*lost"),
    Case("open_cut", at("OpenSession", promised(b"\x80\x01\x00\x02", 500)), r"\[network\].*lost in the middle"),
    Case("open_500", at("OpenSession", answer(500, "java.lang.NullPointerException")), r"\[server\].*HTTP 500.*NullPointerException"),
    Case("open_500_empty", at("OpenSession", answer(500)), r"\[server\].*HTTP 500"),
    Case("open_502_html", at("OpenSession", answer(502, HTML)), r"\[server\].*HTTP 502: (?!.*<)"),
    Case("open_503", at("OpenSession", answer(503, "", Retry_After="1")), r"\[server\].*HTTP 503|\[throttled\].*HTTP 503"),
    Case("open_429", at("OpenSession", answer(429, "slow down", Retry_After="1")), r"\[throttled\].*come back later \(HTTP 429\)"),
    Case("open_204", at("OpenSession", answer(204)), r"\[server\].*HTTP 204"),
    Case("open_too_large", at("OpenSession", answer(200, b"x" * (9 << 20))), r"\[too_large\]"),
]

OPEN_FAILED = [
    Case("open_401", at("OpenSession", answer(401, "Authentication Error: who are you")), r"refuses user or password \(HTTP 401\): .*who are you", "config"),
    Case("wrong_password", lambda engine: setattr(engine, "login", ("floe", "right")), r"refuses user or password", "config", mapping={"username": "floe", "password": "correcthorse"}),
    Case("no_password", lambda engine: setattr(engine, "login", ("floe", "right")), r"refuses user or password", "config"),
    Case("open_403", at("OpenSession", answer(403, HTML)), r"forbids the request \(HTTP 403\)$", "config"),
    Case("open_404", at("OpenSession", answer(404, HTML)), r"not a HiveServer2 HTTP endpoint \(HTTP 404\)", "config"),
    Case("open_302", at("OpenSession", answer(302, "", Location="http://127.0.0.1:1/login")), r"redirects the request \(HTTP 302\)", "config"),
    Case("open_html", at("OpenSession", answer(200, HTML)), r"not.*Thrift|no Thrift|does not speak", "config"),
    Case("open_empty", at("OpenSession", answer(200)), r"OpenSession", "config"),
    Case("open_garbage", at("OpenSession", answer(200, bytes(range(256)) * 40)), r".", "config"),
    Case("open_truncated", at("OpenSession", edited(lambda body: body[:-30])), r"OpenSession", "config", sessions=1),
    Case("open_trailing", at("OpenSession", edited(lambda body: body + b"\x00" * 7)), r"OpenSession", "config", sessions=1),
    Case("open_huge_name", at("OpenSession", edited(huge_string)), r".", "config", sessions=1),
    Case("open_huge_guid", at("OpenSession", edited(huge_guid)), r"OpenSession", "config", sessions=1),
    Case("open_version", at("OpenSession", edited(other_version)), r".", "config", sessions=1),
    Case("open_sequence", at("OpenSession", edited(other_sequence)), r".", "config", sessions=1),
    Case("open_no_handle", at("OpenSession", changed(lambda reply: setattr(reply, "sessionHandle", None))), r"lacks a required field", "config", sessions=1),
    Case("open_short_handle", at("OpenSession", changed(lambda reply: setattr(reply.sessionHandle.sessionId, "guid", b"short"))), r"lacks a required field", "config", sessions=1),
    Case("open_protocol", at("OpenSession", fault("Required field 'client_protocol' is unset!", TApplicationException.PROTOCOL_ERROR)),
         r"Required field 'client_protocol' is unset", "config"),
    Case("open_fault", at("OpenSession", fault("Internal error processing OpenSession")), r"Internal error processing OpenSession", "transient"),
    Case("open_refused", at("OpenSession", refused("Cannot open a session: the limit of 10 per user is reached")), r"limit of 10 per user", "transient"),
    Case("open_refused_silent", at("OpenSession", refused("")), r"the engine refused to open a session", "transient"),
    Case("open_oom", at("OpenSession", refused("java.lang.OutOfMemoryError: Java heap space\n\tat X.y(Z.java:1)")), r"^OutOfMemoryError: Java heap space$", "resource"),
]


def heal_by_change(lab, works):
    """Class config waits for a change: of the credentials or of the server."""
    for one in works:
        what, option = ("USER MAPPING FOR PUBLIC SERVER", "password 'right'") if one.engine.login else ("SERVER", "max_operations '3'")
        lab.pg.sql(f'ALTER {what} "{one.case.name}" OPTIONS ({"SET" if one.case.mapping else "ADD"} {option})')


def heal_by_hand(lab, works):
    for one in works:
        one.ok(lab.bench.sql("SELECT verdict FROM floe.trigger(%s, ARRAY[%s])", (one.name, OPERATION))[0]["verdict"] == "queued", "a trigger by hand does not wait for the time")


def heal(lab, works):
    """The engines are well; what failed is tried again as its class has it. Returns nothing; all of them succeed."""
    for one in works:
        one.engine.heal()
    config = [one for one in works if one.case.error_class in ("config", "permanent")]
    timed = [one for one in works if one.case.error_class in ("transient", "conflict", "resource")]
    lab.run()
    for one in config + timed:
        one.ok(len(one.rows()) == 1 and one.row()["state"] == "failed", "no time has passed and nothing was changed: it is not tried again", *map(brief, one.rows()))
    heal_by_change(lab, config)
    heal_by_hand(lab, timed)
    lab.run(wait=True)


def opening(lab):
    cases = UNREACHED + OPEN_FAILED
    found = lab.begin(cases + healthy(["fine_1", "fine_2"]))
    notices = lab.run()
    for case in UNREACHED:
        found[case.name].waits_in_queue(notices)
    for case in OPEN_FAILED:
        found[case.name].failed(notices)
    for name in ("fine_1", "fine_2"):
        found[name].succeeded()
    lab.bench.sql('ALTER SERVER "down" OPTIONS (SET url %s)', (found["down"].engine.url,))
    heal(lab, list(found.values()))
    for case in UNREACHED:
        # one that waited for a server that was changed since is cancelled, and decided upon anew
        found[case.name].succeeded(of=2 if case.name == "down" else 1)
    for case in OPEN_FAILED:
        found[case.name].succeeded(of=2)
    for one in found.values():
        one.tidy()
    lab.end()


# -------------------------------------------------------------------------------------------------
# ExecuteStatement: it may have been received
# -------------------------------------------------------------------------------------------------

NO_ANSWER = r"^no answer to the statement, so whether it was received is unknown: .*"
PARSE = """org.apache.hive.service.cli.HiveSQLException: Error running query: [PARSE_SYNTAX_ERROR] org.apache.spark.sql.catalyst.parser.ParseException:
[PARSE_SYNTAX_ERROR] Syntax error at or near 'CALL'.(line 1, pos 0)

== SQL ==
/* floe */ CALL x
^^^
"""

EXECUTE_FAILED = [
    Case("exec_401", at("ExecuteStatement", answer(401, "session expired")), r"refuses user or password \(HTTP 401\): session expired", "config"),
    Case("exec_403", at("ExecuteStatement", answer(403)), r"forbids the request", "config"),
    Case("exec_404", at("ExecuteStatement", answer(404, HTML)), r"not a HiveServer2 HTTP endpoint", "config"),
    Case("exec_full", at("ExecuteStatement", refused("The background threadpool cannot accept new task for execution, please retry the operation")), r"cannot accept new task.*queue of statements is full", "transient"),
    Case("exec_parse", at("ExecuteStatement", refused(PARSE)), r"^ParseException: \[PARSE_SYNTAX_ERROR\] Syntax error at or near 'CALL'.*Iceberg's SQL extensions", "config"),
    Case("exec_silent", at("ExecuteStatement", refused("")), r"^the engine refused the statement$", "transient"),
    Case("exec_500", at("ExecuteStatement", answer(500, "oops")), NO_ANSWER + "HTTP 500", "transient", attempts=3),
    Case("exec_503", at("ExecuteStatement", answer(503)), NO_ANSWER + "HTTP 503", "transient", attempts=3),
    Case("exec_reset", at("ExecuteStatement", reset), NO_ANSWER + "without an answer", "transient", attempts=3),
    Case("exec_hang", at("ExecuteStatement", hang), NO_ANSWER + "did not answer within", "transient", attempts=3),
    Case("exec_html", at("ExecuteStatement", answer(200, HTML)), NO_ANSWER + "Thrift", "transient", attempts=3),
    Case("exec_truncated", at("ExecuteStatement", edited(lambda body: body[:-30])), NO_ANSWER, "transient", attempts=3),
    Case("exec_huge", at("ExecuteStatement", edited(huge_guid)), NO_ANSWER, "transient", attempts=3),
    Case("exec_no_handle", at("ExecuteStatement", changed(lambda reply: setattr(reply, "operationHandle", None))), NO_ANSWER, "transient", attempts=3),
    Case("exec_unanswered", at("ExecuteStatement", unanswered), NO_ANSWER, "transient", attempts=3),
    Case("exec_forgotten", at("ExecuteStatement", forgotten), r"^the engine no longer knows the session: .*Invalid SessionHandle", "transient", attempts=3),
]

EXECUTE_ONCE = [
    Case("once_reset", at("ExecuteStatement", reset, 1), attempts=2),
    Case("once_unanswered", at("ExecuteStatement", unanswered, 1), attempts=2),
    Case("once_truncated", at("ExecuteStatement", edited(lambda body: body[:-30]), 1), attempts=2),
    Case("once_forgotten", at("ExecuteStatement", forgotten, 1), attempts=2),
    # The table's history shows that it was carried out: it must not be sent again.
    Case("once_finished", at("ExecuteStatement", finished_unanswered, 1), attempts=1),
]


def executing(lab):
    found = lab.begin(EXECUTE_FAILED + EXECUTE_ONCE + healthy(["fine_3", "fine_4"]))
    notices = lab.run(wait=True)
    for case in EXECUTE_FAILED:
        found[case.name].failed(notices)
        found[case.name].ok(len(found[case.name].engine.calls("ExecuteStatement")) == case.attempts, f"sent {case.attempts} time(s)")
    for case in EXECUTE_ONCE:
        found[case.name].succeeded(attempts=case.attempts)
    heal(lab, list(found.values()))
    for case in EXECUTE_FAILED:
        found[case.name].succeeded(of=2)
    for one in found.values():
        one.tidy()
    lab.end()


# -------------------------------------------------------------------------------------------------
# GetOperationStatus: it runs, and nobody knows how
# -------------------------------------------------------------------------------------------------

POLL_SILENT = [
    Case("poll_401", at("GetOperationStatus", answer(401, "no")), r"\[auth\].*HTTP 401"),
    Case("poll_403", at("GetOperationStatus", answer(403)), r"\[forbidden\].*HTTP 403"),
    Case("poll_404", at("GetOperationStatus", answer(404)), r"\[http\].*HTTP 404"),
    Case("poll_500", at("GetOperationStatus", answer(500, "oops")), r"\[server\].*HTTP 500"),
    Case("poll_503", at("GetOperationStatus", answer(503, HTML)), r"\[server\].*HTTP 503"),
    Case("poll_reset", at("GetOperationStatus", reset), r"\[network\]"),
    Case("poll_hang", at("GetOperationStatus", hang), r"\[timeout\].*did not answer"),
    Case("poll_html", at("GetOperationStatus", answer(200, HTML)), r"\[protocol\].*not a Thrift message"),
    Case("poll_truncated", at("GetOperationStatus", edited(lambda body: body[:-9])), r"\[protocol\]"),
    Case("poll_huge", at("GetOperationStatus", edited(huge_string)), r"\[protocol\]"),
    Case("poll_no_state", at("GetOperationStatus", changed(lambda reply: setattr(reply, "operationState", None))), r"\[protocol\].*required field"),
    Case("poll_fault", at("GetOperationStatus", fault("Internal error processing GetOperationStatus")), r"\[server\].*Internal error"),
    Case("poll_refused", at("GetOperationStatus", refused("java.lang.IllegalStateException: ask me later")), r"\[server\].*refused GetOperationStatus: .*ask me later"),
]


def ends_as(state, text=None):
    """The statement is over, in that state."""
    return lambda engine: setattr(engine, "ends", (state, text))


POLL_FAILED = [
    Case("ends_conflict", ends_as(hs2.FAILED, TRACE), r"^CommitFailedException: Commit failed: Requirement failed: branch main has changed.*", "conflict"),
    Case("ends_memory", ends_as(hs2.FAILED, "java.lang.OutOfMemoryError: GC overhead limit exceeded\n\tat A.b(C.java:1)"), r"^OutOfMemoryError: GC overhead limit exceeded$", "resource"),
    Case("ends_option", ends_as(hs2.FAILED, "java.lang.IllegalArgumentException: Cannot use options [nonsense], they are not supported"), r"Cannot use options \[nonsense\]", "config"),
    Case("ends_silent", ends_as(hs2.FAILED), r"^the engine reports an error without a message$", "transient"),
    Case("ends_binary", ends_as(hs2.FAILED, "\x00\x01\x1b[31mred\x7f \u2028"), r"red", "transient"),
    Case("ends_long", ends_as(hs2.FAILED, "java.lang.RuntimeException: " + "x" * 500 + "\n" + "\tat org.example.Deep.call(Deep.java:1)\n" * 2000), r"^RuntimeException: x+$", "transient"),
    Case("ends_timedout", ends_as(ttypes.TOperationState.TIMEDOUT_STATE), r"its own time limit", "resource"),
    Case("ends_closed", ends_as(ttypes.TOperationState.CLOSED_STATE), r"^the statement was ended at the engine$", "transient"),
    Case("ends_canceled", ends_as(ttypes.TOperationState.CANCELED_STATE), r"^the statement was ended at the engine$", "transient"),
]

POLL_ONCE = [
    Case("once_lost", at("GetOperationStatus", forgotten, 1), attempts=2),
    Case("once_invalid", at("GetOperationStatus", refused("", ttypes.TStatusCode.INVALID_HANDLE_STATUS), 1), attempts=2),
]


def polling(lab):
    odd = Case("poll_odd_state", at("GetOperationStatus", changed(lambda reply: setattr(reply, "operationState", 99))))
    found = lab.begin(POLL_SILENT + POLL_FAILED + POLL_ONCE + [odd] + healthy(["fine_5", "fine_6"]))
    notices = lab.run()
    for case in POLL_SILENT:
        found[case.name].still_running(notices)
    for case in POLL_FAILED:
        found[case.name].failed(notices)
    one = found["poll_odd_state"]
    one.ok(one.row()["state"] == "running" and one.engine_row()["status"] == "ok", "a state that nobody knows is no end", brief(one.row()), one.engine_row())
    lab.run()
    for case in POLL_SILENT:
        found[case.name].ok(len(found[case.name].engine.history) == 1, "asked again, not sent again")
    heal(lab, list(found.values()))
    for case in POLL_SILENT + [odd]:
        found[case.name].succeeded()
    for case in POLL_FAILED:
        found[case.name].succeeded(of=2)
    for case in POLL_ONCE:
        found[case.name].succeeded(attempts=case.attempts)
    for one in found.values():
        one.tidy()
    lab.end()


# -------------------------------------------------------------------------------------------------
# The result: what the engine did is not in question
# -------------------------------------------------------------------------------------------------

def columns(*columns):
    return lambda reply: setattr(reply.results, "columns", list(columns))


NUMBERS = ttypes.TColumn(i32Val=ttypes.TI32Column([12], b"\x00"))
WORDS = ttypes.TColumn(stringVal=ttypes.TStringColumn(["twelve"], b"\x00"))


def endless_rows(reply):
    reply.results.columns = [NUMBERS, NUMBERS]


# Each with what is kept of the result: None where it cannot be understood.
ROW = [{"rewritten_data_files_count": 12, "added_data_files_count": 12}]
RESULTS = {
    "meta_refused": (at("GetResultSetMetadata", refused("no schema for you")), None),
    "meta_html": (at("GetResultSetMetadata", answer(200, HTML)), None),
    "meta_truncated": (at("GetResultSetMetadata", edited(lambda body: body[:-20])), None),
    "meta_no_schema": (at("GetResultSetMetadata", changed(lambda reply: setattr(reply, "schema", None))), None),
    "meta_twice": (at("GetResultSetMetadata", answer(500, "oops"), 2), ROW),
    "fetch_refused": (at("FetchResults", refused("result is gone")), None),
    "fetch_html": (at("FetchResults", answer(200, HTML)), None),
    "fetch_truncated": (at("FetchResults", edited(lambda body: body[:-7])), None),
    "fetch_huge": (at("FetchResults", edited(huge_string)), None),
    "fetch_columns": (at("FetchResults", changed(columns(NUMBERS, NUMBERS, NUMBERS))), None),
    "fetch_lengths": (at("FetchResults", changed(columns(NUMBERS, ttypes.TColumn(i32Val=ttypes.TI32Column([1, 2], b"\x00"))))), None),
    "fetch_rows": (at("FetchResults", changed(lambda reply: setattr(reply, "results", ttypes.TRowSet(0, [ttypes.TRow([ttypes.TColumnValue(i32Val=ttypes.TI32Value(1))])], [])))), None),
    "fetch_types": (at("FetchResults", changed(columns(WORDS, NUMBERS)), 1), [{"rewritten_data_files_count": "twelve", "added_data_files_count": 12}]),
    "fetch_null": (at("FetchResults", changed(columns(ttypes.TColumn(i32Val=ttypes.TI32Column([0], b"\x01")), NUMBERS)), 1), [{"rewritten_data_files_count": None, "added_data_files_count": 12}]),
    "fetch_long_nulls": (at("FetchResults", changed(columns(ttypes.TColumn(i32Val=ttypes.TI32Column([7], b"\x00" * 100000)), NUMBERS)), 1), [{"rewritten_data_files_count": 7, "added_data_files_count": 12}]),
    "fetch_empty": (at("FetchResults", changed(columns(*[ttypes.TColumn(i32Val=ttypes.TI32Column([], b""))] * 2))), []),
    "fetch_twice": (at("FetchResults", reset, 2), ROW),
    "fetch_endless": (at("FetchResults", changed(endless_rows)), ROW * 1000),
}

CLOSING = [
    Case("close_op_500", at("CloseOperation", answer(500, "oops"))),
    Case("close_op_refused", at("CloseOperation", refused("no"))),
    Case("close_500", at("CloseSession", answer(500, "oops")), sessions=1),
    Case("close_refused", at("CloseSession", refused("no")), sessions=1),
    Case("close_reset", at("CloseSession", reset), sessions=1),
    Case("close_html", at("CloseSession", answer(200, HTML)), sessions=1),
    Case("close_unanswered", at("CloseSession", unanswered)),
]


def results(lab):
    found = lab.begin([Case(name, disturb) for name, (disturb, _) in RESULTS.items()] + CLOSING + healthy(["fine_7", "fine_8"]))
    lab.run(wait=True, within=90)
    for name, (_, wanted) in RESULTS.items():
        found[name].succeeded()
        got = found[name].row()["engine_result"]
        found[name].ok(got == wanted, "of the result it keeps what can be understood", str(got)[:300])
    for one in found.values():
        if one.case.name not in RESULTS:
            # What closing met says nothing of the operation, but of the engine.
            one.succeeded(engine_ok=one.case not in CLOSING)
        one.tidy()
    lab.end()


# -------------------------------------------------------------------------------------------------
# check_engine(): the same trouble, told at once
# -------------------------------------------------------------------------------------------------

PROBES = {
    # name: (disturb, phase, pattern of the message and the detail)
    "probe_hang": (at("OpenSession", hang), "protocol", r"did not answer within"),
    "probe_reset": (at("OpenSession", reset), "protocol", r"closed the connection|lost"),
    "probe_401": (at("OpenSession", answer(401, "who are you")), "auth", r"refuses user or password"),
    "probe_403": (at("OpenSession", answer(403)), "auth", r"forbids the request"),
    "probe_404": (at("OpenSession", answer(404, HTML)), "protocol", r"not a HiveServer2 HTTP endpoint"),
    "probe_500": (at("OpenSession", answer(500, "oops")), "protocol", r"HTTP 500"),
    "probe_html": (at("OpenSession", answer(200, HTML)), "protocol", r"not a Thrift message"),
    "probe_huge": (at("OpenSession", edited(huge_guid)), "protocol", r"OpenSession"),
    "probe_refused": (at("OpenSession", refused("java.lang.IllegalStateException: no more sessions\n\tat A.b(C.java:1)")), "protocol", r"no more sessions"),
    "probe_info": (at("GetInfo", refused("no info for you")), "protocol", r"no info for you"),
    "probe_info_cut": (at("GetInfo", edited(lambda body: body[:-4])), "protocol", r"GetInfo"),
    "probe_close": (at("CloseSession", answer(500)), None, r"Spark SQL"),
    "probe_fine": (lambda engine: None, None, r"Spark SQL"),
}


def probing(lab):
    down = f"http://127.0.0.1:{PORT}/cliservice"
    lab.pg.add_server("probe_down", "floe_engine", "spark-thrift", {"url": down}, {})
    told = lab.bench.sql("SELECT * FROM floe.check_engine('probe_down')")[0]
    lab.t.ok(not told["success"] and told["detail"]["phase"] == "TCP" and "127.0.0.1" in told["message"], "probe_down: TCP", told)
    for name, (disturb, phase, says) in PROBES.items():
        engine = lab.engines.engine(name)
        disturb(engine)
        lab.pg.add_server(name, "floe_engine", "spark-thrift", {"url": engine.url}, {})
        started = time.monotonic()
        told = lab.bench.sql("SELECT * FROM floe.check_engine(%s)", (name,))[0]
        took = time.monotonic() - started
        whole = json.dumps(told, default=str)
        lab.t.ok(told["success"] == (phase is None) and re.search(says, whole) and told["detail"].get("phase") == phase, f"{name}: {phase or 'success'}, with the reason", whole)
        lab.t.ok("\\tat" not in whole and took < 30 and told["latency_ms"] <= took * 1000 + 1, f"{name}: without a stack trace, in time ({took:.1f} s)", whole)
    lab.t.equal([name for name in PROBES if name not in ("probe_huge", "probe_close") and lab.engines.engine(name).sessions], [], "no session is left open")
    lab.end()


if __name__ == "__main__":
    run([opening, executing, polling, results, probing])
