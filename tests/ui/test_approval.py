"""The approval screen: every vote with its time, every refusal with its reason, the count, and where votes come in."""

from __future__ import annotations

import shlex

import pytest
from textual.widgets._footer import FooterKey

from console import events as ev
from console.tui.app import GamedayApp
from tests.ui import pages, recordings
from tests.ui.fakes.session import FakeSession
from tests.ui.pages import ids, screen_text, until

SIZE = (80, 24)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
@pytest.mark.parametrize("colours", [True, False], ids=["colours", "NO_COLOR"])
async def test_a_councils_vote_stands_on_one_screen(
    session: FakeSession, size: tuple[int, int], colours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not colours:
        monkeypatch.setenv("NO_COLOR", "1")
    app = GamedayApp(session)
    async with app.run_test(size=size) as pilot:
        await pages.council(app, session, pilot)
        shown = screen_text(app)
        for words in (
            "○ waiting", "■■□  2 of 3 for   1 against   1 abstained",
            "✗ expired   old@example  council  at ", "✓ for       kim@example  council  29 min 51 s left, until ",
            "✓ for       lee@example  council  3 min 52 s left", "✗ against   max@example  council",
            "○ abstained noa@example", "✗ refused   robin@example  council  the key is that of kim@example",
            "○ may sign  ", "robin@example, sam@example", "gameday approve ", "y copies",
            "watched every second  /home/ada/.config/gameday/approvals", "p pastes it",
        ):  # fmt: skip
            assert words in shown, f"{words!r} is not in\n{shown}"


async def test_the_time_that_is_left_counts_down_to_expired(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.council(app, session, pilot)
        session.now_s = recordings.START_S + 22 + 240 - 5
        app.repaint_page()
        await until(pilot, lambda: "✓ for       lee@example  council  5 s left" in screen_text(app))
        session.now_s += 5
        app.repaint_page()
        await until(pilot, lambda: "✗ expired   lee@example" in screen_text(app))


async def test_a_forgery_beside_a_vote_does_not_hide_it_and_a_later_vote_replaces_it(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pages.council(app, session, pilot)
        session.run.feed(recordings.signature(26, "kim@example", "for", why="the document was changed"))
        await until(pilot, lambda: "✗ refused   kim@example" in screen_text(app))
        assert "✓ for       kim@example" in screen_text(app)
        session.run.feed(recordings.signature(27, "kim@example", "against"))
        await until(pilot, lambda: "✗ against   kim@example" in screen_text(app))
        assert "✓ for       kim@example" not in screen_text(app)
        older = recordings.signature(21, "kim@example", "for")
        session.run.feed(older)
        await pilot.pause(0.2)
        assert "✗ against   kim@example" in screen_text(app)


async def test_enough_votes_fill_the_boxes_and_lead_on(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await pages.council(app, session, pilot)
        at_s = session.now_s
        session.run.feed(
            recordings.signature(30, "sam@example", "for"),
            ev.ApprovalSettled(
                at_s=at_s, sufficient=True, summary="3 of 3 council", votes_for=3, votes_against=1, abstained=1
            ),
        )
        await until(pilot, lambda: "✓ sufficient" in screen_text(app))
        assert "■■■  3 of 3 for   1 against   1 abstained" in screen_text(app)
        assert "c goes on to the launch." in screen_text(app)


async def test_approval_follows_by_itself_and_continues_only_with_enough(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.approval(app, session, pilot)
        assert "approved" not in ids(app)
        at_s = session.now_s
        session.run.feed(
            ev.ApprovalSeen(
                at_s=at_s, signer="robin@example", role="tpm", vote="for", accepted=True, not_after_s=at_s + 1800
            ),
            ev.ApprovalSettled(at_s=at_s, sufficient=True, summary="1 of 1 tpm"),
        )
        await until(pilot, lambda: "✓ sufficient" in screen_text(app))
        shown = screen_text(app)
        assert "30 min 00 s left, until " in shown
        assert "approved" in ids(app)
        await until(pilot, lambda: "Continue" in [key.description for key in app.screen.query(FooterKey)])


async def test_copying_writes_a_file_too(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.approval(app, session, pilot)
        await pilot.press("y")
        assert session.copy_file.read_text() == session.run.approve_line() + "\n"


async def test_the_commands_that_are_shown_can_be_pasted_line_by_line(session: FakeSession) -> None:
    app = GamedayApp(session)
    async with app.run_test(size=SIZE) as pilot:
        await pages.approval(app, session, pilot)
        rows = [line.strip() for line in screen_text(app).splitlines()]
        first = next(number for number, line in enumerate(rows) if "gameday approve" in line)
        shown = rows[first]
        while shown.endswith("\\"):
            first += 1
            shown = shown.removesuffix("\\") + rows[first]
        assert shlex.split(shown) == shlex.split(session.run.approve_line())
