"""A few screens as pictures; `pytest --snapshot-update` after a change that was meant, and look at them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from console.tui import themes
from console.tui.app import GamedayApp
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import SCENES

SnapCompare = Callable[..., bool]


def scene(app: GamedayApp, session: FakeSession, name: str, *, light: bool = False) -> Callable[[Pilot[Any]], Any]:
    async def run_before(pilot: Pilot[Any]) -> None:
        if light:
            app.theme = themes.LIGHT.name
        await SCENES[name](app, session, pilot)
        await pilot.pause(0.3)
        app.repaint_page()
        await pilot.pause(0.1)

    return run_before


PICTURES = [
    ("home", 80, 24),
    ("home", 120, 40),
    ("live", 80, 24),
    ("live", 120, 40),
    ("history", 80, 24),
    ("trials", 120, 40),
    ("chaos", 120, 40),
    ("chaos-acts", 80, 24),
]


@pytest.mark.parametrize(
    ("name", "width", "height"), [pytest.param(*picture, id="{}-{}x{}".format(*picture)) for picture in PICTURES]
)
def test_a_screen_looks_as_it_did(
    snap_compare: SnapCompare, session: FakeSession, name: str, width: int, height: int
) -> None:
    app = GamedayApp(session)
    assert snap_compare(app, terminal_size=(width, height), run_before=scene(app, session, name))


def test_the_light_theme_looks_as_it_did(snap_compare: SnapCompare, session: FakeSession) -> None:
    app = GamedayApp(session)
    assert snap_compare(app, terminal_size=(120, 40), run_before=scene(app, session, "live", light=True))


def test_without_colours_it_looks_as_it_did(
    snap_compare: SnapCompare, session: FakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = GamedayApp(session)
    assert snap_compare(app, terminal_size=(80, 24), run_before=scene(app, session, "live"))
