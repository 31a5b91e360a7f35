"""One line for each event that is worth one, for the timeline of reports."""

from __future__ import annotations

from console import events as ev


def told(event: ev.AnyEvent) -> str:
    """The event in plain words; empty where a report tells it better elsewhere."""
    match event:
        case ev.PhaseEntered():
            return f"-- {event.phase.value}"
        case ev.ItemChecked():
            return f"{event.stage}-test item {event.id}: {event.status.value}{', attested' if event.attested else ''}"
        case ev.ItemOverridden():
            return f"item {event.id} overridden by {event.by}: {event.reason}"
        case ev.ApprovalSeen():
            return (
                f"signature of {event.signer} ({event.vote}): {'counts' if event.accepted else f'refused: {event.why}'}"
            )
        case ev.ApprovalSettled():
            return f"approval: {event.summary}"
        case ev.Confirmed():
            return f"confirmed by {event.by}"
        case ev.Armed():
            return f"{event.node} armed ({event.guard} guard, lease {event.lease_s:g} s)"
        case ev.Injected():
            return f"fault let go on {event.node}"
        case ev.Detached():
            return f"{event.node} holds the fault by itself from here on"
        case ev.EffectJudged():
            return f"effect on {event.node}: {event.status.value}: {event.evidence}"
        case ev.SteadyStateJudged():
            return f"{event.when} {event.id}: {event.status.value}: {event.observed}"
        case ev.ExpectationJudged():
            when = "" if event.after_s is None else f" after {event.after_s:.1f} s"
            by = f", attested by {event.by}" if event.attested else ""
            return f"expectation {event.id}{when}: {event.status.value}{by}: {event.observed}"
        case ev.NodeBooted():
            return _booted(event)
        case ev.RecoveryMeasured():
            parts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in event.breakdown.items())
            return f"recovered in {event.seconds:.2f} s ± {event.error_s:.2f}" + (f" ({parts})" if parts else "")
        case ev.Reverting():
            return f"reverting {event.node}: {event.why}"
        case ev.Reverted():
            return f"{event.node} reverted: {event.status.value}: {event.evidence}"
        case ev.CleanJudged():
            return f"{event.node} clean: {event.status.value}" + (f": {event.evidence}" if event.evidence else "")
        case ev.Released():
            return f"{event.node} released"
        case ev.RestoredByConsole():
            return f"{event.service} on {event.node} restored by the console: {event.status.value}"
    return _said(event)


def _booted(event: ev.NodeBooted) -> str:
    marks = ", ".join(f"{name} {at_s:.2f} s" for name, at_s in event.marks.items())
    missing = f"; not active: {', '.join(event.missing)}" if event.missing else ""
    power = f"; power_on was run {event.power_on}" if event.power_on else ""
    return f"{event.node} has booted: {marks} after userspace began{missing}{power}"


def _said(event: ev.AnyEvent) -> str:
    match event:
        case ev.LinkChanged():
            return f"{event.node} {'reachable' if event.up else f'unreachable: {event.why}'}"
        case ev.Noted():
            return f"note by {event.by}: {event.text}"
        case ev.Found():
            return f"finding: {event.text}"
        case ev.AbortRequested():
            return f"abort asked by {event.by}: {event.why}"
        case ev.Failed():
            return f"error in {event.where}: {event.what}"
        case ev.Concluded():
            return f"concluded: {event.outcome.value} {event.reason.value}".rstrip()
        case ev.Signed():
            return f"signed {event.verdict} by {event.by or 'the operator'}"
        case ev.WrittenUp():
            return f"written up as {event.hash}"
        case ev.DeliveryTried():
            return "delivered to thermal memory" if event.delivered else f"delivery queued: {event.why}"
    return ""
