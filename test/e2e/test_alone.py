"""A lake left alone with its writer stays within its thresholds, and the log says why everything was done (alone.py). Two minutes; ten with FLOE_LONG, or as many
as the command line says. Real catalog, real Spark."""
from __future__ import annotations

import os
import sys
import time

from harness import Tap
from lakehouse import Lakehouse

# First: it makes test/lab importable.
from alone import CONF, Alone


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10 if os.environ.get("FLOE_LONG") else 2
    with Tap() as t, Lakehouse(conf=CONF, preload=True, name="alone") as pg:
        Alone(t, pg, "rest", f"alone{time.time_ns() // 1000000}").run(minutes)


if __name__ == "__main__":
    main()
