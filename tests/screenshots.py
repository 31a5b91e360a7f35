"""`python -m tests.screenshots`: pictures of the screens, from real runs on a real lab, led by the keys of a user."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot

from console.session import Session
from console.state import RunState
from console.terms import Phase, Status
from console.tui.app import GamedayApp
from console.tui.screens.approval import ApprovalScreen
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.dialog import PromptDialog
from console.tui.screens.experiment import ExperimentScreen
from console.tui.screens.history import HistoryScreen
from console.tui.screens.home import HomeScreen
from console.tui.screens.live import LiveScreen
from console.tui.screens.writeup import WriteUpScreen
from console.tui.widgets.rows import Rows
from tests.lab import Lab, lab_in
from tests.ui.pages import screen_text

PICTURES = Path(__file__).parents[1] / "screenshots"
HOME = Path("/tmp/gameday-demo")
"""Always the same folder: the pictures show its name, and nothing else of the machine that they are made on."""
NEUTRAL = {"LOGNAME": "alex", "USER": "alex", "TZ": "UTC"}
WIDE, SMALL = (120, 40), (80, 24)
A1, A2 = "llm-gateway-kill", "pg-connection-exhaustion"
FONT_PX = 12.2 / (1200 / 1950)
"""At this size a glyph of Fira Code (1200 of 1950 units wide) is as wide as a cell of Rich's pictures."""


class Stage:
    """The console on a lab, the keys of its user, and the camera."""

    def __init__(self, lab: Lab, app: GamedayApp, pilot: Pilot[None]) -> None:
        self.lab = lab
        self.app = app
        self.pilot = pilot

    @property
    def run(self) -> RunState:
        """The run that the console leads."""
        assert self.app.led is not None
        assert not self.app.led.problem, self.app.led.problem
        return self.app.led.state

    async def until(self, true: Callable[[], object], what: str, limit_s: float = 60.0) -> None:
        """Wait until that has come true, and is painted."""
        end_s = time.monotonic() + limit_s
        while not true():
            if time.monotonic() > end_s:
                raise SystemExit(f"{screen_text(self.app)}\nscreenshots: {what}: not within {limit_s:g} s")
            await asyncio.sleep(0.05)
        await self.paint()

    async def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        await self.pilot.press(*keys)

    async def go(self, key: str, screen: type[object]) -> None:
        """Press a key that leads to another screen."""
        await self.press(key)
        await self.until(lambda: isinstance(self.app.screen, screen), f"{key} leads to {screen.__name__}")

    async def choose(self, row: str) -> None:
        """Move the cursor down to that row, from the top."""
        rows = self.app.screen.query_one(Rows)
        await self.press("home")
        for _ in range(rows.option_count):
            if rows.chosen == row:
                return
            await self.press("down")
        raise SystemExit(f"screenshots: there is no row {row}")

    async def say(self, key: str, words: str) -> None:
        """Press a key that asks for words, and type them."""
        await self.go(key, PromptDialog)
        await self.press(*words, "enter")
        await self.until(lambda: not isinstance(self.app.screen, PromptDialog), "the words are taken")

    async def picture(self, name: str, *, small: bool = False) -> None:
        """Save what is on the screen, also as it is on a small terminal."""
        await self.paint()
        _save(name, self.app.export_screenshot(simplify=True))
        if small:
            await self.pilot.resize_terminal(*SMALL)
            await self.paint()
            _save(f"{name}-80x24", self.app.export_screenshot(simplify=True))
            await self.pilot.resize_terminal(*WIDE)

    async def paint(self) -> None:
        """Bring the screen up to now; what a new size or a new line moves is there the second time."""
        for _ in range(2):
            self.app.repaint_page()
            await self.pilot.pause()


def _save(name: str, svg: str) -> None:
    """As SVG and PNG, in Fira Code where it is installed: a picture fetches no font from anywhere."""
    shown = [str(path) for path in (PICTURES.parent, Path.home(), Path(sys.prefix)) if str(path) in svg]
    assert not shown, f"{name} shows a path of this machine: {shown}"
    file = PICTURES / f"{name}.svg"
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("font-size: 20px", f"font-size: {FONT_PX:.3f}px")
    svg = re.sub(r"(?<=\d)x(?=\d)", "<tspan>x</tspan>", svg)  # else the font makes a times sign of it, in run ids too
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)  # else rsvg-convert trims the spaces of each text
    file.write_text("\n".join(line.rstrip() for line in svg.splitlines()) + "\n", encoding="utf-8")
    subprocess.run(["rsvg-convert", "-o", str(file.with_suffix(".png")), str(file)], check=True)
    print(f"  {file.name}, {file.with_suffix('.png').name}", flush=True)


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


