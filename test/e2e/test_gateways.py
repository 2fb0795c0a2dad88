"""The doubles themselves (test/lab/livy.py, kyuubi.py): that they answer as the real servers were recorded to. What floe makes of them is test_livy.py's and test_kyuubi.py's.

The answers below stand in the recordings of Livy 0.9.0 and Kyuubi 1.11.1; of some only the beginning.
"""
from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from harness import Tap, lab

LIVY, KYUUBI = os.environ["FLOE_LIVY_URL"], os.environ["FLOE_KYUUBI_URL"] + "/api/v1"
NOBODY = "7e584742-0000-0000-0000-e68cdb41925a"


def call(method: str, url: str, body: Any = None) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method, data=data), timeout=120) as answer:
            status, text = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read().decode()
    try:
        return status, json.loads(text) if text else None
    except ValueError:
        return status, text


def until(what: Any, timeout: float = 120) -> Any:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    raise TimeoutError


def livy(t: Tap) -> None:
    status, made = call("POST", LIVY + "/sessions", {"kind": "sql", "name": "check", "ttl": "10m"})
    number = made["id"]
    t.equal((status, {key: made[key] for key in made if key not in ("id", "log")}),
            (201, {"name": "check", "appId": None, "owner": None, "proxyUser": None, "state": "starting", "kind": "sql",
                   "appInfo": {"driverLogUrl": None, "sparkUiUrl": None, "executorLogUrls": None}, "ttl": "10m", "idleTimeout": None, "driverMemory": None, "driverCores": 0,
                   "executorMemory": None, "executorCores": 0, "conf": {}, "archives": [], "files": [], "heartbeatTimeoutInSecond": 0, "jars": [], "numExecutors": 0,
                   "pyFiles": [], "queue": None}), "Livy: a session")
    session = f"{LIVY}/sessions/{number}"
    until(lambda: call("GET", session + "/state")[1] == {"id": number, "state": "idle"})

    def run(code: str) -> dict[str, Any]:
        status, statement = call("POST", session + "/statements", {"code": code})
        t.equal((status, statement), (201, {"id": statement["id"], "code": code, "state": "waiting", "output": None, "progress": 0.0, "started": 0, "completed": 0}), f"Livy: {code[:30]} is sent")
        return until(lambda: (found := call("GET", f"{session}/statements/{statement['id']}")[1])["state"] in ("available", "cancelled") and found)

    found = run("CALL lab.system.rewrite_data_files(table => 'db.nope')")
    t.equal((found["state"], found["output"]["status"], found["output"]["ename"]), ("available", "error", "Error"), "Livy: what failed is available")
    t.ok("Exception" not in found["output"]["evalue"].split(":")[0], "Livy: and its message has no class", found["output"]["evalue"])
    found = run("SELECT 1 AS a; SELECT 2 AS b")
    t.equal(found["output"]["evalue"], "\n[PARSE_SYNTAX_ERROR] Syntax error at or near 'SELECT': extra input 'SELECT'.(line 1, pos 15)\n\n== SQL ==\nSELECT 1 AS a; SELECT 2 AS b\n---------------^^^\n",
            "Livy: two statements in one")
    found = run("SELECT cast(1.5 as decimal(10,2)) d, TIMESTAMP '2026-01-01 00:00:00' t, DATE '2026-01-01' dd, null n, array(1,2) a, true b, cast(9007199254740993 as bigint) l")
    table = found["output"]["data"]["application/json"]
    t.equal(table["data"], [[1.5, "2026-01-01T00:00:00Z", "2026-01-01", None, [1, 2], True, 9007199254740993]], "Livy: values")
    t.equal([(field["name"], field["type"]) for field in table["schema"]["fields"] if field["name"] != "a"],
            [("d", "decimal(10,2)"), ("t", "timestamp"), ("dd", "date"), ("n", "void"), ("b", "boolean"), ("l", "long")], "Livy: types")
    t.equal(len(run("SELECT id FROM range(1500)")["output"]["data"]["application/json"]["data"]), 1000, "Livy: no more than 1000 rows")

    status, slow = call("POST", session + "/statements", {"code": "SELECT count(*) FROM range(3000000000) a JOIN range(1000) b ON a.id % 7 = b.id"})
    until(lambda: call("GET", f"{session}/statements/{slow['id']}")[1]["state"] == "running")
    t.equal(call("GET", session + "/state")[1]["state"], "busy", "Livy: busy")
    for _ in range(2):
        t.equal(call("POST", f"{session}/statements/{slow['id']}/cancel", {}), (200, {"msg": "canceled"}), "Livy: cancelled, and again")
    found = until(lambda: (one := call("GET", f"{session}/statements/{slow['id']}")[1])["state"] == "cancelled" and one)
    t.ok(found["output"]["status"] == "error" and found["output"]["evalue"].startswith("Job "), "Livy: what was cancelled has an error", found["output"])
    t.equal(run("SELECT 42 AS x")["output"]["data"]["application/json"]["data"], [[42]], "Livy: the next statement runs")

    gone = LIVY + "/sessions/999"
    for method, url, body, wanted in (
            ("GET", session + "/statements/999", None, (404, "Statement not found")), ("GET", gone, None, (404, {"msg": "Session '999' not found."})),
            ("POST", gone + "/statements", {"code": "SELECT 1"}, (404, {"msg": "Session '999' not found."})), ("DELETE", gone, None, (404, {"msg": "Session '999' not found."}))):
        t.equal(call(method, url, body), wanted, f"Livy: {method} of what is not there")
    status, text = call("POST", LIVY + "/sessions", {"kind": "sql", "name": "check"})
    t.ok(status == 400 and text["msg"].startswith("Rejected, Reason: Duplicate session name: Some(check) for session "), "Livy: a name that is taken", text)
    for body, begins in (({"kind": "nokind"}, "Invalid kind: nokind (through reference chain: "), (b"{bad json", "Unexpected character ('b' (code 98))"),
                         ({"nosuchfield": 1}, 'Unrecognized field "nosuchfield" (class org.apache.livy.server.interactive.CreateInteractiveRequest), not marked as ignorable (17 known properties: ')):
        status, text = call("POST", LIVY + "/sessions", body)
        t.ok(status == 400 and isinstance(text, str) and text.startswith(begins), f"Livy: {body!r} is refused, in a bare string", text)
    status, text = call("POST", session + "/statements", {"kind": "sql"})
    t.ok(status == 500 and text.startswith("java.util.concurrent.ExecutionException: org.apache.livy.rsc.rpc.RpcException: "), "Livy: a statement without code is a 500", text)
    status, page = call("GET", session + "/statements?from=0&size=1")
    t.ok(page["total_statements"] == 6 and len(page["statements"]) == 1 and page["statements"][0]["id"] == 0, "Livy: statements are listed, the oldest first", page)
    t.equal({key: value for key, value in call("GET", LIVY + "/sessions?from=0&size=5")[1].items() if key != "sessions"}, {"from": 0, "total": 1}, "Livy: sessions are listed")
    t.equal((call("DELETE", session), call("GET", session)), ((200, {"msg": "deleted"}), (404, {"msg": f"Session '{number}' not found."})), "Livy: deleted")


