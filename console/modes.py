"""Fault modes by hand, for screen and command line alike: what may be hit, what a wish comes to, what acts now."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence

import msgspec

from console.chaos import live
from console.chaos.stats import Stats
from console.chaos.wish import Wish
from console.errors import GamedayError, Refused
from console.faults.call_modes import MODES, Backend, reached_pct
from console.faults.shell import UNTOUCHABLE_UNITS
from console.handle import RunHandle
from console.interval import wilson
from console.nodes import scripts
from console.nodes.ssh import SshNode
from console.plan.inventory import Inventory
from console.plan.scenario import Scenario
from console.state import Point
from console.terms import Status
from console.unattended import BY_HAND, answer

BACKENDS: dict[str, Backend] = {"libfiu": "libfiu", "strace": "strace", "kill": "kill"}
LOOKS = 600
"""How many looks at a node are kept for the chart."""
OVER_S = 5.0
"""A number of calls a second is that of so many seconds: the node itself counts once a second."""


class Aim(msgspec.Struct, frozen=True):
    """A service that a mode may act on, or may not."""

    node: str
    service: str
    unit: str
    refused: str
    """Why none may; empty: one may."""

    @property
    def name(self) -> str:
        """Like `bluefin/sigil`."""
        return f"{self.node}/{self.service}"


class Outlook(msgspec.Struct, frozen=True):
    """What a wish would come to, asked of its node before anything is begun."""

    backend: Backend | None
    """None: nothing can make it, or the node does not say."""
    rate_pct: float
    """The nearest rate to the wanted one that the backend reaches, in per cent."""
    why: str = ""
    """Why there is no backend; empty: there is one."""


class Acting(msgspec.Struct, frozen=True):
    """A mode that acts on a node, as it was told at `at_s` of the console's clock."""

    stats: Stats
    at_s: float
    history: tuple[Point, ...] = ()
    """(seconds since the epoch, hits a second), or the kills up to then."""
    achieved: tuple[float, float, float, int, int] | None = None
    """Rate with its 95 % interval in per cent, hits and calls, since the rate was last set; None: not known."""

    def left_s(self, now_s: float) -> float | None:
        """What is left until the node takes it back by itself, if no word reaches it, in seconds."""
        left_s = self.stats.lease_left_s
        return None if left_s is None else max(0.0, left_s - max(0.0, now_s - self.at_s))


class _Look(msgspec.Struct, frozen=True):
    at_s: float
    acts_pct: float | None
    count: int | None
    seen: int | None


class _Followed:
    """A run's mode from look to look."""

    def __init__(self, run: str) -> None:
        self.run = run
        self.looks: deque[_Look] = deque(maxlen=LOOKS)

    def add(self, at_s: float, stats: Stats) -> Acting:
        counted = stats.counted
        self.looks.append(_Look(at_s, stats.acts_pct, counted[1] if counted else None, stats.seen))
        kills = counted is not None and counted[0] == "kills"
        points = kill_points(self.looks) if kills else per_second(self.looks)
        return Acting(stats, at_s, points, achieved(self.looks, stats))


def per_second(looks: Sequence[_Look]) -> tuple[Point, ...]:
    """What was counted a second, each over the last OVER_S; none where it was not counted for longer than that."""
    known = [(look.at_s, look.count) for look in looks if look.count is not None]
    points: list[Point] = []
    first = 0
    for number, (at_s, count) in enumerate(known):
        while at_s - known[first][0] > OVER_S:
            first += 1
        if first < number:
            points.append((at_s, max(0.0, (count - known[first][1]) / (at_s - known[first][0]))))
    return tuple(points)


def kill_points(looks: Sequence[_Look]) -> tuple[Point, ...]:
    """How many kills there were, at each look."""
    return tuple((look.at_s, float(look.count)) for look in looks if look.count is not None)


def achieved(looks: Sequence[_Look], stats: Stats) -> tuple[float, float, float, int, int] | None:
    """The rate since it was last set, as far as that was looked at; else since the start, as the node tells it."""
    if stats.injected is None or not stats.seen:
        return None
    hits, calls = stats.injected, stats.seen
    same = len(looks)
    while same and looks[same - 1].acts_pct == stats.acts_pct:
        same -= 1
    if same:  # the first look at a new rate still counts some of the old one
        base = looks[same] if same + 1 >= len(looks) else looks[same + 1]
        hits, calls = hits - (base.count or 0), calls - (base.seen or 0)
    if not 0 <= hits <= calls or not calls:
        return None
    low, high = wilson(hits, calls)
    return 100 * hits / calls, 100 * low, 100 * high, hits, calls


