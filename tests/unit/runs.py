"""Runs for unit tests: the events of an A1 run that passed, to be bent by the tests."""

from __future__ import annotations

from console import events as ev
from console.brief import ItemBrief
from console.state import RunState, fold_all
from console.terms import Outcome, Phase, Reason, Status

T0 = 1_790_000_000.0
"""A fixed moment on the console's clock."""


def started(*, lasts_s: float = 0.0) -> ev.RunStarted:
    return ev.RunStarted(
        at_s=T0,
        run="k7f3abcd",
        scenario="llm-gateway-kill",
        title="Kill the LLM gateway",
        risk="low",
        digest="0" * 64,
        operator="ana",
        inventory="test",
        nodes=("redfin",),
        targets=("redfin",),
        lease_s=10.0,
        fault="process-signal TERM on redfin",
        fault_lasts_s=lasts_s,
        observe_s=60.0,
        steady_state=(ItemBrief("gateway-health", "Gateway answers"),),
        expectations=(ItemBrief("health", "Health answers 200", 30.0, 10.0),),
        pre=(ItemBrief("tpm-notified", "TPM notified"),),
        post=(ItemBrief("no-data-loss", "No data loss"),),
    )


def passed_events(*, lasts_s: float = 0.0) -> list[ev.AnyEvent]:
    """An A1 run that went well, up to the release."""
    return [
        started(lasts_s=lasts_s),
        ev.ItemChecked(at_s=T0 + 1, stage="pre", id="tpm-notified", status=Status.PASS, evidence="sent"),
        ev.Confirmed(at_s=T0 + 2, by="ana"),
        ev.Arming(at_s=T0 + 3, node="redfin"),
        ev.Armed(at_s=T0 + 3.2, node="redfin", guard="shell", lease_s=10.0),
        ev.SteadyStateJudged(at_s=T0 + 4, id="gateway-health", when="baseline", status=Status.PASS, observed="200"),
        ev.Injected(at_s=T0 + 5, node="redfin"),
        ev.EffectJudged(at_s=T0 + 5.3, node="redfin", status=Status.PASS, evidence="pid 7 is gone"),
        ev.ExpectationJudged(at_s=T0 + 18, id="health", status=Status.PASS, observed="200", after_s=2.5, error_s=0.4),
        ev.RecoveryMeasured(at_s=T0 + 18, seconds=2.5, error_s=0.02),
        ev.SteadyStateJudged(at_s=T0 + 19, id="gateway-health", when="recovery", status=Status.PASS, observed="200"),
        ev.Reverting(at_s=T0 + 19, node="redfin", why="the time is over", limit_s=10.0),
        ev.Reverted(at_s=T0 + 19.2, node="redfin", status=Status.PASS, evidence=""),
        ev.PhaseEntered(at_s=T0 + 19.2, phase=Phase.PROVE_REVERTED),
        ev.CleanJudged(at_s=T0 + 19.4, node="redfin", status=Status.PASS, evidence="clean"),
        ev.Released(at_s=T0 + 19.5, node="redfin"),
        ev.ItemChecked(at_s=T0 + 20, stage="post", id="no-data-loss", status=Status.PASS, evidence="3 rows and 3 rows"),
    ]


def concluded(events: list[ev.AnyEvent]) -> RunState:
    """These events and a conclusion of `passed`."""
    end = ev.Concluded(at_s=T0 + 21, outcome=Outcome.PASSED, reason=Reason.NONE, sentence="recovered by itself")
    return fold_all([*events, end])
