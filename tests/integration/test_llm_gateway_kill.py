"""A1 for real: what recovers is passed, and what does not is never called passed."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from tests.hurry import hurried
from tests.lab import Lab
from tests.trials import Console
from tests.truth import compare

A1 = "llm-gateway-kill"


def soon(lab: Lab) -> str:
    """A1, which waits for 2 s instead of 10 to call the gateway stable; as shipped it is in the first test."""
    return hurried(lab, A1, stable_for_s=2)


def impatient(lab: Lab) -> str:
    """A1, which also waits for a third of the time: what never comes back need not be waited for that long."""
    return hurried(lab, A1, stable_for_s=5, within_s=(30, 10))


@pytest.fixture(autouse=True)
def gateway_rests(lab: Lab) -> None:
    """One that was started often of late is not killed again: its start limit of 10 s would be exceeded."""
    age_s = time.monotonic() - int(lab.show("redfin", "llm-gateway", "ExecMainStartTimestampMonotonic")) / 1e6
    time.sleep(max(0.0, 11.0 - age_s))


def stored(lab: Lab, columns: str, name: str) -> str:
    """What thermal memory holds under that hash."""
    return lab.psql(f"select {columns} from thermal_memory_archive where memory_hash = '{name}'")


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
def test_a_gateway_that_comes_back_is_passed_with_a_true_recovery_time(lab: Lab, signal: str) -> None:
    compared = compare(lab, "--set", f"signal={signal}")
    assert compared.holds, str(compared)


def test_a_passed_run_says_all_that_the_result_object_promises(lab: Lab) -> None:
    done = lab.run(soon(lab))
    assert done.code == 0, str(done)
    result = done.result
    assert (result["outcome"], result["effect_proven"], result["revert_proven"]) == ("passed", True, True)
    assert result["thermal"]["delivered"] is True
    assert {item["outcome"] for item in result["expectations"]} == {"pass"}
    columns = "current_stage, temperature_score, sacred_pattern"
    assert stored(lab, columns, result["thermal"]["hash"]) == "FRESH|85|f"


def test_a_gateway_that_nothing_restarts_is_failed_and_restored_by_the_console(lab: Lab) -> None:
    with lab.unit("redfin", "llm-gateway.service", Restart="no"):
        done = lab.run(impatient(lab))
        assert (done.code, done.result["outcome"], done.result["reason"]) == (1, "failed", "expectation"), str(done)
        answers = done.result["metrics"]["redfin/answers:gateway-healthy"]
        assert (answers["min"], answers["max"]) == (0.0, 1.0)
        assert lab.show("redfin", "llm-gateway", "ActiveState") == "active"
    restored = [event for event in done.events if event["event"] == "restored"]
    assert [(event["service"], event["status"]) for event in restored] == [("llm-gateway", "pass")]
    assert "restored by the console" in stored(lab, "original_content", done.result["thermal"]["hash"])


def test_a_pattern_that_matches_nothing_is_fault_not_proven(lab: Lab) -> None:
    inventory = lab.dir / "other-pattern.yaml"
    inventory.write_text(lab.inventory_file.read_text().replace("uvicorn gateway:app", "uvicorn nothing:app"))
    done = lab.run(A1, "--inventory", str(inventory))
    assert (done.code, done.result["outcome"], done.result["reason"]) == (1, "failed", "fault-not-proven"), str(done)


def test_a_gateway_that_is_down_before_the_start_is_not_run(lab: Lab) -> None:
    lab.ssh("redfin", "systemctl stop llm-gateway")
    try:
        done = lab.run(A1)
    finally:
        lab.ssh("redfin", "systemctl start llm-gateway")
    assert (done.code, done.result["outcome"], done.result["reason"]) == (3, "not-run", "baseline"), str(done)
    assert not [event for event in done.events if event["event"] in ("injecting", "injected")]


@pytest.mark.parametrize("mode", ["unhealthy", "flapping"])
def test_a_gateway_that_restarts_but_does_not_stay_well_is_failed(lab: Lab, mode: str) -> None:
    with lab.unit("redfin", "llm-gateway.service", Environment=f"GATEWAY_MODE={mode}"):
        done = lab.run(impatient(lab))
    assert (done.code, done.result["outcome"], done.result["reason"]) == (1, "failed", "expectation"), str(done)


def test_a_write_up_waits_for_the_database_and_is_delivered_once(lab: Lab) -> None:
    console = Console(lab.start("run", soon(lab), "--attest", "all", "--json"))
    reader = threading.Thread(target=console.read)
    reader.start()
    assert console.reaches("observe", 60.0), console.lines[-5:]
    lab.ssh("bluefin", "systemctl stop postgresql")
    try:
        assert console.process.wait(90.0) == 0, console.lines[-5:]
        reader.join()
        console.close()
        thermal = json.loads(console.lines[-1])["thermal"]
        assert thermal["delivered"] is False
        refused = lab.gameday("outbox", "flush")
        assert refused.code != 0, str(refused)
    finally:
        lab.start_database()
    killed = lab.start("outbox", "flush")
    killed.kill()
    with killed:
        killed.communicate()
    assert lab.gameday("outbox", "flush").code == 0
    assert lab.gameday("outbox", "flush").code == 0
    assert stored(lab, "count(*)", thermal["hash"]) == "1"


def test_a_plan_runs_at_most_once(lab: Lab, tmp_path: Path) -> None:
    plan = str(tmp_path / "plan.json")
    assert lab.inside("plan", soon(lab), "-o", plan).code == 0
    assert lab.run(plan).code == 0
    again = lab.run(plan)
    assert again.code == 3
    assert "at most once" in again.err
