"""`python -m tests.player PLAN APPROVAL...`: the console's screens on a real run, played by the keys of an operator.

Prints the run's events as `gameday run --json` does. A line on standard input presses the abort key, and the dialog's.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from textual import events

from console import events as ev
from console.cli.inventory import find_inventory
from console.handle import RunHandle
from console.plan import approval, plan
from console.record.lines import encode
from console.session import Session
from console.terms import EXIT_CODES, Status
from console.tui.app import GamedayApp
from console.tui.screens.abort import AbortDialog
from console.tui.screens.checklist import ChecklistScreen
from console.tui.screens.live import LiveScreen
from console.tui.widgets.typed_name import TypedName

LIMIT_S = 60.0


async def _until(true: Callable[[], object]) -> None:
    """Wait. (Textual's pilot waits for a quiet screen after each key, which a run has not.)"""
    async with asyncio.timeout(LIMIT_S):
        while not true():
            await asyncio.sleep(0.02)


async def _play(app: GamedayApp, handle: RunHandle) -> None:
    """From the checklist to the launch, abort on demand, and sign."""

    def press(key: str) -> None:
        app.post_message(events.Key(key, key if len(key) == 1 else None))

    app.lead(handle)
    await app.push_screen(ChecklistScreen(handle))
    await handle.ready()
    for item in list(handle.state.pre.values()):
        if not item.brief.automatic:
            await handle.tick(item.brief.id, "seen", Status.PASS)
    await _until(lambda: not handle.can_launch())
    press("c")
    await _until(lambda: isinstance(app.focused, TypedName))
    for key in handle.launch_word:
        press(key)
    await _until(lambda: app.screen.query_one(TypedName).value == handle.launch_word)
    press("ctrl+g")
    await _until(lambda: isinstance(app.screen, LiveScreen))
    await asyncio.to_thread(sys.stdin.readline)
    press("ctrl+x")
    await _until(lambda: isinstance(app.screen, AbortDialog))
    press("y")
    await handle.concluded()
    drafted = handle.writeup_draft()
    await handle.sign(drafted.verdict, "", drafted.issues, drafted.gaps)
    await handle.wait()


async def _run(words: list[str], out: TextIO) -> int:
    session = Session(find_inventory(None))
    app = GamedayApp(session)
    await session.open()
    try:
        async with app.run_test(size=(120, 40)):
            handle = session.start(plan.load(Path(words[0])), [approval.load(Path(file)) for file in words[1:]])

            def tell(event: ev.AnyEvent) -> None:
                out.write(encode(event).decode() + "\n")
                out.flush()

            handle.listen(tell)
            await _play(app, handle)
    finally:
        await session.close()
    assert handle.state.conclusion
    return EXIT_CODES[handle.state.conclusion.outcome]


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w") as out:  # Textual takes sys.stdout for itself
        sys.exit(asyncio.run(_run(sys.argv[1:], out)))
