"""The lab's catalogs and engines as floe knows them: servers, user mappings and settings, in one place for all end-to-end tests.

    with Tap() as t, Lakehouse() as pg:          # a Cluster with CREATE EXTENSION floe
        pg.add_catalog("rest"); pg.add_engine()
        pg.maintain("rest.demo.**", wait=True)
"""
from __future__ import annotations

import os
from typing import Any

from harness import Cluster

# Everything the lab has on this machine, and nothing else.
SETTINGS = {"floe.allowed_hosts": "127.0.0.1", "floe.allowed_file_roots": os.environ.get("FLOE_RUN", "/nonexistent")}


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def options(values: dict[str, str]) -> str:
    return "(" + ", ".join(f'"{key}" {literal(value)}' for key, value in values.items()) + ")" if values else ""


def catalog_definition(lab_name: str) -> tuple[dict[str, str], dict[str, str]]:
    """Options of SERVER and USER MAPPING for one of catalogs.NAMES."""
    env = os.environ
    if lab_name == "seaweedfs":
        server = {"uri": env["FLOE_SEAWEEDFS_URI"], "warehouse": env["FLOE_SEAWEEDFS_WAREHOUSE"], "s3_endpoint": env["FLOE_SEAWEEDFS_S3"],
                  "oauth2_server_uri": env["FLOE_SEAWEEDFS_URI"] + "/v1/oauth/tokens"}
        key, secret = env["FLOE_SEAWEEDFS_KEY"], env["FLOE_SEAWEEDFS_SECRET"]
        return server, {"client_id": key, "client_secret": secret, "s3_access_key_id": key, "s3_secret_access_key": secret}
    if lab_name == "seaweedfs_sigv4":
        server, mapping = catalog_definition("seaweedfs")
        return ({key: value for key, value in server.items() if key != "oauth2_server_uri"} | {"sigv4_service": "s3tables"},
                {key: value for key, value in mapping.items() if key.startswith("s3_")})
    place = {
        "rest": {"uri": env["FLOE_REST_URI"]},
        "rest_old": {"uri": env["FLOE_REST_OLD_URI"]},
        "s3": {"uri": env["FLOE_REST_URI"]},
        "nessie": {"uri": env["FLOE_NESSIE_URI"] + "/api/v2"},
        "nessie_oidc": {"uri": env["FLOE_NESSIE_OIDC_URI"] + "/api/v2", "oauth2_server_uri": env["FLOE_OAUTH2_URI"] + "/token"},
        "nessie_rest": {"uri": env["FLOE_NESSIE_URI"] + "/iceberg", "warehouse": "lab"},
        "hive3": {"uri": env["FLOE_HIVE3_URI"]},
        "hive4": {"uri": env["FLOE_HIVE4_URI"]},
        "jdbc": {"uri": env["FLOE_DATABASE_URI"] + "/iceberg", "catalog_name": "jdbc"},
        "polaris": {"uri": env["FLOE_POLARIS_URI"], "warehouse": "lake", "scope": "PRINCIPAL_ROLE:ALL", "header.Polaris-Realm": "floe-lab"},
        "lakekeeper": {"uri": env["FLOE_LAKEKEEPER_URI"], "warehouse": "lab", "oauth2_server_uri": env["FLOE_OAUTH2_URI"] + "/token", "scope": "floe",
                       "access_delegation": "client-managed"},
        "gravitino": {"uri": env["FLOE_GRAVITINO_URI"], "warehouse": "lake"},
    }
    server, mapping = place[lab_name], {}
    if lab_name in ("s3", "nessie", "nessie_oidc", "nessie_rest", "jdbc", "lakekeeper"):
        server.update(s3_endpoint=env["FLOE_S3_URI"], s3_region=env["FLOE_S3_REGION"])
        mapping = {"s3_access_key_id": env["FLOE_S3_KEY"], "s3_secret_access_key": env["FLOE_S3_SECRET"]}
    if lab_name == "polaris":
        mapping.update(client_id="floe-client", client_secret="floe-secret")
    if lab_name == "gravitino":
        mapping.update(username="floe", password="floe-password")
    if lab_name in ("nessie_oidc", "lakekeeper"):
        mapping.update(client_id="floe", client_secret="any")
    if lab_name == "jdbc":
        mapping.update(username="lab", password="labsecret")
    return server, mapping


def catalog_type(lab_name: str) -> str:
    """SERVER TYPE."""
    return {"nessie": "nessie", "nessie_oidc": "nessie", "hive3": "hive", "hive4": "hive", "jdbc": "jdbc"}.get(lab_name, "rest")


class Lakehouse(Cluster):
    """A private PostgreSQL with floe installed and allowed to reach the lab."""

    def __init__(self, conf: dict[str, str] | None = None, **more: Any):
        super().__init__(conf={**SETTINGS, **(conf or {})}, **more)
        self.sql("CREATE EXTENSION floe")

    def add_server(self, name: str, wrapper: str, kind: str, server: dict[str, str], mapping: dict[str, str]) -> None:
        # in one transaction: workers must not see a server without its credentials
        self.sql(f'CREATE SERVER "{name}" TYPE {literal(kind)} FOREIGN DATA WRAPPER {wrapper} OPTIONS {options(server)}; '
                 f'CREATE USER MAPPING FOR PUBLIC SERVER "{name}"' + (f" OPTIONS {options(mapping)}" if mapping else ""))

    def add_catalog(self, lab_name: str, name: str | None = None, **more: str) -> str:
        server, mapping = catalog_definition(lab_name)
        name = name or lab_name
        self.add_server(name, "floe_catalog", catalog_type(lab_name), {**server, **more}, mapping)
        return name

    def add_engine(self, name: str = "spark", **more: str) -> str:
        self.add_server(name, "floe_engine", "spark-thrift", {"url": os.environ["FLOE_SPARK_URL"], **more}, {})
        return name

    def maintain(self, pattern: str | None = None, wait: bool = False, timeout: float = 600) -> str:
        """CALL floe.run_maintenance(); returns its notices."""
        done = self.psql(f"CALL floe.run_maintenance({'NULL' if pattern is None else literal(pattern)}, {str(wait).lower()})", timeout=timeout)
        if done.returncode:
            raise RuntimeError(f"run_maintenance failed: {done.stderr}")
        return done.stderr

    def assess(self, pattern: str) -> None:
        """A pass that reads these tables and decides, and sends nothing."""
        self.sql("SELECT floe.pause(%s)", (pattern,))
        self.maintain(pattern)
        self.sql("SELECT floe.resume(%s)", (pattern,))

    def format_name(self, levels: list[str]) -> str:
        return self.value("SELECT floe_internal.format_name(%s)", (levels,))

    def metrics(self, table: str, at: str | None = None) -> dict[str, float | None]:
        """Every metric of a table, at a time of floe's clock."""
        clock = f"SET floe.virtual_clock = {literal(at)}; " if at else ""
        return {row["metric"]: row["value"] for row in self.sql(clock + "SELECT metric, value FROM floe.health(%s)", (table,))}
