"""Suites for real: what was run and what was not, in the log, on the terminal and in one row of thermal memory."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGCONT, SIGINT, SIGSTOP

import pytest
import yaml

from tests.approvals import approved
from tests.lab import Done, Lab
from tests.trials import LEASE_S, Console

LOOK = """\
name: {name}
title: Look at the gateway
category: observation
risk: low
purpose: p
hypothesis: h
rollback: r
suites: [{suite}]
expectations:
  - id: healthy
    title: The gateway answers
    probe: {{probe: http, node: {node}, service: llm-gateway}}
observe_s: 10
"""


@contextmanager
def with_scenarios(lab: Lab, suite: str, *files: Path, looks: dict[str, str], **changes: object) -> Iterator[str]:
    """An inventory with own scenarios, all in that suite: copies of shipped ones, and looks at a node's gateway."""
    folder = lab.dir / f"scenarios-{suite}"
    folder.mkdir()
    for file in files:
        text = re.sub(r"^(name: )", rf"\1{suite}-", file.read_text(), flags=re.MULTILINE)
        text = re.sub(r"^suites: .*$", f"suites: [{suite}]", text, flags=re.MULTILINE)
        text = re.sub(r"^runbook: .*\n", "", text, flags=re.MULTILINE)
        (folder / f"{suite}-{file.name}").write_text(text)
    for name, node in looks.items():
        (folder / f"{name}.yaml").write_text(LOOK.format(name=name, suite=suite, node=node))
    content = {**yaml.safe_load(lab.inventory_file.read_text()), "scenarios": folder.name, **changes}
    inventory = lab.dir / f"{suite}.yaml"
    inventory.write_text(yaml.safe_dump({key: value for key, value in content.items() if value is not None}))
    yield str(inventory)


def shipped(name: str) -> Path:
    return Path(__file__).parents[2] / "scenarios" / f"{name}.yaml"


def log_of(lab: Lab) -> list[str]:
    file = lab.state / "gameday.log"
    return file.read_text().splitlines() if file.exists() else []


def row_of(lab: Lab, name: str, columns: str = "current_stage, temperature_score, sacred_pattern") -> str:
    return lab.psql(f"select {columns} from thermal_memory_archive where memory_hash = '{name}'")


def hash_in(done: Done) -> str:
    found = re.search(r"CHAOS-TEST-RESULTS-\d{12}-[a-z0-9]{8}", done.out)
    assert found, str(done)
    return found[0]


def test_the_gateway_suite_leaves_a_log_line_with_its_time_and_one_row_for_the_game_day(lab: Lab) -> None:
    before = log_of(lab)
    done = lab.run("suite:gateway")
    assert done.code == 0, str(done)
    (line,) = log_of(lab)[len(before) :]
    assert re.fullmatch(
        r"\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] PASS: llm-gateway-kill \(run [a-z0-9]{8}\), "
        r"recovered in \d+\.\d\d s ± \d\.\d\d: .+",
        line,
    ), line
    told = done.result
    assert (told["suite"], told["passed"], told["failed"], told["skipped"]) == ("gateway", 1, 0, 0)
    assert (told["exit_code"], told["delivered"]) == (0, True)
    assert told["tests"][0]["figure"] in line
    assert told["tests"][0]["recovered_s"] > 0
    assert row_of(lab, told["hash"]) == "FRESH|90|t"
    content = row_of(lab, told["hash"], "original_content")
    assert f"✓ PASS llm-gateway-kill (run {told['tests'][0]['run']}): {told['tests'][0]['figure']}" in content
    assert "Issues found\n- none\n\nRunbook updates needed\n- none" in content
    result = next(event for event in done.events if "outcome" in event and "expectations" in event)
    assert result["thermal"]["delivered"] is True
    assert lab.gameday("outbox", "list").out.startswith("✓ nothing waits")


def test_the_connections_suite_only_observes_and_tells_first_and_most(lab: Lab) -> None:
    done = lab.run("suite:connections")
    assert done.code == 0, str(done)
    (test,) = done.result["tests"]
    assert test["scenario"] == "connections-observe"
    assert re.fullmatch(r"federation: \d+ connections at first, \d+ at most of 60", test["figure"])
    assert not [event for event in done.events if event.get("event") in ("injecting", "injected")]
    assert test["figure"] in row_of(lab, done.result["hash"], "original_content")
    assert test["figure"] in log_of(lab)[-1]


