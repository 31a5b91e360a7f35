"""it-triad of the lab: asks the gateway for its health every second and notes what it answered."""

from __future__ import annotations

import os
import time

from console.lab.services.gateway_health import gateway_health
from console.lab.services.link import Link
from console.lab.services.say import say


def main() -> None:
    """Run for ever."""
    link = Link()
    while True:
        code, took_s = gateway_health(os.environ["GATEWAY_HEALTH"])
        votes = link.ask("select count(*) from council_votes where status = 'open'")
        say(f"gateway {code} in {took_s * 1000:.0f} ms, open votes {'?' if votes is None else votes}")
        time.sleep(1.0)


if __name__ == "__main__":
    main()
