"""Tables in every store floe reads: a real table's metadata, byte for byte, behind S3 (versitygw, which refuses every wrong signature), Google Cloud
Storage, Azure and plain URLs (test/mock/stores.py, as strict as they are), with keys of the user mapping and vended ones; and what a catalog that lies about
stores gets out of floe: nothing.
"""
from __future__ import annotations

import os
import threading
import time
from typing import Any, Callable

from badinput import Base, Bench, spoken
from catalog import Mock, refusal
from harness import Tap, judge
from lakehouse import Lakehouse
from storelake import ODD, Copy, Stores, copy_differences, into, into_versitygw
from stores import S3, Adls, Gcs, Key, Plain, Trap, malformed, moved, redirect

NS = f"stores_{time.time_ns()}"
ACCOUNT = "acc.dfs.core.windows.net"


# -------------------------------------------------------------------------------------------------
# Every store, every kind of key
# -------------------------------------------------------------------------------------------------

def secret_file(pg: Lakehouse, name: str, text: str) -> str:
    file = pg.dir / name
    file.write_text(text + "\n")
    file.chmod(0o600)
    return str(file)


def s3_tables(s: Stores) -> list[Copy]:
    uri, key, secret = (os.environ[f"FLOE_S3_{name}"] for name in ("URI", "KEY", "SECRET"))
    own = ({"s3_endpoint": uri}, {"s3_access_key_id": key, "s3_secret_access_key": secret})
    right = {"s3.access-key-id": key, "s3.secret-access-key": secret}
    wrong = {"s3.access-key-id": key, "s3.secret-access-key": "of-another-prefix"}
    place = {"s3.endpoint": uri, "s3.path-style-access": "true", "client.region": "us-east-1"}
    root = f"lab/{NS}/{ODD}"
    made = [s.connect(f"versitygw_{scheme}", f"{scheme}://{root}/{scheme}", into_versitygw, *own) for scheme in ("s3", "s3a", "s3n")]
    made.append(s.connect("versitygw_store", f"s3://{root}/store", into_versitygw, {**own[0], "metadata_source": "store", "allowed_locations": f"gs://x, s3a://lab/{NS}"}, own[1]))
    # versitygw says which region it is in, though not in the answer to HEAD
    made.append(s.connect("versitygw_region", f"s3://{root}/region", into_versitygw, {**own[0], "s3_region": "eu-central-7", "metadata_source": "store"}, own[1]))
    made.append(s.connect("vended_config", f"s3://{root}/config", into_versitygw, vended={**place, **right}))
    made.append(s.connect("vended_longest", f"s3a://{root}/longest", into_versitygw, vended={**place, **wrong},
                          credentials={"s3": wrong, "s3://lab": wrong, f"s3://{root}/longest/": right, f"s3://{root}/longest/data/": wrong}))
    # its own server verifies signatures as well; buckets in the host, and a token beside the key
    s.s3.keys["AKSESSION"] = Key("session-secret", "session/token+with=all")
    given = {"s3_access_key_id": "AKSESSION", "s3_secret_access_key": "session-secret", "s3_session_token": "session/token+with=all"}
    here = {"s3_endpoint": s.s3.uri.replace("127.0.0.1", "localhost"), "s3_path_style": "false"}
    made.append(s.connect("virtual_hosted", f"s3://host-bucket/{ODD}/v", into(s.s3, "s3://"), here, given))
    made.append(s.connect("path_style", f"s3://path.bucket/{ODD}/p//q", into(s.s3, "s3://"), {"s3_endpoint": s.s3.uri}, given))
    return made


def gcs_tables(s: Stores) -> list[Copy]:
    put, here = into(s.gcs, "gs://"), {"gcs_endpoint": s.gcs.uri}
    s.gcs.tokens |= {"gcs-own-token": ["gb/"], "gcs-vended-token": ["gb/"], "gcs-folder-token": [f"gb/{ODD}/folder/"], "gcs-other-token": ["other/"]}
    vended = {"gcs.service.host": s.gcs.uri, "gcs.oauth2.token": "gcs-vended-token", "gcs.oauth2.token-expires-at": str(int(time.time() + 3600) * 1000)}
    return [
        s.connect("gcs_own", f"gs://gb/{ODD}/own//..", put, here, {"gcs_token": "gcs-own-token"}),
        s.connect("gcs_file", f"gcs://gb/{ODD}/file", into(s.gcs, "gcs://"), {**here, "metadata_source": "store"}, {"gcs_token_file": secret_file(s.pg, "gcs", "gcs-own-token")}),
        s.connect("gcs_vended", f"gs://gb/{ODD}/vended", put, vended=vended),
        s.connect("gcs_longest", f"gs://gb/{ODD}/folder", put, vended={"gcs.service.host": s.gcs.uri},
                  credentials={"gs://g": {"gcs.oauth2.token": "gcs-other-token"}, f"gs://gb/{ODD}/folder": {"gcs.oauth2.token": "gcs-folder-token"},
                               "gs://gb": {"gcs.oauth2.token": "gcs-other-token"}}),
    ]


