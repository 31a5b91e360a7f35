"""A run as a Markdown report, or as plain text for a terminal."""

from __future__ import annotations

import re

from console.record import sections
from console.record.sections import Section
from console.state import RunState

MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")


def all_sections(state: RunState) -> list[Section]:
    """Everything that a run tells, in the order in which one reads it."""
    told = (
        sections.result(state),
        sections.tested(state),
        sections.approvals(state),
        sections.expectations(state),
        sections.alerts(state),
        sections.steady_state(state),
        sections.safety(state),
        sections.checklist(state),
        sections.findings(state),
        sections.thermal(state),
        sections.timeline(state),
    )
    return [section for section in told if section.lines]


def plain(state: RunState) -> str:
    """The run for a terminal."""
    return _head(state) + "".join(
        f"\n{section.title}\n" + "".join(f"  {line}\n" for line in section.lines) for section in all_sections(state)
    )


def markdown(state: RunState) -> str:
    """The run as a Markdown document."""
    return f"# {_escaped(_head(state).strip())}\n" + "".join(
        f"\n## {section.title}\n\n" + "".join(f"- {_escaped(line)}\n" for line in section.lines)
        for section in all_sections(state)
    )


def _head(state: RunState) -> str:
    started = state.started
    return f"Run {started.run}: {started.title}\n" if started else "A run whose journal holds nothing\n"


def _escaped(text: str) -> str:
    return MARKDOWN.sub(r"\\\1", text)
