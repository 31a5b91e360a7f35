"""A list whose rows are replaced only where they changed; the cursor stays on its row."""

from __future__ import annotations

from collections.abc import Container, Sequence

from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option


class Rows(OptionList):
    """Rows with ids. Enter or a click chooses one."""

    HELP = "Move with up and down, choose with enter or a click."

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self._shown: dict[str, Content] = {}

    def show(self, rows: Sequence[tuple[str, Content]], headings: Container[str] = ()) -> None:
        """Show these (id, content) rows; those of `headings` are passed over by the cursor."""
        wanted = dict(rows)
        if list(wanted) == list(self._shown):
            for key, content in wanted.items():
                if not content.is_same(self._shown[key]):
                    self.replace_option_prompt(key, content)
        else:
            chosen = self.chosen
            self.set_options([Option(content, key, disabled=key in headings) for key, content in wanted.items()])
            first = next((key for key in wanted if key not in headings), None)
            if first is not None:
                self.highlighted = self.get_option_index(chosen if chosen in wanted else first)
        self._shown = wanted

    def choose(self, key: str) -> None:
        """Put the cursor on the row of that id, if there is one."""
        if key in self._shown:
            self.highlighted = self.get_option_index(key)

    @property
    def chosen(self) -> str:
        """The id of the row under the cursor; empty when there is none."""
        option = self.highlighted_option
        return (option.id or "") if option else ""
