"""What floe says when a catalog answers and does not let it look: the column "no grant" of test_catalogs.py's matrix.

A file of its own because each product takes rights away, and says so, in its own way; what must hold for all of them is in Stage.
Only catalogs that have rights are here: the others let in whoever they know.
"""
from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

import psycopg2
from lakehouse import catalog_definition


DIALECTS = ("polaris", "lakekeeper", "gravitino")


def dialect(name: str, patch: dict[str, Any] | None = None) -> dict[str, Any]:
    """The users and grants of a dialect, changed by an RFC 7396 patch if there is one."""
    data = None if patch is None else json.dumps(patch).encode()
    request = urllib.request.Request(f"{os.environ['FLOE_DIALECTS_URI']}/lab/{name}", data=data, method="GET" if patch is None else "PATCH")
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def identity(arguments: str) -> None:
    """Of SeaweedFS, by its shell; made, it is there when it gets a token."""
    master, port = os.environ["FLOE_SEAWEEDFS_MASTER"].split(":")
    done = subprocess.run([os.environ["FLOE_SEAWEEDFS_WEED"], "shell", f"-master={master}:{port}", f"-filer={os.environ['FLOE_SEAWEEDFS_FILER'].split('://')[1]}"],
                          input=f"s3.configure {arguments} -apply\n", capture_output=True, text=True, timeout=60)
    if done.returncode or "error" in done.stdout + done.stderr:
        raise RuntimeError(f"s3.configure {arguments}: {done.stdout[-500:]} {done.stderr[-500:]}")
    words = dict(zip(arguments.split()[::2], arguments.split()[1::2]))
    if "-access_key" not in words:
        return
    form = f"grant_type=client_credentials&client_id={words['-access_key']}&client_secret={words['-secret_key']}&scope=catalog".encode()
    deadline = time.monotonic() + 30
    while True:
        try:
            urllib.request.urlopen(os.environ["FLOE_SEAWEEDFS_URI"] + "/v1/oauth/tokens", form, timeout=10).close()
            return
        except urllib.error.HTTPError as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"SeaweedFS does not know {words['-user']}: {error.read()[:300]!r}") from error
        time.sleep(0.1)


