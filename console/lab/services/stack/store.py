"""sigil of the lab: a store on LevelDB (plyvel); where that has no wheel RocksDB stands in, and /health says so.

SIGIL_DB_PATH is its folder, SIGIL_DISK the mount point that the folder must be on (empty: anywhere), STACK_HOST and
STACK_PORT say where it listens. One process at a time: a second one ends at once, exit 1, and says LOCKED; `store open`
only opens and closes.

STACK_BREAK breaks it on purpose, so that a test can see whether the console notices: `early-ack` (acknowledges before
it writes), `exit-on-full` and `hang-on-full` (at ENOSPC), `corrupt` (after its first error a value reads back with a
bit changed), `swallow-eio` (acknowledges what met an input/output error), `no-read-only` (refuses reads, too, while the
folder is read-only), `shared-lock` (holds no lock, and heeds none).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from console.lab.services.stack.folder import Folder
from console.lab.services.stack.log import log
from console.lab.services.stack.records import Engine, Records
from console.lab.services.stack.records_web import answer
from console.lab.services.stack.trouble import EngineError, Trouble
from console.lab.services.stack.web import Server

BUFFER_BYTES = 64 * 1024
"""The smallest that LevelDB takes: what is written soon becomes files, and a full disk soon an error."""


class LevelDB:
    """LevelDB."""

    name, label, mark, opens_read_only = "LevelDB", "", "CURRENT", False
    writes_on_close = False
    files: tuple[str, ...] = ()

    def __init__(self, *, shared: bool = False) -> None:
        import plyvel  # noqa: PLC0415 -- there is no wheel of it for every Python

        self._library = plyvel
        self._shared = shared
        self._db: Any = None

    def open(self, path: str, *, read_only: bool, create: bool) -> None:
        """Open it."""
        with self._said():
            if self._shared:
                Path(path, "LOCK").unlink(missing_ok=True)
            self._db = self._library.DB(
                path, create_if_missing=create, write_buffer_size=BUFFER_BYTES, lru_cache_size=1024 * 1024
            )
            if self._shared:
                Path(path, "LOCK").unlink(missing_ok=True)

    def close(self) -> None:
        """Close it."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def put(self, key: bytes, value: bytes) -> None:
        """Store it."""
        with self._said():
            self._there.put(key, value, sync=True)

    def get(self, key: bytes) -> bytes | None:
        """What is stored."""
        with self._said():
            found: bytes | None = self._there.get(key, verify_checksums=True)
            return found

    def delete(self, key: bytes) -> None:
        """Remove it."""
        with self._said():
            self._there.delete(key, sync=True)

    def keys(self) -> list[bytes]:
        """All keys."""
        with self._said(), self._there.iterator(include_value=False, verify_checksums=True) as found:
            return list(found)

    @property
    def _there(self) -> Any:
        if self._db is None:
            raise EngineError("it is closed")
        return self._db

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except (self._library.Error, OSError, RuntimeError) as error:
            raise EngineError(_text(error)) from error


class RocksDB:
    """RocksDB, of the same family, where there is no wheel of LevelDB's Python package."""

    name, label, mark, opens_read_only = "RocksDB", "LevelDB", "CURRENT", False
    writes_on_close = True
    files: tuple[str, ...] = ()

    def __init__(self, *, shared: bool = False) -> None:
        import rocksdict  # noqa: PLC0415 -- not everywhere

        self._library = rocksdict
        self._shared = shared
        self._db: Any = None
        self._synced = rocksdict.WriteOptions()
        self._synced.sync = True

    def open(self, path: str, *, read_only: bool, create: bool) -> None:
        """Open it."""
        options = self._library.Options(raw_mode=True)
        options.create_if_missing(create)
        options.set_write_buffer_size(BUFFER_BYTES)
        options.set_manifest_preallocation_size(BUFFER_BYTES)
        options.set_keep_log_file_num(1)
        with self._said():
            if self._shared:
                Path(path, "LOCK").unlink(missing_ok=True)
            self._db = self._library.Rdict(path, options)
            if self._shared:
                Path(path, "LOCK").unlink(missing_ok=True)

    def close(self) -> None:
        """Close it, by letting go of it, which also flushes it; `close` says so and fails where that does."""
        self._db = None

    def put(self, key: bytes, value: bytes) -> None:
        """Store it."""
        with self._said():
            self._there.put(key, value, self._synced)

    def get(self, key: bytes) -> bytes | None:
        """What is stored."""
        with self._said():
            found: bytes | None = self._there.get(key)
            return found

    def delete(self, key: bytes) -> None:
        """Remove it."""
        with self._said():
            self._there.delete(key, self._synced)

    def keys(self) -> list[bytes]:
        """All keys."""
        with self._said():
            return list(self._there.keys())

    @property
    def _there(self) -> Any:
        if self._db is None:
            raise EngineError("it is closed")
        return self._db

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        try:
            yield
        except EngineError:
            raise
        except Exception as error:  # its own class is Exception itself
            raise EngineError(_text(error)) from error


def _text(error: BaseException) -> str:
    """What a library complained of, as words: plyvel gives bytes."""
    found = error.args[0] if error.args else error
    return found.decode(errors="replace") if isinstance(found, bytes) else str(found)


def engine(flaw: str = "") -> Engine:
    """LevelDB, or what stands in for it; STACK_ENGINE=RocksDB asks for that.

    Raises:
        SystemExit: there is neither.
    """
    shared = flaw == "shared-lock"
    if os.environ.get("STACK_ENGINE") != RocksDB.name:
        with contextlib.suppress(ImportError):
            return LevelDB(shared=shared)
    try:
        return RocksDB(shared=shared)
    except ImportError:
        sys.exit("sigil: this Python has neither plyvel (LevelDB) nor rocksdict (RocksDB): install one of them")


def opened() -> tuple[Records, Trouble | None]:
    """The store as the environment says, and why it is not open for writing."""
    flaw = os.environ.get("STACK_BREAK", "")
    folder = Folder(os.environ["SIGIL_DB_PATH"], os.environ.get("SIGIL_DISK", ""))
    records = Records("sigil", engine(flaw), folder, flaw)
    return records, records.start()


def open_once() -> int:
    """Open the store and close it again: 0, or 1 with the reason on standard error."""
    records, trouble = opened()
    records.engine.close()
    return _refused(trouble) if trouble else 0


def main() -> int:
    """Serve until a signal ends it."""
    _tidy_pipes()
    records, trouble = opened()
    if trouble and trouble.errno == "EAGAIN":
        return _refused(trouble)
    server = Server(os.environ["STACK_HOST"], int(os.environ["STACK_PORT"]), lambda asked: answer(records, asked))
    log(f"sigil: {records.engine.name} on port {server.server_port}")
    server.serve_forever(poll_interval=3600)
    return 0


def _refused(trouble: Trouble) -> int:
    print(f"sigil: {trouble}", file=sys.stderr, flush=True)  # noqa: T201 -- its caller's answer
    return 1


def _tidy_pipes() -> None:
    """Remove the control pipes of libfiu's preload that a killed one before left: they are named after its pid."""
    base = os.environ.get("FIU_CTRL_FIFO")
    for pipe in Path(base).parent.glob(f"{Path(base).name}-*") if base else ():
        pid = pipe.suffixes and pipe.name.removesuffix(pipe.suffix).rpartition("-")[2]
        if pid and not Path("/proc", pid).exists():
            pipe.unlink(missing_ok=True)
