"""Where the console keeps what it must not lose: runs, the outbox, crash notes. Private to the user."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from console.errors import BadInput


def state_home() -> Path:
    """$GAMEDAY_STATE, else the user's state folder; not made here."""
    told = os.environ.get("GAMEDAY_STATE", "")
    return Path(os.path.expanduser(told)) if told else platformdirs.user_state_path("gameday")


def private_folder(folder: Path) -> Path:
    """`folder`, made with mode 0700 where it is not there yet.

    Raises:
        BadInput: it cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise BadInput(f"the folder cannot be made: {error.strerror}", file=folder) from error
    return folder


def fsync_folder(folder: Path) -> None:
    """Make a new or renamed entry of `folder` survive a power cut.

    Raises:
        OSError: the disk does not take it.
    """
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomically(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `file` by `content` in one step; it is on the disk when this returns.

    Raises:
        OSError: the disk does not take it; the old file is then as it was.
    """
    draft = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as out:
            os.fchmod(out.fileno(), mode)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)
    fsync_folder(file.parent)
