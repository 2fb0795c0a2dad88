"""Iceberg's files as the judge reads them: table metadata as JSON, manifest lists and manifests by fastavro, partition values as text.

It shares nothing with floe, and of pyiceberg it uses only the file access: what a field means is written down here once more, from the spec.
"""
from __future__ import annotations

import datetime
import decimal
import gzip
import json
import math
import struct
import uuid
from dataclasses import dataclass, field
from typing import Any, Iterator

import fastavro
from pyiceberg.io import FileIO

DELETED = 2
DATA, POSITION_DELETES, EQUALITY_DELETES = 0, 1, 2
FILE_PATH_ID = 2147483546
EPOCH = datetime.date(1970, 1, 1)


def read_bytes(io: FileIO, location: str) -> bytes:
    with io.new_input(location).open() as stream:
        return stream.read()


def load_metadata(io: FileIO, location: str) -> tuple[dict[str, Any], int]:
    """The table metadata and its size as it is stored."""
    raw = read_bytes(io, location)
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw), len(raw)


def current_snapshot(metadata: dict[str, Any]) -> dict[str, Any] | None:
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots") or []}
    return by_id.get(metadata.get("current-snapshot-id"))


@dataclass
class Manifest:
    path: str
    length: int
    spec_id: int
    content: int
    sequence_number: int
    added_snapshot_id: int | None


@dataclass
class Entry:
    """One manifest entry, with what it inherits. partition is the key of its partition, shown is how people see it."""
    status: int
    content: int
    path: str
    format: str
    spec_id: int
    partition: tuple[Any, ...]
    records: int
    bytes: int
    sequence: int
    snapshot_id: int | None
    value_counts: int
    referenced: str | None
    content_bytes: int | None
    manifest: str = field(default="")

    @property
    def is_vector(self) -> bool:
        return self.content == POSITION_DELETES and self.format.upper() == "PUFFIN"


def manifests(io: FileIO, snapshot: dict[str, Any]) -> list[Manifest]:
    if "manifest-list" not in snapshot:
        raise ValueError(f"snapshot {snapshot['snapshot-id']} has no manifest list")
    with io.new_input(snapshot["manifest-list"]).open() as stream:
        return [Manifest(row["manifest_path"], row["manifest_length"], row["partition_spec_id"], row.get("content") or 0,
                         row.get("sequence_number") or 0, row.get("added_snapshot_id")) for row in fastavro.reader(stream)]


def entries(io: FileIO, manifest: Manifest, specs: dict[int, "Spec"]) -> Iterator[Entry]:
    with io.new_input(manifest.path).open() as stream:
        reader = fastavro.reader(stream)
        names = _partition_names(reader.writer_schema)
        spec = specs[manifest.spec_id]
        for row in reader:
            file = row["data_file"]
            sequence = row.get("sequence_number")
            values = file.get("partition") or {}
            content = file.get("content") or DATA
            yield Entry(
                status=row["status"], content=content, path=file["file_path"], format=file["file_format"], spec_id=manifest.spec_id,
                partition=(manifest.spec_id, *(_key(values.get(names.get(one.id, ""))) for one in spec.fields)),
                records=file["record_count"], bytes=file["file_size_in_bytes"],
                sequence=manifest.sequence_number if sequence is None else sequence,
                snapshot_id=manifest.added_snapshot_id if row.get("snapshot_id") is None else row["snapshot_id"],
                value_counts=len(file.get("value_counts") or ()), referenced=_referenced(file, content),
                content_bytes=file.get("content_size_in_bytes"), manifest=manifest.path)


def _referenced(file: dict[str, Any], content: int) -> str | None:
    """The data file that a position delete names: by its field, or by equal bounds of file_path."""
    if content != POSITION_DELETES:
        return None
    if file.get("referenced_data_file"):
        return file["referenced_data_file"]
    lower, upper = ({pair["key"]: pair["value"] for pair in file.get(name) or ()}.get(FILE_PATH_ID) for name in ("lower_bounds", "upper_bounds"))
    return lower.decode() if lower is not None and lower == upper else None


def _partition_names(schema: Any) -> dict[int, str]:
    """Partition field id -> name in the Avro record, which is not always the name in the spec."""
    def field_type(record: Any, name: str) -> Any:
        kind = next(one["type"] for one in record["fields"] if one["name"] == name)
        return next(part for part in kind if part != "null") if isinstance(kind, list) else kind

    partition = field_type(field_type(schema, "data_file"), "partition")
    return {one["field-id"]: one["name"] for one in partition["fields"]}


