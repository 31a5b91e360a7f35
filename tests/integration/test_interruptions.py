"""Whatever happens to the console, in whichever phase: no fault of ours outlives the lease and a second."""

from __future__ import annotations

import pytest

from tests.lab import Lab
from tests.trials import ACTIONS, PHASES, SCENARIOS, trial

SEED = 20261121


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_nothing_outlives_the_lease(lab: Lab, scenario: str, action: str, phase: str) -> None:
    assert trial(lab, scenario, phase, action, SEED) == []
