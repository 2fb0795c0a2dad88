"""Credentials that are wrong, token endpoints that misbehave, warehouses nobody has, TLS that proves nothing: each a row with the reason.

No secret may show up in any of it: the mock repeats what it was given, in the hope that floe says it.
"""
import json
import subprocess
import urllib.parse
from pathlib import Path

from badcatalog import CatalogCase, Kind, run_kinds
from badinput import Base, Bench
from catalog import Answer, Mock, answer, as_json, endless, error, hang, redirect
from harness import Tap, free_port
from lakehouse import Lakehouse, catalog_definition, literal

SETTINGS = "SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"
CONF = {"floe.allowed_hosts": "127.0.0.1", "floe.max_connections_per_host": "100"}
CLIENT, SECRET, OTHER_SECRET = "floe-client", "client-secret-that-nobody-may-see", "another-secret-that-nobody-may-see"
TOKEN, OTHER_TOKEN = "fixed-token-that-nobody-may-see", "wrong-token-that-nobody-may-see"
HTML = "<html><body>Sign in</body></html>"
WHO = r"127\.0\.0\.1:\d+"
REFUSED = "the token endpoint refused the client credentials"
SUBJECT, OTHER_SUBJECT = "subject+token/that=nobody&may%see", "wrong+subject/that=nobody&may%see"
NOT_EXCHANGED = "the token endpoint refused the subject token"


def certificate(directory: Path, name: str, san: str) -> tuple[str, str]:
    """Signed by itself; also the file of authorities that trusts it."""
    pem, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName={san}", "-keyout", key, "-out", pem], check=True, capture_output=True)
    return str(pem), str(key)


def tokens(behaviour):
    return lambda catalog: catalog.misbehave("^POST /v1/oauth/tokens", behaviour)


def given(**answer_of_the_endpoint):
    return tokens(lambda exchange: exchange.send(as_json({"token_type": "bearer", **answer_of_the_endpoint})))


def repeats_the_secret(exchange):
    exchange.send(as_json({"error": "invalid_client", "error_description": "not this: " + exchange.request_body.decode() + " " + SECRET}, 401))


def refuses(error, **more):
    return tokens(lambda exchange: exchange.send(as_json({"error": error, **more}, 400)))


def repeats_the_form(exchange):
    form = dict(urllib.parse.parse_qsl(exchange.request_body.decode()))
    exchange.send(as_json({"error": "invalid_request", "error_description": f"not this: {exchange.request_body.decode()} {form['subject_token']} "}, 400))


def as_a_form(exchange):
    """As some providers answered before there was a standard."""
    token = json.loads(exchange.normal().body)["access_token"]
    exchange.send(Answer(200, f"access_token={token}&expires_in=3600".encode(), {"Content-Type": "application/x-www-form-urlencoded"}))


def repeats_the_token(exchange):
    exchange.send(as_json({"error": {"type": "NotAuthorizedException", "code": 403, "message": f"not this: {exchange.headers['Authorization']}"}}, 403))


def nobody_gets_in(catalog):
    catalog.misbehave("^GET ", error(401, "NotAuthorizedException", "the token means nothing"))


