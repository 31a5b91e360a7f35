"""RecoveryWatch against what the lab itself saw, and against a console that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest

from console.nodes.ssh import SshNode
from console.probes.recovery import RecoveryWatch
from tests.lab import Lab
from tests.truth import truth_s

UNIT = "llm-gateway.service"
STABLE_S = 2.0


@pytest.fixture
async def redfin(lab: Lab) -> AsyncIterator[SshNode]:
    node = SshNode("redfin", lab.inventory.nodes["redfin"])
    await until(node, f"systemctl is-active -q {UNIT}")
    yield node
    await node.close()


def health(lab: Lab) -> str:
    return lab.inventory.nodes["redfin"].services["llm-gateway"].health


async def until(node: SshNode, command: str, limit_s: float = 20.0) -> None:
    async with asyncio.timeout(limit_s):
        while (await node.run(command)).exit_status != 0:
            await asyncio.sleep(0.1)


async def kill_and_wait(node: SshNode, watch: RecoveryWatch, signal: str = "KILL") -> None:
    """Kill the gateway, and wait until the watch has its answer."""
    await watch.start()
    await node.run(f'kill -{signal} "$(systemctl show -p MainPID --value {UNIT})"')
    async with asyncio.timeout(30):
        while watch.measured(STABLE_S) is None:
            await asyncio.sleep(0.1)
    await watch.stop()


@pytest.mark.parametrize("signal", ["TERM", "KILL"])
async def test_the_truth_lies_within_the_stated_error(lab: Lab, redfin: SshNode, signal: str) -> None:
    watch = RecoveryWatch(redfin, health(lab), unit=UNIT, lease_s=3.0)
    await kill_and_wait(redfin, watch, signal)
    measured = watch.measured(STABLE_S)
    assert measured is not None
    assert abs(measured.seconds - truth_s(lab)) <= measured.error_s <= 0.1
    assert sum(measured.breakdown.values()) == pytest.approx(measured.seconds)


async def test_without_bash_on_the_node_the_console_asks_and_says_so(
    lab: Lab, redfin: SshNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cannot(_: RecoveryWatch) -> bool:
        return False

    monkeypatch.setattr(RecoveryWatch, "_can_watch_there", cannot)
    watch = RecoveryWatch(redfin, health(lab), unit=UNIT, lease_s=3.0)
    await kill_and_wait(redfin, watch)
    measured = watch.measured(STABLE_S)
    assert measured is not None
    assert "asked by the console" in measured.how
    # It sees the answers only: a little less or more than from the process' end.
    assert measured.seconds == pytest.approx(truth_s(lab), abs=0.5)


async def test_a_page_that_stays_bad_is_no_recovery(lab: Lab, redfin: SshNode) -> None:
    with lab.unit("redfin", UNIT, Environment="GATEWAY_MODE=unhealthy"):
        watch = RecoveryWatch(redfin, health(lab), unit=UNIT, lease_s=3.0)
        await watch.start()
        await redfin.run(f'kill -KILL "$(systemctl show -p MainPID --value {UNIT})"')
        await asyncio.sleep(4)
        assert watch.measured(0.5) is None
        assert watch.why == "it never got well again", vars(watch._seen)
        await watch.stop()
    await until(redfin, f"systemctl is-active -q {UNIT}")


async def test_a_node_out_of_reach_is_said_and_does_not_raise(lab: Lab, redfin: SshNode) -> None:
    nowhere = SshNode("nowhere", msgspec.structs.replace(redfin.spec, port=1))
    watch = RecoveryWatch(nowhere, health(lab), unit=UNIT)
    await watch.start()
    assert watch.measured(STABLE_S) is None
    assert "nowhere" in watch.why
    await watch.stop()
    await nowhere.close()


async def test_the_watchers_end_by_themselves_when_the_console_falls_silent(lab: Lab, redfin: SshNode) -> None:
    watch = RecoveryWatch(redfin, health(lab), unit=UNIT, lease_s=3.0)
    await watch.start()
    for task in watch._tasks:
        if "beat" in task.get_name():
            task.cancel()
    stream = watch._stream
    assert stream is not None
    async with asyncio.timeout(5):
        assert await stream.wait() is not None
    await watch.stop()


async def test_stop_leaves_no_process(lab: Lab, redfin: SshNode) -> None:
    watch = RecoveryWatch(redfin, health(lab), unit=UNIT, lease_s=3.0)
    bashes = "grep -lsx bash /proc/[0-9]*/comm | sed s/comm/environ/"
    marked = f'grep -lsz "GAMEDAY_LAB=$GAMEDAY_LAB" $({bashes}) | wc -l'
    before = (await redfin.run(marked)).stdout
    await watch.start()
    assert (await redfin.run(marked)).stdout != before
    await watch.stop()
    await asyncio.sleep(0.5)
    assert (await redfin.run(marked)).stdout == before
