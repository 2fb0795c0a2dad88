"""How an engine gets into a REST catalog, for each way in which floe does: the properties of Iceberg's client in the session that floe opens.

The names are those of Iceberg 1.11 (AuthProperties, OAuth2Properties, AwsProperties); that they work is test_catalogs.py's, with a real Spark.
"""
import json

from badengine import OPERATION, policy
from badinput import Base, Bench, Table

import hs2
from catalog import Mock
from harness import Tap
from lakehouse import Lakehouse

CONF = {"log_min_messages": "debug1"}
TOKEN, SECRET, SUBJECT, PASSWORD = "bearer-token-nobody-sees", "client-secret-nobody-sees", "subject-token-nobody-sees", "password-nobody-sees"
SIGNING, SESSION, S3_SESSION, OWN = "signing-key-nobody-sees", "session-token-nobody-sees", "s3-session-nobody-sees", "engines-own-token-nobody-sees"
# what may be said of how to get in; all other properties are not about that
ABOUT_LOGIN = ("token", "credential", "scope", "audience", "resource", "oauth2-server-uri", "rest.", "urn:", "header.X-Key")
SIGV4 = {"rest.auth.type": "sigv4", "rest.sigv4-enabled": "true", "rest.auth.sigv4.delegate-auth-type": "none"}

# options of SERVER and USER MAPPING, and everything about getting in that the session must have
LOGINS = {
    "nobody": ({}, {}, {}),
    "bearer": ({}, {"token": TOKEN}, {"token": TOKEN}),
    "client": ({}, {"client_id": "floe", "client_secret": SECRET}, {"credential": f"floe:{SECRET}", "scope": "catalog"}),
    "client_scope": ({"scope": "a b", "audience": "lake", "resource": "urn:x"}, {"client_secret": SECRET},
                     {"credential": SECRET, "scope": "a b", "audience": "lake", "resource": "urn:x"}),
    "basic": ({}, {"username": "me", "password": PASSWORD}, {"rest.auth.type": "basic", "rest.auth.basic.username": "me", "rest.auth.basic.password": PASSWORD}),
    "signed": ({"sigv4_service": "glue", "sigv4_region": "eu-west-1"}, {"sigv4_access_key_id": "AKIDOWN", "sigv4_secret_access_key": SIGNING, "sigv4_session_token": SESSION},
               {**SIGV4, "rest.signing-name": "glue", "rest.signing-region": "eu-west-1", "rest.access-key-id": "AKIDOWN", "rest.secret-access-key": SIGNING, "rest.session-token": SESSION}),
    "signed_by_s3": ({"sigv4_service": "s3tables", "s3_region": "eu-central-1"}, {"s3_session_token": S3_SESSION},
                     {**SIGV4, "rest.signing-name": "s3tables", "rest.signing-region": "eu-central-1", "rest.access-key-id": "mock", "rest.secret-access-key": "s3-secret-of-the-mock",
                      "rest.session-token": S3_SESSION}),
    "signed_own_pair": ({"sigv4_service": "glue"}, {"sigv4_access_key_id": "AKIDOWN", "sigv4_secret_access_key": SIGNING, "s3_session_token": S3_SESSION},
                        {**SIGV4, "rest.signing-name": "glue", "rest.signing-region": "us-east-1", "rest.access-key-id": "AKIDOWN", "rest.secret-access-key": SIGNING}),
    "exchanged": ({}, {"subject_token": SUBJECT}, {"token": "exchanged-token-1"}),
    # with "credential" the engine would be the client, and not whom the subject token stands for
    "exchanged_client": ({"scope": "lake"}, {"subject_token": SUBJECT, "client_id": "floe", "client_secret": SECRET}, {"token": "exchanged_client-token-1", "scope": "lake"}),
    "exchanged_own": ({}, {"subject_token": SUBJECT, "engine.token": OWN}, {"token": OWN}),
}
SECRETS = (TOKEN, SECRET, SUBJECT, PASSWORD, SIGNING, SESSION, S3_SESSION, OWN, "s3-secret-of-the-mock", "-token-1")


def prepare(catalog, mapping):
    catalog.token = mapping.get("token")
    if "subject_token" in mapping:
        catalog.subjects.add(SUBJECT)
    if "client_secret" in mapping:
        catalog.client = (mapping.get("client_id"), SECRET)


def main():
    with Tap() as t, Mock() as mock, hs2.Mock() as engines, Lakehouse(conf=CONF) as pg:
        bench, base = Bench(t, pg, mock), Base()
        tables = {}
        for name, (server, mapping, _) in LOGINS.items():
            catalog = mock.catalog(name)
            prepare(catalog, mapping)
            tables[name] = Table(catalog, ("ns", "t"), base)
            bench.connect(catalog, mapping, **server)
            engine = engines.engine(name)
            engine.work = lambda statement, table=tables[name]: table.commit()
            pg.add_server(f"engine_{name}", "floe_engine", "spark-thrift", {"url": engine.url}, {})
            bench.sql("SELECT floe.create_policy(%s, %s, %s)", (name, f"{name}.ns.t", json.dumps(policy(f"engine_{name}", base))))
        bench.refresh_and_maintain()
        bench.maintain()
        for name, (_, _, wanted) in LOGINS.items():
            opened = engines.engine(name).calls("OpenSession")
            prefix = f"set:hiveconf:spark.sql.catalog.floe_{name}."
            conf = {key.removeprefix(prefix): value for key, value in opened[0].request.configuration.items() if key.startswith(prefix)} if opened else {}
            found = {key: value for key, value in conf.items() if key.startswith(ABOUT_LOGIN)}
            t.equal((conf.get("uri"), found), (mock.catalog(name).uri, wanted), f"{name}: the session has what lets the engine in, and nothing else of the kind")
            statements = " ".join(one.statement for one in engines.engine(name).history)
            t.ok(OPERATION in statements and not any(secret in statements for secret in SECRETS), f"{name}: no secret in a statement", statements)
        shown = json.dumps(bench.sql("""SELECT to_jsonb(o) AS kept FROM floe.operations AS o UNION ALL SELECT to_jsonb(e) FROM floe.events AS e
            UNION ALL SELECT to_jsonb(c) FROM floe.catalogs AS c UNION ALL SELECT to_jsonb(q) FROM floe_internal.operation_queue AS q"""), default=str)
        t.equal([secret for secret in SECRETS if secret in shown], [], "no secret in what floe keeps")
        bench.unharmed(SECRETS)


if __name__ == "__main__":
    main()
