"""However a console, its link or a node's guard ends: in time every machine is as it was before. (As root on Linux.)"""

from __future__ import annotations

import pytest

from tests.integration.sites import LOADED_S
from tests.machine_trials import ACTIONS, KINDS, trial
from tests.systemd_lab import SystemdLab

SEED = 20261121


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("scenario", KINDS)
def test_every_machine_is_as_before(systemd_lab: SystemdLab, scenario: str, action: str) -> None:
    assert trial(systemd_lab, scenario, action, SEED, patience_s=LOADED_S) == []