class Modes:
    """The fault modes of one inventory's nodes."""

    def __init__(
        self,
        inventory: Inventory,
        nodes: Mapping[str, SshNode],
        *,
        clock: Callable[[], float],
        begin: Callable[[Scenario, float | None], RunHandle],
        led: Callable[[], RunHandle | None],
        read_only: bool = False,
    ) -> None:
        """`begin` starts a run at its checklist, `led` is the run that this console leads."""
        self._inventory, self._nodes, self._clock = inventory, nodes, clock
        self._begin, self._led, self._read_only = begin, led, read_only
        self._followed: dict[str, _Followed] = {}
        self.acting: dict[str, Acting] = {}
        """Node -> the mode that acts there, as of the last look."""
        self.ended: dict[str, Acting] = {}
        """Node -> the last numbers of a mode that acts no more."""
        self.unseen: dict[str, str] = {}
        """Node -> why nothing is known of it."""

    def aims(self) -> list[Aim]:
        """Every service of the inventory, in its order."""
        return [
            Aim(node, name, service.unit, self._refused(node, service.unit))
            for node, spec in self._inventory.nodes.items()
            for name, service in spec.services.items()
        ]

    def _refused(self, node: str, unit: str) -> str:
        marked = self._inventory.production(node, (unit,))
        if marked:
            return f"{marked[0]} is marked production in the inventory: fault modes are for development and test"
        return f"{unit} is never a target: without it there is no way back in" if unit in UNTOUCHABLE_UNITS else ""

    async def outlook(self, wish: Wish) -> Outlook:
        """Ask the node which backend would make it, and at which rate; nothing is changed there.

        Raises:
            BadInput: a word that cannot be understood.
        """
        fault = wish.fault
        unit = self._inventory.nodes[wish.node].services[wish.service].unit
        try:
            asked = await self._nodes[wish.node].run("sh -s", input=scripts.whole(fault.choice(unit)), sudo=True)
        except GamedayError as error:
            return Outlook(None, wish.rate_pct, str(error))
        backend = BACKENDS.get(asked.stdout.strip()) if asked.exit_status == 0 else None
        if backend is None:
            return Outlook(None, wish.rate_pct, (asked.stdout or asked.stderr).strip()[:300] or "the node does not say")
        return Outlook(backend, reached_pct(backend, wish.rate_pct) if MODES[wish.mode].calls else wish.rate_pct)

    async def prepare(self, wish: Wish) -> RunHandle:
        """Begin its run; what is open of its checklist is gone without, as from the command line. It is not launched.

        Raises:
            Refused: production, read-only, or another run of this console is open.
        """
        service = self._inventory.nodes[wish.node].services[wish.service]
        refused = self._refused(wish.node, service.unit)
        if refused:
            raise Refused(refused)
        handle = self._begin(wish.scenario(self._inventory), wish.for_s)
        await answer(handle, BY_HAND)
        return handle

    async def look(self) -> None:
        """Ask every node that answers which mode acts there, and its numbers."""
        await asyncio.gather(*(self._look_at(name) for name in self._nodes))

    async def _look_at(self, name: str) -> None:
        node = self._nodes[name]
        if not node.up:
            self.unseen[name] = f"{name} is not reached: {node.why}"
            return
        try:
            found = await live.stats(node)
        except GamedayError as error:
            self.unseen[name] = str(error)
            return
        self.unseen.pop(name, None)
        self._take(name, found)

    def _take(self, name: str, found: Stats | None) -> None:
        if found is None:
            if name in self.acting:
                self.ended[name] = self.acting.pop(name)
            return
        followed = self._followed.get(name)
        if followed is None or followed.run != found.run:
            followed = self._followed[name] = _Followed(found.run)
        self.acting[name] = followed.add(self._clock(), found)

    async def set_rate(self, node: str, pct: float) -> None:
        """Give the mode that acts there another rate, and wait until its process has it.

        Raises:
            Refused: read-only, none acts there, or its plan allows no such rate.
            NodeUnreachable: no answer, or the process does not get it.
        """
        self._may_change()
        self._take(node, await live.set_rate(self._nodes[node], pct))

    async def reset(self, node: str) -> str:
        """End the mode that acts there; says what came of it. A run of this console ends as after its own time.

        Raises:
            GamedayError: it is not proven gone, or it may not be ended from here.
        """
        self._may_change()
        led = self._led()
        if led and self.is_led(node) and led.enough():
            return f"{node}: its time is ended: the run takes it back and proves it gone"
        proof = await live.reset(self._nodes[node])
        if proof.status is not Status.PASS:
            raise GamedayError(f"{node}: not proven gone: {proof.evidence}")
        await self._look_at(node)
        return f"{node}: {proof.evidence}"

    def is_led(self, node: str) -> bool:
        """Whether the mode that acts there is this console's own run."""
        led, acting = self._led(), self.acting.get(node)
        return bool(led and not led.over and acting and acting.stats.run == led.plan.run)

    def _may_change(self) -> None:
        if self._read_only:
            raise Refused("this console was started with --read-only")
