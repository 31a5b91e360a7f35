"""Trials: one signed plan for all, a run id for each, a rate with its interval; and the bar decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from console import events as ev
from console.brief import ItemBrief
from console.cli import main
from console.errors import BadInput, Refused
from console.interval import wilson
from console.plan import approval, library
from console.plan import plan as plans
from console.plan.approval import judge
from console.plan.inventory import load_inventory
from console.plan.plan import Plan, canonical, check_against
from console.plan.preview import render
from console.plan.resolve import resolve
from console.plan.scenario import load_scenario
from console.run import pass_rate
from console.run.pass_rate import Progress, Trial, exit_code, sentence, why_stop, word
from console.run.suite import Entry
from console.state import fold_all
from console.terms import Outcome, Reason, Status
from console.unattended import as_before
from tests.unit.approvals import NOW, TPM, Ring, make_keys
from tests.unit.runs import T0, started

EXAMPLE = Path(__file__).parents[2] / "scenarios" / "example" / "inventory.yaml"
RUN = "k3m9wxyz"
OUTCOMES = {
    "p": Outcome.PASSED,
    "f": Outcome.FAILED,
    "n": Outcome.NOT_RUN,
    "a": Outcome.ABORTED,
    "u": Outcome.UNSAFE,
}


def planned(file: Path, trials: int = 20) -> Plan:
    made = datetime(2026, 11, 21, tzinfo=UTC)
    inventory = load_inventory(EXAMPLE)
    return resolve(load_scenario(file), inventory, operator="ann", run=RUN, created=made, file=file, trials=trials)


def ended(letters: str, trials: int = 0, bar: float = 0.95) -> Progress:
    """Trials that ended so, 10 s each."""
    done = tuple(
        Trial(n, Entry("flood", OUTCOMES[letter], f"{RUN}t{n}", why="why", recovered_s=float(n)), 10.0 * n)
        for n, letter in enumerate(letters, start=1)
    )
    return Progress("flood", RUN, "d" * 64, trials or len(letters), 0.0, bar, done)


# ---- one plan for all trials


@pytest.mark.parametrize("file", library.all_files(load_inventory(EXAMPLE)), ids=lambda file: file.stem)
def test_a_trial_is_the_signed_plan_with_another_run_id_whatever_the_fault(file: Path) -> None:
    plan = planned(file)
    trial = plan.of_trial(7)
    assert (trial.run, trial.trial, trial.trials) == (f"{RUN}t07", 7, 20)
    assert (trial.digest, trial.signed_run) == (plan.digest, RUN)
    assert canonical(trial.document) == canonical(plan)
    assert RUN not in canonical(trial).decode().replace(trial.run, "")
    check_against(trial, load_inventory(EXAMPLE))


def test_a_trial_that_was_edited_has_not_the_signed_digest() -> None:
    plan = planned(library.find("llm-gateway-kill", None))
    trial = plan.of_trial(3)
    action = trial.actions[0]
    worse = msgspec.structs.replace(action.scripts, inject=action.scripts.inject + "reboot\n")
    edited = msgspec.structs.replace(trial, actions=(msgspec.structs.replace(action, scripts=worse),))
    assert edited.digest != plan.digest
    assert msgspec.structs.replace(trial, trials=21).digest != plan.digest


@pytest.mark.parametrize("number", [0, 21])
def test_there_is_no_trial_above_the_number_that_is_signed(number: int) -> None:
    with pytest.raises(Refused, match="has no trial"):
        planned(library.find("llm-gateway-kill", None)).of_trial(number)


@pytest.mark.parametrize("run", ["redfin", "aaaa", "llm-gateway", "1", "expectat"])
def test_a_run_id_that_stands_for_something_else_is_refused(run: str) -> None:
    plan = msgspec.structs.replace(planned(library.find("llm-gateway-kill", None)), run=run)
    with pytest.raises(Refused, match="make a new plan"):
        plan.of_trial(1)


def test_who_signs_is_told_how_many_trials_and_which_runs() -> None:
    plan = planned(library.find("llm-gateway-kill", None))
    assert f"20 trials: all that follows 20 times, one after the other, as runs {RUN}t01 to {RUN}t20" in render(plan)
    assert f"this is trial 3 of 20 of plan {RUN}" in render(plan.of_trial(3))


@pytest.mark.parametrize(
    "changes", [{"trial": 21}, {"trial": 8}, {"trial": 3, "run": RUN}, {"trials": 0}, {"trials": 1001}, {"trial": -1}]
)
def test_a_file_that_is_no_trial_of_its_plan_is_no_plan(tmp_path: Path, changes: dict[str, object]) -> None:
    trial = planned(library.find("llm-gateway-kill", None)).of_trial(3)
    file = tmp_path / "plan.json"
    plans.save(msgspec.structs.replace(trial, **changes), file)
    with pytest.raises(BadInput):
        plans.load(file)


def test_one_vote_holds_for_every_trial_and_for_no_other_number_of_them(tmp_path: Path) -> None:
    make_keys(tmp_path)
    ring = Ring(tmp_path, tmp_path)
    plan = msgspec.structs.replace(ring.plan, trials=20)
    signed = approval.sign(approval.write_document(plan, TPM, "for", NOW, 1800), tmp_path / TPM)
    for_one = approval.sign(approval.write_document(ring.plan, TPM, "for", NOW, 1800), tmp_path / TPM)
    for_trial = approval.sign(approval.write_document(plan.of_trial(1), TPM, "for", NOW, 1800), tmp_path / TPM)
    for number in (1, 20):
        trial = plan.of_trial(number)
        assert judge(signed, trial, ring.inventory, NOW).accepted
        assert judge(for_trial, trial, ring.inventory, NOW).accepted
        assert "changed or made anew" in judge(for_one, trial, ring.inventory, NOW).why
        assert "expired" in judge(signed, trial, ring.inventory, NOW + timedelta(hours=1)).why
    more = msgspec.structs.replace(ring.plan, trials=21).of_trial(21)
    assert "changed or made anew" in judge(signed, more, ring.inventory, NOW).why


# ---- what the trials tell


@pytest.mark.parametrize(
    ("letters", "trials", "bar", "code", "together"),
    [
        ("p" * 20, 20, 0.95, 0, "PASS"),
        ("p" * 19 + "f", 20, 0.95, 1, "FAIL"),  # 95 % is not above 95 %
        ("p" * 99 + "f", 100, 0.95, 0, "PASS"),
        ("p" * 19 + "f", 20, 0.9, 0, "PASS"),
        ("p" * 19 + "n", 20, 0.95, 3, "PASS"),
        ("p" * 5, 20, 0.95, 3, "PASS"),
        ("fn", 20, 0.95, 1, "FAIL"),
        ("n", 20, 0.95, 3, "SKIP"),
        ("p" * 99 + "a", 100, 0.95, 4, "FAIL"),
        ("p" * 99 + "u", 100, 0.95, 5, "FAIL"),
        ("p" * 10 + "fu", 20, 0.95, 5, "FAIL"),
        ("ff", 2, 0.0, 1, "FAIL"),
    ],
)
def test_the_bar_decides_and_the_worst_counts(letters: str, trials: int, bar: float, code: int, together: str) -> None:
    progress = ended(letters, trials, bar)
    assert (exit_code(progress), word(progress)) == (code, together)


def test_what_was_not_run_is_neither_passed_nor_failed_and_an_abort_is_no_pass() -> None:
    progress = ended("ppnfna", 20)
    assert (progress.passed, progress.failed, progress.tried, progress.rate) == (2, 2, 4, 0.5)
    told = pass_rate.result(progress, hash="h", delivered=True)
    assert (told.trials, told.passed, told.failed, told.not_run) == (20, 2, 2, 16)
    assert told.interval == wilson(2, 4)
    assert pass_rate.result(ended("n"), hash="", delivered=False).rate is None


@pytest.mark.parametrize(
    ("letters", "bar", "words"),
    [
        ("p" * 20, 0.95, "20 of 20 trials passed: 100 %, above the bar of 95 %; its 95 % interval, 83.9-100 %, begins "
         "below it: so few trials do not prove that the true rate is above the bar (73 in a row would)"),
        ("p" * 73, 0.95, "above the bar of 95 %; its 95 % interval, 95-100 %, is above the bar, too"),
        ("p" * 30 + "f", 0.95, "96.8 %, above the bar of 95 %; its 95 % interval, 83.8-99.4 %, begins below it: so few "
         "trials do not prove that the true rate is above the bar"),
        ("p" * 19 + "f", 0.95, "95 %, not above the bar of 95 %; its 95 % interval, 76.4-99.1 %, reaches above it: so "
         "few trials do not prove that the true rate is below the bar either"),
        ("pf" * 10, 0.95, "50 %, not above the bar of 95 %; its 95 % interval, 29.9-70.1 %, lies below it, too"),
        ("n", 0.95, "none of 1 trials was run: nothing is known of the rate"),
    ],
)  # fmt: skip
def test_no_more_is_claimed_than_the_sample_shows(letters: str, bar: float, words: str) -> None:
    assert sentence(ended(letters, bar=bar)).endswith(words)


@pytest.mark.parametrize(
    ("letters", "reason", "stops"),
    [
        ("p", Reason.NONE, ""),
        ("pf", Reason.DATA_LOSS, ""),
        ("pa", Reason.OPERATOR, "nothing more is broken after trial 2, aborted"),
        ("u", Reason.REVERT_NOT_PROVEN, "nothing more is broken after trial 1, unsafe"),
        ("n", Reason.BASELINE, "trial 1 could not be run: why"),
        ("pn", Reason.APPROVAL, "trial 2 could not be run: why"),
        ("pn", Reason.REFUSED, "trial 2 could not be run: why"),
        ("pn", Reason.BASELINE, ""),
        ("pnn", Reason.BUSY, ""),
        ("pnnn", Reason.BASELINE, "3 trials in a row could not be run: why"),
        ("pnpnn", Reason.BASELINE, ""),
    ],
)
def test_no_other_trial_is_begun_where_it_would_hurt_or_be_in_vain(letters: str, reason: Reason, stops: str) -> None:
    assert why_stop(ended(letters, 20).done, reason) == stops


def test_the_time_left_is_that_of_the_trials_so_far() -> None:
    assert ended("", 20).left_s(5.0) is None
    assert ended("pp", 20).left_s(20.0) == pytest.approx(180.0)
    assert ended("pp", 20).left_s(26.0) == pytest.approx(174.0)
    assert ended("pp", 2).left_s(99.0) == 0.0


def test_the_row_holds_rate_interval_times_and_each_trial_that_did_not_pass() -> None:
    plan = planned(library.find("llm-gateway-kill", None), 6)
    progress = msgspec.structs.replace(ended("ppfp", 6), stopped="SIGINT at the console")
    done = [
        msgspec.structs.replace(t, entry=msgspec.structs.replace(t.entry, issues=("no alert",))) for t in progress.done
    ]
    progress = msgspec.structs.replace(progress, done=tuple(done))
    row = pass_rate.row(progress, plan, when=NOW)
    assert row.hash == f"CHAOS-TEST-RESULTS-202611211403-{RUN}"
    assert (row.stage, row.temperature, row.sacred) == ("FRESH", 90.0, True)
    for told in (
        "Chaos test results: FAIL, 6 trials of llm-gateway-kill, 3 of 4 passed: 75 % (30.1-95.4 %), 2026-11-21 14:03",
        "- trials: ✓✓✗✓··",
        "- time to recover, 4 measured: 1.00 to 4.00 s, median 2.50 s",
        f"Trials that did not pass\n- ✗ FAIL trial 3 of 6: why (run {RUN}t3)",
        "- ○ 2 not begun: SIGINT at the console",
        "- no alert (4 trials)",
    ):
        assert told in row.content


def test_what_the_operator_said_of_the_first_trial_is_the_answer_of_the_others() -> None:
    said: list[ev.AnyEvent] = [
        ev.ItemChecked(at_s=T0, stage="pre", id="tpm-notified", status=Status.PASS, attested=True, by="ana"),
        ev.ItemOverridden(at_s=T0, id="backups", reason="a lab", by="ana"),
        ev.ItemChecked(at_s=T0, stage="pre", id="free", status=Status.FAIL, attested=True, by="ana"),
    ]
    items = tuple(ItemBrief(name, name, automatic=False) for name in ("tpm-notified", "backups", "free", "other"))
    answers = as_before(fold_all([msgspec.structs.replace(started(), pre=items), *said]))
    assert [answers.attests(item.id) for item in items] == [True, False, False, False]
    assert (answers.overrides, "run k7f3abcd" in answers.words) == ({"backups": "a lab"}, True)


# ---- on the command line


def gameday(*args: str) -> Result:
    return CliRunner().invoke(main, [*args, "--inventory", str(EXAMPLE)])


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["llm-gateway-kill", "--trials", "1"], 2, "2<=x<=1000"),
        (["llm-gateway-kill", "--trials", "1001"], 2, "2<=x<=1000"),
        (["llm-gateway-kill", "--bar", "0.9"], 2, "--bar is for several trials"),
        (["llm-gateway-kill", "--trials", "3", "--bar", "1"], 2, "0<=x<1"),
        (["suite:gateway", "--trials", "3"], 2, "--trials is for one scenario"),
        (["llm-gateway-kill", "disk-fill", "--trials", "3"], 2, "--trials is for one scenario"),
        (["plan.json", "--trials", "3"], 2, "--trials cannot change a plan that is already made"),
        (["disk-fill", "--trials", "3"], 3, "gameday plan disk-fill --trials 3 -o FILE"),
        (["llm-gateway-kill", "--trials", "3", "--dry-run"], 0, "3 trials: all that follows 3 times"),
    ],
)
def test_trials_on_the_command_line_are_for_one_scenario_that_may_be_run(
    args: list[str], code: int, words: str
) -> None:
    done = gameday("run", *args)
    assert done.exit_code == code, done.output
    assert words in " ".join(done.output.split())


def test_a_plan_of_trials_is_run_alone_and_never_one_trial_of_it_by_itself(tmp_path: Path) -> None:
    plan = planned(library.find("llm-gateway-kill", None), 3)
    whole, one = tmp_path / "whole.json", tmp_path / "one.json"
    plans.save(plan, whole)
    plans.save(plan.of_trial(2), one)
    together = gameday("run", str(whole), "connections-observe")
    assert (together.exit_code, "is a plan of 3 trials: run it alone" in together.output) == (2, True)
    alone = gameday("run", str(one))
    assert (alone.exit_code, f"this is trial 2 of plan {RUN}: run the plan itself" in alone.output) == (2, True)
