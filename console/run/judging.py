"""Judging one expectation: ask its probe again and again until it is met for long enough, or can no longer be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from console.plan.scenario import Expectation
from console.probes.base import Observation, Prober
from console.terms import Status

POLL_S = 0.4
"""The pause between two questions of one probe, in seconds."""


class Judgement(msgspec.Struct, frozen=True):
    """What became of an expectation."""

    status: Status
    observed: str
    after_s: float | None = None
    """When it was met, counted from its origin, in seconds."""
    error_s: float | None = None
    data_lost: bool = False


class Window:
    """The pure part: a stable window of good observations, and what it means at each moment.

    An unknown observation breaks the window: what was not seen did not hold.
    """

    def __init__(self, within_s: float, stable_for_s: float, origin_s: float, *, throughout: bool = False) -> None:
        self.throughout = throughout
        self.within_s = within_s
        self.stable_for_s = stable_for_s
        self.origin_s = origin_s
        self._first: Observation | None = None
        self._last_bad: Observation | None = None
        self._last_good: Observation | None = None
        self._broke: str = ""

    def add(self, seen: Observation) -> Judgement | None:
        """The judgement after one more observation; None while it is open."""
        if seen.data_lost:
            return Judgement(Status.FAIL, seen.text, data_lost=True)
        if seen.status is Status.PASS:
            self._first = self._first or seen
            met_s = max(0.0, self._first.at_s - self.origin_s)
            self._last_good = seen
            if self.throughout and met_s <= self.within_s:
                return None
            if met_s <= self.within_s and seen.at_s - self._first.at_s >= self.stable_for_s:
                return Judgement(Status.PASS, self._first.text, met_s, self._error_s(self._first))
            if met_s > self.within_s:
                return self._missed(seen)
            return None
        if self._first is not None and self.throughout:
            held = f"it held for {seen.at_s - self._first.at_s:.1f} s, then: {seen.text}"
            return Judgement(seen.status, held)
        if self._first is not None and seen.status is Status.FAIL:
            held_s = seen.at_s - self._first.at_s
            self._broke = f"it held for {held_s:.1f} s only, then: {seen.text}"
        self._first = None
        self._last_bad = seen
        if seen.at_s - self.origin_s > self.within_s:
            return self._missed(seen)
        return None

    def give_up(self, why: str) -> Judgement:
        """The judgement when nothing more will be asked."""
        if self.throughout and self._first and self._last_good:
            held_s = self._last_good.at_s - self._first.at_s
            if held_s >= self.stable_for_s:
                met_s = max(0.0, self._first.at_s - self.origin_s)
                text = f"without a miss for {held_s:.0f} s: {self._last_good.text}"
                return Judgement(Status.PASS, text, met_s, self._error_s(self._first))
        if self._last_bad is not None and self._last_bad.status is Status.FAIL and self._first is None:
            return Judgement(Status.FAIL, f"{self._broke or self._last_bad.text} ({why})")
        return Judgement(Status.UNKNOWN, f"{why}; last seen: {self._last_text()}")

    def _missed(self, seen: Observation) -> Judgement:
        limit = f"not met within {self.within_s:g} s"
        if seen.status is Status.PASS:
            return Judgement(Status.FAIL, f"{limit}, only after {seen.at_s - self.origin_s:.1f} s: {seen.text}")
        if seen.status is Status.UNKNOWN and not self._broke:
            return Judgement(Status.UNKNOWN, f"{limit} as far as can be told: {seen.text}")
        return Judgement(Status.FAIL, f"{limit}: {self._broke or seen.text}")

    def _error_s(self, first: Observation) -> float:
        """The moment lies between the last bad answer and the first good one."""
        if self._last_bad is None:
            return first.error_s
        return max(first.error_s, min(POLL_S, first.at_s - self._last_bad.at_s))

    def _last_text(self) -> str:
        last = self._first or self._last_bad
        return last.text if last else "nothing"


async def judge(
    expectation: Expectation, prober: Prober, origin_s: float, over: asyncio.Event, *, clock: Callable[[], float]
) -> Judgement:
    """Ask until it is told, or until `over` says that there is no more time to watch.

    `prober` has been started; `origin_s` is the moment that the limit counts from, on `clock`.
    """
    window = Window(expectation.within_s, expectation.stable_for_s, origin_s, throughout=expectation.throughout)
    while not over.is_set():
        told = window.add(await prober.check())
        if told is not None:
            return told
        try:
            await asyncio.wait_for(over.wait(), POLL_S)
        except TimeoutError:
            continue
    return window.give_up(f"no more time to watch after {clock() - origin_s:.0f} s")


async def ask_until_pass(prober: Prober, limit_s: float, *, clock: Callable[[], float]) -> Observation:
    """The first good observation within `limit_s` seconds, else the last one."""
    end_s = clock() + limit_s
    while True:
        seen = await prober.check()
        if seen.status is Status.PASS or clock() >= end_s:
            return seen
        await asyncio.sleep(POLL_S)
