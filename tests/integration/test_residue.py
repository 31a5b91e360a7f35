"""However a console, its link or a node's guard ends: in time every machine is as it was before. (As root on Linux.)"""

from __future__ import annotations

import pytest

from tests.integration.sites import LOADED_S
from tests.machine_trials import ACTIONS, PLAIN_KINDS, trial
from tests.systemd_lab import SystemdLab

SEED = 20261121
MECHANISMS = (
    "sigil-disk-full", "sigil-store-unmounted", "lightning-read-only", "chaos-disk-full", "chaos-slow-io",
    "eventbus-delay",
)  # fmt: skip
"""A file, a mount, permissions, a preload, a tracer, a proxy with rules: `make soak` tries all kinds in all ways."""
TRIALS = [
    *((scenario, action) for scenario in PLAIN_KINDS for action in ACTIONS),
    *((scenario, "kill") for scenario in MECHANISMS),
]


@pytest.mark.parametrize(("scenario", "action"), TRIALS)
def test_every_machine_is_as_before(systemd_lab: SystemdLab, scenario: str, action: str) -> None:
    assert trial(systemd_lab, scenario, action, SEED, patience_s=LOADED_S) == []
