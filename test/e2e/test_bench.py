"""The benchmarks work: the simulated catalog serves tables that pyiceberg reads, changes and fails as it is told, the relay counts, and small runs
end with figures.

How fast anything is is not asked here: that is what the benchmark is for.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from harness import ROOT, Tap

sys.path.insert(0, str(ROOT / "bench"))

import lake
import procs
import relay
from drivers import DRIVERS
from poll import FIRST_GENERATION, GENERATIONS, SimulatedCatalog
from pyiceberg.catalog.rest import RestCatalog


def get(uri, etag=None):
    """Status, ETag, body."""
    request = urllib.request.Request(uri, headers={"If-None-Match": etag} if etag else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.headers.get("ETag"), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("ETag"), error.read()


def test_tables(t, catalog):
    reader = RestCatalog("bench", uri=catalog.uri)
    t.equal(len(reader.list_namespaces()), 100, "pyiceberg lists the namespaces")
    t.equal(sorted(name for _, name in reader.list_tables("ns003")), ["t000003", "t000103", "t000203"], "and the tables of one")
    one, other = reader.load_table("ns003.t000103"), reader.load_table("ns003.t000203")
    t.ok(one.metadata.table_uuid != other.metadata.table_uuid and one.location() != other.location(), "tables have UUIDs and locations of their own")
    t.ok(Path(one.metadata_location.removeprefix("file://")).is_file(), "the metadata file is a file", one.metadata_location)
    t.ok(one.metadata_location.startswith(one.location() + "/"), "below the table's location")
    t.equal([len(one.metadata.snapshots), len(list(one.scan().plan_files()))], [FIRST_GENERATION, FIRST_GENERATION * lake.FILES_PER_COMMIT],
            "its snapshots, and through its manifests its data files")
    t.raises(lambda: reader.load_table("ns004.t000103"), "does not exist", "a table of another namespace is not there")


def test_changes(t, catalog):
    uri = f"{catalog.uri}/v1/namespaces/ns007/tables/t000007"
    status, etag, _ = get(uri)
    t.equal([status, get(uri, etag)[0]], [200, 304], "an ETag that still holds is answered by 304")
    before = catalog.counts()
    t.equal(catalog.tell("change?percent=100")["changed"], 300, "all tables get another snapshot")
    status, changed, body = get(uri, etag)
    t.ok(status == 200 and changed != etag, "the old ETag is answered with the table", status, changed)
    t.equal(get(uri, changed)[0], 304, "the new one is not")
    t.equal([now - then for now, then in zip(catalog.counts(), before)], [1, 1], "and the catalog counted these two")
    table = RestCatalog("bench", uri=catalog.uri).load_table("ns007.t000007")
    files = (FIRST_GENERATION + 1) * lake.FILES_PER_COMMIT
    t.equal([len(list(table.scan().plan_files())), json.loads(body)["metadata-location"]], [files, table.metadata_location], "the new snapshot has the new files")
    for _ in range(GENERATIONS):
        last = catalog.tell("change?percent=100")["changed"]
    t.equal(last, 0, "there is an end to it, and it is told")


def test_faults(t, catalog):
    uri = f"{catalog.uri}/v1/namespaces/ns008/tables/t000008"
    whole = get(uri)[2]
    catalog.tell("faults?error=1&status=429&retry_after=7")
    try:
        urllib.request.urlopen(uri, timeout=20)
        t.ok(False, "refused as asked")
    except urllib.error.HTTPError as error:
        t.equal([error.code, error.headers["Retry-After"], json.loads(error.read())["error"]["code"]], [429, "7", 429], "refused as asked")
    t.equal(get(f"{catalog.uri}/v1/config")[0], 200, "only tables are refused")
    catalog.tell("faults?reset=1")
    t.raises(lambda: get(uri), "reset", "a connection is reset")
    catalog.tell("faults?drip=1")
    begun = time.monotonic()
    t.ok(get(uri)[2] == whole and time.monotonic() - begun > 0.5, "a slow body arrives, slowly")
    catalog.tell("faults?delay_ms=300")
    begun = time.monotonic()
    t.ok(get(uri)[2] == whole and time.monotonic() - begun >= 0.3, "a delay is one")
    stats = catalog.tell("stats")
    t.equal([stats.get(name) for name in ("error", "reset", "drip")], [1, 1, 1], "faults are counted")
    catalog.tell("faults?error=0.3")
    bad = sum(get(f"{catalog.uri}/v1/namespaces/ns{number:03d}/tables/t{number:06d}")[0] == 503 for number in range(100))
    t.ok(10 < bad < 50, "some of them fail", bad)
    catalog.tell("faults")
    t.equal(get(uri)[0], 200, "and it heals")


def test_run(t, folder, driver):
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "poll.py"), "--tables", "200", "--rounds", "2", "--changed", "5", "--idle", "2", "--driver", driver, "--results", folder],
                          env={**os.environ, "FLOE_BENCH_FLOOR": str(ROOT / "build" / "bench" / "floor"), "FLOE_TEST_DIR": folder},
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if not t.equal(done.returncode, 0, f"{driver}: a small benchmark runs to its end"):
        t.note(done.stderr[-3000:])
        return
    result = json.loads((Path(folder) / f"poll-{driver}-200.json").read_text())
    t.equal([result["first"]["loaded"], result["first"]["unchanged"]], [200, 0], f"{driver}: the first assessment loaded every table")
    t.equal([[one["loaded"], one["unchanged"], one["floor"]["status_200"]] for one in result["steady"]], [[10, 190, 10]] * 2, f"{driver}: each round loaded what had changed, and so did the floor")
    worked = [one["processes"]["floe" if driver == "procedure" else "floe assessor"] for one in result["steady"]]
    t.ok(all(one["cpu_s"] > 0 and one["anonymous_mb"] > 1 for one in worked), f"{driver}: time and memory of the process that did it",
         result["steady"])
    t.ok(result["profile"]["idle"]["database_ms"] > 0 and result["profile"]["idle"]["buffers"] > 0, f"{driver}: the cost of doing nothing", result["profile"]["idle"])
    sent = " ".join(one["statement"] for one in result["profile"]["round"]["sent"])
    t.ok("claim_tables(" in sent and "apply_assessment(" in sent, f"{driver}: the library's statements were found", sent)
    t.contains(done.stdout, "tables/s (>= 2,000 tables/s)", f"{driver}: and a table for people")


def test_relay(t):
    """Whole requests, in whatever pieces they come."""
    post = b"POST /v1/a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n{   }"
    call = b"\x80\x01\x00\x01\x00\x00\x00\x02do\x00\x00\x00\x01" + b"\x0f\x00\x01\x0b\x00\x00\x00\x02" + b"\x00\x00\x00\x01a" * 2 + b"\x00"
    query = b"Q\x00\x00\x00\x0dSELECT 1\x00"
    for reader, request, kind in ((relay.read_http, post, "POST"), (relay.read_thrift, call, "do"), (relay.read_postgres, query, "query")):
        t.equal([reader(request[:part], False) for part in range(1, len(request))], [None] * (len(request) - 1), f"{kind}: a part of a request is none")
        t.equal(reader(request + b"more", False), (kind, len(request)), f"{kind}: a request ends where it ends")
    startup = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
    t.equal(relay.read_postgres(startup, True), ("encryption?", 8), "a question for TLS is no query")
    t.raises(lambda: relay.read_http(b"PRI * HTTP/2.0\r\n\r\n", False), "not a request", "what is not understood is not counted as something else")


def test_titles(t):
    """A process between its fork and its first words, as a server's workers are."""
    child = subprocess.Popen(["bash", "-c", "read; exec -a 'postgres: floe assessor: idle' sleep 60"], stdin=subprocess.PIPE)
    try:
        watch = procs.Watch(os.getpid())
        watch.look()
        t.equal(watch.seen[child.pid].title, "client", "a process that says nothing of itself is some client")
        child.stdin.write(b"\n")
        child.stdin.flush()
        deadline = time.monotonic() + 20
        while watch.seen[child.pid].title == "client" and time.monotonic() < deadline:
            watch.look()
        t.equal(watch.seen[child.pid].title, "floe assessor", "until it does")
    finally:
        child.kill()
        child.wait()


