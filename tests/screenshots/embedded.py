"""The pictures from the embedded lab, which every machine can make: a gateway killed, connections used up, home."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from console.tui.ports.modes import Modes
from console.tui.screens.approval import ApprovalScreen
from console.tui.screens.chaos import ChaosScreen
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.history import HistoryScreen
from tests.lab import Lab
from tests.screenshots.stage import Stage, stage_on
from tests.ui.pages import screen_text

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


def data_loss(lab: Lab) -> None:
    """B1 on a store that acknowledges before it syncs: records are lost, and the run says which."""
    with lab.unit("bluefin", "sigil.service", Environment="STACK_BREAK=early-ack"):
        lab.ssh("bluefin", "systemctl restart sigil.service")
        asyncio.run(_data_loss(lab))


async def _data_loss(lab: Lab) -> None:
    async with stage_on(lab) as stage:
        await stage.open("sigil-disk-full")
        await stage.check()
        await stage.go("c", ApprovalScreen)
        await stage.vote("tpm")
        await stage.approved()
        await stage.launch("bluefin")
        await stage.proven()
        await stage.concluded()
        await stage.picture("live-data-loss", small=True)
        await stage.write_up("writeup-data-loss", attest=True, gaps="sync before a record is acknowledged")


def chaos(lab: Lab) -> None:
    """A database whose calls to files fail at a rate, by hand: begun, watched, changed, ended."""
    with _asked(lab, "bluefin", "http://127.0.0.1:7071/records"):
        asyncio.run(_chaos(lab))


async def _chaos(lab: Lab) -> None:
    async with stage_on(lab) as stage:
        print("chaos ...", flush=True)
        await stage.go("c", ChaosScreen)
        await stage.choose("bluefin/lightning")
        await stage.say("r", "30", instead=True)
        await stage.until(lambda: "nearest rate" in screen_text(stage.app), "its node says what makes it")
        await stage.picture("chaos-before", small=True)
        await stage.go("enter", ConfirmScreen)
        await stage.press(*"bluefin")
        await stage.go("ctrl+g", ChaosScreen)
        modes = stage.app.session.modes
        await stage.until(lambda: "bluefin" in modes.acting, "the mode acts")
        await stage.until(lambda: _calls(modes) > 1000, "calls are counted", 90.0)
        await stage.picture("chaos-panel", small=True)
        await stage.say("r", "50", instead=True)
        await stage.until(lambda: modes.acting["bluefin"].stats.asked_pct == 50, "it has its new rate")
        await stage.until(lambda: _calls(modes, now=True) > 400, "calls are counted at the new rate", 90.0)
        await stage.press("x")
        await stage.concluded()
        await stage.until(lambda: not modes.acting, "nothing acts any more")
        await stage.picture("chaos-ended")


def _calls(modes: Modes, *, now: bool = False) -> int:
    """How many calls were counted; `now`: since the rate was set."""
    found = modes.acting.get("bluefin")
    if found is None or found.achieved is None:
        return 0
    return found.achieved[4] if now else found.stats.seen or 0


@contextmanager
def _asked(lab: Lab, node: str, url: str) -> Iterator[None]:
    """Somebody uses the records there, some 20 times a second."""
    curl = "curl -s -o /dev/null -m 2"
    line = f"while sleep 0.05; do echo v | {curl} -T - {url}/user; {curl} {url}/user; done"
    user = subprocess.Popen(lab.ssh_command(node, line), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        user.terminate()
        user.wait()
