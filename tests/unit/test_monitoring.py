"""An alert is required only where there is an Alertmanager to ask; a person's word is stored as such, never as seen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from console import events as ev
from console.brief import ItemBrief
from console.errors import BadInput, Refused
from console.plan.inventory import Inventory, Monitoring, Node, load_inventory
from console.plan.plan import Plan, check_against
from console.plan.preview import render
from console.plan.probe import AlertProbe
from console.plan.resolve import resolve
from console.plan.scenario import Expectation, Scenario, load_scenario
from console.probes.base import Unasked, prober
from console.record import result, sections
from console.record.journal import Journal
from console.run.checklist import attest_expectation, post_items
from console.run.experiment import Experiment, NotRun
from console.run.recorder import Recorder
from console.run.verdict import propose
from console.state import RunState, fold_all
from console.terms import Category, Outcome, Reason, Risk, Status
from tests.unit.runs import T0, passed_events

URL = "http://127.0.0.1:9093"
NODES = {"greenfin": Node(address="127.0.0.1"), "redfin": Node(address="127.0.0.1")}
WATCHED = Inventory(version=1, name="lab", nodes=NODES, monitoring=Monitoring(URL, "greenfin"))
DIRECT = msgspec.structs.replace(WATCHED, monitoring=Monitoring(URL))
BARE = msgspec.structs.replace(WATCHED, monitoring=None)
FIRES = Expectation("alert", "The alert fires", AlertProbe(alert="NodeUnreachable", labels={"node": "redfin"}), 15.0)


def plan_with(inventory: Inventory, expectation: Expectation = FIRES) -> Plan:
    scenario = Scenario(
        name="s", title="t", category=Category.SERVICE, risk=Risk.LOW, purpose="p", hypothesis="h", rollback="r",
        expectations=(expectation,),
    )  # fmt: skip
    made = datetime(2026, 11, 21, tzinfo=UTC)
    return resolve(scenario, inventory, operator="ada", run="k3m9wxyz", created=made)


def the(plan: Plan) -> tuple[bool, str, str, tuple[str, ...]]:
    (expectation,) = plan.scenario.expectations
    probe = expectation.probe
    assert isinstance(probe, AlertProbe)
    return expectation.required, probe.alertmanager, probe.node, tuple(node.name for node in plan.nodes)


def test_where_there_is_monitoring_an_alert_is_required_and_its_node_is_part_of_the_plan() -> None:
    assert the(plan_with(WATCHED)) == (True, URL, "greenfin", ("greenfin",))
    assert the(plan_with(DIRECT)) == (True, URL, "", ())
    optional = msgspec.structs.replace(FIRES, required=False)
    assert not the(plan_with(WATCHED, optional))[0]
    assert f'Alertmanager {URL} on greenfin: NodeUnreachable{{node="redfin"}} is firing' in render(plan_with(WATCHED))


def test_where_there_is_none_it_is_not_and_the_preview_says_that_nobody_is_asked() -> None:
    assert the(plan_with(BARE)) == (False, "", "", ())
    assert "nobody is asked, the inventory has no monitoring" in render(plan_with(BARE))


def test_a_plan_that_asks_another_alertmanager_than_the_inventory_is_refused() -> None:
    for plan, inventory in ((plan_with(BARE), WATCHED), (plan_with(WATCHED), DIRECT), (plan_with(DIRECT), BARE)):
        with pytest.raises(Refused, match="'monitoring' is another than the plan's"):
            check_against(plan, inventory)
    check_against(plan_with(WATCHED), WATCHED)


def test_the_alerts_item_is_automatic_only_with_monitoring() -> None:
    for inventory, automatic in ((WATCHED, True), (BARE, False)):
        items = {item.id: item for item in post_items(plan_with(inventory), inventory)}
        assert items["alerts-cleared"].automatic is automatic


INVENTORY = "version: 1\nname: x\nnodes: {redfin: {address: 127.0.0.1}}\n"


@pytest.mark.parametrize(
    ("monitoring", "said"),
    [
        ("{alertmanager: http://127.0.0.1:9093, node: redfn}", "did you mean 'redfin'"),
        ("{alertmanager: 127.0.0.1:9093}", "an http"),
        ("{alertmanager: http://me:secret@127.0.0.1:9093}", "an http"),
        ("{node: redfin}", "alertmanager"),
    ],
)
def test_monitoring_that_cannot_be_asked_is_refused_with_its_line(tmp_path: Path, monitoring: str, said: str) -> None:
    file = tmp_path / "inventory.yaml"
    file.write_text(f"{INVENTORY}monitoring: {monitoring}\n")
    with pytest.raises(BadInput) as caught:
        load_inventory(file)
    assert f"{file}:4: " in str(caught.value)
    assert said in str(caught.value)


def test_an_alert_is_no_steady_state(tmp_path: Path) -> None:
    file = tmp_path / "scenario.yaml"
    file.write_text(
        "name: s\ntitle: t\ncategory: service\nrisk: low\npurpose: p\nhypothesis: h\nrollback: r\n"
        "steady_state: [{id: a, title: t, probe: {probe: alert, alert: X}}]\n"
    )
    with pytest.raises(BadInput, match="it is no steady state"):
        load_scenario(file)


async def test_without_an_alertmanager_it_is_unknown_at_once_and_says_why() -> None:
    probe = plan_with(BARE).scenario.expectations[0].probe
    asked = prober(probe, None)  # type: ignore[arg-type]
    assert isinstance(asked, Unasked)
    seen = await asked.check()
    assert (seen.status, seen.text) == (Status.UNKNOWN, "no Alertmanager is configured")


class CannotStart(Unasked):
    async def start(self) -> None:
        raise Refused(self.why)


@pytest.mark.parametrize("required", [True, False])
async def test_a_witness_that_cannot_begin_stops_the_run_where_it_is_required_and_is_unknown_where_not(
    recorder: Recorder, required: bool
) -> None:
    plan = plan_with(WATCHED, msgspec.structs.replace(FIRES, required=required))
    experiment = Experiment(plan, None, recorder, lambda: None)  # type: ignore[arg-type, return-value]
    experiment._probers["expect/alert"] = CannotStart("it fires already")
    if required:
        with pytest.raises(NotRun, match="it fires already") as ended:
            await experiment._start_prober("expect/alert")
        assert ended.value.reason is Reason.BASELINE
    else:
        await experiment._start_prober("expect/alert")
        async with asyncio.timeout(1):
            await experiment._judge(plan.scenario.expectations[0], 0.0)
        judged = recorder.state.expectations["alert"]
        assert (judged.status, judged.observed) == (Status.UNKNOWN, "it fires already")


# ---- a person's word


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    (tmp_path / "run").mkdir()
    made = Recorder(Journal.create(tmp_path / "run"), lambda: T0 + 30)
    yield made
    asyncio.run(made.close())


def run_with(status: Status, *, required: bool, over: bool = True) -> list[ev.AnyEvent]:
    """A passed run with one more expectation, an alert."""
    first, *rest = passed_events()
    assert isinstance(first, ev.RunStarted)
    brief = ItemBrief("alert", "The alert fires", within_s=15.0, required=required)
    first = msgspec.structs.replace(first, expectations=(*first.expectations, brief))
    told = ev.ExpectationJudged(at_s=T0 + 18, id="alert", status=status, observed="no Alertmanager is configured")
    events: list[ev.AnyEvent] = [first, *rest, told]
    if over:
        events.append(ev.Concluded(at_s=T0 + 21, outcome=Outcome.PASSED, reason=Reason.NONE, sentence="recovered"))
    return events


def test_an_alert_that_nobody_could_see_leaves_a_run_passed_and_one_that_is_required_does_not() -> None:
    assert propose(fold_all(run_with(Status.UNKNOWN, required=False)))[0] is Outcome.PASSED
    assert propose(fold_all(run_with(Status.UNKNOWN, required=True)))[:2] == (Outcome.FAILED, Reason.INCONCLUSIVE)
    assert propose(fold_all(run_with(Status.FAIL, required=True)))[:2] == (Outcome.FAILED, Reason.EXPECTATION)


async def attested(recorder: Recorder, events: list[ev.AnyEvent], note: str = "saw the page") -> RunState:
    for event in events:
        await recorder.emit(event)
    await attest_expectation(recorder, "alert", note=note, status=Status.PASS, by="ada")
    return recorder.state


async def test_a_persons_word_is_stored_as_attested_everywhere(recorder: Recorder) -> None:
    state = await attested(recorder, run_with(Status.UNKNOWN, required=False))
    assert state.expectations["alert"].attested
    lines = "\n".join(sections.expectations(state).lines)
    assert (
        "✓ attested: The alert fires (limit 15 s after the inject), not required, the word of ada: saw the page"
        in lines
    )
    told = {item.id: item for item in result.result(state).expectations}["alert"]
    assert (told.outcome, told.attested) == (Status.PASS, True)
    timeline = sections.timeline(state).lines
    assert any("expectation alert: pass, attested by ada: saw the page" in line for line in timeline)
    again = await attested(recorder, [], "no, it was another page")
    assert again.expectations["alert"].observed == "no, it was another page"


@pytest.mark.parametrize(
    ("events", "why"),
    [
        (run_with(Status.UNKNOWN, required=True), "is required: it cannot be attested"),
        (run_with(Status.FAIL, required=False), "was seen by the console itself"),
        (run_with(Status.PASS, required=False), "was seen by the console itself"),
        (run_with(Status.UNKNOWN, required=False, over=False), "between the verdict and the signature"),
        (
            [*run_with(Status.UNKNOWN, required=False), ev.Signed(at_s=T0 + 25, verdict="PASS", by="ada")],
            "between the verdict and the signature",
        ),
        (passed_events(), "there is no expectation 'alert'"),
    ],
    ids=["required", "missed", "met", "too-early", "signed", "none"],
)
async def test_what_the_console_saw_or_must_see_cannot_be_attested(
    recorder: Recorder, events: list[ev.AnyEvent], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        await attested(recorder, events)


async def test_a_persons_word_needs_a_note(recorder: Recorder) -> None:
    with pytest.raises(Refused, match="needs a note"):
        await attested(recorder, run_with(Status.UNKNOWN, required=False), " ")
