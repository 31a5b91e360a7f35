"""A database's connection count against its limit."""

from __future__ import annotations

import time

from console.errors import GamedayError, NodeUnreachable
from console.faults.connection_flood import REFUSALS
from console.plan.probe import ConnectionsProbe
from console.probes.base import Observation, PlainProber, blame
from console.probes.database import DatabaseLink
from console.terms import Status


class ConnectionsProber(PlainProber):
    """Whether the limit is reached, or not, or a newcomer is refused for it, or the count has fallen back."""

    def __init__(self, probe: ConnectionsProbe, link: DatabaseLink) -> None:
        self._probe = probe
        self._link = link
        self._before: int | None = None

    async def start(self) -> None:
        """Remember the count.

        Raises:
            GamedayError: it cannot be told.
        """
        self._before, _, _ = await self._link.connections()

    async def check(self) -> Observation:
        """Ask once."""
        return await (self._try_new() if self._probe.state == "refused" else self._count())

    async def _count(self) -> Observation:
        began_s = time.time()
        try:
            now, most, ordinary = await self._link.connections()
        except GamedayError as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        at_s = time.time()
        if self._probe.state in ("below-limit", "at-limit"):
            good = (now >= ordinary) == (self._probe.state == "at-limit")
            text = f"{now} of {ordinary} connections for ordinary roles ({most} in all)"
        elif self._before is None:
            return Observation(Status.UNKNOWN, "the count before is not known", at_s)
        else:
            good = now <= self._before + self._probe.slack
            text = f"{now} connections, {self._before} before"
        status = Status.PASS if good else Status.FAIL
        return Observation(status, text, at_s, max(0.0, at_s - began_s), {"connections": float(now)})

    async def _try_new(self) -> Observation:
        began_s = time.time()
        try:
            let_in, text = await self._link.try_new()
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        at_s = time.time()
        if let_in:
            return Observation(Status.FAIL, "a new connection was let in", at_s)
        if any(refusal in text for refusal in REFUSALS):
            return Observation(Status.PASS, text, at_s, max(0.0, at_s - began_s))
        status, why = await blame(self._link.node)
        return Observation(status, f"refused for another reason: {text}{why}", at_s)
