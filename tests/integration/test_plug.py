"""Pulling the plug: a guard that acts by itself passes, one that does not fails, and nothing is left by either."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import msgspec
import pytest

from console.cli.doctor import sudoers_rule
from console.nodes import plug
from console.nodes.guard_leased import LeasedGuard
from console.nodes.sweep import clear, survey
from console.terms import Status
from tests.integration.guarding import LEASE_S, guard_of, touching
from tests.integration.sites import LOADED_S, Site, processes_of


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loaded test machine may take longer than a node."""
    monkeypatch.setattr(plug, "SLACK_S", plug.SLACK_S + LOADED_S)
    monkeypatch.setattr(plug, "GIVE_UP_S", 1.0)


async def test_a_node_that_takes_a_fault_back_by_itself_passes_and_keeps_nothing(site: Site) -> None:
    pulled = await plug.pull(site.node, LEASE_S, "ann")
    assert pulled.status is Status.PASS, pulled.told
    assert pulled.after_s
    assert LEASE_S - 0.2 <= pulled.after_s <= LEASE_S + plug.SLACK_S
    assert pulled.told == f"took the fault back by itself {pulled.after_s:.1f} s after the console's last word"
    assert (site.left(), processes_of(site.folder)) == ([], [])


async def test_a_node_that_does_not_by_itself_fails_and_keeps_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def talk_on(_: LeasedGuard) -> None:
        """A cut that is none: the node still hears the console."""

    monkeypatch.setattr(LeasedGuard, "fall_silent", talk_on)
    pulled = await plug.pull(site.node, LEASE_S, "ann")
    assert pulled.status is Status.FAIL
    assert pulled.told.startswith("it did not take back the fault by itself: ")
    assert site.left() == []


async def test_a_node_that_is_late_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plug, "SLACK_S", 0.0)
    monkeypatch.setattr(plug, "GIVE_UP_S", 10.0)
    slow = msgspec.structs.replace(plug._SCRIPTS, revert=f"sleep 2\n{plug._SCRIPTS.revert}")
    monkeypatch.setattr(plug, "_SCRIPTS", slow)
    pulled = await plug.pull(site.node, LEASE_S, "ann")
    assert pulled.status is Status.FAIL
    assert pulled.told.endswith("after the console's last word: too late")
    assert site.left() == []


async def test_a_node_that_cannot_be_proven_clean_fails_and_stays_locked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    dirty = msgspec.structs.replace(plug._SCRIPTS, clean="echo dirt\nexit 1\n")
    monkeypatch.setattr(plug, "_SCRIPTS", dirty)
    pulled = await plug.pull(site.node, LEASE_S, "ann")
    assert pulled.status is Status.FAIL
    assert "it is not proven clean" in pulled.told
    assert "guard" in site.left()
    async with asyncio.timeout(10):
        while [trace.state for trace in await survey(site.node)] != ["leftover"]:
            await asyncio.sleep(0.2)
    (trace,) = await survey(site.node)
    (site.run_dir / trace.run / "1" / "clean").write_text("exit 0\n")
    assert (await clear(site.node, trace)).status is Status.PASS
    assert site.left() == []


async def test_a_held_node_is_left_alone(site: Site) -> None:
    guard = await guard_of(site.node, "r1", touching(site.mark))
    await guard.arm()
    pulled = await plug.pull(site.node, LEASE_S, "ann")
    assert pulled.status is Status.UNKNOWN
    assert "redfin is held by run r1, operator ann" in pulled.told
    assert not guard.lost.is_set()
    assert site.left() == ["guard", "r1"]
    await guard.revert()
    await guard.release()


@pytest.mark.parametrize("site", ["systemd"], indirect=True)
async def test_sudo_takes_the_printed_rule(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "gameday"
    file.write_text(sudoers_rule({"gameday", "ops"}))
    done = subprocess.run(site.command("visudo", "-cf", str(file)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