C = CatalogCase
OAUTH2 = [
    C("wrong_secret", None, "auth", f"^{REFUSED}: invalid_client: unknown client or wrong secret$", "auth", mapping={"client_secret": OTHER_SECRET}),
    C("wrong_client", None, "auth", f"^{REFUSED}: invalid_client: unknown client or wrong secret$", "auth", mapping={"client_id": "somebody"}),
    C("token_secret", tokens(repeats_the_secret), "auth", rf"^{REFUSED}: invalid_client: not this: .*\*\*\*", "auth"),
    C("token_400", tokens(lambda exchange: exchange.send(as_json({"error": "invalid_scope"}, 400))), "auth", f"^{REFUSED}: invalid_scope$", "auth"),
    C("token_down", None, "connect", f"^get token: cannot connect to {WHO}", "TCP", {"oauth2_server_uri": f"http://127.0.0.1:{free_port()}/tokens"}),
    C("token_host", None, "denied", "^get token: .*floe.allowed_hosts", "configuration", {"oauth2_server_uri": "http://localhost:1/tokens"}),
    C("token_hangs", tokens(hang), "timeout", f"^get token: {WHO} did not answer within [0-9]+ ms", "protocol"),
    C("token_404", tokens(answer(404, HTML)), "not_found", "^get token: the catalog answered 404: Sign in$", "protocol"),
    C("token_500", tokens(answer(500, HTML)), "server", "^get token: the catalog answered 500: Sign in$", "protocol"),
    C("token_429", tokens(answer(429, "", Retry_After="100")), "throttled", "^get token: the catalog answered 429$", "protocol"),
    C("token_html", tokens(answer(200, HTML)), "protocol", "^answer of the token endpoint: invalid JSON", "protocol"),
    C("token_empty", tokens(answer(200, "")), "protocol", "^answer of the token endpoint: invalid JSON", "protocol"),
    C("token_none", given(), "protocol", '^answer of the token endpoint: .*"?access_token"? is missing', "protocol"),
    C("token_number", given(access_token=7), "protocol", "^answer of the token endpoint: .*access_token", "protocol"),
    C("token_lines", given(access_token="a\r\nX-Admin: yes"), "protocol", '^answer of the token endpoint: "access_token" is not a bearer token$', "protocol"),
    C("token_life", given(access_token="abc", expires_in="soon"), "protocol", "^answer of the token endpoint: .*expires_in", "protocol"),
    C("token_huge", tokens(endless(b'{"access_token": "')), "too_large", f"^get token: the answer of {WHO} exceeds 262144 bytes", "protocol"),
    C("token_moved", tokens(redirect("http://127.0.0.1:9/tokens", 307)), "http", "^get token: the catalog answered 307", "protocol"),
    C("token_useless", nobody_gets_in, "auth", "^get configuration: the catalog answered 401: NotAuthorizedException: the token means nothing$", "auth"),
]
EXCHANGE = [
    C("x_grant", None, "auth", f"^{NOT_EXCHANGED}: invalid_grant: the subject token means nothing$", "auth", mapping={"subject_token": OTHER_SUBJECT}),
    C("x_target", refuses("invalid_target", error_description="no such audience"), "auth", f"^{NOT_EXCHANGED}: invalid_target: no such audience$", "auth"),
    C("x_cannot", refuses("unsupported_grant_type"), "auth", f"^{NOT_EXCHANGED}: unsupported_grant_type$", "auth"),
    C("x_repeated", tokens(repeats_the_form), "auth", rf"^{NOT_EXCHANGED}: invalid_request: not this: .*subject_token=\*\*\*&.* \*\*\* *$", "auth"),
    C("x_403", tokens(answer(403, HTML)), "auth", f"^{NOT_EXCHANGED}: Sign in$", "auth"),
    C("x_html", tokens(answer(200, HTML, Content_Type="text/html")), "protocol", "^answer of the token endpoint: invalid JSON", "protocol"),
    C("x_form", tokens(as_a_form), "protocol", "^answer of the token endpoint: invalid JSON", "protocol"),
    C("x_list", tokens(lambda exchange: exchange.send(as_json([json.loads(exchange.normal().body)]))), "protocol", "^answer of the token endpoint: ", "protocol"),
    C("x_none", given(issued_token_type="urn:ietf:params:oauth:token-type:jwt"), "protocol", '^answer of the token endpoint: .*"?access_token"? is missing', "protocol"),
    C("x_empty", given(access_token=""), "protocol", '^answer of the token endpoint: "access_token" is not a bearer token$', "protocol"),
    C("x_life", given(access_token="abc", expires_in=1e300), "protocol", "^answer of the token endpoint: .*expires_in", "protocol"),
    C("x_huge", tokens(endless(b'{"access_token": "')), "too_large", f"^get token: the answer of {WHO} exceeds 262144 bytes", "protocol"),
    C("x_moved", tokens(redirect("http://127.0.0.1:9/tokens", 307)), "http", "^get token: the catalog answered 307", "protocol"),
    C("x_hangs", tokens(hang), "timeout", f"^get token: {WHO} did not answer within [0-9]+ ms", "protocol"),
    C("x_useless", nobody_gets_in, "auth", "^get configuration: the catalog answered 401: NotAuthorizedException: the token means nothing$", "auth"),
]
BEARER = [
    C("bearer_wrong", None, "auth", "^get configuration: the catalog answered 401: NotAuthorizedException: a valid token is needed$", "auth", mapping={"token": OTHER_TOKEN}),
    C("bearer_said", lambda catalog: catalog.misbehave("^GET ", repeats_the_token), "auth|forbidden", r"^get configuration: the catalog answered 403: .*not this: Bearer \*\*\*$", "auth"),
]
WAREHOUSE = [
    C("warehouse", None, "not_found", '^the catalog has no warehouse "nowhere", or does not show it to these credentials: NoSuchWarehouseException: no warehouse nowhere$', "protocol",
      {"warehouse": "nowhere"}),
    C("warehouse_html", lambda catalog: catalog.misbehave("^GET /v1/config", answer(404, HTML)), "not_found", "^get configuration: the catalog answered 404: Sign in$", "protocol"),
    C("no_warehouse", None, "not_found", "^get configuration: the catalog answered 404: NoSuchWarehouseException", "protocol", {"warehouse": None}),
]


def tls_cases(directory, good, other_name, other_pem):
    garbage = directory / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nnot really\n-----END CERTIFICATE-----\n")
    return [
        C("self_signed", None, "tls", f"^get configuration: .*{WHO}.*certificate", "TLS", {"ca_file": None}),
        C("other_authority", None, "tls", f"^get configuration: .*{WHO}.*certificate", "TLS", {"ca_file": other_pem}),
        C("other_name", None, "tls", f"^get configuration: .*{WHO}.*(name|certificate)", "TLS", {"uri": f"{other_name.uri}/other_name", "ca_file": other_pem}),
        C("ca_missing", None, "tls|config", "^get configuration: .*", "TLS|configuration", {"ca_file": str(directory / "nothing.pem")}),
        C("ca_garbage", None, "tls|config", "^get configuration: .*", "TLS|configuration", {"ca_file": str(garbage)}),
        C("spoken_to_plainly", None, "network", f"^get configuration: {WHO} closed the connection without an answer", "protocol",
          {"uri": good.uri.replace("https:", "http:") + "/spoken_to_plainly"}),
    ]