def test_what_cannot_be_run_is_skipped_with_its_reason_and_the_rest_is_run(lab: Lab) -> None:
    looks = {"look": "redfin", "look-elsewhere": "whitefin"}
    with with_scenarios(lab, "mixed", shipped("pg-connection-exhaustion"), looks=looks) as inventory:
        done = lab.gameday("run", "suite:mixed", "--attest", "all", "--inventory", inventory)
    assert done.code == 3, str(done)
    lines = log_of(lab)[-3:]
    assert [line.partition("] ")[2].split(" ")[:2] for line in lines] == [
        ["PASS:", "look"], ["SKIP:", "look-elsewhere:"], ["SKIP:", "mixed-pg-connection-exhaustion"],
    ]  # fmt: skip
    assert "no node is named 'whitefin'" in lines[1]
    assert "approv" in lines[2]
    table = done.out.partition("\nsuite mixed\n")[2]
    assert "1 passed, 0 failed, 2 skipped" in table
    assert [row.split()[:3] for row in table.splitlines()[1:4]] == [
        ["look", "✓", "PASS"], ["look-elsewhere", "○", "SKIP"], ["mixed-pg-connection-exhaustion", "○", "SKIP"],
    ]  # fmt: skip
    assert f"✓ delivered: {hash_in(done)}" in table
    assert row_of(lab, hash_in(done)) == "FRESH|90|t"


def test_an_approved_plan_takes_its_scenarios_place_in_the_suite(lab: Lab) -> None:
    done = lab.run("suite:connections-exhaust", *approved(lab, "pg-connection-exhaustion", "--set", "hold_s=5"))
    assert done.code == 0, str(done)
    (test,) = done.result["tests"]
    assert (test["scenario"], test["outcome"]) == ("pg-connection-exhaustion", "passed")
    assert test["figure"].endswith("57 at most of 60")


def ask_to_stop(console: Console) -> None:
    console.process.send_signal(SIGINT)


def pause_for_longer_than_the_lease(console: Console) -> None:
    console.process.send_signal(SIGSTOP)
    time.sleep(LEASE_S + 2)
    console.process.send_signal(SIGCONT)


@pytest.mark.parametrize(
    ("suite", "interrupt", "why"),
    [
        ("cut", ask_to_stop, "SIGINT at the console"),
        ("paused", pause_for_longer_than_the_lease, "nothing more is broken after paused-llm-gateway-kill, aborted"),
    ],
)
def test_after_an_abort_nothing_more_is_broken_and_the_rest_is_told(
    lab: Lab, suite: str, interrupt: Callable[[Console], None], why: str
) -> None:
    lab.start_gateway()
    runs = len(list((lab.state / "runs").iterdir())) if (lab.state / "runs").exists() else 0
    with with_scenarios(lab, suite, shipped("llm-gateway-kill"), shipped("service-stack-restart"), looks={}) as file:
        args = ("run", f"suite:{suite}", "--attest", "all", "--json", "--inventory", file)
        console = Console(lab.start(*args))
        reader = threading.Thread(target=console.read, daemon=True)
        reader.start()
        assert console.reaches("observe", 60)
        interrupt(console)
        code = console.process.wait(60)
        reader.join(10)
        console.close()
    done = Done(code, "\n".join(console.lines), "")
    assert done.code == 4, str(done)
    lines = log_of(lab)[-2:]
    assert f"] FAIL: {suite}-llm-gateway-kill (run " in lines[0]
    assert f"] SKIP: {suite}-service-stack-restart: not begun: {why}" in lines[1]
    assert len(list((lab.state / "runs").iterdir())) == runs + 1
    assert [(test["scenario"], test["outcome"]) for test in done.result["tests"]] == [
        (f"{suite}-llm-gateway-kill", "aborted"),
        (f"{suite}-service-stack-restart", "not-run"),
    ]
    assert row_of(lab, done.result["hash"]) == "FRESH|90|t"


def test_a_suite_in_which_nothing_was_run_leaves_no_row(lab: Lab) -> None:
    before = lab.psql("select count(*) from thermal_memory_archive")
    with with_scenarios(lab, "nothing", shipped("pg-connection-exhaustion"), looks={}) as inventory:
        done = lab.run("suite:nothing", "--inventory", inventory)
    assert (done.code, done.result["skipped"], done.result["hash"]) == (3, 1, ""), str(done)
    assert lab.psql("select count(*) from thermal_memory_archive") == before


def test_while_the_database_is_down_the_row_waits_and_is_delivered_once(lab: Lab) -> None:
    with with_scenarios(lab, "down", looks={"look-down": "redfin"}, checks=None) as inventory:
        lab.ssh("bluefin", "systemctl stop postgresql")
        try:
            down = "baseline-documented=the database is down, and the gateway is to be looked at all the same"
            done = lab.run("suite:down", "--override", down, "--inventory", inventory)
            listed = lab.gameday("outbox", "list").out
        finally:
            lab.start_database()
    told = done.result
    assert (told["delivered"], told["tests"][0]["outcome"]) == (False, "passed"), str(done)
    assert f"○ queued {told['hash']}: Chaos test results: 1 passed, 0 failed, 0 skipped, suite down" in listed
    flush = [lab.start("outbox", "flush") for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in flush]
    assert lab.gameday("outbox", "list").out.startswith("✓ nothing waits"), said
    assert row_of(lab, told["hash"], "count(*), min(temperature_score), bool_and(sacred_pattern)") == "1|90|t"
