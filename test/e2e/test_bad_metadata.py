"""Table metadata that cannot be: each damage is an error of its table with the reason, and of nothing else.

Once as the catalog's answer to loadTable has it, once as the metadata file in the store has it (metadata_source 'store').
"""
import gzip
import json
import os
import zlib

from badinput import Base, Bench, Case, Table, run_cases
from catalog import Mock, answer, cut, edited, reset
from harness import Tap
from lakehouse import Lakehouse

SETTINGS = "SET floe.max_metadata_size = '256kB'"
HUGE = 2 ** 70


def set_to(*path_and_value):
    """Damage: the value at a path of the metadata; a snapshot's by "snapshot"."""
    *path, key, value = path_and_value

    def damage(table):
        at = table.metadata
        for part in path:
            at = table.snapshot if part == "snapshot" else at[part]
        at[key] = value
    return damage


def without(*path):
    *parents, key = path

    def damage(table):
        at = table.metadata
        for part in parents:
            at = table.snapshot if part == "snapshot" else at[part]
        del at[key]
    return damage


def as_bytes(change):
    """Damage: the metadata as other bytes."""
    def damage(table):
        table.metadata = change(json.dumps(table.metadata).encode())
    return damage


def load_answer(behaviour):
    """Damage: another answer to loadTable."""
    def damage(table):
        table.catalog.misbehave(f"/namespaces/{table.levels[0]}/tables/{table.levels[-1]}(\\?|$)", behaviour)
    return damage


def snapshot_twice(table):
    table.metadata["snapshots"].append(dict(table.snapshot))


def bomb(mebibytes):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join([packer.compress(b" " * 1048576) for _ in range(mebibytes)]) + packer.flush()


BOMB = bomb(64)


def gzip_bomb(normal):
    normal.body = BOMB
    normal.headers["Content-Encoding"] = "gzip"


def all_times(value):
    def damage(table):
        for one in table.metadata["snapshots"]:
            one["timestamp-ms"] = value
    return damage


