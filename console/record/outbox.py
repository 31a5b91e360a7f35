"""The outbox: write-ups that thermal memory does not have yet, one file each, on the disk before anyone is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from console.errors import GamedayError
from console.record.home import fsync_folder, private_folder, write_atomically
from console.record.writeup import HASH, WriteUp

SUFFIX = ".json"


class OutboxError(GamedayError):
    """The outbox cannot be written: the write-up exists only on the screen."""


class Outbox:
    """The folder of one user's waiting write-ups. Several consoles may use it at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, writeup: WriteUp) -> None:
        """Keep the write-up until it is removed; it is on the disk when this returns.

        Raises:
            OutboxError: the disk does not take it, or another write-up waits under the same hash.
        """
        file = self._file(writeup.hash)
        try:
            private_folder(self.folder)
            if file.exists() and msgspec.json.decode(file.read_bytes(), type=WriteUp) != writeup:
                raise OutboxError(f"another write-up waits as {file}")
            write_atomically(file, msgspec.json.format(msgspec.json.encode(writeup), indent=2) + b"\n")
        except (OSError, msgspec.DecodeError) as error:
            raise OutboxError(f"the write-up cannot be kept as {file}: {error}") from error

    def pending(self) -> list[WriteUp]:
        """The write-ups that wait, by hash; `broken` tells of files that are none."""
        return [found for found in self._all() if isinstance(found, WriteUp)]

    def broken(self) -> list[str]:
        """A sentence for each file that is no write-up."""
        return [found for found in self._all() if isinstance(found, str)]

    def holds(self, hash_: str) -> bool:
        """Whether that write-up still waits."""
        return self._file(hash_).exists()

    def remove(self, hash_: str) -> None:
        """Forget a write-up; only for one that was read back from thermal memory. Twice is as good as once.

        Raises:
            OutboxError: the file cannot be removed; it will be found delivered the next time.
        """
        try:
            self._file(hash_).unlink(missing_ok=True)
            fsync_folder(self.folder)
        except OSError as error:
            raise OutboxError(f"the delivered write-up {hash_} cannot be removed: {error.strerror}") from error

    async def put_async(self, writeup: WriteUp) -> None:
        """`put`, off the event loop."""
        await asyncio.to_thread(self.put, writeup)

    async def remove_async(self, hash_: str) -> None:
        """`remove`, off the event loop."""
        await asyncio.to_thread(self.remove, hash_)

    def _file(self, hash_: str) -> Path:
        if not HASH.fullmatch(hash_):
            raise OutboxError(f"'{hash_[:60]}' is no hash of a write-up")
        return self.folder / f"{hash_}{SUFFIX}"

    def _all(self) -> list[WriteUp | str]:
        found: list[WriteUp | str] = []
        for file in sorted(self.folder.glob(f"*{SUFFIX}")) if self.folder.is_dir() else ():
            try:
                found.append(msgspec.json.decode(file.read_bytes(), type=WriteUp))
            except FileNotFoundError:
                continue  # another console has just delivered it
            except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
                found.append(f"{file} is no write-up: {error}")
        return found
