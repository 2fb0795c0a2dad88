"""A pass that is cancelled, terminated or times out while catalogs hang ends at once, and the next one finds nothing claimed.

test_crash.py has what dies in the middle of an operation; here nothing was sent to an engine yet.
"""
import re
import subprocess
import time

from badinput import Base, Bench, Table
from catalog import Mock, hang
from harness import Tap
from lakehouse import Lakehouse

SETTINGS = "SET floe.request_timeout = '1500ms'; SET floe.connect_timeout = '1s'"


def main():
    with Tap() as t, Mock() as mock, Lakehouse() as pg:
        bench, base = Bench(t, pg, mock), Base()
        catalog, silent = bench.mock.catalog("given_up"), bench.mock.catalog("never")
        tables = [Table(catalog, ("ns", f"t{i}"), base) for i in range(3)]
        bench.connect(catalog)
        bench.connect(silent)
        Table(silent, ("ns", "t"), base)
        bench.refresh_and_maintain(SETTINGS)
        for end in ("pg_cancel_backend", "pg_terminate_backend", "statement_timeout"):
            for one in tables:
                one.commit()
            catalog.misbehave("/tables/t1(\\?|$)", hang)
            silent.misbehave("^GET /v1/config", hang)
            bench.sql("SELECT floe.refresh()")
            timeout = "2s" if end == "statement_timeout" else "0"
            session = subprocess.Popen(pg.psql_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            session.stdin.write(f"SET application_name = 'given up'; SET floe.request_timeout = '1h'; SET statement_timeout = '{timeout}'; CALL floe.run_maintenance();\n")
            session.stdin.close()
            pg.wait_for("SELECT count(*) = 1 FROM floe_internal.table_poll WHERE claim_pass IS NOT NULL")
            asked = time.monotonic()
            if end != "statement_timeout":
                bench.sql(f"SELECT {end}(pid) FROM pg_stat_activity WHERE application_name = 'given up'")
            said = session.stdout.read()
            session.wait(timeout=30)
            took = time.monotonic() - asked
            t.ok(took < (1 if end != "statement_timeout" else 3) and re.search("cancel|terminat", said), f"{end}: the pass ends at once ({took:.2f} s)", said)
            bench.mock.heal()
            start = bench.now()
            bench.refresh_and_maintain(SETTINGS)
            bench.assessed([one.name for one in tables], start, f"{end}: the next pass assesses all")
            bench.unharmed()


if __name__ == "__main__":
    main()
