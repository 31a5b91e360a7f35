"""A run told in sections of plain lines, each fact in one place: the write-up, the report and the summary use them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise

import msgspec

from console import events as ev
from console.plot.boot import boot_lines
from console.record.alerts import alert_line, alert_times
from console.record.timeline import told
from console.state import ItemState, RunState, newest_approvals, presumed_outcome
from console.terms import Outcome, Status

MARKS = {Status.PASS: "✓ pass", Status.FAIL: "✗ fail", Status.UNKNOWN: "? unknown", Status.PENDING: "○ not judged"}
"""Glyph and word of a status; colour is never needed."""
OUTCOMES = {
    Outcome.PASSED: "✓ passed",
    Outcome.FAILED: "✗ failed",
    Outcome.NOT_RUN: "○ not-run",
    Outcome.ABORTED: "! aborted",
    Outcome.UNSAFE: "✗ UNSAFE",
    Outcome.HELD: "● held",
}


class Section(msgspec.Struct, frozen=True):
    """A heading and its lines; a section without lines has nothing to tell."""

    title: str
    lines: tuple[str, ...]


def section(title: str, lines: Iterable[str]) -> Section:
    """A section of single lines. Evidence comes from machines: no line break and no terminal escape gets through."""
    return Section(
        title, tuple("".join(c if c.isprintable() else " " for c in " ".join(line.split())) for line in lines)
    )


def utc(at_s: float) -> str:
    """The console's clock as UTC, like `2026-11-21 02:17:33 UTC`."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def spread(seconds: float, error_s: float | None) -> str:
    """A time with its error bar.

    >>> spread(1.2581, 0.05)
    '1.26 s ± 0.05'
    >>> spread(1.2581, None)
    '1.26 s'
    """
    return f"{seconds:.2f} s" + ("" if error_s is None else f" ± {error_s:.2f}")


def tested(state: RunState) -> Section:
    """What was done to what, by whom."""
    started = state.started
    if started is None:
        return section("What was tested", ("unknown: the journal does not tell",))
    return section(
        "What was tested",
        (
            f"{started.title} ({started.scenario}, risk {started.risk})",
            f"fault: {started.fault or 'none, an observation'}",
            f"acted on {', '.join(started.targets) or 'nothing'}; nodes held: {', '.join(started.nodes) or 'none'}",
            f"run {started.run} by {started.operator}, inventory {started.inventory}, started {utc(started.at_s)}",
            f"plan digest {started.digest}" + (f", trial {started.trial} of {started.trials}" if started.trial else ""),
            f"approval: {state.approval.summary if state.approval else 'not settled'}",
        ),
    )


def approvals(state: RunState) -> Section:
    """Who signed what and until when, the refused ones with the reason; empty where nobody had to."""
    if not state.approvals:
        return section("Approval", ())
    lines = [state.approval.summary if state.approval else "not settled"]
    for seen in newest_approvals(state):
        who = seen.signer + (f" ({seen.role})" if seen.role else "")
        if not seen.accepted:
            lines.append(f"✗ refused: {who}{f', {seen.vote}' if seen.vote else ''}{_after_colon(seen.why)}")
        else:
            mark = {"for": "✓", "launch": "✓", "against": "✗"}.get(seen.vote, "○")
            key = f", key {seen.key}" if seen.key else ""
            lines.append(f"{mark} {seen.vote}: {who}, until {utc(seen.not_after_s)}{key}")
    return section("Approval", lines)


def recovered(state: RunState) -> Status:
    """Whether everything came back by itself, in time: pending where nothing was injected."""
    if state.started is None or state.injected_at_s is None:
        return Status.PENDING
    found = [item.status for item in state.expectations.values() if item.brief.required]
    ends = state.recovered
    found += [ends[item.id].status if item.id in ends else Status.UNKNOWN for item in state.started.steady_state]
    if state.restored or Status.FAIL in found:
        return Status.FAIL
    return Status.PASS if all(status is Status.PASS for status in found) else Status.UNKNOWN


