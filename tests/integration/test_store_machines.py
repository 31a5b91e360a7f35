"""B and C on machines with systemd: each scenario passes, a broken store fails for its reason, nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.hurry import hurried
from tests.residue import FAULT, residue
from tests.store_runs import NAMES, Result, all_passed, observed, run
from tests.systemd_lab import SystemdLab

PORTS = {"sigil": 7070, "lightning": 7071}
EMPTY = "systemctl stop {service}; find /srv/{service} -mindepth 1 -not -name lost+found -delete"
"""What a broken store has damaged must not be the next test's."""
ENDS = {"hang-on-full": {"RuntimeMaxSec": "45"}}
"""One that hangs for good would keep its records from being deleted at the end, each until its own limit."""


def test_every_scenario_of_a_store_passes_and_nothing_is_left(systemd_lab: SystemdLab) -> None:
    before = residue(systemd_lab, "bluefin")
    all_passed(*run(systemd_lab, *NAMES))
    assert residue(systemd_lab, "bluefin").beyond(before) == []


@contextmanager
def broken(lab: SystemdLab, flaws: dict[str, str]) -> Iterator[None]:
    """Both services with those flaws, by a drop-in; without them afterwards."""
    with ExitStack() as stack:
        for service, flaw in flaws.items():
            settings = {"Environment": f"STACK_BREAK={flaw}", "RestartSec": "3", **ENDS.get(flaw, {})}
            stack.enter_context(lab.unit("bluefin", f"{service}.service", **settings))
            stack.callback(lab.on, "bluefin", "sh", "-euc", EMPTY.format(service=service))
            lab.on("bluefin", "systemctl", "restart", service)
            lab.on(
                "bluefin", "sh", "-euc", f"until curl -fs http://127.0.0.1:{PORTS[service]}/health; do sleep 0.1; done"
            )
        yield


def failed(result: Result) -> str:
    """What was seen of every expectation that was not met."""
    assert (result["outcome"], result["effect_proven"], result["revert_proven"]) == ("failed", True, True), result
    return "; ".join(f"{name}: {text}" for name, (outcome, text) in observed(result).items() if outcome == "fail")


PAIRS = [
    ({"sigil": "exit-on-full", "lightning": "no-read-only"}, ("sigil-disk-full", "lightning-read-only"),
     ("refuses: it is not there: ", "reads: it held for ")),
    ({"sigil": "hang-on-full", "lightning": "early-ack"}, ("sigil-disk-full", "lightning-disk-full"),
     ("refuses: it hangs: ", " acknowledged records are gone ")),
    ({"sigil": "shared-lock", "lightning": "corrupt"}, ("sigil-leveldb-lock", "lightning-disk-full"),
     ("a second process opened sigil, which its service holds open", " records are damaged ")),
]  # fmt: skip


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("flaws", "scenarios", "reasons"), PAIRS, ids=["exit-and-refuse", "hang-and-lose", "share-and-corrupt"]
)
def test_a_broken_store_fails_for_its_true_reason(
    systemd_lab: SystemdLab, flaws: dict[str, str], scenarios: tuple[str, str], reasons: tuple[str, str]
) -> None:
    before = residue(systemd_lab, "bluefin")
    with broken(systemd_lab, flaws):
        done, results = run(
            systemd_lab, *(hurried(systemd_lab, name, within_s=(30, 8)) for name in scenarios), hold_s=8
        )
    assert set(results) == set(scenarios), str(done)
    for scenario, reason in zip(scenarios, reasons, strict=True):
        assert reason in failed(results[scenario])
    assert residue(systemd_lab, "bluefin").beyond(before, *FAULT) == []
