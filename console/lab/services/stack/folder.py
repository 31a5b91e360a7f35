"""The folder that a store's files are in: whether it is still there, may be written to, and takes what is written."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

TRIAL_BYTES = 128 * 1024
"""What must find room before a store is opened again: a LevelDB writes its log anew, 64 KiB and a little more."""
_FULL_BYTES = 64 * 1024
_WRITE_BITS = 0o222


class Folder:
    """One folder. `disk`: the mount point that it must be on, empty where it may be anywhere.

    Without that a store that starts while its disk is away would begin an empty one on the disk below.
    """

    def __init__(self, path: str, disk: str = "") -> None:
        self.path = path
        self._disk = disk

    def identity(self) -> tuple[int, int] | None:
        """What tells it from another folder of the same name; None while it is not there."""
        with suppress(OSError):
            if not self._disk or os.path.ismount(self._disk):
                found = os.stat(self.path)
                return found.st_dev, found.st_ino
        return None

    def refuses(self, *files: str) -> int:
        """Why nothing may be written to it, or to those of its files that are there, as an errno; 0 when it may.

        A file that has no write bit at all counts as read-only, also for root.

        Raises:
            OSError: it is not there.
        """
        if os.statvfs(self.path).f_flag & os.ST_RDONLY:
            return errno.EROFS
        for path in (self.path, *(os.path.join(self.path, name) for name in files)):
            with suppress(FileNotFoundError):
                if not os.stat(path).st_mode & _WRITE_BITS or not os.access(path, os.W_OK):
                    return errno.EACCES
        return 0

    def full(self) -> bool:
        """Whether there is next to nothing left on its disk."""
        with suppress(OSError):
            found = os.statvfs(self.path)
            return found.f_bavail * found.f_frsize < _FULL_BYTES
        return False

    def holds(self, name: str) -> bool:
        """Whether it has a file of that name."""
        return Path(self.path, name).exists()

    def try_to_write(self) -> None:
        """Write as much as a store needs to open, to the disk itself, in a file that is gone with this process.

        Raises:
            OSError: it does not take it.
        """
        trial = os.path.join(self.path, f".trial.{os.getpid()}")
        file = os.open(trial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.unlink(trial)
            left = TRIAL_BYTES
            while left:
                left -= os.write(file, bytes(left))
            os.fsync(file)
        finally:
            os.close(file)
