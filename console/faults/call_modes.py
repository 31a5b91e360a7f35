"""The fault modes of a running process: what each makes fail, with which error, and at which rates a backend can."""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["disk_full", "disk_fail", "network_fail", "memory_pressure", "random_panic", "slow_io"]
Backend = Literal["libfiu", "strace", "kill"]
Subsystem = Literal["files", "network", "memory", "process"]

TENTHS = 1000
"""A rate of 100 % in the unit of the scripts, tenths of a per cent."""
STEPS = 65535
"""strace counts no further: its smallest rate is one call in so many."""


class CallMode(msgspec.Struct, frozen=True):
    """What one mode does to a process's calls."""

    subsystem: Subsystem
    errno: str = ""
    """The error's name; empty: the calls do not fail."""
    number: int = 0
    """That error's number on Linux, for libfiu."""
    names: tuple[str, ...] = ()
    """libfiu's failure points. Never its wildcards: they would catch select and poll, and spin every event loop."""
    calls: tuple[str, ...] = ()
    """The system calls, for strace."""
    backends: tuple[Backend, ...] = ("libfiu", "strace")
    """What can make it, the best first."""


_WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
_READS = ("read", "pread64", "readv", "preadv", "preadv2")
_SYNCS = ("fsync", "fdatasync")
_POINTS = "posix/io/"
_WRITE_POINTS = tuple(f"{_POINTS}rw/{name}" for name in ("write", "pwrite", "writev", "pwritev"))
_READ_POINTS = tuple(f"{_POINTS}rw/{name}" for name in ("read", "pread", "readv", "preadv"))
_SYNC_POINTS = tuple(f"{_POINTS}sync/{name}" for name in _SYNCS)
_NET = ("socket", "bind", "listen", "accept", "connect", "recv", "recvfrom", "recvmsg", "send", "sendto", "sendmsg")

MODES: dict[Mode, CallMode] = {
    "disk_full": CallMode(
        "files",
        "ENOSPC",
        28,
        names=(*_WRITE_POINTS, f"{_POINTS}rw/ftruncate"),
        calls=(*_WRITES, "ftruncate", "fallocate"),
    ),
    "disk_fail": CallMode(
        "files",
        "EIO",
        5,
        names=(*_READ_POINTS, *_WRITE_POINTS, *_SYNC_POINTS),
        calls=("pread64", "preadv", "preadv2", *_WRITES, *_SYNCS, "msync"),
    ),
    "network_fail": CallMode(
        "network",
        "ENETDOWN",
        100,
        names=tuple(f"{_POINTS}net/{name}" for name in _NET),
        calls=(
            *("socket", "bind", "listen", "accept", "accept4", "connect"),
            *("sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg", "recvmmsg"),
        ),
    ),
    "memory_pressure": CallMode(
        "memory",
        "ENOMEM",
        12,
        names=("libc/mm/malloc", "libc/mm/calloc", "libc/mm/realloc", "posix/mm/mmap"),
        # Not brk: it answers no error number, and the C library would take one for an address.
        calls=("mmap", "mremap"),
    ),
    "random_panic": CallMode("process", backends=("kill",)),
    "slow_io": CallMode("files", calls=(*_READS, *_WRITES, *_SYNCS, "msync"), backends=("strace",)),
}
"""Reads of strace's disk_fail are those at an offset: `read` is also how pipes and terminals are read."""


def tenths(pct: float) -> int:
    """A rate in per cent in the scripts' unit.

    >>> tenths(12.34)
    123
    """
    return round(pct * 10)


def step(rate: int) -> int:
    """Of how many calls strace lets one fail, to come nearest to a rate in tenths of a per cent; 0: none fails.

    >>> [step(tenths(pct)) for pct in (0, 10, 30, 40, 50, 90, 100)]
    [0, 10, 3, 3, 2, 1, 1]
    """
    if rate <= 0:
        return 0
    above = TENTHS // rate
    below = above + 1
    nearer_above = (TENTHS - rate * above) * below <= (rate * below - TENTHS) * above
    return min(STEPS, above if nearer_above else below)


def reached_pct(backend: Backend, pct: float) -> float:
    """The rate in per cent that a backend comes to when it is asked for `pct`.

    >>> reached_pct("libfiu", 30), round(reached_pct("strace", 30), 1), reached_pct("strace", 90)
    (30, 33.3, 100.0)
    """
    if backend != "strace":
        return pct
    every = step(tenths(pct))
    return 100 / every if every else 0.0


def panics(seed: int, pct: float, every_s: float, hold_s: float) -> list[float]:
    """When a process is killed, in seconds after the start: each `every_s` it is, by that chance. The scripts agree.

    >>> panics(1, 100, 5, 12)
    [5.0, 10.0]
    """
    found: list[float] = []
    state = seed
    for tick in range(1, int(hold_s / every_s) + 1):
        state = (state * 1103515245 + 12345) % 2**31
        if state // 65536 % TENTHS < tenths(pct):
            found.append(float(tick * every_s))
    return found
