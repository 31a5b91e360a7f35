"""What a store does with records that are written beside it: keeps them, refuses them well, gives them back."""

from __future__ import annotations

import re
import time

from console.plan.probe import StoreProbe
from console.probes.base import Observation, PlainProber, blame
from console.probes.store_ledger import Answer, ReadBack, understood
from console.probes.store_writer import PERIOD_S, NoWriter, StoreWriter
from console.terms import Status

SLACK_S = 1.0
"""What a loaded node and link may add to an answer before it is missed, in seconds."""

NOTHING = "no record was acknowledged, so that none could be lost"


class StoreProber(PlainProber):
    """Asks one question about a store, of the writer that all such questions of a run share and that the run ends."""

    def __init__(self, probe: StoreProbe, writer: StoreWriter) -> None:
        self._probe = probe
        self._writer = writer
        self._since: int | None = None
        """How many answers there were when the question was first asked."""
        self._turn = 0

    async def start(self) -> None:
        """Begin to write.

        Raises:
            NoWriter: it cannot be.
        """
        await self._writer.start()

    async def check(self) -> Observation:
        """Ask once."""
        if self._since is None:
            self._since = len(self._writer.ledger.answers)
        try:
            match self._probe.state:
                case "writes" | "refuses":
                    return await self._next()
                case "reads":
                    return await self._reads()
                case "whole":
                    return whole(await self._writer.read_back())
                case _:
                    return self._classed()
        except NoWriter as error:
            return Observation(Status.UNKNOWN, f"{self._writer.where} could not be asked: {error}", time.time())

    async def _next(self) -> Observation:
        limit_s = 2 * self._probe.timeout_s + PERIOD_S + SLACK_S  # the one before it may take its time first
        answer = await self._writer.next_answer(limit_s)
        if answer is None:
            return await self._nothing()
        if self._probe.state == "writes":
            return self._told(answer, answer.kind == "acknowledged" and not self._late(answer))
        return self._refuses(answer)

    def _refuses(self, answer: Answer) -> Observation:
        """Death or silence once is not made good by a proper refusal afterwards."""
        asked = self._writer.ledger.answers[self._since or 0 :]
        bad = next((a for a in asked if a.kind in ("silent", "gone") or self._late(a)), None)
        if bad:
            return self._told(bad, False)
        if answer.kind == "acknowledged":
            return self._told(answer, False)
        if not re.search(self._probe.says, answer.text):
            return Observation(Status.FAIL, f"{answer}, which does not say '{self._probe.says}'", answer.seen_at_s)
        return self._told(answer, True)

    def _late(self, answer: Answer) -> bool:
        return answer.took_s > self._probe.timeout_s

    def _told(self, answer: Answer, good: bool) -> Observation:
        text = str(answer)
        if self._late(answer) and answer.kind != "silent":
            text = f"it hangs: {text}, only after {answer.took_s:.1f} s"
        error_s = min(answer.took_s + PERIOD_S, self._probe.timeout_s)
        return Observation(Status.PASS if good else Status.FAIL, text, answer.seen_at_s, error_s)

    async def _nothing(self) -> Observation:
        """No answer came: because the store is silent, or because nobody could tell of it?"""
        now_s = time.time()
        waiting = [n for n, at_s in self._writer.ledger.pending.items() if now_s - at_s > self._probe.timeout_s]
        if not waiting:
            return Observation(Status.UNKNOWN, f"{self._writer.where}: nothing is heard of its writer", now_s)
        status, why = await blame(self._writer.node)
        text = f"it hangs: record {waiting[0]} got no answer within {self._probe.timeout_s:g} s{why}"
        return Observation(status, text, time.time())

    async def _reads(self) -> Observation:
        kept = sorted(self._writer.ledger.acknowledged)
        if not kept:
            return Observation(Status.UNKNOWN, f"{self._writer.where} has acknowledged no record yet", time.time())
        number = kept[self._turn * 7 % len(kept)]  # the first one, then others from all over
        self._turn += 1
        began_s = time.time()
        word, why = await self._writer.read(number, self._probe.timeout_s)
        now_s = time.time()
        took_s, said = now_s - began_s, understood(why).error
        if word == "sound" and took_s <= self._probe.timeout_s:
            return Observation(Status.PASS, f"record {number} is read as it was written", now_s, took_s)
        told = {
            "sound": f"it hangs: record {number} was read only after {took_s:.1f} s",
            "torn": f"record {number} is damaged: {why!r}",
            "wrong": f"record {number} holds something else: {why!r}",
            "absent": f"record {number}, which was acknowledged, is not there" + (f": {said}" if said else ""),
            "refused": f"record {number} cannot be read: {said}",
            "silent": f"it hangs: reading record {number} got {why}",
            "gone": f"it is not there: reading record {number}: {why}",
        }
        return Observation(Status.FAIL, told[word], now_s)

    def _classed(self) -> Observation:
        now_s = time.time()
        refused = [answer for answer in self._writer.ledger.answers if answer.kind == "refused"]
        if not refused:
            return Observation(Status.UNKNOWN, f"{self._writer.where} has refused no record yet", now_s)
        bare = next((answer for answer in refused if answer.said.recoverable is None), None)
        if bare:
            return Observation(Status.FAIL, f"{bare}: it does not say whether that is recoverable", now_s)
        hopeful = sum(answer.said.recoverable is True for answer in refused)
        text = f"of {len(refused)} refusals {hopeful} say that it is recoverable, {len(refused) - hopeful} that not"
        return Observation(Status.PASS, text, now_s)


def whole(found: ReadBack) -> Observation:
    """What reading everything back means; where nothing was acknowledged there was nothing to keep."""
    if not (found.account.acknowledged or found.extra):
        return Observation(Status.UNKNOWN, NOTHING, time.time())
    bad = found.data_lost or found.extra or not found.told
    return Observation(Status.FAIL if bad else Status.PASS, str(found), time.time(), data_lost=found.data_lost)
