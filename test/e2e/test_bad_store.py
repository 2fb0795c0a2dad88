"""Files and objects that are not there, not allowed, damaged on disk, or behind wrong keys: the reference REST server over local files and over
versitygw, which refuses every wrong signature; the mock for what no real store says.
"""
import json
import os
import shutil
import tempfile
import time
import urllib.request
from pathlib import Path

from badinput import ACCESS_KEY, Base, Bench, Ocf, Table, spoken
from catalog import Mock, answer, hang, reset
from harness import Tap, free_port, make_tables
from lakehouse import Lakehouse, catalog_definition, literal

WAREHOUSE = Path(os.environ["FLOE_REST_WAREHOUSE"])
SETTINGS = "SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"
NS = f"badstore_{time.time_ns()}"


def rest(method, path, body=None):
    """A request to the reference server."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{os.environ['FLOE_REST_URI']}/v1/{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        said = response.read()
    return json.loads(said) if said else None


def touch(name):
    """A new version of a table whose files stay the same."""
    rest("POST", f"namespaces/{NS}/tables/{name}", {"requirements": [], "updates": [{"action": "set-properties", "updates": {"touched": str(time.time_ns())}}]})


# -------------------------------------------------------------------------------------------------
# Local files
# -------------------------------------------------------------------------------------------------

class FileTable:
    """A copy of a real table's metadata in the warehouse, registered with the reference server."""

    def __init__(self, base, name):
        self.name, self.place = name, WAREHOUSE / NS / name
        metadata = self.place / "metadata"
        metadata.mkdir(parents=True)
        listed = Ocf(base.list)
        rows = listed.rows()
        for i, row in enumerate(rows):
            file = metadata / f"m{i}.avro"
            file.write_bytes(base.manifests[row["manifest_path"]])
            row["manifest_path"] = f"file://{file}"
        self.list, self.manifest = metadata / "list.avro", metadata / "m2.avro"
        self.list.write_bytes(listed.replace(rows).bytes())
        said = json.loads(json.dumps(base.metadata))
        said["location"] = f"file://{self.place}"
        next(one for one in said["snapshots"] if one["snapshot-id"] == said["current-snapshot-id"])["manifest-list"] = f"file://{self.list}"
        first = metadata / "00001-0.metadata.json"
        first.write_text(json.dumps(said))
        rest("POST", f"namespaces/{NS}/register", {"name": name, "metadata-location": f"file://{first}"})


def missing(file):
    file.unlink()


def empty(file):
    file.write_bytes(b"")


def half(file):
    os.truncate(file, file.stat().st_size // 2)


def garbled(file):
    file.write_bytes(b"PK\x03\x04" + file.read_bytes()[4:])


def terabyte(file):
    os.truncate(file, 1 << 40)


def directory(file):
    file.unlink()
    file.mkdir()


def fifo(file):
    file.unlink()
    os.mkfifo(file)


def unreadable(file):
    file.chmod(0)


def link_to(target):
    def damage(file):
        file.unlink()
        file.symlink_to(target)
    return damage


def link_to_itself(file):
    file.unlink()
    file.symlink_to(file)


def linked_folder(file):
    """The folder of the file is a link to one outside, where everything is as it should be."""
    folder, outside = file.parent, Path(tempfile.mkdtemp(dir=os.environ["FLOE_TEST_DIR"])) / "metadata"
    shutil.move(folder, outside)
    folder.symlink_to(outside)


def outside_by_dots(file):
    """The manifest list names a manifest above the root."""
    listed = Ocf((file.parent / "list.avro").read_bytes())
    rows = listed.rows()
    rows[2]["manifest_path"] = f"file://{WAREHOUSE}/{'../' * 30}etc/passwd"
    (file.parent / "list.avro").write_bytes(listed.replace(rows).bytes())


# damage, code, what is said
FILES = {
    "missing": (missing, "corrupt", 'cannot read file ".*": No such file'),
    "empty": (empty, "corrupt", "not an Avro object container|0 bytes long, but the manifest list says"),
    "half": (half, "corrupt", "damaged|invalid or cut off|bytes long, but the manifest list says"),
    "garbled": (garbled, "corrupt", "the file is not an Avro object container"),
    "terabyte": (terabyte, "too_large|corrupt", r"is larger than \d+ bytes|is longer than the \d+ bytes"),
    "directory": (directory, "denied", "is not a regular file"),
    "fifo": (fifo, "denied", "is not a regular file"),
    "unreadable": (unreadable, "io", 'cannot open file ".*": Permission denied'),
    "link_out": (link_to("/etc/passwd"), "denied", "is not below a folder of floe.allowed_file_roots"),
    "link_nowhere": (link_to("/nonexistent/file"), "corrupt", "cannot read file"),
    "link_itself": (link_to_itself, "io", "Too many levels of symbolic links"),
    "device": (link_to("/dev/zero"), "denied", "is not below a folder of floe.allowed_file_roots"),
    "linked_folder": (linked_folder, "denied", "is not below a folder of floe.allowed_file_roots"),
}


def repair(table, kept):
    """The files as they were."""
    folder = table.place / "metadata"
    newer = {file.name: file.read_bytes() for file in folder.glob("*.json")}
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)
    shutil.copytree(kept, folder)
    for name, data in newer.items():
        (folder / name).write_bytes(data)


