"""Manifest lists and manifests that cannot be, or cannot be reached: each is an error of its table with the object's name."""
import os
import zlib

import zstandard

from badinput import Base, Bench, Case, Ocf, Table, run_cases, zigzag
from catalog import Mock, answer, cut, hang
from harness import Tap
from lakehouse import Lakehouse

SETTINGS = "SET floe.max_manifest_size = '64kB'; SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"
HUGE_VARINT = b"\xff" * 11


def on_list(change):
    """Damage: the manifest list as other bytes."""
    return lambda table: table.put_list(change(table.mock.objects[table.list_key]))


def on_manifest(change):
    """Damage: the first manifest as other bytes, whose number the list knows."""
    return lambda table: table.put_manifest(change(table.mock.objects[table.manifest_keys[0]]))


def row(**values):
    """Damage: values in the first row of the manifest list."""
    return lambda table: table.edit_rows(lambda rows: rows[0].update(values))


def entry(**values):
    """Damage: values in the first entry of the first manifest."""
    return lambda table: table.edit_entries(lambda entries: entries[0].update(values))


def file_value(**values):
    return lambda table: table.edit_entries(lambda entries: entries[0]["data_file"].update(values))


def with_ocf(change):
    def on_bytes(data):
        one = Ocf(data)
        return change(one)
    return on_bytes


def header_entry(key, value):
    def change(one):
        if value is None:
            one.meta.pop(key, None)
        else:
            one.meta[key] = value
        return one.bytes()
    return with_ocf(change)


def block(count=None, packed=None, sync=None):
    """The container with its first block's number of rows, bytes or sync marker replaced."""
    def change(one):
        rows, data = one.blocks[0]
        body = one.pack(data) if packed is None else packed(one, data)
        size = zigzag(len(body)) if not isinstance(body, tuple) else body[1]
        return one.header() + (zigzag(rows) if count is None else count) + size + (body[0] if isinstance(body, tuple) else body) + (sync or one.sync)
    return with_ocf(change)


def inflating(codec):
    """A block that says 200 MiB of zeros in a few bytes."""
    def change(one):
        if codec == "deflate":
            packer = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = b"".join([packer.compress(bytes(1 << 20)) for _ in range(200)]) + packer.flush()
        else:
            packer = zstandard.ZstdCompressor(level=19).compressobj()
            packed = b"".join([packer.compress(bytes(1 << 20)) for _ in range(200)]) + packer.flush()
        one.meta["avro.codec"] = codec.encode()
        return one.header() + one.block(one.blocks[0][0], packed)
    return with_ocf(change)


BOMBS = {codec: inflating(codec) for codec in ("deflate", "zstandard")}


def once(change):
    """The damaged bytes are made once for all tables that get them."""
    made = {}

    def cached(data):
        return made.setdefault(len(made) and 0, change(data)) if not made else made[0]
    return cached


def other_schema(one):
    one.meta["avro.schema"] = b'{"type": "record", "name": "r", "fields": [{"name": "x", "type": "long", "field-id": 7}]}'
    one.blocks = [(3, zigzag(1) + zigzag(2) + zigzag(3))]
    return one.bytes()


def missing(which):
    def damage(table):
        key = table.list_key if which == "list" else table.manifest_keys[0]
        del table.mock.objects[key]
    return damage


def longer_than_listed(table):
    table.mock.objects[table.manifest_keys[0]] += b"x" * 100


def shorter_than_listed(table):
    table.edit_rows(lambda rows: rows[0].update(manifest_length=rows[0]["manifest_length"] + 100))


def big_list(table):
    one = table.list()
    one.meta["filler"] = os.urandom(70000)
    table.put_list(one.bytes())


def list_at(location):
    def damage(table):
        table.snapshot["manifest-list"] = location
    return damage


def store(behaviour, which="manifest"):
    """Damage: the store behaves like this for one object."""
    def damage(table):
        table.mock.misbehave("/" + (table.list_key if which == "list" else table.manifest_keys[0]) + "$", behaviour)
    return damage


CONTAINER = {
    "empty": (lambda data: b"", "corrupt", ""),
    "magic": (lambda data: b"Obj\x02" + data[4:], "corrupt", ""),
    "parquet": (lambda data: b"PAR1" + data[4:], "unsupported", ""),
    "html": (lambda data: b"<html><body>Sign in</body></html>", "corrupt", ""),
    "truncated": (lambda data: data[:-40], "corrupt", ""),
    "truncated_header": (lambda data: data[:100], "corrupt", ""),
    "trailing": (lambda data: data + b"\x00\x01\x02", "corrupt", ""),
    "sync": (block(sync=b"x" * 16), "corrupt", ""),
    "count_negative": (block(count=zigzag(-5)), "corrupt", ""),
    "count_huge": (block(count=zigzag(2 ** 40)), "corrupt", ""),
    "count_more": (block(count=zigzag(50)), "corrupt", ""),
    "count_less": (block(count=zigzag(1)), "corrupt", ""),
    "count_varint": (block(count=HUGE_VARINT), "corrupt", ""),
    "size_negative": (block(packed=lambda one, data: (one.pack(data), zigzag(-1))), "corrupt", ""),
    "size_huge": (block(packed=lambda one, data: (one.pack(data), zigzag(2 ** 62))), "corrupt", ""),
    "size_varint": (block(packed=lambda one, data: (one.pack(data), HUGE_VARINT)), "corrupt", ""),
    "not_deflate": (block(packed=lambda one, data: b"\xfe" * 300), "corrupt", ""),
    "schema_none": (header_entry("avro.schema", None), "corrupt", ""),
    "schema_garbage": (header_entry("avro.schema", b'{"type": "record", "fields": 7}'), "corrupt", ""),
    "schema_recursive": (header_entry("avro.schema", b'{"type": "record", "name": "r", "fields": [{"name": "r", "type": "r"}]}'), "unsupported", ""),
    "schema_other": (with_ocf(other_schema), "corrupt", ""),
    "codec_unknown": (header_entry("avro.codec", b"lzma"), "unsupported", ""),
    "codec_wrong": (header_entry("avro.codec", b"zstandard"), "corrupt", ""),
    "bomb_deflate": (BOMBS["deflate"], "too_large", ""),
    "bomb_zstd": (BOMBS["zstandard"], "too_large", ""),
}

