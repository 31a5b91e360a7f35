"""call-errors on a real process: the calls fail at the rate, counted in the target itself, and nothing is left."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from console.errors import Refused
from console.faults.base import Target
from console.faults.call_errors import CallErrors
from console.faults.call_modes import MODES, panics, reached_pct, step
from tests.unit import caller
from tests.unit.supervised import SHELLS, Ran, SupervisedNode, supervised

TARGET = Target(node="bluefin", run="abcdefgh", units=("caller.service",))
CALLS = 10_000


class Site:
    """A node with one process, and what is done to it."""

    def __init__(self, node: SupervisedNode, folder: Path) -> None:
        self.node = node
        self.folder = folder

    async def run(self, fault: CallErrors, name: str) -> Ran:
        return await self.node.run(fault.scripts(TARGET), name)

    async def until(self, fault: CallErrors, name: str, code: int, limit_s: float = 40.0) -> Ran:
        async with asyncio.timeout(limit_s):
            while (ran := await self.run(fault, name)).code != code:
                await asyncio.sleep(0.1)
        return ran

    async def rate(self, tenths: int) -> None:
        """What `gameday chaos rate` does."""
        folder = self.node.run_dir
        (folder / "want.new").write_text(f"{tenths}\n")
        (folder / "want.new").rename(folder / "want")

    async def applied(self, tenths: int) -> None:
        async with asyncio.timeout(40):
            while self.now != tenths:
                await asyncio.sleep(0.05)

    @property
    def now(self) -> int:
        """The rate that acts, in tenths of a per cent; -1: not told yet."""
        file = self.node.run_dir / "now"
        return int(file.read_text()) if file.exists() else -1

    async def gone(self, fault: CallErrors) -> None:
        """Reverted twice, clean twice, and no thread of the process is traced or stopped."""
        for name in ("revert", "revert", "clean", "clean"):
            ran = await self.run(fault, name)
            assert ran.code == 0, (name, ran.said)
        pid = await self.node.show("caller.service", "MainPID")
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            assert lines["TracerPid"] == "0"
            assert not lines["State"].startswith(("T", "t"))


@asynccontextmanager
async def site(tmp_path: Path, *, preload: bool, shell: str = SHELLS[0]) -> AsyncIterator[Site]:
    folder = tmp_path / "caller"
    async with supervised(tmp_path, shell, {"caller": caller.unit(folder, preload=preload)}) as node:
        await node.until("caller.service", "ActiveState", "active")
        while preload and not list(folder.glob("fiu-*.out")):
            await asyncio.sleep(0.01)
        await caller.told(folder, "pwrite", 1)
        yield Site(node, folder)


@pytest.mark.parametrize("shell", SHELLS)
async def test_with_the_preload_the_target_itself_counts_the_rate_that_was_asked(tmp_path: Path, shell: str) -> None:
    fault = CallErrors(mode="disk_full", rate_pct=10, ceiling_pct=100)
    async with site(tmp_path, preload=True, shell=shell) as here:
        assert await here.run(fault, "inject") == Ran(0, "")
        said = (await here.until(fault, "effect", 0)).said
        assert "the preload answers that 10.0 % of the calls fail" in said
        assert "how many calls failed is not known" in said
        for pct in (10, 30, 50, 90, 100) if shell == SHELLS[0] else (30,):
            await here.rate(pct * 10)
            await here.applied(pct * 10)
            counted = await caller.told(here.folder, "pwrite", CALLS)
            achieved = 100 * counted["No space left on device"] / CALLS
            print(f"{pct} % asked, {achieved:.2f} % achieved over {CALLS} calls")
            assert abs(achieved - pct) <= 2
        assert (await here.run(fault, "clean")).code == 1
        await here.gone(fault)
        assert (await caller.told(here.folder, "pwrite", 1000))["ok"] == 1000


async def test_two_subsystems_fail_at_rates_of_their_own(tmp_path: Path) -> None:
    fault = CallErrors(mode="network_fail", rate_pct=30, files_pct=50, files_mode="disk_full")
    async with site(tmp_path, preload=True) as here:
        await here.run(fault, "inject")
        await here.until(fault, "effect", 0)
        files = (await caller.told(here.folder, "pwrite", CALLS))["No space left on device"]
        network = (await caller.told(here.folder, "socket", CALLS))["Network is down"]
        assert abs(files / CALLS - 0.5) <= 0.02
        assert abs(network / CALLS - 0.3) <= 0.02
        await here.gone(fault)


async def test_a_preload_left_waiting_by_a_killed_controller_is_freed(tmp_path: Path) -> None:
    fault = CallErrors(mode="disk_full", rate_pct=100)
    async with site(tmp_path, preload=True) as here:
        await here.run(fault, "inject")
        await here.until(fault, "effect", 0)
        (fifo,) = here.folder.glob("fiu-*.in")
        fifo.write_text("disable name=posix/io/rw/write\n")  # and nobody reads the answer
        await here.gone(fault)
        assert (await caller.told(here.folder, "pwrite", 100))["ok"] == 100


async def test_a_point_that_is_still_on_is_a_trace(tmp_path: Path) -> None:
    fault = CallErrors(mode="disk_full", rate_pct=100)
    async with site(tmp_path, preload=True) as here:
        await here.run(fault, "inject")
        await here.until(fault, "effect", 0)
        assert (await here.run(fault, "revert")).code == 0
        (fifo,) = here.folder.glob("fiu-*.in")
        fifo.write_text("enable name=posix/io/rw/pwrite,failinfo=28\n")
        (fifo.with_suffix(".out")).read_text()
        assert await here.run(fault, "clean") == Ran(
            1, f"failure points were still on in process {fifo.stem[4:]} of caller.service"
        )


async def test_a_process_that_died_meanwhile_leaves_nothing_and_its_pipes_are_removed(tmp_path: Path) -> None:
    fault = CallErrors(mode="disk_full", rate_pct=100)
    async with site(tmp_path, preload=True) as here:
        await here.run(fault, "inject")
        await here.until(fault, "effect", 0)
        pid = await here.node.show("caller.service", "MainPID")
        await here.node.systemctl("kill", "-s", "KILL", "caller.service")
        await here.node.until("caller.service", "ActiveState", "active")
        ran = await here.until(fault, "effect", 1)
        assert ran.said == f"caller.service's process {pid} has ended"
        await here.gone(fault)
        assert not list(here.folder.glob(f"fiu-{pid}.*"))


@pytest.mark.parametrize("shell", SHELLS)
async def test_without_the_preload_strace_comes_to_its_nearest_rate_and_counts(tmp_path: Path, shell: str) -> None:
    fault = CallErrors(mode="disk_full", rate_pct=30, ceiling_pct=100)
    async with site(tmp_path, preload=False, shell=shell) as here:
        ran = await here.run(fault, "preflight")
        assert ran == Ran(0, "warning: caller.service will be traced: strace comes to 33.3 % for 30 %")
        assert (await here.run(fault, "inject")).code == 0
        await here.applied(300)
        counted = await caller.told(here.folder, "pwrite", 2000)
        assert abs(counted["No space left on device"] - 667) <= 2
        said = (await here.until(fault, "effect", 0)).said
        assert f"{counted['No space left on device']} ENOSPC" in said
        if shell != SHELLS[0]:
            await here.gone(fault)
            return
        await here.rate(900)
        await here.applied(900)
        assert (await caller.told(here.folder, "pwrite", 500))["No space left on device"] == 500
        assert (await here.run(fault, "preflight")).code == 3  # it is being traced
        assert (await here.run(fault, "clean")).code == 1
        await here.gone(fault)
        assert (await caller.told(here.folder, "pwrite", 1000))["ok"] == 1000


async def test_calls_that_are_not_made_prove_nothing(tmp_path: Path) -> None:
    fault = CallErrors(mode="network_fail", rate_pct=100)
    async with site(tmp_path, preload=False) as here:
        await here.run(fault, "inject")
        await here.applied(1000)
        ran = await here.until(fault, "effect", 1)
        assert "0 of 0 calls of caller.service were hit" in ran.said
        await here.gone(fault)


async def test_slow_io_delays_calls_and_fails_none(tmp_path: Path) -> None:
    fault = CallErrors(mode="slow_io", rate_pct=50, delay_ms=20)
    async with site(tmp_path, preload=True) as here:
        await here.run(fault, "inject")
        await here.applied(500)
        counted = await caller.told(here.folder, "pwrite", 40)
        assert counted["ok"] == 40
        assert counted["ms"] >= 20 * 20
        assert "slow" in (await here.until(fault, "effect", 0)).said
        await here.gone(fault)


async def test_pulses_come_and_go_and_a_ramp_rises(tmp_path: Path) -> None:
    pulse = CallErrors(mode="disk_full", rate_pct=100, schedule="pulse", on_s=1, off_s=1)
    ramp = CallErrors(mode="disk_full", rate_pct=100, schedule="ramp", ramp_s=2)
    async with site(tmp_path, preload=True) as here:
        await here.run(pulse, "inject")
        for tenths in (1000, 0, 1000):
            await here.applied(tenths)
        await here.gone(pulse)
        shutil.rmtree(here.node.run_dir)
        await here.run(ramp, "inject")
        seen = []
        async with asyncio.timeout(40):
            while 1000 not in seen:
                await asyncio.sleep(0.2)
                seen.append(here.now)
        assert sorted(seen) == seen
        assert len(set(seen)) >= 3
        await here.gone(ramp)


async def test_random_panic_kills_when_its_seed_says_and_a_dead_service_is_restored(tmp_path: Path) -> None:
    fault = CallErrors(mode="random_panic", rate_pct=60, every_s=1, seed=3, hold_s=10)
    async with site(tmp_path, preload=False) as here:
        assert fault.deaths_s[0] <= 3
        await here.run(fault, "inject")
        first = await here.until(fault, "effect", 0)
        assert first.said.startswith("caller.service was killed 1 times")
        at_h = int((here.node.run_dir / "panics").read_text().split()[0])
        assert 0 <= at_h / 100 - fault.deaths_s[0] <= 0.9
        await here.run(fault, "revert")
        await here.node.until("caller.service", "ActiveState", "active")
        await here.gone(fault)


def test_the_same_seed_kills_at_the_same_times() -> None:
    assert panics(7, 40, 5, 100) == panics(7, 40, 5, 100)
    assert panics(7, 40, 5, 100) != panics(8, 40, 5, 100)
    assert panics(7, 0, 5, 100) == []
    assert panics(7, 100, 5, 20) == [5, 10, 15, 20]


def test_straces_nearest_rate_is_told_before() -> None:
    assert [round(reached_pct("strace", pct), 1) for pct in (10, 30, 50, 90, 100)] == [10, 33.3, 50, 100, 100]
    assert all(
        abs(1000 / step(rate) - rate) <= min(abs(1000 / n - rate) for n in range(1, 1001)) for rate in range(1, 1001)
    )
    radius = CallErrors(mode="disk_full", rate_pct=30).blast_radius(TARGET)
    assert "strace's nearest rate is 33.3 %" in radius


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (CallErrors(mode="slow_io", backend="libfiu"), "slow_io cannot be made by libfiu: only by strace"),
        (CallErrors(mode="disk_full", network_pct=5, backend="strace"), "needs libfiu's preload"),
        (CallErrors(mode="disk_full", files_pct=5), "has a rate for files already"),
        (CallErrors(mode="random_panic", rate_pct=0), "nothing is killed within 30 s"),
    ],
)
def test_what_cannot_be_is_refused_in_the_plan(fault: CallErrors, why: str) -> None:
    with pytest.raises(Refused, match=why):
        fault.scripts(TARGET)


def test_a_production_target_is_refused_by_its_class() -> None:
    assert CallErrors.development_only
    assert CallErrors.risk_floor.value == "low"


def test_no_wildcard_and_no_brk_is_ever_named() -> None:
    for made in MODES.values():
        assert not [name for name in (*made.names, *made.calls) if "*" in name or "brk" in name or "/reduce" in name]
        assert not {f"posix/io/net/{name}" for name in ("select", "pselect", "poll")} & set(made.names)