class Stage:
    """case: of test_catalogs.py."""

    def __init__(self, case: Any, made: list[dict[str, Any]]):
        self.case, self.pg, self.name = case, case.pg, case.name
        self.made = made

    @property
    def mine(self) -> list[str]:
        return self.case.levels(next(one for one in self.made if one["shape"] == "many_small"))

    @property
    def other(self) -> list[str]:
        return self.case.levels(next(one for one in self.made if one["shape"] == "nested"))

    def tables(self) -> list[str]:
        return [row["name"] for row in self.pg.sql("SELECT name FROM floe.tables WHERE status <> 'dropped' AND name LIKE %s ORDER BY 1", (f"{self.name}.%",))]

    def refused(self, code: str, words: str) -> None:
        """Nothing may be looked at: a state of the catalog with its own words, and no table is taken for dropped."""
        before = self.tables()
        checked = self.pg.sql("SELECT * FROM floe.check_catalog(%s)", (self.name,))[0]
        self.case.ok(not checked["success"] and checked["detail"]["code"] == code and words in f"{checked['message']} {checked['detail']['detail']}", f"no grant: check_catalog() says {words!r}", checked)
        self.case.look_quietly()
        row = self.pg.sql("SELECT status, error_code, error_message, error_detail FROM floe_internal.catalog WHERE server_name = %s", (self.name,))[0]
        self.case.ok(row["status"] == "error" and row["error_code"] == code and words in f"{row['error_message']} {row['error_detail']}", "no grant: a state with the catalog's words", row)
        self.case.equal(self.tables(), before, "no grant: no table is taken for dropped")

    def table_refused(self, levels: list[str], words: str) -> None:
        row = self.case.table(levels)
        self.case.ok(row.get("status") == "error" and words in f"{row['error']} {row['error_detail']}" and row["data_file_count"] is not None,
                     f"no grant: a table says {words!r} and keeps its health", row)

    def granted(self, before: list[str]) -> None:
        self.case.look_quietly()
        row = self.pg.sql("SELECT status, refused_namespaces, refusal FROM floe.catalogs WHERE name = %s", (self.name,))[0]
        self.case.equal((row["status"], row["refused_namespaces"], row["refusal"]), ("ok", 0, None), "granted again: the catalog is well")
        self.case.equal((self.tables(), [self.case.table(one).get("status") for one in (self.mine, self.other)]), (before, ["ok", "ok"]), "granted again: all tables are there")

    def vanished(self) -> None:
        """All but one are not shown any more. That cannot be told from a drop, so history must outlast it."""
        name = self.pg.format_name([self.name, *self.other])
        history = self.pg.value("SELECT count(*) FROM floe.health_history WHERE table_name = %s", (name,))
        self.case.look_quietly()
        self.case.equal(self.case.table(self.mine).get("status"), "ok", "no grant: what is still shown is well")
        self.case.equal((self.case.table(self.other).get("status"), self.pg.value("SELECT count(*) FROM floe.health_history WHERE table_name = %s", (name,)), history > 0), ("dropped", history, True),
                        "no grant: what is not shown any more counts as gone, and its history stays")
        self.case.equal(self.pg.value("SELECT message FROM floe.events WHERE kind = 'table dropped' AND table_name = %s ORDER BY id DESC LIMIT 1", (name,)),
                        f"{name} is no longer in the catalog, or not shown to floe any more", "no grant: the event says that it may only be hidden")

    # each product

    def polaris(self) -> None:
        def grant(*privileges: Any) -> None:
            dialect("polaris", {"realms": {"floe-lab": {"grants": {"maintainer": {"lake": list(privileges)}}}}})

        grant("TABLE_READ_DATA")
        self.refused("forbidden", "not authorized for op LIST_NAMESPACES")
        # to one namespace only: of the others floe knows that it does not know
        grant("NAMESPACE_LIST", {"privilege": "TABLE_READ_DATA", "on": self.mine[:-1]})
        before = self.tables()
        self.case.look_quietly()
        row = self.pg.sql("SELECT status, refused_namespaces, refusal FROM floe.catalogs WHERE name = %s", (self.name,))[0]
        self.case.ok(row["status"] == "ok" and row["refused_namespaces"] > 0 and "not authorized for op LIST_TABLES" in row["refusal"], "no grant: namespaces that may not be listed are told", row)
        self.case.equal((self.tables(), self.case.table(self.mine).get("status")), (before, "ok"), "no grant: the others are well, and none is taken for dropped")
        # metadata, and not the files
        grant("NAMESPACE_LIST", "TABLE_READ_PROPERTIES")
        self.case.look_quietly()
        self.table_refused(self.mine, "not authorized for op LOAD_TABLE_WITH_READ_DELEGATION")

    def lakekeeper(self) -> None:
        def grant(*rights: Any) -> None:
            dialect("lakekeeper", {"users": {"floe": {"lab": list(rights)}}})

        grant()
        self.refused("not_found", 'has no warehouse "lab", or does not show it to these credentials')
        grant({"right": "select", "on": self.mine})
        self.vanished()

    def gravitino(self) -> None:
        def grant(*privileges: Any) -> None:
            dialect("gravitino", {"users": {"floe": {"privileges": {"lake": list(privileges)}}}})

        grant()
        self.refused("forbidden", "ANY_USE_CATALOG")
        grant("USE_CATALOG", "USE_SCHEMA", {"privilege": "SELECT_TABLE", "on": self.mine})
        self.vanished()

    def jdbc(self) -> None:
        def execute(*statements: str) -> None:
            uri = catalog_definition("jdbc")[0]["uri"]
            with psycopg2.connect(uri, user="lab", password="labsecret") as connection, connection.cursor() as cursor:
                for one in statements:
                    cursor.execute(one)
            connection.close()

        execute("CREATE ROLE stranger LOGIN PASSWORD 'strange'")
        self.pg.sql('ALTER USER MAPPING FOR PUBLIC SERVER jdbc OPTIONS (SET username \'stranger\', SET password \'strange\')')
        try:
            self.refused("forbidden", "permission denied for table iceberg_tables")
            # all that floe needs, and nobody gives more
            execute("GRANT SELECT ON iceberg_tables TO stranger")
            self.case.look_quietly()
            self.case.equal(self.pg.value("SELECT status FROM floe.catalogs WHERE name = 'jdbc'"), "ok", "to SELECT from one table is enough")
        finally:
            self.pg.sql('ALTER USER MAPPING FOR PUBLIC SERVER jdbc OPTIONS (SET username \'lab\', SET password \'labsecret\')')
            execute("DROP OWNED BY stranger", "DROP ROLE stranger")

    def nessie_oidc(self) -> None:
        """Its rules go by the token's scope (test/lab/components/nessie.sh)."""
        def be(scope: str, how: str = "SET") -> None:
            self.pg.sql(f"ALTER SERVER nessie_oidc OPTIONS ({how} scope '{scope}')")

        be("nobody", "ADD")
        try:
            self.refused("forbidden", "is not allowed for role 'nobody' on reference 'main'")
            be("guest")
            self.refused("forbidden", "'READ_ENTRIES' is not allowed for role 'guest' on reference 'main'")
            be("names")
            before = self.tables()
            # or the branch is as it was, and nobody asks for its tables
            table = self.case.lab.catalog.load_table(tuple(self.mine))
            table.append(table.scan(limit=1).to_arrow())
            self.case.look_quietly()
            self.table_refused(self.other, "'READ_ENTITY_VALUE' is not allowed for role 'names'")
            self.case.equal(self.tables(), before, "no grant: no table is taken for dropped, which is still listed")
            seen = self.pg.value("SELECT current_snapshot_id FROM floe_internal.iceberg_table WHERE name = %s", (self.pg.format_name([self.name, *self.mine]),))
            self.case.equal((self.case.table(self.mine).get("status"), seen), ("ok", table.current_snapshot().snapshot_id), "no grant: a table that may be read is, beside those that may not")
            # what may not be read is left out, without a word
            be("some")
            self.vanished()
        finally:
            self.pg.sql("ALTER SERVER nessie_oidc OPTIONS (DROP scope)")

    def seaweedfs(self) -> None:
        """Both its rows. Identities are made by its shell and count at once, or a little later: their tokens tell."""
        server, mapping = catalog_definition(self.name)
        names = ("client_id", "client_secret") if "client_id" in mapping else ("s3_access_key_id", "s3_secret_access_key")

        def be(key: str, secret: str) -> None:
            self.pg.sql(f'ALTER USER MAPPING FOR PUBLIC SERVER "{self.name}" OPTIONS (SET {names[0]} \'{key}\', SET {names[1]} \'{secret}\')')

        read = ["s3tables:GetTableBucket", "s3tables:ListNamespaces", "s3tables:ListTables", "s3tables:GetTable"]
        bucket = server["warehouse"]
        stages = {"none": [f"Read:{bucket}", f"List:{bucket}"], "levels": read[:2], "names": read[:3], "enough": [*read, f"Read:{bucket}"]}
        users = {stage: f"floe-{self.name}-{stage}" for stage in stages}
        try:
            for stage, actions in stages.items():
                identity(f"-user {users[stage]} -access_key {users[stage]} -secret_key s{users[stage]} -actions {','.join(actions)}")
            be(users["none"], f"s{users['none']}")
            self.refused("not_found", f"table bucket {bucket} not found")
            be(users["levels"], f"s{users['levels']}")
            before = self.tables()
            self.case.look_quietly()
            row = self.pg.sql("SELECT status, refused_namespaces, refusal FROM floe.catalogs WHERE name = %s", (self.name,))[0]
            self.case.ok(row["status"] == "ok" and row["refused_namespaces"] > 0 and "Access Denied" in row["refusal"], "no grant: namespaces whose tables may not be listed are told", row)
            self.case.equal(self.tables(), before, "no grant: no table is taken for dropped")
            be(users["names"], f"s{users['names']}")
            self.case.look_quietly()
            self.table_refused(self.mine, "Table does not exist")
            self.case.equal(self.tables(), before, "no grant: no table is taken for dropped, which is still listed")
            be(users["enough"], f"s{users['enough']}")
            self.pg.add_server("enough", "floe_catalog", "rest", server, {**mapping, names[0]: users["enough"], names[1]: f"s{users['enough']}",
                                                                      "s3_access_key_id": users["enough"], "s3_secret_access_key": f"s{users['enough']}"})
            self.case.look_quietly()
            # the catalog and the store learn of an identity one after the other
            end = time.monotonic() + 60
            while True:
                self.pg.sql("SELECT floe.refresh('enough.**')")
                self.pg.maintain("enough.**")
                found = [self.pg.sql("SELECT name, status, error FROM floe.tables WHERE name LIKE %s", (f"{name}.%",)) for name in (self.name, "enough")]
                well = [{row["name"].split(".", 1)[1] for row in rows if row["status"] == "ok"} for rows in found]
                if well[0] == well[1] or time.monotonic() > end:
                    break
            self.case.ok(well[1] == well[0] and len(well[1]) > 1, "to look and to read the files is enough", found[1])
        finally:
            self.pg.sql("DROP SERVER IF EXISTS enough CASCADE")
            be(mapping[names[0]], mapping[names[1]])
            for user in users.values():
                identity(f"-user {user} -delete")

    def run(self) -> bool:
        """False: this catalog has no rights."""
        play = {"polaris": self.polaris, "lakekeeper": self.lakekeeper, "gravitino": self.gravitino, "jdbc": self.jdbc, "nessie_oidc": self.nessie_oidc,
                "seaweedfs": self.seaweedfs, "seaweedfs_sigv4": self.seaweedfs}.get(self.name)
        if play is None:
            return False
        before, first = self.tables(), dialect(self.name) if self.name in DIALECTS else None
        try:
            play()
        finally:
            if first is not None:
                dialect(self.name, first)
        self.granted(before)
        return True
