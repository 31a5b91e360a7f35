"""What a preflight script's answer means: a guard rail's refusal is told from a target that is not as it should be."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from console.nodes.guard import InjectResult
from console.nodes.proof import Proof
from console.record.journal import Journal
from console.run.effect import EFFECT_LIMIT_S, Effect
from console.run.preflight import Preflight, read
from console.run.recorder import Recorder
from console.terms import Status
from tests.unit.runs import T0, started


@pytest.mark.parametrize(
    ("status", "said", "answer", "text"),
    [
        (0, "", "fit", ""),
        (0, "70 MB will be taken\n", "fit", "70 MB will be taken"),
        (1, "it is down\n", "unfit", "it is down"),
        (3, "a\nfix: do b\nc\n", "refused", "a (do b); c"),
        (3, "", "refused", "cannot say"),
        (2, "what is this\n", "unfit", "what is this"),
        (None, "", "unfit", "cannot say"),
    ],
)
def test_only_exit_3_is_a_refusal_and_only_exit_0_is_fit(status: int | None, said: str, answer: str, text: str) -> None:
    told = read(status, said, "cannot say\n")
    assert (told.answer, told.text) == (answer, text)


def test_a_warning_is_no_reason() -> None:
    assert read(3, "warning: small\nfull\n") == Preflight("refused", (("full", ""),), ("warning: small",))


class Absent:
    """A guard whose inject has ended, and whose fault does not show."""

    def __init__(self) -> None:
        self.asked = 0

    async def inject_result(self) -> InjectResult:
        return InjectResult(0, "")

    async def effect(self) -> Proof:
        self.asked += 1
        return Proof(Status.FAIL, "nothing is held")


async def test_an_effect_that_is_absent_once_inject_has_ended_is_not_waited_for_as_long_as_inject_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.run.effect.EFFECT_POLL_S", 0.0)
    clock = iter(T0 + second for second in range(1000))
    recorder = Recorder(Journal.create(tmp_path), lambda: next(clock))
    fault = SimpleNamespace(inject_limit_s=lambda target: 500.0)
    action = SimpleNamespace(node="redfin", fault=fault, target=None)
    guard = Absent()
    effect = Effect(SimpleNamespace(actions=(action,)), {"redfin": guard}, recorder, {})  # type: ignore[arg-type,dict-item]
    assert not await effect.prove()
    assert guard.asked < 2 * EFFECT_LIMIT_S


async def test_what_an_effect_has_found_is_noted_once(tmp_path: Path) -> None:
    recorder = Recorder(Journal.create(tmp_path), lambda: T0)
    await recorder.emit(started())
    effect = Effect(SimpleNamespace(actions=()), {}, recorder, {})  # type: ignore[arg-type]
    for _ in range(2):
        proof = await effect._tell("redfin", Proof(Status.PASS, "finding: 1 was killed\n70 MB held"))
    assert proof.evidence == "70 MB held"
    assert [found.text for found in recorder.state.findings] == ["redfin: 1 was killed"]
