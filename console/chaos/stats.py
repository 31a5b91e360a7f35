"""The numbers of a fault mode that acts now: what is known of its calls, and in words what is not."""

from __future__ import annotations

import re

import msgspec

from console.faults.call_modes import MODES, Mode
from console.interval import wilson

OF_ERRNO = {
    "ENOSPC": "Disk full",
    "EIO": "Disk failures",
    "ENETDOWN": "Network failures",
    "ENOMEM": "Alloc failures",
}
"""The lines that every mode has, in this order (requirements, D3)."""


class Stats(msgspec.Struct, frozen=True):
    """One mode on one process. A count is None where its backend cannot tell it."""

    node: str
    run: str
    operator: str
    unit: str
    mode: Mode
    backend: str
    """Empty: it is not chosen yet."""
    asked_pct: float
    """The rate that is wanted now."""
    acts_pct: float | None
    """The rate that is due now by the schedule; None: not told to the process yet."""
    schedule: str
    seed: int
    lease: str
    """Who holds it, and until when."""
    seen: int | None
    """Calls of the mode's kinds that were made."""
    hit: dict[str, int] | None
    """Error's name -> how often it was injected; `slow` for delays."""
    calls: dict[str, tuple[int, int]]
    """Call -> how often it was seen, and hit."""
    service: dict[str, int] | None
    """Error's name -> how many more of it the service itself counts since the start; None: it does not tell."""
    kills: int
    lease_left_s: float | None = None
    """What was left of the time until the node takes it back by itself, in seconds, when it was asked."""
    until_s: float | None = None
    """Until when its node holds it without a console, by the node's clock; None: for a console."""
    trouble: str = ""
    """Why the rate could not be set; empty: nothing."""

    @property
    def injected(self) -> int | None:
        """How many calls were made to fail, or to wait."""
        return None if self.hit is None else sum(self.hit.values())

    @property
    def counted(self) -> tuple[str, int] | None:
        """What can be counted of its effect: calls, kills, or what the service itself counts; None: nothing."""
        if self.injected is not None:
            return "calls", self.injected
        if self.backend == "kill":
            return "kills", self.kills
        errno = MODES[self.mode].errno
        if self.service is not None and errno in self.service:
            return "service", self.service[errno]
        return None

    @property
    def achieved(self) -> tuple[float, float, float] | None:
        """The rate that came of it in per cent, with its 95 % interval (Wilson); None: it is not known."""
        if self.injected is None or not self.seen:
            return None
        low, high = wilson(self.injected, self.seen)
        return 100 * self.injected / self.seen, 100 * low, 100 * high


def result(stats: Stats) -> dict[str, object]:
    """All of it for a program, with what is worked out of it."""
    found = stats.achieved
    told: dict[str, object] = msgspec.to_builtins(stats)
    told["errors"] = {title: errors(stats, errno) for errno, title in OF_ERRNO.items()}
    told["injected"] = stats.injected
    told["achieved_pct"] = None if found is None else round(found[0], 2)
    told["achieved_95_pct"] = None if found is None else [round(found[1], 2), round(found[2], 2)]
    return told


def errors(stats: Stats, errno: str) -> str:
    """How often that error was injected: a number, what the service counts of it, or that nobody knows."""
    if stats.hit is not None:
        return str(stats.hit.get(errno, 0))
    if stats.service is not None and errno in stats.service:
        return f"{stats.service[errno]} (as the service counts)"
    return "unknown" if errno == MODES[stats.mode].errno else "0"


def lines(stats: Stats) -> list[tuple[str, str]]:
    """Title and text of each line, in the order in which they are always shown."""
    told = [("Mode", stats.mode), ("Failure rate", rate(stats))]
    told += [(title, errors(stats, errno)) for errno, title in OF_ERRNO.items()]
    told.append(("Rate achieved", achieved(stats)))
    told += [(f"  {name}", f"{hit} of {seen}") for name, (seen, hit) in sorted(stats.calls.items())]
    if stats.hit and "slow" in stats.hit:
        told.append(("Slowed calls", str(stats.hit["slow"])))
    if stats.mode == "random_panic":
        told.append(("Kills", f"{stats.kills} (seed {stats.seed})"))
    told += [("Process", f"{stats.unit} on {stats.node}, by {stats.backend or 'a backend that is not chosen yet'}")]
    told += [("Held", f"by run {stats.run}, operator {stats.operator}, {stats.lease}")]
    return [*told, *([("Trouble", stats.trouble)] if stats.trouble else [])]


def rate(stats: Stats) -> str:
    """What is asked, and what acts where that is another."""
    asked = f"{stats.asked_pct:g} %"
    if stats.acts_pct is None:
        return f"{asked}, not acting yet"
    now = "" if abs(stats.acts_pct - stats.asked_pct) < 0.05 else f", {stats.acts_pct:.1f} % now"
    return asked + now + ("" if stats.schedule == "steady" else f" ({stats.schedule})")


def achieved(stats: Stats) -> str:
    """The rate that came of it with its interval, or why it is not known."""
    found = stats.achieved
    if found:
        return f"{found[0]:.1f} % (95 %: {found[1]:.1f} to {found[2]:.1f}), {stats.injected} of {stats.seen} calls"
    if stats.backend == "libfiu":
        return "unknown: libfiu keeps no counters"
    if stats.backend == "kill":
        return "not of calls: the process is killed"
    return "unknown: no call was made yet"


def of_evidence(evidence: str) -> str:
    """The achieved rate that a proof of the effect tells, with its interval; empty: it tells none.

    >>> of_evidence("667 of 2000 calls of sigil.service were hit (667 ENOSPC); strace now takes one in 3")
    '33.4 % achieved (95 %: 31.3 to 35.4), 667 of 2000 calls'
    """
    found = re.search(r"\b(\d+) of (\d+) calls of \S+ were hit", evidence)
    if not found or int(found[2]) == 0:
        return ""
    hit, seen = int(found[1]), int(found[2])
    low, high = wilson(hit, seen)
    return f"{100 * hit / seen:.1f} % achieved (95 %: {100 * low:.1f} to {100 * high:.1f}), {hit} of {seen} calls"
