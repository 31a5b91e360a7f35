"""executive-jr-autonomic of the lab: works through a queue of tasks that it keeps in a file."""

from __future__ import annotations

import json
import time
from itertools import count
from pathlib import Path

from console.lab.services.link import Link
from console.lab.services.say import say


def main() -> None:
    """Run for ever: one task in, one task done, each second."""
    queue = Path.home() / "executive-queue.json"
    planner, worker = Link(), Link()
    for number in count(1):
        planned = planner.ask("select count(*) from council_votes where status = 'open'")
        done = worker.ask("select count(*) from jr_memory")
        new = queue.with_suffix(".new")
        new.write_text(json.dumps({"task": number, "open_votes": planned, "memories": done}))
        new.replace(queue)
        say(f"task {number} done")
        time.sleep(1.0)


if __name__ == "__main__":
    main()
