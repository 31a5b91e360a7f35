"""memory-jr-autonomic of the lab: writes a memory over one connection and reads it back over another."""

from __future__ import annotations

import time
from itertools import count

from console.lab.services.link import Link
from console.lab.services.say import say


def main() -> None:
    """Run for ever, one memory a second, always the same row."""
    writer, reader = Link(), Link()
    for number in count(1):
        writer.ask(
            "insert into jr_memory (id, note) values (1, %s) on conflict (id) do update set note = excluded.note",
            f"memory {number}",
        )
        read = reader.ask("select note from jr_memory where id = 1")
        say("remembered" if read == f"memory {number}" else "lost", f"memory {number}")
        time.sleep(1.0)


if __name__ == "__main__":
    main()
