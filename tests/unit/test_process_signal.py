"""process-signal: run with real shells against real processes under the lab's supervisor."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.errors import Refused
from console.faults.base import Target
from console.faults.process_signal import ProcessSignal
from tests.unit.supervised import PATTERN, SHELLS, SupervisedNode, supervised

UNIT = "gateway.service"


def target(pattern: str = PATTERN, unit: str = UNIT) -> Target:
    return Target(node="redfin", run="abcdefgh", units=(unit,), process=pattern)


def started(pid: str) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


@pytest.fixture(params=SHELLS)
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SupervisedNode]:
    units = {"gateway": "Restart=always\nRestartSec=0.3", "fragile": "Restart=no", "other": "Restart=no"}
    async with supervised(tmp_path, request.param, units) as node:
        yield node


async def test_the_signalled_process_is_gone_and_named(node: SupervisedNode) -> None:
    scripts = ProcessSignal(signal="KILL").scripts(target())
    before = await node.show(UNIT, "MainPID")
    assert (await node.run(scripts, "inject")).code == 0
    await node.until(UNIT, "NRestarts", "1")
    effect = await node.run(scripts, "effect")
    assert effect.code == 0
    assert effect.said == f"pid {before} is gone (now {await node.show(UNIT, 'MainPID')})"


async def test_the_same_process_is_no_effect(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target())
    pid = await node.show(UNIT, "MainPID")
    await node.run(scripts, "inject")
    await node.until(UNIT, "NRestarts", "1")
    pid = await node.show(UNIT, "MainPID")
    start = started(pid)
    (node.run_dir / "victims").write_text(f"{pid} {start}\n")
    effect = await node.run(scripts, "effect")
    assert (effect.code, effect.said) == (1, f"pid {pid} is still there")


async def test_a_pid_that_is_another_process_by_now_counts_as_gone(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target())
    node.run_dir.mkdir(parents=True)
    (node.run_dir / "victims").write_text(f"{os.getpid()} 1\n")
    assert (await node.run(scripts, "effect")).code == 0


async def test_a_pattern_that_matches_nothing_fails_with_a_sentence(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target("gunicorn"))
    ran = await node.run(scripts, "inject")
    assert ran.code == 1
    assert ran.said == f"no process of {UNIT} has 'gunicorn' in its command line: nothing was signalled"
    assert (await node.run(scripts, "effect")).code == 1


async def test_only_processes_of_the_unit_are_signalled(node: SupervisedNode) -> None:
    scripts = ProcessSignal(signal="KILL").scripts(target())
    others = [await node.show(f"{name}.service", "MainPID") for name in ("fragile", "other")]
    stranger = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)", PATTERN)
    try:
        assert (await node.run(scripts, "inject")).code == 0
        assert stranger.returncode is None
        assert [await node.show(f"{name}.service", "MainPID") for name in ("fragile", "other")] == others
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_child_of_the_main_process_is_found(tmp_path: Path) -> None:
    async with supervised(tmp_path, SHELLS[0], {"gateway": "ExecStart=/bin/sh -c 'n=6; sleep ${n}1 & wait'"}) as node:
        main = await node.show(UNIT, "MainPID")
        ran = await node.run(ProcessSignal(signal="KILL").scripts(target("sleep 61")), "inject")
        assert ran.code == 0, ran.said
        (victim,) = (node.run_dir / "victims").read_text().splitlines()
        assert victim.split()[0] != main


async def test_revert_leaves_what_came_back_by_itself_alone(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target())
    await node.run(scripts, "inject")
    await node.until(UNIT, "NRestarts", "1")
    invocation = await node.show(UNIT, "InvocationID")
    revert = await node.run(scripts, "revert")
    assert (revert.code, revert.said) == (0, "")
    assert await node.show(UNIT, "InvocationID") == invocation


async def test_revert_starts_what_stayed_down_and_says_so(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target(unit="fragile.service"))
    await node.run(scripts, "inject")
    await node.until("fragile.service", "ActiveState", "inactive")
    revert = await node.run(scripts, "revert")
    assert (revert.code, revert.said) == (0, "restored: fragile.service")
    assert await node.show("fragile.service", "ActiveState") == "active"
    assert (await node.run(scripts, "revert")).said == ""


async def test_revert_never_starts_a_unit_that_was_down_before(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target(unit="fragile.service"))
    await node.systemctl("stop", "fragile.service")
    assert (await node.run(scripts, "inject")).code == 1
    assert (await node.run(scripts, "revert")).code == 0
    assert await node.show("fragile.service", "ActiveState") == "inactive"


async def test_revert_does_not_start_a_unit_that_was_being_stopped(tmp_path: Path) -> None:
    stubborn = "ExecStart=/bin/sh -c 'trap : TERM; while :; do sleep 61; done' stubborn\nTimeoutStopSec=30"
    async with supervised(tmp_path, SHELLS[0], {"gateway": stubborn}) as node:
        scripts = ProcessSignal(signal="KILL").scripts(target("stubborn"))
        await asyncio.sleep(0.3)  # until the shell has set its trap
        stop = asyncio.create_task(node.systemctl("stop", UNIT))
        await node.until(UNIT, "ActiveState", "deactivating")
        assert (await node.run(scripts, "inject")).code == 0
        await stop
        assert (await node.run(scripts, "revert")).said.startswith("nothing was done")
        assert await node.show(UNIT, "ActiveState") != "active"


async def test_nothing_is_left_behind(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target())
    await node.run(scripts, "inject")
    clean = await node.run(scripts, "clean")
    assert (clean.code, clean.said) == (0, "")


async def test_an_inject_that_still_runs_is_a_trace(node: SupervisedNode) -> None:
    scripts = ProcessSignal().scripts(target())
    node.run_dir.mkdir(parents=True)
    marked = {**node.environment(), "GAMEDAY_FAULT": f"process-signal {node.layout.run}/another/0"}
    left = await asyncio.create_subprocess_exec("sleep", "60", env=marked)
    try:
        clean = await node.run(scripts, "clean")
        assert (clean.code, clean.said) == (1, f"processes of process-signal are left: {left.pid}")
    finally:
        left.kill()
        await left.wait()


async def test_preflight_refuses_a_unit_that_is_down(node: SupervisedNode) -> None:
    await node.systemctl("stop", UNIT)
    preflight = await node.run(ProcessSignal().scripts(target()), "preflight")
    assert (preflight.code, preflight.said) == (1, f"{UNIT} is inactive, not active")


async def test_preflight_refuses_when_the_start_limit_would_be_exhausted(tmp_path: Path) -> None:
    units = {"gateway": "Restart=always\nRestartSec=0.05\nStartLimitBurst=3\nStartLimitIntervalSec=30"}
    async with supervised(tmp_path, SHELLS[0], units) as node:
        scripts = ProcessSignal(signal="KILL").scripts(target())
        assert (await node.run(scripts, "preflight")).code == 0
        for count in ("1", "2"):
            await node.run(scripts, "inject")
            await node.until(UNIT, "NRestarts", count)
            await node.until(UNIT, "ActiveState", "active")
        preflight = await node.run(scripts, "preflight")
        assert preflight.code == 1
        assert "one more may exceed its start limit of 3 in 30 s; wait" in preflight.said


@pytest.mark.parametrize(
    ("signal", "restart", "warned"),
    [("TERM", "always", False), ("TERM", "on-failure", True), ("KILL", "on-failure", False), ("KILL", "no", True)],
)
async def test_preflight_warns_when_restart_does_not_cover_the_signal(
    tmp_path: Path, signal: str, restart: str, warned: bool
) -> None:
    async with supervised(tmp_path, SHELLS[0], {"gateway": f"Restart={restart}"}) as node:
        fault = ProcessSignal(signal="TERM" if signal == "TERM" else "KILL")
        preflight = await node.run(fault.scripts(target()), "preflight")
        assert preflight.code == 0
        assert preflight.said.startswith("warning: ") is warned


def test_the_ssh_server_is_never_a_target() -> None:
    with pytest.raises(Refused, match="never a target"):
        ProcessSignal().scripts(target(unit="ssh.service"))
