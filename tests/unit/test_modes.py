"""Fault modes for screen and command line: what may be hit, numbers from look to look, and who may change what."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from console.chaos import live
from console.chaos.stats import Stats
from console.chaos.wish import Wish
from console.errors import GamedayError, NodeUnreachable, Refused
from console.handle import RunHandle
from console.modes import Modes, per_second
from console.nodes.proof import Proof
from console.nodes.ssh import Completed, SshNode
from console.plan.inventory import Inventory, Node, Service
from console.plan.scenario import Scenario
from console.session import Session
from console.terms import Status
from tests.ui.fakes.modes import told

WISH = Wish("redfin", "sigil", "disk_full", 30.0)


class FakeNode:
    """A node that answers one thing."""

    def __init__(self, answer: Completed | NodeUnreachable, *, up: bool = True) -> None:
        self.answer, self.up, self.why = answer, up, "" if up else "connection refused"
        self.asked: list[str] = []

    async def run(self, command: str, *, input: str, sudo: bool) -> Completed:  # noqa: A002
        self.asked.append(input)
        if isinstance(self.answer, NodeUnreachable):
            raise self.answer
        return self.answer


class Led:
    """The run of this console."""

    over = False

    def __init__(self, run: str, *, holds: bool = True) -> None:
        self.plan = type("Plan", (), {"run": run})
        self.holds = holds

    def enough(self) -> bool:
        return self.holds


def inventory(production: bool = False) -> Inventory:
    services = {
        "sigil": Service("sigil.service"),
        "twin": Service("sigil.service", production=production),
        "ssh": Service("ssh.service"),
    }
    return Inventory(version=1, name="lab", nodes={"redfin": Node("127.0.0.1", services=services)})


def modes(
    node: FakeNode | None = None, *, led: Led | None = None, read_only: bool = False, production: bool = False
) -> tuple[Modes, list[tuple[Scenario, float | None]]]:
    begun: list[tuple[Scenario, float | None]] = []

    def begin(scenario: Scenario, for_s: float | None) -> RunHandle:
        begun.append((scenario, for_s))
        raise Refused("enough seen")

    nodes = {"redfin": cast("SshNode", node or FakeNode(Completed(0, "strace\n", "")))}
    clock = iter(range(1000, 100_000, 2))
    made = Modes(
        inventory(production),
        nodes,
        clock=lambda: float(next(clock)),
        begin=begin,
        led=lambda: cast("RunHandle | None", led),
        read_only=read_only,
    )
    return made, begun


def answering(monkeypatch: pytest.MonkeyPatch, *answers: Stats | GamedayError | None) -> None:
    """What the node tells at each look, the last one for ever."""
    left = list(answers)

    async def stats(node: Any) -> Stats | None:
        found = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(found, GamedayError):
            raise found
        return found

    monkeypatch.setattr(live, "stats", stats)


async def test_a_unit_that_is_production_by_any_of_its_names_is_refused_with_the_reason() -> None:
    made, begun = modes(production=True)
    refused = {aim.name: aim.refused for aim in made.aims()}
    assert refused["redfin/sigil"] == (
        "twin on redfin is marked production in the inventory: fault modes are for development and test"
    )
    assert "no way back in" in refused["redfin/ssh"]
    with pytest.raises(Refused, match="marked production"):
        await made.prepare(WISH)
    assert begun == []


async def test_a_wish_is_the_same_run_as_from_the_command_line() -> None:
    made, begun = modes()
    with pytest.raises(Refused, match="enough seen"):
        await made.prepare(msgspec.structs.replace(WISH, for_s=90.0))
    assert begun == [(msgspec.structs.replace(WISH, for_s=90.0).scenario(inventory()), 90.0)]
    assert begun[0][0].method[0].fault.lasts_s == 90.0


async def test_what_would_make_it_is_asked_of_the_node_and_comes_with_the_nearest_rate() -> None:
    node = FakeNode(Completed(0, "strace\n", ""))
    outlook = await modes(node)[0].outlook(WISH)
    assert (outlook.backend, round(outlook.rate_pct, 1), outlook.why) == ("strace", 33.3, "")
    assert "unit=sigil.service" in node.asked[0]
    assert (await modes(FakeNode(Completed(0, "libfiu\n", "")))[0].outlook(WISH)).rate_pct == 30


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (Completed(1, "sigil.service has no main process\n", ""), "sigil.service has no main process"),
        (Completed(0, "magic\n", ""), "magic"),
        (Completed(0, "", ""), "the node does not say"),
        (NodeUnreachable("redfin: connection lost"), "redfin: connection lost"),
    ],
)
async def test_where_the_node_names_no_backend_there_is_none(answer: Completed | NodeUnreachable, why: str) -> None:
    outlook = await modes(FakeNode(answer))[0].outlook(WISH)
    assert (outlook.backend, outlook.why) == (None, why)


async def test_calls_a_second_are_told_over_some_seconds_and_not_over_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = modes()
    answering(monkeypatch, *(told(seen=100 * n, hit={"ENOSPC": 20 * n}) for n in range(1, 6)))
    for _ in range(5):
        await made.look()
    assert [(at_s - 1000, rate) for at_s, rate in made.acting["redfin"].history] == [(2, 10), (4, 10), (6, 10), (8, 10)]
    looks = [type("L", (), {"at_s": at_s, "count": count}) for at_s, count in ((0, 0), (2, 8), (60, 900), (62, 904))]
    assert per_second(cast("Any", looks)) == ((2, 4.0), (62, 2.0))


async def test_the_rate_achieved_is_that_since_it_was_last_set(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = modes()
    answering(
        monkeypatch,
        told(seen=1000, hit={"ENOSPC": 333}),
        told(seen=1020, hit={"ENOSPC": 340}, acts_pct=50.0),
        told(seen=1040, hit={"ENOSPC": 350}, acts_pct=50.0),
        told(seen=1240, hit={"ENOSPC": 450}, acts_pct=50.0),
    )
    await made.look()
    assert made.acting["redfin"].achieved is not None
    assert made.acting["redfin"].achieved[3:] == (333, 1000)
    for _ in range(3):
        await made.look()
    rate, low, high, hits, calls = made.acting["redfin"].achieved
    assert (rate, hits, calls) == (50.0, 100, 200)
    assert low < 50 < high


async def test_what_is_not_counted_has_neither_rate_nor_history(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = modes()
    answering(monkeypatch, told(backend="libfiu", seen=None, hit=None, calls={}))
    for _ in range(3):
        await made.look()
    assert (made.acting["redfin"].history, made.acting["redfin"].achieved) == ((), None)


async def test_a_node_that_does_not_answer_is_unseen_and_what_acts_there_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, _ = modes()
    answering(monkeypatch, told(), NodeUnreachable("redfin: no answer"), None)
    await made.look()
    await made.look()
    assert made.unseen == {"redfin": "redfin: no answer"}
    assert made.acting["redfin"].at_s == 1000
    await made.look()
    assert (made.unseen, made.acting) == ({}, {})
    assert made.ended["redfin"].stats.run == "k3n9m2pq", "its last numbers are kept"
    away, _ = modes(FakeNode(NodeUnreachable("never asked"), up=False))
    await away.look()
    assert away.unseen == {"redfin": "redfin is not reached: connection refused"}


async def test_a_reset_ends_the_time_of_the_own_run_and_takes_any_other_back(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Any] = []

    async def reset(node: Any) -> Proof:
        taken.append(node)
        return Proof(Status.PASS, "taken back")

    monkeypatch.setattr(live, "reset", reset)
    answering(monkeypatch, told(run="mine"))
    own, _ = modes(led=Led("mine"))
    await own.look()
    assert "its time is ended" in await own.reset("redfin")
    assert taken == []
    for led in (Led("mine", holds=False), Led("another"), None):
        other, _ = modes(led=led)
        await other.look()
        assert await other.reset("redfin") == "redfin: taken back"
    assert len(taken) == 3


async def test_a_reset_that_is_not_proven_is_an_error_and_read_only_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def reset(node: Any) -> Proof:
        return Proof(Status.UNKNOWN, "no proof that it is gone")

    monkeypatch.setattr(live, "reset", reset)
    with pytest.raises(GamedayError, match="not proven gone: no proof"):
        await modes()[0].reset("redfin")
    for change in (lambda made: made.reset("redfin"), lambda made: made.set_rate("redfin", 5.0)):
        with pytest.raises(Refused, match="--read-only"):
            await cast("Any", change)(modes(read_only=True)[0])


async def test_a_read_only_session_begins_no_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMEDAY_STATE", str(tmp_path))
    file = tmp_path / "inventory.yaml"
    file.write_text(
        "version: 1\nname: x\nnodes:\n  redfin: {address: 127.0.0.1, services: {sigil: {unit: sigil.service}}}\n"
    )
    with pytest.raises(Refused, match="--read-only"):
        await Session(file, read_only=True).modes.prepare(WISH)
