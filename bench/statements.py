"""What floe's statements cost the database, one by one: pg_stat_statements and the statistics of functions.

Its own file, because it restarts the server with the counting switched on: the rounds whose speed is reported are run without.
"""
from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# The server knows these only while the library is loaded, so they are given together with it.
COUNTING = {"pg_stat_statements.track": "all", "pg_stat_statements.track_planning": "on", "pg_stat_statements.max": "5000", "track_functions": "all",
            "track_io_timing": "on"}
MOST = 15
# What the benchmark itself sends.
OURS = re.compile(r"CHECKPOINT|ALTER SYSTEM|VACUUM|CALL |UPDATE floe_internal\.table_poll SET next_poll_at = now\(\)|SELECT count|SELECT NOT EXISTS|.*pg_stat|SELECT floe_internal\.wake\(")


def called_from_c() -> list[str]:
    """Functions of floe_internal that the library calls; all its work in the database goes through them."""
    text = "".join(path.read_text() for path in sorted((ROOT / "src" / "state").glob("*.c")))
    return sorted(set(re.findall(r'(?:"SELECT |FROM )floe_internal\.(\w+)\(', text)))


def count_in(cluster: Any, preloaded: str | None) -> None:
    """Restarts the server."""
    cluster.sql("ALTER SYSTEM SET shared_preload_libraries = " + ", ".join([*([preloaded] if preloaded else []), "pg_stat_statements"]))
    cluster.restart()
    cluster.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")
    for name, value in COUNTING.items():
        cluster.sql(f"ALTER SYSTEM SET {name} = '{value}'")
    cluster.restart()


def forget(cluster: Any) -> None:
    cluster.sql("SELECT public.pg_stat_statements_reset()")
    cluster.sql("SELECT pg_stat_reset()")


def of(cluster: Any, times: int) -> dict[str, Any]:
    """Since forget(), divided by the number of times. database_ms: executing and planning what the library sent, without commits."""
    rows = cluster.sql(
        "SELECT query, calls::float8, total_exec_time AS exec_ms, total_plan_time AS plan_ms, (shared_blks_hit + shared_blks_read)::float8 AS buffers, wal_bytes::float8 "
        "FROM public.pg_stat_statements ORDER BY total_exec_time + total_plan_time DESC")
    # Functions name their parameters in what they send; the library numbers them.
    library = re.compile(r"SELECT (?:[\w., ()$]* FROM )?floe_internal\.(?:" + "|".join(called_from_c()) + r")\((?:\$1[,):]|\))")
    rows = [row for row in rows if not OURS.match(row["query"])]
    sent = [row for row in rows if library.match(row["query"])]
    inside = [row for row in rows if not library.match(row["query"])]

    def shown(row: dict[str, Any]) -> dict[str, Any]:
        return {"statement": " ".join(row["query"].split())[:140], "calls": round(row["calls"] / times, 2), "ms": round((row["exec_ms"] + row["plan_ms"]) / times, 3),
                "plan_ms": round(row["plan_ms"] / times, 3), "buffers": round(row["buffers"] / times), "wal_bytes": round(row["wal_bytes"] / times)}

    functions = cluster.sql("SELECT schemaname || '.' || funcname AS name, calls::float8, total_time AS ms, self_time AS self_ms FROM pg_stat_user_functions ORDER BY self_time DESC LIMIT %s", (MOST,))
    return {
        "database_ms": round(sum(row["exec_ms"] + row["plan_ms"] for row in sent) / times, 3),
        "buffers": round(sum(row["buffers"] for row in sent) / times),
        "sent": [shown(row) for row in sent[:MOST]],
        "inside": [shown(row) for row in inside[:MOST]],
        "functions": [{"name": row["name"], "calls": round(row["calls"] / times, 2), "ms": round(row["ms"] / times, 3), "self_ms": round(row["self_ms"] / times, 3)} for row in functions],
    }
