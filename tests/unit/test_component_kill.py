"""component-kill: one worker of a unit dies, never its main process, and what took its place is seen."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.faults.base import ComponentTarget, Scripts, Target
from console.faults.component_kill import ComponentKill
from tests.unit.supervised import SHELLS, Ran, SupervisedNode, supervised

POOL = """\
import subprocess, sys, time
def worker(): return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "pool worker"])
workers = [worker() for _ in range(3)]
while time.sleep(0.05) is None:
    if "respawn" in sys.argv: workers = [one if one.poll() is None else worker() for one in workers]
"""


def scripts_of(unit: str = "pool.service", process: str = "pool worker", count: int = 1) -> Scripts:
    component = ComponentTarget("worker", process=process)
    target = Target(node="bluefin", run="abcdefgh", units=(unit,), component=component)
    return ComponentKill(component="worker", count=count).scripts(target)


@pytest.fixture(params=SHELLS[:1] + SHELLS[-1:])
async def node(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SupervisedNode]:
    (tmp_path / "pool.py").write_text(POOL)
    start = f"ExecStart={sys.executable} {tmp_path}/pool.py"
    units = {"pool": f"{start} respawn\nRestart=no", "lame": f"{start} worker pool worker\nRestart=no"}
    async with supervised(tmp_path, request.param, units) as node:
        for unit in ("pool.service", "lame.service"):
            async with asyncio.timeout(10):
                while await node.run(scripts_of(unit, count=3), "preflight") != Ran(0, WARNING):
                    await asyncio.sleep(0.05)
        yield node


WARNING = "warning: worker has no other process: nothing is worked on until one is started anew"


async def test_one_worker_dies_and_its_main_process_stays(node: SupervisedNode) -> None:
    scripts = scripts_of()
    main = await node.show("pool.service", "MainPID")
    assert await node.run(scripts, "preflight") == Ran(0, "")
    assert await node.run(scripts, "inject") == Ran(0, "")
    before = (node.run_dir / "before").read_text().split()[::2]
    victims = (node.run_dir / "victims").read_text().split()[::2]
    assert (len(before), len(victims), main in before) == (3, 1, False)
    async with asyncio.timeout(10):
        while (effect := await node.run(scripts, "effect")).code == 1:  # it is on its way
            await asyncio.sleep(0.05)
    assert effect == Ran(0, f"gone of the 3 processes of worker: {victims[0]}; the main process is {main}")
    assert await node.show("pool.service", "MainPID") == main
    assert await node.run(scripts, "revert") == Ran(0, "")
    assert await node.run(scripts, "clean") == Ran(0, "")


async def test_a_main_process_that_fits_the_pattern_is_no_worker(node: SupervisedNode) -> None:
    too_many = await node.run(scripts_of("lame.service", count=4), "preflight")
    assert too_many.code == 1
    assert "lame.service has 3 processes with 'pool worker'" in too_many.said
    nothing = await node.run(scripts_of("lame.service", process="pool.py"), "inject")
    assert (nothing.code, "no process of lame.service but its main one" in nothing.said) == (1, True)
    assert (await node.run(scripts_of("lame.service"), "effect")).code == 1
