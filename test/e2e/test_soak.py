"""floe at full speed under faults and kills: nothing leaks, nothing is lost, nothing is left behind (soak.py). Two minutes; an hour with FLOE_LONG, or as many
minutes as the command line says, with the seed that it says:  FLOE_PYTHON test/e2e/test_soak.py MINUTES SEED"""
from __future__ import annotations

import faulthandler
import os
import sys
import time

from badinput import Base
from faultylake import Lake
from harness import Tap
from lakehouse import Lakehouse
from soak import CONF, Soak


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 60 if os.environ.get("FLOE_LONG") else 2
    # Where it hangs, if it does.
    faulthandler.dump_traceback_later(minutes * 60 + 600, exit=True)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns() % 1000000
    with Tap() as t, Lakehouse(conf=CONF, preload=True, name="soak") as pg, Lake(seed, Base(), catalogs=3, tables=10, engines=3) as lake:
        Soak(t, pg, lake, seed).run(minutes)


if __name__ == "__main__":
    main()
