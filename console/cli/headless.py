"""Tests run one after the other without a screen: answers from the command line, and a game day's last word."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from console.errors import GamedayError
from console.record.outbox import OutboxError
from console.run import suite
from console.run.suite import Entry
from console.terms import Outcome, Status

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


class Answers(msgspec.Struct, frozen=True):
    """What the operator said on the command line, in place of the keys of the console."""

    attest: frozenset[str]
    overrides: dict[str, str]

    def attests(self, item: str) -> bool:
        """Whether a manual item is ticked."""
        return item in self.attest or "all" in self.attest


class Headless:
    """Runs tests in their order. After an unsafe or aborted one, or a signal, nothing more is broken."""

    def __init__(self, session: Session, signed: list[Approval], answers: Answers, printer: Printer) -> None:
        self.entries: list[Entry] = []
        self._session = session
        self._signed = signed
        self._answers = answers
        self._printer = printer
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

    async def _test(self, test: Test) -> None:
        if self._stopped:
            self._skip(test, self._stopped)
            return
        try:
            self._handle = handle = self._session.start(test.make(), self._signed)
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
        """A run that its own console could not go on with; its guards take back what it left."""
        why = f"the run broke down: {error}" if isinstance(error, GamedayError) else f"the run broke down: {error!r}"
        click.echo(f"gameday: {why}", err=True)
        self.entries.append(msgspec.structs.replace(suite.entry(state), outcome=Outcome.ABORTED, why=why))
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
            hash_ = row.hash
            try:
                told = await self._session.store(row)
                delivered = told.delivered
                stored = f"✓ delivered: {hash_}" if delivered else f"○ queued: {hash_}: {told.why}"
            except OutboxError as error:  # it is in thermal memory, and will be found there by the next delivery
                delivered, stored = True, f"✓ delivered: {hash_}; {error}"
        told_all = suite.result(name, self.entries, when=when, hash=hash_, delivered=delivered)
        self._printer.suite(told_all, stored)


async def drive(handle: RunHandle, answers: Answers) -> RunState:
    """One run from its checklist to its last event; the machine's proposal is signed."""
    await handle.ready()
    for item in list(handle.state.pre.values()):
        if not item.brief.automatic and answers.attests(item.brief.id):
            await handle.tick(item.brief.id, "attested on the command line", Status.PASS)
    for name, reason in answers.overrides.items():
        await handle.override(name, reason)
    if not handle.state.abort:
        blockers = await handle.try_launch()
        if blockers:
            told = "; ".join(f"{blocker.what} (fix: {blocker.fix})" for blocker in blockers)
            used_up = "; this plan is used up: make and sign a new one" if handle.plan.policy.quorum else ""
            await handle.runner.give_up(blockers[0].reason, told + used_up)
    await handle.concluded()
    await _sign(handle, answers)
    return await handle.wait()


async def _sign(handle: RunHandle, answers: Answers) -> None:
    """Sign what the machine proposes: nobody is there to contradict it."""
    conclusion = handle.state.conclusion
    if conclusion is None or handle.state.phase.value != "write-up":
        return
    for item in list(handle.state.post.values()):
        if not item.brief.automatic and answers.attests(item.brief.id):
            await handle.tick(item.brief.id, "attested on the command line", Status.PASS)
    for expectation in list(handle.state.expectations.values()):
        # By its name only: what was expected to happen is no routine that `all` ticks.
        if expectation.open_to_a_person and expectation.brief.id in answers.attest:
            await handle.attest(expectation.brief.id, "attested on the command line")
    drafted = handle.writeup_draft()
    await handle.sign(drafted.verdict, "", drafted.issues, drafted.gaps)