CASES = [
    *(Case("list_" + name, on_list(change), code, says, status="unsupported" if code == "unsupported" else "error") for name, (change, code, says) in CONTAINER.items()),
    *(Case("m_" + name, on_manifest(change), code, says, status="unsupported" if code == "unsupported" else "error") for name, (change, code, says) in CONTAINER.items()),
    Case("list_missing", missing("list"), "not_found", ""),
    Case("m_missing", missing("manifest"), "not_found", ""),
    Case("list_too_large", big_list, "too_large", ""),
    Case("m_longer", longer_than_listed, "corrupt", ""),
    Case("m_shorter", shorter_than_listed, "corrupt", ""),
    Case("m_too_large", row(manifest_length=10 ** 12), "too_large", ""),
    Case("length_negative", row(manifest_length=-1), "corrupt", ""),
    Case("path_empty", row(manifest_path=""), "corrupt", ""),
    Case("path_long", row(manifest_path="s3://lake/" + "x" * 9000), "corrupt", ""),
    Case("path_twice", lambda table: table.edit_rows(lambda rows: rows[1].update(manifest_path=rows[0]["manifest_path"])), "corrupt", ""),
    Case("path_control", row(manifest_path="s3://lake/a\x01b\nc"), "", ""),
    Case("spec_negative", row(partition_spec_id=-1), "corrupt", ""),
    Case("spec_other", row(partition_spec_id=7), "corrupt", ""),
    Case("content_other", row(content=1), "corrupt", ""),
    Case("content_unknown", row(content=9), "corrupt", ""),
    Case("added_negative", row(added_files_count=-3), "corrupt", ""),
    Case("added_wrong", row(added_files_count=77), "corrupt", ""),
    Case("sequence_negative", row(sequence_number=-3), "corrupt", ""),
    Case("key_metadata", row(key_metadata=b"key"), "unsupported", "", status="unsupported"),
    Case("entry_status", entry(status=7), "corrupt", ""),
    Case("entry_sequence", entry(sequence_number=-7), "corrupt", ""),
    Case("record_count", file_value(record_count=-1), "corrupt", ""),
    Case("file_size", file_value(file_size_in_bytes=-1), "corrupt", ""),
    Case("file_size_sum", file_value(file_size_in_bytes=2 ** 63 - 1), "", ""),
    Case("file_content", file_value(content=9), "corrupt", ""),
    Case("file_path_empty", file_value(file_path=""), "corrupt", ""),
    Case("manifest_encrypted", header_entry("format-version", b"4") and on_manifest(header_entry("format-version", b"4")), "unsupported", "", status="unsupported"),
    # where they are
    *(Case("list_" + scheme, list_at(f"{scheme}://lake/x.avro"), "unsupported", "", status="unsupported") for scheme in ("gs", "abfss", "hdfs", "wasb", "http")),
    Case("list_file", list_at("file:///etc/passwd"), "denied", ""),
    Case("list_relative", list_at("metadata/list.avro"), "unsupported", "", status="unsupported"),
    Case("list_other_bucket", list_at("s3:///list.avro"), "corrupt", ""),
    Case("m_gs", row(manifest_path="gs://lake/m.avro"), "unsupported", "", status="unsupported"),
    Case("m_file", row(manifest_path="file:///etc/passwd"), "denied", ""),
    # the store
    Case("store_301", store(answer(301, b"<Error><Code>PermanentRedirect</Code><Message>use the endpoint of the region</Message></Error>",
                                   Location="http://127.0.0.1:9/elsewhere"), "list"), "", ""),
    Case("store_307", store(answer(307, b"", Location="http://127.0.0.1:9/elsewhere")), "", ""),
    Case("store_403", store(answer(403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")), "forbidden", ""),
    Case("store_404", store(answer(404, b"<html>nothing here</html>")), "not_found", ""),
    Case("store_500", store(answer(500, b"<Error><Code>InternalError</Code></Error>")), "server", ""),
    Case("store_503", store(answer(503, b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")), "server", ""),
    Case("store_206", store(answer(206, b"part")), "", ""),
    Case("store_204", store(answer(204, b"")), "", ""),
    Case("store_cut", store(cut(0.5)), "network", ""),
    Case("store_hangs", store(hang), "timeout", ""),
]


def main():
    with Tap() as t, Mock() as mock, Lakehouse() as pg:
        bench, base = Bench(t, pg, mock), Base()
        catalog = mock.catalog("bad")
        bench.connect(catalog)
        run_cases(bench, base, catalog, CASES, SETTINGS)


if __name__ == "__main__":
    main()
