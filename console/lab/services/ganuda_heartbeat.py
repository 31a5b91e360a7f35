"""ganuda-heartbeat of the lab: writes a beat into a file every second."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path

from console.lab.services.link import Link
from console.lab.services.say import say


def main() -> None:
    """Run for ever."""
    beat = Path.home() / "heartbeat"
    link = Link()
    for number in count(1):
        beat.write_text(f"{number} {time.time():.3f}\n")
        answer = link.ask("select 1")
        say(f"beat {number}, database {'answers' if answer == 1 else 'does not answer'}")
        time.sleep(1.0)


if __name__ == "__main__":
    main()
