"""The lab's catalogs, as pyiceberg and Spark see them. Where they are comes from the environment (eval "$(test/lab/lab env)").

    rest        the reference Iceberg REST server, tables in local files
    rest_old    the version of it before, the same
    s3          the same server, tables in versitygw, the S3 that checks every signature
    seaweedfs   SeaweedFS's Iceberg REST catalog with OAuth2, tables in its S3
    nessie      Nessie, written through its Iceberg REST endpoint, tables in versitygw
    nessie_oidc another one, which wants a token of the lab's OpenID provider
    hive3       a Hive Metastore 3.1, tables in local files (its server knows no S3)
    hive4       a Hive Metastore 4.0, which pyiceberg cannot talk to: it gets copies of hive3's tables (copy_to_hive4)
    jdbc        a JDBC catalog in the lab's PostgreSQL, tables in versitygw
    polaris, lakekeeper, gravitino   dialects of these products in front of the reference server (dialect.py), tables in versitygw,
                opened with keys that they vend (polaris, gravitino) or with our own (lakekeeper)
"""
from __future__ import annotations

import json
import os
import re
import time
import urllib.request
from typing import Any

from pyiceberg.catalog import Catalog, load_catalog

import sparksql
import weedmeta

NAMES = ["rest", "rest_old", "s3", "seaweedfs", "nessie", "nessie_oidc", "hive3", "jdbc", "polaris", "lakekeeper", "gravitino"]


