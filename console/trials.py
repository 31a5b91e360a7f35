"""A plan's trials, one after the other: each a run of its own, and all of them one thing to look at and to abort."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

from console import events as ev
from console.errors import GamedayError
from console.handle import RunHandle
from console.plan.plan import Plan
from console.record.writeup import WriteUp
from console.run import pass_rate, suite
from console.run.pass_rate import BAR, Progress, Trial, TrialsResult
from console.state import RunState, presumed_outcome
from console.terms import Reason
from console.unattended import Answers, as_before, drive, finish

Start = Callable[[Plan, RunHandle | None], RunHandle]
"""Begins a run at its checklist, after the trial before it; raises GamedayError where it cannot."""


class Kept(msgspec.Struct, frozen=True):
    """What became of a row: whether thermal memory has it, and that in words."""

    delivered: bool
    words: str


class Trials(RunHandle):
    """The handle of whichever trial is on.

    The first is the operator's, unless there are `answers`; the others begin by themselves, as the first was answered.
    After one that was aborted or unsafe, or that could not be run, no other is begun.
    """

    def __init__(
        self,
        plan: Plan,
        start: Start,
        keep: Callable[[WriteUp], Awaitable[Kept]],
        *,
        clock: Callable[[], float],
        answers: Answers | None = None,
        bar: float = BAR,
        on_over: Callable[[Progress], None] = lambda _: None,
    ) -> None:
        """Begin the first trial.

        Raises:
            Refused: it cannot be begun.
        """
        self._document = plan
        self._start, self._keep, self._clock = start, keep, clock
        self._answers = answers
        self._on_over = on_over
        self._listeners: list[Callable[[ev.AnyEvent], None]] = []
        self._on_trial: list[Callable[[Trial, RunState], None]] = []
        self._now = Progress(plan.scenario.name, plan.run, plan.digest, plan.trials, began_s=clock(), bar=bar)
        self._current = self._begin(1, None)
        self._series: asyncio.Task[TrialsResult] = asyncio.create_task(self._run_all())

    # ---- what is seen of it

    @property
    def progress(self) -> Progress:
        """How far the trials are."""
        return self._now

    @property
    def over(self) -> bool:
        """Whether nothing more is begun, written or stored."""
        return self._series.done()

    @property
    def problem(self) -> str:
        """Why the run that is on broke down, or the way from one to the next; empty otherwise."""
        if self._series.done() and not self._series.cancelled() and (error := self._series.exception()):
            return f"{type(error).__name__}: {error}"
        return super().problem

    def listen(self, callback: Callable[[ev.AnyEvent], None]) -> Callable[[], None]:
        """Call back with each event of every trial from now on; returns how to stop that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    def on_trial(self, callback: Callable[[Trial, RunState], None]) -> None:
        """Call back with each trial that has ended, and its run."""
        self._on_trial.append(callback)

    async def all_over(self) -> TrialsResult:
        """Wait for the last trial and for the row of all of them.

        Raises:
            Exception: what the way from one trial to the next broke down with.
        """
        return await asyncio.shield(self._series)

    async def closed(self) -> str:
        """Wait for the same; why it broke down, or nothing: for a console that goes away either way."""
        await asyncio.wait({self._series})
        return self.problem

    # ---- what the operator does

    def stop(self, why: str) -> None:
        """Begin no further trial; the one that is on goes on."""
        if not self._now.stopped:
            self._now = msgspec.structs.replace(self._now, stopped=why)

    async def abort(self, why: str, by: str = "operator") -> None:
        """Take the fault back now, and begin no further trial."""
        self.stop(why)
        await super().abort(why, by)

    async def leave(self) -> None:
        """Go away before the launch: nothing was touched, and no trial is begun."""
        self.stop("left before the launch")
        await super().leave()

    def abort_preview(self) -> list[str]:
        """What an abort would revert, and in how long, a line each; and what is then not begun."""
        left = self._now.trials - self.plan.trial
        rest = [f"{left} further trial{'s' * (left != 1)}: not begun"] if left else []
        return [*super().abort_preview(), *rest]

    # ---- the course of the trials

    def _begin(self, number: int, before: RunHandle | None) -> RunHandle:
        handle = self._start(self._document.of_trial(number), before)
        handle.listen(self._heard)
        self.adopt(handle)
        return handle

    def _heard(self, event: ev.AnyEvent) -> None:
        for callback in tuple(self._listeners):
            callback(event)

    async def _run_all(self) -> TrialsResult:
        for number in range(1, self._document.trials + 1):
            if number > 1:
                try:
                    self._current = self._begin(number, self._current)
                except GamedayError as error:
                    self.stop(f"trial {number} could not be begun: {error}")
                    break
            await self._one(number)
            if self._now.stopped:
                break
        return await self._write_up()

    async def _one(self, number: int) -> None:
        """One trial to its end; what it broke down with is told as aborted, and its guards take back what it left."""
        handle, answers = self._current, self._answers
        try:
            if answers is None:
                await handle.concluded()
                self._answers = answers = as_before(handle.state)
                state = await finish(handle, answers)
            else:
                state = await drive(handle, answers)
            entry, reason = suite.entry(state), presumed_outcome(state)[1]
        except Exception as error:
            state, entry, reason = handle.state, suite.broken(handle.state, error), Reason.ERROR
        trial = Trial(number, entry, self._clock())
        self._now = msgspec.structs.replace(self._now, done=(*self._now.done, trial))
        why = pass_rate.why_stop(self._now.done, reason)
        if why:
            self.stop(why)
        for callback in tuple(self._on_trial):
            callback(trial, state)

    async def _write_up(self) -> TrialsResult:
        """The one row of all trials; where none was run there is nothing to store."""
        hash_, kept = "", Kept(False, "○ no trial was run: thermal memory gets no row")
        if self._now.tried:
            when = datetime.fromtimestamp(self._clock(), UTC)
            row = pass_rate.row(self._now, self._document, when=when)
            hash_, kept = row.hash, await self._keep(row)
        self._now = msgspec.structs.replace(self._now, over=True, row=kept.words)
        self._on_over(self._now)
        return pass_rate.result(self._now, hash=hash_, delivered=kept.delivered)
