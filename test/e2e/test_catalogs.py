"""Each catalog as its users run it, on the real server: listed, assessed, polled, written to, dropped from, and gone for a while.

What stands in the README's matrix is what this shows. Writers are pyiceberg, and so is the judge.
"""
from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from harness import Tap, checksum, differences, judge, lab, lab_pid, make_tables, reachable
from catalog_rights import Stage
from lakehouse import Lakehouse, catalog_definition, catalog_type

from catalogs import LabCatalog

NS = f"cat_{int(time.time())}"
# localhost is what the OpenID provider's tokens say that it is
SETTINGS = {"floe.request_timeout": "5s", "floe.connect_timeout": "2s", "floe.allowed_hosts": "127.0.0.1, localhost"}
# Where its tables are made: hive4 has copies of hive3's, Nessie's REST endpoint shows what its own API shows.
WRITTEN = {"hive4": "hive3", "nessie_rest": "nessie", "seaweedfs_sigv4": "seaweedfs"}
SHAPES = {
    "rest": ["empty", "many_small", "position_deletes", "nested", "evil_names", "gzip_metadata"],
    "rest_old": ["empty", "many_small", "position_deletes", "nested", "branch_tag", "evil_names", "gzip_metadata"],
    "seaweedfs": ["empty", "many_small", "position_deletes", "nested"],
    "nessie": ["empty", "many_small", "position_deletes", "nested", "evil_names"],
    "nessie_oidc": ["empty", "many_small", "position_deletes", "nested"],
    "hive3": ["empty", "many_small", "position_deletes", "branch_tag", "gzip_metadata"],
    "jdbc": ["empty", "many_small", "position_deletes", "nested", "branch_tag", "evil_names"],
    "polaris": ["empty", "many_small", "position_deletes", "nested", "branch_tag", "evil_names"],
    "lakekeeper": ["empty", "many_small", "position_deletes", "nested", "branch_tag", "evil_names"],
    "gravitino": ["empty", "many_small", "position_deletes", "nested", "branch_tag", "evil_names"],
}
# The component that is stopped, and how: Nessie's lab server would forget everything if it ended.
SERVER = {"rest": "iceberg-rest", "rest_old": "iceberg-rest-old", "seaweedfs": "seaweedfs", "nessie": "nessie", "nessie_rest": "nessie", "nessie_oidc": "nessie-oidc",
          "seaweedfs_sigv4": "seaweedfs", "hive3": "hive3", "hive4": "hive4", "jdbc": "database",
          "polaris": "dialects", "lakekeeper": "dialects", "gravitino": "dialects"}


# The reference server's versions: how it separates levels of namespaces, whether it has ETags, whether snapshots=refs leaves snapshots out.
REFERENCE = {"rest": ("%2E", True, True), "rest_old": ("%1F", False, False)}


