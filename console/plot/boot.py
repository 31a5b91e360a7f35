"""A boot as a small timeline of text: what became active when."""

from __future__ import annotations

from console.events import NodeBooted

BAR = 18
"""Cells of the longest bar."""


def boot_lines(boot: NodeBooted) -> list[str]:
    """One line for the gap, one for each mark in its order, one for what is missing or switched it on.

    >>> from console.events import NodeBooted
    >>> marks = {"sshd": 0.5, "gateway": 1.0}
    >>> seen = {"gone_after_s": 2, "back_after_s": 9, "error_s": 0.3, "marks": marks, "missing": ("ui",)}
    >>> boot = NodeBooted(at_s=0, node="redfin", **seen)
    >>> for line in boot_lines(boot): print(line)
    redfin: gone at T+2.0 s, back at T+9.0 s ± 0.3; from the beginning of userspace:
    ━━━━━━━━━●           0.50 s  sshd
    ━━━━━━━━━━━━━━━━━━●  1.00 s  gateway
    ✗ not active: ui
    """
    gone = "not seen going" if boot.gone_after_s is None else f"gone at T+{boot.gone_after_s:.1f} s"
    back = "not back" if boot.back_after_s is None else f"back at T+{boot.back_after_s:.1f} s ± {boot.error_s:.1f}"
    longest = max(boot.marks.values(), default=0.0) or 1.0
    lines = [f"{boot.node}: {gone}, {back}; from the beginning of userspace:"]
    for name, at_s in boot.marks.items():
        bar = "━" * max(0, round(at_s / longest * BAR)) + "●"
        lines.append(f"{bar:<{BAR + 1}} {at_s:5.2f} s  {name}")
    lines += [f"✗ not active: {', '.join(boot.missing)}"] if boot.missing else []
    lines += [f"power_on was run {boot.power_on}"] if boot.power_on else []
    return lines
