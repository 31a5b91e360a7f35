"""The writer beside a store, through a real node and its real program: what it tells of stores that lie."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from console.nodes.ssh import SshNode
from console.plan.probe import StoreProbe
from console.probes.base import Observation
from console.probes.store import StoreProber
from console.probes.store_writer import NoWriter, StoreWriter
from console.run.stores import Stores, cleared
from console.terms import Status
from tests.integration.endpoint import Endpoint, endpoint
from tests.integration.liar import FULL, Liar, liar
from tests.unit.programs import without

LIMIT_S = 1.0
PASS, FAIL, UNKNOWN = Status.PASS, Status.FAIL, Status.UNKNOWN


class Beside:
    """A node with a store on it, and the writer beside that."""

    def __init__(self, at: Endpoint, node: SshNode, store: Liar, stack: AsyncExitStack) -> None:
        self.at, self.node, self.store = at, node, store
        self.stack = stack
        self.writer = self.another()

    def probe(self, state: str, **said: object) -> StoreProbe:
        told = {"store": "sigil", "url": self.store.url, "timeout_s": LIMIT_S, "node": "bluefin", "run": "r1", **said}
        return StoreProbe(state=state, **told)  # type: ignore[arg-type]

    def another(self, **said: object) -> StoreWriter:
        made = StoreWriter(self.probe("writes", **said), self.node, lease_s=3.0, limit_s=LIMIT_S, period_s=0.01)
        self.stack.push_async_callback(made.close)
        return made

    def stores(self) -> Stores:
        """All the stores of a run, which is this one."""
        asked = SimpleNamespace(steady_state=(SimpleNamespace(probe=self.probe("writes")),), expectations=())
        plan: Any = SimpleNamespace(scenario=asked, lease_s=3.0)
        fleet: Any = SimpleNamespace(node=lambda name: self.node)
        made = Stores(plan, fleet)
        self.stack.push_async_callback(made.close)
        return made

    def prober(self, state: str, **said: object) -> StoreProber:
        return StoreProber(self.probe(state, **said), self.writer)

    async def ask(self, state: str, **said: object) -> Observation:
        return await self.prober(state, **said).check()

    async def written(self, count: int = 8) -> None:
        """So many records, and no more from then on."""
        await self.writer.start()
        assert await self.writer.until(lambda: len(self.writer.ledger.acknowledged) >= count or None, 10)
        await self.writer.stop()


@pytest.fixture
async def beside(tmp_path: Path) -> AsyncIterator[Beside]:
    async with AsyncExitStack() as stack:
        at = await stack.enter_async_context(endpoint(tmp_path))
        store = await stack.enter_async_context(liar())
        node = SshNode("bluefin", at.spec())
        stack.push_async_callback(node.close)
        yield Beside(at, node, store, stack)


async def test_a_store_that_keeps_its_word_is_whole_and_left_without_our_records(beside: Beside) -> None:
    beside.store.records["their-own"] = b"value"
    beside.store.lingers = True
    await beside.written()
    kept = len(beside.writer.ledger.acknowledged)
    seen = await beside.ask("whole")
    assert (seen.status, seen.text) == (PASS, f"all {kept} acknowledged records are there")
    assert (await beside.ask("reads")).text == "record 1 is read as it was written"
    assert await cleared(beside.writer) == f"the {kept} records of this run were deleted"
    assert list(beside.store.records) == ["their-own"]


async def test_what_a_store_did_to_records_is_counted_by_their_numbers(beside: Beside) -> None:
    await beside.written(12)
    store, kept, sound = beside.store, len(beside.writer.ledger.acknowledged), dict(beside.store.records)
    keys = {number: store.key(number) for number in range(1, 10)}
    mine = sound[keys[9]]
    for change, lost, told in (
        ({keys[2]: None, keys[3]: None}, True, f"2 of {kept} acknowledged records are gone (2-3)"),
        ({keys[5]: sound[keys[5]][:700], keys[6]: b""}, True, "2 records are damaged (5-6)"),
        ({keys[7]: sound[keys[8]], keys[8]: sound[keys[7]]}, True, "2 records hold something else (7-8)"),
        ({"gameday-r1-copy": mine}, False, "keys that were never written by us: gameday-r1-copy"),
    ):
        store.records = {key: value for key, value in {**sound, **change}.items() if value is not None}
        seen = await beside.ask("whole")
        assert (seen.status, seen.data_lost, seen.text) == (FAIL, lost, told)
    store.records = {**sound, "gameday-r1-000999": mine}
    assert "1 records were never written by us (999)" in (await beside.ask("whole")).text
    store.records = {**sound, keys[1]: mine}
    assert (await beside.ask("reads")).text.startswith("record 1 holds something else: ")


async def test_a_refusal_is_told_with_its_words_and_whether_it_is_classed(beside: Beside) -> None:
    await beside.writer.start()
    refuses, writes = beside.prober("refuses", says="free some space"), beside.prober("writes")
    assert (await refuses.check()).text.startswith("record ")
    assert (await beside.ask("classed")).status is UNKNOWN
    beside.store.refusal = FULL
    seen = await refuses.check()
    assert (seen.status, seen.text.split(" was ")[1]) == (
        PASS,
        "refused, 507: the disk is full: free some space (ENOSPC)",
    )
    assert (await writes.check()).status is FAIL
    assert "does not say 'read-only'" in (await beside.ask("refuses", says="read-only")).text
    assert "recoverable" in (await beside.ask("classed")).text
    beside.store.refusal = "no"
    assert (await beside.ask("refuses")).status is PASS
    seen = await beside.ask("classed")
    assert (seen.status, seen.text.partition(": ")[2]) == (FAIL, "no: it does not say whether that is recoverable")
    beside.store.refusal = ""
    assert (await writes.check()).status is PASS
    await beside.writer.stop()
    assert (await beside.ask("whole")).status is PASS


async def test_a_store_that_hangs_once_does_not_refuse_well_afterwards(beside: Beside) -> None:
    await beside.writer.start()
    refuses, writes = beside.prober("refuses", timeout_s=0.3), beside.prober("writes", timeout_s=0.3)
    assert (await beside.ask("writes")).status is PASS
    beside.store.hangs = {"PUT"}
    seen = await writes.check()
    assert (seen.status, seen.text[:9]) == (FAIL, "it hangs:")
    assert (await beside.ask("reads")).status is PASS
    assert (await refuses.check()).status is FAIL
    beside.store.hangs, beside.store.refusal = set(), FULL
    assert (await writes.check()).text.split()[0] in ("it", "record")
    assert await beside.writer.until(lambda: beside.writer.ledger.answers[-1].kind == "refused" or None, 3)
    assert (await beside.ask("refuses")).status is PASS
    seen = await refuses.check()
    assert (seen.status, seen.text[:9]) == (FAIL, "it hangs:")


async def test_a_store_that_dies_and_comes_back_is_told_as_both(beside: Beside) -> None:
    await beside.writer.start()
    assert (await beside.ask("writes")).status is PASS
    refuses = beside.prober("refuses")
    await refuses.check()
    await beside.store.die()
    seen = await beside.ask("writes")
    assert (seen.status, seen.text.partition(": ")[0]) == (FAIL, "it is not there")
    assert "could not be read back: Connection refused" in (await beside.ask("whole")).text
    await beside.store.start()
    beside.store.refusal = FULL
    assert (await refuses.check()).status is FAIL
    beside.store.refusal = ""
    assert (await beside.ask("writes")).status is PASS
    assert (await beside.ask("whole")).status is PASS


async def test_a_lost_link_is_no_fault_of_the_store_and_what_went_unseen_is_not_extra(beside: Beside) -> None:
    await beside.writer.start()
    assert (await beside.ask("writes")).status is PASS
    await beside.at.stop()
    seen = await beside.ask("writes")
    assert (seen.status, "could not be asked: bluefin" in seen.text) == (UNKNOWN, True)
    unseen = beside.writer.ledger.answers[-1].number + 20
    await beside.at.start()
    assert await beside.writer.until(lambda: not beside.writer.why or None, 10)
    assert (await beside.ask("writes")).status is PASS
    await beside.writer.stop()
    beside.store.records[f"gameday-r1-{unseen:06d}"] = beside.store.records[beside.store.key(1)]
    assert (await beside.ask("whole")).text == f"1 records hold something else ({unseen})"


async def test_records_that_a_store_cannot_delete_stay_and_it_is_said(beside: Beside) -> None:
    beside.store.no_delete = beside.store.no_list = True
    beside.store.refusal = FULL
    await beside.writer.start()
    assert (await beside.ask("whole")).status is UNKNOWN
    beside.store.refusal = ""
    await beside.written()
    assert (await beside.ask("whole")).text == (
        f"all {len(beside.store.records)} acknowledged records are there; its keys could not be listed: no listing here"
    )
    assert (await cleared(beside.writer)).endswith("records of this run stay in it: no listing here")
    told = await cleared(beside.another(can_delete=False))
    assert told == "its 0 records of this run stay in it, as it cannot delete"


async def test_what_cannot_be_told_at_the_end_is_unknown_and_told_once_it_can_be(beside: Beside) -> None:
    stores = beside.stores()
    assert (await stores.verify(), await stores.close()) == ([], [])
    beside.writer = stores.writers["sigil"]
    await beside.written(2)
    await beside.store.die()
    (seen,) = await stores.verify()
    assert (seen.status, seen.evidence.partition("; ")[2]) == (UNKNOWN, "the records of this run stay in it")
    assert "Connection refused" in seen.evidence
    await beside.store.start()
    for _ in range(2):  # it is told for good
        (seen,) = await stores.verify()
        kept = len(beside.writer.ledger.acknowledged)
        told = f"all {kept} acknowledged records are there; the {kept} records of this run were deleted"
        assert (seen.status, seen.evidence) == (PASS, f"store sigil on bluefin: {told}")
    assert (await stores.close(), beside.store.records) == ([], {})


async def test_a_run_that_ends_early_leaves_no_record_or_says_where_they_stay(beside: Beside) -> None:
    for no_delete in (False, True):
        beside.store.no_delete = no_delete
        stores = beside.stores()
        beside.writer = stores.writers["sigil"]
        await beside.written(1)
        stays = await stores.close()
        assert bool(beside.store.records) is no_delete
        assert [text.partition(" stay in it: ")[2] for text in stays] == ["this store only grows"] * no_delete


async def test_a_node_without_python_is_told_as_that(beside: Beside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(without("python3")))
    with pytest.raises(NoWriter, match=r"store sigil on bluefin cannot be written to: .*python3.*not found"):
        await beside.writer.start()
