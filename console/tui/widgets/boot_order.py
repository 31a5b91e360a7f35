"""A reboot on the live screen: that the node is away and for how long, then what came up in which order."""

from __future__ import annotations

from typing import Final

from textual.content import Content
from textual.widgets import Static

from console import events as ev
from console.plot.boot import boot_lines
from console.state import RunState
from console.tui import words

WITH_BARS: Final = 45
"""From this width on, in cells."""


class BootOrder(Static, can_focus=True):
    """Stands where other faults have charts."""

    HELP = (
        "The reboot: when the node went and came back, and how many seconds after the beginning of userspace "
        "each service became active, as the node's own service manager has noted it."
    )

    def __init__(self) -> None:
        super().__init__(id="boot", classes="card")
        self.border_title = "boot and service order"
        self._lines = Content()

    def show(self, state: RunState, now_s: float) -> None:
        """Show it as it is now."""
        size = self.content_size
        lines = order_lines(state, now_s, size.width, size.height)
        content = Content("\n").join(words.fit(line, size.width) for line in lines)
        if not content.is_same(self._lines):
            self._lines = content
            self.update(content, layout=False)


def order_lines(state: RunState, now_s: float, width: int, height: int) -> list[Content]:
    """What there is to say in at most `height` lines; without bars where they would leave no room for names."""
    if not state.boots:
        return [_waiting(name, state, now_s) for name in (state.started.targets if state.started else ())]
    lines: list[Content] = []
    for boot in state.boots.values():
        gap, *marks = boot_lines(boot)
        went, _, since = gap.partition("; ")
        if width < WITH_BARS:
            went = went.partition(": ")[2].replace(" at ", " ").partition(" ±")[0]
            marks = [mark.lstrip("━● ") for mark in marks]
        else:
            marks = [f"seconds {since}", *marks]
        lines.append(words.text(went, "bold"))
        lines += [words.text(mark, words.BAD if mark.startswith("✗") else "") for mark in marks]
    if len(lines) > height > 0:
        hidden = len(lines) - height + 1
        lines = [*lines[: height - 1], words.text(f"and {hidden} more", words.QUIET)]
    return lines


def _waiting(node: str, state: RunState, now_s: float) -> Content:
    last = next((e for e in reversed(state.log) if isinstance(e, ev.LinkChanged) and e.node == node), None)
    if last is None:
        return words.text(f"● {node} has not gone yet", words.QUIET)
    if last.up:
        return words.text(f"● {node} is reached again; its services are asked", words.GOOD)
    return words.text(f"✗ {node} is away, for {words.whole_seconds(now_s - last.at_s)}", f"bold {words.WARN}")