def test_polls(t, folder):
    tables = 30
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "polls.py"), "--tables", str(tables), "--only", "rest,here", "--results", folder],
                          env={**os.environ, "FLOE_TEST_DIR": folder}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    if not t.equal(done.returncode, 0, "polls: two catalogs, to the end"):
        t.note(done.stderr[-3000:])
        return
    result = json.loads((Path(folder) / f"polls-{tables}.json").read_text())["catalogs"]
    rest, here = result["rest"], result["here"]
    t.equal([rest["unchanged"]["catalog"]["requests"], rest["unchanged"]["catalog"]["answers"]], [tables + 1, {"200": 1, "304": tables}],
            "polls: one request for each table of a REST catalog, answered by 304, and one for its configuration")
    t.equal([rest["unchanged"]["store"]["requests"], here["unchanged"]["catalog"]["requests"]], [0, 0], "polls: nothing of the store, and of this database nothing over the network")
    t.ok(rest["naive"]["catalog"]["requests"] > tables and here["naive"]["store"]["requests"] >= tables, "polls: the peer asked as well", rest["naive"], here["naive"])
    t.contains(done.stdout, "JDBC, this database", "polls: and a table for people")


with Tap() as t, tempfile.TemporaryDirectory(dir=os.environ.get("FLOE_TEST_DIR")) as folder:
    lake.make(Path(folder) / "lake", GENERATIONS)
    catalog = SimulatedCatalog(Path(folder) / "lake", 300)
    try:
        test_tables(t, catalog)
        test_changes(t, catalog)
        test_faults(t, catalog)
    finally:
        catalog.close()
    subprocess.run(["make", "-s", "-C", str(ROOT), "build/bench/floor"], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=120)
    for driver in DRIVERS:
        test_run(t, folder, driver)
    test_relay(t)
    test_titles(t)
    test_polls(t, folder)
