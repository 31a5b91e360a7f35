"""Read one of a service's own counters, beside the service, from the page that it shows to Prometheus."""

from __future__ import annotations

import time

from console.errors import GamedayError, NodeUnreachable
from console.nodes.ssh import SshNode
from console.plan.probe import MetricProbe
from console.probes.base import Observation, PlainProber, blame
from console.probes.http import HttpFailed, get_page
from console.terms import Status


class MetricProber(PlainProber):
    """Whether the number is where it should be: by itself, or against the baseline."""

    def __init__(self, probe: MetricProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node
        self._before = 0.0
        """At the baseline."""
        self._last: float | None = None
        """At the question before."""

    async def start(self) -> None:
        """Remember where the number stands.

        Raises:
            GamedayError: it cannot be read.
        """
        seen = await self.check()
        if "value" not in seen.values:
            raise GamedayError(f"{self._probe.metric} cannot be read: {seen.text}")
        self._before = self._last = seen.values["value"]

    async def check(self) -> Observation:
        """Read it once. A service that does not answer does not hold what is expected of it."""
        began_s = time.time()
        try:
            code, body = await get_page(self._node, self._probe.url, self._probe.timeout_s)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        except HttpFailed as error:
            status, why = await blame(self._node)
            return Observation(status, f"{error}{why}", time.time())
        now_s = time.time()
        value = read(body, self._probe.metric) if code == 200 else None
        if code == 200 and value is None and self._probe.state == "risen":
            value = 0.0  # series with labels are there from their first count on
        if value is None:
            return Observation(Status.UNKNOWN, f"HTTP {code}, without {self._probe.metric}", now_s)
        status, text = self._judged(value)
        self._last = value
        return Observation(status, text, now_s, max(0.0, now_s - began_s), {"value": value})

    def _judged(self, value: float) -> tuple[Status, str]:
        wanted, name = self._probe.value, self._probe.metric
        risen = value - self._before
        match self._probe.state:
            case "at-least":
                return _met(value >= wanted), f"{name} is {value:g}"
            case "at-most":
                return _met(value <= wanted), f"{name} is {value:g}"
            case "risen":
                return _met(risen >= max(wanted, 1e-9)), f"{name} is {value:g}, {risen:+g} since the baseline"
            case "restored":
                return _met(value >= self._before), f"{name} is {value:g}, {self._before:g} at the baseline"
        since = 0.0 if self._last is None else value - self._last
        return _met(since <= wanted), f"{name} is {value:g}, {since:+g} since the last look"


def _met(good: bool) -> Status:
    return Status.PASS if good else Status.FAIL


def read(page: str, metric: str) -> float | None:
    """The number of that metric, all its series added up; with labels, as Prometheus writes them, only that series.

    >>> page = '# HELP a_total x\\na_total{errno="ENOSPC"} 2\\na_total{errno="EIO"} 1\\na_totals 9\\n'
    >>> read(page, "a_total"), read(page, 'a_total{errno="EIO"}'), read(page, "b") is None
    (3.0, 1.0, True)
    """
    found: list[float] = []
    for line in page.splitlines():
        name, _, rest = line.rpartition(" ")
        if line.startswith("#") or (name != metric and name.partition("{")[0] != metric):
            continue
        try:
            found.append(float(rest))
        except ValueError:
            return None
    return sum(found) if found else None