def adls_tables(s: Stores) -> list[Copy]:
    here = {"adls_endpoint": s.adls.uri}
    s.adls.tokens.add("adls-own-token")
    end = {f"adls.sas-token-expires-at-ms.{ACCOUNT}": str(int(time.time() + 3600) * 1000)}

    def table(name: str, scheme: str, host: str, *more: Any, **vended: Any) -> Copy:
        server, *mapping = more or [{}]
        return s.connect(f"adls_{name}", f"{scheme}://con@{host}/{ODD}/{name}", into(s.adls, f"{scheme}://", f"@{host}"), {**here, **server}, *mapping, **vended)
    return [
        table("sas", "abfss", ACCOUNT, {}, {"adls_sas_token": s.adls.sas("con")}),
        table("sas_file", "abfs", ACCOUNT, {"metadata_source": "store"}, {"adls_sas_token_file": secret_file(s.pg, "sas", "?" + s.adls.sas("con"))}),
        table("bearer", "wasbs", "acc.blob.core.windows.net", {"allowed_locations": f"abfss://con@{ACCOUNT}"}, {"adls_token": "adls-own-token"}),
        table("bearer_file", "abfss", "acc", {}, {"adls_token_file": secret_file(s.pg, "adls", "adls-own-token")}),
        table("vended", "abfss", ACCOUNT, vended={f"adls.sas-token.{ACCOUNT}": s.adls.sas("con"), **end}),
        table("vended_short", "wasb", "acc.blob.core.windows.net", vended={"adls.sas-token.acc": s.adls.sas("con")}),
        table("vended_token", "abfss", ACCOUNT, credentials={f"abfss://con@{ACCOUNT}": {"adls.token": "adls-own-token"}}),
        table("folder", "abfss", ACCOUNT, vended={f"adls.sas-token.{ACCOUNT}": s.adls.sas("other")},
              credentials={f"abfss://con@{ACCOUNT}/{ODD}/folder": {f"adls.sas-token.{ACCOUNT}": s.adls.sas("con", f"{ODD}/folder")}}),
    ]


def plain_tables(s: Stores) -> list[Copy]:
    # a location of these is a URL: what is encoded stays so
    def put(location: str, data: bytes) -> None:
        s.plain.objects[location.removeprefix(s.plain.uri + "/").replace("%3D", "=")] = data
    return [s.connect("plain", f"{s.plain.uri}/dt%3D1/a b/é日", put, {"allowed_locations": s.plain.uri}),
            s.connect("plain_store", f"{s.plain.uri}/store", put, {"metadata_source": "store"})]


def readable(s: Stores) -> None:
    t = s.t
    copies = [*s3_tables(s), *gcs_tables(s), *adls_tables(s), *plain_tables(s)]
    wanted = judge("s3", [*s.base.made["namespace"], s.base.made["table"]])["metrics"]
    s.look(copies)
    for one in copies:
        name, row = one.catalog.name, s.bench.table(one.name)
        if not t.ok(row.get("status") == "ok" and row["error"] is None, f"{name}: assessed", f"{row.get('error_code')}: {spoken(row)}"):
            continue
        found = s.pg.metrics(row["name"])
        wrong = copy_differences(found, wanted)
        t.ok(not wrong and len(wanted) > 10, f"{name}: health equals the judge's", *wrong)
        t.equal(found["metadata_json_bytes"], one.size, f"{name}: the size of the metadata file is known")
    for double in s.doubles:
        t.equal((set(double.statuses()), [one for one in double.requests if one[2] != 200]), ({200}, []), f"{type(double).__name__}: every request was as it should be")
    t.ok({headers.get("Host", "").split(":")[0] for headers in s.s3.headers} == {"host-bucket.localhost", "127.0.0.1"}, "buckets in the host and in the path")
    s.bench.unharmed(SECRETS)


