"""Fault modes by hand: words into a scenario, numbers into lines, and a seed into a sequence."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from console import events as ev
from console.chaos import monkey, stats, wish
from console.chaos.live import read
from console.errors import BadInput, GamedayError, Refused
from console.faults.call_errors import CallErrors
from console.nodes.sweep import Trace
from console.plan.inventory import Inventory, Node, Service, Store, load_inventory
from console.plan.probe import ProcessProbe, StoreProbe
from console.plan.resolve import resolve
from console.probes.process import Held, judge
from console.run.rails import production_rails
from console.run.verdict import propose
from console.state import fold_all
from console.terms import EXIT_CODES, Outcome, Reason, Risk, Status

EXAMPLE = load_inventory(Path(__file__).parents[2] / "scenarios" / "example" / "inventory.yaml")
TRACE = Trace("bluefin", "r1", "ann", "held", 9.0, "a living guard")
ABOUT = "action 1\nabout disk_full 300 ENOSPC steady 1 sigil.service\n"


def development() -> Inventory:
    """A small inventory in which something may be hit."""
    services = {
        "sigil": Service(unit="sigil.service", process="store", health="http://127.0.0.1:7070/health"),
        "vllm": Service(unit="vllm.service", recovery="manual"),
        "live": Service(unit="live.service", production=True),
    }
    return Inventory(version=1, name="lab", nodes={"bluefin": Node(address="127.0.0.1", services=services)})


def made(**words: object) -> CallErrors:
    told = {"rate_pct": 10.0, "hold_s": 30.0, "seed": 1, "backend": "auto", "schedule": "steady", **words}
    return wish.fault("disk_full", **told)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["0s", "61m", "2h", "-3", "soon", "", "1d"])
def test_a_time_is_from_one_second_to_one_hour(text: str) -> None:
    with pytest.raises(BadInput, match="no time from 1 s to 1 h"):
        wish.duration_s(text)
    assert [wish.duration_s(good) for good in ("1s", "1h", "60m", "2.5m")] == [1, 3600, 3600, 150]


@pytest.mark.parametrize("text", ["101", "-1", "nan", "many", ""])
def test_a_rate_is_from_nothing_to_all(text: str) -> None:
    with pytest.raises(BadInput, match="no rate from 0 to 100 %"):
        wish.percent(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [("bluefin", "must look like NODE/SERVICE"), ("blufin/sigil", "did you mean 'bluefin'"),
     ("bluefin/sigl", "did you mean 'sigil'")],
)  # fmt: skip
def test_a_target_is_a_service_of_the_inventory(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        wish.target_named(text, development())


def test_words_make_the_fault() -> None:
    fault = made(also=("network-fail=30", "memory_pressure=5%"), schedule="ramp:1m")
    assert fault.parts == [("disk_full", 10), ("network_fail", 30), ("memory_pressure", 5)]
    assert (fault.schedule, fault.ramp_s, fault.ceiling_pct) == ("ramp", 60, 100)
    other = wish.fault(
        "network_fail", rate_pct=1, also=["disk_full=9"], hold_s=5, seed=1, backend="auto", schedule="steady"
    )
    assert other.parts == [("network_fail", 1), ("disk_full", 9)]
    for bad in (
        {"also": ("slow_io=3",)},
        {"also": ("network_fail",)},
        {"schedule": "pulse:3"},
        {"schedule": "steady:1"},
    ):
        with pytest.raises(BadInput):
            made(**bad)


def test_the_scenario_is_made_from_the_inventory_and_resolves() -> None:
    inventory = development()
    scenario = wish.scenario("bluefin", "sigil", made(), inventory)
    assert scenario.risk is Risk.LOW
    assert [item.id for item in scenario.steady_state] == ["active", "answers"]
    plan = resolve(scenario, inventory, operator="ann", run="r1", created=datetime(2026, 11, 21, tzinfo=UTC))
    assert plan.actions[0].target.units == ("sigil.service",)


def test_a_store_is_written_to_meanwhile_and_read_back_where_the_console_stays() -> None:
    kept = Store(node="bluefin", service="sigil", path="/srv/sigil", url="http://127.0.0.1:7070/records")
    inventory = msgspec.structs.replace(development(), stores={"sigil": kept})
    wanted = wish.Wish("bluefin", "sigil", "disk_full")
    (whole,) = wanted.scenario(inventory).expectations
    assert (whole.probe, whole.after, whole.required) == (StoreProbe(store="sigil", state="whole"), "revert", True)
    assert msgspec.structs.replace(wanted, for_s=60.0).scenario(inventory).expectations == ()
    assert wish.Wish("bluefin", "vllm", "slow_io").scenario(inventory).expectations == ()


def test_what_strace_counts_is_told_with_its_interval() -> None:
    calls = "calls seen pwrite64 1000\ncalls seen write 1000\ncalls hit pwrite64 ENOSPC 667\ncalls end\n"
    told = read("bluefin", TRACE, f"{ABOUT}backend strace\nwant 300\nnow 300\n{calls}")
    assert told is not None
    assert told.calls == {"pwrite64": (1000, 667), "write": (1000, 0)}
    found = dict(stats.lines(told))
    assert list(found)[:7] == [
        "Mode", "Failure rate", "Disk full", "Disk failures", "Network failures", "Alloc failures", "Rate achieved",
    ]  # fmt: skip
    assert found["Failure rate"] == "30 %, 33.3 % now"
    assert (found["Disk full"], found["Disk failures"]) == ("667", "0")
    assert found["Rate achieved"] == "33.4 % (95 %: 31.3 to 35.4), 667 of 2000 calls"


def test_what_libfiu_cannot_tell_is_unknown_and_never_zero() -> None:
    told = read("bluefin", TRACE, f"{ABOUT}backend libfiu\nwant 300\nnow 300\n")
    assert told is not None
    found = dict(stats.lines(told))
    assert (told.seen, told.hit, told.achieved, told.injected) == (None, None, None, None)
    assert (found["Disk full"], found["Disk failures"]) == ("unknown", "0")
    assert found["Rate achieved"] == "unknown: libfiu keeps no counters"
    assert stats.result(told)["achieved_pct"] is None


def test_what_the_service_counts_since_the_start_is_told_as_its_own() -> None:
    own = "errors-before ENOSPC 5\nerrors-before told 1\nerrors-now ENOSPC 12\nerrors-now told 1\n"
    told = read("bluefin", TRACE, f"{ABOUT}backend libfiu\nwant 300\nnow 300\n{own}")
    assert told is not None
    assert dict(stats.lines(told))["Disk full"] == "7 (as the service counts)"
    none_yet = read("bluefin", TRACE, f"{ABOUT}backend libfiu\nerrors-now told 1\n")
    assert none_yet is not None
    assert dict(stats.lines(none_yet))["Disk full"] == "0 (as the service counts)"
    assert dict(stats.lines(none_yet))["Failure rate"] == "30 %, not acting yet"


def test_another_runs_folder_is_no_mode_and_nonsense_is_an_error() -> None:
    assert read("bluefin", TRACE, "action 1\n") is None
    with pytest.raises(GamedayError, match="cannot be understood"):
        read("bluefin", TRACE, "about disk_empty\n")


def test_the_same_seed_makes_the_same_sequence() -> None:
    aims = monkey.targets(development())
    first = monkey.sequence(7, aims, 600)
    assert first == monkey.sequence(7, aims, 600)
    assert first != monkey.sequence(8, aims, 600)
    assert first[:3] == monkey.sequence(7, aims, 120)[:3]
    assert monkey.sequence(7, aims, 1) == first[:1]
    # The same in every version: what was seen once can be made again.
    assert first[0].words == "1: call-errors disk_fail at 10 %, held for 12 s in sigil on bluefin"


def test_what_a_node_holds_by_itself_is_neither_passed_nor_failed_nor_unsafe() -> None:
    state = fold_all(
        [
            ev.Arming(at_s=1, node="bluefin"),
            ev.EffectJudged(at_s=2, node="bluefin", status=Status.PASS, evidence="it acts"),
            ev.Detached(at_s=3, node="bluefin", until_s=63),
        ]
    )
    outcome, _, sentence = propose(state)
    assert outcome is Outcome.HELD
    assert re.search(r"bluefin holds the fault by itself until .*; nothing was judged", sentence)
    assert EXIT_CODES[Outcome.HELD] == 0


def test_each_step_is_of_low_risk_and_can_be_planned() -> None:
    inventory = development()
    kinds = set()
    for seed in range(12):
        for step in monkey.sequence(seed, monkey.targets(inventory), 300):
            scenario = step.scenario(inventory)
            assert scenario.risk is Risk.LOW
            resolve(scenario, inventory, operator="ann", run="r1", created=datetime(2026, 11, 21, tzinfo=UTC))
            kinds.add(step.fault.mode if isinstance(step.fault, CallErrors) else step.fault.kind)
    assert kinds == {*monkey.MODES, "process-signal"}


def test_the_monkey_hits_nothing_that_is_production_a_database_or_does_not_come_back() -> None:
    assert [aim.service for aim in monkey.targets(development())] == ["sigil"]
    for name, why in (("live", "marked production"), ("vllm", "does not recover by itself")):
        with pytest.raises(Refused, match=why):
            monkey.targets(development(), [("bluefin", name)])
    all_production = msgspec.structs.replace(
        development(), nodes={"bluefin": msgspec.structs.replace(development().nodes["bluefin"], production=True)}
    )
    with pytest.raises(Refused, match="nothing in the inventory may be hit"):
        monkey.targets(all_production)
    assert "postgresql" not in [aim.service for aim in monkey.targets(EXAMPLE)]


@pytest.mark.parametrize("marked", ["node", "service"])
def test_what_is_marked_production_is_refused(marked: str) -> None:
    inventory = development()
    node = inventory.nodes["bluefin"]
    sigil = msgspec.structs.replace(node.services["sigil"], production=marked == "service")
    node = msgspec.structs.replace(node, services={"sigil": sigil}, production=marked == "node")
    inventory = msgspec.structs.replace(inventory, nodes={"bluefin": node})
    scenario = wish.scenario("bluefin", "sigil", made(), inventory)
    plan = resolve(scenario, inventory, operator="ann", run="r1", created=datetime(2026, 11, 21, tzinfo=UTC))
    (blocker,) = production_rails(plan, inventory)
    assert blocker.reason is Reason.REFUSED
    assert "is marked production in the inventory" in blocker.what


@pytest.mark.parametrize(
    ("now", "slack_mb", "status"),
    [
        (Held("7 100", 12, 22528), 0, "pass"),
        (Held("7 100", 13, 20480), 0, "fail"),
        (Held("7 100", 10, 22529), 0, "fail"),
        (Held("7 100", 10, 22529), 3, "pass"),
        (Held("7 101", 10, 20480), 0, "fail"),
        (Held("8 100", 10, 20480), 99, "fail"),
    ],
)
def test_a_process_is_held_against_its_baseline(now: Held, slack_mb: float, status: str) -> None:
    probe = ProcessProbe(node="bluefin", service="sigil", state="fallen-back", slack_mb=slack_mb)
    assert judge(probe, Held("7 100", 10, 20480), now)[0].value == status
    assert judge(probe, None, now)[0] is Status.UNKNOWN
