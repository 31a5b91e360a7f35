"""The experiments whose own tests run on the embedded lab, on real machines too: passed, effect and revert proven."""

from __future__ import annotations

import pytest

from tests.approvals import approved
from tests.systemd_lab import SystemdLab

SCENARIOS = ("llm-gateway-kill", "pg-connection-exhaustion", "service-stack-restart")


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_experiment_passes_on_machines(systemd_lab: SystemdLab, scenario: str) -> None:
    done = systemd_lab.run(*approved(systemd_lab, scenario), limit_s=200)
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    for node in ("redfin", "bluefin", "greenfin"):
        assert systemd_lab.on(node, "ls", "/run/gameday", check=False) == ""
        assert systemd_lab.on(node, "systemctl", "list-units", "-q", "--all", "gameday*") == ""
        assert systemd_lab.on(node, "systemctl", "is-system-running") == "running\n"