class Case:
    def __init__(self, t: Tap, pg: Lakehouse, name: str):
        self.t, self.pg, self.name = t, pg, name
        self.writer = WRITTEN.get(name, name)
        self.lab = LabCatalog(self.writer)
        self.namespace = f"{NS}_{self.writer}"

    def ok(self, condition: Any, what: str, *more: Any) -> bool:
        return self.t.ok(condition, f"{self.name}: {what}", *more)

    def equal(self, got: Any, wanted: Any, what: str) -> bool:
        return self.t.equal(got, wanted, f"{self.name}: {what}")

    def levels(self, one: dict[str, Any]) -> list[str]:
        return [*one["namespace"], one["table"]]

    def table(self, levels: list[str]) -> dict[str, Any]:
        rows = self.pg.sql("SELECT * FROM floe.tables WHERE name = %s", (self.pg.format_name([self.name, *levels]),))
        return rows[0] if rows else {}

    def look(self) -> str:
        """All of this catalog's tables are due, and looked at."""
        if self.name == "hive4":
            LabCatalog.copy_to_hive4(self.namespace)
        return self.pg.maintain(f'{self.name}.**')

    # what is shown

    def listed(self, made: list[dict[str, Any]]) -> list[dict[str, Any]]:
        wanted = {self.pg.format_name([self.name, *self.levels(one)]) for one in made}
        found = {row["name"] for row in self.pg.sql("SELECT name FROM floe.tables WHERE status <> 'dropped' AND name LIKE %s", (f"{self.name}.%{NS}%",))}
        every = {row["name"] for row in self.pg.sql("SELECT name FROM floe.tables WHERE status <> 'dropped'")}
        self.ok(wanted <= every and {one for one in found if not one.endswith(".plain")} <= wanted, f"all {len(wanted)} tables are listed under their names, and no others", wanted - every, found - wanted)
        return made

    def assessed(self, made: list[dict[str, Any]]) -> None:
        for one in made:
            levels = self.levels(one)
            row = self.table(levels)
            if row.get("status") != "ok":
                # pyiceberg cuts paths at "?" and "#", where the catalog puts the name into the location: such a table lacks files, which floe has to say
                broken = any(c in "".join(levels) for c in "?#") and any(c in str(row.get("location")) for c in "?#")
                self.ok(broken and re.search("No such file|NoSuchKey", str(row.get("error_detail"))), f"{levels}: assessed, or its files are missing", row)
                continue
            wanted = judge(self.writer, levels)["metrics"]
            found = self.pg.metrics(self.pg.format_name([self.name, *levels]))
            wrong = differences(found, wanted)
            self.ok(not wrong and wanted, f"{levels}: health equals the judge's", *wrong)

    def strangers(self) -> None:
        """Hive's own tables are listed, and left alone with the reason."""
        if self.name == "hive3":
            LabCatalog.plain_hive_table(self.namespace, "plain")
        self.look()
        row = self.table([self.namespace, "plain"])
        self.equal((row.get("status"), row.get("error")), ("unsupported", "it is not an Iceberg table"), "a table that is not Iceberg's is listed with the reason")
        self.ok(row.get("location", "").endswith("/plain"), "its place is known, so that nobody takes its files for orphans", row)

    def polled(self, made: list[dict[str, Any]]) -> None:
        before = {row["name"]: row for row in self.pg.sql("SELECT name, assessed_at, polled_at FROM floe.tables WHERE status = 'ok' AND name LIKE %s", (f"{self.name}.%",))}
        self.look()
        after = {row["name"]: row for row in self.pg.sql("SELECT name, assessed_at, polled_at FROM floe.tables WHERE name LIKE %s", (f"{self.name}.%",))}
        again = [name for name, row in before.items() if after[name]["assessed_at"] != row["assessed_at"]]
        if self.name != "hive4":
            self.equal(again, [], "what did not change is not read again")
        self.equal([name for name, row in before.items() if not after[name]["polled_at"] > row["polled_at"]], [], "but was looked at")

    def spoken(self, made: list[dict[str, Any]]) -> None:
        """Its two versions differ, floe has noticed, and what did not change was not read again with either."""
        separator, tagged, lean = REFERENCE[self.name]
        levels = self.levels(next(one for one in made if one["shape"] == "many_small"))
        place = f"{self.lab.uri}/v1/namespaces/{'.'.join(levels[:-1])}/tables/{levels[-1]}"
        with urllib.request.urlopen(place) as every, urllib.request.urlopen(place + "?snapshots=refs") as few:
            found = (every.headers["ETag"] is not None, len(json.load(few)["metadata"]["snapshots"]) < len(json.load(every)["metadata"]["snapshots"]))
        self.equal(found, (tagged, lean), "the server has ETags, and leaves out snapshots when asked for refs only, or not")
        detail = self.pg.value("SELECT detail -> 'catalog' FROM floe.check_catalog(%s)", (self.name,))
        self.equal(detail["namespace_separator"], separator, "floe separates levels of namespaces as it says")
        tags = self.pg.sql("SELECT DISTINCT p.etag IS NOT NULL AS tagged FROM floe_internal.table_poll p JOIN floe_internal.iceberg_table t USING (table_id) WHERE t.name LIKE %s AND t.status = 'ok'",
                           (f"{self.name}.%",))
        self.equal([row["tagged"] for row in tags], [tagged], "floe keeps each table's ETag, if there are any")

    def changed(self, made: list[dict[str, Any]]) -> None:
        one = next(one for one in made if one["shape"] == "many_small")
        levels = self.levels(one)
        before = self.table(levels)
        table = self.lab.catalog.load_table(tuple(levels))
        table.append(table.scan(limit=3).to_arrow())
        self.look()
        after = self.table(levels)
        wanted = self.lab.catalog.load_table(tuple(levels))
        self.equal((after.get("status"), after.get("data_file_count", 0) > before["data_file_count"]), ("ok", True), "a commit is seen")
        self.equal(self.pg.value("SELECT current_snapshot_id FROM floe_internal.iceberg_table WHERE name = %s", (after["name"],)), wanted.current_snapshot().snapshot_id,
                   "with the snapshot that is current")

    def maintained(self, made: list[dict[str, Any]]) -> None:
        """Spark does it through this same catalog. Nessie alone may delete files, and floe says so."""
        levels = self.levels(next(one for one in made if one["shape"] == "many_small"))
        name = self.pg.format_name([self.name, *levels])
        policy = {"engine": "spark", "rewrite_data_files": {"options": {"rewrite_all": True}}, "expire_snapshots": {"options": {"max_snapshot_age": "0 days", "retain_last": 1}}}
        self.pg.sql("SELECT floe.create_policy(%s, %s, %s)", (f"m_{self.name}", name, json.dumps(policy)))
        rows = checksum(self.writer, levels)
        before = judge(self.writer, levels)["metrics"]
        signed = self.signed()
        for operation in ("rewrite_data_files", "expire_snapshots"):
            verdict = self.pg.sql("SELECT * FROM floe.trigger(%s, ARRAY[%s])", (name, operation))[0]
            if operation == "expire_snapshots" and self.writer.startswith("nessie"):
                self.ok((verdict["verdict"], verdict["gate"]) == ("blocked", "gc_enabled") and "nessie-gc" in verdict["set_by"], "expire_snapshots is refused, because Nessie owns the files", verdict)
                continue
            self.pg.maintain(name, wait=True)
            row = self.pg.sql("SELECT * FROM floe.operations WHERE id = %s", (verdict["operation_id"],))
            self.equal([(one["operation"], one["state"], one["error"]) for one in row], [(operation, "succeeded", None)], f"{operation} by Spark through this catalog")
        after = judge(self.writer, levels)["metrics"]
        self.ok(after["data_file_count"] == 20 < before["data_file_count"], "the files are fewer, by the judge", before["data_file_count"], after["data_file_count"])
        if self.writer.startswith("nessie"):
            self.equal(self.signed(), signed, "Spark used the keys that floe gave it: Nessie signed nothing for it")
        else:
            self.equal(after["snapshot_count"], 1, "and the snapshots")
            self.equal([one for one in reachable(self.writer, levels)["unreferenced"] if "/data/" in one], [], "and what they alone needed is deleted")
        self.equal(checksum(self.writer, levels), rows, "the rows are the same")
        self.equal(self.pg.metrics(name)["data_file_count"], after["data_file_count"], "floe knows it")

    def signed(self) -> int:
        """How often Nessie was asked to sign a request to the store. Spark's signer keeps a token for as long as Spark runs, whether or not it is still good."""
        return (Path(os.environ["FLOE_RUN"]) / f"{SERVER[self.name]}.log").read_text(errors="replace").count("/s3sign/") if self.writer.startswith("nessie") else 0

    def dropped(self, made: list[dict[str, Any]]) -> None:
        levels = self.levels(next(one for one in made if one["shape"] == "position_deletes"))
        name = self.pg.format_name([self.name, *levels])
        if self.name == self.writer:
            # its server was restarted
            LabCatalog(self.writer).catalog.drop_table(tuple(levels))
        history = self.pg.value("SELECT count(*) FROM floe.health_history WHERE table_name = %s", (name,))
        self.look()
        self.equal(self.pg.value("SELECT status FROM floe.tables WHERE name = %s", (name,)), "dropped", "a table that was dropped is dropped")
        self.equal((self.pg.value("SELECT count(*) FROM floe.health_history WHERE table_name = %s", (name,)), history > 0), (history, True), "and its history stays")

    def outage(self) -> None:
        """Gone, and back: a state with a reason; nothing is dropped, nothing is forgotten."""
        server = SERVER[self.name]
        before = self.pg.sql("SELECT name, status, data_file_count FROM floe.tables WHERE name LIKE %s AND status = 'ok' ORDER BY 1", (f"{self.name}.%",))
        if server.startswith("nessie"):
            os.kill(lab_pid(server), signal.SIGSTOP)
        else:
            lab("stop", server)
        try:
            self.look_quietly()
            row = self.pg.sql("SELECT status, error, error_since FROM floe.catalogs WHERE name = %s", (self.name,))[0]
            self.ok(row["status"] == "error" and row["error"] and row["error_since"], "a server that is gone is a state with a reason and a time", row)
            during = self.pg.sql("SELECT name, data_file_count FROM floe.tables WHERE name LIKE %s AND status <> 'dropped' ORDER BY 1", (f"{self.name}.%",))
            self.ok({one["name"] for one in before} <= {one["name"] for one in during}, "no table is dropped because of it")
            self.equal([one["data_file_count"] for one in during if one["name"] in {b["name"] for b in before}], [one["data_file_count"] for one in before], "and each keeps its health")
        finally:
            if server.startswith("nessie"):
                os.kill(lab_pid(server), signal.SIGCONT)
            else:
                lab("start", server)
        self.look_quietly()
        self.equal(self.pg.value("SELECT status FROM floe.catalogs WHERE name = %s", (self.name,)), "ok", "it is back")
        after = self.pg.sql("SELECT name, status, data_file_count FROM floe.tables WHERE name LIKE %s AND status = 'ok' ORDER BY 1", (f"{self.name}.%",))
        self.equal(after, before, "and everything is as it was")

    def look_quietly(self) -> None:
        self.pg.sql("SELECT floe.refresh(%s)", (f"{self.name}.**",))
        self.pg.maintain(f"{self.name}.**")

    def credentials(self) -> None:
        """Wrong ones are a reason; given anew they count at once."""
        server, mapping = catalog_definition(self.name)
        # The lab's OpenID provider gives everybody a token: there the wrong thing is the token itself.
        secret = {"seaweedfs": "client_secret", "seaweedfs_sigv4": "s3_secret_access_key", "jdbc": "password", "nessie_oidc": "token", "lakekeeper": "token",
                  "polaris": "client_secret", "gravitino": "password"}.get(self.name)
        if secret is None:
            return
        wrong = f"{self.name}_wrong"
        bad = {key: value for key, value in mapping.items() if secret != "token" or not key.startswith("client_")} | {secret: "not-the-secret"}
        self.pg.add_server(wrong, "floe_catalog", catalog_type(self.name), server, bad)
        checked = self.pg.sql("SELECT * FROM floe.check_catalog(%s)", (wrong,))[0]
        self.ok(not checked["success"] and checked["detail"]["code"] == "auth", "wrong credentials are said to be that", checked)
        self.pg.maintain(f"{wrong}.**")
        self.equal(self.pg.value("SELECT error_code FROM floe_internal.catalog WHERE server_name = %s", (wrong,)), "auth", "in a pass, too")
        change = "DROP token, ADD client_id 'floe', ADD client_secret 'any'" if secret == "token" else f"SET {secret} '{mapping[secret]}'"
        self.pg.sql(f'ALTER USER MAPPING FOR PUBLIC SERVER "{wrong}" OPTIONS ({change})')
        self.pg.maintain(f"{wrong}.**")
        self.equal(self.pg.value("SELECT status FROM floe.catalogs WHERE name = %s", (wrong,)), "ok", "rotated credentials count in the next pass")
        self.ok("not-the-secret" not in self.pg.server_log(), "and none of it is in the log")
        self.pg.sql(f'DROP SERVER "{wrong}" CASCADE')

    def run(self) -> None:
        self.pg.add_catalog(self.name)
        checked = self.pg.sql("SELECT * FROM floe.check_catalog(%s)", (self.name,))[0]
        self.ok(checked["success"], "check_catalog() says that it answers", checked)
        shapes = SHAPES[self.writer]
        if self.name == self.writer:
            MADE[self.name] = [one for one in make_tables(self.writer, self.namespace, shapes) if "refused" not in one]
        made = MADE[self.writer]
        self.ok(len(made) >= len(shapes), f"{len(made)} tables are there")
        self.look()
        self.assessed(self.listed(made))
        if self.name in ("hive3", "hive4"):
            self.strangers()
        self.polled(made)
        if self.name in REFERENCE:
            self.spoken(made)
        self.changed(made)
        # pyiceberg and the Hive client of Spark 3.5 call get_table, which Hive 4 has not; a table is maintained once
        if self.name == self.writer:
            self.maintained(made)
        elif self.name == "seaweedfs_sigv4":
            # Spark's requests are signed, too; the table is one that nobody has maintained
            own = make_tables(self.writer, f"{NS}_{self.name}", ["many_small"])
            self.look()
            self.maintained(own)
        self.outage()
        self.credentials()
        Stage(self, made).run()
        if self.name == self.writer and self.writer not in WRITTEN.values():
            self.dropped(made)
        elif self.name != self.writer:
            LabCatalog(self.writer).catalog.drop_table(tuple(self.levels(next(one for one in made if one["shape"] == "position_deletes"))))
            self.dropped(made)


