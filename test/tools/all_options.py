#!/usr/bin/env python3
"""Every option of the table, one by one, through the real server: prints TAP.

    all_options.py http://127.0.0.1:10001/cliservice labfs

Each option that floe sends is rendered with a value of its type and must be taken by the procedure. This is what to run
against a new version of Iceberg.
"""
import json, os, subprocess, sys

url, catalog = sys.argv[1], sys.argv[2]
drive = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/tools/hs2_drive")
SAMPLES = {"bytes": lambda o: "64MB", "count": lambda o: max(int(o["min"]), 1 if "spec" not in o["name"] else 0),
           "ratio": lambda o: 0.5, "boolean": lambda o: True, "choice": lambda o: o["choice"], "duration": lambda o: "2 days",
           "list of ids": lambda o: [1, "2"], "list of columns": lambda o: ["id", "s"], "text": lambda o: "main", "map of texts": lambda o: {"s3a,s3n": "s3"},
           "sort order": lambda o: "id DESC NULLS LAST, s", "predicate": lambda o: "id > 1 AND s <> 'it''s'"}
BESIDE = {"nothing": {}, "sort": {"strategy": "sort", "sort_order": "id"}, "zorder": {"sort_order": "zorder(id, s)"}}
# sizes that are not sizes of files, and files that must be larger than the target
ODD = {"max_output_size": "16B", "var_length_contribution": "8B", "max_file_size": "2GB", "min_file_size": "1MB"}


def run(*args):
    out = subprocess.run([drive, url, *args], capture_output=True, text=True)
    lines = out.stdout.split("\n")
    error = [line for line in lines if line.startswith("error ")] + [out.stderr]
    return "outcome succeeded" in lines, error[0]


def ok(number, held, name, why):
    print(f"{'ok' if held else 'not ok'} {number} - {name}" + (f"\n#   {why}" if not held else ""), flush=True)
    return not held


fields = ["operation", "name", "type", "need", "min", "choice", "sent"]
table = [dict(zip(fields, line.split("\t"))) for line in
         subprocess.run([drive, "--list"], capture_output=True, text=True).stdout.splitlines()]
name = f"`{catalog}`.`options`.`t`"
for statement in (f"CREATE NAMESPACE IF NOT EXISTS `{catalog}`.`options`", f"DROP TABLE IF EXISTS {name}",
                  f"CREATE TABLE {name} (id bigint, s string) USING iceberg TBLPROPERTIES ('write.delete.mode'='merge-on-read')",
                  f"INSERT INTO {name} SELECT /*+ REPARTITION(4) */ id, 'x' FROM range(40)", f"DELETE FROM {name} WHERE id = 7"):
    done, error = run("--statement", statement)
    if not done:
        sys.exit(f"{statement}: {error}")
failed = 0
for number, option in enumerate(table, 1):
    given = {**BESIDE[option["need"]], option["name"]: ODD.get(option["name"]) or SAMPLES[option["type"]](option)}
    done, error = run("--operation", option["operation"], "--catalog", catalog, "--name", "options", "--name", "t", "--options",
                      json.dumps(given))
    # the table's own ids are not known here
    taken = done or (option["name"] == "snapshot_id" and "Snapshot not found: 1" in error)
    held = taken if option["sent"] == "sent" else "cannot be set" in error
    failed += ok(number, held, f"{option['operation']} {json.dumps(given)}", error)
run("--statement", f"DROP TABLE {name} PURGE")
print(f"1..{len(table)}")
sys.exit(failed > 0)
