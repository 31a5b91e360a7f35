"""Fault modes that live in memory: what the chaos panel is tested against."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from console.chaos.stats import Stats
from console.chaos.wish import Wish
from console.errors import GamedayError
from console.modes import Acting, Aim, Outlook
from tests.ui.fakes.run import FakeRun
from tests.ui.recordings import START_S

AIMS = (
    Aim("redfin", "llm-gateway", "llm-gateway.service", ""),
    Aim("redfin", "sag-ui", "sag-ui.service", ""),
    Aim(
        "bluefin",
        "postgresql",
        "postgresql@15-main.service",
        "postgresql on bluefin is marked production in the inventory: fault modes are for development and test",
    ),
    Aim("greenfin", "greenfin-heartbeat", "greenfin-heartbeat.service", ""),
)


def told(**changes: object) -> Stats:
    """A disk that is full for a third of the calls, under strace, held by a console."""
    made = Stats(
        node="redfin",
        run="k3n9m2pq",
        operator="ada",
        unit="llm-gateway.service",
        mode="disk_full",
        backend="strace",
        asked_pct=30.0,
        acts_pct=100 / 3,
        schedule="steady",
        seed=1,
        lease="lease 9 s",
        lease_left_s=9.0,
        seen=2000,
        hit={"ENOSPC": 667},
        calls={"pwrite64": (1200, 400), "write": (800, 267)},
        service=None,
        kills=0,
    )
    return msgspec.structs.replace(made, **changes)


def acting(now_s: float = START_S, **changes: object) -> Acting:
    """That mode, with a minute of its history."""
    history = tuple((now_s - 60 + 2 * step, 12.0 + 3 * math.sin(step / 4)) for step in range(31))
    counted = told(**changes).counted is not None
    return Acting(
        told(**changes),
        now_s,
        history if counted else (),
        (33.35, 31.3, 35.4, 667, 2000) if told(**changes).injected is not None else None,
    )


class FakeModes:
    """It writes down each command."""

    def __init__(self, run: Callable[[], FakeRun]) -> None:
        self._run = run
        self.acting: dict[str, Acting] = {}
        self.ended: dict[str, Acting] = {}
        self.unseen: dict[str, str] = {}
        self.said: list[tuple[object, ...]] = []
        self.backend: Outlook | None = None
        self.breaks = ""
        """When set, every command fails with this sentence."""

    def _say(self, *words: object) -> None:
        self.said.append(words)
        if self.breaks:
            raise GamedayError(self.breaks)

    def aims(self) -> Sequence[Aim]:
        return AIMS

    async def outlook(self, wish: Wish) -> Outlook:
        return self.backend or Outlook("strace", 100 / 3 if wish.rate_pct == 30 else wish.rate_pct)

    async def prepare(self, wish: Wish) -> FakeRun:
        self._say("prepare", wish)
        return self._run()

    async def look(self) -> None:
        return

    async def set_rate(self, node: str, pct: float) -> None:
        self._say("rate", node, pct)
        found = self.acting[node]
        self.acting[node] = msgspec.structs.replace(found, stats=msgspec.structs.replace(found.stats, asked_pct=pct))

    async def reset(self, node: str) -> str:
        self._say("reset", node)
        self.ended[node] = self.acting.pop(node)
        return f"{node}: taken back, proven gone, and the node is free"

    def is_led(self, node: str) -> bool:
        return False
