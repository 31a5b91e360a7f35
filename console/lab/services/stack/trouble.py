"""What can go wrong with a folder of records, as a client is told: one sentence that says what to do."""

from __future__ import annotations

import errno
import os

_TEXTS = {
    os.strerror(number): number
    for number in (
        *(errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EAGAIN, errno.ENOMEM),
        *(errno.ENETDOWN, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EINTR, errno.ENOENT, errno.ENODEV),
    )
}
"""How storage libraries say it: as text only."""
_SAYS = {
    errno.ENOSPC: (507, True, "{path} is full: free space on its disk, {name} goes on by itself"),
    errno.EDQUOT: (507, True, "{path} is over its quota: free space there, {name} goes on by itself"),
    errno.EROFS: (503, True, "{path} is read-only: reads go on; make it writable, {name} goes on by itself"),
    errno.EACCES: (503, True, "{path} is read-only for {name}: reads go on; give the permissions back, it goes on"),
    errno.ESTALE: (503, True, "{path} is gone: its file system is not mounted; mount it, {name} goes on by itself"),
    errno.EAGAIN: (503, True, "{path} is LOCKED by another process: end that one, {name} goes on by itself"),
    errno.ENOMEM: (503, True, "no memory left for {name}: free some, it goes on by itself"),
    errno.EIO: (500, False, "the disk of {path} fails: nothing was stored; look into the kernel's log, check the disk"),
    errno.EBADMSG: (500, False, "the files in {path} are damaged: stop {name} and restore them from a backup"),
}
"""errno -> HTTP status, whether it goes away without a repair, what is said."""


class EngineError(Exception):
    """What a storage library complained about, in its words."""


class Trouble(Exception):
    """A call that was not done: why, and what to do."""

    def __init__(self, number: int, *, path: str, name: str, detail: str = "") -> None:
        self.number = number
        self.errno = errno.errorcode.get(number, "UNKNOWN")
        fallback = (500, False, "{name} could not do that with {path}: see its log")
        self.status, self.recoverable, sentence = _SAYS.get(number, fallback)
        super().__init__(sentence.format(path=path, name=name) + (f" ({detail})" if detail else ""))


def errno_of(text: str) -> int:
    """The errno of which a library's complaint tells; 0 when it tells of none.

    >>> errno.errorcode[errno_of("IO error: /srv/a/000005.log: No space left on device")]
    'ENOSPC'
    >>> errno_of("no words that the system has")
    0
    """
    if "corruption" in text.lower():
        return errno.EBADMSG
    return next((number for words, number in _TEXTS.items() if words in text), 0)
