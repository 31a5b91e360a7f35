"""What a unit's state means for a probe."""

from __future__ import annotations

import msgspec
import pytest

from console.errors import GamedayError, NodeUnreachable
from console.nodes.ssh import Completed
from console.plan.probe import ServiceProbe
from console.probes.service import ServiceProber, parse_unit
from console.terms import Status


class Node:
    """Answers each question with the next of its texts; an empty one is a lost link."""

    name = "redfin"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)

    async def run(self, command: str, **_: object) -> Completed:
        answer = self.answers.pop(0)
        if not answer:
            raise NodeUnreachable("redfin: gone")
        return Completed(0, answer, "")


def unit(active: str = "active", sub: str = "running", restarts: int = 0, invocation: str = "a") -> str:
    return f"ActiveState={active}\nSubState={sub}\nNRestarts={restarts}\nInvocationID={invocation}\nResult=success\n"


async def asked(state: str, *answers: str) -> list[Status]:
    probe = msgspec.convert(
        {"probe": "service", "node": "redfin", "service": "gw", "state": state, "unit": "gw.service"}, ServiceProbe
    )
    prober = ServiceProber(probe, Node(*answers))  # type: ignore[arg-type]
    await prober.start()
    return [(await prober.check()).status for _ in answers[1:]]


@pytest.mark.parametrize(
    ("state", "now", "status"),
    [
        ("active", unit(), Status.PASS),
        ("active", unit("activating", "auto-restart"), Status.FAIL),
        ("active", unit("failed", "failed"), Status.FAIL),
        ("auto-restarted", unit(), Status.FAIL),
        ("auto-restarted", unit(restarts=1), Status.PASS),
        ("auto-restarted", unit("activating", "auto-restart"), Status.PASS),
        ("auto-restarted", unit("inactive", "dead"), Status.FAIL),
        ("auto-restarted", unit(invocation="b"), Status.FAIL),
        ("restarted", unit(), Status.FAIL),
        ("restarted", unit(invocation="b"), Status.PASS),
        ("restarted", unit("activating", "start", invocation="b"), Status.FAIL),
    ],
)
async def test_a_state_is_judged_against_the_one_before(state: str, now: str, status: Status) -> None:
    assert await asked(state, unit(), now) == [status]


async def test_a_restart_that_was_seen_stays_seen() -> None:
    assert await asked("auto-restarted", unit(), unit("activating", "auto-restart"), unit()) == [Status.PASS] * 2


async def test_active_is_asked_anew_each_time() -> None:
    assert await asked("active", unit(), unit(), unit("failed", "failed")) == [Status.PASS, Status.FAIL]


async def test_a_lost_link_is_unknown_and_not_a_failure() -> None:
    assert await asked("active", unit(), "") == [Status.UNKNOWN]


async def test_without_a_baseline_start_says_so() -> None:
    with pytest.raises(GamedayError):
        await asked("restarted", "")


def test_an_answer_without_a_state_is_refused() -> None:
    with pytest.raises(GamedayError):
        parse_unit("Failed to connect to bus")
