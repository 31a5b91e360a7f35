"""The one message that the session's callbacks become: a flood of them costs one repaint."""

from __future__ import annotations

from textual.message import Message


class Changed(Message):
    """Something that is shown may have changed."""

    def can_replace(self, message: Message) -> bool:
        """Of several that wait, one is enough."""
        return isinstance(message, Changed)