def local_files(bench, base):
    t, pg = bench.t, bench.pg
    rest("POST", "namespaces", {"namespace": [NS]})
    pg.add_catalog("rest", "files")
    pattern = f"files.{NS}.**"
    healthy = FileTable(base, "healthy")
    seen = {name: FileTable(base, "list_" + name) for name in FILES}
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, pattern=pattern)
    bench.assessed([["files", NS, one.name] for one in [healthy, *seen.values()]], start, f"{len(seen) + 1} tables are assessed before any damage")
    before = {name: bench.table(["files", NS, one.name]) for name, one in seen.items()}

    # manifest lists of tables that were well; manifests of tables never seen
    unseen = {name: FileTable(base, "manifest_" + name) for name in [*FILES, "dots"]}
    kept = pg.dir / "kept"
    for one in [*seen.values(), *unseen.values()]:
        shutil.copytree(one.place / "metadata", kept / one.name)
    for one in [healthy, *seen.values()]:
        touch(one.name)
    for name, (damage, _, _) in FILES.items():
        damage(seen[name].list)
        damage(unseen[name].manifest)
    outside_by_dots(unseen["dots"].manifest)
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, within=20, pattern=pattern)
    for name, (_, code, says) in {**FILES, "dots": (None, "denied", "is not below a folder of floe.allowed_file_roots")}.items():
        for what, one in (("manifest list", seen.get(name)), ("manifest", unseen[name])):
            if one is None:
                continue
            row = bench.table(["files", NS, one.name])
            kept_health = row["health"] == before[name]["health"] if one is seen.get(name) else row["health"] is None
            t.ok(row["status"] == "error" and row["error_code"] in code.split("|") and bench.matches(f"manifest.*({says})", spoken(row)) and row["error_since"] >= start
                 and kept_health, f"{what} {name}: a row with the reason, and health as it was", f"{row['error_code']}: {spoken(row)}")
    bench.assessed([["files", NS, "healthy"]], start, "the healthy table beside them is assessed")
    bench.unharmed()

    for one in [*seen.values(), *unseen.values()]:
        repair(one, kept / one.name)
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, pattern=pattern)
    bench.assessed([["files", NS, one.name] for one in [healthy, *seen.values(), *unseen.values()]], start, "with the files as they were all are assessed")
    bench.unharmed()
    roots(bench, pattern)


def roots(bench, pattern):
    """What floe.allowed_file_roots lets through."""
    t = bench.t
    link = bench.pg.dir / "link-to-warehouse"
    link.symlink_to(WAREHOUSE)
    name = ["files", NS, "healthy"]
    for allowed, value in {False: ["", "/nonexistent", str(WAREHOUSE)[:-1], "iceberg-rest", f"{WAREHOUSE}/{NS}/list_half", f"{WAREHOUSE}/{NS}/healthy/metadata/list.avro"],
                           True: [str(WAREHOUSE), f"{WAREHOUSE}/", f"/nonexistent , {WAREHOUSE} ", str(link), "/"]}.items():
        for root in value:
            touch("healthy")
            before = bench.table(name)
            start = bench.now()
            bench.refresh_and_maintain(f"{SETTINGS}; SET floe.allowed_file_roots = {literal(root)}", pattern=f"files.{NS}.healthy")
            row = bench.table(name)
            shown = root.replace(str(WAREHOUSE), "WAREHOUSE").replace(NS, "NS").replace(str(link.parent), "")
            if allowed:
                bench.assessed([name], start, f"root {shown!r}: read")
            else:
                t.ok(row["status"] == "error" and row["error_code"] == "denied" and "floe.allowed_file_roots" in row["error"] and row["health"] == before["health"],
                     f"root {shown!r}: not read", row)
    bench.unharmed()


# -------------------------------------------------------------------------------------------------
# versitygw
# -------------------------------------------------------------------------------------------------

