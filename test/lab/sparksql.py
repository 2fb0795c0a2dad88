"""Statements on the lab's Spark, through the Thrift codec that PyHive ships (its cursor stumbles over statements without rows).

One Spark() is one HiveServer2 session. Catalogs are given when it is opened, as floe does it, so no secret is ever in a statement:

    with Spark(os.environ["FLOE_SPARK_URL"], {"lab": rest_catalog(uri)}) as spark:
        spark.sql("CREATE NAMESPACE IF NOT EXISTS lab.db")
        rows = spark.sql("SELECT id, note FROM lab.db.t")        # list of dicts
"""
from __future__ import annotations

import base64
from typing import Any

from TCLIService import TCLIService, ttypes
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.transport.THttpClient import THttpClient


class SparkError(Exception):
    """What Spark said, without its stack trace."""


def rest_catalog(uri: str, warehouse: str | None = None, **more: str) -> dict[str, str]:
    """Settings of an Iceberg REST catalog, for Spark(catalogs=...). In more, "_" of a name stands for "-" and "__" for "."."""
    conf = {"type": "rest", "uri": uri, "cache-enabled": "false"}
    if warehouse:
        conf["warehouse"] = warehouse
    conf.update({key.replace("__", ".").replace("_", "-"): value for key, value in more.items()})
    return conf


def s3_settings(endpoint: str, key: str, secret: str, region: str = "us-east-1") -> dict[str, str]:
    """The file IO of a catalog whose tables are in the S3 at endpoint."""
    return {
        "io-impl": "org.apache.iceberg.aws.s3.S3FileIO", "s3.endpoint": endpoint, "s3.path-style-access": "true",
        "s3.access-key-id": key, "s3.secret-access-key": secret, "client.region": region,
    }


def quote(*parts: str) -> str:
    """An identifier of Spark SQL: every part in back-ticks."""
    return ".".join("`" + part.replace("`", "``") + "`" for part in parts)


class Spark:
    def __init__(self, url: str, catalogs: dict[str, dict[str, str]] | None = None, conf: dict[str, str] | None = None, timeout_s: float = 600):
        transport = THttpClient(url)
        transport.setTimeout(timeout_s * 1000)
        transport.setCustomHeaders({"Authorization": "Basic " + base64.b64encode(b"lab:lab").decode()})
        self.client = TCLIService.Client(TBinaryProtocol(transport))
        settings = dict(conf or {})
        for name, options in (catalogs or {}).items():
            settings[f"spark.sql.catalog.{name}"] = "org.apache.iceberg.spark.SparkCatalog"
            settings.update({f"spark.sql.catalog.{name}.{key}": value for key, value in options.items()})
        reply = self.client.OpenSession(ttypes.TOpenSessionReq(
            client_protocol=ttypes.TProtocolVersion.HIVE_CLI_SERVICE_PROTOCOL_V8, username="lab", password="lab",
            configuration={f"set:hiveconf:{key}": value for key, value in settings.items()}))
        self._check(reply)
        self.session = reply.sessionHandle

    @staticmethod
    def _check(reply: Any) -> None:
        if reply.status.statusCode not in (ttypes.TStatusCode.SUCCESS_STATUS, ttypes.TStatusCode.SUCCESS_WITH_INFO_STATUS):
            lines = [line for line in (reply.status.errorMessage or "no message").splitlines() if not line.startswith("\tat ")]
            raise SparkError(" ".join(lines[:4])[:600])

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Runs the statement to its end and returns its rows."""
        reply = self.client.ExecuteStatement(ttypes.TExecuteStatementReq(self.session, statement, runAsync=False))
        self._check(reply)
        operation = reply.operationHandle
        try:
            return self._rows(operation)
        finally:
            self.client.CloseOperation(ttypes.TCloseOperationReq(operation))

    def _rows(self, operation: Any) -> list[dict[str, Any]]:
        described = self.client.GetResultSetMetadata(ttypes.TGetResultSetMetadataReq(operation))
        self._check(described)
        names = [column.columnName for column in described.schema.columns]
        rows: list[dict[str, Any]] = []
        # hasMoreRows is always false: the end is a fetch without rows.
        while True:
            reply = self.client.FetchResults(ttypes.TFetchResultsReq(operation, ttypes.TFetchOrientation.FETCH_NEXT, 10000))
            self._check(reply)
            columns = [self._column(column) for column in reply.results.columns or []]
            if not columns or not columns[0]:
                return rows
            rows.extend(dict(zip(names, values)) for values in zip(*columns))

    @staticmethod
    def _column(column: Any) -> list[Any]:
        """The values of one column; a set bit in nulls stands for NULL, and trailing zero bytes of it are cut."""
        data = next(value for value in vars(column).values() if value is not None)
        return [None if i // 8 < len(data.nulls) and data.nulls[i // 8] >> (i % 8) & 1 else value for i, value in enumerate(data.values)]

    def close(self) -> None:
        self.client.CloseSession(ttypes.TCloseSessionReq(self.session))

    def __enter__(self) -> "Spark":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
