"""Catalogs that are odd but well: what they serve is found and assessed, and nothing they do not serve is made up or dropped."""
import gzip
import random
import threading

from badinput import Base, Bench, Table
from catalog import Mock, answer, as_json, edited, edited_json, error, hang, redirect, reset
from harness import Tap
from lakehouse import Lakehouse

SETTINGS = "SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"
ALL = r"^GET /v1/"
NAMESPACES = r"^GET /v1/namespaces\?"
TABLES = r"^GET /v1/namespaces/[^/]*/tables\?"
CHILDREN = r"^GET /v1/namespaces\?parent="
CONTROL = "line\nend \x1b[31mred\x07\t\x7f"


# -------------------------------------------------------------------------------------------------
# Behaviours that a client has to live with
# -------------------------------------------------------------------------------------------------

def at_first(times, behaviour):
    """Each request only that often, then as it should be."""
    lock, left = threading.Lock(), {}

    def behave(exchange):
        with lock:
            left[exchange.line] = left.get(exchange.line, times) - 1
            bad = left[exchange.line] >= 0
        if bad:
            behaviour(exchange)
        else:
            exchange.send(exchange.normal())
    return behave


def thrice(page):
    for key, values in page.items():
        page[key] = values * 3


def gzipped(normal):
    normal.body = gzip.compress(normal.body)
    normal.headers["Content-Encoding"] = "gzip"


def as_text(normal):
    normal.headers["Content-Type"] = "text/plain"


def own_children(exchange):
    """A namespace is its own child, and the catalog's others are, too."""
    page = exchange.normal().json()
    if exchange.query.get("parent"):
        page["namespaces"] += [exchange.query["parent"].split("\x1f"), ["ns"]]
    exchange.send(as_json(page))


def ever_deeper(exchange):
    """Every namespace has a child."""
    page, parent = exchange.normal().json(), exchange.query.get("parent", "")
    page["namespaces"] += [[*(parent.split("\x1f") if parent else []), "deeper"]]
    exchange.send(as_json(page))


def in_pages(size):
    """Real paging, an empty page before each other one."""
    def behave(exchange):
        page = exchange.normal().json()
        key = next(iter(page))
        at, empty = (exchange.query.get("pageToken") or "0-empty").split("-")
        values = [] if empty else page[key][int(at):int(at) + size]
        end = int(at) + len(values)
        token = f"{at}-" if empty else f"{end}-empty"
        exchange.send(as_json({key: values, **({"next-page-token": token} if empty or end < len(page[key]) else {})}))
    return behave


def moved(exchange):
    """To another place of the same server."""
    if "again" in exchange.query:
        exchange.send(exchange.normal())
    else:
        redirect(f"{exchange.path}{'&' if '?' in exchange.path else '?'}again=1")(exchange)


def config(**overrides):
    return edited_json(lambda page: page["overrides"].update({key.replace("_", "-"): value for key, value in overrides.items()}))


