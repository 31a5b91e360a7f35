"""Whatever happens to the console, in whichever phase: no fault of ours outlives the lease and a second."""

from __future__ import annotations

import pytest

from tests.integration.sites import LOADED_S
from tests.lab import Lab
from tests.trials import ACTIONS, PHASES, SCENARIOS, trial

SEED = 20261121
HELD = ("inject", "prove effect", "observe", "revert", "prove reverted")
"""The phases in which the fault may be there."""
CASES = [
    (scenario, action, phase)
    for scenario in SCENARIOS
    for action in ACTIONS
    for phase in PHASES
    if phase in HELD or (scenario == "llm-gateway-kill" and action in ("kill", "two-interrupts"))
]
"""Elsewhere a run goes as any other: A1 stands for all there. `make soak` does every action in every phase."""


@pytest.mark.parametrize(("scenario", "action", "phase"), CASES)
def test_nothing_outlives_the_lease(lab: Lab, scenario: str, action: str, phase: str) -> None:
    assert trial(lab, scenario, phase, action, SEED, patience_s=LOADED_S) == []
