"""A node: its link with age, load with short trends, disks, connections, services, and what a run holds there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content
from textual.widget import Widget

from console.plot.series import Point, trend
from console.tui import words
from console.tui.ports.node import NodeView, ServiceSample

LABEL, VALUE = 5, 7
TREND_COLUMN_S = 4.0
"""Seconds that a column of a trend stands for."""


class NodePane(Widget, can_focus=True):
    """One node, as it is known now."""

    HELP = (
        "A node as it is known now. A number shows its age after 3 s and turns `?` after 10 s. "
        "Services show their state and `↻` with the number of restarts. A trend has holes where nothing was seen."
    )

    def __init__(self, name: str) -> None:
        super().__init__(id=f"node-{name}")
        self.border_title = name
        self._lines: Content = Content()

    def show(self, view: NodeView, now_s: float) -> None:
        """Put the pane together; repaint only when it changed."""
        size = self.content_size
        lines = pane_lines(view, now_s, size.width, size.height)
        content = Content("\n").join(lines)
        self.set_class(not view.up or words.age_s(view.seen_at_s, now_s) > words.GONE_S, "-lost")
        self.set_class(bool(view.trace) or view.lease_left_s is not None, "-held")
        if not content.is_same(self._lines):
            self._lines = content
            self.refresh()

    def render(self) -> Content:
        """The lines as they are."""
        return self._lines


def pane_lines(view: NodeView, now_s: float, width: int, height: int) -> list[Content]:
    """The pane in at most `height` lines of `width` cells; services that are not well come first."""
    lines = _link(view, now_s)
    if view.trace or view.lease_left_s is not None:
        lease_left_s = view.lease_left_at(now_s)
        left = f"guard {words.whole_seconds(lease_left_s)}" if lease_left_s is not None else ""
        lines.append(words.text("! " + "  ".join(filter(None, (left, view.trace))), words.WARN))
    lines += _numbers(view, now_s, width)
    services = _services(view, now_s, width)
    room = max(0, height - len(lines))
    if len(services) > room:
        hidden = len(services) - max(0, room - 1)
        services = [*services[: max(0, room - 1)], words.text(f"  and {hidden} more", words.QUIET)][:room]
    return [words.fit(line, width) for line in (*lines, *services)]


def lines_wanted(view: NodeView) -> int:
    """How many lines the pane would fill, with one kept free for what a run holds there."""
    return 5 + (view.connections_at_s is not None) + len(view.spec.services)


def away(view: NodeView, now_s: float) -> Content | None:
    """How long a node has been out of sight, with its name, and why; None: it is seen."""
    if view.up and words.age_s(view.seen_at_s, now_s) <= words.GONE_S:
        return None
    first, *why = _link(view, now_s)
    return Content.assemble(first[:2], (view.name, "bold"), " ", first[2:], *(line.rstrip() for line in why))


def _link(view: NodeView, now_s: float) -> list[Content]:
    old_s = words.age_s(view.seen_at_s, now_s)
    if not view.up:
        age = ", never seen" if view.seen_at_s is None else f" {words.whole_seconds(old_s)} ago"
        why = words.text(f"  {view.why or 'no reason was given'}", words.BAD)
        return [words.text(f"✗ unreachable{age}", words.BAD), why]
    if old_s > words.GONE_S:
        since = "not seen yet" if view.seen_at_s is None else f"unreachable {words.whole_seconds(old_s)} ago"
        return [words.text(f"? {since}", words.WARN)]
    state = Content.assemble(("● up", words.GOOD))
    return [state + words.text(f"  {old_s:.0f} s ago", words.WARN) if old_s > words.STALE_S else state]


def _numbers(view: NodeView, now_s: float, width: int) -> list[Content]:
    sample, history = view.sample, view.history
    at_s = sample.at_s if sample else None
    cpu = f"{sample.cpu_pct:.0f} %" if sample and sample.cpu_pct is not None else "?"
    lines = [_trend_line("cpu", cpu, history.get("cpu_pct", ()), at_s, now_s=now_s, width=width)]
    memory = "?"
    if sample and sample.memory_used_bytes is not None and sample.memory_total_bytes:
        memory = f"{sample.memory_used_bytes / sample.memory_total_bytes * 100:.0f} %"
    lines.append(_trend_line("mem", memory, history.get("memory_used_pct", ()), at_s, now_s=now_s, width=width))
    if view.connections or view.connections_at_s is not None:
        now, most = view.connections or (0, 0)
        number = f"{now}/{most}" if view.connections else "?"
        lines.append(
            _trend_line(
                "conn",
                number,
                history.get("connections", ()),
                view.connections_at_s,
                now_s=now_s,
                width=width,
                high=float(most or 1),
            )
        )
    disks = sample.disks if sample else {}
    told = disks_told({mount: used / total * 100 for mount, (used, total) in disks.items() if total}, width - LABEL)
    lines.append(_labelled("disk") + words.aged(told or "?", at_s, now_s))
    return lines


def disks_told(used_pct: Mapping[str, float], width: int) -> str:
    """Each disk with how full it is. Where they need more than `width` cells, the fullest first, by their last names.

    >>> disks_told({"/tmp": 4.0, "/": 11.0}, 20)
    '/ 11 %  /tmp 4 %'
    >>> disks_told({"/": 11.0, "/lab/bluefin/disk/sigil": 97.0}, 20)
    '…/sigil 97 %  / 11 %'
    >>> disks_told({"/": 11.0, "/lab/bluefin/disk/sigil": 97.0, "/boot": 3.0}, 20)
    '…/sigil 97 %  +2'
    """
    told = "  ".join(f"{mount} {used:.0f} %" for mount, used in sorted(used_pct.items()))
    if len(told) <= width:
        return told
    fullest = sorted(used_pct.items(), key=lambda item: (-item[1], item[0]))
    for number in range(len(fullest), 0, -1):
        hidden = len(fullest) - number
        named = [f"{_short(mount)} {used:.0f} %" for mount, used in fullest[:number]]
        told = "  ".join([*named, f"+{hidden}"] if hidden else named)
        if len(told) <= width:
            break
    return told


def _short(mount: str) -> str:
    parent, _, name = mount.rpartition("/")
    return f"…/{name}" if parent else mount


def _labelled(label: str) -> Content:
    return words.text(label.ljust(LABEL), words.QUIET)


def _trend_line(
    label: str,
    number: str,
    points: Sequence[Point],
    at_s: float | None,
    *,
    now_s: float,
    width: int,
    high: float = 100.0,
) -> Content:
    shown = words.aged(number, at_s, now_s, "bold")
    stale = words.age_s(at_s, now_s) > words.STALE_S
    room = width - LABEL - max(VALUE, shown.cell_length + 1)
    line = _labelled(label) + (shown + Content(" ") if stale else words.fit(shown, VALUE))
    bars = trend(points, now_s=now_s, width=max(0, room), per_column_s=TREND_COLUMN_S, low=0.0, high=high)
    return line + words.text(bars, "$text-primary")


def _services(view: NodeView, now_s: float, width: int) -> list[Content]:
    seen = view.sample.services if view.sample else {}
    old_s = words.age_s(view.sample.at_s if view.sample else None, now_s)
    fresh = old_s <= words.GONE_S and view.up
    rows = []
    for order, (name, spec) in enumerate(view.spec.services.items()):
        sample = seen.get(name) if fresh else None
        label = f"{name} ({spec.label})" if spec.label and width >= 36 else name
        urgency = 0 if sample is None or sample.active != "active" else 1
        rows.append((urgency, order, _service_line(label, sample, old_s, width)))
    return [line for _, _, line in sorted(rows, key=lambda row: row[:2])]


def _service_line(name: str, sample: ServiceSample | None, old_s: float, width: int) -> Content:
    state = words.service(sample.active if sample else "")
    restarts = f" ↻{sample.restarts}" if sample and sample.restarts is not None else ""
    if sample and old_s > words.STALE_S:
        restarts += f" {old_s:.0f} s"
    style = words.WARN if sample and sample.restarts else words.QUIET
    right = state + words.text(restarts, style)
    return words.fit(words.text(words.clip(name, width - right.cell_length - 1)), width - right.cell_length) + right
