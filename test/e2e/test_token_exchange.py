"""A token of somebody else in exchange for one of the catalog (RFC 8693): what floe asks for, how long it uses what it gets, and when it asks again.

Endpoints that refuse or misbehave: test_bad_credentials.py. What engines are told: test_engine_logins.py.
"""
import os
from pathlib import Path

from badinput import Base, Bench, Table
from catalog import Mock, as_json
from harness import Tap, lab
from lakehouse import Lakehouse

CONF = {"floe.allowed_hosts": "127.0.0.1, localhost", "log_min_messages": "debug1", "floe.request_timeout": "5s"}
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS, JWT = "urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:jwt"
# characters that mean something in a form
SUBJECT, SECOND = "sub+ject/token=one&that%20nobody=sees~ü", "second+subject/token&that%2Bnobody=sees"
SECRET = "client+secret&that=nobody%sees"
SECRETS = (SUBJECT, SECOND, SECRET, "-token-1", "-token-2")

# options of SERVER and USER MAPPING, and the whole form that must come of them
FORMS = {
    "plain": ({}, {}, {"subject_token_type": ACCESS, "scope": "catalog"}),
    "typed": ({"subject_token_type": JWT}, {}, {"subject_token_type": JWT, "scope": "catalog"}),
    "scoped": ({"scope": "lake:read lake:write", "audience": "https://lake.example/?a=b&c", "resource": "urn:lake"}, {},
               {"subject_token_type": ACCESS, "scope": "lake:read lake:write", "audience": "https://lake.example/?a=b&c", "resource": "urn:lake"}),
    "client": ({}, {"client_id": "flöe client", "client_secret": SECRET}, {"subject_token_type": ACCESS, "scope": "catalog", "client_id": "flöe client", "client_secret": SECRET}),
}


class Stage:
    def __init__(self, t, pg, mock):
        self.t, self.pg, self.bench, self.base = t, pg, Bench(t, pg, mock), Base()
        self.mock = mock

    def catalog(self, name, server=None, mapping=None, subjects=(SUBJECT,)):
        """A catalog with one table that lets in whoever has exchanged one of these."""
        catalog = self.mock.catalog(name)
        catalog.subjects |= set(subjects)
        table = Table(catalog, ("ns", "t"), self.base)
        self.bench.connect(catalog, {"subject_token": SUBJECT, **(mapping or {})} if "subject_token_file" not in (mapping or {}) else mapping, **(server or {}))
        return catalog, table

    def state(self, name):
        return self.bench.sql("SELECT status, error, error_detail FROM floe.catalogs WHERE name = %s", (name,))[0]

    def look(self, *names):
        """The catalogs are listed, and their tables looked at."""
        self.bench.refresh_and_maintain(pattern=", ".join(f"{name}.**" for name in names))

    def assessed(self, name):
        return self.bench.table([name, "ns", "t"]).get("status") == "ok"

    def bearers(self, catalog):
        """Which tokens the requests came with, one after the other."""
        with self.mock.lock:
            log = [headers.get("Authorization") for line, headers in zip(catalog.requests, catalog.header_log) if not line.startswith("POST /v1/oauth")]
        return [one.removeprefix("Bearer ") if one else None for one in log]


def forms(stage):
    t = stage.t
    catalogs = {}
    for name, (server, mapping, _) in FORMS.items():
        catalogs[name], _ = stage.catalog(name, server, mapping)
        if "client_id" in mapping:
            catalogs[name].client = (mapping["client_id"], mapping["client_secret"])
    stage.look(*FORMS)
    for name, (_, _, wanted) in FORMS.items():
        asked = catalogs[name].token_requests
        t.equal([form for form, _ in asked], [{"grant_type": GRANT, "subject_token": SUBJECT, **wanted}], f"{name}: the form, asked for once")
        headers = {key.lower(): value for key, value in asked[0][1].items()} if asked else {}
        t.ok(headers.get("content-type") == "application/x-www-form-urlencoded" and headers.get("accept") == "application/json" and "authorization" not in headers,
             f"{name}: with the headers of a form, and no others that let in", headers)
        t.equal(set(stage.bearers(catalogs[name])), {f"{name}-token-1"}, f"{name}: every request has the token that was given")
        t.ok(stage.assessed(name) and stage.state(name)["status"] == "ok", f"{name}: the catalog lets floe in", stage.state(name))
        checked = stage.bench.sql("SELECT * FROM floe.check_catalog(%s)", (name,))[0]
        t.ok(checked["success"] and checked["detail"]["catalog"]["authentication"] == "token-exchange", f"{name}: check_catalog() says how", checked)


