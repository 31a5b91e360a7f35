"""Runs as lists of events, written by hand for now: the same that a journal holds."""

from __future__ import annotations

import math

from console import events as ev
from console.brief import ItemBrief
from console.terms import Outcome, Phase, Reason, Status

START_S = 1_790_000_000.0
"""2026-09-21 13:33:20 UTC"""

PRE = (
    ItemBrief("tpm-notified", "TPM notified of the test window", automatic=False),
    ItemBrief("backups", "Backups are current, bluefin above all"),
    ItemBrief("active-work", "Thermal memory checked for active work"),
    ItemBrief("council", "No council vote in progress"),
    ItemBrief("baseline", "Baseline metrics documented"),
)
POST = (
    ItemBrief("services-normal", "All services are back to normal"),
    ItemBrief("no-data-loss", "No data loss, verified", automatic=False),
    ItemBrief("alerts-cleared", "Monitoring alerts have cleared", automatic=False),
    ItemBrief("logged", "Results are logged to thermal memory"),
    ItemBrief("runbooks", "Runbooks are updated where gaps were found", automatic=False),
)


def gateway_started(**changes: object) -> ev.RunStarted:
    values: dict[str, object] = {
        "at_s": START_S,
        "run": "k3n9m2pq",
        "scenario": "llm-gateway-kill",
        "title": "Kill the LLM gateway",
        "risk": "low",
        "digest": "9f2c4e71aa03b5d8" * 4,
        "operator": "ada",
        "inventory": "practice",
        "nodes": ("bluefin", "redfin"),
        "targets": ("redfin",),
        "lease_s": 10.0,
        "fault": "process-signal TERM on redfin (llm-gateway)",
        "observe_s": 60.0,
        "revert_limit_s": 15.0,
        "steady_state": (
            ItemBrief("gateway-healthy", "the gateway answers 200"),
            ItemBrief("db-answers", "the database answers"),
        ),
        "expectations": (
            ItemBrief("restart", "systemd restarts it by itself", within_s=5.0),
            ItemBrief("active", "the unit is active (running) again", within_s=30.0),
            ItemBrief("health", "/health answers 200 and stays so for 10 s", within_s=30.0, stable_for_s=10.0),
        ),
        "pre": PRE,
        "post": POST,
    }
    return ev.RunStarted(**{**values, **changes})  # type: ignore[arg-type]


def sample(
    at_s: float, *, zero_s: float | None = None, down_s: float = 2.4, connections: float | None = None
) -> list[ev.AnyEvent]:
    """One tick of both nodes; with `zero_s` the gateway is away from then for `down_s` seconds."""
    t = at_s - START_S
    away = zero_s is not None and zero_s <= at_s < zero_s + down_s
    came_back = zero_s is not None and at_s >= zero_s + 1.0
    memory = 9.4e9 + 2.2e8 * math.sin(t / 7) - (1.9e9 if away else 0.0)
    redfin = ev.Sampled(
        at_s=at_s,
        node="redfin",
        values={
            "cpu_pct": 31
            + 9 * math.sin(t / 5)
            + (22 if came_back and not away and zero_s and at_s < zero_s + 6 else 0),
            "memory_used_bytes": memory,
            "memory_total_bytes": 16.0e9,
            "disk_used_bytes:/": 212e9 + 1e7 * t,
            "disk_total_bytes:/": 480e9,
            "disk_used_bytes:/tmp": 1.1e9,
            "disk_total_bytes:/tmp": 16e9,
            "restarts:llm-gateway": 1.0 if came_back else 0.0,
            "load_1m": 1.2,
            "answers:gateway-healthy": 0.0 if away else 1.0,
        },
        states={"llm-gateway": "activating (auto-restart)" if away else "active (running)"},
    )
    count = connections if connections is not None else 11 + round(2 * math.sin(t / 3)) - (4 if away else 0)
    bluefin = ev.Sampled(
        at_s=at_s,
        node="bluefin",
        values={
            "cpu_pct": 12 + 3 * math.sin(t / 4),
            "memory_used_bytes": 5.1e9,
            "memory_total_bytes": 16e9,
            "disk_used_bytes:/": 90e9,
            "disk_total_bytes:/": 480e9,
            "connections:thermal": count,
            "connections_max:thermal": 60.0,
            "restarts:postgresql": 0.0,
        },
    )
    return [redfin, bluefin]


def checked(at_s: float, item: str, evidence: str, *, status: Status = Status.PASS, by: str = "") -> ev.ItemChecked:
    return ev.ItemChecked(at_s=at_s, stage="pre", id=item, status=status, evidence=evidence, attested=bool(by), by=by)


