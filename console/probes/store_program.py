"""The writer that runs beside a store, on its node: Python 3.6 or newer, with the modules of python3-minimal.

It is sent over SSH as text (see store_writer.py). It writes numbered records one after the other, reads what it is told
to read, and ends when its input ends, or when it has heard nothing for a lease. It leaves nothing but the records.

Its input, after the settings, a line each; words lie between tabs:
  (an empty line)          the console is there
  read ID NUMBER           read one record
  whole ID LIMIT RANGES    list the keys, and read these and all that are listed, for no longer than LIMIT seconds
  stop ID                  write no more; answered once the last record has been answered
  delete ID LIMIT RANGES   delete these, and all that are listed
Its output; AT is the node's clock in seconds, TOOK how long it took in seconds:
  ready                    it begins
  ? NUMBER AT              a record is asked to be written
  ! NUMBER AT TOOK         it was acknowledged
  - NUMBER AT TOOK CODE TEXT   it was refused: HTTP status or exit status, and what was said
  ~ NUMBER AT TOOK TEXT    there was no answer in time
  x NUMBER AT TOOK TEXT    the store was not there, or went away while it was asked
  = ID WORD VALUE...       the answer to a question; the last one is `= ID end`
"""
# ruff: noqa: D102, UP006, UP035 (older Pythons than ours run this)

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from typing import Any, Dict, Iterable, List, NoReturn, Set, Tuple

ACKNOWLEDGED, REFUSED, SILENT, GONE = "!", "-", "~", "x"
ABSENT = "absent"
FAST, SMALL = 1000, 200
"""After that record it writes one a second only, of no more than so many bytes: an hour of them, on pages of 4 KB, must
not fill a store of 10 MB by itself."""
TEXT_LIMIT = 600
Answer = Tuple[str, int, bytes]
"""What became of a call, HTTP status or exit status, and what was said."""


