"""The game day on real machines: each experiment passes, effect and revert proven, and leaves nothing.

A3 stands in test_a_second_console.py, A4 and A5 in test_resources.py, A7 in test_postgres_crash_systemd.py, A8 in
test_node_reboot.py: they have more to show.
"""

from __future__ import annotations

import pytest

from tests.approvals import approved
from tests.hurry import hurried
from tests.residue import residue
from tests.systemd_lab import SystemdLab
from tests.truth import compare

LOADED_ERROR_S = 0.1
"""On a machine that tests load; `python -m tests.truth --kind systemd` holds it to 20 ms on a quiet one."""
START_LIMIT_S = 12.0
"""A little over systemd's DefaultStartLimitIntervalSec=."""
RESTART_S = 2.0
"""RestartSec= of the labs' gateway."""
EXPERIMENTS: dict[str, dict[str, float]] = {
    "pg-connection-exhaustion": {"hold_s": 8},
    "service-stack-restart": {"pause_s": 1},
    "cpu-pressure": {"hold_s": 10, "stable_for_s": 4},
}
"""Scenarios, with what makes them short."""


def rested(lab: SystemdLab) -> bool:
    """Whether no service of redfin was started just now: one that was is refused for its start limit."""
    units = [service.unit for service in lab.inventory.nodes["redfin"].services.values()]
    stamps = lab.on("redfin", "systemctl", "show", "-p", "ExecMainStartTimestampMonotonic", "--value", *units).split()
    now_s = float(lab.on("redfin", "cut", "-d ", "-f1", "/proc/uptime"))
    return all(now_s - int(stamp) / 1e6 > START_LIMIT_S for stamp in stamps)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scenario", EXPERIMENTS)
def test_each_experiment_passes_and_leaves_nothing(systemd_lab: SystemdLab, scenario: str) -> None:
    lab, nodes = systemd_lab, list(systemd_lab.inventory.nodes)
    assert lab.wait_until(lambda: rested(lab), 30.0)
    before = {node: residue(lab, node) for node in nodes}
    done = lab.run(*approved(lab, hurried(lab, scenario, **EXPERIMENTS[scenario])), limit_s=220.0)
    assert (done.code, done.result["outcome"]) == (0, "passed"), str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True), str(done)
    assert done.result["thermal"]["delivered"] is True
    assert {told["guard"] for told in done.events if told["event"] == "armed"} == {"systemd"}
    left = {node: residue(lab, node).beyond(before[node]) for node in nodes}
    assert not any(left.values()), left


def test_a_killed_gateway_is_back_and_the_anatomy_of_its_recovery_is_told_by_systemds_stamps(
    systemd_lab: SystemdLab,
) -> None:
    compared = compare(systemd_lab, "--set", "signal=KILL")
    assert abs(compared.seconds - compared.truth_s) <= compared.error_s <= LOADED_ERROR_S, str(compared)
    assert list(compared.breakdown) == ["exit to scheduled", "scheduled to started", "started to healthy"]
    assert sum(compared.breakdown.values()) == pytest.approx(compared.seconds)
    assert compared.breakdown["scheduled to started"] == pytest.approx(RESTART_S, abs=1.0)
