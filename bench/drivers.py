"""Who drives floe while it is measured: its own workers, or CALL floe.run_maintenance().

Both answer the same questions: how the server is configured, what "poll everything that is due" is and when it is over, and which processes did it.
"""
from __future__ import annotations

import threading
import time
from typing import Any, Callable

FLOE_PROCESS = "floe"   # what the process or processes that do the work are called in the results


class ProcedureDriver:
    """One session that calls the procedure; over when the call returns."""
    name = "procedure"
    settings: dict[str, str] = {}   # without preloading there are no workers

    def __init__(self, cluster: Any, watch: Any):
        self.cluster, self.watch = cluster, watch

    def still(self) -> None:
        """Nothing is done until poll()."""

    def poll(self, is_over: Callable[[], bool], limit: float) -> float:
        """Seconds it took. is_over is asked at the end: a driver that left something undone has failed."""
        connection = self.cluster.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self.watch.name(cursor.fetchone()[0], FLOE_PROCESS)
                self.watch.look()
                guard = threading.Timer(limit, connection.cancel)
                guard.start()
                begun = time.monotonic()
                try:
                    cursor.execute("CALL floe.run_maintenance()")
                finally:
                    guard.cancel()
                took = time.monotonic() - begun
                # the session has to be there for a last look at its memory
                self.watch.look(pages=True)
        finally:
            connection.close()
        if not is_over():
            raise RuntimeError("the call returned, but not everything was polled")
        return took

    def idle(self, times: int) -> list[float]:
        """Seconds of each pass with nothing due, all in one session."""
        connection = self.cluster.connect()
        took = []
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                self.watch.name(cursor.fetchone()[0], FLOE_PROCESS)
                for _ in range(times):
                    begun = time.monotonic()
                    cursor.execute("CALL floe.run_maintenance()")
                    took.append(time.monotonic() - begun)
                self.watch.look()
        finally:
            connection.close()
        return took


class WorkerDriver:
    """floe's own workers, held back by floe.enabled while something is prepared; over when everything due was polled."""
    name = "worker"
    settings = {"shared_preload_libraries": "floe", "floe.databases": "postgres"}
    PROCESSES = "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'floe %%' AND backend_type <> 'floe launcher'"

    def __init__(self, cluster: Any, watch: Any):
        self.cluster, self.watch, self.enabled = cluster, watch, True

    def _enable(self, on: bool) -> None:
        if on == self.enabled:
            return
        self.enabled = on
        self.cluster.sql(f"ALTER SYSTEM SET floe.enabled = {'on' if on else 'off'}")
        self.cluster.sql("SELECT pg_reload_conf()")

    def still(self) -> None:
        self._enable(False)
        self.cluster.wait_for(f"SELECT NOT EXISTS ({self.PROCESSES})")

    def poll(self, is_over: Callable[[], bool], limit: float) -> float:
        """From switching on, so the start of the workers is in it."""
        begun = time.monotonic()
        self._enable(True)
        self.cluster.wait_for(f"SELECT EXISTS ({self.PROCESSES})")
        while not is_over():
            if time.monotonic() - begun > limit:
                raise TimeoutError(f"not everything was polled within {limit} s")
            time.sleep(0.05)
        took = time.monotonic() - begun
        self.watch.look(pages=True)
        return took

    def ticks(self) -> int:
        """How often an assessor has asked when it is needed next, the last thing of a tick; counted by pg_stat_statements."""
        return self.cluster.value("SELECT COALESCE(sum(calls), 0)::int FROM public.pg_stat_statements WHERE query LIKE '%%floe_internal.next_assessor_ms($1%%'")

    def idle(self, times: int) -> list[float]:
        """Workers sleep until something is due, so they are woken for nothing. Seconds from the commit that wakes to the end of the tick."""
        self._enable(True)
        self.cluster.wait_for(f"SELECT EXISTS ({self.PROCESSES})")
        took = []
        for _ in range(times):
            before, begun = self.ticks(), time.monotonic()
            self.cluster.sql("SELECT floe_internal.wake('assessor')")
            while self.ticks() == before:
                if time.monotonic() - begun > 30:
                    raise TimeoutError("a worker that was woken did not look")
                time.sleep(0.002)
            took.append(time.monotonic() - begun)
        return took


DRIVERS = {one.name: one for one in (ProcedureDriver, WorkerDriver)}
