"""RunState: the one truth about a run, a pure fold over its events. Live view, replay, report and tests read this."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from console import events as ev
from console.brief import ItemBrief
from console.terms import Outcome, Phase, Reason, Status

Point = tuple[float, float]
"""(console clock in seconds since the epoch, value)"""


class ItemState(msgspec.Struct, frozen=True):
    """A checklist item: what was found, by whom, until when it counts."""

    brief: ItemBrief
    status: Status = Status.PENDING
    evidence: str = ""
    attested: bool = False
    by: str = ""
    valid_until_s: float = 0.0
    override: str = ""

    def settled(self, now_s: float) -> bool:
        """Whether this item stands in nobody's way now."""
        fresh = not self.valid_until_s or now_s <= self.valid_until_s
        return bool(self.override) or (self.status is Status.PASS and fresh)


class ExpectationState(msgspec.Struct, frozen=True):
    """An expectation and what became of it."""

    brief: ItemBrief
    status: Status = Status.PENDING
    observed: str = ""
    after_s: float | None = None
    error_s: float | None = None
    attested: bool = False
    data_lost: bool = False
    by: str = ""

    @property
    def open_to_a_person(self) -> bool:
        """Whether the console could not see it and need not: a person may say how it was, until the run is signed."""
        return not self.brief.required and (self.attested or self.status is Status.UNKNOWN)


class NodeState(msgspec.Struct, frozen=True):
    """Where a node stands between arming and release, and whether it is seen."""

    arming_at_s: float | None = None
    armed_at_s: float | None = None
    guard: str = ""
    hand_revert: str = ""
    injected_at_s: float | None = None
    effect: Status = Status.PENDING
    effect_evidence: str = ""
    reverting_at_s: float | None = None
    revert_limit_s: float = 0.0
    reverted: Status = Status.PENDING
    reverted_evidence: str = ""
    clean: Status = Status.PENDING
    clean_evidence: str = ""
    released_at_s: float | None = None
    detached_until_s: float | None = None
    """Until when the node holds the fault by itself; None: it does not."""
    link_up: bool = True
    link_why: str = ""

    @property
    def held(self) -> bool:
        """Whether a guard of ours may still stand on the node."""
        return self.arming_at_s is not None and self.released_at_s is None


class RunState(msgspec.Struct, frozen=True):
    """Everything known about one run, at the last event folded."""

    started: ev.RunStarted | None = None
    phase: Phase = Phase.CHECKLIST
    phases: tuple[tuple[Phase, float], ...] = ()
    """Each phase entered, with its time."""
    now_s: float = 0.0
    """The time of the last event."""
    pre: dict[str, ItemState] = {}
    post: dict[str, ItemState] = {}
    approvals: tuple[ev.ApprovalSeen, ...] = ()
    approval: ev.ApprovalSettled | None = None
    confirmed_by: str = ""
    nodes: dict[str, NodeState] = {}
    baseline: dict[str, ev.SteadyStateJudged] = {}
    recovered: dict[str, ev.SteadyStateJudged] = {}
    expectations: dict[str, ExpectationState] = {}
    effects: tuple[ev.EffectJudged, ...] = ()
    recovery: ev.RecoveryMeasured | None = None
    boots: dict[str, ev.NodeBooted] = {}
    """Node -> how it came up after the reboot that the run has made."""
    restored: tuple[ev.RestoredByConsole, ...] = ()
    metrics: dict[str, tuple[Point, ...]] = {}
    """`node/name` -> points, see events.Sampled for the names."""
    services: dict[str, str] = {}
    """`node/service` -> state in words, as last seen."""
    notes: tuple[ev.Noted, ...] = ()
    findings: tuple[ev.Found, ...] = ()
    errors: tuple[ev.Failed, ...] = ()
    abort: ev.AbortRequested | None = None
    conclusion: ev.Concluded | None = None
    signed: ev.Signed | None = None
    hash: str = ""
    delivery: ev.DeliveryTried | None = None
    ended: bool = False
    log: tuple[ev.AnyEvent, ...] = ()
    """Every event but the samples, in order."""

    @property
    def injected_at_s(self) -> float | None:
        """When the first fault was let go, or struck where it needed time first; None: not yet. T+ counts from here."""
        times = [node.injected_at_s for node in self.nodes.values() if node.injected_at_s is not None]
        return min(times, default=None)

    @property
    def reverted_at_s(self) -> float | None:
        """When the run entered the phase in which the revert is proven, or None."""
        return self.entered(Phase.PROVE_REVERTED)

    @property
    def first_of_its_plan(self) -> bool:
        """Whether an operator launches it: of several trials the first is, the others follow by themselves."""
        return self.started is None or self.started.trial <= 1

    @property
    def effect_proven(self) -> bool:
        """Whether every node with a fault on it showed the effect."""
        targets = self.started.targets if self.started else ()
        return bool(targets) and all(self.nodes[n].effect is Status.PASS for n in targets if n in self.nodes)

    @property
    def revert_proven(self) -> bool:
        """Whether every node that was armed is proven clean."""
        armed = [node for node in self.nodes.values() if node.arming_at_s is not None]
        return bool(armed) and all(node.clean is Status.PASS for node in armed)

    def entered(self, phase: Phase) -> float | None:
        """When that phase was entered last, or None."""
        return next((at_s for entered, at_s in reversed(self.phases) if entered is phase), None)

    def blockers(self, now_s: float) -> list[ItemState]:
        """The pre-test items that stand in the way of a launch."""
        return [item for item in self.pre.values() if not item.settled(now_s)]


