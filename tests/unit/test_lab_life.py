"""A lab that goes down says why."""

from __future__ import annotations

from pathlib import Path

from console.lab.life import last_words


def test_the_end_of_a_console_is_told_in_one_line_without_its_colours(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("booting\n" * 9 + "\x1b[0;1;31mFailed to allocate: Too many open files\x1b[0m\n\nExiting PID 1...\n")
    assert last_words(log).endswith("booting / Failed to allocate: Too many open files / Exiting PID 1...")
    assert last_words(log).count("booting") == 3


def test_a_node_without_a_console_has_no_last_words(tmp_path: Path) -> None:
    assert (last_words(None), last_words(tmp_path / "none")) == ("", "")
