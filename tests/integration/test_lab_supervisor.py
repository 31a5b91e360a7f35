"""The lab's supervisor with real processes: it restarts, counts and gives up as systemd does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.lab import systemctl
from console.lab.embedded import read_state
from console.lab.layout import NodeLayout
from console.lab.supervisor import Supervisor


class Node:
    """A supervisor on a folder of its own, with one service named `a`."""

    def __init__(self, layout: NodeLayout) -> None:
        self.layout = layout
        self.supervisor = Supervisor(layout, {"PATH": os.environ["PATH"], "HOME": str(layout.home)})

    def write(self, *lines: str) -> None:
        (self.layout.units / "a.service").write_text("\n".join(["[Service]", *lines, ""]))

    def state(self) -> dict[str, str]:
        return read_state(self.layout.state / "a.service")

    async def until(self, **wanted: str) -> dict[str, str]:
        deadline = time.monotonic() + 10
        while not wanted.items() <= self.state().items():
            assert time.monotonic() < deadline, self.state()
            await asyncio.sleep(0.01)
        return self.state()

    def kill(self, number: int) -> int:
        pid = int(self.state()["MainPID"])
        os.kill(pid, number)
        return pid

    def events(self, event: str) -> list[dict[str, object]]:
        lines = (self.layout.log / "supervisor.jsonl").read_text().splitlines()
        return [entry for entry in map(json.loads, lines) if entry["event"] == event]

    async def systemctl(self, *arguments: str) -> int:
        process = await asyncio.create_subprocess_exec(self.layout.bin / "systemctl", *arguments)
        return await asyncio.wait_for(process.wait(), 10)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    layout = NodeLayout(tmp_path / "node")
    layout.make()
    systemctl.install(layout)
    node = Node(layout)
    yield node
    await node.supervisor.shut_down()


async def test_a_killed_service_waits_restart_sec_and_is_counted(node: Node) -> None:
    node.write("ExecStart=sleep 1000", "Restart=on-failure", "RestartSec=1500ms")
    await node.supervisor.start()
    before = await node.until(SubState="running", NRestarts="0")
    pid, killed = node.kill(signal.SIGKILL), time.monotonic()
    waiting = await node.until(ActiveState="activating", SubState="auto-restart", MainPID="0", NRestarts="0")
    after = await node.until(SubState="running", NRestarts="1")
    assert (waiting["Result"], after["Result"]) == ("signal", "success")
    assert after["InvocationID"] != before["InvocationID"]
    death_s = int(after["ActiveExitTimestampMonotonic"]) / 1e6
    start_s = int(after["ExecMainStartTimestampMonotonic"]) / 1e6
    assert 1.5 <= start_s - death_s < 10
    [exited] = node.events("exited")
    assert (exited["pid"], exited["signal"], exited["unit"]) == (pid, 9, "a.service")
    assert exited["monotonic_s"] == pytest.approx(death_s, abs=1e-5)
    assert killed <= death_s < killed + 1


async def test_on_failure_does_not_restart_after_sigterm(node: Node) -> None:
    node.write("ExecStart=sleep 1000", "Restart=on-failure", "RestartSec=0")
    await node.supervisor.start()
    node.kill(signal.SIGTERM)
    assert (await node.until(ActiveState="inactive"))["Result"] == "success"
    await asyncio.sleep(0.1)
    assert node.state()["ActiveState"] == "inactive"


async def test_a_service_that_keeps_dying_hits_the_start_limit(node: Node) -> None:
    node.write("ExecStart=false", "Restart=always", "RestartSec=10ms", "StartLimitBurst=3", "StartLimitIntervalSec=60")
    await node.supervisor.start()
    await node.until(ActiveState="failed", Result="start-limit-hit")
    assert len(node.events("started")) == 3
    assert await node.systemctl("start", "a") == 1
    assert await node.systemctl("reset-failed", "a") == 0
    assert await node.systemctl("start", "a") == 0


async def test_a_manual_restart_counts_from_zero_and_blocks_until_active(node: Node) -> None:
    node.write("ExecStart=sleep 1000", "Restart=always", "RestartSec=0")
    await node.supervisor.start()
    node.kill(signal.SIGKILL)
    old = await node.until(SubState="running", NRestarts="1")
    assert await node.systemctl("restart", "a") == 0
    new = node.state()
    assert (new["ActiveState"], new["NRestarts"]) == ("active", "0")
    assert new["InvocationID"] != old["InvocationID"]


async def test_start_waits_for_an_automatic_restart_that_is_due(node: Node) -> None:
    node.write("ExecStart=sleep 1000", "Restart=always", "RestartSec=500ms")
    await node.supervisor.start()
    node.kill(signal.SIGKILL)
    await node.until(SubState="auto-restart")
    assert await node.systemctl("start", "a") == 0
    assert (node.state()["ActiveState"], node.state()["NRestarts"]) == ("active", "1")


async def test_stop_during_an_automatic_restart_leaves_it_down(node: Node) -> None:
    node.write("ExecStart=sleep 1000", "Restart=always", "RestartSec=200ms")
    await node.supervisor.start()
    node.kill(signal.SIGKILL)
    await node.until(SubState="auto-restart")
    assert await node.systemctl("stop", "a") == 0
    await asyncio.sleep(0.4)
    assert node.state()["ActiveState"] == "inactive"


async def test_a_process_that_ignores_the_stop_is_killed_and_fails_with_timeout(node: Node) -> None:
    node.write("""ExecStart=sh -c 'trap "" TERM; echo ready; while :; do sleep 0.1; done'""", "TimeoutStopSec=200ms")
    await node.supervisor.start()
    deadline = time.monotonic() + 5
    while not (node.layout.log / "a.log").read_text():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert await node.systemctl("stop", "a") == 0
    assert (node.state()["ActiveState"], node.state()["Result"]) == ("failed", "timeout")


async def test_an_edited_unit_file_counts_after_daemon_reload(node: Node) -> None:
    node.write("ExecStart=sleep 1000", "Restart=always", "RestartSec=0")
    await node.supervisor.start()
    node.write("ExecStart=sleep 1000", "Restart=no")
    assert await node.systemctl("daemon-reload") == 0
    node.kill(signal.SIGKILL)
    assert (await node.until(ActiveState="failed"))["Result"] == "signal"


async def test_systemctl_kill_sends_the_signal(node: Node) -> None:
    node.write("ExecStart=sleep 1000", "Restart=no")
    await node.supervisor.start()
    assert await node.systemctl("kill", "-s", "SIGUSR1", "a") == 0
    await node.until(ActiveState="failed")
    assert node.events("exited")[0]["signal"] == signal.SIGUSR1
    assert await node.systemctl("kill", "a") == 1


async def test_a_command_to_an_unknown_unit_is_exit_code_5(node: Node) -> None:
    node.write("ExecStart=sleep 1000")
    await node.supervisor.start()
    assert await node.systemctl("restart", "nix") == 5


async def test_a_program_that_is_not_there_fails_the_unit(node: Node) -> None:
    node.write("ExecStart=/no/such/program")
    await node.supervisor.start()
    assert (await node.until(ActiveState="failed"))["ExecMainStatus"] == "203"
