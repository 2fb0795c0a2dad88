"""No secret that floe was given leaves it: not in the server's log, tables, events, notifications, notices, errors or statement texts, nor in Spark's pages.

Through success on the real components, and through every kind of failure with servers that throw back whatever they were given. The
server logs all it can. What PostgreSQL itself writes of CREATE USER MAPPING is asserted too: docs/secrets.md says how to avoid it.
"""
import base64
import json
import os
import re
import threading
import time
import urllib.parse
import urllib.request

import psycopg2

from badengine import OPERATION, policy
from badinput import Base, Table

import hs2
from catalog import Mock, answer, as_json, refusal
from harness import Tap, make_tables
from lakehouse import Lakehouse, catalog_definition, literal, options

NS = f"secrets_{int(time.time())}"
TALKATIVE = {
    "log_statement": "all", "log_min_duration_statement": "0", "log_min_messages": "debug1", "log_error_verbosity": "verbose", "log_connections": "on", "log_parameter_max_length_on_error": "-1", "log_line_prefix": "%m [%p] %a ",
    "track_activity_query_size": "100kB", "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all",
}
# Hundreds of kilobytes for each of floe's queries: for one pass of each kind.
PRINTED = "SET debug_print_parse = on; SET debug_print_rewritten = on; SET debug_print_plan = on; SET debug_pretty_print = off; "
# docs/secrets.md: what a superuser sets in the session that writes a USER MAPPING.
QUIET = "-c log_statement=none -c log_min_duration_statement=-1 -c log_min_error_statement=panic -c debug_print_parse=off -c debug_print_rewritten=off -c debug_print_plan=off"

# Awkward characters, because a server may give them back in another encoding.
SECRETS = {
    "client_secret": "Cl1ent+Secret/of=us&100%",
    "token": "t0ken.of~the_catalog-4711",
    "given_token": "g1ven.by-the-token-endpoint",
    "short_token": "t0ken.of",  # the beginning of another one
    "s3_secret": "S3cret/key+of/ours==",
    "s3_session": "s3ssion//token+0815==",
    "vended_secret": "v3nded/secret+key",
    "vended_session": "v3nded//session+token==",
    "header": "header-value-wo-telltale-name",
    "engine_property": "engine-property-wo-telltale-name",
    "spark_setting": "spark-setting-wo-telltale-name",
    "password": "pa55word of <the> \"engine\"",
    "engine_token": "t0ken.of~the_engine-0815",
    "lab": os.environ["FLOE_SEAWEEDFS_SECRET"],
}


def forms(secret):
    """The ways in which a text may hold it."""
    found = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), json.dumps(secret)[1:-1], secret.encode().hex(),
             secret.replace("'", "''"), secret.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")}
    for before in ("", "floe:", "user:"):
        whole = base64.b64encode((before + secret).encode()).decode()
        found |= {whole, whole.rstrip("=")}
    return found


