"""A thousand registered tables in each real catalog, as cheaply as it takes them: one table's metadata file under a thousand names.

A row of the benchmark polls.py is a Row here, and nothing else has to know it. The file is in the lab's S3, so what is read of it can be counted,
whichever catalog knows of it; SeaweedFS wants it in its own. Separate from polls.py because each catalog is filled by its own protocol.
"""
from __future__ import annotations

import json
import os
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable

import lake
import psycopg2
import psycopg2.extras
from catalogs import LabCatalog, _hive
from pyiceberg.catalog import Catalog, load_catalog
from pyiceberg.table import Table

NAMESPACES = 10
SNAPSHOTS = 20
AT_ONCE, METASTORE_AT_ONCE = 8, 4


@dataclass
class Fleet:
    """Tables that are to be there: pairs of namespace and name, and the metadata file of all of them."""
    names: list[tuple[str, str]]
    metadata: str
    here: str = ""     # the private PostgreSQL, for the catalog in it

    def namespaces(self) -> list[str]:
        return sorted({namespace for namespace, _ in self.names})


def template(lab: LabCatalog, namespace: str) -> str:
    """Metadata of a table of twenty snapshots and one manifest. It stays: SeaweedFS takes a dropped table's files away."""
    name = (f"template_{namespace}", "template")
    lab.catalog.create_namespace_if_not_exists(name[0])
    table: Table = lab.catalog.create_table(name, lake.SCHEMA, location=lab.location(name),
                                            properties={"commit.manifest-merge.enabled": "true", "commit.manifest.min-count-to-merge": "2"})
    for seed in range(SNAPSHOTS):
        table.append(lake.rows(seed).cast(table.schema().as_arrow()))
    return table.metadata_location


def by_rest(lab_name: str) -> Callable[[Fleet], None]:
    def fill(fleet: Fleet) -> None:
        catalog = LabCatalog(lab_name).catalog
        for namespace in fleet.namespaces():
            catalog.create_namespace(namespace)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda name: catalog.register_table(name, fleet.metadata), fleet.names))
    return fill


def in_seaweedfs(fleet: Fleet) -> None:
    by_rest("seaweedfs")(Fleet(fleet.names, template(LabCatalog("seaweedfs"), fleet.namespaces()[0])))


