"""However a console, its link or a node's guard ends: in time every machine is as it was before. (As root on Linux.)"""

from __future__ import annotations

import pytest

from tests.integration.sites import LOADED_S
from tests.machine_trials import ACTIONS, DEVELOPMENT_KINDS, PLAIN_KINDS, trial
from tests.systemd_lab import SystemdLab

SEED = 20261121
TWINS = ("lightning-disk-full", "lightning-read-only-mount", "sigil-read-only-files")
"""The same faults on the other store."""
HARDEST = ("sigil-store-unmounted", "lightning-read-only", "chaos-slow-io", "eventbus-delay")
"""A mount, permissions, a tracer, and a proxy with its firewall rules: `make soak` tries all kinds in all ways."""
TRIALS = [(scenario, action) for scenario in PLAIN_KINDS for action in ACTIONS]
DEVELOPMENT = [
    *((scenario, "kill") for scenario in DEVELOPMENT_KINDS if scenario not in TWINS),
    *((scenario, "kill-guard") for scenario in HARDEST),
]


@pytest.mark.parametrize(("scenario", "action"), TRIALS)
def test_every_machine_is_as_before(systemd_lab: SystemdLab, scenario: str, action: str) -> None:
    assert trial(systemd_lab, scenario, action, SEED, patience_s=LOADED_S) == []


@pytest.mark.development
@pytest.mark.parametrize(("scenario", "action"), DEVELOPMENT)
def test_what_is_for_development_leaves_nothing_either(systemd_lab: SystemdLab, scenario: str, action: str) -> None:
    assert trial(systemd_lab, scenario, action, SEED, patience_s=LOADED_S) == []
