"""kill -9 of each of floe's processes, of PostgreSQL as a whole, and an immediate stop, while work is held at every point of the network at once.

Nobody calls anything. After each: no operation is lost, none runs twice, nothing stays claimed, every table is well. heldwork.py says what is held where.
"""
from __future__ import annotations

import sys

from heldwork import Scene, Stage
from harness import Tap

KILLS = {
    "assessor": lambda stage: stage.crash("assessor"),
    "executor": lambda stage: stage.crash("executor"),
    "launcher": lambda stage: stage.crash("launcher"),
    "all at once": lambda stage: stage.power_failure(),
    "immediate stop": lambda stage: stage.restart("immediate"),
}


def main() -> None:
    with Tap() as t, Stage(t) as stage:
        for word, kill in KILLS.items():
            if len(sys.argv) > 1 and word not in sys.argv[1:]:
                continue
            scene = Scene(stage, word)
            scene.disarm()
            kill(stage)
            scene.let_go()
            scene.heals()


if __name__ == "__main__":
    main()
