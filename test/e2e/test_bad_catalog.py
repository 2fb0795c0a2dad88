"""Catalogs that are down, slow, refuse, or answer what no catalog may: each is a row with the reason, and nothing else is harmed."""
import gzip
import itertools
import json

from badcatalog import CatalogCase, Kind, run_kinds
from badinput import Base, Bench
from catalog import Answer, Mock, answer, cut, drip, edited, endless, error, hang, redirect, reset
from harness import Tap, free_port
from lakehouse import Lakehouse

SETTINGS = "SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"
CONF = {"floe.allowed_hosts": "127.0.0.1, *.invalid", "floe.max_connections_per_host": "100"}
HTML = "<html><head><title>Sign in</title></head><body>Sign in</body></html>"
JSON = {"Content_Type": "application/json"}
WHO = r"127\.0\.0\.1:\d+"


def on(pattern, behaviour):
    """The catalog does this for these requests."""
    return lambda catalog: catalog.misbehave(pattern, behaviour)


def config(behaviour):
    return on("^GET /v1/config", behaviour)


def namespaces(behaviour):
    return on(r"^GET /v1/namespaces\?", behaviour)


def tables(behaviour):
    return on(r"^GET /v1/namespaces/[^/]*/tables\?", behaviour)


def says(body, status=200, **headers):
    return answer(status, body, **{**JSON, **headers})


def token_of_page(exchange):
    return exchange.query.get("pageToken", "")


def paging(next_token, change=lambda page, token: page):
    """Pages without an end; change makes what is on them of the normal page."""
    def behave(exchange):
        page = change(exchange.normal().json(), token_of_page(exchange))
        page["next-page-token"] = next_token(token_of_page(exchange))
        exchange.send(Answer(200, json.dumps(page).encode(), {"Content-Type": "application/json"}))
    return behave


def empty_page(page, token):
    return {key: [] for key in page}


counter = itertools.count(1)


def big_headers(exchange):
    normal = exchange.normal()
    normal.headers.update({f"X-Filler-{i}": "x" * 8000 for i in range(20)})
    exchange.send(normal)


def raw(data):
    """Bytes in place of an HTTP answer."""
    def behave(exchange):
        exchange.raw(data)
        exchange.close()
    return behave


def not_gzip(normal):
    normal.headers["Content-Encoding"] = "gzip"


BOMB = gzip.compress(bytes(16 << 20), 1)


def bomb(normal):
    normal.headers["Content-Encoding"] = "gzip"
    normal.body = BOMB


def closed_port():
    return f"http://127.0.0.1:{free_port()}"