async def _gateway(stage: Stage) -> None:
    """A1 from home to its row in thermal memory."""
    print(f"{A1} ...", flush=True)
    await stage.choose(A1)
    await stage.go("enter", ExperimentScreen)
    await stage.picture("experiment")
    await _through_checklist(stage, "checklist")
    await stage.go("c", ConfirmScreen)
    await stage.press(*"redfin")
    await stage.picture("confirm")
    await stage.go("ctrl+g", LiveScreen)
    await stage.until(lambda: stage.run.effect_proven, "the effect is proven")
    await stage.say("n", "no alert was raised while the gateway was down")
    await stage.until(lambda: _in_the_middle(stage.run, met=2, after_s=9.0), "two expectations are met")
    await stage.picture("live", small=True)
    await _write_up(stage, "writeup")


async def _flood(stage: Stage) -> None:
    """A2, approved by the TPM's key, from home to its row in thermal memory."""
    print(f"{A2} ...", flush=True)
    await stage.choose(A2)
    await stage.go("enter", ExperimentScreen)
    await _through_checklist(stage)
    await stage.go("c", ApprovalScreen)
    await stage.picture("approval")
    plan = stage.lab.state / "runs" / stage.run.started.run / "plan.json" if stage.run.started else Path()
    key = stage.lab.dir / "keys" / "tpm"
    signed = await asyncio.to_thread(stage.lab.gameday, "approve", str(plan), "--key", str(key), "--yes")
    assert signed.code == 0, str(signed)
    await stage.until(lambda: stage.run.approval and stage.run.approval.sufficient, "the signature is picked up")
    await stage.go("c", ConfirmScreen)
    await stage.press(*"bluefin")
    await stage.go("ctrl+g", LiveScreen)
    await stage.until(lambda: stage.run.effect_proven, "the effect is proven")
    await stage.until(lambda: _in_the_middle(stage.run, met=2, after_s=20.0), "the limit is reached and refuses")
    await stage.picture("live-flood")
    await _write_up(stage)


async def _through_checklist(stage: Stage, name: str = "") -> None:
    await stage.go("l", ChecklistScreen)
    await stage.until(lambda: stage.run.approval and stage.run.phase is not Phase.CHECKLIST, "every item is settled")
    if name:
        await stage.picture(name)


def _in_the_middle(run: RunState, *, met: int, after_s: float) -> bool:
    """Whether the fault has acted for a while and so many expectations are met, while others are still open."""
    assert run.conclusion is None, "the picture came too late"
    passed = sum(expected.status is Status.PASS for expected in run.expectations.values())
    return passed >= met and run.injected_at_s is not None and run.now_s >= run.injected_at_s + after_s


async def _write_up(stage: Stage, name: str = "") -> None:
    """Wait for the end, settle what is the operator's, sign, and go home once the row is stored."""
    await stage.until(lambda: stage.run.phase is Phase.WRITE_UP, "the run comes to its write-up", 120.0)
    await stage.go("w", WriteUpScreen)
    for item, words in (("alerts-cleared", "no alert is open"), ("runbooks-updated", "no gap was found")):
        await stage.choose(item)
        await stage.say("space", words)
    await stage.press("home")
    if name:
        await stage.picture(name)
    await stage.press("ctrl+s")
    await stage.until(lambda: stage.run.ended, "the write-up is stored")
    assert stage.run.delivery, "nothing was delivered"
    assert stage.run.delivery.delivered, stage.run.delivery.why
    while not isinstance(stage.app.screen, HomeScreen):
        await stage.press("escape")


async def _all_pictures(lab: Lab) -> None:
    session = Session(lab.inventory_file)
    app = GamedayApp(session)
    await session.open()
    try:
        async with app.run_test(size=WIDE, notifications=True) as pilot:
            stage = Stage(lab, app, pilot)
            await stage.until(
                lambda: all(view.sample and view.sample.cpu_pct is not None for view in session.fleet.values()),
                "every node is seen",
            )
            await _gateway(stage)
            await _flood(stage)
            print("after both ...", flush=True)
            await stage.press("home")
            await stage.picture("home", small=True)
            await stage.go("h", HistoryScreen)
            await stage.picture("history")
    finally:
        await session.close()


def main() -> None:
    """Make every picture anew; nothing is left but the pictures."""
    os.environ.update(NEUTRAL)
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # where `gameday` is, which is shown
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    try:
        HOME.mkdir(mode=0o700)
    except FileExistsError as error:
        raise SystemExit(f"screenshots: {HOME} is there already: made by another one? else remove it") from error
    PICTURES.mkdir(exist_ok=True)
    try:
        print("starting a lab ...", flush=True)
        with lab_in(HOME, lease_s=10.0) as lab:
            os.environ["GAMEDAY_STATE"] = str(lab.state)
            os.environ["XDG_CONFIG_HOME"] = str(HOME / "config")  # the user's own scenarios are nobody's business
            _earlier_runs(lab)
            asyncio.run(_all_pictures(lab))
    finally:
        shutil.rmtree(HOME)


if __name__ == "__main__":
    main()
