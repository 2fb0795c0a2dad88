"""The harness itself: a server that is started, asked, killed and recovered; a failing test program is seen as one."""
import os
import subprocess
import sys

from harness import Cluster, Tap


def main():
    with Tap() as t:
        with Cluster(conf={"work_mem": "3MB"}) as pg:
            t.equal(pg.value("SHOW work_mem"), "3MB", "settings reach the server")
            pg.sql("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
            pg.sql("CHECKPOINT")
            t.equal(pg.sql("SELECT n, %s AS word FROM kept", ["a'b"]), [{"n": 7, "word": "a'b"}], "rows come as dicts, parameters are quoted")
            t.raises(lambda: pg.sql("SELECT 1/0"), "division by zero", "an error is raised with the server's message")
            t.equal(pg.psql("SELECT 1;\nSELECT 1/0;\nSELECT 2;").stdout, "1\n", "psql stops at the first error")
            pg.kill9()
            t.raises(lambda: pg.value("SELECT 1"), "", "after kill9 nobody answers")
            pg.start()
            t.equal(pg.wait_for("SELECT n FROM kept"), 7, "and what was committed is there after recovery")
            t.contains(pg.server_log(), "redo", "by the way of the log")
        for program, what in (("t.ok(False, 'x')", "a failed test"), ("raise RuntimeError('x')", "an exception")):
            done = subprocess.run([sys.executable, "-c", f"from harness import Tap\nwith Tap() as t:\n    {program}"], capture_output=True, text=True,
                                  cwd=os.path.dirname(os.path.abspath(__file__)))
            t.ok(done.returncode != 0 and "not ok 1" in done.stdout and "1..1" in done.stdout, f"{what} is reported and ends with an error", done)


if __name__ == "__main__":
    sys.exit(main())