def body(key: str, size: int) -> bytes:
    """The one right value of that key: its name, size and checksum, then words that no compression makes small.

    >>> body("gameday-r1-000007", 60)
    b'gameday-r1-000007 60 0af69e40\\n44dfef3349d1209840b301042807c\\n'
    """
    word = 1
    for letter in key:
        word = (word * 31 + ord(letter)) % 2147483647
    total, words = 0, []
    for _ in range(size // 8 + 1):
        word = word * 16807 % 2147483647
        total = (total + word) % 2147483647
        words.append(f"{word:08x}")
    head = f"{key} {size} {total:08x}\n"
    return (head + "".join(words)).encode()[: size - 1] + b"\n"


def judged(key: str, size: int, value: bytes) -> str:
    """`sound`; `torn`: it begins as it should, or is empty; `wrong`: it is something else.

    >>> judged("k", 60, body("k", 60)), judged("k", 60, body("k", 60)[:40]), judged("k", 60, body("m", 60))
    ('sound', 'torn', 'wrong')
    """
    right = body(key, size)
    if value == right:
        return "sound"
    head = right[: right.index(b"\n") + 1]
    return "torn" if value.startswith(head) or head.startswith(value) else "wrong"


def ranges(numbers: Iterable[int]) -> str:
    """Numbers as ranges without spaces; `-`: none.

    >>> ranges([1, 2, 3, 7]), ranges([])
    ('1-3,7', '-')
    """
    found: List[List[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][-1] + 1:
            found[-1] = [found[-1][0], number]
        else:
            found.append([number])
    return ",".join("-".join(map(str, run)) for run in found) or "-"


def numbers(text: str) -> Set[int]:
    """The numbers of such ranges.

    >>> sorted(numbers("1-3,7")), numbers("-")
    ([1, 2, 3, 7], set())
    """
    found: Set[int] = set()
    for part in text.split(",") if text != "-" else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def one_line(said: bytes) -> str:
    """What was said, fit for a line of output."""
    return " ".join(said.decode("utf-8", "replace").split())[:TEXT_LIMIT]


class Web:
    """A store that is asked by HTTP. Requests are HTTP/1.0, so that no answer comes in chunks."""

    def __init__(self, url: str) -> None:
        scheme, _, rest = url.partition("://")
        self.at, slash, path = rest.partition("/")
        self.path = (slash + path).rstrip("/")
        self.secure = scheme == "https"
        host, colon, port = self.at.rpartition(":")
        self.host = (host if colon else self.at).strip("[]")
        self.port = int(port) if colon else 443 if self.secure else 80

    def call(self, verb: str, key: str, value: bytes, limit_s: float) -> Answer:
        """One request; GONE and SILENT say why, in words."""
        method = {"put": "PUT", "get": "GET", "list": "GET", "delete": "DELETE"}[verb]
        end_s = time.monotonic() + limit_s
        try:
            with self._connected(limit_s) as link:
                path = self.path + ("/" + key if key else "") or "/"
                head = f"{method} {path} HTTP/1.0\r\nHost: {self.at}\r\nConnection: close\r\nUser-Agent: gameday\r\n"
                length = f"Content-Length: {len(value)}\r\n" if verb == "put" else ""
                link.sendall(f"{head}{length}\r\n".encode() + value)
                return self._answer(link, end_s)
        except socket.timeout:  # noqa: UP041 (another name before Python 3.10)
            return SILENT, 0, f"no answer within {limit_s:g} s".encode()
        except OSError as error:
            return GONE, 0, (error.strerror or str(error) or type(error).__name__).encode()

    def _connected(self, limit_s: float) -> socket.socket:
        plain = socket.create_connection((self.host, self.port), limit_s)
        if not self.secure:
            return plain
        import ssl  # noqa: PLC0415 (heavy, and rarely needed)

        return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)

    def _answer(self, link: socket.socket, end_s: float) -> Answer:
        said = b""
        while not complete(said):
            link.settimeout(left_s(end_s))
            more = link.recv(65536)
            if not more:
                break
            said += more
        head, found, content = said.partition(b"\r\n\r\n")
        words = head.split(None, 2)
        if not found or len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
            return GONE, 0, b"not HTTP: " + said[:40] if said else b"it closed the connection without an answer"
        if header(head, b"transfer-encoding"):
            return GONE, 0, b"it answers in pieces to HTTP/1.0, which is not understood"
        if len(content) < int(header(head, b"content-length") or 0):
            return GONE, 0, b"it closed the connection in the middle of an answer"
        code = int(words[1])
        kind = ACKNOWLEDGED if 200 <= code < 300 else ABSENT if code == 404 else REFUSED
        return kind, code, content


def header(head: bytes, name: bytes) -> bytes:
    """That header's value; empty: it is not there."""
    lines = [line.partition(b":") for line in head.split(b"\r\n")[1:]]
    return next((value.strip() for key, _, value in lines if key.strip().lower() == name), b"")


def complete(said: bytes) -> bool:
    """Whether that is a whole answer, though the connection may stay open.

    >>> complete(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok"), complete(b"HTTP/1.1 200 OK\\r\\n\\r\\nok")
    (True, False)
    """
    head, found, content = said.partition(b"\r\n\r\n")
    length = header(head, b"content-length")
    if not found:
        return False
    return len(content) >= int(length) if length.isdigit() else head.split(None, 2)[1:2] == [b"204"]


def left_s(end_s: float) -> float:
    """What is left until then, in seconds; a moment at least, so that it ends as a timeout does."""
    return max(0.001, end_s - time.monotonic())


class Program:
    """A store that is asked by a command."""

    def __init__(self, command: List[str]) -> None:
        self.command = command
        self.running: Set[int] = set()

    def call(self, verb: str, key: str, value: bytes, limit_s: float) -> Answer:
        """One run of the command; `get` that ends with 1 and says nothing on its output tells of no such key."""
        words = [*self.command, verb, key] if key else [*self.command, verb]
        pipe = subprocess.PIPE
        try:
            child = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        except OSError as error:
            return GONE, 0, f"{words[0]}: {error.strerror}".encode()
        self.running.add(child.pid)
        try:
            said, complaint = child.communicate(value, timeout=limit_s)
        except subprocess.TimeoutExpired:
            kill(child.pid)
            child.communicate()
            return SILENT, 0, f"no answer within {limit_s:g} s".encode()
        finally:
            self.running.discard(child.pid)
        code = child.returncode
        if code == 0:
            return ACKNOWLEDGED, 0, said
        if verb in ("get", "delete") and code == 1 and not said.strip():
            return ABSENT, code, complaint
        return REFUSED, code, complaint.strip() or said.strip() or f"exit status {code}".encode()


def kill(group: int) -> None:
    """End a command and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


class Writer:
    """Writes, reads and listens, each in a thread of its own: a store that hangs keeps none of the others."""

    def __init__(self, told: Dict[str, str]) -> None:
        self.prefix = told["prefix"]
        self.size = int(told["size"])
        self.period_s, self.limit_s, self.lease_s = (float(told[name]) for name in ("period", "limit", "lease"))
        self.number = int(told["first"])
        self.program = Program(told["command"].split("\0")) if told["command"] else None
        self.store: Any = self.program or Web(told["url"])
        self.heard_s = time.monotonic()
        self.stop = threading.Event()
        if not self.number:
            self.stop.set()
        self.writing, self.mouth = threading.Lock(), threading.Lock()

    def say(self, *words: object) -> None:
        line = "\t".join(map(str, words)) + "\n"
        with self.mouth:
            try:
                sys.stdout.write(line)
                sys.stdout.flush()
            except OSError:
                self.end()

    def key(self, number: int) -> str:
        return f"{self.prefix}{number:06d}"

    def run(self) -> NoReturn:
        """Until the console is gone."""
        self.say("ready")
        for work in (self.listen, self.write):
            threading.Thread(target=self.guarded, args=(work,), daemon=True).start()
        while True:
            left = self.heard_s + self.lease_s - time.monotonic()
            if left <= 0:
                self.end()
            time.sleep(left)

    def guarded(self, work: Any, *words: str) -> None:
        """No thread may die alone: what remains would look like a store that is silent."""
        try:
            work(*words)
        except Exception as error:
            self.say("broken", repr(error))
            self.end()

    def end(self) -> NoReturn:
        for group in self.program.running.copy() if self.program else ():
            kill(group)
        os._exit(0)

    def listen(self) -> None:
        for line in sys.stdin:
            self.heard_s = time.monotonic()
            words = line.rstrip("\n").split("\t")
            if words[0] in ("read", "whole", "stop", "delete"):
                work = getattr(self, "on_" + words[0])
                threading.Thread(target=self.guarded, args=(work, *words[1:]), daemon=True).start()
        self.end()

    def write(self) -> None:
        while not self.stop.is_set():
            began_s = time.monotonic()
            with self.writing:
                self.put(self.number)
            self.number += 1
            period_s = self.period_s if self.number <= FAST else 1.0
            self.stop.wait(max(0.0, began_s + period_s - time.monotonic()))

    def size_of(self, number: int) -> int:
        return self.size if number <= FAST else min(self.size, SMALL)

    def put(self, number: int) -> None:
        key = self.key(number)
        value = body(key, self.size_of(number))
        self.say("?", number, f"{time.time():.3f}")
        began_s = time.monotonic()
        kind, code, said = self.store.call("put", key, value, self.limit_s)
        stamps = (number, f"{time.time():.3f}", f"{time.monotonic() - began_s:.3f}")
        if kind == ACKNOWLEDGED:
            self.say(kind, *stamps)
        elif kind in (REFUSED, ABSENT):
            self.say(REFUSED, *stamps, code, one_line(said))
        else:
            self.say(kind, *stamps, one_line(said))

    def fetch(self, number: int) -> Tuple[str, str]:
        """How that record is, in a word, and what is to be said of it."""
        key = self.key(number)
        kind, code, said = self.store.call("get", key, b"", self.limit_s)
        if kind == ACKNOWLEDGED:
            found = judged(key, self.size_of(number), said)
            return found, "" if found == "sound" else one_line(said[:60])
        if kind == ABSENT:
            return "absent", one_line(said)
        return {REFUSED: "refused", SILENT: "silent", GONE: "gone"}[kind], one_line(said) or str(code)

    def on_read(self, name: str, number: str) -> None:
        self.say("=", name, *self.fetch(int(number)))
        self.say("=", name, "end")

    def listed(self) -> Tuple[Set[int], List[str], str]:
        """The numbers of our keys, those of our keys that have none, and why they cannot be told."""
        kind, _, said = self.store.call("list", "", b"", self.limit_s)
        if kind != ACKNOWLEDGED:
            return set(), [], one_line(said) or "it refuses"
        keys = [key.strip() for key in said.decode("utf-8", "replace").split("\n")]
        ours = [key for key in keys if key.startswith(self.prefix)]
        plain = {key for key in ours if key[len(self.prefix) :].encode().isdigit()}
        found = {int(key[len(self.prefix) :]) for key in plain}
        return found, [key for key in ours if key not in plain or self.key(int(key[len(self.prefix) :])) != key], ""

    def on_whole(self, name: str, limit: str, wanted: str) -> None:
        end_s = time.monotonic() + float(limit)
        there, strange, why = self.listed()
        if why:
            self.say("=", name, "unlisted", why)
        if strange:
            self.say("=", name, "strange", one_line(" ".join(strange).encode()))
        found: Dict[str, Set[int]] = {}
        reason = ""
        for number in sorted(there | numbers(wanted)):
            late = time.monotonic() > end_s or len(found.get("unread", ())) >= 3
            word, text = ("unread", "there was no more time") if late else self.fetch(number)
            doubtful = word == "absent" and self.program and (why or number in there)
            if word in ("refused", "silent", "gone") or doubtful:  # exit status 1 may be an error's
                word, text = "unread", text or "exit status 1"
            found.setdefault(word, set()).add(number)
            reason = reason or (text if word == "unread" else "")
        for word, those in found.items():
            self.say("=", name, word, ranges(those), *([reason] if word == "unread" else []))
        self.say("=", name, "end")

    def on_stop(self, name: str) -> None:
        self.stop.set()
        with self.writing:
            self.say("=", name, "end")

    def on_delete(self, name: str, limit: str, wanted: str) -> None:
        end_s = time.monotonic() + float(limit)
        there, strange, why = self.listed()
        gone, kept, reason = 0, 0, why
        known = {self.key(number) for number in there} | set(strange)
        for key in [self.key(number) for number in sorted(there | numbers(wanted))] + strange:
            if time.monotonic() > end_s or kept >= 3:
                kept += 1
                reason = reason or "there was no more time"
                continue
            kind, code, said = self.store.call("delete", key, b"", self.limit_s)
            if kind in (ACKNOWLEDGED, ABSENT):
                gone += kind == ACKNOWLEDGED and (key in known or bool(why))  # some say yes to what was not there
            else:
                kept += 1
                reason = reason or one_line(said) or str(code)
        left, odd, why = self.listed()
        self.say("=", name, "deleted", gone)
        self.say("=", name, "left", len(left) + len(odd) if not why else kept, reason or why)
        self.say("=", name, "end")


def main() -> None:
    """The settings are the lines until an empty one: a name and its value in hex each."""
    told: Dict[str, str] = {}
    for line in sys.stdin:
        if line == "\n":
            break
        name, _, value = line.rstrip("\n").partition("\t")
        told[name] = bytes.fromhex(value).decode()
    Writer(told).run()


if __name__ == "__main__":
    main()
