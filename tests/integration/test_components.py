"""worker-kill, eventbus-delay and adapter-error for real: from outside and by the application's own endpoints."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.hurry import hurried, observed, sentence, verdict
from tests.integration.sites import KINDS
from tests.lab import Lab
from tests.systemd_lab import SystemdLab

HELD = ("--set", "hold_s=5")
PASSED = (0, "passed", "")
LABS = ["lab", "systemd_lab"] if "systemd" in KINDS else ["lab"]


@pytest.mark.parametrize("kind", LABS)
def test_a_worker_a_bus_and_an_adapter_break_from_outside_and_heal(kind: str, request: pytest.FixtureRequest) -> None:
    running: Lab | SystemdLab = request.getfixturevalue(kind)
    killed = running.run("worker-kill")
    assert verdict(killed) == PASSED, str(killed)
    held = running.gameday("run", "eventbus-delay", "adapter-error", *HELD, "--attest", "all")
    assert held.code == 0, str(held)
    assert len(re.findall(r"^passed: ", held.out, re.MULTILINE)) == 2
    took = [int(ms) for ms in re.findall(r"port \d+: a round trip took (\d+) ms", held.out)]
    assert took
    assert min(took) >= 1000
    assert "a connect is refused within 1 s" in held.out


def test_the_applications_own_endpoints_do_the_same_and_the_token_is_nowhere_else(lab: Lab) -> None:
    token = (lab.dir / "bluefin/home/dev-token").read_text()
    words = ("run", "eventbus-delay", "adapter-error", *HELD, "--set", "via=endpoint", "--attest", "all")
    done = lab.gameday(*words)
    assert done.code == 0, str(done)
    assert 'the application says: {"faults": ["eventbus"]}' in done.out
    assert 'the application says: {"faults": ["adapter"]}' in done.out
    assert token not in done.out + done.err
    found = subprocess.run(["grep", "-rlF", token, lab.root], capture_output=True, text=True, check=False).stdout
    assert found.split() == [str(lab.dir / "bluefin/home/dev-token")]


def test_a_token_that_others_may_read_is_not_used(lab: Lab) -> None:
    file = lab.dir / "bluefin/home/dev-token"
    file.chmod(0o644)
    try:
        done = lab.run("adapter-error", "--set", "via=endpoint")
    finally:
        file.chmod(0o600)
    assert verdict(done) == (3, "not-run", "refused"), str(done)
    assert f"{file} holds a token and others may read it: chmod 600" in sentence(done)


def test_a_worker_that_is_never_replaced_is_failed_with_the_true_reason(lab: Lab) -> None:
    with lab.unit("bluefin", "jobs.service", Environment="STACK_BREAK=no-respawn"):
        lab.ssh("bluefin", "systemctl restart jobs.service")
        assert lab.wait_until(lambda: "jobs_workers 3" in lab.ssh("bluefin", METRICS.format(port(lab))), 15)
        done = lab.run(hurried(lab, "worker-kill", within_s=(10, 4)))
    assert verdict(done) == (1, "failed", "expectation"), str(done)
    assert sentence(done) == (
        "Another worker took its place, under the same main process: not met within 4 s: "
        "2 of 3 processes are there, 0 new"
    )
    missed = {name for name, outcome in observed(done).items() if outcome != "pass"}
    assert missed == {"replaced", "counted"}


METRICS = "curl -s http://127.0.0.1:{}/metrics || :"


def port(lab: Lab) -> int:
    content = yaml.safe_load(lab.inventory_file.read_text())
    return int(content["nodes"]["bluefin"]["services"]["jobs"]["metrics"].split(":")[2].partition("/")[0])


def test_what_is_marked_production_is_refused(lab: Lab) -> None:
    content = yaml.safe_load(lab.inventory_file.read_text())
    content["nodes"]["bluefin"]["services"]["jobs"]["production"] = True
    inventory = lab.dir / "production.yaml"
    inventory.write_text(yaml.safe_dump(content))
    try:
        for scenario in ("worker-kill", "eventbus-delay", "adapter-error"):
            done = lab.gameday("run", scenario, "--attest", "all", "--inventory", str(inventory))
            assert done.code == 3, str(done)
            assert "jobs on bluefin is marked production in the inventory" in done.out + done.err
    finally:
        inventory.unlink()
