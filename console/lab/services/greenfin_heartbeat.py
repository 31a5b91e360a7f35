"""greenfin-heartbeat of the lab: checks redfin's gateway every second, as a neighbour sees it."""

from __future__ import annotations

import os
import time

from console.lab.services.gateway_health import gateway_health
from console.lab.services.say import say


def main() -> None:
    """Run for ever."""
    while True:
        code, took_s = gateway_health(os.environ["GATEWAY_HEALTH"])
        say(f"redfin llm-gateway {code} in {took_s * 1000:.0f} ms")
        time.sleep(1.0)


if __name__ == "__main__":
    main()
