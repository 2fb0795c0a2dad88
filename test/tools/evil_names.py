#!/usr/bin/env python3
"""Tables with names that need care, maintained through the real server: prints TAP.

    evil_names.py http://127.0.0.1:10001/cliservice labfs

For each name a table of six small files is made; floe renders and runs rewrite_data_files; the table must then have one
file, and its last snapshot must be a replace. Runs under both settings of spark.sql.parser.escapedStringLiterals.
"""
import json, os, subprocess, sys

url, catalog = sys.argv[1], sys.argv[2]
drive = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build/tools/hs2_drive")
names = ["plain", "UPPER", "dot.ted", "it's", 'say "hi"', "both ' and \"", "''", "back`tick", "a b; DROP TABLE x", "a--b",
         "line\nbreak", "--\n", "tab\there", "\u8868_\u00e9_\U0001F600", "$x {y}", "CALL", "`.`", "1", "a=b&c", "100%", "#?"]
levels = ["evil", "evil.ns", "ev`il 's", catalog]
count = failed = 0


def run(*args):
    out = subprocess.run([drive, url, *args], capture_output=True, text=True).stdout.split("\n")
    said = {line.split(" ", 1)[0]: line.split(" ", 1)[1] for line in out if line.split(" ")[0] in ("outcome", "error", "result")
            and " " in line}
    return said.get("outcome"), said.get("error", ""), said.get("result", "")


def sql(statement):
    outcome, error, result = run("--statement", statement)
    if outcome != "succeeded":
        raise Exception(f"{statement!r}: {error}")
    return json.loads(result or "[]")


def quoted(*parts):
    return ".".join("`" + p.replace("`", "``") + "`" for p in parts)


def ok(held, name, why=""):
    global count, failed
    count += 1
    failed += not held
    print(f"{'ok' if held else 'not ok'} {count} - {name!r}" + (f"\n#   {why}" if not held else ""), flush=True)


def check(level, table, escaped):
    name = quoted(catalog, level, table)
    sql(f"CREATE NAMESPACE IF NOT EXISTS {quoted(catalog, level)}")
    sql(f"DROP TABLE IF EXISTS {name}")
    sql(f"CREATE TABLE {name} (id bigint, s string) USING iceberg")
    sql(f"INSERT INTO {name} SELECT /*+ REPARTITION(6) */ id, 'x' FROM range(60)")
    outcome, error, result = run("--operation", "rewrite_data_files", "--catalog", catalog, "--name", level, "--name", table,
                                 "--options", json.dumps({"where": "s <> 'it''s' AND s <> 'q\"", "min_input_files": 2}),
                                 "--conf", f"spark.sql.parser.escapedStringLiterals={escaped}")
    rows = json.loads(result or "[]")
    snapshots = sql(f"SELECT operation FROM {name}.snapshots ORDER BY committed_at")
    files = sql(f"SELECT count(*) AS n FROM {name}.files")
    ok(outcome == "succeeded" and rows[0]["rewritten_data_files_count"] == 6 and files[0]["n"] == 1
       and [s["operation"] for s in snapshots] == ["append", "replace"], (level, table, escaped), error or result)
    sql(f"DROP TABLE {name} PURGE")


for escaped in ("false", "true"):
    for level, table in [("evil", n) for n in names] + [(lv, "plain") for lv in levels]:
        try:
            check(level, table, escaped)
        except Exception as problem:
            ok(False, (level, table, escaped), str(problem))
print(f"1..{count}")
sys.exit(failed > 0)