def gateway_checklist(at_s: float = START_S) -> list[ev.AnyEvent]:
    return [
        ev.PhaseEntered(at_s=at_s, phase=Phase.CHECKLIST),
        checked(at_s + 1.2, "backups", "thermal-0921.sql.gz is 7.2 h old, 41 MB, reads without an error"),
        checked(at_s + 1.3, "active-work", "0 memories in stage WORKING"),
        checked(at_s + 1.4, "council", "0 votes open"),
        checked(at_s + 2.0, "baseline", "12 numbers of 2 nodes over 5 s"),
    ]


def gateway_until_launch() -> list[ev.AnyEvent]:
    s = START_S
    return [
        gateway_started(),
        *gateway_checklist(),
        checked(s + 9.0, "tpm-notified", "told Robin in the channel, 15:30", by="ada"),
        ev.PhaseEntered(at_s=s + 9.5, phase=Phase.APPROVAL),
        ev.ApprovalSettled(at_s=s + 9.5, sufficient=True, summary="low risk: the operator, by launching"),
        ev.PhaseEntered(at_s=s + 9.6, phase=Phase.CONFIRM),
    ]


def hand_revert(node: str) -> str:
    return f"ssh -p 2201 lab@127.0.0.1 'sh /run/gameday/k3n9m2pq/stop'  # {node}"


def gateway_armed() -> list[ev.AnyEvent]:
    """From the launch to the injection at START_S + 20."""
    s = START_S
    events: list[ev.AnyEvent] = [
        ev.Confirmed(at_s=s + 12, by="ada"),
        ev.PhaseEntered(at_s=s + 12, phase=Phase.ARM),
        ev.Arming(at_s=s + 12.1, node="bluefin", hand_revert=hand_revert("bluefin")),
        ev.Armed(at_s=s + 12.4, node="bluefin", guard="shell", lease_s=10),
        ev.Arming(at_s=s + 12.4, node="redfin", hand_revert=hand_revert("redfin")),
        ev.Armed(at_s=s + 12.8, node="redfin", guard="shell", lease_s=10),
        ev.PhaseEntered(at_s=s + 13, phase=Phase.BASELINE),
        ev.SteadyStateJudged(
            at_s=s + 13.4, id="gateway-healthy", when="baseline", status=Status.PASS, observed="200 in 4 ms"
        ),
        ev.SteadyStateJudged(at_s=s + 13.6, id="db-answers", when="baseline", status=Status.PASS, observed="1 in 2 ms"),
    ]
    for t in range(13, 20):
        events += sample(s + t)
    return [
        *events,
        ev.PhaseEntered(at_s=s + 20, phase=Phase.INJECT),
        ev.Injecting(at_s=s + 20, node="redfin"),
        ev.Injected(at_s=s + 20, node="redfin"),
        ev.PhaseEntered(at_s=s + 20.3, phase=Phase.PROVE_EFFECT),
        ev.EffectJudged(at_s=s + 20.6, node="redfin", status=Status.PASS, evidence="pid 4711 is gone"),
        ev.PhaseEntered(at_s=s + 20.6, phase=Phase.OBSERVE),
    ]


def gateway_observed(until_t: float = 15.0) -> list[ev.AnyEvent]:
    """What is seen up to T+until_t."""
    zero_s = START_S + 20
    told: list[ev.AnyEvent] = [
        ev.ExpectationJudged(
            at_s=zero_s + 1.2, id="restart", status=Status.PASS, observed="NRestarts 0 to 1", after_s=1.02, error_s=0.02
        ),
        ev.ExpectationJudged(
            at_s=zero_s + 1.9, id="active", status=Status.PASS, observed="active (running)", after_s=1.86, error_s=0.02
        ),
        ev.Noted(at_s=zero_s + 6.0, text="Grafana shows the dip, no alert yet", by="ada"),
        ev.RecoveryMeasured(
            at_s=zero_s + 12.5,
            seconds=2.44,
            error_s=0.02,
            breakdown={"exit to started": 1.02, "started to healthy": 1.42},
        ),
        ev.ExpectationJudged(
            at_s=zero_s + 12.6, id="health", status=Status.PASS, observed="200 for 10 s", after_s=2.44, error_s=0.02
        ),
    ]
    for t in range(1, int(until_t) + 1):
        told += sample(zero_s + t, zero_s=zero_s)
    return sorted((event for event in told if event.at_s <= zero_s + until_t), key=lambda event: event.at_s)


