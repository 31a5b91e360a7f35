"""Ask a database a query over a new connection: a database is well when a newcomer gets an answer."""

from __future__ import annotations

import time

from console.errors import NodeUnreachable
from console.plan.probe import SqlProbe
from console.probes.base import Observation, blame
from console.probes.database import DatabaseLink, NoAnswer
from console.terms import Status


class SqlProber:
    """Whether the query's first value is the wanted one."""

    def __init__(self, probe: SqlProbe, link: DatabaseLink) -> None:
        self._probe = probe
        self._link = link

    async def start(self) -> None:
        """There is no baseline."""

    async def stop(self) -> None:
        """Nothing is held."""

    async def check(self) -> Observation:
        """Ask once."""
        probe = self._probe
        began_s = time.time()
        try:
            value = await self._link.fresh_value(probe.sql, timeout_s=probe.timeout_s)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except NoAnswer as error:
            status, why = await blame(self._link.node)
            return Observation(status, f"{error}{why}", time.time())
        now_s = time.time()
        good = not probe.expect or value == probe.expect
        text = f"{probe.sql} gave {value}" + ("" if good else f" instead of {probe.expect}")
        return Observation(Status.PASS if good else Status.FAIL, text, now_s, max(0.0, now_s - began_s))