SECRETS = ("of-another-prefix", "session-secret", "session/token+with=all", "gcs-own-token", "gcs-vended-token", "gcs-folder-token", "adls-own-token", "sig=")


# -------------------------------------------------------------------------------------------------
# Regions
# -------------------------------------------------------------------------------------------------

def regions(s: Stores) -> None:
    t, s3 = s.t, s.s3
    s3.keys["AKREGION"] = Key("region-secret")
    mapping = {"s3_access_key_id": "AKREGION", "s3_secret_access_key": "region-secret"}
    here = {"s3_endpoint": s3.uri}
    cases = {"malformed": malformed, "moved": moved(s.trap.uri), "temporary": moved(s.trap.uri, 307)}
    for name, behaviour in cases.items():
        s.forget()
        s3.regions[f"{name}-bucket"], s3.wrong_region = "eu-west-3", behaviour
        one = s.connect(f"region_{name}", f"s3://{name}-bucket/t0", into(s3, "s3://"), here, mapping)
        for i in range(1, 4):
            Copy(one.catalog, s.base, f"s3://{name}-bucket/t{i}", into(s3, "s3://"), f"t{i}")
        # one at a time: the first tells the others
        s.pg.sql(f"ALTER SERVER region_{name} OPTIONS (ADD max_in_flight '1')")
        start = s.look([one])
        s.bench.assessed([[one.catalog.name, *levels] for levels in one.catalog.tables], start, f"{name}: the region that the store names is used")
        t.equal(len([status for status in s3.statuses() if status != 200]), 1, f"{name}: it is asked for once, and remembered for the bucket")
        t.equal(s.trap.requests, [], f"{name}: nobody goes to the host of the answer")
    elsewhere = {
        "unnamed": (moved(s.trap.uri, 301, named=False), "301", 1), "restless": (restless(), "now asks for", 2),
        "evil": (lambda region: malformed("evil.example/"), "400", 1), "evil_port": (lambda region: malformed(f"x@127.0.0.1:{s.trap.port}/"), "400", 1),
        "same": (lambda region: malformed("us-east-1"), "400", 1),
    }
    for name, (behaviour, says, most) in elsewhere.items():
        s.forget()
        s3.regions[f"{name}-bucket"], s3.wrong_region = "eu-west-3", behaviour
        one = s.connect(f"region_{name}", f"s3://{name}-bucket/t", into(s3, "s3://"), here, mapping)
        s.look([one])
        s.refused(one, "http|forbidden|protocol", f"the store answered (301|400).*{says}|{says}", f"{name}: a row with the reason")
        # the size of the metadata file, and the manifest list
        t.ok(len(s3.requests) <= 2 * most and s3.requests, f"{name}: {len(s3.requests)} requests, and no more", s3.requests)
        t.equal(s.trap.requests, [], f"{name}: nobody goes to the host of the answer")
    s3.wrong_region = malformed
    s.bench.unharmed((*SECRETS, "region-secret"))


def restless() -> Callable[[str], Any]:
    """Never content with the region it asked for."""
    count = iter(range(1000))
    return lambda region: malformed(f"eu-west-{10 + next(count)}")


# -------------------------------------------------------------------------------------------------
# Credentials that run out
# -------------------------------------------------------------------------------------------------

class Vending:
    """S3 keys, new ones with each loadTable, which end after some seconds."""

    def __init__(self, s3: S3, name: str, seconds: float):
        self.s3, self.name, self.seconds, self.count, self.lock = s3, name, seconds, 0, threading.Lock()
        self.ends: dict[str, float] = {}
        self.working = True

    def __call__(self) -> list[dict[str, Any]]:
        with self.lock:
            if self.working or self.count == 0:
                self.count += 1
            access = f"AK{self.name}{self.count}"
            self.ends.setdefault(access, time.time() + self.seconds)
            self.s3.keys.setdefault(access, Key(f"secret-of-{access}", f"session-of-{access}", self.ends[access]))
        return [{"prefix": "s3://", "config": {"s3.access-key-id": access, "s3.secret-access-key": f"secret-of-{access}", "s3.session-token": f"session-of-{access}",
                                               "s3.session-token-expires-at-ms": str(int(self.ends[access] * 1000))}}]

    def expire(self) -> None:
        """Before their time."""
        for access in self.ends:
            self.s3.keys[access].until = 0


