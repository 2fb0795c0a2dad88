#!/usr/bin/env python3
"""The independent judge: every metric of docs/metrics.md from the table's own files, as one JSON object.

    eval "$(test/lab/lab env)"
    $FLOE_PYTHON test/lab/judge.py --catalog rest --table floe_lab.many_small --target 1048576
    $FLOE_PYTHON test/lab/judge.py --catalog seaweedfs --table '["ns", "a.b"]' --checksum      rows, and a checksum without an order
    $FLOE_PYTHON test/lab/judge.py --catalog s3 --table ns.t --reachable                       every file of every snapshot, what is missing,
                                                                                               and what lies in the table's place unreferenced
    $FLOE_PYTHON test/lab/judge.py --metadata file:/tmp/.../v3.metadata.json [--io KEY=VALUE]

It shares no code with floe. It reads metadata and manifests itself (icebergfiles.py, fastavro) and rows through pyiceberg; rows of tables
with equality deletes or deletion vectors, which pyiceberg does not read, through Spark.
"""
from __future__ import annotations

import argparse
import datetime
import decimal
import hashlib
import json
import struct
import sys
import time
from collections import Counter, defaultdict
from statistics import median
from typing import Any

from catalogs import NAMES, LabCatalog
from icebergfiles import DATA, DELETED, EQUALITY_DELETES, Entry, Spec, current_snapshot, entries, load_metadata, manifests, specs
from pyiceberg.io import FileIO, load_file_io
from sparksql import quote

MIB = 1024 * 1024
DAY_MS = 86400 * 1000


# -------------------------------------------------------------------------------------------------
# From the table metadata
# -------------------------------------------------------------------------------------------------

