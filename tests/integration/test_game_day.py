"""The experiments whose own tests run on the embedded lab, on real machines too: passed, effect and revert proven."""

from __future__ import annotations

import pytest

from tests.systemd_lab import SystemdLab
from tests.trials import approved_plan

SCENARIOS = {"llm-gateway-kill": "low", "pg-connection-exhaustion": "medium", "service-stack-restart": "low"}
"""Name -> risk: low needs nobody's approval."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_experiment_passes_on_machines(systemd_lab: SystemdLab, scenario: str) -> None:
    words = [scenario]
    if SCENARIOS[scenario] != "low":
        plan, approval = approved_plan(systemd_lab, scenario)
        words = [plan, "--approval", approval]
    done = systemd_lab.run(*words, limit_s=200)
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    for node in ("redfin", "bluefin", "greenfin"):
        assert systemd_lab.on(node, "ls", "/run/gameday", check=False) == ""
        assert systemd_lab.on(node, "systemctl", "list-units", "-q", "--all", "gameday*") == ""
        assert systemd_lab.on(node, "systemctl", "is-system-running") == "running\n"
