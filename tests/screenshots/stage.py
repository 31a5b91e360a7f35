"""The console on a real lab, the keys of its user, and the camera."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input
from textual.widgets._footer import FooterKey

from console.plan.plan import Plan
from console.session import Session
from console.state import RunState
from console.terms import Phase, Status
from console.tui.app import GamedayApp
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.confirm import ConfirmScreen
from console.tui.screens.dialog import PromptDialog
from console.tui.screens.experiment import ExperimentScreen
from console.tui.screens.home import HomeScreen
from console.tui.screens.live import LiveScreen
from console.tui.screens.writeup import WriteUpScreen
from console.tui.widgets.rows import Rows
from tests.lab import Lab
from tests.ui.pages import screen_text

PICTURES = Path(__file__).parents[2] / "screenshots"
WIDE, SMALL = (120, 40), (80, 24)
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

    @property
    def plan(self) -> Plan:
        """Its plan."""
        assert self.app.led is not None
        return self.app.led.plan

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

    async def say(self, key: str, words: str, *, instead: bool = False) -> None:
        """Press a key that asks for words, and type them; `instead` of those that stand there."""
        await self.go(key, PromptDialog)
        if instead:
            self.app.screen.query_one(Input).value = ""
        await self.press(*words, "enter")
        await self.until(lambda: not isinstance(self.app.screen, PromptDialog), "the words are taken")

    async def open(self, experiment: str, settings: str = "") -> None:
        """From home to an experiment's page, with other parameters where they are given."""
        print(f"{experiment} ...", flush=True)
        await self.choose(experiment)
        await self.go("enter", ExperimentScreen)
        if settings:
            await self.say("p", settings)

    async def check(self, name: str = "") -> None:
        """Through the checklist, until every item is settled."""
        await self.go("l", ChecklistScreen)
        await self.until(lambda: self.run.approval and self.run.phase is not Phase.CHECKLIST, "every item is settled")
        if name:
            await self.picture(name)

    async def vote(self, voter: str, vote: str = "for") -> None:
        """A vote on the led run's plan, by another person: the signature lands in the folder that is watched."""
        assert self.run.started
        plan, key = self.lab.state / "runs" / self.run.started.run / "plan.json", self.lab.dir / "keys" / voter
        words = ("approve", str(plan), "--as", f"{voter}@lab", "--key", str(key), "--vote", vote, "--yes")
        signed = await asyncio.to_thread(self.lab.gameday, *words)
        assert signed.code == 0, str(signed)

    async def approved(self) -> None:
        """Wait until the signatures suffice."""
        await self.until(lambda: self.run.approval and self.run.approval.sufficient, "the signatures suffice")

    async def launch(self, node: str, name: str = "") -> None:
        """Type the node's name, and let the fault go."""
        await self.go("c", ConfirmScreen)
        await self.press(*node)
        if name:
            await self.picture(name)
        await self.go("ctrl+g", LiveScreen)

    async def proven(self, limit_s: float = 60.0) -> None:
        """Wait until the fault has shown its effect."""
        await self.until(lambda: self.run.effect_proven or self.run.conclusion, "the effect is proven", limit_s)
        assert self.run.effect_proven, self.run.conclusion

    async def acts(self, after_s: float, met: int = 0) -> None:
        """Wait until the fault has acted for that long and so many expectations are met, while others are open."""

        def there() -> bool:
            run = self.run
            assert run.abort is None, f"the run was aborted: {run.abort.why}"
            assert run.conclusion is None, "the picture came too late"
            passed = sum(expected.status is Status.PASS for expected in run.expectations.values())
            return passed >= met and run.injected_at_s is not None and time.time() >= run.injected_at_s + after_s

        await self.until(there, f"{met} expectations are met, {after_s:g} s on")

    async def concluded(self, limit_s: float = 120.0) -> None:
        """Wait until the machine has its verdict."""
        await self.until(lambda: self.run.phase is Phase.WRITE_UP, "the run comes to its write-up", limit_s)

    async def write_up(self, name: str = "", *, attest: bool = False, gaps: str = "no gap was found") -> None:
        """Settle what is the operator's, sign as the machine proposes, and go home once the row is stored.

        `attest`: nothing has told of alerts, so that a person does.
        """
        await self.go("w", WriteUpScreen)
        told = {"alerts-cleared": "no alert is open"} if attest else {}
        for item, words in {**told, "runbooks-updated": gaps}.items():
            if self.run.post[item].brief.automatic:
                continue
            await self.choose(item)
            await self.say("space", words)
        await self.press("home")
        if name:
            await self.picture(name)
        await self.press("ctrl+s")
        await self.until(lambda: self.run.ended, "the write-up is stored")
        assert self.run.delivery, "nothing was delivered"
        assert self.run.delivery.delivered, self.run.delivery.why
        await self.home()

    async def home(self) -> None:
        """Back to the first screen; a run goes on."""
        while not isinstance(self.app.screen, HomeScreen):
            await self.press("escape")

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
        while not self.app.screen.query(FooterKey):  # a busy machine makes it anew a little later
            await self.pilot.pause(0.05)


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


@asynccontextmanager
async def stage_on(lab: Lab) -> AsyncIterator[Stage]:
    """The console at home on that lab, every node seen."""
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
            yield stage
    finally:
        await session.close()