def renewed(s: Stores) -> None:
    t, s3 = s.t, s.s3
    place = {"s3.endpoint": s3.uri, "s3.path-style-access": "true"}

    def table(name: str, seconds: float) -> tuple[Copy, Vending]:
        s.forget()
        vending = Vending(s3, name, seconds)
        return s.connect(f"renewed_{name}", f"s3://{name}-bucket/t", into(s3, "s3://"), vended=place, credentials=vending), vending

    # early: the first answer takes until the end is near, and what comes after it is read with new keys
    one, vending = table("early", 6)

    def hold(exchange: Any) -> None:
        time.sleep(max(0.0, min(vending.ends.values()) - 1.2 - time.time()))
    def hold_longer(exchange: Any) -> None:
        time.sleep(max(0.0, min(vending.ends.values()) + 0.1 - time.time()))
    s3.rules += [("^HEAD ", hold), ("-m0.avro", hold_longer)]
    s.look([one])
    s.is_read(one, "what is about to run out is renewed, and the table is read")
    t.equal((vending.count, set(s3.statuses())), (2, {200}), "the catalog was asked once more, and the store never saw keys that were over")

    # late: the store says before its time that they are over
    one, vending = table("late", 3600)

    def expire_once(exchange: Any) -> None:
        if vending.count == 1:
            vending.expire()
    s3.rules.append(("^GET .*-list.avro", expire_once))
    s.look([one])
    s.is_read(one, "what the store calls expired is renewed, and the table is read")
    t.equal((vending.count, s3.statuses().count(400)), (2, 1), "the catalog was asked once more")

    # never: the same keys again
    one, vending = table("never", 3600)
    vending.working = False

    def expire_always(exchange: Any) -> None:
        vending.expire()
    s3.rules.append(("^GET .*-list.avro", expire_always))
    s.look([one])
    s.refused(one, "http|forbidden|auth", "ExpiredToken", "keys that stay expired: a row with the reason")
    t.equal((len(one.catalog.asked("^GET .*/tables/t")), s3.statuses().count(400)), (2, 2), "and it was tried once more, not for ever")

    # down: nothing can be had
    one, vending = table("down", 3600)

    def take_down(exchange: Any) -> None:
        vending.expire()
        one.catalog.misbehave("^GET .*/tables/t", lambda asked: asked.send(refusal(403, "ForbiddenException", "no credentials for you")))
    s3.rules.append(("^GET .*-list.avro", take_down))
    s.look([one])
    s.refused(one, "forbidden|auth|http", "the vended credentials ran out, and no others can be had|ExpiredToken", "keys that cannot be renewed: a row with the reason")
    one.catalog.heal()
    s3.rules.clear()
    one.commit()
    s.look([one])
    s.is_read(one, "and it is read when the catalog gives some")

    # many manifests at once wait for one renewal
    one, vending = table("many", 3600)
    s3.rules.append(("^GET .*-m[0-9]+.avro", expire_once))
    s.look([one])
    s.is_read(one, "manifests that are read at the same time are all read")
    t.equal(vending.count, 2, "with one renewal for all of them")
    s.bench.unharmed((*SECRETS, "secret-of-", "session-of-"))


# -------------------------------------------------------------------------------------------------
# Catalogs that lie
# -------------------------------------------------------------------------------------------------

