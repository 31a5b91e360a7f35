"""How long a store took to acknowledge again, from what its writer was told."""

from __future__ import annotations

import pytest

from console import events as ev
from console.probes.store_ledger import Answer, Kind
from console.probes.store_watch import recovery_time
from console.probes.timeline import Bracket
from console.run.recovering import reverted
from console.state import RunState, fold_all
from console.terms import Phase, Status

KINDS: dict[str, Kind] = {"!": "acknowledged", "-": "refused", "~": "silent", "x": "gone"}
SHIFT_S = 1000.0
"""The console's clock is so far ahead of the node's."""


def answers(text: str, every_s: float = 0.5) -> list[Answer]:
    """An answer every half second from 0 on, each 20 ms after it was asked for."""
    return [
        Answer(number, KINDS[kind], number * every_s, 0.02, number * every_s + SHIFT_S)
        for number, kind in enumerate(text)
    ]


def close(found: tuple[float, float] | str, seconds: float, error_s: float) -> bool:
    return not isinstance(found, str) and found == pytest.approx((seconds, error_s))


def at(lo_s: float, hi_s: float) -> Bracket:
    return Bracket(SHIFT_S + lo_s, SHIFT_S + hi_s)


def test_it_counts_from_the_revert_to_the_first_acknowledged_record() -> None:
    # Refused until 2.5 s, taken back between 2.1 and 2.3 s, acknowledged at 3.0 s.
    found = recovery_time(answers("!!----!!!!!!"), at(2.1, 2.3), 1.0)
    assert close(found, 0.54, 0.37)


def test_what_is_acknowledged_before_the_revert_is_proven_narrows_it() -> None:
    found = recovery_time(answers("!!----!!!!!!"), at(2.6, 9.0), 1.0)
    assert close(found, 0.0, 0.41)


def test_without_a_revert_it_counts_from_the_first_failure() -> None:
    found = recovery_time(answers("!!!xxxx!!!!!!"), None, 1.0)
    assert close(found, 2.0, 0.53)


def test_a_relapse_within_the_stable_time_counts_on() -> None:
    assert close(recovery_time(answers("!--!-!!!!!"), at(0.6, 0.7), 1.0), 1.59, 0.32)


NEVER = [
    ("", None, "no record was written"),
    ("!!!!", at(0, 1), "every record was acknowledged: there was nothing to recover from"),
    ("!-----", at(1, 1.5), "no record was acknowledged again for 1 s"),
    ("!--!-!-!-", at(1, 1.5), "no record was acknowledged again for 1 s"),
    ("!---!", None, "the writer ended too early"),
    ("!-!!!!!!", at(2, 2.5), "records were acknowledged again before the fault was taken back"),
]


@pytest.mark.parametrize(("text", "start", "why"), NEVER)
def test_what_cannot_be_told_is_not_told(text: str, start: Bracket | None, why: str) -> None:
    assert recovery_time(answers(text), start, 2.5 if "early" in why else 1.0) == why


def test_the_revert_is_that_of_the_stores_node() -> None:
    assert reverted(RunState(), "bluefin") is None
    state = fold_all(
        [
            ev.Reverting(at_s=1.0, node="redfin", why="", limit_s=5.0),
            ev.Reverted(at_s=2.0, node="redfin", status=Status.PASS, evidence=""),
            ev.Reverting(at_s=3.0, node="bluefin", why="", limit_s=5.0),
            ev.Reverted(at_s=4.0, node="bluefin", status=Status.PASS, evidence=""),
            ev.PhaseEntered(at_s=4.1, phase=Phase.PROVE_REVERTED),
        ]
    )
    assert reverted(state, "bluefin") == Bracket(3.0, 4.1)
    assert reverted(state, "greenfin") == Bracket(1.0, 4.1)