# options of the server and the mapping, code, what is said
KEYS = {
    "wrong_secret": ({}, {"s3_secret_access_key": "not-the-secret-of-the-store"}, "forbidden", "the store answered 403: SignatureDoesNotMatch"),
    "wrong_key": ({}, {"s3_access_key_id": "nobody"}, "forbidden", "the store answered 403: InvalidAccessKeyId"),
    "no_secret": ({}, {"s3_secret_access_key": None}, "config", "no S3 credentials for"),
    "no_endpoint": ({"s3_endpoint": f"http://127.0.0.1:{free_port()}"}, {}, "connect", r"cannot connect to 127.0.0.1:\d+: Connection refused"),
    "endpoint_denied": ({"s3_endpoint": "http://localhost:1"}, {}, "denied", "floe.allowed_hosts"),
    "no_tls": ({"s3_endpoint": os.environ["FLOE_S3_URI"].replace("http:", "https:")}, {}, "tls", "TLS"),
    "virtual_host": ({"s3_path_style": "false"}, {}, "config", 'bucket "lab" cannot be part of a host name; use path style'),
}


def alter(bench, what, old, new):
    words = [f"{'DROP' if value is None else 'SET' if key in old else 'ADD'} {key} {'' if value is None else literal(value)}" for key, value in new.items()]
    if words:
        bench.sql(f"ALTER {what} OPTIONS ({', '.join(words)})")


