"""Alertmanager as a witness: what fires, clears, is silenced, and every way in which it cannot be asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.nodes.ssh import SshNode
from console.plan.probe import AlertProbe
from console.probes.alert import AlertProber
from console.probes.alertmanager import Alertmanager, NoAlerts
from console.probes.base import Observation
from console.run import checklist
from console.terms import Status
from tests.integration.alertmanagers import PEERS, Peer, StandIn, free_port, peer
from tests.integration.endpoint import endpoint

NAME, LABELS = "NodeUnreachable", {"node": "redfin"}


@pytest.fixture(params=PEERS)
async def alerts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Peer]:
    """The real Alertmanager where it can be, and the stand-in."""
    async with peer(request.param, tmp_path) as running:
        yield running


@pytest.fixture
async def stand_in() -> AsyncIterator[StandIn]:
    """A stand-in that can be made to answer badly."""
    made = StandIn()
    await made.start()
    yield made
    await made.stop()


def prober(on: Peer, state: str = "firing", **said: object) -> AlertProber:
    probe = AlertProbe(alert=NAME, labels=LABELS, state=state, timeout_s=1.0)  # type: ignore[arg-type]
    return AlertProber(probe, Alertmanager(on.url, timeout_s=1.0))


async def told(asked: AlertProber, status: Status) -> Observation:
    """The first observation of that status, within 10 s."""
    async with asyncio.timeout(10):
        while (seen := await asked.check()).status is not status:
            await asyncio.sleep(0.05)
    return seen


async def test_an_alert_that_comes_fires_and_its_start_is_told(alerts: Peer) -> None:
    asked = prober(alerts)
    await asked.start()
    assert (await asked.check()).text == 'NodeUnreachable{node="redfin"} does not fire'
    await alerts.post(NAME, node="redfin", severity="page")
    before_s = time.time()
    seen = await told(asked, Status.PASS)
    assert "fires; Alertmanager says since 20" in seen.text
    assert before_s <= seen.at_s <= time.time(), "the console's clock, not Alertmanager's"
    await asked.stop()


async def test_an_alert_of_another_name_or_label_is_not_this_one(alerts: Peer) -> None:
    asked = prober(alerts)
    await asked.start()
    await alerts.post(NAME, node="bluefin")
    await alerts.post("GatewayDown", node="redfin")
    assert (await asked.check()).status is Status.FAIL
    await asked.stop()


async def test_an_alert_that_fired_and_is_gone_has_cleared(alerts: Peer) -> None:
    asked = prober(alerts, "cleared")
    await asked.start()
    seen = await asked.check()
    assert (seen.status, seen.text.split(" ", 1)[1]) == (
        Status.UNKNOWN, "never fired in this run, so nothing could clear",
    )  # fmt: skip
    await alerts.post(NAME, node="redfin")
    assert "still there" in (await told(asked, Status.FAIL)).text
    await alerts.post(NAME, node="redfin", firing=False)
    assert "has cleared; it fired since 20" in (await told(asked, Status.PASS)).text
    await asked.stop()


async def test_what_fires_while_nobody_asks_is_not_missed(alerts: Peer) -> None:
    asked = prober(alerts, "cleared")
    await asked.start()
    await alerts.post(NAME, node="redfin")
    async with asyncio.timeout(10):
        while not asked._fired:
            await asyncio.sleep(0.05)
    await alerts.post(NAME, node="redfin", firing=False)
    assert (await told(asked, Status.PASS)).status is Status.PASS
    await asked.stop()


async def test_a_silenced_alert_has_neither_fired_nor_cleared(alerts: Peer) -> None:
    fires, clears = prober(alerts), prober(alerts, "cleared")
    await fires.start()
    await clears.start()
    await alerts.post(NAME, node="redfin")
    await told(fires, Status.PASS)
    await clears.check()
    await alerts.silence(NAME)
    seen = await told(fires, Status.FAIL)
    assert "is silenced by" in seen.text
    assert "reaches nobody" in seen.text
    assert (await clears.check()).status is Status.FAIL
    for asked in (fires, clears):
        await asked.stop()


async def test_an_alert_that_is_there_at_the_baseline_can_witness_nothing(alerts: Peer) -> None:
    await alerts.post(NAME, node="redfin")
    for state in ("firing", "cleared"):
        with pytest.raises(NoAlerts, match=r"is there already, since 20.* it cannot tell of this fault"):
            await prober(alerts, state).start()


async def test_an_alertmanager_that_went_away_is_unknown_and_one_that_forgot_never_says_cleared(alerts: Peer) -> None:
    fires, clears = prober(alerts), prober(alerts, "cleared")
    await fires.start()
    await clears.start()
    await alerts.post(NAME, node="redfin")
    await told(clears, Status.FAIL)
    await alerts.stop()
    for asked in (fires, clears):
        seen = await asked.check()
        assert seen.status is Status.UNKNOWN
        assert "does not answer" in seen.text
    await alerts.start()
    for asked in (fires, clears):
        assert "started anew" in (await asked.check()).text
    assert (await fires.check()).status is Status.UNKNOWN, "what it forgot may have fired"
    for asked in (fires, clears):
        await asked.stop()


async def test_it_is_asked_through_the_node(alerts: Peer, tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    async with endpoint(tmp_path / "node") as on:
        node = SshNode("greenfin", on.spec())
        through = Alertmanager(alerts.url, node)
        await alerts.post(NAME, node="redfin")
        assert [alert.words for alert in await through.alerts()] == ["NodeUnreachable (redfin)"]
        assert on.connections == 1
        with pytest.raises(NoAlerts, match="refused or closed"):
            await Alertmanager(f"http://127.0.0.1:{free_port()}", node).alerts()
        on.cut()
        with pytest.raises(NoAlerts, match=r"no answer within 0\.5 s"):
            await Alertmanager(alerts.url, node, timeout_s=0.5).alerts()
        await node.close()


GARBAGE = {
    "html": (b"HTTP/1.0 200 OK\r\n\r\n<html>login</html>", "does not answer as Alertmanager does"),
    "an object": (b'HTTP/1.0 200 OK\r\n\r\n{"status":"success","data":[]}', "does not answer as Alertmanager does"),
    "alerts without states": (b'HTTP/1.0 200 OK\r\n\r\n[{"labels":{}}]', "does not answer as Alertmanager does"),
    "not UTF-8": (b'HTTP/1.0 200 OK\r\n\r\n[{"labels":{"a":"\xff"}}]', "does not answer as Alertmanager does"),
    "nothing": (b"", "refused or closed"),
    "no HTTP": (b"SSH-2.0-OpenSSH\r\n\r\n", "does not speak HTTP"),
    "half a head": (b"HTTP/1.0 200 OK\r\nContent", "does not speak HTTP"),
    "cut off": (b"HTTP/1.0 200 OK\r\nContent-Length: 99\r\n\r\n[]", "broke off its answer after 2 bytes"),
    "an error": (b"HTTP/1.0 503 No\r\n\r\n[]", "answers HTTP 503 instead of 200"),
    "a redirect": (b"HTTP/1.0 302 Go\r\nLocation: http://192.0.2.1/\r\n\r\n[]", "answers HTTP 302 instead of 200"),
    "endless": (b"HTTP/1.0 200 OK\r\n\r\n[" + b" " * (9 * 2**20), "longer than 8 MB"),
}


@pytest.mark.parametrize(("answer", "why"), GARBAGE.values(), ids=list(GARBAGE))
async def test_anything_but_a_good_answer_is_unknown_with_its_reason(
    stand_in: StandIn, answer: bytes, why: str
) -> None:
    asked = prober(stand_in)
    await asked.start()
    stand_in.answers = answer
    seen = await asked.check()
    assert (seen.status, why in seen.text) == (Status.UNKNOWN, True), seen.text
    await asked.stop()


async def test_an_answer_that_does_not_come_is_unknown_in_its_time(stand_in: StandIn) -> None:
    asked = prober(stand_in)
    await asked.start()
    stand_in.slow_s = 3.0
    seen = await asked.check()
    assert (seen.status, seen.text) == (
        Status.UNKNOWN, f"Alertmanager {stand_in.url} gave no answer within 1 s",
    )  # fmt: skip
    await asked.stop()


async def test_after_the_run_no_alert_may_be_left_that_was_not_there_before(
    alerts: Peer,
) -> None:
    asked = Alertmanager(alerts.url)
    await alerts.post("Old", node="bluefin")
    before = await checklist.alerts_now(asked)
    assert before.present
    await alerts.post(NAME, node="redfin")
    await alerts.silence(NAME)
    left = await checklist.post_alerts(asked, before, time.time, 0.0)
    assert (left.status, left.evidence) == (Status.FAIL, "there since the run began: NodeUnreachable (redfin)")
    waiting = asyncio.create_task(checklist.post_alerts(asked, before, time.time, 20.0))
    await asyncio.sleep(0.2)
    await alerts.post(NAME, node="redfin", firing=False)
    cleared = await waiting
    assert (cleared.status, cleared.evidence) == (
        Status.PASS, "no alert of this run is left; 1 was there before the run already",
    )  # fmt: skip


async def test_alerts_that_cannot_be_compared_are_unknown(alerts: Peer) -> None:
    asked = Alertmanager(alerts.url, timeout_s=1.0)
    before = await checklist.alerts_now(asked)
    assert (await checklist.post_alerts(asked, None, time.time, 0.0)).status is Status.UNKNOWN
    await alerts.stop()
    assert (await checklist.post_alerts(asked, before, time.time, 0.0)).status is Status.UNKNOWN
    await alerts.start()
    assert "started anew" in (await checklist.post_alerts(asked, before, time.time, 0.0)).evidence
