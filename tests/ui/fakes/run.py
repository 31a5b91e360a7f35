"""A run that lives in memory, alone or as one of several trials."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from console import events as ev
from console.errors import GamedayError
from console.plan.plan import Plan
from console.run.pass_rate import Progress, Trial
from console.run.suite import Entry
from console.state import RunState, fold_all
from console.terms import Outcome, Phase, Status
from console.tui.ports.run import Changed, Verdict
from tests.ui import recordings
from tests.ui.fakes.plans import gateway_scenario, plan_for
from tests.ui.recordings import START_S


class Subject:
    """Something that can be subscribed to."""

    def __init__(self) -> None:
        self.callbacks: list[Changed] = []

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def changed(self) -> None:
        for callback in list(self.callbacks):
            callback()


@dataclass(frozen=True)
class FakeBlocker:
    what: str
    fix: str
    recheck: str


@dataclass(frozen=True)
class FakeDraft:
    verdict: Verdict = "PASS"
    evidence: Sequence[str] = (
        "systemd restarted it by itself after 1.02 s ± 0.02 (limit 5 s)",
        "active (running) after 1.86 s ± 0.02 (limit 30 s)",
        "/health answered 200 after 2.44 s ± 0.02 and stayed so for 10 s (limit 30 s)",
        "effect proven on redfin: pid 4711 is gone",
        "revert proven on bluefin and redfin: no trace",
    )
    issues: Sequence[str] = ("T+6.0 Grafana shows the dip, no alert yet",)
    gaps: Sequence[str] = ()


@dataclass(frozen=True)
class FakeRow:
    hash: str
    content: str
    stage: str = "FRESH"
    temperature: float = 85.0
    sacred: bool = False


class FakeRun(Subject):
    """A run whose events the test feeds; it writes down each command."""

    def __init__(self, events: Iterable[ev.AnyEvent], plan: Plan | None = None) -> None:
        super().__init__()
        self.plan = plan or plan_for(gateway_scenario())
        self.state: RunState = fold_all(events)
        self.guards: Mapping[str, float | None] = {}
        self.launch_word = self.plan.actions[0].node
        self.blockers: list[FakeBlocker] = []
        self.said: list[tuple[object, ...]] = []
        self.draft = FakeDraft()
        self.problem = ""
        self.progress: Progress | None = None
        self.breaks = ""
        """When set, every command fails with this sentence."""

    @property
    def over(self) -> bool:
        return self.progress.over if self.progress else self.state.ended

    def feed(self, *events: ev.AnyEvent) -> None:
        self.state = fold_all(events, self.state)
        self.changed()

    def _say(self, *words: object) -> None:
        if self.breaks:
            raise GamedayError(self.breaks)
        self.said.append(words)

    def told(self, command: str) -> list[tuple[object, ...]]:
        return [words for words in self.said if words[0] == command]

    async def recheck(self, item: str | None) -> None:
        self._say("recheck", item)
        self.blockers = [blocker for blocker in self.blockers if blocker.recheck != item]
        self.changed()

    async def tick(self, item: str, note: str, status: Status) -> None:
        self._say("tick", item, note, status)
        stage: ev.Stage = "pre" if item in self.state.pre else "post"
        self.feed(
            ev.ItemChecked(
                at_s=self.state.now_s, stage=stage, id=item, status=status, evidence=note, attested=True, by="ada"
            )
        )

    async def attest(self, expectation: str, note: str, status: Status) -> None:
        self._say("attest", expectation, note, status)
        at_s = self.state.now_s
        self.feed(
            ev.ExpectationJudged(at_s=at_s, id=expectation, status=status, observed=note, attested=True, by="ada")
        )

    async def override(self, item: str, reason: str) -> None:
        self._say("override", item, reason)
        self.feed(ev.ItemOverridden(at_s=self.state.now_s, id=item, reason=reason, by="ada"))

    async def accept_approval(self, text: str) -> None:
        self._say("approval", text)

    def approve_line(self) -> str:
        return f"gameday approve ~/.local/state/gameday/{self.plan.run}/plan.json --vote for"

    @property
    def inbox(self) -> str:
        return "/home/ada/.config/gameday/approvals"

    def approvers(self) -> Sequence[str]:
        return ("robin@example", "sam@example")

    def hand_reverts(self) -> Mapping[str, str]:
        return {node.name: recordings.hand_revert(node.name) for node in self.plan.nodes}

    def can_launch(self) -> Sequence[FakeBlocker]:
        items = [
            FakeBlocker(
                f"{item.brief.title}: {item.evidence or 'not told yet'}",
                "tick it with a note, or check it again",
                item.brief.id,
            )
            for item in self.state.blockers(self.state.now_s)
        ]
        return [*items, *self.blockers]

    async def launch(self, typed: str) -> None:
        self._say("launch", typed)
        self.feed(
            ev.Confirmed(at_s=self.state.now_s, by="ada"), ev.PhaseEntered(at_s=self.state.now_s, phase=Phase.ARM)
        )

    def abort_preview(self) -> Sequence[str]:
        held = [name for name, node in self.state.nodes.items() if node.held]
        return [f"{name}: the fault is taken back, in at most 15 s" for name in held] or [
            "No node is armed: the run just ends."
        ]

    async def abort(self, why: str) -> None:
        self._say("abort", why)
        self.feed(ev.AbortRequested(at_s=self.state.now_s, by="ada", why=why))

    async def note(self, words: str) -> None:
        self._say("note", words)
        self.feed(ev.Noted(at_s=self.state.now_s, text=words, by="ada"))

    def writeup_draft(self) -> FakeDraft:
        return self.draft

    def writeup_row(self, verdict: str, note: str, issues: Sequence[str], gaps: Sequence[str]) -> FakeRow:
        content = [
            "CHAOS TEST llm-gateway-kill, run k3n9m2pq, 2026-09-21 13:34 UTC",
            "Tested: process-signal TERM on redfin (llm-gateway)",
            f"Recovery: {verdict}, 2.44 s ± 0.02, restarts 0 to 1",
            *(["Note: " + note] if note else []),
            "Issues found: " + ("; ".join(issues) or "none"),
            "Runbook updates needed: " + ("; ".join(gaps) or "none"),
        ]
        return FakeRow("CHAOS-TEST-LLM-GATEWAY-KILL-202609211334-k3n9m2pq", "\n".join(content))

    async def sign(self, verdict: str, note: str, issues: Sequence[str], gaps: Sequence[str]) -> None:
        self._say("sign", verdict, note, tuple(issues), tuple(gaps))
        self.feed(*recordings.gateway_signed())


TRIAL_SIGNS = {"✓": Outcome.PASSED, "✗": Outcome.FAILED, "○": Outcome.NOT_RUN, "!": Outcome.ABORTED}


def after(signs: str, trials: int = 20, **changes: object) -> Progress:
    """Trials that ended so, 30 s each."""
    done = tuple(
        Trial(n, Entry("llm-gateway-kill", TRIAL_SIGNS[sign], f"k3n9m2pqt{n:02d}"), START_S + 30 * n)
        for n, sign in enumerate(signs, start=1)
    )
    told = Progress("llm-gateway-kill", "k3n9m2pq", "9f2c" * 16, trials, START_S, done=done)
    return msgspec.structs.replace(told, **changes)


def trial_run(progress: Progress, events: list[ev.AnyEvent]) -> FakeRun:
    plan = msgspec.structs.replace(plan_for(gateway_scenario()), trials=progress.trials)
    run = FakeRun(events, plan.of_trial(min(len(progress.done) + 1, progress.trials)))
    run.progress = progress
    return run