ODD = {
    "redirected": (ALL, moved),
    "s429_once": (ALL, at_first(1, error(429, "TooManyRequestsException", "slow down"))),
    "s429_after": (ALL, at_first(1, error(429, "TooManyRequestsException", "slow down", Retry_After="1"))),
    "s500_twice": (NAMESPACES, at_first(2, error(500))),
    "s503_once": (ALL, at_first(1, answer(503, "<html>busy</html>", Retry_After="0"))),
    "reset_once": (NAMESPACES, at_first(1, reset)),
    "hangs_once": (TABLES, at_first(1, hang)),
    "duplicates": (r"/namespaces", edited_json(lambda page: thrice(page) if "metadata" not in page else None)),
    "own_children": (NAMESPACES, own_children),
    "ever_deeper": (NAMESPACES, ever_deeper),
    "no_nesting_405": (CHILDREN, answer(405, "")),
    "no_nesting_406": (CHILDREN, error(406, "UnsupportedOperationException", "no nested namespaces")),
    "no_nesting_400": (CHILDREN, error(400, "UnsupportedOperationException", "no nested namespaces")),
    "gone_children": (CHILDREN, error(404, "NoSuchNamespaceException", "gone in between")),
    "gzip": (ALL, edited(gzipped)),
    "text": (ALL, edited(as_text)),
    "etag_bytes": (ALL, edited(lambda normal: normal.headers.update(ETag='"\xff\xfe\x80"'))),
    "etag_long": (ALL, edited(lambda normal: normal.headers.update(ETag='"' + "e" * 3000 + '"'))),
    "etag_lines": (ALL, edited(lambda normal: normal.headers.update(ETag='"a\r\n b"'))),
    "retry_after": (ALL, at_first(1, error(503, "Busy", "busy", Retry_After="-5 or so"))),
    "more_keys": (ALL, edited_json(lambda page: {**page, "something-new": {"deep": [[[1.5e300, -0.0, None]]]}})),
    "pages": (r"^GET /v1/namespaces(/[^/]*/tables)?\?", in_pages(1)),
    "elsewhere": (r"^GET /v1/config", config(uri="http://127.0.0.1:9/elsewhere")),
    "nowhere": (r"^GET /v1/config", config(uri="not a URL", token="")),
}


def odd_catalogs(bench, base):
    t = bench.t
    tables = []
    for name, (pattern, behaviour) in ODD.items():
        catalog = bench.mock.catalog(name)
        tables += [Table(catalog, levels, base) for levels in (("ns", "a"), ("ns", "b"), ("other", "a"))]
        catalog.misbehave(pattern, behaviour)
        bench.connect(catalog)
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    for name in ODD:
        row = bench.sql("SELECT status, error, tables, left_out FROM floe.catalogs WHERE name = %s", (name,))[0]
        wanted = {"status": "ok", "error": None, "tables": 3, "left_out": 3 if name == "ever_deeper" else 0}
        t.equal(row, wanted, f"{name}: well, with its three tables")
        bench.assessed([one.name for one in tables if one.catalog.name == name], start, f"{name}: all are assessed")
    t.equal(bench.sql("SELECT config -> 'ignored_uri' AS said FROM floe.catalogs WHERE name = 'elsewhere'")[0]["said"], True, "another origin that the catalog names is not followed, and that is said")
    bench.unharmed()


# -------------------------------------------------------------------------------------------------
# Tokens
# -------------------------------------------------------------------------------------------------

def tokens(bench, base):
    """However short they live, a pass gets along, and asks for few."""
    t = bench.t
    catalogs = {}
    for name, seconds in {"at_once": 1, "two_seconds": 2, "never": 0, "negative": -5, "long": 10 ** 15}.items():
        catalogs[name] = catalog = bench.mock.catalog("token_" + name)
        catalog.client = ("floe", "secret-of-the-client")
        catalog.misbehave("^POST ", edited_json(lambda given, seconds=seconds: given.update(expires_in=seconds)))
    catalogs["withdrawn"] = catalog = bench.mock.catalog("token_withdrawn")
    catalog.client = ("floe", "secret-of-the-client")

    def withdraw(exchange):
        normal = exchange.normal()
        exchange.catalog.tokens.clear()
        exchange.send(normal)

    catalog.misbehave("^GET /v1/config", withdraw)
    tables = []
    for catalog in catalogs.values():
        tables += [Table(catalog, ("ns", f"t{i}"), base) for i in range(10)]
        bench.connect(catalog, {"client_id": "floe", "client_secret": "secret-of-the-client"})
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    for name, catalog in catalogs.items():
        bench.assessed([one.name for one in tables if one.catalog is catalog], start, f"token {name}: all are assessed")
        asked = len(catalog.asked("^POST /v1/oauth/tokens"))
        most = {"at_once": 12, "two_seconds": 6, "withdrawn": 2}.get(name, 1)
        t.ok(1 <= asked <= most, f"token {name}: asked for {asked} times")
    bench.unharmed(("secret-of-the-client",))