def hostile(s: Stores) -> None:
    t, gcs, adls, trap = s.t, s.gcs, s.adls, s.trap
    s.forget()
    uri = os.environ["FLOE_S3_URI"]
    right = {"s3.access-key-id": os.environ["FLOE_S3_KEY"], "s3.secret-access-key": os.environ["FLOE_S3_SECRET"]}
    place = {"s3.endpoint": uri, "s3.path-style-access": "true"}
    gs, evil_host = into(gcs, "gs://"), "evil.example"
    gcs.tokens["gcs-hostile-token"] = ["gb/"]
    sas = adls.sas("con")
    none = {"adls_endpoint": adls.uri}
    own_gcs = {"gcs_token": "gcs-hostile-token"}
    amazon = {"s3_access_key_id": "AK", "s3_secret_access_key": "amazon-secret"}
    abfs = into(adls, "abfss://", f"@{ACCOUNT}")

    def ignore(location: str, data: bytes) -> None:
        """Nobody should ask for it."""
    cases = {
        # vended for another place
        "other_bucket": (s.connect("h_other_bucket", f"s3://lab/{NS}/other", into_versitygw, vended=place, credentials={"s3://other/": right}), "config", "no S3 credentials"),
        "bucket_prefix": (s.connect("h_bucket_prefix", f"s3://lab/{NS}/prefix", into_versitygw, vended=place, credentials={"s3://la": right}), "config", "no S3 credentials"),
        "other_scheme": (s.connect("h_other_scheme", f"s3://lab/{NS}/scheme", into_versitygw, vended=place, credentials={f"gs://lab/{NS}": right}), "config", "no S3 credentials"),
        "gcs_prefix": (s.connect("h_gcs_prefix", "gs://gb/prefix", gs, {"gcs_endpoint": gcs.uri}, credentials={"gs://gbx": {"gcs.oauth2.token": "gcs-hostile-token"}}), "config",
                       "no Google Cloud Storage token"),
        "other_account": (s.connect("h_other_account", f"abfss://con@{ACCOUNT}/o", abfs, none, vended={"adls.sas-token.other.dfs.core.windows.net": sas}), "config", "no Azure credentials"),
        # floe's own go where the server's options say
        "gcs_host": (s.connect("h_gcs_host", "gs://gb/host", gs, {}, own_gcs, vended={"gcs.service.host": trap.uri}), "denied", "storage.googleapis.com.*floe.allowed_hosts"),
        "adls_host": (s.connect("h_adls_host", f"abfss://con@127.0.0.1:{trap.port}/o", ignore, {}, {"adls_token": "adls-own-token"}), "corrupt|denied", "host"),
        "adls_domain": (s.connect("h_adls_domain", f"abfss://con@acc.dfs.core.windows.net.{evil_host}/o", ignore, {}, {"adls_token": "adls-own-token"}), "denied", "not a host of Azure's"),
        "adls_localhost": (s.connect("h_adls_localhost", "abfss://con@acc.localhost/o", ignore, {}, {"adls_sas_token": sas}), "denied", "not a host of Azure's"),
        "adls_vended_token": (s.connect("h_adls_vended_token", "abfss://con@acc.localhost/o", ignore, {}, vended={"adls.token": "adls-own-token"}), "denied", "not a host of Azure's"),
        "adls_direct": (s.connect("h_adls_direct", f"abfss://con@{ACCOUNT}/d", ignore, {}, {"adls_token": "adls-own-token"}), "denied", f"{ACCOUNT}.*floe.allowed_hosts"),
        "both": (s.connect("h_both", f"abfss://con@{ACCOUNT}/b", abfs, none, {"adls_token": "x-y-z", "adls_sas_token": sas}), "config", "both adls_sas_token and adls_token"),
        "sas_lines": (s.connect("h_sas_lines", f"abfss://con@{ACCOUNT}/l", abfs, none, vended={f"adls.sas-token.{ACCOUNT}": "sv=1\r\nX-Admin: yes&sig=a"}), "config",
                      "percent-encoded"),
        "token_lines": (s.connect("h_token_lines", "gs://gb/lines", gs, {"gcs_endpoint": gcs.uri}, vended={"gcs.oauth2.token": "a\r\nX-Admin: yes"}), "config|denied|protocol", "header"),
        "plain_host": (s.connect("h_plain_host", f"http://{evil_host}/t", ignore), "denied", f"{evil_host}.*floe.allowed_hosts"),
        "plain_metadata": (s.connect("h_plain_metadata", "http://169.254.169.254/latest", ignore), "denied", "169.254.169.254"),
        # without an endpoint it is Amazon's, of the region, with the bucket in the host unless that has dots
        "amazon": (s.connect("h_amazon", "s3://plain-bucket/t", ignore, {}, amazon), "denied", "host .plain-bucket.s3.us-east-1.amazonaws.com. .port 443. is not"),
        "amazon_region": (s.connect("h_amazon_region", "s3://plain-bucket/t", ignore, {"s3_region": "eu-west-3"}, amazon), "denied", "host .plain-bucket.s3.eu-west-3.amazonaws.com. .port 443. is not"),
        "amazon_china": (s.connect("h_amazon_china", "s3://plain-bucket/t", ignore, {"s3_region": "cn-north-1"}, amazon), "denied", "host .plain-bucket.s3.cn-north-1.amazonaws.com.cn. .port 443. is not"),
        "amazon_dots": (s.connect("h_amazon_dots", "s3://dotted.bucket/t", ignore, {}, amazon), "denied", "host .s3.us-east-1.amazonaws.com. .port 443. is not"),
        "region_name": (s.connect("h_region_name", "s3://plain-bucket/t", ignore, {}, amazon, vended={"client.region": "evil.example/"}), "config", "is not a region's name"),
        "unknown": (s.connect("h_unknown", "hdfs://namenode/t", ignore), "unsupported", "is not supported"),
        "no_key": (s.connect("h_no_key", "gs://gb", ignore, {"gcs_endpoint": gcs.uri}, own_gcs), "not_found|corrupt", "No such object|no bucket"),
    }
    copies = [one for one, _, _ in cases.values()]
    s.look(copies)
    for name, (one, code, says) in cases.items():
        s.refused(one, code, says, f"{name}: a row with the reason")
    asked = [line for double in (gcs, adls) for line in double.requests if "/gb/o/metadata" not in line[1]]
    t.equal((asked, trap.requests), ([], []), "no store was asked for anything with what was not for it")
    s.bench.unharmed((*SECRETS, "gcs-hostile-token"))
    outside(s)
    bent(s)


