"""What a reboot is refused for, how its boot is read, and what holds all the while."""

from __future__ import annotations

import msgspec
import pytest

from console.events import NodeBooted
from console.faults.base import Target
from console.faults.node_reboot import NodeReboot
from console.plan.inventory import Inventory, Node
from console.plot.boot import boot_lines
from console.probes.base import Observation
from console.probes.booted import Boot, judge, parse
from console.record.sections import boots
from console.run.judging import Window
from console.run.reboot import jumps_through, run_here
from console.state import fold_all
from console.terms import Status
from console.tui.narrate import describe

UNITS = ("gw.service", "ui.service")


def boot(**active_s: float) -> Boot:
    active = {f"{name}.service": at_s for name, at_s in active_s.items()}
    return Boot("b2", active, {unit: "active" if unit in active else "failed" for unit in UNITS}, 3.0)


@pytest.mark.parametrize(
    ("seen", "status", "text"),
    [
        (msgspec.structs.replace(boot(gw=1, ui=2), id="b1"), Status.FAIL, "still the same boot"),
        (boot(gw=1), Status.FAIL, "a new boot, in which ui.service is failed"),
        (boot(gw=2, ui=1), Status.FAIL, "ui.service before gw.service"),
        (boot(gw=1, ui=2), Status.PASS, "a new boot: gw.service 1.00 s, ui.service 2.00 s after userspace began"),
    ],
)
def test_only_a_new_boot_with_its_services_in_order_is_one(seen: Boot, status: Status, text: str) -> None:
    told = judge(seen, "b1", UNITS)
    assert told[0] is status
    assert text in told[1]


def test_a_boot_is_counted_from_its_own_beginning() -> None:
    told = parse(
        "b2\nUserspaceTimestampMonotonic=5000000\nFinishTimestampMonotonic=9000000\n\n"
        "Id=gw.service\nLoadState=loaded\nActiveState=active\nActiveEnterTimestampMonotonic=6500000\n\n"
        "Id=ui.service\nLoadState=loaded\nActiveState=activating\nActiveEnterTimestampMonotonic=0\n\n"
        "Id=sshd.service\nLoadState=not-found\nActiveState=inactive\nActiveEnterTimestampMonotonic=0\n"
    )
    assert (told.active_s, told.finished_s) == ({"gw.service": 1.5}, 4.0)
    assert told.states == {"gw.service": "active", "ui.service": "activating"}


def seen(at_s: float, status: Status = Status.PASS) -> Observation:
    return Observation(status, f"{status.value} at {at_s:g}", at_s)


@pytest.mark.parametrize("miss", [Status.FAIL, Status.UNKNOWN])
def test_what_must_hold_throughout_is_told_at_its_first_miss(miss: Status) -> None:
    window = Window(3, 0, 0, throughout=True)
    assert [window.add(seen(at_s)) for at_s in (0, 1, 60)] == [None, None, None]
    told = window.add(seen(61, miss))
    assert told
    assert (told.status, told.observed) == (miss, f"it held for 61.0 s, then: {miss.value} at 61")


def test_what_has_held_throughout_is_met_when_the_observation_ends() -> None:
    window = Window(3, 0, 0, throughout=True)
    assert [window.add(seen(at_s)) for at_s in (1, 100)] == [None, None]
    told = window.give_up("the end")
    assert (told.status, told.observed, told.after_s) == (Status.PASS, "without a miss for 99 s: pass at 100", 1)


def test_what_never_held_throughout_is_not_met() -> None:
    window = Window(3, 0, 0, throughout=True)
    window.add(seen(1, Status.FAIL))
    told = window.add(seen(4, Status.FAIL))
    assert told
    assert told.status is Status.FAIL
    assert Window(3, 0, 0, throughout=True).give_up("the end").status is Status.UNKNOWN


def test_a_node_that_others_are_reached_through_is_told() -> None:
    nodes = {
        "redfin": Node(address="10.0.0.1"),
        "a": Node(address="x", jump="ann@10.0.0.1:2222"),
        "b": Node(address="x", jump="redfin"),
        "c": Node(address="x", jump="10.0.0.11"),
    }
    assert jumps_through(Inventory(version=1, name="i", nodes=nodes), "redfin") == ["a", "b"]


async def test_what_became_of_power_on_is_told() -> None:
    assert await run_here(("sh", "-c", "echo on its way; exit 3")) == "exit 3: on its way"
    assert await run_here(("/nonexistent/power",)) == "/nonexistent/power cannot be run: No such file or directory"


def test_the_timeline_of_a_boot_stands_in_the_write_up_and_on_the_live_screen() -> None:
    marks = {"sshd": 0.5, "llm-gateway": 1.0}
    told = NodeBooted(at_s=9, node="redfin", gone_after_s=2, back_after_s=9, error_s=0.3, marks=marks)
    state = fold_all([told])
    assert boots(state).lines == tuple(boot_lines(told))
    assert describe(told)[1] == "redfin booted, s after userspace: sshd 0.50, llm-gateway 1.00"


def test_a_service_that_did_not_come_back_stands_in_the_timeline() -> None:
    told = NodeBooted(at_s=0, node="redfin", gone_after_s=2, back_after_s=9, error_s=0.3, missing=("ui",))
    assert boot_lines(told)[1:] == ["✗ not active: ui"]


def test_the_shutdown_that_hangs_is_cut_short_by_what_a_shutdown_leaves_alone() -> None:
    inject = NodeReboot(forced_s=30).scripts(Target(node="redfin", run="r1", units=("gw.service",))).inject
    assert '--on-active="$forced"' in inject
    assert "forced=30\n" in inject
    assert inject.index("keep boot-before") < inject.index("systemctl --no-block")