def restart_counts(state: RunState) -> dict[str, int]:
    """`node/service` -> restarts seen on the nodes that the fault acted on; a counter that was reset begins anew.

    Samples are needed for this: a journal read without them tells nothing.
    """
    targets = state.started.targets if state.started else ()
    counts: dict[str, int] = {}
    for key, points in state.metrics.items():
        node, _, name = key.partition("/")
        if node in targets and name.startswith("restarts:"):
            values = [value for _, value in points]
            rises = (after - before if after >= before else after for before, after in pairwise(values))
            counts[f"{node}/{name.removeprefix('restarts:')}"] = int(sum(rises))
    return counts


def result(state: RunState) -> Section:
    """Verdicts of machine and operator, recovery, time to recover, restart count."""
    outcome, reason = presumed_outcome(state)
    why = f" ({reason.value})" if reason.value else ""
    sentence = state.conclusion.sentence if state.conclusion else "the journal breaks off before a conclusion"
    lines = [f"machine: {OUTCOMES[outcome]}{why}: {sentence}"]
    if state.signed:
        note = f", note: {state.signed.note}" if state.signed.note else ""
        lines.append(f"signed: {state.signed.verdict} by {state.signed.by or 'the operator'}{note}")
    else:
        lines.append("signed: by nobody")
    lines += recovery(state)
    return section("Result", lines)


def recovery(state: RunState) -> list[str]:
    """Recovery PASS or FAIL, time to recover, restart count, and what the console had to restore."""
    status = recovered(state)
    words = {Status.PASS: "PASS", Status.FAIL: "FAIL", Status.UNKNOWN: "unknown", Status.PENDING: "not tested"}
    lines = [f"recovery: {words[status]}"]
    if state.recovery:
        parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in state.recovery.breakdown.items())
        how = "; ".join(text for text in (parts, state.recovery.how) if text)
        lines.append(
            f"time to recover: {spread(state.recovery.seconds, state.recovery.error_s)}" + (f" ({how})" if how else "")
        )
    else:
        lines.append("time to recover: not measured")
    counts = restart_counts(state)
    risen = [f"{name} {count}" for name, count in sorted(counts.items()) if count]
    lines.append(f"restart count: {', '.join(risen) or ('0' if counts else 'not seen')}")
    lines += [
        f"restored by the console: {item.service} on {item.node}, {MARKS[item.status]}: {item.evidence}"
        for item in state.restored
    ]
    return lines


def key_figure(state: RunState) -> str:
    """The number to remember of a run: time to recover, connections, or that every service is back; else empty."""
    if state.injected_at_s is None and (state.started is None or state.started.targets):
        return ""
    if state.recovery:
        return f"recovered in {spread(state.recovery.seconds, state.recovery.error_s)}"
    handled = connections(state)
    if handled or state.injected_at_s is None:
        return handled
    if state.conclusion and state.conclusion.outcome not in (Outcome.PASSED, Outcome.FAILED):
        return ""  # nobody waited to see it
    services = state.post.get("services-normal")
    return "all services recovered" if services and services.status is Status.PASS and not services.attested else ""


def connections(state: RunState) -> str:
    """Connections at first and at most, where the run is about them: an observation, or a flood; else empty."""
    started = state.started
    if started is None or (started.targets and "connection-flood" not in started.fault):
        return ""
    told = []
    for key, points in state.metrics.items():
        node, _, name = key.partition("/")
        kind, _, database = name.partition(":")
        if kind == "connections" and node in started.nodes and points:
            values = [value for _, value in points]
            limit = state.metrics.get(f"{node}/connections_max:{database}")
            of = f" of {limit[-1][1]:.0f}" if limit else ""
            told.append(f"{database}: {values[0]:.0f} connections at first, {max(values):.0f} at most{of}")
    return "; ".join(told)


def expectations(state: RunState) -> Section:
    """Each expectation, with its limit and what was seen."""
    lines = []
    for item in state.expectations.values():
        brief = item.brief
        word = {Status.PASS: "✓ met", Status.FAIL: "✗ missed"}.get(item.status, MARKS[item.status])
        if item.attested and item.status is Status.PASS:
            word = "✓ attested"
        when = "" if item.after_s is None else f" at {spread(item.after_s, item.error_s)}"
        limit = f" (limit {brief.within_s:g} s after the {brief.after})" if brief.within_s else ""
        extra = "" if brief.required else ", not required"
        attested = f", the word of {item.by or 'a person'}" if item.attested else ""
        lines.append(f"{word}: {brief.title}{when}{limit}{extra}{attested}" + _after_colon(item.observed))
    return section("Expectations", lines)


