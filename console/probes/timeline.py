"""From what two watchers saw to one recovery time: brackets, the stable window, how far off it may be. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import msgspec

CLOCK_STEP_S = 0.05
"""Two readings of clock and uptime (10 ms fine) differ by less, unless the clock was set between them."""
STEP_LIMIT_S = 1.0
"""A clock that was set by more leaves nothing to be told."""
LATE_S = 1.0
"""What was seen in the last second of a stable window may still be on its way when the result is asked for."""
STAMP_S = 0.01
"""What a busy machine may put between an event and the stamp of it, at both ends together; half of it at one end."""
EXIT_STAMP_S = 0.004
"""systemd's ActiveExitTimestamp lies within -4 and +2 ms of the process' death (20 kills measured)."""
EXIT_SEARCH_S = 0.5
"""A stamp further from the death that was seen belongs to another one."""


class Bracket(msgspec.Struct, frozen=True):
    """Something happened between `lo_s` and `hi_s` on the node's clock. `uptime_s` was read with `hi_s`; None: not."""

    lo_s: float
    hi_s: float
    uptime_s: float | None = None

    @property
    def centre_s(self) -> float:
        """The best guess."""
        return (self.lo_s + self.hi_s) / 2

    @property
    def half_s(self) -> float:
        """How far the guess may be off."""
        return (self.hi_s - self.lo_s) / 2


class Answer(msgspec.Struct, frozen=True):
    """The health URL's answer changed to good or bad."""

    good: bool
    when: Bracket
    code: str = ""


class Start(msgspec.Struct, frozen=True):
    """The unit got a new main process, at `at_s` on the node's clock; None: systemd does not tell it finely enough."""

    pid: int
    at_s: float | None


class Measured(msgspec.Struct, frozen=True):
    """A recovery time: from the process' end to the first good answer of a stable window."""

    seconds: float
    error_s: float
    breakdown: dict[str, float]
    how: str