def outside(s: Stores) -> None:
    """SERVER option allowed_locations: the metadata file, the manifest list and the manifests."""
    gcs = s.gcs
    s.forget()
    server = {"gcs_endpoint": gcs.uri, "allowed_locations": f"gs://gb/inside, s3://lab/{NS}", "metadata_source": "store"}
    put, own = into(gcs, "gs://"), {"gcs_token": "gcs-hostile-token"}
    roots = {"metadata": "gs://gb/outside", "folder": "gs://gb/insideout", "dots": "gs://gb/inside/../outside", "list": "gs://gb/inside/l", "manifest": "gs://gb/inside/m"}
    made = {name: s.connect(f"o_{name}", root, put, server, own) for name, root in roots.items()}
    made["scheme"] = s.connect("o_scheme", f"{s.plain.uri}/inside", lambda location, data: None, server, own)
    made["list"].commit(list_at="gs://gb/outside/metadata/00001-list.avro")
    made["manifest"].commit(manifests_at="gs://gb/outside/metadata/00001")
    fine = s.connect("o_fine", "gcs://gb/inside/fine", into(gcs, "gcs://"), server, own)
    s.look([*made.values(), fine])
    for name, one in made.items():
        s.refused(one, "denied", "is not below one of the server's allowed_locations", f"allowed_locations, {name}: a row with the reason")
    s.is_read(fine, "allowed_locations: what is below is read")
    s.t.equal(([line for line in gcs.requests if "outside" in line[1] or "insideout" in line[1]], s.plain.requests), ([], []), "and nothing outside was asked for")