MADE: dict[str, list[dict[str, Any]]] = {}
# Servers that no other test needs, and what they need: they run while this does.
OWN = {"rest_old": ["iceberg-rest-old"], "nessie": ["nessie"], "nessie_rest": ["nessie"], "nessie_oidc": ["oauth2", "nessie-oidc"], "hive3": ["database", "hive3"], "hive4": ["database", "hive3", "hive4"],
       "jdbc": ["database"], "polaris": ["dialects"], "lakekeeper": ["oauth2", "dialects"], "gravitino": ["dialects"]}


def main() -> None:
    names = sys.argv[1:] or ["rest", "rest_old", "seaweedfs", "seaweedfs_sigv4", "nessie", "nessie_rest", "nessie_oidc", "hive3", "hive4", "jdbc", "polaris", "lakekeeper", "gravitino"]
    own = list(dict.fromkeys(server for name in names for server in OWN.get(name, [])))
    with Tap() as t, Lakehouse(conf=SETTINGS) as pg:
        pg.add_engine()
        try:
            if own:
                lab("start", *own)
            for name in names:
                Case(t, pg, name).run()
        finally:
            if own:
                lab("stop", *reversed(own))
        t.equal(pg.value("SELECT count(*) FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL OR crashes > 0"), 0, "no claim is left behind")


if __name__ == "__main__":
    main()