class Search:
    """Looks for every secret in texts; what was searched must not be empty."""

    def __init__(self, t, without=()):
        self.t = t
        self.needles = {form: name for name, secret in SECRETS.items() if name not in without for form in forms(secret)}
        # The first two thirds: a secret that was cut is still one.
        self.needles.update({secret[:max(12, len(secret) * 2 // 3)]: name + " (cut)" for name, secret in SECRETS.items() if name not in without and len(secret) > 12})
        self.needles.pop(SECRETS["short_token"] if "short_token" in without else None, None)
        self.pattern = re.compile("|".join(re.escape(one) for one in sorted(self.needles, key=len, reverse=True)))

    def clean(self, text, what, least=1):
        found = {}
        for hit in self.pattern.finditer(text):
            found.setdefault(self.needles[hit.group()], text[max(0, hit.start() - 160):hit.end() + 60])
        self.t.ok(not found and len(text) >= least, f"no secret in {what} ({len(text)} characters)", *[f"{name}: …{where!r}…" for name, where in found.items()])


class Listener:
    """What a watching colleague sees: notifications, and the texts of pg_stat_activity."""

    def __init__(self, pg):
        self.connection = pg.connect()
        self.texts, self.ended = set(), threading.Event()
        with self.connection.cursor() as cursor:
            cursor.execute("LISTEN floe")
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.ended.wait(0.05):
            with self.connection.cursor() as cursor:
                cursor.execute("SELECT coalesce(query, '') || coalesce(application_name, '') FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
                self.texts |= {row[0] for row in cursor.fetchall()}
            self.connection.poll()

    def end(self):
        self.ended.set()
        self.thread.join()
        self.connection.poll()
        return "\n".join(self.texts), "\n".join(one.payload for one in self.connection.notifies)


class Bench:
    def __init__(self, t, pg):
        self.t, self.pg, self.said = t, pg, []

    def quietly(self, *statements):
        """As docs/secrets.md has it."""
        connection = psycopg2.connect(self.pg.dsn(), options=QUIET)
        connection.autocommit = True
        with connection, connection.cursor() as cursor:
            for one in statements:
                try:
                    cursor.execute(one)
                except psycopg2.Error as error:
                    self.said.append(str(error))
        connection.close()

    def connect(self, name, wrapper, server, mapping):
        kind = "rest" if wrapper == "floe_catalog" else "spark-thrift"
        self.pg.sql(f'CREATE SERVER "{name}" TYPE {literal(kind)} FOREIGN DATA WRAPPER {wrapper} OPTIONS {options(server)}')
        self.quietly(f'CREATE USER MAPPING FOR PUBLIC SERVER "{name}" OPTIONS {options(mapping)}')

    def maintain(self, pattern, wait=False, settings=""):
        done = self.pg.psql(f"SET floe.request_timeout = '5s'; {settings}CALL floe.run_maintenance({literal(pattern)}, {str(wait).lower()})", timeout=120)
        self.t.ok(done.returncode == 0, f"a pass over {pattern}", done.stderr[-1000:])
        self.said.append(done.stderr)
        return done.stderr

    def file(self, secret):
        """A file of the server that holds a secret."""
        path = self.pg.dir / f"secret-{secret}"
        path.write_text(SECRETS[secret] + "\n")
        path.chmod(0o600)
        return str(path)

    def check(self, function, name):
        row = self.pg.sql(f"SELECT * FROM floe.{function}(%s)", (name,))[0]
        self.said.append(json.dumps(row, default=str, ensure_ascii=False))
        return row

    def tables(self):
        """Everything that is stored in floe's schemas, views included, as text."""
        names = self.pg.sql("""SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
            WHERE n.nspname IN ('floe', 'floe_internal') AND c.relkind IN ('r', 'v', 'm')""")
        texts = [self.pg.value(f"SELECT string_agg(x::text, chr(10)) FROM {row['name']} AS x") or "" for row in names]
        # Bytes as they are, too: a secret may stand in the middle of them.
        saved = self.pg.value("SELECT string_agg(encode(saved, 'escape'), ' ') FROM floe_internal.operation_queue")
        return "\n".join([*texts, saved or ""])

    def dump(self):
        done = self.pg._run("pg_dump", "--data-only", "-f", self.pg.dir / "dump.sql", "-d", self.pg.dsn())
        return (self.pg.dir / "dump.sql").read_text() + str(done.returncode)


# -------------------------------------------------------------------------------------------------
# Servers that throw back what they were given
# -------------------------------------------------------------------------------------------------

def given(exchange):
    """All that a request brought: headers, query and body, and the forms it would have in a log."""
    headers = "; ".join(f"{name}: {value}" for name, value in exchange.headers.items())
    body = exchange.request_body.decode()
    return f"{headers} | {exchange.path} | {body} | {urllib.parse.unquote_plus(body)}"


def echo_envelope(status):
    return lambda exchange: exchange.send(refusal(status, "EchoException", given(exchange)))


def echo_plain(status):
    return lambda exchange: answer(status, given(exchange))(exchange)


def echo_html(status):
    # Long enough that what is kept of it ends in the middle of a secret somewhere.
    return lambda exchange: answer(status, f"<html><body>{'x' * (40 + len(exchange.path) % 50)} {given(exchange)}</body></html>")(exchange)


def echo_broken(exchange):
    """JSON that breaks right behind a secret: a parser likes to say near what."""
    bearer = exchange.headers.get("Authorization", "Bearer none").removeprefix("Bearer ")
    answer(200, '{"namespaces": [], "x": "%s" "%s"}' % (bearer, bearer), Content_Type="application/json")(exchange)


def broken_token(exchange):
    answer(200, '{"access_token": "%s" "%s"' % (SECRETS["given_token"], SECRETS["given_token"]), Content_Type="application/json")(exchange)


def odd_token(exchange):
    exchange.send(as_json({"access_token": SECRETS["given_token"] + "\n", "expires_in": 3600, "token_type": "bearer"}))


def good_token(exchange):
    exchange.send(as_json({"access_token": SECRETS["given_token"], "expires_in": 3600, "token_type": "bearer"}))


def echo_store(exchange):
    signed_with = SECRETS["s3_secret" if "store_own" in exchange.path else "vended_secret"]
    text = (given(exchange) + " " + signed_with).replace("&", "&amp;").replace("<", "&lt;")
    answer(403, f"<?xml version=\"1.0\"?><Error><Code>InvalidToken</Code><Message>{text}</Message><Token-0>{text}</Token-0></Error>", Content_Type="application/xml")(exchange)


CATALOGS = {
    # name: (what it does, options of the mapping)
    "plain_500": ([("GET /v1/namespaces", echo_plain(500))], "token"),
    "envelope_500": ([("GET /v1/namespaces", echo_envelope(500))], "token"),
    "html_403": ([("GET /v1/namespaces", echo_html(403))], "token"),
    "config_401": ([("GET /v1/config", echo_envelope(401))], "token"),
    "config_404": ([("GET /v1/config", echo_html(404))], "token"),
    "config_broken": ([("GET /v1/config", echo_broken)], "token"),
    "list_broken": ([("GET /v1/namespaces", echo_broken)], "token"),
    "load_500": ([("/tables/t(\\?|$)", echo_envelope(500))], "token"),
    "load_broken": ([("/tables/t(\\?|$)", echo_broken)], "token"),
    "oauth_401": ([("oauth/tokens", echo_envelope(401))], "client"),
    "oauth_400": ([("oauth/tokens", lambda exchange: exchange.send(as_json({"error": "invalid_client", "error_description": given(exchange)}, 400)))], "client"),
    "oauth_500": ([("oauth/tokens", echo_plain(500))], "client"),
    "oauth_html": ([("oauth/tokens", echo_html(502))], "client"),
    "oauth_broken": ([("oauth/tokens", broken_token)], "client"),
    "oauth_odd": ([("oauth/tokens", odd_token)], "client"),
    "oauth_then_500": ([("oauth/tokens", good_token), ("GET /v1/namespaces", echo_plain(500))], "client"),
    "oauth_then_load": ([("oauth/tokens", good_token), ("/tables/t(\\?|$)", echo_envelope(500))], "client"),
    "redirected": ([("GET /v1/namespaces", lambda exchange: answer(302, given(exchange), Location="http://127.0.0.1:1/?" + urllib.parse.quote(given(exchange)))(exchange))], "token"),
}
EXTRA = {"header.X-Tenant": SECRETS["header"], "engine.custom": SECRETS["engine_property"], "s3_access_key_id": "mock", "s3_secret_access_key": SECRETS["s3_secret"],
         "s3_session_token": SECRETS["s3_session"]}
LOGINS = {"token": {"token": SECRETS["token"]}, "client": {"client_id": "user", "client_secret": SECRETS["client_secret"]}}


def failing_catalogs(bench, stores, base):
    for name, (rules, login) in CATALOGS.items():
        one = stores.catalog(name)
        if login == "client":
            one.client, one.tokens = ("user", SECRETS["client_secret"]), {SECRETS["given_token"]: time.monotonic() + 3600}
        Table(one, ("ns", "t"), base)
        for pattern, behaviour in rules:
            one.misbehave(pattern, behaviour)
        given_as = {"client_id": "user", "client_secret_file": bench.file("client_secret")} if name == "oauth_500" else LOGINS[login]
        bench.connect(name, "floe_catalog", {"uri": one.uri, "s3_endpoint": stores.uri}, {**given_as, **EXTRA})
    # A store that throws back what it was given, with keys of floe's own and with vended ones.
    for name, vended in (("store_own", {}), ("store_vended", {"s3.access-key-id": "mock", "s3.secret-access-key": SECRETS["vended_secret"], "s3.session-token": SECRETS["vended_session"],
                                                              "s3.endpoint": stores.uri, "s3.path-style-access": "true", "token": SECRETS["short_token"]})):
        one = stores.catalog(name)
        Table(one, ("ns", "t"), base)
        one.vended = vended
        server = {"uri": one.uri, **({} if vended else {"s3_endpoint": stores.uri})}
        bench.connect(name, "floe_catalog", server, {"token": SECRETS["token"], **({} if vended else EXTRA)})
    stores.misbehave("lake/store_", echo_store)
    before = {name: len(one.requests) for name, one in stores.catalogs.items()}
    bench.maintain("**")
    rows = {row["name"]: row for row in bench.pg.sql("SELECT * FROM floe.catalogs")}
    tables = {row["name"]: row for row in bench.pg.sql("SELECT * FROM floe.tables")}
    for name in CATALOGS:
        told = rows[name]["error"] or tables.get(f"{name}.ns.t", {}).get("error")
        bench.t.ok(told and len(stores.catalogs[name].requests) > before[name], f"{name}: it failed, and says so: {told}", rows[name])
        checked = bench.check("check_catalog", name)
        bench.t.ok(checked["message"], f"{name}: check_catalog says something", checked)
    bench.maintain("oauth_400.**", settings=PRINTED)
    for name in ("store_own", "store_vended"):
        told = tables.get(f"{name}.ns.t", {})
        bench.t.ok(told.get("status") == "error" and "InvalidToken" in (told.get("error_detail") or ""), f"{name}: the store's refusal is the reason", told)


# -------------------------------------------------------------------------------------------------
# Engines
# -------------------------------------------------------------------------------------------------

def configuration(exchange):
    """Everything that the engine was told in its sessions and in this request."""
    conf = json.dumps(exchange.engine.sessions and list(exchange.engine.sessions.values())[-1] or dict(getattr(exchange.request, "configuration", None) or {}), ensure_ascii=False)
    authorization = exchange.headers.get("Authorization", "")
    plain = base64.b64decode(authorization.split(" ")[1]).decode() if authorization.startswith("Basic ") else authorization
    return f"{authorization} {plain} {conf}"


def echo_refusal(exchange):
    exchange.send_reply(exchange.refusal("org.example.EchoException: " + configuration(exchange) + "\n\tat org.example.Echo.call(Echo.java:1)"))


def echo_fault(exchange):
    hs2.fault(configuration(exchange))(exchange)


def echo_http(status):
    return lambda exchange: exchange.send(status, configuration(exchange).encode())


def echo_state(exchange):
    reply = exchange.normal()
    reply.operationState, reply.errorMessage = hs2.FAILED, "java.lang.RuntimeException: cannot log in\n\tat A.b(C.java:1)\nCaused by: org.example.Inner: " + configuration(exchange)
    exchange.send_reply(reply)


def echo_rows(exchange):
    reply = exchange.normal()
    text = configuration(exchange)
    words = hs2.ttypes.TColumn(stringVal=hs2.ttypes.TStringColumn([text] if reply.results.columns[0].i32Val.values else [], b"\x00"))
    reply.results.columns = [words, words]
    exchange.send_reply(reply)


def echo_info(exchange):
    reply = exchange.normal()
    reply.infoValue.stringValue = configuration(exchange)
    exchange.send_reply(reply)


ENGINES = {
    "open_refused": [("OpenSession", echo_refusal)],
    "open_fault": [("OpenSession", echo_fault)],
    "open_401": [("OpenSession", echo_http(401))],
    "open_500": [("OpenSession", echo_http(500))],
    "execute_refused": [("ExecuteStatement", echo_refusal)],
    "execute_500": [("ExecuteStatement", echo_http(500))],
    "poll_500": [("GetOperationStatus", echo_http(500))],
    "poll_refused": [("GetOperationStatus", echo_refusal)],
    "failed": [("GetOperationStatus", echo_state)],
    "rows": [("FetchResults", echo_rows)],
    "fetch_refused": [("FetchResults", echo_refusal)],
    "close_refused": [("CloseSession", echo_refusal)],
    "info": [("GetInfo", echo_info)],
}


def failing_engines(bench, stores, engines, base):
    catalog = stores.catalog("work")
    catalog.token = SECRETS["token"]
    bench.connect("work", "floe_catalog", {"uri": catalog.uri, "s3_endpoint": stores.uri}, {"token": SECRETS["token"], **EXTRA})
    tables = {}
    for place, (name, rules) in enumerate(ENGINES.items()):
        one = engines.engine(name)
        for pattern, behaviour in rules:
            one.misbehave(pattern, behaviour)
        tables[name] = Table(catalog, ("ns", name), base)
        one.work = lambda statement, table=tables[name]: table.commit()
        login = [{"token": SECRETS["engine_token"]}, {"username": "floe", "password": SECRETS["password"]}, {"username": "floe", "password_file": bench.file("password")}][place % 3]
        bench.connect(name, "floe_engine", {"url": one.url}, {**login, "spark.floe.plain": SECRETS["spark_setting"]})
        bench.pg.sql("SELECT floe.create_policy(%s, %s, %s)", (name, f"work.ns.{name}", json.dumps(policy(name, base))))
    bench.maintain("work.**")
    bench.maintain("work.ns.poll_500", settings=PRINTED)
    bench.maintain("work.**")
    rows = {row["engine"]: row for row in bench.pg.sql("SELECT * FROM floe.operations WHERE table_name LIKE 'work.%%' ORDER BY id")}
    for name in ENGINES:
        bench.t.ok(name in rows and engines.engine(name).log, f"{name}: the engine was asked", rows.get(name))
        bench.check("check_engine", name)
    conf = engines.engine("rows").calls("OpenSession")[0].request.configuration
    for name in ("token", "header", "engine_property", "s3_secret", "s3_session", "spark_setting"):
        bench.t.ok(any(SECRETS[name] in value for value in conf.values()), f"the engine did get the {name}, in OpenSession")
    bench.t.ok(rows["rows"]["engine_result"] and "***" in json.dumps(rows["rows"]["engine_result"]), "rows: masked in the result", str(rows["rows"]["engine_result"])[:500])
    bench.t.ok(rows["failed"]["error"] and "***" in rows["failed"]["error"], "failed: masked in the error", rows["failed"]["error"])


# -------------------------------------------------------------------------------------------------
# Statements about user mappings
# -------------------------------------------------------------------------------------------------

def bad_statements():
    secret = {name: literal(value) for name, value in SECRETS.items()}
    return [
        f"CREATE USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (token {secret['token']}, nonsense {secret['header']})",
        f"CREATE USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (clientsecret {secret['client_secret']})",
        f"CREATE USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (\"header.bad name\" {secret['header']})",
        f"CREATE USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (token E'{SECRETS['token']}\\n')",
        f"ALTER USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (SET client_secret {secret['client_secret']}, ADD what {secret['token']})",
        f"ALTER SERVER ddl OPTIONS (ADD \"header.Authorization\" {literal('Bearer ' + SECRETS['token'])})",
        f"ALTER SERVER ddl OPTIONS (ADD token {secret['token']})",
        f"ALTER SERVER ddl OPTIONS (SET uri {literal('http://user:' + SECRETS['token'] + '@127.0.0.1/')})",
        f"CREATE USER MAPPING FOR PUBLIC SERVER ddl_jdbc OPTIONS (username 'floe', client_secret {secret['client_secret']})",
        f"ALTER SERVER ddl_engine OPTIONS (ADD \"spark.sql.catalog.x.token\" {secret['engine_token']})",
    ]


def statements(bench):
    """Errors name options, never values."""
    bench.pg.sql("CREATE SERVER ddl TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1')")
    bench.pg.sql("CREATE SERVER ddl_jdbc TYPE 'jdbc' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'postgresql:///')")
    bench.pg.sql("CREATE SERVER ddl_engine TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1')")
    before = len(bench.said)
    bench.quietly(*bad_statements())
    bench.t.equal(len(bench.said) - before, len(bad_statements()), "each of the bad statements is refused")


def what_postgresql_logs(t):
    """With PostgreSQL's own settings: what of a refused and of an accepted statement stays in the log. docs/secrets.md tells people."""
    with Lakehouse(conf={"log_statement": "none"}, name="plain") as pg:
        pg.sql("CREATE SERVER ddl TYPE 'rest' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'http://127.0.0.1:1')")
        pg.sql("CREATE SERVER ddl_jdbc TYPE 'jdbc' FOREIGN DATA WRAPPER floe_catalog OPTIONS (uri 'postgresql:///')")
        pg.sql("CREATE SERVER ddl_engine TYPE 'spark-thrift' FOREIGN DATA WRAPPER floe_engine OPTIONS (url 'http://127.0.0.1:1')")
        search = Search(t)
        for one in bad_statements()[:4] + bad_statements()[5:]:
            t.raises(lambda one=one: pg.sql(one), "", f"refused: {one[:60]}")
        pg.sql(f"CREATE USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (client_secret {literal(SECRETS['client_secret'])})")
        search.clean(pg.server_log(), "the log of a server with PostgreSQL's own settings, of statements that floe refused or took")
        t.raises(lambda: pg.sql(f"CREATE USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (client_secret {literal(SECRETS['client_secret'])})"), "already exists", "what PostgreSQL itself refuses")
        t.contains(pg.server_log(), SECRETS["client_secret"], "… it logs, with the statement: docs/secrets.md says what to do")
        offset = len(pg.server_log())
        pg.sql("ALTER SYSTEM SET log_statement = 'ddl'")
        pg.sql("SELECT pg_reload_conf()")
        pg.wait_for("SELECT current_setting('log_statement') = 'ddl'")
        pg.sql(f"ALTER USER MAPPING FOR PUBLIC SERVER ddl OPTIONS (SET client_secret {literal(SECRETS['client_secret'] + '2')})")
        t.contains(pg.server_log()[offset:], SECRETS["client_secret"] + "2", "log_statement logs it: docs/secrets.md says what to do")


# -------------------------------------------------------------------------------------------------
# The real components
# -------------------------------------------------------------------------------------------------

def real(bench):
    """SeaweedFS with OAuth2, tables in its S3, and Spark: one operation that succeeds and one that Spark refuses."""
    made = make_tables("seaweedfs", NS, ["many_small", "skewed"])
    server, mapping = catalog_definition("seaweedfs")
    bench.connect("weed", "floe_catalog", server, {**mapping, "header.X-Tenant": SECRETS["header"], "engine.custom": SECRETS["engine_property"]})
    bench.connect("spark", "floe_engine", {"url": os.environ["FLOE_SPARK_URL"]}, {"username": "floe", "password": SECRETS["password"], "spark.floe.plain": SECRETS["spark_setting"]})
    good, bad = (f"weed.{NS}.{one['table']}" for one in made)
    bench.pg.sql("SELECT floe.create_policy('real', %s, %s)", (f"weed.{NS}.*", json.dumps({"engine": "spark", OPERATION: {"options": {"rewrite_all": True}}, "expire_snapshots": {}})))
    bench.maintain(f"weed.{NS}.*")
    bench.pg.sql("SELECT floe.trigger(%s, ARRAY[%s, 'expire_snapshots'])", (good, OPERATION))
    bench.pg.sql("SELECT floe.trigger(%s, ARRAY[%s], %s)", (bad, OPERATION, json.dumps({OPERATION: {"output_spec_id": 99}})))
    bench.maintain(f"weed.{NS}.*", wait=True)
    rows = bench.pg.sql("SELECT * FROM floe.operations WHERE table_name LIKE %s ORDER BY id", (f"weed.{NS}.%",))
    states = {(row["table_name"], row["operation"]): row["state"] for row in rows}
    bench.t.ok(states.get((good, OPERATION)) == "succeeded" and states.get((bad, OPERATION)) == "failed", "real: one succeeded and one failed", states)
    for function, name in (("check_catalog", "weed"), ("check_engine", "spark")):
        bench.t.ok(bench.check(function, name)["success"], f"real: {function}")
    # Wrong secrets, at the real ones.
    bench.quietly(f"ALTER USER MAPPING FOR PUBLIC SERVER weed OPTIONS (SET client_secret {literal(SECRETS['client_secret'])}, SET s3_secret_access_key {literal(SECRETS['s3_secret'])})")
    notices = bench.maintain(f"weed.{NS}.*")
    bench.t.ok("weed" in notices and bench.pg.value("SELECT status FROM floe.catalogs WHERE name = 'weed'") == "error", "real: wrong secrets are refused", notices)
    bench.check("check_catalog", "weed")


def fetched(url):
    with urllib.request.urlopen(url, timeout=20) as reply:
        return reply.read().decode()


def spark_pages():
    """Every page of the engine that shows statements or settings."""
    ui = os.environ["FLOE_SPARK_UI"]
    app = json.loads(fetched(f"{ui}/api/v1/applications"))[0]["id"]
    executions = json.loads(fetched(f"{ui}/api/v1/applications/{app}/sql?details=true&planDescription=true&length=1000"))
    pages = [fetched(f"{ui}/api/v1/applications/{app}/{name}") for name in ("environment", "jobs", "stages", "sql?details=true&planDescription=true&length=1000")]
    pages += [fetched(f"{ui}/{name}/") for name in ("environment", "jobs", "stages", "SQL", "sqlserver")]
    pages += [fetched(f"{ui}/SQL/execution/?id={one['id']}") for one in executions[-20:]]
    return "\n".join(pages)


def main():
    with Tap() as t, Lakehouse(conf=TALKATIVE) as pg, Mock() as stores, hs2.Mock() as engines:
        bench = Bench(t, pg)
        stores.access_key = "mock"
        base = Base()
        pg.sql("CREATE EXTENSION pg_stat_statements")
        listener = Listener(pg)
        real(bench)
        failing_catalogs(bench, stores, base)
        failing_engines(bench, stores, engines, base)
        statements(bench)
        texts, notifications = listener.end()
        search = Search(t)
        log = pg.server_log()
        t.contains(log, "LOG:  00000: statement: CALL floe.run_maintenance", "the server logs statements")
        search.clean(log, "the server's log", 100000)
        search.clean(bench.tables(), "floe's tables and views", 10000)
        search.clean(bench.dump(), "pg_dump --data-only", 100)
        search.clean("\n".join(bench.said), "notices, errors and answers", 1000)
        # The statements that give the secrets are seen by those who may see all of it anyway; nothing else shows them.
        search.clean("\n".join(text for text in texts.splitlines() if "USER MAPPING" not in text and "SERVER ddl" not in text), "pg_stat_activity", 100)
        search.clean(notifications, "notifications", 1000)
        recorded = [row["query"] for row in pg.sql("SELECT query FROM pg_stat_statements")]
        search.clean("\n".join(text for text in recorded if "USER MAPPING" not in text and "SERVER ddl" not in text), "pg_stat_statements", 10000)
        search.clean((lab_log("spark")), "Spark's log", 1000)
        search.clean(spark_pages(), "Spark's pages", 10000)
        what_postgresql_logs(t)


def lab_log(component):
    with open(os.path.join(os.environ["FLOE_RUN"], f"{component}.log"), encoding="utf-8", errors="replace") as file:
        return file.read()


if __name__ == "__main__":
    main()
