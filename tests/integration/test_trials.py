"""Trials for real: each a run of its own, all under one signature, and nothing more is broken after an abort."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from console.session import Session
from console.terms import Outcome
from console.trials import Trials
from tests.approvals import approved
from tests.integration.test_suites import LOOK, log_of, row_of
from tests.lab import Lab

TWITCH = """\
name: twitch
title: Restart the heartbeat
category: service
risk: {risk}
purpose: p
hypothesis: h
rollback: r
method:
  - {{node: redfin, service: ganuda-heartbeat, fault: {{kind: service-restart}}}}
expectations:
  - id: active
    title: Active again
    probe: {{probe: service, node: redfin, service: ganuda-heartbeat}}
    within_s: 20
    stable_for_s: 1
observe_s: 20
"""


def twitch(lab: Lab, risk: str) -> str:
    """The quickest fault there is, as a scenario of that risk."""
    file = lab.root / f"twitch-{risk}.yaml"
    file.write_text(TWITCH.format(risk=risk))
    return str(file)


def test_each_trial_is_a_run_of_its_own_and_all_leave_one_row_with_the_rate(lab: Lab) -> None:
    look = lab.root / "look-often.yaml"
    look.write_text(
        LOOK.format(name="look-often", suite="often", node="redfin").replace("observe_s: 10", "observe_s: 1")
    )
    done = lab.gameday("run", str(look), "--trials", "3", "--attest", "all")
    assert done.code == 0, str(done)
    lines = done.out.splitlines()
    runs = [re.fullmatch(r"✓ PASS trial (\d) of 3: .+ \(run ([a-z0-9]{8}t\d)\)", line) for line in lines[1:7:2]]
    assert [found[1] for found in runs if found] == ["1", "2", "3"], done.out
    assert lines[4].startswith("2 of 2 passed: 100 % (34.2-100 %), 1 to come, about ")
    plan = lines[0].rpartition(" ")[2][:8]
    assert f"3 trials of look-often, plan {plan}: PASS\n✓✓✓\n3 of 3 trials passed: 100 %, above the bar" in done.out
    row = re.findall(rf"CHAOS-TEST-RESULTS-\d{{12}}-{plan}", done.out)[0]
    assert row_of(lab, row) == "FRESH|90|t"
    assert "its 95 % interval, 43.9-100 %, begins below it" in row_of(lab, row, "original_content")
    listed = lab.inside("runs", "list").out
    assert all(f"{plan}t{number}" in listed for number in (1, 2, 3))
    assert "trial 2 of 3" in lab.inside("runs", "show", f"{plan}t2").out
    assert "] PASS: 3 trials of look-often" in log_of(lab)[-1]


def test_one_approval_holds_for_all_trials_of_the_signed_plan_and_for_each_once(lab: Lab) -> None:
    signed = approved(lab, twitch(lab, "medium"), "--trials", "2")
    done = lab.run(*signed)
    assert done.code == 0, str(done)
    told = done.result
    assert (told["trials"], told["passed"], told["failed"], told["not_run"], told["rate"]) == (2, 2, 0, 0, 1.0)
    assert (told["bar"], told["exit_code"], told["interval"][1]) == (0.95, 0, 1.0)
    results = [event for event in done.events if "outcome" in event and "expectations" in event]
    assert [result["run"] for result in results] == [f"{told['run']}t1", f"{told['run']}t2"]
    assert {result["digest"] for result in results} == {told["digest"]}
    assert len([event for event in done.events if event.get("event") == "injected"]) == 2
    again = lab.run(*signed)
    assert (again.code, again.out) == (3, ""), str(again)
    assert f"run {told['run']}t1 was started before" in again.err


async def test_an_abort_in_the_console_takes_back_the_trial_that_is_on_and_begins_no_other(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(lab.state))
    session = Session(lab.inventory_file)
    await session.open()
    try:
        handle = await session.prepare(twitch(lab, "low"), {"trials": "4"})
        assert isinstance(handle, Trials)
        await handle.ready()
        for item in list(handle.state.pre.values()):
            if not item.brief.automatic:
                await handle.tick(item.brief.id, "seen")
        await handle.launch(handle.launch_word)
        aborting: list[asyncio.Task[None]] = []

        def abort_in_the_second(_: object) -> None:
            if handle.plan.trial == 2 and handle.state.injected_at_s and not aborting:
                aborting.append(asyncio.ensure_future(handle.abort("that is enough")))

        handle.listen(abort_in_the_second)
        told = await handle.all_over()
    finally:
        await session.close()
    outcomes = [trial.entry.outcome for trial in handle.progress.done]
    assert outcomes == [Outcome.PASSED, Outcome.ABORTED], handle.progress
    assert (told.passed, told.failed, told.not_run, told.exit_code) == (1, 1, 2, 4)
    assert told.delivered
    notify = lab.inventory.checks.notify
    assert notify
    told_tpm = Path(notify.command[-1]).read_text()
    assert told_tpm.count(f"(4 trials, runs {told.run}t...") == 1, "one message for all trials"
    assert lab.marked() == []
    assert "2 not begun: that is enough" in row_of(lab, told.hash, "original_content")
