"""When monitoring noticed, and when it was quiet again: of each alert of a run the two moments, with their error."""

from __future__ import annotations

import msgspec

from console.state import ExpectationState, RunState
from console.terms import Status


class Moment(msgspec.Struct, frozen=True):
    """When the console saw it at Alertmanager, in seconds after `after`."""

    seconds: float
    error_s: float
    after: str
    """`inject` or `revert`."""

    @property
    def words(self) -> str:
        """Like `6.2 s ± 0.4 after the injection`."""
        return f"{spell(self.seconds, self.error_s)} after the {'injection' if self.after == 'inject' else 'revert'}"


class AlertTimes(msgspec.Struct, frozen=True):
    """One alert. None: it was not seen to fire, or to clear, where that was expected."""

    alert: str
    fired: Moment | None
    cleared: Moment | None


def spell(seconds: float, error_s: float | None) -> str:
    """A moment with its error bar.

    >>> spell(6.21, 0.4), spell(14.03, None)
    ('6.2 s ± 0.4', '14.0 s')
    """
    return f"{seconds:.1f} s" + ("" if error_s is None else f" ± {error_s:.1f}")


def alert_times(state: RunState) -> tuple[AlertTimes, ...]:
    """Every alert that the run expected, in the order in which it names them."""
    names = dict.fromkeys(item.brief.alert for item in state.expectations.values() if item.brief.alert)
    return tuple(AlertTimes(name, _moment(state, name, "fired"), _moment(state, name, "cleared")) for name in names)


def alert_line(times: AlertTimes, state: RunState) -> str:
    """Both moments in words; what was not seen is told with its reason."""
    told = []
    for what, moment in (("fired", times.fired), ("cleared", times.cleared)):
        asked = _asked(state, times.alert, what)
        if moment:
            told.append(f"{what} {moment.words}")
        elif asked is not None:
            word = {Status.FAIL: f"not seen to have {what}", Status.PASS: what}
            told.append(word.get(asked.status, f"unknown whether it has {what}"))
    return f"{times.alert}: {', '.join(told)}"


def _asked(state: RunState, alert: str, what: str) -> ExpectationState | None:
    found = (item for item in state.expectations.values() if (item.brief.alert, item.brief.alert_is) == (alert, what))
    return next(found, None)


def _moment(state: RunState, alert: str, what: str) -> Moment | None:
    asked = _asked(state, alert, what)
    if asked is None or asked.status is not Status.PASS or asked.after_s is None or asked.attested:
        return None
    return Moment(asked.after_s, asked.error_s or 0.0, asked.brief.after)