class LabCatalog:
    """One of NAMES. catalog is pyiceberg's; spark_options are what a Spark session needs to call it "lab"."""

    def __init__(self, name: str):
        env = os.environ
        self.name = name
        self.io: dict[str, str] = {}
        properties: dict[str, Any] = {"type": "rest"}
        if name == "seaweedfs":
            endpoint, key, secret = env["FLOE_SEAWEEDFS_S3"], env["FLOE_SEAWEEDFS_KEY"], env["FLOE_SEAWEEDFS_SECRET"]
            self.uri, self.warehouse = env["FLOE_SEAWEEDFS_URI"], env["FLOE_SEAWEEDFS_WAREHOUSE"]
            self.root = f"s3://{self.warehouse}"
            properties.update(uri=self.uri, warehouse=self.warehouse, credential=f"{key}:{secret}", scope="catalog")
            self.spark_options = sparksql.rest_catalog(self.uri, self.warehouse, credential=f"{key}:{secret}", scope="catalog")
        elif name in ("rest", "rest_old", "s3"):
            server = "FLOE_REST_OLD" if name == "rest_old" else "FLOE_REST"
            endpoint, key, secret = env["FLOE_S3_URI"], env["FLOE_S3_KEY"], env["FLOE_S3_SECRET"]
            self.uri, self.warehouse = env[f"{server}_URI"], None
            self.root = f"s3://{env['FLOE_S3_BUCKET']}/tables" if name == "s3" else "file://" + env[f"{server}_WAREHOUSE"]
            properties.update(uri=self.uri)
            self.spark_options = sparksql.rest_catalog(self.uri)
        elif name in ("nessie", "nessie_oidc"):
            endpoint, key, secret = env["FLOE_S3_URI"], env["FLOE_S3_KEY"], env["FLOE_S3_SECRET"]
            self.uri, self.warehouse = env["FLOE_NESSIE_URI" if name == "nessie" else "FLOE_NESSIE_OIDC_URI"] + "/iceberg", "lab"
            self.root = f"s3://{env['FLOE_S3_BUCKET']}/{name.replace('_', '-')}"
            properties.update(uri=self.uri, warehouse=self.warehouse, **({} if name == "nessie" else {"token": _token()}))
            self.spark_options = sparksql.rest_catalog(self.uri, self.warehouse)
        elif name in ("polaris", "lakekeeper", "gravitino"):
            endpoint, key, secret = env["FLOE_S3_URI"], env["FLOE_S3_KEY"], env["FLOE_S3_SECRET"]
            self.uri, self.warehouse = env[f"FLOE_{name.upper()}_URI"], "lab" if name == "lakekeeper" else "lake"
            self.root = f"s3://{env['FLOE_S3_BUCKET']}/{name}"
            properties.update(uri=self.uri, warehouse=self.warehouse, **_dialect_writer(name))
            self.spark_options = sparksql.rest_catalog(self.uri, self.warehouse)
        elif name == "hive3":
            self.uri, self.warehouse, self.root = env["FLOE_HIVE3_URI"], None, f"file://{env['FLOE_RUN']}/hive3/warehouse"
            properties = {"type": "hive", "uri": self.uri}
            self.spark_options = {"type": "hive", "uri": self.uri, "cache-enabled": "false"}
        elif name == "jdbc":
            endpoint, key, secret = env["FLOE_S3_URI"], env["FLOE_S3_KEY"], env["FLOE_S3_SECRET"]
            place = env["FLOE_DATABASE_URI"].split("://")[1]
            self.uri, self.root = f"{place}/iceberg", f"s3://{env['FLOE_S3_BUCKET']}/jdbc"
            self.warehouse = self.root
            properties = {"type": "sql", "uri": f"postgresql+psycopg2://lab:labsecret@{self.uri}", "warehouse": self.warehouse}
            self.spark_options = {"type": "jdbc", "uri": f"jdbc:postgresql://{self.uri}", "jdbc.user": "lab", "jdbc.password": "labsecret",
                                  "warehouse": self.warehouse, "cache-enabled": "false"}
        else:
            raise ValueError(f"unknown catalog {name}: one of {', '.join(NAMES)}")
        # the keys that these vend must do
        if self.root.startswith("s3:") and name not in ("polaris", "gravitino"):
            self.io = {"s3.endpoint": endpoint, "s3.access-key-id": key, "s3.secret-access-key": secret, "s3.region": "us-east-1"}
            self.spark_options.update(sparksql.s3_settings(endpoint, key, secret))
        self.catalog: Catalog = load_catalog(name, **properties, **self.io)

    def location(self, levels: tuple[str, ...]) -> str | None:
        """Where to put a table, when its catalog would not choose rightly by itself."""
        if self.name not in ("s3", "jdbc"):
            return None
        # In an s3:// location "?", "#" and "%" do not stand for themselves, and its server tries for minutes before it says so.
        return "/".join([self.root, *(re.sub("[?#%/]", "_", level) for level in levels)])

    def spark(self) -> sparksql.Spark:
        return sparksql.Spark(os.environ["FLOE_SPARK_URL"], {"lab": self.spark_options})

    def filer(self) -> weedmeta.Filer:
        return weedmeta.Filer(os.environ["FLOE_SEAWEEDFS_WEED"], os.environ["FLOE_SEAWEEDFS_FILER"])

    @staticmethod
    def copy_to_hive4(database: str) -> None:
        """The tables of a database of hive3, as they are now, in hive4: two metastores that know of the same files."""
        with _hive(os.environ["FLOE_HIVE3_URI"]) as old, _hive(os.environ["FLOE_HIVE4_URI"]) as new:
            for name in new.get_all_tables(database):
                new.drop_table(database, name, False)
            if database not in new.get_all_databases():
                new.create_database(old.get_database(database))
            for name in old.get_all_tables(database):
                new.create_table(old.get_table(database, name))

    @staticmethod
    def plain_hive_table(database: str, name: str) -> None:
        """In hive3: a table that is not Iceberg's."""
        from hive_metastore.ttypes import FieldSchema, SerDeInfo, StorageDescriptor, Table

        with _hive(os.environ["FLOE_HIVE3_URI"]) as client:
            place = f"file://{os.environ['FLOE_RUN']}/hive3/warehouse/{database}.db/{name}"
            client.create_table(Table(dbName=database, tableName=name, owner="lab", tableType="EXTERNAL_TABLE", parameters={"EXTERNAL": "TRUE"}, partitionKeys=[],
                                      sd=StorageDescriptor(cols=[FieldSchema("id", "bigint", "")], location=place, serdeInfo=SerDeInfo(
                                          serializationLib="org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"))))

    def allow_past(self, levels: tuple[str, ...], timestamp_ms: int) -> None:
        """Lets a table without snapshots take some that are older than itself. The reference server needs nothing for that."""
        if self.name == "seaweedfs":
            self.filer().age_table(self.warehouse, ".".join(levels[:-1]), levels[-1], timestamp_ms)

    def plant(self, location: str, content: bytes, age_seconds: float) -> str:
        """Puts a file at location that looks age_seconds old to whoever lists it. Returns the location."""
        self.plant_all([(location, content)], age_seconds)
        return location

    def plant_all(self, files: list[tuple[str, bytes]], age_seconds: float) -> None:
        """The same for many (location, content), which is as quick as one."""
        mtime = int(time.time() - age_seconds)
        if self.name == "seaweedfs":
            self.filer().plant([("/buckets/" + location.split("://", 1)[-1], content) for location, content in files], mtime)
            return
        for location, content in files:
            if self.name == "s3":
                path = os.path.join(os.path.dirname(os.environ["FLOE_S3_DIR"]), location.split("://", 1)[-1])
            else:
                path = location.removeprefix("file:").replace("//", "/", 1) if location.startswith("file://") else location.removeprefix("file:")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
            os.utime(path, (mtime, mtime))


def _dialect_writer(name: str) -> dict[str, Any]:
    """Who makes the tables there: not the user that floe is."""
    if name == "polaris":
        return {"credential": "writer-client:writer-secret", "scope": "PRINCIPAL_ROLE:ALL", "header.Polaris-Realm": "floe-lab"}
    if name == "gravitino":
        return {"auth": {"type": "basic", "basic": {"username": "writer", "password": "writer-password"}}}
    return {"token": _token("writer"), "header.X-Iceberg-Access-Delegation": "client-managed"}


def _hive(uri: str) -> Any:
    """A Thrift client of a metastore, as pyiceberg has it."""
    from pyiceberg.catalog.hive import _HiveClient

    return _HiveClient(uri)


def _token(scope: str = "catalog") -> str:
    """One of the lab's OpenID provider, for whoever asks."""
    form = f"grant_type=client_credentials&client_id=lab&client_secret=any&scope={scope}".encode()
    with urllib.request.urlopen(os.environ["FLOE_OAUTH2_URI"] + "/token", form) as answer:
        return json.load(answer)["access_token"]