def renewed_in_time(stage):
    """The endpoint says two seconds; the catalog itself would take the token for an hour, so a refusal is not what makes floe ask again."""
    catalog, _ = stage.catalog("brief")
    catalog.misbehave("^POST /v1/oauth/tokens", lambda exchange: exchange.send(as_json({**exchange.normal().json(), "expires_in": 2})))

    def slow(exchange):
        # a second and a half, in which the first token runs out by more than the margin
        if not catalog.rules_done:
            catalog.rules_done = True
            exchange.server.ended.wait(1.5)
        exchange.send(exchange.normal())

    catalog.rules_done = False
    catalog.misbehave("^GET /v1/namespaces", slow)
    stage.look("brief")
    used = stage.bearers(catalog)
    stage.t.ok(stage.assessed("brief") and used == sorted(used) and set(used) >= {"brief-token-1", "brief-token-2"} and len(used) > 3,
               "a token is renewed before it runs out", used, stage.state("brief"))
    stage.t.equal({form["subject_token"] for form, _ in catalog.token_requests}, {SUBJECT}, "with the subject token again")


def renewed_after_a_401(stage):
    catalog, _ = stage.catalog("withdrawn")

    def withdraw(exchange):
        """What was given until now means nothing any more."""
        if len(catalog.tokens) == 1:
            catalog.tokens = {token: 0 for token in catalog.tokens}
        exchange.send(exchange.normal())

    catalog.misbehave("^GET /v1/namespaces/ns/tables/t", withdraw)
    stage.look("withdrawn")
    stage.t.equal(len(catalog.token_requests), 2, "a token that was withdrawn: one other is asked for")
    stage.t.ok(stage.assessed("withdrawn"), "and the request is repeated with it", stage.state("withdrawn"), stage.bearers(catalog))
    useless, _ = stage.catalog("useless")
    useless.misbehave("^GET ", lambda exchange: exchange.send(as_json({"error": {"type": "NotAuthorizedException", "code": 401, "message": "no"}}, 401)))
    stage.look("useless")
    stage.t.equal((len(useless.token_requests), stage.state("useless")["status"]), (2, "error"), "where no token helps, two are asked for and no more")


def file_anew(stage):
    path = Path(stage.pg.dir, "subject-token")

    def write(token):
        path.write_text(token + "\n", encoding="utf-8")
        path.chmod(0o600)

    write(SUBJECT)
    catalog, table = stage.catalog("rotated", mapping={"subject_token_file": str(path)})
    stage.look("rotated")
    stage.t.ok(stage.assessed("rotated"), "a subject token from a file", stage.state("rotated"))
    # the provider turns it over, as Kubernetes does with a service account's
    catalog.subjects.clear()
    catalog.subjects.add(SECOND)
    catalog.tokens.clear()
    table.commit()
    stage.look("rotated")
    state = stage.state("rotated")
    stage.t.ok(state["status"] == "error" and "the token endpoint refused the subject token" in state["error"] and "invalid_grant" in state["error_detail"], "that has expired: a state with the reason", state)
    write(SECOND)
    stage.look("rotated")
    stage.t.ok(stage.state("rotated")["status"] == "ok" and stage.assessed("rotated"), "is read anew, without a change of the mapping", stage.state("rotated"))
    stage.t.equal([form["subject_token"] for form, _ in catalog.token_requests][-1], SECOND, "what is sent is what stands in the file now")


def real(stage):
    """The lab's provider does not know the grant, and says so as a problem of RFC 9457."""
    lab("start", "oauth2")
    try:
        stage.catalog("provider", {"oauth2_server_uri": os.environ["FLOE_OAUTH2_URI"] + "/token"})
        stage.look("provider")
        state = stage.state("provider")
        stage.t.equal((state["status"], state["error"], state["error_detail"]), ("error", "the token endpoint refused the subject token", "Invalid grant type"),
                      "a real provider that does not exchange tokens: a state with its words")
    finally:
        lab("stop", "oauth2")


def main():
    with Tap() as t, Mock() as mock, Lakehouse(conf=CONF) as pg:
        stage = Stage(t, pg, mock)
        for part in (forms, renewed_in_time, renewed_after_a_401, file_anew, real):
            part(stage)
        stage.bench.unharmed(SECRETS)
        kept = str(stage.bench.sql("SELECT to_jsonb(c)::text AS kept FROM floe.catalogs AS c UNION ALL SELECT to_jsonb(e)::text FROM floe.events AS e"))
        t.equal([secret for secret in SECRETS if secret in kept], [], "no secret in what floe keeps")


if __name__ == "__main__":
    main()
