"""Asks the gateway for its health once, as any client would."""

from __future__ import annotations

import time
import urllib.error
import urllib.request


def gateway_health(url: str) -> tuple[str, float]:
    """What /health answered (`200`, `500`, `no answer`), and after how many seconds."""
    begun = time.monotonic()
    try:
        with urllib.request.urlopen(url, timeout=2.0) as answer:  # noqa: S310 -- the lab's own http URL
            code = str(answer.status)
    except urllib.error.HTTPError as error:
        code = str(error.code)
    except OSError:
        code = "no answer"
    return code, time.monotonic() - begun