# What the document says. As the catalog answers it, and as the file in the store has it.
DOCUMENT = [
    Case("format_4", set_to("format-version", 4), "unsupported", "format version 4, floe reads 1 to 3$", status="unsupported"),
    Case("format_0", set_to("format-version", 0), "unsupported", "format version 0, floe reads 1 to 3$", status="unsupported"),
    Case("format_text", set_to("format-version", "2"), "corrupt", 'format-version" must be an integer of 32 bits$'),
    Case("format_missing", without("format-version"), "corrupt", 'format-version" is missing$'),
    Case("format_huge", set_to("format-version", HUGE), "corrupt", 'format-version" must be an integer of 32 bits$'),
    Case("no_location", without("location"), "corrupt", 'location" is missing$'),
    Case("location_number", set_to("location", 7), "corrupt", 'location" must be a string$'),
    Case("location_long", set_to("location", "s3://lake/" + os.urandom(3000).hex()), "corrupt", 'location" is longer than 2048 bytes$'),
    Case("no_uuid", without("table-uuid"), "corrupt", 'table-uuid" is missing$'),
    Case("bad_uuid", set_to("table-uuid", "not-a-uuid"), "corrupt", 'table-uuid" is not a UUID$'),
    Case("no_schemas", without("schemas"), "corrupt", 'schemas" is missing$'),
    Case("schemas_object", set_to("schemas", {}), "corrupt", 'schemas" must be an array$'),
    Case("schema_missing", set_to("current-schema-id", 99), "corrupt", 'current-schema-id" names no schema$'),
    Case("no_specs", without("partition-specs"), "corrupt", 'partition-specs" is missing$'),
    Case("spec_missing", set_to("default-spec-id", 99), "corrupt", 'default-spec-id" names no partition spec$'),
    Case("snapshots_text", set_to("snapshots", "none"), "corrupt", 'snapshots" must be an array$'),
    Case("snapshot_null", set_to("snapshots", 0, None), "corrupt", r'snapshots\[0\]" must be an object$'),
    Case("snapshot_id_overflows", set_to("snapshot", "snapshot-id", HUGE), "corrupt", r'snapshots\[\d\].snapshot-id" must be an integer of 64 bits$'),
    Case("snapshot_id_float", set_to("snapshots", 0, "snapshot-id", 1.5), "corrupt", r'snapshots\[0\].snapshot-id" must be an integer of 64 bits$'),
    Case("snapshot_id_text", set_to("snapshots", 0, "snapshot-id", "1"), "corrupt", r'snapshots\[0\].snapshot-id" must be an integer of 64 bits$'),
    Case("snapshot_without_id", without("snapshots", 0, "snapshot-id"), "corrupt", r'snapshots\[0\].snapshot-id" is missing$'),
    Case("snapshot_twice", snapshot_twice, "corrupt", r'snapshots\[4\].snapshot-id" stands there twice$'),
    Case("time_text", set_to("snapshots", 0, "timestamp-ms", "yesterday"), "corrupt", r'snapshots\[0\].timestamp-ms" must be an integer of 64 bits$'),
    Case("time_negative", set_to("snapshots", 0, "timestamp-ms", -5), "corrupt", r'snapshots\[0\].timestamp-ms" must not be negative$'),
    Case("time_overflows", set_to("snapshots", 0, "timestamp-ms", HUGE), "corrupt", r'snapshots\[0\].timestamp-ms" must be an integer of 64 bits$'),
    Case("time_of_all", all_times(2 ** 63 - 1), "corrupt", r'snapshots\[0\].timestamp-ms"'),
    Case("current_missing", set_to("current-snapshot-id", 42), "corrupt", 'current-snapshot-id" names no snapshot$'),
    Case("current_overflows", set_to("current-snapshot-id", HUGE), "corrupt", 'current-snapshot-id" must be an integer of 64 bits$'),
    Case("no_manifest_list", without("snapshot", "manifest-list"), "corrupt", r'snapshots\[3\].manifest-list" is missing$'),
    Case("ref_to_nowhere", set_to("refs", {"audit": {"snapshot-id": 42, "type": "branch"}}), "corrupt", 'refs.audit.snapshot-id" names no snapshot$'),
    Case("ref_type", set_to("refs", {"main": {"snapshot-id": 42, "type": "twig"}}), "corrupt", 'refs.main.type" must be branch or tag$'),
    Case("properties_list", set_to("properties", []), "corrupt", 'properties" must be an object$'),
    Case("property_number", set_to("properties", {"a": 1}), "corrupt", 'properties.a" must be a string$'),
    Case("encrypted", set_to("snapshot", "key-id", "k1"), "unsupported", "the table is encrypted; floe cannot read its manifests", status="unsupported"),
    Case("empty_object", as_bytes(lambda data: b"{}"), "corrupt", 'format-version" is missing$'),
    Case("array", as_bytes(lambda data: b"[]"), "protocol|corrupt", "must be an object$"),
    Case("trailing", as_bytes(lambda data: data + b"}"), "protocol|corrupt", "invalid JSON at byte [0-9]+: the document has ended before$"),
    Case("corrupt", as_bytes(lambda data: data[:300] + b"\0\xff\xfe" + data[303:]), "protocol|corrupt", "invalid JSON at byte [0-9]+"),
    Case("invalid_utf8", as_bytes(lambda data: data.replace(b'"location": "s3://', b'"location": "s3\xc3://', 1)), "protocol|corrupt",
         'location": invalid JSON at byte [0-9]+: not UTF-8$'),
    Case("nul", as_bytes(lambda data: data.replace(b'"location": "s3://', b'"location": "s3\\u0000://', 1)), "corrupt",
         'location" contains a NUL character$'),
    Case("lone_surrogate", as_bytes(lambda data: data.replace(b'"location": "s3://', b'"location": "s3\\ud800://', 1)), "protocol|corrupt",
         'location": invalid JSON at byte [0-9]+: half of a surrogate pair$'),
    Case("key_twice", as_bytes(lambda data: b'{"location": "s3://other/place", ' + data[1:]), "corrupt", 'location" stands there twice$'),
    Case("too_deep", as_bytes(lambda data: b'{"deep": ' + b"[" * 5000 + b"]" * 5000 + b", " + data[1:]), "too_large", "JSON nested deeper than 64 levels$"),
    Case("oversized", as_bytes(lambda data: b'{"filler": "' + b"x" * 300000 + b'", ' + data[1:]), "too_large", "262144 bytes.*floe.max_metadata_size"),
    Case("html", as_bytes(lambda data: b"<html><body>Sign in</body></html>"), "protocol|corrupt", "invalid JSON at byte [0-9]+: a value must stand here$"),
]

