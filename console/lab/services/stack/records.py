"""Records in a folder, whatever befalls the folder: what was acknowledged is on the disk, and all else is said."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections import Counter
from typing import Protocol

from console.lab.services.stack.early_ack import Later
from console.lab.services.stack.folder import Folder
from console.lab.services.stack.gate import Gate
from console.lab.services.stack.log import log
from console.lab.services.stack.trouble import EngineError, Trouble, errno_of

CLOSED, READ_ONLY, OPEN = "closed", "read-only", "open"


class Engine(Protocol):
    """A storage library; each method raises EngineError with what the library says."""

    name: str
    label: str
    """What it stands in for, if it does."""
    mark: str
    """A file that is there once a database is."""
    files: tuple[str, ...]
    """Its files that it must be able to write to."""
    opens_read_only: bool
    writes_on_close: bool
    """Whether closing it writes files, by their path: never where that leads to another disk."""

    def open(self, path: str, *, read_only: bool, create: bool) -> None:
        """Open it."""

    def close(self) -> None:
        """Close it, if it is open; never fails."""

    def put(self, key: bytes, value: bytes) -> None:
        """Store it; on the disk when this returns."""

    def get(self, key: bytes) -> bytes | None:
        """What is stored, if anything."""

    def delete(self, key: bytes) -> None:
        """Remove it."""

    def keys(self) -> list[bytes]:
        """All keys."""


class Records:
    """The records of one service. `flaw`: how it is broken on purpose, see the modules that run it."""

    def __init__(self, name: str, engine: Engine, folder: Folder, flaw: str = "") -> None:
        self.name, self.engine, self.folder, self.flaw = name, engine, folder, flaw
        self.errors: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._mode = CLOSED
        self._sound = True
        """No write failed since it was opened. After one a library's log may end in half a record: it is opened again
        before anything else is acknowledged."""
        self._identity: tuple[int, int] | None = None
        self._trouble: Trouble | None = None
        self._gate = Gate()
        self._writing = threading.RLock()
        self._later = Later(self._store) if flaw == "early-ack" else None

    def start(self) -> Trouble | None:
        """Open it for the first time; why it could not be, which leaves it to be tried again at each call."""
        with self._writing:
            try:
                self._recover()
            except Trouble as trouble:
                return trouble
        return None

    def put(self, key: bytes, value: bytes) -> None:
        """Store a record; it is on the disk when this returns.

        Raises:
            Trouble: it is not acknowledged.
        """
        self.calls["put"] += 1
        if self._later:
            return self._later.put(key, value)
        try:
            self._store(key, value)
        except Trouble as trouble:
            if not (self.flaw == "swallow-eio" and trouble.number == errno.EIO):
                raise

    def delete(self, key: bytes) -> None:
        """Remove a record; as `put`."""
        self.calls["delete"] += 1
        with self._writing:
            self._prepare_to_write()
            try:
                self.engine.delete(key)
            except EngineError as error:
                raise self._failed(error) from error

    def get(self, key: bytes) -> bytes | None:
        """A record's value; None when there is no such record.

        Raises:
            Trouble: it cannot be read.
        """
        self.calls["get"] += 1
        if self._later and (pending := self._later.get(key)) is not None:
            return pending
        self._prepare_to_read()
        with self._gate.together():
            try:
                value = self.engine.get(key)
            except EngineError as error:
                raise self._told(self._number(error), str(error)) from error
        if self.flaw == "corrupt" and self.errors and value:
            return value[:-1] + bytes([value[-1] ^ 1])
        return value

    def keys(self) -> list[bytes]:
        """The keys of all records; as `get`."""
        self.calls["list"] += 1
        self._prepare_to_read()
        with self._gate.together():
            try:
                return self.engine.keys()
            except EngineError as error:
                raise self._told(self._number(error), str(error)) from error

    def state(self) -> tuple[str, str]:
        """`ok`, `read-only`, `degraded` (it reads, a write failed and would again) or `failed`; and why.

        What was broken and would work now is put right by asking.
        """
        trouble: Trouble | None = None
        if self._writing.acquire(timeout=0.2):  # a hanging write is no reason to hang, too
            try:
                self._prepare_to_write(quietly=True)
            except Trouble as found:
                trouble = found
            finally:
                self._writing.release()
        elif not self._sound:
            trouble = self._trouble
        if not trouble:
            return "ok", ""
        if self._mode == CLOSED or (self.flaw == "no-read-only" and trouble.number in (errno.EROFS, errno.EACCES)):
            return "failed", str(trouble)
        return ("read-only" if trouble.number in (errno.EROFS, errno.EACCES) else "degraded"), str(trouble)

    def _store(self, key: bytes, value: bytes) -> None:
        with self._writing:
            self._prepare_to_write()
            try:
                self.engine.put(key, value)
            except EngineError as error:
                raise self._failed(error) from error

    def _prepare_to_read(self) -> None:
        if self.flaw == "no-read-only" and (number := self._refused()):
            raise self._told(number)
        if self._mode != CLOSED and self.folder.identity() == self._identity:
            return
        with self._writing:
            try:
                self._recover()
            except Trouble:
                if self._mode == CLOSED:
                    raise

    def _prepare_to_write(self, *, quietly: bool = False) -> None:
        """Make sure that a write may be tried: where it stands, the folder is the one that was opened, and writable."""
        if self._mode == OPEN and self._sound and self.folder.identity() == self._identity and not self._refused():
            return
        self._recover(quietly=quietly)

    def _recover(self, *, quietly: bool = False) -> None:
        """Open it, as far as the folder allows. With `_writing` held.

        Raises:
            Trouble: it is not open for writing.
        """
        found = self.folder.identity()
        moved = self._identity is not None and found != self._identity
        stays = self.engine.writes_on_close or not self.folder.holds(self.engine.mark)
        if found is None or (moved and stays):
            self._close()  # so that the file system can go
            raise self._told(errno.ESTALE, quietly=quietly)
        if moved:
            self._close()
        if number := self._refused():
            self._fall_back(found, quietly=quietly)
            raise self._told(number, quietly=quietly)
        if self._mode == OPEN and self._sound:
            return
        try:
            self.folder.try_to_write()
        except OSError as error:
            number = error.errno or errno.EIO
            if self._mode == CLOSED:
                self._fall_back(found, quietly=quietly)
            raise self._told(number, error.strerror or "", quietly=quietly) from error
        self._open(OPEN, found, quietly=quietly)
        self._trouble = None

    def _fall_back(self, found: tuple[int, int], *, quietly: bool) -> None:
        """Open it for reading only, where the library can; otherwise what is open stays as it is."""
        able = self.engine.opens_read_only and self.folder.holds(self.engine.mark)
        if able and self._mode != READ_ONLY and self.flaw != "no-read-only":
            self._open(READ_ONLY, found, quietly=quietly)

    def _open(self, mode: str, found: tuple[int, int], *, quietly: bool) -> None:
        with self._gate.alone():
            self.engine.close()
            self._mode = CLOSED
            try:
                create = self._identity is None and not self.folder.holds(self.engine.mark)
                self.engine.open(self.folder.path, read_only=mode == READ_ONLY, create=create)
            except EngineError as error:
                raise self._told(self._number(error), str(error), quietly=quietly) from error
            self._mode, self._sound, self._identity = mode, True, found
        log(f"{self.name}: {self.engine.name} in {self.folder.path} opened {mode}")

    def _close(self) -> None:
        with self._gate.alone():
            if not self.engine.writes_on_close:
                self.engine.close()
            self._mode = CLOSED

    def _refused(self) -> int:
        try:
            return self.folder.refuses(*self.engine.files)
        except OSError:
            return errno.ESTALE

    def _failed(self, error: EngineError) -> Trouble:
        self._sound = False
        return self._told(self._number(error), str(error))

    def _number(self, error: EngineError) -> int:
        number = errno_of(str(error))
        # LMDB calls half a write an input/output error; a disk that has room and says so is what it says.
        return errno.ENOSPC if number == errno.EIO and self.folder.full() else number

    def _told(self, number: int, detail: str = "", *, quietly: bool = False) -> Trouble:
        """The trouble, counted and logged, unless nobody asked for anything: then it is what is known already."""
        trouble = Trouble(number, path=self.folder.path, name=self.name, detail=detail)
        if not quietly:
            self._trouble = trouble
            self.errors[trouble.errno] += 1
            log(f"{self.name}: {trouble.errno}: {trouble}")
            if number == errno.ENOSPC and self.flaw == "exit-on-full":
                os._exit(1)
            while number == errno.ENOSPC and self.flaw == "hang-on-full":
                time.sleep(3600)
        return trouble
