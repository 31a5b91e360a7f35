"""The pictures from the embedded lab, which every machine can make: a gateway killed, connections used up, home."""

from __future__ import annotations

import asyncio
import signal

from console.tui.screens.approval import ApprovalScreen
from console.tui.screens.history import HistoryScreen
from tests.lab import Lab
from tests.screenshots.stage import Stage, stage_on

A1, A2 = "llm-gateway-kill", "pg-connection-exhaustion"


def practice(lab: Lab) -> None:
    """A first game day, from home and back to it: two runs after three that are past."""
    _earlier_runs(lab)
    asyncio.run(_two_runs(lab))


def _earlier_runs(lab: Lab) -> None:
    """A history, headless: one run that nobody approved, one that was interrupted, one that passed."""
    print("runs for the history ...", flush=True)
    lab.run(A2)
    broken_off = lab.start("run", A1, "--attest", "all", "--json")
    assert broken_off.stdout is not None
    for line in broken_off.stdout:
        if '"injected"' in line:
            broken_off.send_signal(signal.SIGINT)
            break
    broken_off.communicate(timeout=90)
    lab.run(A1, "--set", "signal=KILL")


async def _two_runs(lab: Lab) -> None:
    async with stage_on(lab) as stage:
        await _gateway(stage)
        await _flood(stage)
        print("after both ...", flush=True)
        await stage.press("home")
        await stage.picture("home", small=True)
        await stage.go("h", HistoryScreen)
        await stage.picture("history")


async def _gateway(stage: Stage) -> None:
    """A1 from home to its row in thermal memory."""
    await stage.open(A1)
    await stage.picture("experiment")
    await stage.check("checklist")
    await stage.launch("redfin", "confirm")
    await stage.proven()
    await stage.say("n", "no alert yet")
    await stage.acts(6.0, met=2)
    await stage.picture("live", small=True)
    await stage.concluded()
    await stage.write_up("writeup", attest=True)


async def _flood(stage: Stage) -> None:
    """A2, approved by the TPM's key, from home to its row in thermal memory."""
    await stage.open(A2)
    await stage.check()
    await stage.go("c", ApprovalScreen)
    await stage.picture("approval")
    await stage.vote("tpm")
    await stage.approved()
    await stage.launch("bluefin")
    await stage.proven()
    await stage.acts(20.0, met=2)
    await stage.picture("live-flood")
    await stage.concluded()
    await stage.write_up(attest=True)


def trials(lab: Lab) -> None:
    """A1 twenty times, as far as the fourth, and then no further."""
    asyncio.run(_trials(lab))


async def _trials(lab: Lab) -> None:
    async with stage_on(lab) as stage:
        await stage.open(A1, "trials=20")
        await stage.check()
        await stage.launch("redfin")
        await stage.until(lambda: stage.plan.trial == 4, "three trials are done", 240.0)
        await stage.proven()
        await stage.acts(6.0, met=2)
        await stage.picture("live-trials", small=True)
        await stage.press("ctrl+x", "y")
        await stage.until(lambda: stage.app.led and stage.app.led.over, "nothing more is begun")