def real_store(bench):
    t, pg = bench.t, bench.pg
    make_tables("s3", NS + "_s3", ["position_deletes"])
    table = [NS + "_s3", "position_deletes"]
    server, mapping = catalog_definition("s3")
    for name in [*KEYS, "fine"]:
        pg.add_catalog("s3", name)
    pattern = ", ".join(f"{name}.{'.'.join(table)}" for name in [*KEYS, "fine"])
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, pattern=pattern)
    bench.assessed([[name, *table] for name in [*KEYS, "fine"]], start, "the table is assessed through all catalogs")
    before = {name: bench.table([name, *table]) for name in KEYS}

    touched = f"namespaces/{table[0]}/tables/{table[1]}"
    rest("POST", touched, {"requirements": [], "updates": [{"action": "set-properties", "updates": {"touched": "1"}}]})
    for name, (of_server, of_mapping, _, _) in KEYS.items():
        alter(bench, f'SERVER "{name}"', server, of_server)
        alter(bench, f'USER MAPPING FOR PUBLIC SERVER "{name}"', mapping, of_mapping)
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, within=20, pattern=pattern)
    for name, (_, _, code, says) in KEYS.items():
        row = bench.table([name, *table])
        t.ok(row["status"] == "error" and row["error_code"] in code.split("|") and bench.matches(f"^manifest list: .*{says}", spoken(row)) and row["error_since"] >= start
             and row["health"] == before[name]["health"], f"{name}: a row with the reason, and its health is kept", f"{row['error_code']}: {spoken(row)}")
    bench.assessed([["fine", *table]], start, "with the right keys it is assessed")
    bench.unharmed(("not-the-secret-of-the-store", os.environ["FLOE_S3_SECRET"]))

    for name, (of_server, of_mapping, _, _) in KEYS.items():
        now = {key: value for key, value in {**server, **of_server}.items() if value is not None}
        alter(bench, f'SERVER "{name}"', now, {key: server.get(key) for key in of_server})
        now = {key: value for key, value in {**mapping, **of_mapping}.items() if value is not None}
        alter(bench, f'USER MAPPING FOR PUBLIC SERVER "{name}"', now, {key: mapping.get(key) for key in of_mapping})
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, pattern=pattern)
    bench.assessed([[name, *table] for name in KEYS], start, "with the right keys all are assessed again")

    # objects damaged behind the store's back
    said = rest("GET", touched)["metadata"]
    current = next(one for one in said["snapshots"] if one["snapshot-id"] == said["current-snapshot-id"])
    file = Path(os.environ["FLOE_S3_DIR"]).parent / current["manifest-list"].removeprefix("s3://")
    whole = file.read_bytes()
    for what, damage, says in (("cut in half", lambda: os.truncate(file, len(whole) // 2), "damaged|invalid or cut off"), ("deleted", file.unlink, "the store answered 404: NoSuchKey")):
        rest("POST", touched, {"requirements": [], "updates": [{"action": "set-properties", "updates": {"touched": what}}]})
        before_it = bench.table(["fine", *table])
        damage()
        bench.refresh_and_maintain(SETTINGS, pattern=f"fine.{'.'.join(table)}")
        row = bench.table(["fine", *table])
        t.ok(row["status"] == "error" and row["error_code"] == "corrupt" and bench.matches(f"^manifest list: .*({says})", spoken(row)) and row["health"] == before_it["health"],
             f"manifest list {what} in the store: a row with the reason, and its health is kept", row)
        file.write_bytes(whole)
        start = bench.now()
        bench.refresh_and_maintain(SETTINGS, pattern=f"fine.{'.'.join(table)}")
        bench.assessed([["fine", *table]], start, "as it was, it is assessed again")
    bench.unharmed()


# -------------------------------------------------------------------------------------------------
# What the catalog says of the store
# -------------------------------------------------------------------------------------------------

GOOD = {"s3.access-key-id": ACCESS_KEY, "s3.secret-access-key": "vended-secret-of-the-store"}
VENDED = {
    "nothing": ({}, "config", "no S3 credentials for .*vended none"),
    "half": ({"s3.access-key-id": ACCESS_KEY}, "config", "no S3 credentials for"),
    "other_key": ({**GOOD, "s3.access-key-id": "nobody"}, "forbidden", "the store answered 403: InvalidAccessKeyId"),
    "key_with_lines": ({**GOOD, "s3.access-key-id": "a\r\nX-Admin: yes"}, "config|denied|protocol|corrupt", "header|key|line"),
    "token_with_lines": ({**GOOD, "s3.session-token": "a\r\nX-Admin: yes"}, "config|denied|protocol|corrupt", "header|token|line"),
    "region_with_lines": ({**GOOD, "client.region": "us\r\nX-Admin: yes"}, "config|denied|protocol|corrupt", "header|region|line"),
    "endpoint_denied": ({**GOOD, "s3.endpoint": "http://elsewhere.example"}, "denied", "elsewhere.example.*floe.allowed_hosts"),
    "endpoint_metadata": ({**GOOD, "s3.endpoint": "http://169.254.169.254/latest"}, "denied", "169.254.169.254"),
    "endpoint_file": ({**GOOD, "s3.endpoint": "file:///etc"}, "config|protocol", "S3 endpoint"),
    "endpoint_garbage": ({**GOOD, "s3.endpoint": "http://a b/c"}, "config|protocol", "S3 endpoint"),
}
# of the answer to HEAD, which only the size of the metadata file is read from
HEADS = {"h403": answer(403), "h404": answer(404), "h500": answer(500), "hangs": hang, "resets": reset, "no_length": answer(200, b"", Content_Length="many")}


def vended(bench, base):
    t, mock = bench.t, bench.mock
    catalogs = {name: mock.catalog("vended_" + name) for name in [*VENDED, "fine"]}
    tables = {name: Table(catalog, ("ns", "t"), base) for name, catalog in catalogs.items()}
    for name, catalog in catalogs.items():
        catalog.vended = {"s3.endpoint": mock.uri, "s3.path-style-access": "true", **GOOD}
        bench.pg.add_server(catalog.name, "floe_catalog", "rest", {"uri": catalog.uri}, {})
    heads = mock.catalog("heads")
    bench.connect(heads)
    headed = {name: Table(heads, ("ns", name), base) for name in HEADS}
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    bench.assessed([one.name for one in [*tables.values(), *headed.values()]], start, "with vended keys all are assessed")
    before = {name: bench.table(one.name) for name, one in tables.items()}

    for name, one in [*tables.items(), *headed.items()]:
        one.commit()
        if name in VENDED:
            one.catalog.vended = {"s3.endpoint": mock.uri, "s3.path-style-access": "true", **VENDED[name][0]}
        if name in HEADS:
            mock.misbehave(f"^HEAD /{one.metadata_location.removeprefix('s3://')}", HEADS[name])
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS, within=25)
    for name, (_, code, says) in VENDED.items():
        row = bench.table(tables[name].name)
        t.ok(row["status"] == "error" and row["error_code"] in code.split("|") and bench.matches(f"^manifest list: .*({says})", spoken(row)) and row["health"] == before[name]["health"],
             f"vended {name}: a row with the reason, and its health is kept", f"{row['error_code']}: {spoken(row)}")
    bench.assessed([tables["fine"].name], start, "what is vended as it should be is used")
    for name, one in headed.items():
        bench.assessed([one.name], start, f"HEAD {name}: assessed, as only the size is not known")
        t.equal(bench.table(one.name)["health"]["metadata_json_bytes"], None, f"HEAD {name}: and the size is not made up")
    t.equal([line for line in mock.header_log if "X-Admin" in line], [], "nothing vended became a header")
    bench.unharmed(("vended-secret-of-the-store",))
    mock.heal()
    for catalog in catalogs.values():
        catalog.vended = {"s3.endpoint": mock.uri, "s3.path-style-access": "true", **GOOD}
    start = bench.now()
    bench.refresh_and_maintain(SETTINGS)
    bench.assessed([one.name for one in [*tables.values(), *headed.values()]], start, "and as it should be again, all are assessed")
    bench.unharmed()


def main():
    with Tap() as t, Mock() as mock, Lakehouse() as pg:
        bench, base = Bench(t, pg, mock), Base()
        vended(bench, base)
        local_files(bench, base)
        real_store(bench)


if __name__ == "__main__":
    main()
