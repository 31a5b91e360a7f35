"""The process that sends: a message on standard input, a line for each of its URLs on standard output."""

from __future__ import annotations

import re
import sys
from urllib.parse import unquote

import msgspec

from console.notify import Delivery, Message

LETTERS = 4
"""Shorter words of a URL are no secrets, and would hide half of every sentence."""


def main() -> int:
    """Send it; exit 0 whatever became of each."""
    import apprise  # noqa: PLC0415 (it loads a hundred services)

    message = msgspec.json.decode(sys.stdin.buffer.read(), type=Message)
    for url in message.urls:
        service = apprise.Apprise.instantiate(url, suppress_exceptions=True)
        if service is None:
            scheme = re.match(r"[a-z0-9+.-]{1,20}(?=://)", url.lower())
            said = Delivery(scheme[0] if scheme else "a URL", "apprise does not understand this URL")
        else:
            with apprise.LogCapture(level=apprise.logging.WARNING) as log:  # type: ignore[no-untyped-call]
                good = service.notify(body=message.body, title=message.title, body_format=apprise.NotifyFormat.TEXT)
                why = "" if good else without_secrets(log.getvalue(), url) or "it was not taken"
            said = Delivery(str(service.service_name), why)
        sys.stdout.write(msgspec.json.encode(said).decode() + "\n")
        sys.stdout.flush()
    return 0


def without_secrets(text: str, url: str) -> str:
    """The last line of what apprise said, without any word of the URL but its scheme.

    >>> without_secrets("2026-11-21 10:00:00,000 - WARNING - Failed at T1JJ3T3L2: refused", "slack://T1JJ3T3L2/AB/CD")
    'Failed at ***: refused'
    """
    lines = [line for line in text.splitlines() if line.strip()]
    said = lines[-1].rpartition(" - WARNING - ")[2].rpartition(" - ERROR - ")[2] if lines else ""
    words = {word for word in re.split(r"[/:@?&=#,;+]", url.partition("://")[2]) if len(word) >= LETTERS}
    for word in sorted({*words, *map(unquote, words)}, key=len, reverse=True):
        said = said.replace(word, "***")
    return said[:200]


if __name__ == "__main__":
    sys.exit(main())