def bent(s: Stores) -> None:
    """Redirects, endless bodies, refusals that throw secrets back."""
    t, gcs, adls, plain, trap = s.t, s.gcs, s.adls, s.plain, s.trap
    s.forget()
    sas = adls.sas("con")
    abfs = into(adls, "abfss://", f"@{ACCOUNT}")
    of_gcs, of_adls = ({"gcs_endpoint": gcs.uri}, {"gcs_token": "gcs-hostile-token"}), ({"adls_endpoint": adls.uri}, {"adls_sas_token": sas})

    def web(location: str, data: bytes) -> None:
        plain.objects[location.removeprefix(plain.uri + "/").partition("?")[0]] = data
    made = {
        "gcs_redirect": (s.connect("b_gcs_redirect", "gs://gb/redirect", into(gcs, "gs://"), *of_gcs), "http", "answered 307"),
        "adls_redirect": (s.connect("b_adls_redirect", f"abfss://con@{ACCOUNT}/redirect", abfs, *of_adls), "http", "answered 307"),
        "plain_redirect": (s.connect("b_plain_redirect", f"{plain.uri}/redirect", web), "denied", "another origin"),
        "gcs_echo": (s.connect("b_gcs_echo", "gs://gb/echo", into(gcs, "gs://"), *of_gcs), "forbidden", r"said \*\*\*"),
        "adls_echo": (s.connect("b_adls_echo", f"abfss://con@{ACCOUNT}/echo", abfs, *of_adls), "forbidden", r"AuthenticationFailed: \*\*\*"),
        "gcs_401": (s.connect("b_gcs_401", "gs://gb/unknown", into(gcs, "gs://"), of_gcs[0], {"gcs_token": "gcs-unknown-token"}), "auth", "answered 401: Invalid Credentials"),
        "adls_403": (s.connect("b_adls_403", f"abfss://con@{ACCOUNT}/p", abfs, of_adls[0], {"adls_sas_token": adls.sas("con", permissions="l")}), "forbidden",
                     "answered 403: AuthorizationPermissionMismatch"),
        "adls_expired": (s.connect("b_adls_expired", f"abfss://con@{ACCOUNT}/x", abfs, of_adls[0], {"adls_sas_token": adls.sas("con", seconds=-60)}), "forbidden",
                         "answered 403: AuthenticationFailed"),
        "gcs_missing": (s.connect("b_gcs_missing", "gs://gb/missing", into(gcs, "gs://"), *of_gcs), "corrupt", "No such object: gb/missing"),
        "adls_missing": (s.connect("b_adls_missing", f"abfss://con@{ACCOUNT}/missing", abfs, *of_adls), "corrupt", "PathNotFound: The specified path does not exist.$"),
        "plain_missing": (s.connect("b_plain_missing", f"{plain.uri}/missing", web), "corrupt", "answered 404"),
        "gcs_endless": (s.connect("b_gcs_endless", "gs://gb/endless", into(gcs, "gs://"), *of_gcs), "corrupt", "longer than the"),
        "gcs_size": (s.connect("b_gcs_size", "gs://gb/size", into(gcs, "gs://"), *of_gcs), "", ""),
    }
    gcs.rules += [("/o/redirect.*list", redirect(trap.uri + "/gcs")), ("/o/echo.*list", lambda exchange: gcs.refusal(403, "forbidden", f"said {exchange.headers['Authorization'].split()[1]}")),
                  ("/o/endless.*-m0", lambda exchange: (200, b"x" * (64 << 20), {})), ("/o/size.*fields=size", lambda exchange: (200, b'{"size": "-1e9999999999999999999"}', {}))]
    adls.rules += [("/redirect/.*list", redirect(trap.uri + "/adls")),
                   ("/echo/.*list", lambda exchange: adls.refusal(exchange, 403, "AuthenticationFailed", exchange.query["sig"]))]
    plain.rules += [("/redirect/.*list", redirect(trap.uri + "/plain"))]
    for objects in (gcs.objects, adls.objects, plain.objects):
        for key in [key for key in objects if "missing/" in key and key.endswith("list.avro")]:
            del objects[key]
    # a location that is a key to itself
    one = made["plain_missing"][0]
    one.commit(list_at=f"{plain.uri}/missing/list.avro?sig=open-sesame")
    s.look([one for one, _, _ in made.values()])
    for name, (one, code, says) in made.items():
        if name == "gcs_size":
            s.is_read(one, "a size that is none is not made up, and the table is read")
            t.equal(s.bench.table(one.name)["health"]["metadata_json_bytes"], None, "but its size is not known")
            continue
        s.refused(one, code, says, f"{name}: a row with the reason")
    t.equal(trap.requests, [], "no redirect was followed to another host")
    rows = s.bench.sql("SELECT t::text AS said FROM floe.tables AS t")
    t.equal([row for row in rows if any(secret in row["said"] for secret in ("gcs-hostile-token", "open-sesame", "sig="))], [], "no secret is shown")
    s.bench.unharmed((*SECRETS, "gcs-hostile-token", "open-sesame"))


def main() -> None:
    conf = {"floe.allowed_hosts": "127.0.0.1, localhost, *.localhost"}
    with Tap() as t, Mock() as mock, Gcs() as gcs, Adls("acc") as adls, S3() as s3, Plain() as plain, Trap() as trap, Lakehouse(conf) as pg:
        stores = Stores(Bench(t, pg, mock), Base(), gcs=gcs, adls=adls, s3=s3, plain=plain, trap=trap)
        readable(stores)
        regions(stores)
        renewed(stores)
        hostile(stores)


if __name__ == "__main__":
    main()
