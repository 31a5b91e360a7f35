"""The components' experiments on machines: each passes, and both moments of its alert are told. (As root.)"""

from __future__ import annotations

import pytest

from tests.hurry import verdict
from tests.systemd_lab import SystemdLab

HELD = ("--set", "hold_s=8")


@pytest.mark.parametrize(
    ("words", "alert", "cleared_after"),
    [
        (("worker-kill",), "WorkerLost", "inject"),
        (("eventbus-delay", *HELD), "EventsLate", "revert"),
        (("adapter-error", *HELD), "AdapterFails", "revert"),
    ],
)
def test_a_component_breaks_monitoring_notices_it_heals_and_the_alert_clears(
    systemd_lab: SystemdLab, words: tuple[str, ...], alert: str, cleared_after: str
) -> None:
    done = systemd_lab.run(*words)
    assert verdict(done) == (0, "passed", ""), str(done)
    (times,) = done.result["alerts"]
    assert times["alert"] == f'{alert}{{node="bluefin"}}'
    assert 0 < times["fired"]["seconds"] < 20
    assert times["cleared"]["after"] == cleared_after
    assert all(0 < times[what]["error_s"] <= 5 for what in ("fired", "cleared"))