def _key(value: Any) -> Any:
    """A partition value in the one form that equal values share, whatever logical type the writer gave it."""
    if isinstance(value, datetime.datetime):
        utc = value if value.tzinfo else value.replace(tzinfo=datetime.timezone.utc)
        delta = utc - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        return (delta.days * 86400 + delta.seconds) * 1000000 + delta.microseconds
    if isinstance(value, datetime.date):
        return (value - EPOCH).days
    if isinstance(value, datetime.time):
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000000 + value.microsecond
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, float):
        # -0.0 and 0.0 are two partitions, NaN is one.
        return ("double", "NaN" if math.isnan(value) else struct.pack(">d", value))
    if isinstance(value, uuid.UUID):
        return value.bytes
    return value


# -------------------------------------------------------------------------------------------------
# Partition specs and how a partition is shown
# -------------------------------------------------------------------------------------------------

@dataclass
class SpecField:
    id: int
    name: str
    transform: str
    type: str


@dataclass
class Spec:
    id: int
    fields: list[SpecField]

    def show(self, partition: tuple[Any, ...]) -> dict[str, Any]:
        return {one.name: show_value(value, one.transform, one.type) for one, value in zip(self.fields, partition[1:])}


def specs(metadata: dict[str, Any]) -> dict[int, Spec]:
    types: dict[int, str] = {}
    schemas = metadata.get("schemas") or [metadata["schema"]]
    current = metadata.get("current-schema-id", 0)
    # The current schema has the last word; a column that was dropped keeps its type from the newest schema that had it.
    for schema in sorted(schemas, key=lambda one: (one.get("schema-id", 0) == current, one.get("schema-id", 0))):
        types.update(_column_types(schema))
    listed = metadata.get("partition-specs") or [{"spec-id": 0, "fields": metadata["partition-spec"]}]
    return {spec["spec-id"]: Spec(spec["spec-id"], [
        SpecField(one.get("field-id", 1000 + i), one["name"], one["transform"], types.get(one.get("source-id") or (one.get("source-ids") or [0])[0], "unknown"))
        for i, one in enumerate(spec["fields"])]) for spec in listed}


def _column_types(kind: Any) -> Iterator[tuple[int, str]]:
    """(field id, type) of the primitive columns of a schema, at any depth."""
    if isinstance(kind, dict):
        for one in kind.get("fields", ()):
            if isinstance(one["type"], str):
                yield one["id"], one["type"]
            else:
                yield from _column_types(one["type"])


def _date(days: int) -> str:
    return (EPOCH + datetime.timedelta(days=days)).isoformat()


def _clock(total: int, digits: int) -> str:
    """Time of day from micro- or nanoseconds (digits 6 or 9)."""
    seconds, fraction = divmod(total, 10 ** digits)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:0{digits}d}"


def show_value(value: Any, transform: str, kind: str) -> Any:
    """docs/metrics.md, "Partition values"; value is as _key() made it."""
    if value is None or transform == "void":
        return None
    if transform == "year":
        return f"{1970 + value:04d}"
    if transform == "month":
        return f"{1970 + value // 12:04d}-{value % 12 + 1:02d}"
    if transform == "day":
        return _date(value)
    if transform == "hour":
        return f"{_date(value // 24)}-{value % 24:02d}"
    if transform.startswith("bucket"):
        return value
    return _single_value(value, kind)


def _single_value(value: Any, kind: str) -> Any:
    """Spec, Appendix D, "JSON single-value serialization"."""
    if kind == "boolean":
        return value[1]
    if kind in ("float", "double"):
        number = float("nan") if value[1] == "NaN" else struct.unpack(">d", value[1])[0]
        if math.isnan(number) or math.isinf(number):
            return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
        if kind == "double":
            return number
        # The shortest decimal that is this float again.
        return next(float(text) for text in (f"{number:.{n}g}" for n in range(1, 18)) if struct.pack(">f", float(text)) == struct.pack(">f", number))
    if kind.startswith("decimal"):
        scale = int(kind.rstrip(")").split(",")[1])
        return f"{decimal.Decimal(value):.{scale}f}"
    if kind == "date":
        return _date(value)
    if kind == "time":
        return _clock(value, 6)
    if kind.startswith("timestamp"):
        digits = 9 if "_ns" in kind else 6
        day = 86400 * 10 ** digits
        return f"{_date(value // day)}T{_clock(value % day, digits)}" + ("+00:00" if kind.startswith("timestamptz") else "")
    if kind == "uuid":
        return str(uuid.UUID(bytes=value))
    if isinstance(value, bytes):
        return value.hex()
    return value