def in_nessie(fleet: Fleet) -> None:
    """All of them in one commit."""
    tree = os.environ["FLOE_NESSIE_URI"] + "/api/v2/trees/main"

    def ask(path: str, body: Any = None) -> Any:
        request = urllib.request.Request(tree + path, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    operations = [{"type": "PUT", "key": {"elements": [one]}, "content": {"type": "NAMESPACE", "elements": [one], "properties": {}}} for one in fleet.namespaces()]
    with open_metadata(fleet.metadata) as file:
        metadata = json.load(file)
    content = {"type": "ICEBERG_TABLE", "metadataLocation": fleet.metadata, "snapshotId": metadata["current-snapshot-id"],
               "schemaId": metadata["current-schema-id"], "specId": metadata["default-spec-id"], "sortOrderId": metadata["default-sort-order-id"]}
    operations += [{"type": "PUT", "key": {"elements": list(name)}, "content": content} for name in fleet.names]
    head = ask("")["reference"]["hash"]
    ask(f"@{urllib.parse.quote(head)}/history/commit", {"commitMeta": {"message": "a fleet"}, "operations": operations})


def open_metadata(location: str) -> Any:
    return open(os.path.join(os.path.dirname(os.environ["FLOE_S3_DIR"]), location.removeprefix("s3://")), encoding="utf-8")


def in_hive(variable: str) -> Callable[[Fleet], None]:
    def fill(fleet: Fleet) -> None:
        from hive_metastore.ttypes import Database, FieldSchema, SerDeInfo, StorageDescriptor
        from hive_metastore.ttypes import Table as HiveTable

        serde = SerDeInfo(serializationLib="org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe")
        columns = [FieldSchema(one.name, "string", "") for one in lake.SCHEMA.fields]
        # its server knows no S3: the place is a local one, and nobody looks there
        root = f"file://{os.environ['FLOE_RUN']}/fleet"

        def fill_one(database: str) -> None:
            with _hive(os.environ[variable]) as client:
                client.create_database(Database(name=database, locationUri=f"{root}/{database}.db"))
                for namespace, name in fleet.names:
                    if namespace == database:
                        client.create_table(HiveTable(
                            dbName=namespace, tableName=name, owner="bench", tableType="EXTERNAL_TABLE", partitionKeys=[],
                            parameters={"EXTERNAL": "TRUE", "table_type": "ICEBERG", "metadata_location": fleet.metadata},
                            sd=StorageDescriptor(cols=columns, location=f"{root}/{namespace}.db/{name}", serdeInfo=serde)))

        with ThreadPoolExecutor(METASTORE_AT_ONCE) as pool:
            list(pool.map(fill_one, fleet.namespaces()))
    return fill


def insert(dsn: str, catalog_name: str, fleet: Fleet) -> None:
    connection = psycopg2.connect(dsn)
    with connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(cursor, "INSERT INTO iceberg_tables (catalog_name, table_namespace, table_name, metadata_location) VALUES %s",
                                       [(catalog_name, *name, fleet.metadata) for name in fleet.names])
    connection.close()


def in_jdbc(fleet: Fleet) -> None:
    LabCatalog("jdbc")   # which makes its tables
    insert("postgresql://lab:labsecret@" + os.environ["FLOE_DATABASE_URI"].split("://")[1] + "/iceberg", "jdbc", fleet)


def in_this_database(fleet: Fleet) -> None:
    by_sql(fleet.here)
    insert(fleet.here, "here", fleet)


def s3() -> dict[str, str]:
    """The lab's, for pyiceberg."""
    env = os.environ
    return {"s3.endpoint": env["FLOE_S3_URI"], "s3.access-key-id": env["FLOE_S3_KEY"], "s3.secret-access-key": env["FLOE_S3_SECRET"], "s3.region": env["FLOE_S3_REGION"]}


def by_sql(dsn: str) -> Catalog:
    return load_catalog("here", type="sql", uri=dsn.replace("postgresql://", "postgresql+psycopg2://"), warehouse="s3://lab/here", **s3())


def by_hive(here: str) -> Catalog:
    return load_catalog("hive3", type="hive", uri=os.environ["FLOE_HIVE3_URI"], **s3())


@dataclass(frozen=True)
class Row:
    """server and store are the lab's variables that say where they are; lab is the catalog's name in lakehouse.py. peer opens the same
    catalog for pyiceberg, given the private PostgreSQL; without one pyiceberg cannot read it."""
    key: str
    label: str
    lab: str
    server: str
    protocol: str
    fill: Callable[[Fleet], None] | None = None   # None: the row before has made the tables
    peer: Callable[[str], Catalog] | None = None
    store: str = "FLOE_S3_URI"


def pyiceberg(lab_name: str) -> Callable[[str], Catalog]:
    def peer(here: str) -> Catalog:
        lab = LabCatalog(lab_name)
        if lab_name == "lakekeeper":
            # it says itself where it is, and pyiceberg would follow, past the relay
            lab.catalog.uri = lab.uri
        return lab.catalog
    return peer


HERE = "here"   # in the place of a variable: the private PostgreSQL
ROWS = [
    Row("rest", "Iceberg REST (Apache's server)", "s3", "FLOE_REST_URI", "http", by_rest("s3"), pyiceberg("s3")),
    Row("seaweedfs", "SeaweedFS, REST", "seaweedfs", "FLOE_SEAWEEDFS_URI", "http", in_seaweedfs, pyiceberg("seaweedfs"), "FLOE_SEAWEEDFS_S3"),
    Row("nessie", "Nessie, its own API", "nessie", "FLOE_NESSIE_URI", "http", in_nessie, pyiceberg("nessie")),
    Row("nessie_rest", "Nessie, Iceberg REST", "nessie_rest", "FLOE_NESSIE_URI", "http", None, pyiceberg("nessie")),
    # the products cannot be had: the lab's dialects, in front of the first row's server
    Row("polaris", "Polaris, a stand-in", "polaris", "FLOE_POLARIS_URI", "http", by_rest("polaris"), pyiceberg("polaris")),
    Row("lakekeeper", "Lakekeeper, a stand-in", "lakekeeper", "FLOE_LAKEKEEPER_URI", "http", by_rest("lakekeeper"), pyiceberg("lakekeeper")),
    Row("gravitino", "Gravitino, a stand-in", "gravitino", "FLOE_GRAVITINO_URI", "http", by_rest("gravitino"), pyiceberg("gravitino")),
    Row("hive3", "Hive Metastore 3.1", "hive3", "FLOE_HIVE3_URI", "thrift", in_hive("FLOE_HIVE3_URI"), by_hive),
    Row("hive4", "Hive Metastore 4.0", "hive4", "FLOE_HIVE4_URI", "thrift", in_hive("FLOE_HIVE4_URI")),
    Row("jdbc", "JDBC, another PostgreSQL", "jdbc", "FLOE_DATABASE_URI", "postgresql", in_jdbc, pyiceberg("jdbc")),
    Row("here", "JDBC, this database", HERE, HERE, "postgresql", in_this_database, by_sql),
]
