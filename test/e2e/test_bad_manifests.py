"""Manifest lists and manifests that cannot be, or cannot be read: each is an error of its table, and the reason names the object."""
import functools
import os
import zlib

import zstandard

from badinput import Base, Bench, Case, Ocf, run_cases, zigzag
from catalog import Mock, answer, cut, hang, reset
from harness import Tap
from lakehouse import Lakehouse

SETTINGS = "SET floe.max_manifest_size = '64kB'; SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"
HUGE_VARINT = b"\xff" * 11
# Too long for an entry of an index, and cannot be compressed.
NOISE = os.urandom(2000).hex()
# The lab's table has two delete manifests before its data manifests.
DELETES, DATA = 0, 2
LIST_NAME = r"s3://lake/bad/\S+-list\.avro$"
DATA_NAME = r"s3://lake/bad/\S+-m2\.avro$"


# -------------------------------------------------------------------------------------------------
# Damage
# -------------------------------------------------------------------------------------------------

def on_list(change):
    """The manifest list as other bytes."""
    return lambda table: table.put_list(change(table.mock.objects[table.list_key]))


def on_manifest(change):
    """A data manifest as other bytes, whose number the list knows."""
    return lambda table: table.put_manifest(change(table.mock.objects[table.manifest_keys[DATA]]), DATA)


def row(index=DATA, **values):
    """Values in a row of the manifest list."""
    return lambda table: table.edit_rows(lambda rows: rows[index].update(values))


def entry(**values):
    """Values in the first entry of a data manifest."""
    return lambda table: table.edit_entries(lambda entries: entries[0].update(values), DATA)


def file_value(index=DATA, **values):
    return lambda table: table.edit_entries(lambda entries: entries[0]["data_file"].update(values), index)


def header_entry(key, value):
    def change(data):
        one = Ocf(data)
        if value is None:
            one.meta.pop(key, None)
        else:
            one.meta[key] = value
        return one.bytes()
    return change


def block(count=None, size=None, packed=None, sync=None):
    """All rows in one block, whose count, size, bytes or sync marker are then other ones."""
    def change(data):
        one = Ocf(data)
        rows, plain = one.replace(one.rows()).blocks[0]
        body = one.pack(plain) if packed is None else packed
        return one.header() + (count or zigzag(rows)) + (size or zigzag(len(body))) + body + (sync or one.sync)
    return change