# Around the metadata, in the answer to loadTable.
ANSWER = [
    Case("truncated", as_bytes(lambda data: data[:len(data) // 2]), "protocol", "loadTable answer .*invalid JSON at byte [0-9]+"),
    Case("no_value", as_bytes(lambda data: b""), "protocol", 'loadTable answer at "metadata": invalid JSON at byte [0-9]+: a value must stand here$'),
    Case("answer_empty", load_answer(answer(200, b"", Content_Type="application/json")), "protocol", "^load table: the catalog's answer is empty$"),
    Case("answer_null", load_answer(answer(200, b"null", Content_Type="application/json")), "protocol", "^loadTable answer: the document must be an object$"),
    Case("answer_html", load_answer(answer(200, b"<html><body>Sign in</body></html>", Content_Type="text/html")), "protocol",
         "^loadTable answer: invalid JSON at byte 0: a value must stand here$"),
    Case("answer_cut", load_answer(cut(0.5)), "network", "^load table: connection to 127.0.0.1:[0-9]+ lost in the middle of the answer, after [0-9]+ bytes"),
    Case("answer_no_metadata", load_answer(answer(200, b'{"metadata-location": "s3://lake/x"}')), "protocol", '^loadTable answer: "metadata" is missing$'),
    Case("answer_gzip_bomb", load_answer(edited(gzip_bomb)), "too_large", "^load table: the answer of .* exceeds 262144 bytes.*floe.max_metadata_size"),
    Case("answer_not_gzip", load_answer(answer(200, b"this is not gzip", Content_Encoding="gzip")), "protocol",
         "^load table: the answer of .* cannot be decompressed"),
]


def in_store(damage):
    """The same damage in the metadata file, while the catalog's answer is as it should be."""
    def both(table):
        healthy = table.metadata
        table.metadata = json.loads(json.dumps(healthy))
        damage(table)
        damaged = table.metadata if isinstance(table.metadata, bytes) else json.dumps(table.metadata).encode()
        table.metadata = healthy
        table.put_metadata_file(damaged)
    return both


def of_a_file(says):
    """What is said of the document, as it is said of a file: with the file's name at the end."""
    return rf"^metadata file: .*{says[:-1]}: s3://lake/file/\S+\.metadata\.json$" if says.endswith("$") else says


def file_bytes(change):
    return lambda table: table.put_metadata_file(change(json.dumps(table.metadata).encode()))


def file_at(location):
    """Damage: the catalog says that the file is there."""
    def damage(table):
        table.metadata_location = location
    return damage


def store(behaviour):
    """Damage: the store behaves like this for the file."""
    return lambda table: table.mock.misbehave("^GET /" + table.metadata_location.removeprefix("s3://"), behaviour)


# Only a file can be these.
FILE = [
    *(Case("file_" + scheme, file_at(f"{scheme}://lake/x.metadata.json"), "unsupported",
           f'^metadata file: object store of location "{scheme}://lake/x.metadata.json" is not supported: floe reads s3:, gs:, abfss:, https: and file: locations, and their aliases', status="unsupported")
      for scheme in ("hdfs", "oss", "ftp")),
    Case("file_local", file_at("file:///etc/passwd"), "denied", '^metadata file: file "file:///etc/passwd" is not below a folder of floe.allowed_file_roots'),
    Case("file_dots", file_at("file:///var/../etc/passwd"), "denied", "^metadata file: file .* is not below a folder of floe.allowed_file_roots"),
    Case("file_nowhere", file_at(""), "unsupported", '^metadata file: object store of location "" is not supported', status="unsupported"),
    Case("file_403", store(answer(403, "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")), "forbidden",
         r"^metadata file: read .*metadata\.json\": the store answered 403: AccessDenied: Access Denied"),
    Case("file_503", store(answer(503, "<Error><Code>SlowDown</Code></Error>")), "server", r"^metadata file: read .*metadata\.json\": the store answered 503: SlowDown"),
    Case("file_301", store(answer(301, "", Location="http://127.0.0.1:9/x")), "http", r"^metadata file: read .*metadata\.json\": the store answered 301"),
    Case("file_cut", store(cut(0.5)), "network", r"^metadata file: read .*metadata\.json\": connection to 127.0.0.1:\d+ lost in the middle of the answer"),
    Case("file_resets", store(reset), "network", r"^metadata file: read .*metadata\.json\": 127.0.0.1:\d+ closed the connection without an answer"),
    Case("file_missing", lambda table: table.remove_metadata_file(), "corrupt", '^metadata file: read "s3://lake/file/.*": the store answered 404: NoSuchKey'),
    Case("file_truncated", file_bytes(lambda data: data[:len(data) // 2]), "corrupt", "metadata file: table metadata"),
    Case("file_empty", file_bytes(lambda data: b""), "corrupt", "metadata file: table metadata"),
    Case("file_gzip_bomb", file_bytes(lambda data: BOMB), "too_large", "metadata file: .*floe.max_metadata_size"),
    Case("file_gzip_truncated", file_bytes(lambda data: gzip.compress(data)[:-20]), "corrupt", "metadata file: "),
    Case("file_gzip_corrupt", file_bytes(lambda data: gzip.compress(data)[:100] + b"\xff" * 50), "corrupt", "metadata file: "),
    Case("file_of_another", file_bytes(lambda data: data.replace(b'"table-uuid": "', b'"table-uuid": "0000', 1)), "corrupt", "metadata file: "),
]


LONG = 2 ** 63 - 1
NUMBERS = ["write.target-file-size-bytes", "write.delete.target-file-size-bytes", "history.expire.max-snapshot-age-ms", "history.expire.min-snapshots-to-keep",
           "history.expire.max-ref-age-ms", "commit.manifest.target-size-bytes"]


def main_with(**retention):
    def change(table):
        table.metadata["refs"]["main"].update({key.replace("_", "-"): value for key, value in retention.items()})
    return change


# Odd, but a table all the same: it has to be assessed, and every question about it answered.
ODD = {
    **{f"properties_{name}": set_to("properties", dict.fromkeys(NUMBERS, value)) for name, value in
       {"largest": str(LONG), "zero": "0", "negative": "-1", "word": "many", "too_long": "9" * 30, "empty": "", "padded": "0007"}.items()},
    "unknown_keys": set_to("something-new", {"deep": [1, 2.5, None, {"x": "y" * 9000}]}),
    "time_zero": all_times(0),
    "time_of_one_far": set_to("snapshots", 0, "timestamp-ms", 9_000_000_000_000_000),
    "branch_for_ever": main_with(max_snapshot_age_ms=LONG, max_ref_age_ms=LONG, min_snapshots_to_keep=2 ** 31 - 1),
    "long_property": set_to("properties", {"k" * 3000: "v" * 60000}),
    "evil_property": set_to("properties", {"a\"b'c\\d\n": "\u202e\u0001</script>'; DROP TABLE x;--"}),
    "no_snapshots": lambda table: table.metadata.update({"snapshots": [], "current-snapshot-id": -1, "refs": {}}),
}


def odd_tables(bench, base):
    t, pg = bench.t, bench.pg
    catalog = bench.mock.catalog("odd")
    bench.connect(catalog)
    pg.add_server("spark", "floe_engine", "spark-thrift", {"url": "http://127.0.0.1:9/cliservice"}, {})
    tables = [Table(catalog, ("odd", name), base) for name in ODD]
    for table, change in zip(tables, ODD.values()):
        change(table)
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    bench.assessed([table.name for table in tables], start, f"{len(tables)} odd tables are assessed")
    pg.sql("SELECT floe.create_policy('all', 'odd.**', '{\"engine\": \"spark\", \"rewrite_data_files\": {}, \"rewrite_position_delete_files\": {}, "
           "\"rewrite_manifests\": {}, \"expire_snapshots\": {}}')")
    for table in tables:
        name = pg.format_name(table.name)
        asked = {"health": "floe.health(%s)", "why": "floe.why(%s, true)", "debt": "floe.debt(%s)", "partitions": "floe.partition_health(%s)"}
        failed = []
        for what, call in asked.items():
            try:
                # as text: Python has no years beyond 9999
                pg.sql(f"SET statement_timeout = '5s'; SELECT x::text FROM {call} AS x", (name,))
            except Exception as error:
                failed.append(f"{what}: {error}")
        t.ok(not failed, f"{table.levels[-1]}: every question is answered", *failed)
    t.equal(pg.value("SELECT value FROM floe.health('odd.odd.properties_largest') WHERE metric = 'expirable_snapshot_count'"), 0,
            "a table that keeps its snapshots for ever has none to expire")
    # Its engine cannot be reached; nothing of the planning may fail.
    bench.refresh_and_maintain(SETTINGS)
    t.ok(pg.value("SELECT count(*) FROM floe.status('odd.**')") == len(tables), "the status of all")
    bench.unharmed()


def orphans_around_unreadable(bench, base):
    """What cannot be read is not below anybody's orphans: its location is known as far as it was seen, and where none was, nothing is removed."""
    t, pg = bench.t, bench.pg
    catalog = bench.mock.catalog("around")
    bench.connect(catalog)
    stored = bench.mock.catalog("around_stored")
    bench.connect(stored, metadata_source="store")
    outer = Table(catalog, ("ns", "outer"), base)
    damages = {
        "format_4": set_to("format-version", 4),
        "encrypted": set_to("snapshot", "key-id", "k1"),
        "broken_late": set_to("current-snapshot-id", 1),
        "no_manifest_list": lambda table: bench.mock.objects.pop(table.list_key),
        "no_answer": load_answer(answer(500, "{}", Content_Type="application/json")),
    }
    inner = {name: Table(catalog, ("ns", name), base, place=f"ns/outer/data/{name}") for name in damages}
    for name, damage in damages.items():
        damage(inner[name])
    file_missing = Table(stored, ("ns", "file_missing"), base)
    file_missing.remove_metadata_file()
    pg.sql("SELECT floe.create_policy('around', 'around.**', '{\"engine\": \"spark\", \"remove_orphan_files\": {\"jitter\": \"0\"}}')")
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    bench.assessed([outer.name], start, "the table around them is assessed")
    kept = {row["name"]: row for row in bench.sql("SELECT name, status, location FROM floe.tables WHERE name ~ '^around'")}
    for name, table in inner.items():
        row = kept[f"around.ns.{name}"]
        t.ok(row["status"] != "ok" and row["location"] == (None if name == "no_answer" else f"s3://{table.root}"), f"{name}: not assessed, and its location is what was seen of it", row)
    t.equal(kept["around_stored.ns.file_missing"]["location"], f"s3://{file_missing.root}", "a missing metadata file: the catalog's answer has the location")

    def gate():
        return bench.sql("SELECT verdict, value FROM floe.why('around.ns.outer', true) WHERE operation = 'remove_orphan_files' AND gate = 'location'")[0]

    for name in ("format_4", "encrypted", "broken_late", "no_manifest_list"):
        t.equal(gate(), {"verdict": "blocked", "value": f"shared with or nested in around.ns.{min(set(kept_names(inner, catalog)) - {'no_answer'})}"}, "it is blocked")
        del catalog.tables[("ns", name)]
        bench.refresh_and_maintain(SETTINGS)
    t.equal(gate(), {"verdict": "wait", "value": "unknown of around.ns.no_answer (error)"}, "one is left of which nothing is known: it waits")
    by_hand = bench.sql("SELECT verdict, gate FROM floe.trigger('around.ns.outer', '{remove_orphan_files}')")
    t.equal(by_hand, [{"verdict": "wait", "gate": "location"}], "by hand as well")
    del catalog.tables[("ns", "no_answer")]
    bench.refresh_and_maintain(SETTINGS)
    t.equal(gate()["verdict"], "pass", "it is dropped: nothing holds it back")
    bench.unharmed()


def kept_names(tables, catalog):
    return [name for name, table in tables.items() if table.levels in catalog.tables]


def main():
    with Tap() as t, Mock() as mock, Lakehouse() as pg:
        bench, base = Bench(t, pg, mock), Base()
        answers, files = mock.catalog("answer"), mock.catalog("file")
        bench.connect(answers)
        bench.connect(files, metadata_source="store")
        run_cases(bench, base, answers, DOCUMENT + ANSWER, SETTINGS)
        stored = [Case(case.name, in_store(case.damage), case.code, of_a_file(case.says), status=case.status) for case in DOCUMENT]
        run_cases(bench, base, files, stored + FILE, SETTINGS)
        odd_tables(bench, base)
        orphans_around_unreadable(bench, base)


if __name__ == "__main__":
    main()
