"""Plain aligned columns for a terminal or a pipe."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows below their heads, as wide as they need to be.

    >>> print(table(("name", "risk"), [("gateway", "low")]))
    name     risk
    gateway  low
    """
    widths = [max(_width(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = (
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        for row in (heads, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
