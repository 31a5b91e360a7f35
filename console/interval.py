"""A rate that was seen in a sample, and the interval in which the true one lies."""

from __future__ import annotations

import math

Z_95 = 1.959964
"""The two-sided 95 % point of the normal distribution."""


def wilson(hits: int, of: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson's score interval of `hits` in `of` tries, as shares from 0 to 1; nothing tried says nothing: (0, 1).

    It holds for small samples and for rates near 0 and 1, where hits / of ± z · s would leave the scale or shrink to
    a point. Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of
    the American Statistical Association 22 (1927), 209-212; the second example is the one of R. G. Newcombe,
    Statistics in Medicine 17 (1998), 857-872, table I, method 3.

    Raises:
        ValueError: `hits` is not within 0 and `of`.

    >>> [round(100 * end, 1) for end in wilson(19, 20)]
    [76.4, 99.1]
    >>> [round(end, 4) for end in wilson(81, 263)]
    [0.2553, 0.3662]
    >>> [round(end, 4) for end in wilson(0, 20)], [round(end, 4) for end in wilson(20, 20)], wilson(0, 0)
    ([0.0, 0.1611], [0.8389, 1.0], (0.0, 1.0))
    """
    if not 0 <= hits <= of:
        raise ValueError(f"{hits} hits of {of}")
    if of == 0:
        return 0.0, 1.0
    rate, weight = hits / of, z * z / of
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / of + weight / (4 * of))
    return (0.0 if hits == 0 else middle - half), (1.0 if hits == of else middle + half)


def percent(share: float) -> str:
    """A share for people, never rounded up to all nor down to nothing.

    >>> percent(1.0), percent(0.857), percent(0.9999), percent(0.95), percent(0.0), percent(0.0001)
    ('100 %', '85.7 %', '99.9 %', '95 %', '0 %', '0.1 %')
    """
    return f"{_figure(share)} %"


def span(interval: tuple[float, float]) -> str:
    """An interval of shares for people.

    >>> span(wilson(6, 7)), span((0.0, 1.0))
    ('48.7-97.4 %', '0-100 %')
    """
    return f"{_figure(interval[0])}-{_figure(interval[1])} %"


def _figure(share: float) -> str:
    exact = share in (0.0, 1.0)
    return f"{100 * share if exact else min(max(100 * share, 0.1), 99.9):.1f}".removesuffix(".0")