def real(bench):
    """The same at SeaweedFS, which checks client credentials and knows its warehouses."""
    t, pg = bench.t, bench.pg
    server, mapping = catalog_definition("seaweedfs")
    wrong = {
        "real_warehouse": ({"warehouse": "nowhere"}, {}, "not_found|forbidden|server|http", "nowhere"),
        "real_secret": ({}, {"client_secret": OTHER_SECRET}, "auth", REFUSED),
        "real_client": ({}, {"client_id": "nobody"}, "auth", REFUSED),
        "real_endpoint": ({"oauth2_server_uri": server["uri"] + "/v1/no-such-place"}, {}, "not_found", "get token: the catalog answered 404"),
    }
    for name, (of_server, of_mapping, _, _) in wrong.items():
        pg.add_server(name, "floe_catalog", "rest", {**server, **of_server}, {**mapping, **of_mapping})
    # no table has this name: the catalogs are listed, and nothing is assessed
    pattern = ", ".join(f"{name}.no_such_namespace.no_such_table" for name in wrong)
    bench.refresh_and_maintain(SETTINGS, pattern=pattern)
    for name, (_, _, code, says) in wrong.items():
        row = bench.sql("SELECT v.*, c.error_code FROM floe.catalogs AS v JOIN floe_internal.catalog AS c ON c.server_name = v.name WHERE v.name = %s", (name,))[0]
        said = f"{row['error']}: {row['error_detail']}"
        t.ok(row["status"] == "error" and row["error_code"] in code.split("|") and says in said, f"{name}: a row with the reason", f"{row['error_code']}: {said}")
        answer_of_check = bench.sql("SELECT * FROM floe.check_catalog(%s)", (name,))[0]
        t.ok(not answer_of_check["success"] and says in str(answer_of_check), f"{name}: check_catalog() says it, too", answer_of_check)
        for kind, what, right, bad in (("SERVER", "", server, wrong[name][0]), ("USER MAPPING", "FOR PUBLIC SERVER ", mapping, wrong[name][1])):
            for key in bad:
                bench.sql(f'ALTER {kind} {what}"{name}" OPTIONS (SET {key} {literal(right[key])})')
    bench.refresh_and_maintain(SETTINGS, pattern=pattern)
    rows = bench.sql("SELECT name, status, error FROM floe.catalogs WHERE name LIKE 'real%%' AND (status <> 'ok' OR error IS NOT NULL)")
    t.equal(rows, [], "with what is right all answer")
    bench.unharmed((OTHER_SECRET, mapping["client_secret"]))


def main():
    with Tap() as t, Mock() as mock, Lakehouse(conf=CONF) as pg:
        directory = pg.dir
        good_pem, good_key = certificate(directory, "good", "IP:127.0.0.1")
        other_pem, other_key = certificate(directory, "other", "DNS:elsewhere.example")
        with Mock(good_pem, good_key) as good, Mock(other_pem, other_key) as other:
            bench, base = Bench(t, pg, mock), Base()
            kinds = [
                Kind(mock, OAUTH2, lambda catalog: setattr(catalog, "client", (CLIENT, SECRET)), mapping={"client_id": CLIENT, "client_secret": SECRET}),
                Kind(mock, EXCHANGE, lambda catalog: catalog.subjects.add(SUBJECT), mapping={"subject_token": SUBJECT}),
                Kind(mock, BEARER, lambda catalog: setattr(catalog, "token", TOKEN), mapping={"token": TOKEN}),
                Kind(mock, WAREHOUSE, lambda catalog: setattr(catalog, "warehouse", "good"), {"warehouse": "good"}),
                Kind(mock, [C("not_tls", None, "tls", f"^get configuration: .*{WHO}", "TLS", {"uri": mock.uri.replace("http:", "https:") + "/not_tls"})]),
                Kind(good, tls_cases(directory, good, other, other_pem), server={"ca_file": good_pem}),
            ]
            secrets = (SECRET, OTHER_SECRET, TOKEN, OTHER_TOKEN, SUBJECT, OTHER_SUBJECT, urllib.parse.quote(SUBJECT, safe=""), "-token-1")
            run_kinds(bench, base, kinds, SETTINGS, secrets)
            real(bench)
            kept = json.dumps(bench.sql("SELECT to_jsonb(c) AS kept FROM floe.catalogs AS c UNION ALL SELECT to_jsonb(e) FROM floe.events AS e"))
            t.equal([secret for secret in secrets if secret in kept], [], "no secret in what floe keeps")


if __name__ == "__main__":
    main()