C = CatalogCase
# The first question: the configuration.
CONFIG = [
    C("down", None, "connect", f"^get configuration: .*{WHO}.*", "TCP", {"uri": closed_port()}),
    C("no_host", None, "dns", "^get configuration: .*floe-lab.invalid", "DNS", {"uri": "http://floe-lab.invalid:8181"}),
    C("host_not_allowed", None, "denied", "floe.allowed_hosts", "configuration", {"uri": "http://localhost:8181"}),
    C("hangs", config(hang), "timeout", f"^get configuration: {WHO} did not answer within [0-9]+ ms", "protocol"),
    C("drips", config(drip), "timeout", f"^get configuration: the answer of {WHO} was not complete within [0-9]+ ms", "protocol"),
    C("resets", config(reset), "network", f"^get configuration: {WHO} closed the connection without an answer", "protocol"),
    C("cut", config(cut(0.5)), "network", f"^get configuration: connection to {WHO} lost in the middle of the answer", "protocol"),
    C("s401", config(error(401, "NotAuthorizedException", "who are you")), "auth", "^get configuration: the catalog answered 401: NotAuthorizedException: who are you", "auth"),
    C("s403", config(error(403, "ForbiddenException", "not you")), "forbidden", "^get configuration: the catalog answered 403: ForbiddenException: not you", "auth"),
    C("s404", config(answer(404, HTML, Content_Type="text/html")), "not_found", "^get configuration: the catalog answered 404: Sign in", "protocol"),
    C("s418", config(answer(418, "short and stout")), "http", "^get configuration: the catalog answered 418: short and stout", "protocol"),
    C("s429", config(error(429, "TooManyRequestsException", "slow down")), "throttled", "^get configuration: the catalog answered 429: TooManyRequestsException: slow down", "protocol"),
    C("s429_after", config(error(429, "TooManyRequestsException", "slow down", Retry_After="1")), "throttled", "the catalog answered 429", "protocol"),
    # an hour is more than floe stays away for anybody's sake
    C("s429_after_long", config(error(429, "TooManyRequestsException", "slow down", Retry_After="3600")), "throttled", "the catalog answered 429", "protocol", waits=299),
    C("s503_after_long", config(answer(503, "", Retry_After="60")), "throttled", "the catalog answered 503", "protocol", waits=59),
    C("s500", config(error(500, "RuntimeException", "as asked\n\tat Some.java:1\n\tat Other.java:2")), "server", "^get configuration: the catalog answered 500: RuntimeException: as asked", "protocol"),
    C("s500_html", config(answer(500, HTML * 1000, Content_Type="text/html")), "server", "^get configuration: the catalog answered 500: Sign in", "protocol"),
    C("s503", config(answer(503, "")), "server", "^get configuration: the catalog answered 503$", "protocol"),
    C("s503_after", config(answer(503, "", Retry_After="1")), "throttled", "^get configuration: the catalog answered 503$", "protocol"),
    C("html", config(answer(200, HTML, Content_Type="text/html")), "protocol", "^answer to /v1/config: ", "protocol"),
    C("empty", config(says("")), "protocol", "^answer to /v1/config: ", "protocol"),
    C("no_content", config(answer(204)), "protocol", "^answer to /v1/config: ", "protocol"),
    C("list", config(says("[]")), "protocol", "answer to /v1/config", "protocol"),
    C("text", config(says('"defaults"')), "protocol", "answer to /v1/config", "protocol"),
    C("object", config(says("{}")), "protocol", 'answer to /v1/config has neither "defaults" nor "overrides"', "protocol"),
    C("defaults_list", config(says('{"defaults": [], "overrides": {}}')), "protocol", "defaults", "protocol"),
    C("truncated", config(says('{"defaults": {}, "overr')), "protocol", "^answer to /v1/config: ", "protocol"),
    C("not_utf8", config(says(b'{"defaults": {"x": "\xff\xfe"}, "overrides": {}}')), "protocol", "^answer to /v1/config: ", "protocol"),
    C("nul", config(says('{"defaults": {"x": "\\u0000"}, "overrides": {}}')), "protocol", "^answer to /v1/config: ", "protocol"),
    C("key_twice", config(says('{"defaults": {}, "defaults": {}, "overrides": {}}')), "protocol", "^answer to /v1/config: ", "protocol"),
    C("deep", config(says('{"defaults": ' + "[" * 100000 + "]" * 100000 + "}")), "protocol|too_large", "^answer to /v1/config: ", "protocol"),
    C("endless", config(endless(b'{"defaults": {}, "overrides": {}')), "too_large", f"^get configuration: the answer of {WHO} exceeds 1048576 bytes", "protocol"),
    C("big_headers", config(big_headers), "too_large", "^get configuration: .*header", "protocol"),
    C("not_http", config(raw(b"SSH-2.0-OpenSSH_9.6\r\n")), "protocol", f"^get configuration: .*{WHO}", "protocol"),
    C("not_a_status", config(raw(b"HTTP/1.1 what? no\r\nContent-Length: 0\r\n\r\n")), "protocol|http", "^get configuration: ", "protocol"),
    C("bad_chunk", config(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n{}\r\n")), "protocol|network", f"^get configuration: .*{WHO}", "protocol"),
    C("bad_length", config(raw(b"HTTP/1.1 200 OK\r\nContent-Length: -17\r\n\r\n{}")), "protocol|network", "^(get configuration|answer to /v1/config): ", "protocol"),
    C("two_lengths", config(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 30\r\n\r\n{}")), "protocol|network", "^(get configuration|answer to /v1/config|the answer to /v1/config)", "protocol"),
    C("huge_length", config(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n{}")), "network", f"^get configuration: connection to {WHO} lost in the middle of the answer, after 2 bytes", "protocol"),
    C("not_gzip", config(edited(not_gzip)), "protocol", f"^get configuration: the answer of {WHO} cannot be decompressed", "protocol"),
    C("gzip_bomb", config(edited(bomb)), "too_large", f"^get configuration: the answer of {WHO} exceeds 1048576 bytes", "protocol"),
    C("encoding", config(says('{"defaults": {}, "overrides": {}}', Content_Encoding="snappy")), "protocol", f"^get configuration: the answer of {WHO} cannot be decompressed", "protocol"),
    C("prefix", config(says('{"defaults": {}, "overrides": {"prefix": "../../admin"}}')), "protocol", "the catalog's prefix is not a URL path: ../../admin", "protocol"),
    C("prefix_lines", config(says('{"defaults": {}, "overrides": {"prefix": "a b\\r\\nX: y"}}')), "protocol", "the catalog's prefix is not a URL path", "protocol"),
    C("separator", config(says('{"defaults": {}, "overrides": {"namespace-separator": ""}}')), "protocol", "the catalog's namespace separator is not usable", "protocol"),
    C("redirect_port", config(redirect("http://127.0.0.1:9/v1/config")), "denied", f"^get configuration: .*{WHO} redirects to another origin, http://127.0.0.1:9", "configuration"),
    C("redirect_host", config(redirect("https://elsewhere.example/v1/config", 307)), "denied", "redirects to another origin, https://elsewhere.example", "configuration"),
    C("redirect_file", config(redirect("file:///etc/passwd")), "protocol", f"^get configuration: {WHO} redirects to", "protocol"),
    C("redirect_loop", lambda catalog: catalog.misbehave("^GET ", redirect(f"{catalog.uri}/v1/config")), "denied", "redirects again to .*, after 3 redirects", "configuration"),
    C("redirect_nowhere", config(answer(302)), "http", "^get configuration: the catalog answered 302", "protocol"),
]

# Listing namespaces, then tables.
LISTING = [
    C("ns_500", namespaces(error(500)), "server", "^list namespaces: the catalog answered 500", "protocol"),
    C("ns_404", namespaces(answer(404, HTML)), "not_found", "^list namespaces: the catalog answered 404", "protocol"),
    C("ns_html", namespaces(answer(200, HTML)), "protocol", "^answer to list namespaces: ", "protocol"),
    C("ns_none", namespaces(says("{}")), "protocol", "answer to list namespaces.*namespaces", "protocol"),
    C("ns_text", namespaces(says('{"namespaces": "all"}')), "protocol", "namespaces", "protocol"),
    C("ns_flat", namespaces(says('{"namespaces": ["ns"]}')), "protocol", "^list namespaces: entry 0 ", None),
    C("ns_numbers", namespaces(says('{"namespaces": [["ns"], [7]]}')), "protocol", "^list namespaces: entry 1 ", None),
    C("ns_token", namespaces(says('{"namespaces": [["ns"]], "next-page-token": 7}')), "protocol", "next-page-token", None),
    C("ns_cut", namespaces(cut(0.5)), "network", f"^list namespaces: connection to {WHO} lost", "protocol"),
    C("ns_same_token", namespaces(paging(lambda token: "again")), "protocol", "^list namespaces( of ns)?: the catalog gives the token of a page again$", None),
    C("ns_two_tokens", namespaces(paging(lambda token: "b" if token == "a" else "a")), "protocol", "^list namespaces( of ns)?: the catalog gives the token of a page again$", None),
    C("ns_endless", namespaces(paging(lambda token: f"t{next(counter)}")), "protocol", "^list namespaces( of ns)?: 1000 pages in a row brought nothing new, and there are more$", None),
    C("t_500", tables(error(500)), "server", "^list tables of ns: the catalog answered 500", None),
    C("t_401", tables(error(401, "NotAuthorizedException", "not any more")), "auth", "^list tables of ns: the catalog answered 401", None),
    # whose words these are is not known: they do not mean that there are no rights to this one namespace
    C("t_403_html", tables(answer(403, HTML)), "forbidden", "^list tables of ns: the catalog answered 403", None),
    C("ns_403", on(r"^GET /v1/namespaces\?pageToken=", error(403, "ForbiddenException", "not you")), "forbidden", "^list namespaces: the catalog answered 403: ForbiddenException: not you", "auth"),
    C("t_404_html", tables(answer(404, HTML)), "not_found", "^list tables of ns: the catalog answered 404", None),
    C("t_html", tables(answer(200, HTML)), "protocol", "^answer to list tables: ", None),
    C("t_none", tables(says("{}")), "protocol", "answer to list tables.*identifiers", None),
    C("t_object", tables(says('{"identifiers": {}}')), "protocol", "identifiers", None),
    C("t_no_name", tables(says('{"identifiers": [{"namespace": ["ns"]}]}')), "protocol", "name", None),
    C("t_name_number", tables(says('{"identifiers": [{"namespace": ["ns"], "name": 7}]}')), "protocol", "name", None),
    C("t_no_namespace", tables(says('{"identifiers": [{"name": "t"}]}')), "protocol", "^list tables: entry 0 ", None),
    C("t_nul", tables(says('{"identifiers": [{"namespace": ["ns"], "name": "a\\u0000b"}]}')), "protocol", "^answer to list tables: ", None),
    C("t_huge", tables(endless(b'{"identifiers": [')), "too_large|timeout", f"^list tables of ns: the answer of {WHO} ", None),
    C("t_hangs", tables(hang), "timeout", f"^list tables of ns: {WHO} did not answer", None),
    C("t_two_tokens", tables(paging(lambda token: "b" if token == "a" else "a")), "protocol", "^list tables of ns: the catalog gives the token of a page again$", None),
    C("t_endless", tables(paging(lambda token: f"t{next(counter)}")), "protocol", "^list tables of ns: 1000 pages in a row brought nothing new", None),
    C("t_endless_empty", tables(paging(lambda token: f"t{next(counter)}", empty_page)), "protocol", "^list tables of ns: 1000 pages in a row brought nothing new", None),
]


def main():
    with Tap() as t, Mock() as mock, Lakehouse(conf=CONF) as pg:
        bench, base = Bench(t, pg, mock), Base()
        run_kinds(bench, base, [Kind(mock, CONFIG), Kind(mock, LISTING)], SETTINGS)


if __name__ == "__main__":
    main()
