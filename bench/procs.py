"""What processes cost, from /proc: CPU seconds and private memory of a server's processes, and how much of the machine others had.

    with Watch(postmaster_pid) as watch:
        before = watch.mark()
        ...
        watch.since(before)      # {"floe assessor": {"cpu_s": 1.2, "private_mb": 31.0}, "walwriter": ...}

Separate from the driver, because every benchmark needs it. Linux only; Python's standard library only.
"""
from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
PAGES_EVERY = 2.0   # seconds between looks at smaps, which the kernel takes milliseconds to write: only of floe's processes
CPU_EVERY = 0.1


def read(path: str) -> str:
    """Empty when the process is gone."""
    try:
        return Path(path).read_text(errors="replace")
    except (OSError, ProcessLookupError):
        return ""


def cpu_seconds(pid: int) -> float:
    """Of the main thread where the kernel tells it exactly (PostgreSQL has no other), else of the process in ticks."""
    exact = read(f"/proc/{pid}/schedstat").split()
    if exact and int(exact[0]) > 0:
        return int(exact[0]) / 1e9
    fields = read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS if fields else 0.0


def anonymous_mb(pid: int) -> float:
    """Memory of the process alone, without the shared memory of the server."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", read(f"/proc/{pid}/status"), re.M)
    return int(found.group(1)) / 1024 if found else 0.0


def private_mb(pid: int) -> float:
    """Private pages of every mapping but the server's shared memory. A page of shared memory that only one process touched so far counts as private to the kernel."""
    total, counts = 0, False
    for line in read(f"/proc/{pid}/smaps").splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            counts = "/dev/zero" not in line and "/dev/shm" not in line and "SYSV" not in line
        elif counts and line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1])
    return total / 1024


def children(pid: int) -> list[int]:
    return [int(one) for one in read(f"/proc/{pid}/task/{pid}/children").split()]


def title(pid: int) -> str:
    """What a process of PostgreSQL is: "checkpointer", "floe assessor", "client"."""
    words = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
    words = words.removeprefix("postgres: ")
    if words.startswith("floe "):
        return " ".join(words.split()[:2]).rstrip(":")
    known = re.match(r"(autovacuum worker|autovacuum launcher|checkpointer|background writer|walwriter|logical replication launcher|startup)", words)
    return known.group(1) if known else "client"


def machine_busy() -> float:
    """CPU seconds of the whole machine since it started, but for idling and waiting."""
    fields = [int(one) for one in read("/proc/stat").splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


@dataclass
class Seen:
    title: str
    cpu: float = 0.0
    anonymous: float = 0.0
    private: float = 0.0


@dataclass
class Mark:
    at: float
    busy: float
    cpu: dict[int, float] = field(default_factory=dict)


class Watch:
    """Looks at a server's processes and at others named by hand, all the time: those of autovacuum come and go."""

    def __init__(self, postmaster: int, others: dict[str, int] | None = None):
        self.postmaster, self.others = postmaster, dict(others or {})
        self.seen: dict[int, Seen] = {}
        self.names: dict[int, str] = {}
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def name(self, pid: int, name: str) -> None:
        """For a backend: what it is doing."""
        self.names[pid] = name

    def look(self, pages: bool = False) -> None:
        with self.lock:
            pids = {pid: "" for pid in children(self.postmaster)} | {pid: name for name, pid in self.others.items()}
            for pid, name in pids.items():
                one = self.seen.setdefault(pid, Seen(name or title(pid)))
                if not name and one.title == "client":
                    # seen between its fork and its first words, it was called what the postmaster is
                    one.title = title(pid)
                if pid in self.names:
                    one.title = self.names[pid]
                one.cpu = max(one.cpu, cpu_seconds(pid))
                one.anonymous = max(one.anonymous, anonymous_mb(pid))
                if pages and one.title.startswith("floe"):
                    one.private = max(one.private, private_mb(pid))

    def _run(self) -> None:
        next_pages = 0.0
        while not self.ended.wait(CPU_EVERY):
            pages = time.monotonic() >= next_pages
            self.look(pages)
            if pages:
                next_pages = time.monotonic() + PAGES_EVERY

    def mark(self) -> Mark:
        """From here on: CPU counts from now, memory peaks are forgotten."""
        self.look()
        with self.lock:
            for one in self.seen.values():
                one.anonymous = one.private = 0.0
            return Mark(time.monotonic(), machine_busy(), {pid: one.cpu for pid, one in self.seen.items()})

    def since(self, mark: Mark) -> dict[str, Any]:
        """By title: CPU seconds together, the largest memory of one process; "others" is what the rest of the machine used."""
        self.look(pages=True)
        result: dict[str, Any] = {}
        with self.lock:
            for pid, one in self.seen.items():
                used = one.cpu - mark.cpu.get(pid, 0.0)
                if used <= 0 and one.anonymous == 0:
                    continue
                sums = result.setdefault(one.title, {"cpu_s": 0.0, "anonymous_mb": 0.0, "private_mb": 0.0})
                sums["cpu_s"] = round(sums["cpu_s"] + used, 4)
                sums["anonymous_mb"] = round(max(sums["anonymous_mb"], one.anonymous), 1)
                sums["private_mb"] = round(max(sums["private_mb"], one.private), 1)
        ours = sum(one["cpu_s"] for one in result.values())
        result["others on the machine"] = {"cpu_s": round(max(0.0, machine_busy() - mark.busy - ours), 2)}
        return result

    def __enter__(self) -> "Watch":
        self.thread.start()
        return self

    def __exit__(self, *exc: Any) -> None:
        self.ended.set()
        self.thread.join()