def gateway_taken_back() -> list[ev.AnyEvent]:
    s = START_S + 36
    return [
        ev.PhaseEntered(at_s=s, phase=Phase.REVERT),
        ev.Reverting(at_s=s, node="redfin", why="observed", limit_s=15),
        ev.Reverted(at_s=s + 0.2, node="redfin", status=Status.PASS, evidence="nothing to take back"),
        ev.PhaseEntered(at_s=s + 0.2, phase=Phase.PROVE_REVERTED),
        ev.CleanJudged(at_s=s + 0.4, node="redfin", status=Status.PASS, evidence="no trace"),
        ev.CleanJudged(at_s=s + 0.5, node="bluefin", status=Status.PASS, evidence="no trace"),
        ev.PhaseEntered(at_s=s + 0.5, phase=Phase.RECOVERY),
        ev.SteadyStateJudged(
            at_s=s + 1, id="gateway-healthy", when="recovery", status=Status.PASS, observed="200 in 5 ms"
        ),
        ev.SteadyStateJudged(at_s=s + 1, id="db-answers", when="recovery", status=Status.PASS, observed="1 in 2 ms"),
        ev.PhaseEntered(at_s=s + 1.2, phase=Phase.RELEASE),
        ev.Released(at_s=s + 1.5, node="redfin"),
        ev.Released(at_s=s + 1.6, node="bluefin"),
        ev.Concluded(
            at_s=s + 1.7,
            outcome=Outcome.PASSED,
            reason=Reason.NONE,
            sentence="the gateway came back by itself after 2.44 s ± 0.02",
        ),
        ev.PhaseEntered(at_s=s + 1.7, phase=Phase.POST_TEST),
        ev.ItemChecked(
            at_s=s + 2, stage="post", id="services-normal", status=Status.PASS, evidence="9 of 9 services active"
        ),
    ]


def gateway_signed(*, delivered: bool = True) -> list[ev.AnyEvent]:
    s, row = START_S + 90, "CHAOS-TEST-LLM-GATEWAY-KILL-202609211334-k3n9m2pq"
    why = "" if delivered else "the database does not answer: connection refused"
    return [
        ev.PhaseEntered(at_s=s, phase=Phase.WRITE_UP),
        ev.Signed(at_s=s, verdict="PASS", by="ada"),
        ev.WrittenUp(at_s=s + 0.1, hash=row),
        ev.DeliveryTried(at_s=s + 0.3, hash=row, delivered=delivered, why=why),
        ev.PhaseEntered(at_s=s + 0.3, phase=Phase.DONE),
        ev.Ended(at_s=s + 0.3),
    ]


def gateway_passed() -> list[ev.AnyEvent]:
    """A whole A1."""
    return [*gateway_until_launch(), *gateway_armed(), *gateway_observed(), *gateway_taken_back(), *gateway_signed()]


def flood_started() -> ev.RunStarted:
    return gateway_started(
        run="m7w2c4ht",
        scenario="pg-connection-exhaustion",
        title="Exhaust the database's connections",
        risk="medium",
        nodes=("bluefin",),
        targets=("bluefin",),
        fault="connection-flood limit, 30 s on bluefin (thermal)",
        fault_lasts_s=30.0,
        expectations=(
            ItemBrief("at-limit", "the count rises to the limit", within_s=10.0),
            ItemBrief("refused", "new connections are refused", within_s=15.0),
            ItemBrief("falls-back", "after release the count falls", within_s=10.0, after="revert"),
            ItemBrief("query", "a normal query works", within_s=10.0, after="revert"),
        ),
    )


def flood_waiting_for_approval() -> list[ev.AnyEvent]:
    s = START_S
    return [
        flood_started(),
        *gateway_checklist(),
        checked(s + 9.0, "tpm-notified", "told Robin", by="ada"),
        ev.PhaseEntered(at_s=s + 10, phase=Phase.APPROVAL),
        ev.ApprovalSeen(
            at_s=s + 20,
            signer="ada@example",
            role="tpm",
            vote="for",
            accepted=False,
            why="the operator cannot approve an own run",
        ),
        ev.ApprovalSettled(at_s=s + 20, sufficient=False, summary="0 of 1 tpm"),
    ]


def signature(after_s: float, signer: str, vote: str, *, valid_s: float = 1800.0, why: str = "") -> ev.ApprovalSeen:
    """A vote that was looked at; refused where there is a reason."""
    at_s = START_S + after_s
    return ev.ApprovalSeen(
        at_s=at_s,
        signer=signer,
        role="council",
        vote=vote,
        accepted=not why,
        why=why,
        not_before_s=at_s,
        not_after_s=at_s + valid_s,
        key="" if why else f"SHA256:{signer}",
    )


def council_voting() -> list[ev.AnyEvent]:
    """Two for, one against, one abstained, one forged, one run out: one is missing."""
    s = START_S
    return [
        *flood_waiting_for_approval()[:-2],
        signature(20, "old@example", "for", valid_s=9),
        signature(21, "kim@example", "for"),
        signature(22, "lee@example", "for", valid_s=240),
        signature(23, "max@example", "against"),
        signature(24, "noa@example", "abstain"),
        signature(25, "robin@example", "for", why="the key is that of kim@example, not of robin@example"),
        ev.ApprovalSettled(
            at_s=s + 30, sufficient=False,
            summary="missing: 1 of council (robin@example, sam@example); against: max@example",
            votes_for=2, votes_against=1, abstained=1,
        ),
    ]  # fmt: skip
