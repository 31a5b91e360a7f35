"""Whether the pages and nodes that must answer do so, asked each second of an experiment: for the charts only."""

from __future__ import annotations

import asyncio

from console import events as ev
from console.fleet import Fleet
from console.plan.plan import Plan
from console.plan.probe import AnyProbe, HttpProbe, PingProbe
from console.probes.base import prober
from console.run.recorder import Recorder
from console.terms import Status

ASK_EVERY_S = 1.0


class Answers:
    """Asks what the steady state asks of pages and by pings; nothing is judged by it. What is unknown is left out."""

    def __init__(self, plan: Plan, fleet: Fleet, recorder: Recorder) -> None:
        self._fleet = fleet
        self._recorder = recorder
        self._asked: dict[str, HttpProbe | PingProbe] = {
            item.id: item.probe for item in plan.scenario.steady_state if isinstance(item.probe, (HttpProbe, PingProbe))
        }

    async def run(self) -> None:
        """Ask until cancelled."""
        await asyncio.gather(*(self._ask(name, probe) for name, probe in self._asked.items()))

    async def _ask(self, name: str, probe: HttpProbe | PingProbe) -> None:
        asked = prober(probe, self._fleet)
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            seen = await asked.check()
            if seen.status is not Status.UNKNOWN:
                value = float(seen.status is Status.PASS)
                node = where(probe)
                await self._recorder.emit(
                    ev.Sampled(at_s=self._recorder.now_s(), node=node, values={f"answers:{name}": value})
                )
            await asyncio.sleep(max(0.1, began_s + ASK_EVERY_S - loop.time()))


def where(probe: AnyProbe) -> str:
    """The node that asks.

    >>> where(PingProbe(node="greenfin", peer="redfin")), where(HttpProbe(node="redfin"))
    ('greenfin', 'redfin')
    """
    return getattr(probe, "from_node", "") or getattr(probe, "node", "")