def refs(metadata: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = dict(metadata.get("refs") or {})
    if "main" not in found and current_snapshot(metadata):
        found["main"] = {"snapshot-id": metadata["current-snapshot-id"], "type": "branch"}
    return found


def ancestry(metadata: dict[str, Any], snapshot_id: int | None) -> list[dict[str, Any]]:
    """The snapshot and its ancestors, newest first, as far as they are retained."""
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots") or []}
    line: list[dict[str, Any]] = []
    seen = set()
    while snapshot_id in by_id and snapshot_id not in seen:
        seen.add(snapshot_id)
        line.append(by_id[snapshot_id])
        snapshot_id = by_id[snapshot_id].get("parent-snapshot-id")
    return line


def expirable(metadata: dict[str, Any], now: int, max_age: int | None, min_keep: int | None) -> int:
    """How many snapshots expire_snapshots would remove (RemoveSnapshots of Iceberg's core); ages in milliseconds."""
    properties = metadata.get("properties") or {}
    max_age = max_age if max_age is not None else int(properties.get("history.expire.max-snapshot-age-ms", 5 * DAY_MS))
    min_keep = min_keep if min_keep is not None else int(properties.get("history.expire.min-snapshots-to-keep", 1))
    max_ref_age = properties.get("history.expire.max-ref-age-ms")
    by_id = {snapshot["snapshot-id"]: snapshot for snapshot in metadata.get("snapshots") or []}

    kept, reached = set(), set()
    for name, ref in refs(metadata).items():
        head = by_id.get(ref["snapshot-id"])
        limit = ref.get("max-ref-age-ms", int(max_ref_age) if max_ref_age else None)
        if head is None or (name != "main" and limit is not None and now - head["timestamp-ms"] > limit):
            continue
        if ref["type"] == "tag":
            kept.add(ref["snapshot-id"])
            reached.add(ref["snapshot-id"])
            continue
        line = ancestry(metadata, ref["snapshot-id"])
        reached.update(snapshot["snapshot-id"] for snapshot in line)
        oldest = now - ref.get("max-snapshot-age-ms", max_age)
        for i, snapshot in enumerate(line):
            if i >= max(1, ref.get("min-snapshots-to-keep", min_keep)) and snapshot["timestamp-ms"] < oldest:
                break
            kept.add(snapshot["snapshot-id"])
    kept.update(key for key, snapshot in by_id.items() if key not in reached and snapshot["timestamp-ms"] >= now - max_age)
    return len(by_id.keys() - kept)


def is_write(snapshot: dict[str, Any]) -> bool:
    return (snapshot.get("summary") or {}).get("operation") != "replace"


def median_gap(times: list[int]) -> float | None:
    """Seconds, to the millisecond; times are milliseconds, oldest first. A clock that went back is a gap of 0."""
    return int(median(max(0, b - a) for a, b in zip(times, times[1:]))) / 1000 if len(times) > 1 else None


def lag(metadata: dict[str, Any], files: list[dict[str, Any]], now: int) -> tuple[int, float | None]:
    """How many snapshots of main's ancestry are newer than the newest one that a statistics file is of, and the age of that one."""
    line = ancestry(metadata, metadata.get("current-snapshot-id"))
    of = {one["snapshot-id"] for one in files}
    place = next((i for i, one in enumerate(line) if one["snapshot-id"] in of), None)
    return (len(line), None) if place is None else (place, (now - line[place]["timestamp-ms"]) / 1000)


def statistics_metrics(metadata: dict[str, Any], now: int) -> dict[str, Any]:
    specs_fields = [spec["fields"] for spec in metadata.get("partition-specs") or [{"fields": metadata.get("partition-spec") or []}]]
    table_lag, table_age = lag(metadata, metadata.get("statistics") or [], now)
    partition_lag, partition_age = lag(metadata, metadata.get("partition-statistics") or [], now)
    if not any(field["transform"] != "void" for fields in specs_fields for field in fields):
        partition_lag = partition_age = None
    return {"table_stats_lag": table_lag, "table_stats_age": table_age, "partition_stats_lag": partition_lag, "partition_stats_age": partition_age}


def metadata_metrics(metadata: dict[str, Any], size: int, options: argparse.Namespace) -> dict[str, Any]:
    now = options.now
    snapshots = metadata.get("snapshots") or []
    current = current_snapshot(metadata)
    writes = [one for one in ancestry(metadata, metadata.get("current-snapshot-id")) if is_write(one)]
    return {
        "snapshot_count": len(snapshots),
        "oldest_snapshot_age": (now - min(one["timestamp-ms"] for one in snapshots)) / 1000 if snapshots else None,
        "newest_snapshot_age": (now - current["timestamp-ms"]) / 1000 if current else None,
        "expirable_snapshot_count": expirable(metadata, now, options.max_snapshot_age_ms, options.min_snapshots_to_keep),
        "ref_count": len(refs(metadata)),
        "commit_interval": median_gap([one["timestamp-ms"] for one in reversed(writes)]),
        "last_write_age": (now - writes[0]["timestamp-ms"]) / 1000 if writes else None,
        "metadata_json_bytes": size,
        "metadata_log_count": len(metadata.get("metadata-log") or []),
        **statistics_metrics(metadata, now),
    }


# -------------------------------------------------------------------------------------------------
# From manifests
# -------------------------------------------------------------------------------------------------

class Files:
    """The live files of a table and what is dangling among them."""

    def __init__(self, every: list[Entry], by_spec: dict[int, Spec]):
        live = [one for one in every if one.status != DELETED]
        self.data = [one for one in live if one.content == DATA]
        self.equality = [one for one in live if one.content == EQUALITY_DELETES]
        self.vectors = [one for one in live if one.is_vector]
        self.positions = [one for one in live if one.content not in (DATA, EQUALITY_DELETES) and not one.is_vector]
        self.deletes = self.positions + self.equality + self.vectors
        sequence_of = {one.path: one.sequence for one in self.data}
        oldest: dict[Any, int] = {}
        for one in self.data:
            oldest[one.partition] = min(one.sequence, oldest.get(one.partition, one.sequence))
        oldest_of_all = min(oldest.values(), default=None)

        def dangles(one: Entry) -> bool:
            if one.content == EQUALITY_DELETES:
                first = oldest.get(one.partition) if any(str(field.transform) != "void" for field in by_spec[one.spec_id].fields) else oldest_of_all
                return first is None or first >= one.sequence
            if one.referenced is not None:
                return one.referenced not in sequence_of or sequence_of[one.referenced] > one.sequence
            first = oldest.get(one.partition)
            return first is None or first > one.sequence

        self.dangling = [one for one in self.deletes if dangles(one)]


def grouped(files: list[Entry]) -> dict[Any, list[Entry]]:
    groups = defaultdict(list)
    for one in files:
        groups[one.partition].append(one)
    return groups


def excess(small: list[Entry], target: int, min_input_files: int) -> int:
    """How many of one partition's small files bin-packing would remove."""
    size = sum(one.bytes for one in small)
    if len(small) >= min_input_files or (len(small) > 1 and size > target):
        return max(0, len(small) - -(-size // target))
    return 0


def excess_deletes(deletes: list[Entry], metadata: dict[str, Any]) -> int:
    """How many of one partition's position delete files rewriting them would remove."""
    positions = [one for one in deletes if one.content not in (DATA, EQUALITY_DELETES) and not one.is_vector]
    left = 1
    if (metadata.get("properties") or {}).get("write.delete.granularity", "file").lower() != "partition":
        left = max(1, len({one.referenced for one in positions if one.referenced is not None} - {one.referenced for one in deletes if one.is_vector}))
    return max(0, len(positions) - left)


def ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def manifest_metrics(listed: list[Any], every: list[Entry], files: Files, metadata: dict[str, Any], target: int, options: argparse.Namespace) -> dict[str, Any]:
    data, partitions = files.data, grouped(files.data)
    manifest_target = int((metadata.get("properties") or {}).get("commit.manifest.target-size-bytes", 8 * MIB))
    by_kind = defaultdict(list)
    for one in listed:
        by_kind[one.content, one.spec_id].append(one.length)
    small = [one for one in data if one.bytes < target * 3 // 4]
    large = [one for one in data if one.bytes > target * 9 // 5]
    records = sum(one.records for one in data)
    deleted = sum(one.records for one in files.deletes)
    return {
        "manifest_count": len(listed),
        "data_manifest_count": sum(one.content == 0 for one in listed),
        "delete_manifest_count": sum(one.content == 1 for one in listed),
        "manifest_bytes": sum(one.length for one in listed),
        "excess_manifest_count": sum(max(0, len(sizes) - -(-sum(sizes) // manifest_target)) for sizes in by_kind.values()),
        "data_file_count": len(data),
        "data_bytes": sum(one.bytes for one in data),
        "record_count": records,
        "average_file_bytes": ratio(sum(one.bytes for one in data), len(data)),
        "small_file_count": len(small),
        "small_file_bytes": sum(one.bytes for one in small),
        "excess_file_count": sum(excess(group, target, options.min_input_files) for group in grouped(small).values()),
        "oversized_file_count": len(large),
        "oversized_file_bytes": sum(one.bytes for one in large),
        "position_delete_file_count": len(files.positions),
        "excess_delete_file_count": sum(excess_deletes(group, metadata) for group in grouped(files.deletes).values()),
        "position_delete_row_count": sum(one.records for one in files.positions),
        "equality_delete_file_count": len(files.equality),
        "equality_delete_row_count": sum(one.records for one in files.equality),
        "deletion_vector_count": len(files.vectors),
        "deletion_vector_row_count": sum(one.records for one in files.vectors),
        "delete_bytes": sum(one.content_bytes if one.is_vector else one.bytes for one in files.deletes),
        "delete_ratio": ratio(deleted, records),
        "dangling_delete_count": len(files.dangling),
        "partition_count": len(partitions),
        "partition_skew": ratio(max(map(len, partitions.values()), default=0) * len(partitions), len(data)),
        "manifest_spread": ratio(sum(len({one.manifest for one in group}) for group in partitions.values()), len(partitions)),
        "deleted_entry_count": sum(one.status == DELETED for one in every),
        "stat_column_count": ratio(sum(one.value_counts for one in data), len(data)),
    }


def partition_metrics(files: Files, metadata: dict[str, Any], by_spec: dict[int, Spec], target: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    snapshots = {one["snapshot-id"]: one for one in metadata.get("snapshots") or []}
    data, deletes, dangling = grouped(files.data), grouped(files.deletes), Counter(one.partition for one in files.dangling)
    found = []
    for key in sorted(data.keys() | deletes.keys(), key=repr):
        group, removed = data.get(key, []), deletes.get(key, [])
        small = [one for one in group if one.bytes < target * 3 // 4]
        records = sum(one.records for one in group)
        writes = sorted({one.snapshot_id for one in group if one.snapshot_id in snapshots and is_write(snapshots[one.snapshot_id])},
                        key=lambda one: snapshots[one]["timestamp-ms"])
        times = [snapshots[one]["timestamp-ms"] for one in writes]
        found.append({
            "spec_id": key[0],
            "partition": by_spec[key[0]].show(key),
            "data_file_count": len(group),
            "data_bytes": sum(one.bytes for one in group),
            "record_count": records,
            "average_file_bytes": ratio(sum(one.bytes for one in group), len(group)),
            "small_file_count": len(small),
            "small_file_bytes": sum(one.bytes for one in small),
            "excess_file_count": excess(small, target, options.min_input_files),
            "oversized_file_count": sum(one.bytes > target * 9 // 5 for one in group),
            "position_delete_file_count": sum(one.content == 1 and not one.is_vector for one in removed),
            "excess_delete_file_count": excess_deletes(removed, metadata),
            "equality_delete_file_count": sum(one.content == EQUALITY_DELETES for one in removed),
            "deletion_vector_count": sum(one.is_vector for one in removed),
            "delete_row_count": sum(one.records for one in removed),
            "delete_ratio": ratio(sum(one.records for one in removed), records),
            "dangling_delete_count": dangling[key],
            "manifest_count": len({one.manifest for one in group}),
            "last_write_at": datetime.datetime.fromtimestamp(times[-1] / 1000, datetime.timezone.utc).isoformat(timespec="milliseconds") if times else None,
            "commit_interval": median_gap(times[-16:]),
        })
    return found


def metrics(io: FileIO, location: str, options: argparse.Namespace) -> dict[str, Any]:
    metadata, size = load_metadata(io, location)
    snapshot, by_spec = current_snapshot(metadata), specs(metadata)
    target = options.target or int((metadata.get("properties") or {}).get("write.target-file-size-bytes", 512 * MIB))
    listed = manifests(io, snapshot) if snapshot else []
    every = [entry for manifest in listed for entry in entries(io, manifest, by_spec)]
    files = Files(every, by_spec)
    return {
        "metadata_location": location, "format_version": metadata["format-version"], "table_uuid": metadata["table-uuid"],
        "current_snapshot_id": snapshot["snapshot-id"] if snapshot else None, "target_file_size": target, "now": options.now,
        "metrics": {**metadata_metrics(metadata, size, options), **manifest_metrics(listed, every, files, metadata, target, options)},
        "partitions": partition_metrics(files, metadata, by_spec, target, options),
    }


# -------------------------------------------------------------------------------------------------
# Reachable files
# -------------------------------------------------------------------------------------------------

def plain(location: str) -> str:
    """A location without the ways to write it: file:/x, file:///x and /x are one, s3a is s3."""
    if location.startswith("file:"):
        location = "/" + location[5:].lstrip("/")
    return "s3" + location[3:] if location.startswith(("s3a:", "s3n:")) else location


def list_files(io: FileIO, location: str) -> set[str]:
    """Everything below the table's location, but for the checksum files that Hadoop's local file system puts beside each file."""
    import pyarrow.fs as fs

    bucket, _, path = location.removeprefix("s3://").partition("/") if location.startswith("s3://") else ("", "", plain(location))
    system = io.fs_by_scheme("s3" if bucket else "file", bucket or None)
    root = f"{bucket}/{path}" if bucket else path
    found = system.get_file_info(fs.FileSelector(root.rstrip("/"), recursive=True, allow_not_found=True))
    return {("s3://" if bucket else "") + one.path for one in found
            if one.type == fs.FileType.File and not (one.base_name.startswith(".") and one.extension == "crc")}


def reachable(io: FileIO, location: str) -> dict[str, Any]:
    metadata, _ = load_metadata(io, location)
    by_spec = specs(metadata)
    found: dict[str, str] = {plain(location): "metadata"}
    found.update({plain(one["metadata-file"]): "metadata log" for one in metadata.get("metadata-log") or []})
    for kind in ("statistics", "partition-statistics"):
        found.update({plain(one["statistics-path"]): kind for one in metadata.get(kind) or []})
    read: set[str] = set()
    for snapshot in metadata.get("snapshots") or []:
        found[plain(snapshot["manifest-list"])] = "manifest list"
        for manifest in manifests(io, snapshot):
            found[plain(manifest.path)] = "manifest"
            if manifest.path not in read:
                read.add(manifest.path)
                found.update({plain(one.path): "data" if one.content == DATA else "delete"
                              for one in entries(io, manifest, by_spec) if one.status != DELETED})
    present = list_files(io, metadata["location"])
    missing = sorted(path for path in found if path not in present and not io.new_input(path).exists())
    return {"metadata_location": location, "kinds": dict(Counter(found.values())), "files": sorted(found), "missing": missing,
            "unreferenced": sorted(present - found.keys())}


# -------------------------------------------------------------------------------------------------
# Rows
# -------------------------------------------------------------------------------------------------

def canonical(value: Any) -> str:
    """The same text for the same value, whether pyiceberg or Spark read it."""
    if value is None:
        return "\x00"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return struct.pack(">d", value).hex()
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(" ").rstrip("0").rstrip(".") if value.microsecond else value.replace(tzinfo=None).isoformat(" ")
    if isinstance(value, bytes):
        return value.hex()
    return str(value)


def checksum(rows: Any) -> tuple[int, str]:
    """Number of rows, and the sum of their hashes, which no order changes."""
    count, total = 0, 0
    for row in rows:
        count += 1
        text = "\x1f".join(f"{name}\x1e{canonical(row[name])}" for name in sorted(row))
        total = (total + int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")) % 2 ** 64
    return count, f"{total:016x}"


def rows_checksum(lab: LabCatalog, levels: tuple[str, ...], reader: str) -> dict[str, Any]:
    if reader != "spark":
        try:
            count, total = checksum(lab.catalog.load_table(levels).scan().to_arrow().to_pylist())
            return {"rows": count, "checksum": total, "reader": "pyiceberg"}
        except (ValueError, NotImplementedError) as error:
            if reader == "pyiceberg":
                raise
            print(f"# pyiceberg does not read it: {error}", file=sys.stderr)
    with lab.spark() as session:
        count, total = checksum(session.sql(f"SELECT * FROM {quote('lab', *levels)}"))
    return {"rows": count, "checksum": total, "reader": "spark"}


def levels_of(text: str) -> tuple[str, ...]:
    """A table given as a JSON array of levels, or dotted when no level holds a dot."""
    return tuple(json.loads(text)) if text.startswith("[") else tuple(text.split("."))


def run(argv: list[str]) -> dict[str, Any]:
    """What the command line asks for; the harness calls it in its own process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", choices=NAMES)
    parser.add_argument("--table", help="dotted, or a JSON array of levels")
    parser.add_argument("--metadata", help="location of a metadata file instead of a catalog and a table")
    parser.add_argument("--io", action="append", default=[], metavar="KEY=VALUE", help="property of pyiceberg's file IO, with --metadata")
    parser.add_argument("--checksum", action="store_true")
    parser.add_argument("--reader", choices=["auto", "pyiceberg", "spark"], default="auto", help="who reads the rows")
    parser.add_argument("--reachable", action="store_true")
    parser.add_argument("--now", type=int, default=int(time.time() * 1000), help="milliseconds since the epoch")
    parser.add_argument("--target", type=int, help="target file size in force, bytes (default: the table's property, else 512 MiB)")
    parser.add_argument("--min-input-files", type=int, default=5)
    parser.add_argument("--max-snapshot-age-ms", type=int, help="of the policy")
    parser.add_argument("--min-snapshots-to-keep", type=int, help="of the policy")
    options = parser.parse_args(argv)

    if options.metadata:
        io = load_file_io(dict(one.split("=", 1) for one in options.io), options.metadata)
        location = options.metadata
    elif options.catalog and options.table:
        lab, levels = LabCatalog(options.catalog), levels_of(options.table)
        if options.checksum:
            return rows_checksum(lab, levels, options.reader)
        table = lab.catalog.load_table(levels)
        io, location = table.io, table.metadata_location
    else:
        parser.error("give --catalog and --table, or --metadata")
    return reachable(io, location) if options.reachable else metrics(io, location, options)


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1:]), ensure_ascii=False))