def fold_all(events: Iterable[ev.AnyEvent], state: RunState | None = None) -> RunState:
    """The state after all these events."""
    state = state or RunState()
    for event in events:
        state = fold(state, event)
    return state


def fold(state: RunState, event: ev.AnyEvent) -> RunState:
    """The state after one more event."""
    log = state.log if isinstance(event, ev.Sampled) else (*state.log, event)
    state = msgspec.structs.replace(state, now_s=max(state.now_s, event.at_s), log=log)
    return _fold_judgement(state, event) if isinstance(event, _JUDGEMENTS) else _fold_course(state, event)


def _with(state: RunState, **changes: object) -> RunState:
    return msgspec.structs.replace(state, **changes)


def _node(state: RunState, name: str, **changes: object) -> RunState:
    node = msgspec.structs.replace(state.nodes.get(name, NodeState()), **changes)
    return _with(state, nodes={**state.nodes, name: node})


_JUDGEMENTS = (
    ev.ItemChecked, ev.ItemOverridden, ev.ApprovalSeen, ev.ApprovalSettled, ev.SteadyStateJudged, ev.EffectJudged,
    ev.ExpectationJudged, ev.RecoveryMeasured, ev.Reverted, ev.CleanJudged, ev.RestoredByConsole, ev.Concluded,
    ev.Signed,
)  # fmt: skip


def _fold_judgement(state: RunState, event: ev.AnyEvent) -> RunState:
    """Events that say what was found."""
    match event:
        case ev.ItemChecked():
            items = state.pre if event.stage == "pre" else state.post
            old = items.get(event.id, ItemState(ItemBrief(event.id, event.id)))
            item = msgspec.structs.replace(
                old,
                status=event.status,
                evidence=event.evidence,
                attested=event.attested,
                by=event.by,
                valid_until_s=event.valid_until_s,
            )
            return _with(state, **{event.stage: {**items, event.id: item}})
        case ev.ItemOverridden():
            item = msgspec.structs.replace(state.pre[event.id], override=event.reason, by=event.by)
            return _with(state, pre={**state.pre, event.id: item})
        case ev.ApprovalSeen():
            return _with(state, approvals=(*state.approvals, event))
        case ev.ApprovalSettled():
            return _with(state, approval=event)
        case ev.SteadyStateJudged():
            if event.when == "baseline":
                return _with(state, baseline={**state.baseline, event.id: event})
            return _with(state, recovered={**state.recovered, event.id: event})
        case ev.EffectJudged():
            state = _with(state, effects=(*state.effects, event))
            if event.struck_at_s is not None:
                state = _node(state, event.node, injected_at_s=event.struck_at_s)
            if state.nodes.get(event.node, NodeState()).effect is Status.PASS:
                return state
            return _node(state, event.node, effect=event.status, effect_evidence=event.evidence)
        case ev.ExpectationJudged():
            old_expectation = state.expectations.get(event.id, ExpectationState(ItemBrief(event.id, event.id)))
            judged = msgspec.structs.replace(
                old_expectation,
                status=event.status,
                observed=event.observed,
                after_s=event.after_s,
                error_s=event.error_s,
                attested=event.attested,
                data_lost=event.data_lost,
                by=event.by,
            )
            return _with(state, expectations={**state.expectations, event.id: judged})
        case ev.RecoveryMeasured():
            return _with(state, recovery=event)
        case ev.Reverted():
            return _node(state, event.node, reverted=event.status, reverted_evidence=event.evidence)
        case ev.CleanJudged():
            return _node(state, event.node, clean=event.status, clean_evidence=event.evidence)
        case ev.RestoredByConsole():
            return _with(state, restored=(*state.restored, event))
        case ev.Concluded():
            return _with(state, conclusion=event)
        case ev.Signed():
            return _with(state, signed=event)
    return state


