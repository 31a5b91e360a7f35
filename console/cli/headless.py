"""Tests run one after the other without a screen: answers from the command line, and a game day's last word."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from console.errors import GamedayError
from console.run import suite
from console.run.pass_rate import BAR
from console.run.suite import Entry
from console.unattended import Answers, drive

if TYPE_CHECKING:
    from console.cli.printer import Printer
    from console.handle import RunHandle
    from console.plan.approval import Approval
    from console.plan.plan import Plan
    from console.session import Session
    from console.state import RunState


@dataclass(frozen=True)
class Test:
    """One thing to run."""

    name: str
    make: Callable[[], Plan]
    """Makes the plan at its turn: a maintenance window counts from there. Raises GamedayError."""
    suite: str = ""
    """The suite that it was named by; empty: it was named itself."""


class Headless:
    """Runs tests in their order. After an unsafe or aborted one, or a signal, nothing more is broken."""

    def __init__(
        self,
        session: Session,
        signed: list[Approval],
        answers: Answers,
        printer: Printer,
        bar: float = BAR,
        *,
        detach_s: float | None = None,
        ends_at_interrupt: bool = False,
    ) -> None:
        """`ends_at_interrupt`: Ctrl-C ends the time of a fault that is held, which is no abort."""
        self.entries: list[Entry] = []
        self._session = session
        self._detach_s = detach_s
        self._ends_at_interrupt = ends_at_interrupt
        self._signed = signed
        self._answers = answers
        self._printer = printer
        self._bar = bar
        self._handle: RunHandle | None = None
        self._stopped = ""
        """Why no further test is begun; empty: they go on."""
        self._aborts: set[asyncio.Task[None]] = set()

    async def run(self, tests: Sequence[Test]) -> int:
        """Run them all, and write the game day up where a suite was named; returns the exit code.

        Raises:
            GamedayError: a test that was named itself cannot be begun.
        """
        await self._session.open()
        try:
            self._listen_to_signals()
            if len(tests) == 1 and (plan := tests[0].make()).trials > 1:
                return await self._trials(plan)
            for test in tests:
                await self._test(test)
            suites = dict.fromkeys(test.suite for test in tests if test.suite)
            if suites:
                await self._write_up(", ".join(suites))
        finally:
            await self._session.close()
            for complaint in self._session.complaints:
                click.echo(f"gameday: {complaint}", err=True)
        return suite.exit_code(item.outcome for item in self.entries)

    async def _trials(self, plan: Plan) -> int:
        """All trials of one plan, and what they say of the rate; returns the exit code."""
        self._handle = trials = self._session.start_trials(plan, self._signed, answers=self._answers, bar=self._bar)
        self._printer.follow_trials(trials)
        told = await trials.all_over()
        self._printer.trials(told, trials.progress)
        return told.exit_code

    async def _test(self, test: Test) -> None:
        if self._stopped:
            self._skip(test, self._stopped)
            return
        try:
            self._handle = handle = self._session.start(test.make(), self._signed, self._detach_s)
        except GamedayError as error:
            if not test.suite:
                raise
            self._skip(test, str(error))
            return
        self._printer.follow(handle.listen)
        try:
            state = await drive(handle, self._answers)
        except Exception as error:
            if not test.suite:
                raise
            self._broke_down(handle.state, error)
            return
        self._printer.result(state)
        self.entries.append(suite.entry(state))
        if suite.stops(self.entries[-1].outcome):
            self._stop(f"not begun: nothing more is broken after {test.name}, {self.entries[-1].outcome.value}")

    def _skip(self, test: Test, why: str) -> None:
        self.entries.append(suite.skipped(test.name, why))
        self._session.log_skipped(test.name, why)
        self._printer.line(f"SKIP {test.name}: {why}")

    def _broke_down(self, state: RunState, error: Exception) -> None:
        """Tell it, and go no further."""
        self.entries.append(suite.broken(state, error))
        why = self.entries[-1].why
        click.echo(f"gameday: {why}", err=True)
        self._stop(f"not begun: {self.entries[-1].scenario}: {why}")

    def _stop(self, why: str) -> None:
        self._stopped = self._stopped or why

    def _listen_to_signals(self) -> None:
        """Ctrl-C, a closed terminal and TERM all abort; a second one changes nothing: the revert goes on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number.name)

    def _signalled(self, name: str) -> None:
        self._stop(f"not begun: {name} at the console")
        if name == "SIGINT" and self._ends_at_interrupt and self._handle and self._handle.enough():
            return
        if self._handle:
            by = "operator" if name == "SIGINT" else "interrupted"
            task = asyncio.ensure_future(self._handle.abort(f"{name} at the console", by=by))
            self._aborts.add(task)
            task.add_done_callback(self._aborts.discard)

    async def _write_up(self, name: str) -> None:
        """The game day's row, and its table on the terminal. Where nothing was tested there is nothing to store."""
        from console.plan.plan import new_run_id
        from console.run.checklist import operator_name

        when = datetime.fromtimestamp(self._session.clock(), UTC)
        hash_, delivered, stored = "", False, "○ nothing was tested: thermal memory gets no row"
        if suite.tested(self.entries):
            row = suite.game_day(
                name,
                self.entries,
                inventory=self._session.inventory.name,
                operator=operator_name(),
                when=when,
                suffix=new_run_id(),
            )
            kept = await self._session.keep(row)
            hash_, delivered, stored = row.hash, kept.delivered, kept.words
        told_all = suite.result(name, self.entries, when=when, hash=hash_, delivered=delivered)
        self._printer.suite(told_all, stored)
