"""Runs one of the application's programs by name; only what that one needs is imported."""

from __future__ import annotations

import sys

USAGE = "usage: python -m console.lab.services.stack store [open] | database | jobs | worker NUMBER"


def main(words: list[str]) -> int:
    """Run it until it ends; the exit code."""
    match words:
        case ["store"]:
            from console.lab.services.stack.store import main as store  # noqa: PLC0415

            return store()
        case ["store", "open"]:
            from console.lab.services.stack.store import open_once  # noqa: PLC0415

            return open_once()
        case ["database"]:
            from console.lab.services.stack.database import main as database  # noqa: PLC0415

            return database()
        case ["jobs"]:
            from console.lab.services.stack.jobs import main as jobs  # noqa: PLC0415

            return jobs()
        case ["worker", number]:
            from console.lab.services.stack.worker import main as worker  # noqa: PLC0415

            return worker(number)
    print(USAGE, file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