def kyuubi(t: Tap) -> None:
    call("PATCH", os.environ["FLOE_KYUUBI_URL"] + "/lab", {"start_s": 5})
    started = time.monotonic()
    status, made = call("POST", KYUUBI + "/sessions", {"configs": {"kyuubi.session.name": "check"}})
    session = f"{KYUUBI}/sessions/{made['identifier']}"
    view = call("GET", session)[1]
    t.equal((status, sorted(made), view["openedTime"], view["engineId"], view["conf"]["kyuubi.session.name"]), (200, ["identifier", "kyuubiInstance"], -1, "", "check"), "Kyuubi: a session is there at once, and not open")
    call("POST", session + "/operations/statement", {"statement": "SELECT 1", "runAsync": True})
    t.ok(time.monotonic() - started >= 5 and call("GET", session)[1]["openedTime"] > 0, "Kyuubi: the first statement waits for its engine")
    call("PATCH", os.environ["FLOE_KYUUBI_URL"] + "/lab", {"start_s": 0})

    def run(text: str, **more: Any) -> tuple[str, dict[str, Any]]:
        url = f"{KYUUBI}/operations/{call('POST', session + '/operations/statement', {'statement': text, 'runAsync': True, **more})[1]['identifier']}"
        return url, until(lambda: (found := call("GET", url + "/event")[1])["state"] != "RUNNING_STATE" and found)

    url, found = run("CALL lab.system.rewrite_data_files(table => 'db.nope')")
    t.ok(found["state"] == "ERROR_STATE" and found["exception"]["message"].startswith("org.apache.kyuubi.KyuubiSQLException: Error operating ExecuteStatement: "), "Kyuubi: what failed", found["exception"]["message"][:200])
    t.ok(20000 < len(json.dumps(found["exception"])) < 60000 and "\n\tat " in found["exception"]["message"], "Kyuubi: with a long stack trace", len(json.dumps(found["exception"])))
    status, text = call("GET", url + "/rowset?maxrows=100&fetchorientation=FETCH_NEXT")
    t.ok(status == 404 and "java.lang.IllegalStateException: Expected state FINISHED, but found ERROR\n\tat " in text["message"], "Kyuubi: no rows of what failed", text)
    url, found = run("SELECT cast(1.5 as decimal(10,2)) d, TIMESTAMP '2026-01-01 00:00:00' t, null n, array(1,2) a, true b, 'x' s, cast(2.5 as double) f")
    t.equal([(one["columnName"], one["dataType"]) for one in call("GET", url + "/resultsetmetadata")[1]["columns"]],
            [("d", "DECIMAL_TYPE"), ("t", "TIMESTAMP_TYPE"), ("n", "NULL_TYPE"), ("a", "ARRAY_TYPE"), ("b", "BOOLEAN_TYPE"), ("s", "STRING_TYPE"), ("f", "DOUBLE_TYPE")], "Kyuubi: types")
    row = call("GET", url + "/rowset?maxrows=100&fetchorientation=FETCH_NEXT")[1]["rows"][0]["fields"]
    t.equal([(one["dataType"], one["value"]) for one in row],
            [("STRING_VAL", "1.50"), ("STRING_VAL", "2026-01-01 00:00:00"), ("STRING_VAL", None), ("STRING_VAL", "[1,2]"), ("BOOL_VAL", True), ("STRING_VAL", "x"), ("DOUBLE_VAL", 2.5)], "Kyuubi: values")
    url, found = run("SELECT id FROM range(250)")
    t.equal([call("GET", url + "/rowset?maxrows=100&fetchorientation=FETCH_NEXT")[1]["rowCount"] for _ in range(4)], [100, 100, 50, 0], "Kyuubi: a fetch moves on, an empty one is the end")
    t.equal((call("PUT", url, {"action": "close"}), call("GET", url + "/event")[0]), ((200, None), 404), "Kyuubi: closed, and not known any more")
    t.equal(run("SELECT count(*) FROM range(3000000000) a JOIN range(1000) b ON a.id % 7 = b.id", queryTimeout=2)[1]["state"], "CANCELED_STATE", "Kyuubi: its time limit looks like cancelling")

    url = f"{KYUUBI}/operations/{NOBODY}"
    for method, path, body, status, says in (
            ("GET", url + "/event", None, 404, f"Error getting an operation event: org.apache.kyuubi.KyuubiSQLException: Invalid OperationHandle [{NOBODY}]\n\tat "),
            ("GET", f"{KYUUBI}/operations/nouuid/event", None, 404, "Error getting an operation event: java.lang.IllegalArgumentException: Invalid UUID string: nouuid\n\tat "),
            ("GET", f"{KYUUBI}/sessions/{NOBODY}", None, 404, f"Invalid {NOBODY}: org.apache.kyuubi.KyuubiSQLException: Invalid SessionHandle [{NOBODY}]\n\tat "),
            ("POST", f"{KYUUBI}/sessions/{NOBODY}/operations/statement", {"statement": "SELECT 1"}, 404, "Error executing statement: org.apache.kyuubi.KyuubiSQLException: Invalid SessionHandle ["),
            ("POST", session + "/operations/statement", {"runAsync": True}, 404, "Error executing statement: java.lang.NullPointerException: "),
            ("GET", session + "/operations/statement", None, 405, "HTTP 405 Method Not Allowed")):
        found = call(method, path, body)
        t.ok(found[0] == status and found[1]["message"].startswith(says), f"Kyuubi: {method} {path.removeprefix(KYUUBI)[:40]}", found)
    status, text = call("POST", KYUUBI + "/sessions", b"{bad")
    t.ok(status == 400 and isinstance(text, str) and text.startswith("Unexpected character ('b' (code 98))"), "Kyuubi: bad JSON, in plain text", text)
    t.equal((call("DELETE", session), call("DELETE", session)), ((200, None), (500, {"message": f"Invalid SessionHandle [{made['identifier']}]"})), "Kyuubi: closed; twice is a 500")


def main() -> None:
    lab("start", "livy", "kyuubi")
    with Tap() as t:
        livy(t)
        kyuubi(t)
    lab("stop", "livy", "kyuubi")


if __name__ == "__main__":
    main()