class Timeline:
    """Takes the watchers' lines (see recovery.sh) and tells the recovery time."""

    def __init__(self) -> None:
        self.pid = 0
        self.ready = False
        self.ends: list[Bracket] = []
        self.starts: list[Start] = []
        self.exits: list[float] = []
        """When systemd says that main processes ended, on the node's clock in seconds; `schedules`: restarts."""
        self.schedules: list[float] = []
        self.answers: list[Answer] = []
        self.known_until_s = float("-inf")
        """Until when the last answer is known to have stayed as it is."""
        self.why = "nothing was seen"

    def take(self, line: str) -> None:
        """One line. What is not understood is left out: it is the shell's own complaint, or cut off."""
        word, *rest = line.split() or [""]
        try:
            match word:
                case "ready":
                    self.pid, self.ready = int(rest[0]), True
                case "gone":
                    self.ends.append(Bracket(float(rest[0]), float(rest[1]), float(rest[2])))
                case "new":
                    self.starts.append(Start(int(rest[0]), parse_stamp(" ".join(rest[1:]))))
                case "exited" | "scheduled":
                    stamp_s = parse_stamp(" ".join(rest))
                    if stamp_s is not None:
                        (self.exits if word == "exited" else self.schedules).append(stamp_s)
                case "ok" | "fail":
                    when = Bracket(float(rest[0]), float(rest[1]), float(rest[3]))
                    self.add_answer(Answer(word == "ok", when, rest[2]))
                case "same":
                    self.known_until_s = float(rest[0])
        except (IndexError, ValueError):
            return

    def add_answer(self, answer: Answer) -> None:
        """The answer changed."""
        self.answers.append(answer)
        self.known_until_s = answer.when.hi_s

    def measured(self, stable_for_s: float, how: str) -> Measured | None:
        """The recovery time, or None with the reason in `why`. The first moment that is followed by `stable_for_s`
        seconds without a bad answer and without another death counts."""
        gone = self._narrowed(self.ends[0]) if self.ends else self._first_bad()
        if gone is None:
            if self.answers:
                self.why = "neither the process' end nor a bad answer was seen"
            return None
        if not self.ends:
            how = f"{how}; from the first bad answer, for the process' end was not seen"
        back = self._recovered(gone, stable_for_s)
        if back is None:
            return None
        stepped_s = clock_step_s(gone, back)
        seconds = back.centre_s - gone.centre_s
        # EXIT_STAMP_S holds already what lies between the process' end and systemd's stamp of it.
        late_s = STAMP_S / 2 if self.ends and gone != self.ends[0] else STAMP_S
        error_s = gone.half_s + back.half_s + late_s + stepped_s
        if stepped_s > STEP_LIMIT_S:
            self.why = f"the node's clock was set by {stepped_s:.1f} s meanwhile"
            return None
        return Measured(seconds, error_s, self._breakdown(gone, back), how)

    def _first_bad(self) -> Bracket | None:
        return next((answer.when for answer in self.answers if not answer.good), None)

    def _recovered(self, gone: Bracket, stable_for_s: float) -> Bracket | None:
        self.why = "the health page went on answering well" if self._first_bad() is None else "it never got well again"
        for number, answer in enumerate(self.answers):
            if not answer.good or number == 0 or answer.when.hi_s <= gone.lo_s:
                continue
            back = answer.when
            until_s = back.hi_s + stable_for_s
            later = [bad.when for bad in self.answers[number + 1 :] if not bad.good] + self.ends[1:]
            if any(back.lo_s < event.hi_s and event.lo_s < until_s for event in later):
                self.why = f"it was well for less than {stable_for_s:g} s"
            elif self.known_until_s < until_s - LATE_S:
                self.why = "the watch on the node ended too early"
            else:
                return back
        return None

    def _narrowed(self, gone: Bracket) -> Bracket:
        """The end as closely as systemd's stamp and what was seen allow together."""
        stamps = [at_s for at_s in self.exits if gone.lo_s - EXIT_SEARCH_S <= at_s <= gone.hi_s + EXIT_SEARCH_S]
        for at_s in stamps:
            lo_s, hi_s = max(gone.lo_s, at_s - EXIT_STAMP_S), min(gone.hi_s, at_s + EXIT_STAMP_S)
            if lo_s < hi_s:
                return msgspec.structs.replace(gone, lo_s=lo_s, hi_s=hi_s)
        return gone

    def _breakdown(self, gone: Bracket, back: Bracket) -> dict[str, float]:
        """Exit, restart scheduled, started, healthy: what lies between each two of them that are known."""

        def last(stamps: list[float]) -> list[float]:
            return [at_s for at_s in stamps if gone.lo_s <= at_s <= back.hi_s][-1:]

        started = last([start.at_s for start in self.starts if start.at_s is not None])
        if not started:
            return {}
        marks = [("exit", gone.centre_s)]
        marks += [("scheduled", max(at_s, gone.centre_s)) for at_s in last(self.schedules) if at_s <= started[0]]
        marks += [("started", started[0]), ("healthy", back.centre_s)]
        return {f"{a} to {b}": then - now for (a, now), (b, then) in pairwise(marks)}


def clock_step_s(first: Bracket, second: Bracket) -> float:
    """By how many seconds the clock was set between the two; 0 where the difference means nothing.

    >>> clock_step_s(Bracket(9, 10.0, 5.0), Bracket(11, 12.0, 7.005))
    0.0
    >>> round(clock_step_s(Bracket(9, 10.0, 5.0), Bracket(11, 13.0, 7.0)), 3)
    1.0
    """
    if first.uptime_s is None or second.uptime_s is None:
        return 0.0
    step_s = abs((second.hi_s - second.uptime_s) - (first.hi_s - first.uptime_s))
    return step_s if step_s > CLOCK_STEP_S else 0.0


def parse_stamp(text: str) -> float | None:
    """A stamp of `systemctl --timestamp=us+utc` in seconds since the epoch; None where it is coarser or another zone's.

    >>> parse_stamp("Thu 1970-01-01 00:01:00.500000 UTC")
    60.5
    >>> parse_stamp("Thu 1970-01-01 00:01:00 CET")
    """
    words = text.split()
    if len(words) != 4 or words[3] != "UTC":
        return None
    try:
        return datetime.strptime(f"{words[1]} {words[2]}", "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