# -------------------------------------------------------------------------------------------------
# Names
# -------------------------------------------------------------------------------------------------

def names(bench, base):
    t, pg = bench.t, bench.pg
    chosen = random.Random(7)
    noise = "".join(chosen.choice('abcdefghijklmnopqrstuvwxyz0123456789".') for _ in range(1000))
    usable = [("ns", CONTROL), (CONTROL, "t"), ("ns", "a.b"), ("ns", 'quo"te'), ("ns", "sla/sh"), ("ns", "per%20cent"), ("ns", " blanks "), ("ns", "T"), ("ns", "t"),
              ("ns", "ta\u0308ble"), ("ns", "täble"), ("ns", "表"), ("ns", "\U0001f9ca"), ("ns", "\u202eltr"), ("ns", "?&#=+"), ("ns", ".."), (".", "t"), ("ns", "*"), ("ns", "!x"), ("ns", "a\x1fb"),
              ("ns", noise), (noise, "t"), *((*(["deep"] * n), "t") for n in (2, 29, 30))]
    unusable = [("ns", "x" * 1023), ("ns", "y" * 5000), ("z" * 1100, "t"), ("a\x1fb", "t"), (*(["d"] * 31), "t"), ("ns", "")]
    catalog = bench.mock.catalog("names")
    bench.connect(catalog)
    tables = [Table(catalog, levels, base, place=f"u{i}") for i, levels in enumerate(usable)]
    for i, levels in enumerate(unusable):
        Table(catalog, levels, base, place=f"n{i}")
    start = bench.now()
    notices = bench.refresh_and_maintain(SETTINGS)
    for one in tables:
        bench.assessed([one.name], start, f"name {'/'.join(one.levels).encode('ascii', 'backslashreplace')[:60]} ...: assessed")
    row = bench.sql("SELECT status, error, tables, left_out FROM floe.catalogs WHERE name = 'names'")[0]
    # the namespaces of 1100 characters, of 31 levels and with the separator, and three tables
    t.equal(row, {"status": "ok", "error": None, "tables": len(usable), "left_out": 6}, "what has no name that floe can keep is counted")
    t.contains(notices, f'catalog "names": {len(usable)} tables, {len(usable)} new, 6 left out because of their names', "and told")
    again = bench.sql("SELECT name FROM floe.tables WHERE name LIKE 'names.%%' AND floe_internal.format_name(floe_internal.parse_name(name)) <> name")
    t.equal(again, [], "every name is its own text form")
    ambiguous = bench.sql("SELECT name FROM floe.tables AS v WHERE name LIKE 'names.%%' AND (SELECT count(*) FROM floe.matching_tables(v.name)) <> 1")
    t.equal(ambiguous, [], "and a pattern for that table alone")
    # messages with such names are still one line of text each
    evil = tables[0]
    evil.commit()
    del bench.mock.objects[evil.list_key]
    notices = bench.refresh_and_maintain(SETTINGS)
    told_of_it = [line for line in notices.splitlines() if "manifest list: read" in line]
    t.ok(len(told_of_it) == 1 and told_of_it[0].startswith("NOTICE:  names.ns.") and not any(ord(c) < 32 or ord(c) == 127 for c in told_of_it[0]), "a notice is one line", told_of_it)
    bench.unharmed()


def main():
    with Tap() as t, Mock() as mock, Lakehouse(conf={"floe.max_connections_per_host": "100"}) as pg:
        bench, base = Bench(t, pg, mock), Base()
        for part in (odd_catalogs, tokens, names):
            part(bench, base)
            for name in [row["name"] for row in bench.sql("SELECT name FROM floe.catalogs")]:
                bench.sql(f'DROP SERVER "{name}" CASCADE')


if __name__ == "__main__":
    main()
