"""The outbox: a write-up is on the disk before anyone is told, and is forgotten only when that is said."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from console.record.outbox import Outbox, OutboxError
from console.record.writeup import WriteUp

ROW = WriteUp(
    hash="CHAOS-TEST-A-202611211403-k7f3abcd", content="text ✓", stage="FRESH", temperature=85.0, sacred=False
)


@pytest.fixture
def box(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


def test_what_was_put_waits_until_it_is_removed(box: Outbox) -> None:
    assert box.pending() == []
    box.put(ROW)
    assert box.pending() == Outbox(box.folder).pending() == [ROW]
    box.remove(ROW.hash)
    box.remove(ROW.hash)
    assert box.pending() == []


def test_the_outbox_is_private(box: Outbox) -> None:
    box.put(ROW)
    assert [path.stat().st_mode & 0o777 for path in (box.folder, *box.folder.iterdir())] == [0o700, 0o600]


def test_file_and_folder_are_synced_before_put_returns(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def fsync(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink().name)
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    box.put(ROW)
    assert [name.endswith(".tmp") for name in synced] == [True, False]
    assert synced[1] == "outbox"


def test_putting_the_same_twice_is_as_good_as_once(box: Outbox) -> None:
    box.put(ROW)
    box.put(ROW)
    assert box.pending() == [ROW]


def test_another_write_up_never_replaces_one_that_waits(box: Outbox) -> None:
    box.put(ROW)
    with pytest.raises(OutboxError, match="another write-up waits"):
        box.put(msgspec.structs.replace(ROW, content="other"))
    assert box.pending() == [ROW]


def test_a_half_written_draft_is_no_write_up(box: Outbox) -> None:
    box.put(ROW)
    (box.folder / f".{ROW.hash}.json.77.tmp").write_text("{")
    assert (box.pending(), box.broken()) == ([ROW], [])


def test_a_broken_file_is_told_and_hides_no_other(box: Outbox) -> None:
    box.put(ROW)
    (box.folder / "A.json").write_text("{")
    assert box.pending() == [ROW]
    assert len(box.broken()) == 1
    assert "A.json is no write-up" in box.broken()[0]


@pytest.mark.parametrize("hash_", ["../x", "", ".hidden", "a/b", "x" * 300])
def test_a_hash_is_never_a_path(box: Outbox, hash_: str) -> None:
    with pytest.raises(OutboxError, match="no hash"):
        box.put(msgspec.structs.replace(ROW, hash=hash_))


def test_a_disk_that_does_not_take_it_is_said(box: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutboxError, match="No space left"):
        box.put(ROW)
    assert list(box.folder.iterdir()) == []
