"""The guard without systemd: two processes that look after each other."""

from __future__ import annotations

import asyncio
import signal

import pytest

from console.nodes.guard import NotArmed, choose_guard
from console.terms import Risk, Status
from tests.integration.guarding import eventually, plan_of, touching
from tests.integration.sites import LOADED_S, Site, going

pytestmark = pytest.mark.parametrize("site", ["shell"], indirect=True)


@pytest.mark.parametrize("victim", ["main", "warden"])
async def test_when_one_half_of_the_guard_is_killed_the_other_reverts(site: Site, victim: str) -> None:
    guard = await going(site, inject="sleep 60")
    site.send(signal.SIGKILL, "r1", victim)
    await eventually(lambda: not site.mark.exists(), 0.5 + LOADED_S)
    await asyncio.wait_for(guard.lost.wait(), 5)
    await eventually(lambda: site.left() == ["r1.ended"], 5)
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).evidence == "proven by the node itself when it took the fault back"


async def test_when_both_halves_are_killed_revert_still_works(site: Site) -> None:
    guard = await going(site, inject="sleep 60")
    for victim in ("main", "warden"):
        site.send(signal.SIGSTOP, "r1", victim)
    for victim in ("main", "warden"):
        site.send(signal.SIGKILL, "r1", victim)
    assert site.mark.exists()
    assert (await guard.revert()).status is Status.PASS
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert site.left() == []


async def test_high_risk_is_refused_where_a_fault_would_have_only_this_guard(site: Site) -> None:
    plan = plan_of(site.node, "r1", touching(site.mark), risk=Risk.HIGH)
    with pytest.raises(NotArmed, match="redfin: high risk needs the guard on systemd, and here "):
        await choose_guard(site.node, plan.nodes[0], plan)
    only_measured = plan_of(site.node, "r1", risk=Risk.HIGH)
    assert (await choose_guard(site.node, only_measured.nodes[0], only_measured)).kind == "shell"
    assert not site.run_dir.exists()
