"""lightning of the lab: an embedded database, LMDB, that goes on read-only by itself while it may not write.

LIGHTNING_DB_PATH is its folder, LIGHTNING_DISK the mount point that the folder must be on (empty: anywhere), STACK_HOST
and STACK_PORT say where it listens.

STACK_BREAK breaks it on purpose: `early-ack`, `exit-on-full`, `hang-on-full`, `corrupt`, `swallow-eio` as in store.py,
and `no-read-only` (refuses reads, too, while it may not write).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

import lmdb

from console.lab.services.stack.folder import Folder
from console.lab.services.stack.log import log
from console.lab.services.stack.records import Records
from console.lab.services.stack.records_web import answer
from console.lab.services.stack.trouble import EngineError
from console.lab.services.stack.web import Server

MAP_BYTES = 64 * 1024 * 1024
"""What it may grow to: more than its disk has, so that a full disk is what ends its growth."""


class LMDB:
    """LMDB."""

    name, label, mark, opens_read_only = "LMDB", "", "data.mdb", True
    writes_on_close = False
    files: tuple[str, ...] = ("data.mdb", "lock.mdb")

    def __init__(self) -> None:
        self._environment: lmdb.Environment | None = None

    def open(self, path: str, *, read_only: bool, create: bool) -> None:
        """Open it; without its lock file where it may not write that."""
        with self._said():
            self._environment = lmdb.open(
                path, map_size=MAP_BYTES, readonly=read_only, lock=not read_only, create=create, max_readers=64
            )

    def close(self) -> None:
        """Close it."""
        if self._environment:
            self._environment.close()
            self._environment = None

    def put(self, key: bytes, value: bytes) -> None:
        """Store it, if its disk has room: into pages that were freed it could, and refuse only every other record."""
        with self._said():
            if not os.statvfs(self._there.path()).f_bavail:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with self._there.begin(write=True) as transaction:
                transaction.put(key, value)

    def get(self, key: bytes) -> bytes | None:
        """What is stored."""
        with self._said(), self._there.begin() as transaction:
            found: bytes | None = transaction.get(key)
            return found

    def delete(self, key: bytes) -> None:
        """Remove it."""
        with self._said(), self._there.begin(write=True) as transaction:
            transaction.delete(key)

    def keys(self) -> list[bytes]:
        """All keys."""
        with self._said(), self._there.begin() as transaction:
            return list(transaction.cursor().iternext(keys=True, values=False))

    @property
    def _there(self) -> lmdb.Environment:
        if not self._environment:
            raise EngineError("it is closed")
        return self._environment

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.Error, OSError) as error:
            raise EngineError(str(error)) from error


def main() -> int:
    """Serve until a signal ends it."""
    flaw = os.environ.get("STACK_BREAK", "")
    folder = Folder(os.environ["LIGHTNING_DB_PATH"], os.environ.get("LIGHTNING_DISK", ""))
    records = Records("lightning", LMDB(), folder, flaw)
    records.start()  # what it cannot open yet it opens later; /health says so until then
    server = Server(os.environ["STACK_HOST"], int(os.environ["STACK_PORT"]), lambda asked: answer(records, asked))
    log(f"lightning: LMDB on port {server.server_port}")
    server.serve_forever(poll_interval=3600)
    return 0