def _fold_course(state: RunState, event: ev.AnyEvent) -> RunState:
    """Events that say what was done, seen or said."""
    match event:
        case ev.RunStarted():
            return _with(
                state,
                started=event,
                pre={item.id: ItemState(item) for item in event.pre},
                post={item.id: ItemState(item) for item in event.post},
                expectations={item.id: ExpectationState(item) for item in event.expectations},
                nodes={name: NodeState() for name in event.nodes},
            )
        case ev.PhaseEntered():
            return _with(state, phase=event.phase, phases=(*state.phases, (event.phase, event.at_s)))
        case ev.Confirmed():
            return _with(state, confirmed_by=event.by)
        case ev.Arming():
            return _node(state, event.node, arming_at_s=event.at_s, hand_revert=event.hand_revert)
        case ev.Armed():
            return _node(state, event.node, armed_at_s=event.at_s, guard=event.guard)
        case ev.Injected():
            return _node(state, event.node, injected_at_s=event.at_s)
        case ev.Reverting():
            return _node(state, event.node, reverting_at_s=event.at_s, revert_limit_s=event.limit_s)
        case ev.Released():
            return _node(state, event.node, released_at_s=event.at_s)
        case ev.Detached():
            return _node(state, event.node, detached_until_s=event.until_s)
        case ev.NodeBooted():
            return _with(state, boots={**state.boots, event.node: event})
        case ev.LinkChanged():
            return _node(state, event.node, link_up=event.up, link_why=event.why)
        case ev.Sampled():
            metrics = dict(state.metrics)
            for name, value in event.values.items():
                key = f"{event.node}/{name}"
                metrics[key] = (*metrics.get(key, ()), (event.at_s, value))
            services = {**state.services, **{f"{event.node}/{name}": text for name, text in event.states.items()}}
            return _with(state, metrics=metrics, services=services)
        case ev.Noted():
            return _with(state, notes=(*state.notes, event))
        case ev.Found():
            return _with(state, findings=(*state.findings, event))
        case ev.Failed():
            return _with(state, errors=(*state.errors, event))
        case ev.AbortRequested():
            return _with(state, abort=state.abort or event)
        case ev.WrittenUp():
            return _with(state, hash=event.hash)
        case ev.DeliveryTried():
            return _with(state, delivery=event)
        case ev.Ended():
            return _with(state, ended=True)
    return state


def newest_approvals(state: RunState) -> list[ev.ApprovalSeen]:
    """What was found last of each signer's own word; a forgery stands beside it and replaces nothing."""
    newest: dict[tuple[str, str], ev.ApprovalSeen] = {}
    for seen in state.approvals:
        what = "launch" if seen.vote == "launch" else "vote"
        place = (seen.signer, what if seen.key else seen.why)
        old = newest.get(place)
        if old is None or seen.not_before_s >= old.not_before_s:
            newest[place] = seen
    return list(newest.values())


def presumed_outcome(state: RunState) -> tuple[Outcome, Reason]:
    """The outcome that a journal tells: its conclusion, or `interrupted` where it breaks off before one."""
    if state.conclusion:
        return state.conclusion.outcome, state.conclusion.reason
    return Outcome.ABORTED, Reason.INTERRUPTED
