"""The five operations through Spark Connect of Spark 3.5 and 4, and through the Thrift Server of Spark 4, with the effect as in test_operations.py.

Every pair of protocol and version, on local files and, once for each version, on S3. And what check_engine() says of each.
"""
import json
import os
import sys
import time

import test_operations as operations
from harness import Tap, lab, make_tables
from lakehouse import Lakehouse

from catalogs import LabCatalog

SHAPES = ["many_small", "aged", "orphans", "position_deletes", "skewed"]
# SERVER, its TYPE, where, the version, and the catalogs that it is tried on.
ENGINES = [
    ("connect35", "spark-connect", "FLOE_SPARK_CONNECT_URL", "Spark 3.5.", ["rest"]),
    ("connect4", "spark-connect", "FLOE_SPARK4_CONNECT_URL", "Spark 4.", ["seaweedfs"]),
    ("thrift4", "spark-thrift", "FLOE_SPARK4_URL", "Spark SQL 4.", ["rest"]),
]


def through(t, pg, engine, lab_name):
    """The tables of test_operations.py, in a namespace of their own, with a policy that names this engine."""
    namespace = operations.NS = f"{engine}_{int(time.time())}"
    tables = make_tables(lab_name, namespace, SHAPES)
    if lab_name == "rest":
        with LabCatalog(lab_name).catalog.load_table((namespace, "position_deletes")).transaction() as tx:
            tx.set_properties({"write.delete.granularity": "partition"})
    pg.sql("SELECT floe.create_policy(%s, %s, %s)", (namespace, f"{lab_name}.{namespace}.**", json.dumps(operations.POLICY | {"engine": engine})))
    pg.assess(f"{lab_name}.**")
    operations.data_files(t, pg, lab_name)
    operations.snapshots(t, pg, lab_name)
    operations.orphans(t, pg, lab_name, next(one["planted"] for one in tables if one["shape"] == "orphans"))
    operations.position_deletes(t, pg, lab_name)
    operations.manifests(t, pg, lab_name)
    rows = pg.sql("SELECT operation, engine, external_id, engine_result FROM floe.operations WHERE table_name LIKE %s AND before IS NOT NULL", (f"{lab_name}.{namespace}.%",))
    t.ok(all(row["engine"] == engine and row["external_id"] and row["engine_result"] is not None for row in rows), f"{engine}: every row has the id at the engine and its result", *rows)


def main():
    lab("start", "spark4")
    try:
        with Tap() as t, Lakehouse() as pg:
            for name, kind, url, version, catalogs in ENGINES:
                if len(sys.argv) > 1 and name not in sys.argv[1:]:
                    continue
                pg.add_server(name, "floe_engine", kind, {"url": os.environ[url]}, {})
                found = pg.sql("SELECT * FROM floe.check_engine(%s)", (name,))[0]
                t.ok(found["success"] and version in " ".join(found["detail"]["engine"][0].values()), f"{name}: check_engine() says {version}", found)
                for lab_name in catalogs:
                    if not pg.value("SELECT count(*) FROM pg_foreign_server WHERE srvname = %s", (lab_name,)):
                        pg.add_catalog(lab_name)
                    through(t, pg, name, lab_name)
    finally:
        lab("stop", "spark4")


if __name__ == "__main__":
    main()
