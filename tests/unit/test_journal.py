"""The journal: a decision is on the disk before `append` returns, in order, whatever happens to the console."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from console.errors import Refused
from console.events import AnyEvent, Ended, Noted, PhaseEntered, Sampled
from console.record import journal
from console.record.journal import Journal, JournalError, follow, read
from console.record.lines import encode
from console.terms import Phase


def note(number: int) -> Noted:
    return Noted(at_s=float(number), text=f"note {number}", by="ana")


def sample(at_s: float) -> Sampled:
    return Sampled(at_s=at_s, node="redfin", values={"cpu_pct": 3.0})


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was fsync'd, `file` or `folder`, in order."""
    calls: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        calls.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


async def test_a_decision_is_synced_when_append_returns(tmp_path: Path, synced: list[str]) -> None:
    writer = Journal.create(tmp_path)
    await writer.append(note(1))
    assert synced == ["file", "folder"]
    assert read(tmp_path / journal.FILE) == ([note(1)], "")
    await writer.append(note(2))
    assert synced == ["file", "folder", "file"]
    await writer.close()


async def test_a_sample_waits_for_the_next_decision_and_is_not_synced(tmp_path: Path, synced: list[str]) -> None:
    writer = Journal.create(tmp_path)
    await writer.append(sample(1.0))
    assert read(tmp_path / journal.FILE) == ([], "")
    assert synced == []
    await writer.append(note(2))
    assert read(tmp_path / journal.FILE) == ([sample(1.0), note(2)], "")
    await writer.close()


async def test_a_sample_waits_no_longer_than_a_tick(
    tmp_path: Path, synced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "TICK_S", 0.0)
    writer = Journal.create(tmp_path)
    await writer.append(sample(1.0))
    assert read(tmp_path / journal.FILE) == ([sample(1.0)], "")
    assert synced == []
    await writer.close()


async def test_close_writes_the_samples_that_still_wait(tmp_path: Path) -> None:
    writer = Journal.create(tmp_path)
    await writer.append(sample(1.0))
    await writer.close()
    await writer.close()
    assert read(tmp_path / journal.FILE) == ([sample(1.0)], "")


async def test_events_appended_at_once_stand_in_the_order_of_the_calls(tmp_path: Path) -> None:
    writer = Journal.create(tmp_path)
    events: list[AnyEvent] = [sample(float(n)) if n % 3 == 0 else note(n) for n in range(60)]
    await asyncio.gather(*(writer.append(event) for event in events))
    await writer.close()
    assert read(tmp_path / journal.FILE) == (events, "")


async def test_a_cancelled_caller_does_not_lose_the_event(tmp_path: Path) -> None:
    gate = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    busy = asyncio.create_task(asyncio.to_thread(gate.wait))
    writer = Journal.create(tmp_path)
    await asyncio.sleep(0)
    appending = asyncio.create_task(writer.append(note(1)))
    await asyncio.sleep(0)
    appending.cancel()
    await asyncio.gather(appending, return_exceptions=True)
    gate.set()
    await busy
    await asyncio.to_thread(lambda: None)
    assert read(tmp_path / journal.FILE) == ([note(1)], "")
    await writer.close()


async def test_a_full_disk_is_said_in_one_sentence_and_nothing_is_appended_from_then_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Journal.create(tmp_path)
    real = os.write
    monkeypatch.setattr(
        os, "write", lambda fd, data: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
    )
    with pytest.raises(JournalError, match="cannot be written: No space left on device"):
        await writer.append(note(1))
    monkeypatch.setattr(os, "write", real)
    with pytest.raises(JournalError, match="No space left"):
        await writer.append(note(2))
    with pytest.raises(JournalError, match="No space left"):
        await writer.append(sample(3))
    await writer.close()


async def test_a_short_write_is_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:7]))
    writer = Journal.create(tmp_path)
    await writer.append(note(1))
    assert read(tmp_path / journal.FILE) == ([note(1)], "")
    await writer.close()


async def test_a_journal_is_begun_only_once(tmp_path: Path) -> None:
    writer = Journal.create(tmp_path)
    with pytest.raises(Refused, match="at most once"):
        Journal.create(tmp_path)
    await writer.close()


async def test_a_torn_last_line_is_left_out_and_reported(tmp_path: Path) -> None:
    file = tmp_path / journal.FILE
    writer = Journal.create(tmp_path)
    await writer.append(note(1))
    await writer.append(note(2))
    await writer.close()
    file.write_bytes(file.read_bytes()[:-9])
    events, complaint = read(file)
    assert events == [note(1)]
    assert f"{file}:2: the last line is torn" in complaint


def test_what_follows_a_broken_line_is_left_out_and_reported(tmp_path: Path) -> None:
    file = tmp_path / journal.FILE
    file.write_bytes(encode(note(1)) + b"\n\x00\x00\n" + encode(note(2)) + b"\n")
    events, complaint = read(file)
    assert events == [note(1)]
    assert ":2: not an event" in complaint


def test_reading_without_samples_gives_the_decisions(tmp_path: Path) -> None:
    file = tmp_path / journal.FILE
    file.write_bytes(b"".join(encode(event) + b"\n" for event in (note(1), sample(2.0), note(3))))
    assert read(file, samples=False) == ([note(1), note(3)], "")


def test_the_missing_journal_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be read: No such file"):
        read(tmp_path / "none")


async def test_a_follower_sees_each_event_until_the_end(tmp_path: Path) -> None:
    writer = Journal.create(tmp_path)
    events: list[AnyEvent] = [note(1), PhaseEntered(at_s=2.0, phase=Phase.ARM), Ended(at_s=3.0)]

    async def watch() -> list[AnyEvent]:
        return [event async for event in follow(tmp_path / journal.FILE, every_s=0.01)]

    watching = asyncio.create_task(watch())
    for event in events:
        await writer.append(event)
    assert await asyncio.wait_for(watching, 10) == events
    await writer.close()


async def test_a_follower_ends_when_the_writer_is_dead(tmp_path: Path) -> None:
    file = tmp_path / journal.FILE
    file.write_bytes(encode(note(1)) + b'\n{"event":"no')
    assert [event async for event in follow(file, alive=lambda: False, every_s=0.01)] == [note(1)]