@functools.cache
def zeros(codec):
    """200 MiB of them in a few bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15) if codec == "deflate" else zstandard.ZstdCompressor(level=3).compressobj()
    return b"".join([packer.compress(bytes(1 << 20)) for _ in range(200)]) + packer.flush()


def bomb(codec):
    def change(data):
        one = Ocf(data)
        one.meta["avro.codec"] = codec.encode()
        return one.header() + one.block(one.blocks[0][0], zeros(codec))
    return change


def other_schema(data):
    one = Ocf(data)
    one.meta["avro.schema"] = b'{"type": "record", "name": "r", "fields": [{"name": "x", "type": "long", "field-id": 7}]}'
    one.blocks = [(3, zigzag(1) + zigzag(2) + zigzag(3))]
    return one.bytes()


def without_list(table):
    del table.mock.objects[table.list_key]


def without_manifest(table):
    del table.mock.objects[table.manifest_keys[DATA]]


def longer_than_listed(table):
    table.mock.objects[table.manifest_keys[DATA]] += b"x" * 100


def shorter_than_listed(table):
    table.edit_rows(lambda rows: rows[DATA].update(manifest_length=rows[DATA]["manifest_length"] + 100))


def big_list(table):
    one = table.list()
    one.meta["filler"] = os.urandom(70000)
    table.put_list(one.bytes())


def list_at(location):
    def damage(table):
        table.snapshot["manifest-list"] = location
    return damage


def store(behaviour, of_list=False):
    """The store behaves like this for one object."""
    def damage(table):
        table.mock.misbehave("/" + (table.list_key if of_list else table.manifest_keys[DATA]) + "$", behaviour)
    return damage


def s3_error(status, code, message, **headers):
    return answer(status, f"<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>", **headers)


# -------------------------------------------------------------------------------------------------
# Cases
# -------------------------------------------------------------------------------------------------

# Of any Avro container: bytes, code, and what is said before the object's name.
CONTAINER = {
    "empty": (lambda data: b"", "corrupt", "(the file is not an Avro object container|manifest_length 0, partition_spec_id 0 or content 0 is invalid)"),
    "magic": (lambda data: b"Obj\x02" + data[4:], "corrupt", "the file is not an Avro object container"),
    "parquet": (lambda data: b"PAR1" + data[4:], "unsupported", "the file is in Parquet format, not Avro"),
    "html": (lambda data: b"<html><body>Sign in</body></html>", "corrupt", "the file is not an Avro object container"),
    "truncated": (lambda data: data[:-40], "corrupt", r"block \d: invalid or cut off"),
    "truncated_header": (lambda data: data[:100], "corrupt", "the header of the Avro file is damaged: invalid metadata entry"),
    "trailing": (lambda data: data + b"\x00\x01\x02", "corrupt", r"block \d: invalid or cut off"),
    "sync": (block(sync=b"x" * 16), "corrupt", "block 1: the sync marker does not match"),
    "count_negative": (block(count=zigzag(-5)), "corrupt", "block 1: invalid or cut off"),
    "count_huge": (block(count=zigzag(2 ** 40)), "corrupt", r"block 1: 1099511627776 rows do not fit into \d+ bytes"),
    "count_more": (block(count=zigzag(50)), "corrupt", r"block 1: 50 rows do not fit into \d+ bytes"),
    "count_less": (block(count=zigzag(1)), "corrupt", r"block 1: \d+ bytes are left over after the last row"),
    "count_varint": (block(count=HUGE_VARINT), "corrupt", "block 1: invalid or cut off"),
    "size_negative": (block(size=zigzag(-1)), "corrupt", "block 1: invalid or cut off"),
    "size_huge": (block(size=zigzag(2 ** 62)), "corrupt", "block 1: invalid or cut off"),
    "size_varint": (block(size=HUGE_VARINT), "corrupt", "block 1: invalid or cut off"),
    "not_deflate": (block(packed=b"\xfe" * 300), "corrupt", "block 1: invalid deflate data"),
    "schema_none": (header_entry("avro.schema", None), "corrupt", "the header has no avro.schema"),
    "schema_garbage": (header_entry("avro.schema", b'{"type": "record", "fields": 7}'), "corrupt", 'Avro schema: field "name" is missing'),
    "schema_recursive": (header_entry("avro.schema", b'{"type": "record", "name": "r", "fields": [{"name": "r", "type": "r"}]}'), "unsupported",
                         'Avro type "r" contains itself'),
    "schema_other": (other_schema, "corrupt", r"the Avro schema has no field \d+ \((status|manifest_path)\)"),
    "codec_unknown": (header_entry("avro.codec", b"lzma"), "unsupported", 'compression codec "lzma" is not supported'),
    "codec_wrong": (header_entry("avro.codec", b"zstandard"), "corrupt", "block 1: invalid zstd data: .*"),
    "bomb_zstd": (bomb("zstandard"), "too_large", "block 1: a compressed block inflates to more than 134217728 bytes"),
}


def status_of(code):
    return "unsupported" if code == "unsupported" else "error"


def case(name, damage, code, says):
    return Case(name, damage, code, says, status=status_of(code))


CASES = [
    *(case("list_" + name, on_list(change), code, f"^manifest list: (block 1: )?{says}: {LIST_NAME}") for name, (change, code, says) in CONTAINER.items()),
    *(case("m_" + name, on_manifest(change), code, f'^manifest "00002-m2.avro": (block 1: )?{says}: {DATA_NAME}|^manifest "00001-m2.avro": {says}: {DATA_NAME}')
      for name, (change, code, says) in CONTAINER.items() if name != "empty"),
    case("m_empty", on_manifest(CONTAINER["empty"][0]), "corrupt", f"^manifest list: block 1: manifest_length 0, .* is invalid: {LIST_NAME}"),
    # deflate makes more of it than floe.max_manifest_size, before anything is inflated
    case("list_bomb_deflate", on_list(bomb("deflate")), "too_large", r"-list\.avro\": the answer of .* exceeds 65536 bytes: floe.max_manifest_size allows no more"),
    case("m_bomb_deflate", on_manifest(bomb("deflate")), "too_large", rf"^a manifest has \d+ bytes, more than floe.max_manifest_size: {DATA_NAME}"),
    case("list_missing", without_list, "corrupt", r"^manifest list: read .*-list\.avro\": the store answered 404: NoSuchKey"),
    case("m_missing", without_manifest, "corrupt", r"^manifest: read .*-m2\.avro\": the store answered 404: NoSuchKey"),
    case("list_too_large", big_list, "too_large", "exceeds 65536 bytes: floe.max_manifest_size allows no more"),
    case("m_longer", longer_than_listed, "corrupt", rf"^a manifest is longer than the \d+ bytes that the manifest list says: {DATA_NAME}"),
    case("m_shorter", shorter_than_listed, "corrupt", rf"^manifest .*: \d+ bytes long, but the manifest list says \d+: {DATA_NAME}"),
    case("m_too_large", row(manifest_length=10 ** 12), "too_large", rf"^a manifest has 1000000000000 bytes, more than floe.max_manifest_size: {DATA_NAME}"),
    # the rows of the list
    case("length_negative", row(manifest_length=-1), "corrupt", f"^manifest list: block 1: manifest_length is -1: {LIST_NAME}"),
    case("path_empty", row(manifest_path=""), "corrupt", "^manifest list: block 1: manifest_path is empty, too long or not UTF-8"),
    case("path_long", row(manifest_path="s3://lake/" + "x" * 9000), "corrupt", "^manifest list: block 1: manifest_path is empty, too long or not UTF-8"),
    case("path_noise", row(manifest_path="s3://lake/" + NOISE), "corrupt", f"^manifest list: block 1: manifest_path is empty, too long or not UTF-8: {LIST_NAME}"),
    case("path_twice", lambda table: table.edit_rows(lambda rows: rows[1].update(manifest_path=rows[0]["manifest_path"])), "corrupt",
         f"^manifest list: row 2 lists the same manifest as row 1: {LIST_NAME}"),
    case("path_control", row(manifest_path="s3://lake/a\x01b\nc"), "corrupt", r'^manifest: read "s3://lake/a\?b\?c": the store answered 404'),
    case("spec_negative", row(partition_spec_id=-1), "corrupt", "^manifest list: block 1: partition_spec_id is -1"),
    case("spec_other", row(partition_spec_id=7), "corrupt", f"^manifest .*: partition spec 0, but the manifest list says 7: {DATA_NAME}"),
    case("content_deletes", row(DATA, content=1), "corrupt", f"^manifest .*: .*content.*: {DATA_NAME}"),
    case("content_data", row(DELETES, content=0), "corrupt", r"^manifest .*: .*content.*-m0\.avro"),
    case("content_unknown", row(content=9), "corrupt", "^manifest list: block 1: .*content 9 is invalid"),
    case("added_negative", row(added_files_count=-3), "corrupt", "^manifest list: block 1: added_files_count is -3"),
    case("added_wrong", row(added_files_count=77), "corrupt", f"^manifest .*: 2 added files, but the manifest list says 77: {DATA_NAME}"),
    case("sequence_negative", row(sequence_number=-3), "corrupt", "^manifest list: block 1: sequence_number is -3"),
    case("key_metadata", row(key_metadata=b"key"), "unsupported", "^the table is encrypted; floe cannot read its manifests"),
    # the entries of a manifest
    case("entry_status", entry(status=7), "corrupt", f"^manifest .*: block 1: an entry has status 7: {DATA_NAME}"),
    case("entry_sequence", entry(sequence_number=-7), "corrupt", f"^manifest .*: block 1: an entry has sequence number -7: {DATA_NAME}"),
    case("record_count", file_value(record_count=-1), "corrupt", f"^manifest .*: block 1: an entry has record_count -1: {DATA_NAME}"),
    case("file_size", file_value(file_size_in_bytes=-1), "corrupt", f"^manifest .*: block 1: an entry has file_size_in_bytes -1: {DATA_NAME}"),
    case("file_size_sum", file_value(file_size_in_bytes=2 ** 63 - 1), "corrupt", "^manifest .*: block 1: an entry has file_size_in_bytes 9223372036854775807"),
    case("file_content", file_value(content=9), "corrupt", f"^manifest .*: block 1: an entry has content 9: {DATA_NAME}"),
    case("file_path_empty", file_value(file_path=""), "corrupt", f"^manifest .*: block 1: an entry has an empty file_path: {DATA_NAME}"),
    case("delete_row_count", file_value(DELETES, record_count=-1), "corrupt", r"^manifest .*: block 1: an entry has record_count -1: .*-m0\.avro"),
    case("format_version", on_manifest(header_entry("format-version", b"4")), "unsupported", f"^manifest .*: format version 4 is not supported: {DATA_NAME}"),
    # where they are
    *(case("list_" + scheme, list_at(f"{scheme}://lake/x.avro"), "unsupported",
           f'^manifest list: object store of location "{scheme}://lake/x.avro" is not supported: floe reads s3:, gs:, abfss:, https: and file: locations, and their aliases')
      for scheme in ("hdfs", "oss", "ftp", "s3x")),
    case("list_relative", list_at("metadata/list.avro"), "unsupported", '^manifest list: object store of location "metadata/list.avro" is not supported'),
    case("list_file", list_at("file:///etc/passwd"), "denied", '^manifest list: file "file:///etc/passwd" is not below a folder of floe.allowed_file_roots'),
    case("list_no_bucket", list_at("s3:///list.avro"), "corrupt", '^manifest list: location "s3:///list.avro" has no bucket and key'),
    case("m_hdfs", row(manifest_path="hdfs://lake/m.avro"), "unsupported", '^manifest: object store of location "hdfs://lake/m.avro" is not supported'),
    # stores that the mapping has no keys for
    case("list_gs", list_at("gs://lake/x.avro"), "config", '^manifest list: no Google Cloud Storage token for "gs://lake/x.avro": '),
    case("m_gs", row(manifest_path="gs://lake/m.avro"), "config", '^manifest: no Google Cloud Storage token for "gs://lake/m.avro": '),
    case("list_abfss", list_at("abfss://c@lake/x.avro"), "config", '^manifest list: no Azure credentials for "abfss://c@lake/x.avro": '),
    case("list_wasb", list_at("wasb://lake/x.avro"), "corrupt", '^manifest list: location "wasb://lake/x.avro": it is not container@account'),
    case("list_http", list_at("http://lake/x.avro"), "denied", '^manifest list: .*host "lake" .*is not in floe.allowed_hosts'),
    case("m_file", row(manifest_path="file:///etc/passwd"), "denied", '^manifest: file "file:///etc/passwd" is not below a folder of floe.allowed_file_roots'),
    # the store
    case("store_301", store(s3_error(301, "PermanentRedirect", "use the endpoint of the region", Location="http://127.0.0.1:9/elsewhere"), True), "http",
         "^manifest list: read .*: the store answered 301: PermanentRedirect: use the endpoint of the region"),
    case("store_307", store(answer(307, b"", Location="http://127.0.0.1:9/elsewhere")), "http", "^manifest: read .*: the store answered 307"),
    case("store_403", store(s3_error(403, "AccessDenied", "Access Denied")), "forbidden", "^manifest: read .*: the store answered 403: AccessDenied: Access Denied"),
    case("store_404", store(answer(404, b"<html>nothing here</html>")), "corrupt", "^manifest: read .*: the store answered 404"),
    case("store_500", store(s3_error(500, "InternalError", "")), "server", "^manifest: read .*: the store answered 500: InternalError"),
    case("store_503", store(s3_error(503, "SlowDown", "Reduce your request rate.")), "server", "^manifest: read .*: the store answered 503: SlowDown: Reduce"),
    case("store_206", store(answer(206, b"part")), "corrupt", rf"^manifest .*: 4 bytes long, but the manifest list says \d+: {DATA_NAME}"),
    case("store_204", store(answer(204, b"")), "corrupt", rf"^manifest .*: 0 bytes long, but the manifest list says \d+: {DATA_NAME}"),
    case("store_cut", store(cut(0.5)), "network", r"^manifest: read .*: connection to 127.0.0.1:\d+ lost in the middle of the answer, after \d+ bytes"),
    case("store_resets", store(reset), "network", r"^manifest: read .*: 127.0.0.1:\d+ closed the connection without an answer"),
    case("store_hangs", store(hang), "timeout", "^manifest: read .*: 127.0.0.1:[0-9]+ did not answer within [0-9]+ ms"),
]


def main():
    with Tap() as t, Mock() as mock, Lakehouse() as pg:
        bench, base = Bench(t, pg, mock), Base()
        catalog = mock.catalog("bad")
        bench.connect(catalog)
        run_cases(bench, base, catalog, CASES, SETTINGS)


if __name__ == "__main__":
    main()
