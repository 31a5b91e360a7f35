"""A killed guard proves the node clean by itself: a console that asks meanwhile waits for that, and gets its word."""

from __future__ import annotations

import asyncio
import signal

import pytest

from console.terms import Status
from tests.integration.guarding import eventually
from tests.integration.sites import Site, going, processes_of


@pytest.mark.parametrize("wait_s", [0.0, 0.4])
async def test_a_console_that_asks_for_the_proof_gets_that_of_the_guards_own_end(site: Site, wait_s: float) -> None:
    guard = await going(site, inject="sleep 60", clean="sleep 1")
    asked = asyncio.create_task(guard.clean()) if wait_s else None  # an earlier question is in its way, too
    site.send(signal.SIGKILL, "r1", "main")
    assert (await guard.revert()).status is Status.PASS
    await asyncio.sleep(wait_s)
    proof = await guard.clean()
    assert (proof.status, proof.evidence) == (Status.PASS, "proven by the node itself when it took the fault back")
    if asked:
        assert (await asked).status is Status.PASS
    assert site.left() == ["r1.ended"]
    await guard.release()
    await eventually(lambda: site.left() == [], 5)
    assert processes_of(site.folder) == []


async def test_a_proof_that_is_asked_for_while_the_guards_own_fails_is_given_by_the_node(site: Site) -> None:
    dirt = site.folder / "dirt"
    guard = await going(site, inject=f"touch {dirt}", clean=f"sleep 0.5; [ ! -e {dirt} ] || {{ echo dirt; exit 1; }}")
    site.send(signal.SIGKILL, "r1", "main")
    assert (await guard.revert()).status is Status.PASS
    proof = await guard.clean()
    assert (proof.status, proof.evidence) == (Status.FAIL, "dirt")
    dirt.unlink()
    assert (await guard.clean()).status is Status.PASS
    await guard.release()
    assert site.left() == []
