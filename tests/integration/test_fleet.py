"""What the console asks of nodes all the time, and of which."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from console.fleet import Fleet
from tests.lab import Lab


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.05)


async def test_only_what_is_of_use_is_asked(lab: Lab) -> None:
    fleet = Fleet(lab.inventory)
    await fleet.start()
    try:
        fleet.want(["redfin"])
        await until(lambda: fleet.view("redfin").sample)
        await asyncio.sleep(0.5)
        assert [view.up for view in fleet.values()] == [name == "redfin" for name in fleet]
        assert [(view.traces, view.has) for view in fleet.values()] == [(None, None)] * 3
        assert fleet.view("bluefin").connections is None

        fleet.listen(lambda _: None)
        await until(lambda: all(view.sample and view.traces is not None and view.has for view in fleet.values()))
        await until(lambda: fleet.view("bluefin").connections)
    finally:
        await fleet.close()
