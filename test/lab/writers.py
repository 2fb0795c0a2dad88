"""What pyiceberg itself does not write: delete files, snapshots in the past, many snapshots at once, exact rows. Used by tables.py and the demo."""
from __future__ import annotations

import random
import time
import uuid
from contextlib import contextmanager
from datetime import datetime, timezone
from typing import Any, Iterator

import pyarrow as pa
import pyarrow.parquet as pq
import pyiceberg.table.snapshots
import pyiceberg.table.update
from pyiceberg.manifest import (
    DATA_FILE_TYPE, DataFile, DataFileContent, FileFormat, ManifestContent, ManifestEntry, ManifestEntryStatus, ManifestFile, ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.schema import Schema
from pyiceberg.table import Table
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Operation, Snapshot, SnapshotSummaryCollector, Summary, update_snapshot_summaries
from pyiceberg.table.update import AddSnapshotUpdate, AssertRefSnapshotId, SetSnapshotRefUpdate, TableUpdate
from pyiceberg.table.update.snapshot import _FastAppendFiles
from pyiceberg.types import DoubleType, IntegerType, LongType, NestedField, StringType

SCHEMA = Schema(
    NestedField(1, "id", LongType(), required=False),
    NestedField(2, "day", IntegerType(), required=False),
    NestedField(3, "amount", DoubleType(), required=False),
    NestedField(4, "note", StringType(), required=False),
)
ARROW = pa.schema([("id", pa.int64()), ("day", pa.int32()), ("amount", pa.float64()), ("note", pa.string())])

# Reserved field ids of position delete files (spec, "Position Delete Files").
FILE_PATH, POS = 2147483546, 2147483545
POSITION_SCHEMA = pa.schema([
    pa.field("file_path", pa.string(), nullable=False, metadata={"PARQUET:field_id": str(FILE_PATH)}),
    pa.field("pos", pa.int64(), nullable=False, metadata={"PARQUET:field_id": str(POS)}),
])


def _integer_equality_ids() -> None:
    """pyiceberg 0.12 types the ids of equality_ids as long where the spec has int, and Spark fails on the cast."""
    for kind in DATA_FILE_TYPE.values():
        for one in kind.fields:
            if one.field_id == 135:
                one.field_type.__dict__.update(element_type=IntegerType())


_integer_equality_ids()
EQUALITY_SCHEMA = pa.schema([pa.field("id", pa.int64(), nullable=True, metadata={"PARQUET:field_id": "1"})])


class Rows:
    """Deterministic rows; ids go on counting over one table."""

    def __init__(self, seed: str):
        self.random = random.Random(seed)
        self.next_id = 0

    def take(self, n: int, days: list[int] | None = None, width: int = 16) -> pa.Table:
        ids = list(range(self.next_id, self.next_id + n))
        self.next_id += n
        return pa.table({
            "id": ids,
            "day": [days[i % len(days)] if days else i % 7 for i in range(n)],
            "amount": [self.random.random() * 1000 for _ in range(n)],
            "note": [f"{self.random.getrandbits(4 * width):0{width}x}" for _ in range(n)],
        }, schema=ARROW)


class _Clock:
    """Stands in for the modules time and datetime where pyiceberg dates a snapshot."""

    def __init__(self, seconds: float):
        self.seconds = seconds

    def time(self) -> float:
        return self.seconds

    def now(self, zone: Any = None) -> datetime:
        return datetime.fromtimestamp(self.seconds, zone or timezone.utc)


@contextmanager
def snapshots_at(seconds: float) -> Iterator[None]:
    """Snapshots that are committed inside bear this time (seconds since the epoch)."""
    snapshots, update = pyiceberg.table.snapshots, pyiceberg.table.update
    before = snapshots.time, update.datetime
    snapshots.time = update.datetime = _Clock(seconds)
    try:
        yield
    finally:
        snapshots.time, update.datetime = before


class _DeleteManifestWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


class _AppendDeleteFiles(_FastAppendFiles):
    """A snapshot that adds delete files, in one delete manifest for each partition spec."""

    def _manifests(self) -> list[Any]:
        metadata = self._transaction.table_metadata
        manifests = []
        for spec_id in sorted({file.spec_id for file in self._added_data_files}):
            with _DeleteManifestWriter(metadata.specs()[spec_id], metadata.schema(), self.new_manifest_output(),
                                       self._snapshot_id, self._compression) as writer:
                for file in self._added_data_files:
                    if file.spec_id == spec_id:
                        writer.add(ManifestEntry.from_args(
                            status=ManifestEntryStatus.ADDED, snapshot_id=self._snapshot_id, sequence_number=None,
                            file_sequence_number=None, data_file=file))
            manifests.append(writer.to_manifest_file())
        return manifests + self._existing_manifests()


def _write_delete(table: Table, name: str, rows: pa.Table, content: DataFileContent, like: DataFile, bounds: bytes | None = None) -> DataFile:
    path = table.location_provider().new_data_location(f"deletes-{time.time_ns()}-{name}.parquet")
    output = table.io.new_output(path)
    with output.create() as sink:
        pq.write_table(rows, sink)
    equality = content == DataFileContent.EQUALITY_DELETES
    file = DataFile.from_args(
        content=content, file_path=path, file_format=FileFormat.PARQUET, partition=like.partition, record_count=len(rows),
        file_size_in_bytes=len(output), column_sizes={}, value_counts={}, null_value_counts={}, nan_value_counts={},
        lower_bounds={FILE_PATH: bounds} if bounds else {}, upper_bounds={FILE_PATH: bounds} if bounds else {},
        key_metadata=None, split_offsets=None, equality_ids=[1] if equality else None, sort_order_id=None)
    file.spec_id = like.spec_id
    return file


def position_deletes(table: Table, files: list[DataFile], rows_each: int, name: str, bounds: bool = False) -> DataFile:
    """A delete file for the first rows of data files of one partition; with bounds it names its (one) data file in them."""
    return position_deletes_at(table, {file.file_path: list(range(rows_each)) for file in files}, files[0], name, bounds)


def position_deletes_at(table: Table, places: dict[str, list[int]], like: DataFile, name: str, bounds: bool = False) -> DataFile:
    """A delete file for these positions of data files (by path), all of one partition, which is that of like."""
    paths = sorted(places)
    rows = pa.table({"file_path": [path for path in paths for _ in places[path]], "pos": [pos for path in paths for pos in sorted(places[path])]},
                    schema=POSITION_SCHEMA)
    return _write_delete(table, name, rows, DataFileContent.POSITION_DELETES, like, paths[0].encode() if bounds else None)


def equality_deletes(table: Table, like: DataFile, ids: list[int], name: str) -> DataFile:
    """A delete file "id in ids" in the partition of a data file."""
    return _write_delete(table, name, pa.table({"id": ids}, schema=EQUALITY_SCHEMA), DataFileContent.EQUALITY_DELETES, like)


def commit_deletes(table: Table, deletes: list[DataFile]) -> None:
    with table.transaction() as tx:
        producer = _AppendDeleteFiles(operation=Operation.DELETE, transaction=tx, io=table.io)
        for file in deletes:
            producer.append_data_file(file)
        producer.commit()
    table.refresh()


def data_files(table: Table) -> list[DataFile]:
    """The live data files in the order of partition and path; read from the manifests, as pyiceberg plans no scan over equality deletes."""
    found = []
    for manifest in table.current_snapshot().manifests(table.io):
        if manifest.content == ManifestContent.DATA:
            for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                entry.data_file.spec_id = manifest.partition_spec_id
                found.append(entry.data_file)
    return sorted(found, key=lambda file: (file.spec_id, str(file.partition), file.file_path))


class History:
    """Many snapshots in one commit of a format v2 table. pyiceberg's transaction does it, too, but copies all metadata many times for each.

        history = History(table)
        history.add(seconds, files)     # data files or delete files, of the table's current spec; none: an empty snapshot
        history.commit()
    """

    def __init__(self, table: Table):
        self.table, self.metadata = table, table.metadata
        self.parent = table.current_snapshot()
        self.first_parent_id = self.parent.snapshot_id if self.parent else None
        self.sequence = self.metadata.last_sequence_number
        self.manifests: list[ManifestFile] = self.parent.manifests(table.io) if self.parent else []
        self.updates: list[TableUpdate] = []

    def _output(self, name: str) -> Any:
        return self.table.io.new_output(self.table.location_provider().new_metadata_location(name))

    def _manifest(self, snapshot_id: int, files: list[DataFile]) -> ManifestFile:
        kind = ManifestWriterV2 if files[0].content == DataFileContent.DATA else _DeleteManifestWriter
        with kind(self.metadata.spec(), self.metadata.schema(), self._output(f"{uuid.uuid4()}-m0.avro"), snapshot_id, "deflate") as writer:
            for file in files:
                writer.add(ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, sequence_number=None,
                                                   file_sequence_number=None, data_file=file))
        manifest = writer.to_manifest_file()
        manifest.sequence_number = manifest.min_sequence_number = self.sequence
        return manifest

    def add(self, seconds: float, files: list[DataFile]) -> None:
        snapshot_id = self.table.metadata.new_snapshot_id()
        self.sequence += 1
        summary = SnapshotSummaryCollector()
        for content in (DataFileContent.DATA, DataFileContent.POSITION_DELETES):
            if some := [file for file in files if file.content == content]:
                self.manifests = [self._manifest(snapshot_id, some), *self.manifests]
                for file in some:
                    summary.add_file(file, self.metadata.schema(), self.metadata.spec())
        parent_id = self.parent.snapshot_id if self.parent else None
        output = self._output(f"snap-{snapshot_id}-0-{uuid.uuid4()}.avro")
        with write_manifest_list(2, output, snapshot_id, parent_id, self.sequence, "deflate") as writer:
            writer.add_manifests(self.manifests)
        operation = Operation.DELETE if files and all(file.content != DataFileContent.DATA for file in files) else Operation.APPEND
        self.parent = Snapshot(
            snapshot_id=snapshot_id, parent_snapshot_id=parent_id, sequence_number=self.sequence, timestamp_ms=int(seconds * 1000),
            manifest_list=output.location, schema_id=self.metadata.current_schema_id,
            summary=update_snapshot_summaries(Summary(operation, **summary.build()), self.parent.summary if self.parent else None))
        self.updates.append(AddSnapshotUpdate(snapshot=self.parent))

    def commit(self) -> None:
        """Everything added, all or nothing; the table is as it is then."""
        last = SetSnapshotRefUpdate(ref_name="main", type=SnapshotRefType.BRANCH, snapshot_id=self.parent.snapshot_id)
        self.table.catalog.commit_table(self.table, (AssertRefSnapshotId(ref="main", snapshot_id=self.first_parent_id),), (*self.updates, last))
        self.table.refresh()
        self.__init__(self.table)
