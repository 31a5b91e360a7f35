"""An event as one line of JSON, and back: so it stands in the journal, and so `--json` prints it."""

from __future__ import annotations

import msgspec

from console.events import AnyEvent

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)


def encode(event: AnyEvent) -> bytes:
    """The event as one JSON line, without its newline."""
    return _encoder.encode(event)


def decode(line: bytes) -> AnyEvent:
    """The event of one journal line.

    Raises:
        msgspec.DecodeError: the line is cut off, or is not an event.
    """
    return _decoder.decode(line)
