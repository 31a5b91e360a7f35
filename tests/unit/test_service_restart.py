"""service-restart: run with real shells against real processes under the lab's supervisor."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.faults.base import Scripts, Target
from console.faults.service_restart import ServiceRestart
from tests.unit.supervised import SHELLS, SupervisedNode, supervised

UNITS = ("one.service", "two.service")


def scripts(*units: str, pause_s: float = 0.2) -> Scripts:
    return ServiceRestart(pause_s=pause_s).scripts(Target(node="redfin", run="abcdefgh", units=units or UNITS))


@pytest.fixture(params=SHELLS)
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SupervisedNode]:
    units = {"one": "Restart=always", "two": "Restart=no", "dead": "Restart=no\nExecStart=/nonexistent"}
    async with supervised(tmp_path, request.param, units) as node:
        yield node


async def test_each_service_gets_a_new_invocation_and_a_time(node: SupervisedNode) -> None:
    before = [await node.show(unit, "InvocationID") for unit in UNITS]
    assert (await node.run(scripts(), "inject")).code == 0
    effect = await node.run(scripts(), "effect")
    assert effect.code == 0
    assert re.fullmatch(r"one\.service \d\.\d\d s; two\.service \d\.\d\d s", effect.said)
    for unit, old in zip(UNITS, before, strict=True):
        assert await node.show(unit, "InvocationID") != old
        assert await node.show(unit, "ActiveState") == "active"


async def test_effect_tells_how_far_it_is(node: SupervisedNode) -> None:
    slow = scripts(pause_s=1.5)
    inject = asyncio.create_task(node.run(slow, "inject"))
    await node.until("one.service", "NRestarts", "0")
    async with asyncio.timeout(10):
        while (effect := await node.run(slow, "effect")).said != "in progress: 1 of 2":
            await asyncio.sleep(0.05)
    assert effect.code == 3
    assert (await inject).code == 0
    assert (await node.run(slow, "effect")).code == 0


async def test_a_service_that_was_not_restarted_is_named(node: SupervisedNode) -> None:
    both = scripts("one.service", "absent.service")
    await node.run(both, "inject")
    effect = await node.run(both, "effect")
    assert effect.code == 1
    assert effect.said.splitlines()[-1] == "not restarted: absent.service"


async def test_the_same_invocation_is_no_restart(node: SupervisedNode) -> None:
    node.run_dir.mkdir(parents=True)
    (node.run_dir / "restarts").write_text("one.service a b 1.0 2.5 active\ntwo.service c c 7.0 7.1 active\n")
    (node.run_dir / "finished").touch()
    effect = await node.run(scripts(), "effect")
    assert (effect.code, effect.said) == (1, "one.service 1.50 s\nnot restarted: two.service")


async def test_without_inject_there_is_no_effect(node: SupervisedNode) -> None:
    assert (await node.run(scripts(), "effect")).code == 1


async def test_revert_in_the_middle_ends_the_restarts_and_starts_what_is_down(node: SupervisedNode) -> None:
    slow = scripts(pause_s=30)
    inject = asyncio.create_task(node.run(slow, "inject"))
    async with asyncio.timeout(10):
        while not (node.run_dir / "restarts").exists() or not (node.run_dir / "restarts").read_text():
            await asyncio.sleep(0.02)
    assert (await node.run(slow, "clean")).code == 1
    await node.systemctl("stop", "two.service")
    revert = await node.run(slow, "revert")
    assert (revert.code, revert.said) == (0, "restored: two.service")
    assert (await inject).code != 0
    assert (await node.run(slow, "clean")).code == 0
    assert (await node.run(slow, "revert")).said == ""


async def test_revert_without_inject_does_nothing(node: SupervisedNode) -> None:
    await node.systemctl("stop", "two.service")
    assert (await node.run(scripts(), "revert")).code == 0
    assert await node.show("two.service", "ActiveState") == "inactive"


async def test_preflight_names_every_unit_that_is_down(node: SupervisedNode) -> None:
    assert (await node.run(scripts(), "preflight")).code == 0
    for unit in UNITS:
        await node.systemctl("stop", unit)
    preflight = await node.run(scripts(), "preflight")
    assert preflight.code == 1
    assert preflight.said.splitlines() == [f"{unit} is inactive, not active" for unit in UNITS]


def test_the_limit_of_inject_grows_with_the_services() -> None:
    fault = ServiceRestart(pause_s=5)
    one = fault.inject_limit_s(Target(node="redfin", run="abcdefgh", units=("a",)))
    assert fault.inject_limit_s(Target(node="redfin", run="abcdefgh", units=("a",) * 5)) == 5 * one
