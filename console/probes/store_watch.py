"""How long a store took to acknowledge again, by its writer's records: after the revert, or after its failure. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from console.probes.store_ledger import Answer
from console.probes.store_writer import StoreWriter
from console.probes.timeline import LATE_S, STAMP_S, Bracket, Measured


class StoreWatch:
    """Reads off the writer's answers; `reverted` tells between which two moments the fault was taken back.

    Where it is None the time counts from the first record that was not acknowledged.
    """

    def __init__(self, writer: StoreWriter, reverted: Callable[[], Bracket | None] | None) -> None:
        self._writer = writer
        self._reverted = reverted
        self.why = "nothing was seen"

    async def collect(self) -> None:
        """The writer tells each answer as it comes."""

    async def stop(self) -> None:
        """The writer is the run's."""

    def measured(self, stable_for_s: float) -> Measured | None:
        """The recovery time so far, or None with the reason in `why`."""
        start = self._reverted() if self._reverted else None
        if self._reverted and start is None:
            self.why = "the revert was not seen"
            return None
        found = recovery_time(self._writer.ledger.answers, start, stable_for_s)
        if isinstance(found, str):
            self.why = found
            return None
        since = "the revert" if start else "the first record that was not acknowledged"
        seconds, error_s = found
        return Measured(
            seconds, error_s, {}, f"from {since} to the first that was, written on {self._writer.node.name}"
        )


def recovery_time(answers: Sequence[Answer], start: Bracket | None, stable_for_s: float) -> tuple[float, float] | str:
    """Seconds and how far they may be off, or why they cannot be told.

    `start` is on the console's clock; None: the first record that was not acknowledged. The end is the first one that
    was and that none followed within `stable_for_s` that was not.
    """
    if not answers:
        return "no record was written"
    shift_s = min(answer.seen_at_s - answer.at_s for answer in answers)
    ends = [answer.at_s + shift_s for answer in answers]
    asked = [answer.at_s - answer.took_s + shift_s for answer in answers]
    bad = [index for index, answer in enumerate(answers) if answer.kind != "acknowledged"]
    if not bad:
        return "every record was acknowledged: there was nothing to recover from"
    if start is None:
        first = bad[0]
        start = Bracket(asked[max(0, first - 1)], ends[first])
    if bad[-1] + 1 < len(answers) and ends[bad[-1] + 1] < start.lo_s:
        return "records were acknowledged again before the fault was taken back"
    for last_bad in bad:
        back = last_bad + 1
        if back == len(answers) or back in bad or ends[back] < start.lo_s:
            continue
        until_s = ends[back] + stable_for_s
        if any(ends[index] < until_s for index in bad if index > back):
            continue
        if ends[-1] < until_s - LATE_S:
            return "the writer ended too early"
        end = Bracket(max(asked[last_bad], start.lo_s), ends[back])
        begin = Bracket(start.lo_s, min(start.hi_s, end.hi_s))
        return max(0.0, end.centre_s - begin.centre_s), end.half_s + begin.half_s + STAMP_S
    return f"no record was acknowledged again for {stable_for_s:g} s"