def alerts(state: RunState) -> Section:
    """When each expected alert fired and when it cleared; empty where none was expected or injected."""
    found = alert_times(state) if state.injected_at_s is not None else ()
    return section("Alerts", (alert_line(times, state) for times in found))


def boots(state: RunState) -> Section:
    """How each rebooted node came up, as a small timeline."""
    # Not through section(): the bars' blanks tell something.
    return Section("Boot and service order", tuple(line for boot in state.boots.values() for line in boot_lines(boot)))


def steady_state(state: RunState) -> Section:
    """What held before and after."""
    lines = []
    for brief in state.started.steady_state if state.started else ():
        for when, judged in (("before", state.baseline.get(brief.id)), ("after", state.recovered.get(brief.id))):
            seen = f"{MARKS[judged.status]}{_after_colon(judged.observed)}" if judged else MARKS[Status.PENDING]
            lines.append(f"{brief.title}, {when}: {seen}")
    return section("Steady state", lines)


def checklist(state: RunState, without: str = "") -> Section:
    """Both checklists, `without` one post-test item; what a person said is told as such."""
    lines = [f"before: {_item(item)}" for item in state.pre.values()]
    lines += [f"after: {_item(item)}" for name, item in state.post.items() if name != without]
    return section("Checklist", lines)


def _item(item: ItemState) -> str:
    if item.override:
        return f"! overridden: {item.brief.title}: {item.override} ({item.by})"
    how = f", attested{f' by {item.by}' if item.by else ''}" if item.attested else ""
    return f"{MARKS[item.status]}: {item.brief.title}{how}{_after_colon(item.evidence)}"


def safety(state: RunState) -> Section:
    """For each node: that the fault acted, that it was taken back, that nothing is left."""
    lines = []
    for name, node in state.nodes.items():
        if node.arming_at_s is None:
            continue
        if node.effect is not Status.PENDING:
            lines.append(f"{name}, effect: {MARKS[node.effect]}{_after_colon(node.effect_evidence)}")
        if node.reverted is not Status.PENDING:
            lines.append(f"{name}, reverted: {MARKS[node.reverted]}{_after_colon(node.reverted_evidence)}")
        lines.append(f"{name}, clean: {MARKS[node.clean]}{_after_colon(node.clean_evidence)}")
        if node.held and node.hand_revert:
            lines.append(f"{name}, not released; revert by hand: {node.hand_revert}")
    return section("Fault proven and taken back", lines)


def findings(state: RunState) -> Section:
    """What the machine and the operator held for worth writing down, and what went wrong."""
    return section(
        "Findings and notes",
        (
            *(item.text for item in state.findings),
            *(f"error in {item.where}: {item.what}" for item in state.errors),
            *(f"note by {item.by}: {item.text}" for item in state.notes),
        ),
    )


def timeline(state: RunState) -> Section:
    """Every decision, with T+ from the injection (T- before it)."""
    zero = state.injected_at_s
    lines = []
    for event in state.log:
        text = told(event).rstrip(": ")
        if text:
            offset = "" if zero is None else f" T{event.at_s - zero:+.1f}"
            lines.append(f"{datetime.fromtimestamp(event.at_s, UTC):%H:%M:%S}{offset} {text}")
    return section("Timeline (UTC)", lines)


def thermal(state: RunState) -> Section:
    """Where the write-up is."""
    return section("Thermal memory", (delivery_words(state.hash, state.delivery),))


def delivery_words(written: str, delivery: ev.DeliveryTried | None) -> str:
    """Delivered, queued and why, or not written."""
    if not written:
        return "○ no write-up yet"
    if delivery and delivery.delivered:
        return f"✓ delivered: {written}"
    return f"○ queued: {written}" + _after_colon(delivery.why if delivery else "delivery was not tried")


def _after_colon(text: str) -> str:
    return f": {text.strip()}" if text.strip() else ""
