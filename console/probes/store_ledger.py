"""What a store was asked to keep, what it said, and what became of it: from the lines of store_program.py. Pure."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from console.probes.accounting import Account, Log, account, ranges
from console.probes.store_program import numbers

Kind = Literal["acknowledged", "refused", "silent", "gone"]
"""`silent`: no answer in time; `gone`: nobody was there, or went away while it was asked."""
KINDS: dict[str, Kind] = {"!": "acknowledged", "-": "refused", "~": "silent", "x": "gone"}
CLASSED = re.compile(r"""\b(un|not[ _-]?|non[ _-]?)?recoverable\b["']?(?:\s*[:=]\s*["']?(\w+))?""", re.IGNORECASE)
YES_OR_NO = {"true": True, "yes": True, "false": False, "no": False}


class Said(msgspec.Struct, frozen=True):
    """A refusal's own words. It may be JSON: {"error": text, "errno": name, "recoverable": true or false}."""

    error: str
    errno: str = ""
    recoverable: bool | None = None
    """None: it does not say."""


class Answer(msgspec.Struct, frozen=True):
    """What the store said to one record."""

    number: int
    kind: Kind
    at_s: float
    """The node's clock when it answered."""
    took_s: float
    seen_at_s: float
    """The console's clock when the answer had come to it."""
    code: int = 0
    """HTTP status or exit status of a refusal."""
    text: str = ""

    @property
    def said(self) -> Said:
        """A refusal's text, understood."""
        return understood(self.text)

    def __str__(self) -> str:
        """One sentence."""
        match self.kind:
            case "acknowledged":
                return f"record {self.number} was acknowledged after {self.took_s * 1000:.0f} ms"
            case "refused":
                said = self.said
                name = f" ({said.errno})" if said.errno and said.errno not in said.error else ""
                return f"record {self.number} was refused, {self.code}: {said.error or 'without a word'}{name}"
            case "silent":
                return f"it hangs: record {self.number} got {self.text}"
            case _:
                return f"it is not there: record {self.number}: {self.text}"


def understood(text: str) -> Said:
    """A refusal's text, as JSON or in plain words.

    >>> understood('{"error": "the disk is full: free some space", "errno": "ENOSPC", "recoverable": true}')
    Said(error='the disk is full: free some space', errno='ENOSPC', recoverable=True)
    >>> understood("put failed, not recoverable").recoverable, understood("no space left").recoverable
    (False, None)
    """
    try:
        return msgspec.json.decode(text, type=Said)
    except msgspec.DecodeError:
        found = CLASSED.search(text)
        value = YES_OR_NO.get((found[2] or "yes").lower()) if found else None
        return Said(text, recoverable=value if value is None or found is None or not found[1] else not value)


class ReadBack(msgspec.Struct, frozen=True):
    """Everything that was acknowledged, read back, and what stood in the way of telling."""

    account: Account
    strange: str = ""
    """Keys that begin as ours do and are none."""
    unlisted: str = ""
    """Why the keys could not be listed; empty: they were."""
    unread: str = ""
    """Why some records could be neither read nor be told to be gone; empty: all were told."""

    @property
    def data_lost(self) -> bool:
        """Whether something that was acknowledged is gone or is not what was written."""
        return bool(self.account.lost or self.account.torn or self.account.wrong)

    @property
    def extra(self) -> bool:
        """Whether there is something of ours that was never asked for."""
        return bool(self.account.foreign or self.strange)

    @property
    def told(self) -> bool:
        """Whether nothing stood in the way."""
        return not (self.unlisted or self.unread)

    def __str__(self) -> str:
        """One sentence."""
        parts = [str(self.account)] if self.account.data_lost or not (self.unread or self.strange) else []
        parts += [f"keys that were never written by us: {self.strange}"] if self.strange else []
        parts += [f"could not be read back: {self.unread}"] if self.unread else []
        parts += [f"its keys could not be listed: {self.unlisted}"] if self.unlisted not in ("", self.unread) else []
        return "; ".join(parts)


class Ledger:
    """Takes the program's lines. Numbers rise; one that was asked for unseen is known only to lie in a gap."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.acknowledged: set[int] = set()
        self.last = 0
        """The last number that was, or may have been, asked for."""
        self.pending: dict[int, float] = {}
        """Number -> the console's clock, for what has no answer yet."""
        self._asked: set[int] = set()

    def take(self, line: str, now_s: float) -> bool:
        """One line, on the console's clock; False: it is not one of these."""
        word, *rest = line.split("\t")
        try:
            if word == "?":
                number = int(rest[0])
                self._asked.add(number)
                self.pending[number] = now_s
                self.last = max(self.last, number)
                return True
            kind = KINDS[word]
            code = int(rest[3]) if kind == "refused" else 0
            text = rest[4 if kind == "refused" else 3] if kind != "acknowledged" else ""
            self._answered(Answer(int(rest[0]), kind, float(rest[1]), float(rest[2]), now_s, code, text))
        except (KeyError, IndexError, ValueError):
            return False
        return True

    def _answered(self, answer: Answer) -> None:
        self.pending.pop(answer.number, None)
        self.answers.append(answer)
        if answer.kind == "acknowledged":
            self.acknowledged.add(answer.number)

    def broke(self, unseen: int) -> None:
        """The writer went out of sight, and may have asked for so many more records before it ended."""
        self.pending.clear()
        self._asked.update(range(self.last + 1, self.last + unseen + 1))
        self.last += unseen

    def log(self) -> Log:
        """What is known now, for the account."""
        return Log(frozenset(self._asked), frozenset(self.acknowledged))

    def read_back(self, before: Log, found: dict[str, str]) -> ReadBack:
        """The account of what `whole` found, word -> value; `before` is the log when it was asked for."""
        sound, torn, wrong, absent, unread = (
            numbers(found.get(word, "-").partition("\t")[0]) for word in ("sound", "torn", "wrong", "absent", "unread")
        )
        rows = {**dict.fromkeys(sound, True), **dict.fromkeys(torn | wrong, False)}
        # What could not be read is neither there nor lost; it is told apart.
        known = msgspec.structs.replace(before, acknowledged=before.acknowledged - unread)
        told = account(known, rows, self.log())
        untold = told.lost - absent
        why = found.get("unread", "").partition("\t")[2] if unread else ""
        return ReadBack(
            msgspec.structs.replace(
                told,
                acknowledged=len(before.acknowledged),
                since=None,
                lost=told.lost & absent,
                torn=told.torn - wrong,
                wrong=frozenset(wrong),
                what="records",
            ),
            strange=found.get("strange", ""),
            unlisted=found.get("unlisted", ""),
            unread=why or (f"nothing was said of {ranges(untold)}" if untold else ""),
        )
