"""The components' experiments in the embedded lab: from outside and by the application's own endpoint."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from tests.hurry import hurried, observed, sentence, verdict
from tests.lab import Lab
from tests.receiver import SECRET, receiving


def test_a_worker_and_a_bus_break_from_outside_and_heal(lab: Lab) -> None:
    killed = lab.run("worker-kill")
    assert verdict(killed) == (0, "passed", ""), str(killed)
    slow = lab.gameday("run", "eventbus-delay", "--set", "hold_s=8", "--attest", "all")
    assert slow.code == 0, str(slow)
    took = [int(ms) for ms in re.findall(r"port \d+: a round trip took (\d+) ms", slow.out)]
    assert took
    assert min(took) >= 1000


def test_the_applications_own_endpoint_does_the_same_and_the_token_is_nowhere_else(lab: Lab) -> None:
    token = (lab.dir / "bluefin/home/dev-token").read_text()
    done = lab.gameday("chaos", "component", "adapter", "--target", "bluefin/jobs", "--for", "6s", "--via", "endpoint")
    assert done.code == 0, str(done)
    assert 'the application says: {"faults": ["adapter"]}' in done.out
    assert token not in done.out + done.err
    found = subprocess.run(["grep", "-rlF", token, lab.root], capture_output=True, text=True, check=False).stdout
    assert found.split() == [str(lab.dir / "bluefin/home/dev-token")]


def test_a_worker_that_is_never_replaced_is_failed_with_the_true_reason_and_people_are_told(lab: Lab) -> None:
    content = yaml.safe_load(lab.inventory_file.read_text())
    inventory = lab.dir / "notifying.yaml"
    with receiving() as receiver, lab.unit("bluefin", "jobs.service", Environment="STACK_BREAK=no-respawn"):
        lab.ssh("bluefin", "systemctl restart jobs.service")
        assert lab.wait_until(lambda: "jobs_workers 3" in lab.ssh("bluefin", METRICS.format(port(lab))), 15)
        content["notify"] = {"urls": [receiver.url("page"), f"nonsense://{SECRET}"]}
        inventory.write_text(yaml.safe_dump(content))
        scenario = Path(hurried(lab, "worker-kill", within_s=(10, 4)))
        scenario.write_text(scenario.read_text().replace("within_s: 60", "within_s: 6"))
        done = lab.run(str(scenario), "--inventory", str(inventory))
        inventory.unlink()
    assert verdict(done) == (1, "failed", "expectation"), str(done)
    assert sentence(done) == (
        "Another worker took its place, under the same main process: not met within 4 s: "
        "2 of 3 processes are there, 0 new"
    )
    (got,) = receiver.got
    assert got["title"] == "gameday: worker-kill FAILED (expectation)"
    assert got["message"].startswith(sentence(done))
    found = [event["text"] for event in done.events if event["event"] == "finding"]
    assert "not notified by nonsense: apprise does not understand this URL" in found
    assert SECRET not in done.out + done.err
    missed = {name for name, outcome in observed(done).items() if outcome == "fail"}
    assert missed == {"replaced", "counted", "alert-clears"}


METRICS = "curl -s http://127.0.0.1:{}/metrics || :"


def port(lab: Lab) -> int:
    content = yaml.safe_load(lab.inventory_file.read_text())
    return int(content["nodes"]["bluefin"]["services"]["jobs"]["metrics"].split(":")[2].partition("/")[0])


def test_a_run_on_production_ends_before_anything_is_touched(lab: Lab) -> None:
    def state() -> list[str]:
        processes = [lab.show("bluefin", unit, "MainPID") for unit in ("jobs", "sigil")]
        return processes + sorted(str(path) for path in (lab.dir / "bluefin" / "run").rglob("*"))

    content = yaml.safe_load(lab.inventory_file.read_text())
    content["nodes"]["bluefin"]["services"]["jobs"]["production"] = True
    inventory = lab.dir / "production.yaml"
    inventory.write_text(yaml.safe_dump(content))
    before = state()
    try:
        done = lab.run("worker-kill", "--inventory", str(inventory))
    finally:
        inventory.unlink()
    assert verdict(done) == (3, "not-run", "refused"), str(done)
    assert "jobs on bluefin is marked production in the inventory" in done.out + done.err
    assert not {"arm", "baseline", "inject"} & {event.get("phase") for event in done.events}
    assert state() == before
