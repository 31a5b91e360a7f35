"""What a ping probe makes of what ping prints."""

from __future__ import annotations

import pytest

from console.nodes.ssh import Completed
from console.plan.probe import Answer, PingProbe
from console.probes.ping import PingProber
from console.terms import Status

IPUTILS = "3 packets transmitted, {} received, {}% packet loss, time 402ms"
BUSYBOX = "3 packets transmitted, {} packets received, {}% packet loss"


class Node:
    """Answers what it is told to."""

    def __init__(self, stdout: str, stderr: str = "") -> None:
        self._said = Completed(0, f"PING 10.0.0.2\n\n--- statistics ---\n{stdout}\n", stderr)
        self.asked: list[str] = []

    async def run(self, command: str, **_: object) -> Completed:
        self.asked.append(command)
        return self._said


@pytest.mark.parametrize("said", [IPUTILS, BUSYBOX])
@pytest.mark.parametrize(
    ("expect", "received", "status"),
    [
        ("answer", 3, Status.PASS), ("answer", 2, Status.FAIL), ("answer", 0, Status.FAIL),
        ("no-answer", 0, Status.PASS), ("no-answer", 1, Status.FAIL), ("no-answer", 3, Status.FAIL),
    ],
)  # fmt: skip
async def test_all_three_or_none_are_answered(said: str, expect: Answer, received: int, status: Status) -> None:
    node = Node(said.format(received, 100 * (3 - received) // 3))
    prober = PingProber(PingProbe("greenfin", "redfin", "10.0.0.2", expect), node)  # type: ignore[arg-type]
    seen = await prober.check()
    assert (seen.status, seen.text) == (status, f"{received} of 3 pings of redfin answered")
    assert node.asked[0].endswith(" 10.0.0.2")


@pytest.mark.parametrize("why", ["sh: ping: not found", "ping: redfin: Name or service not known"])
@pytest.mark.parametrize("expect", ["answer", "no-answer"])
async def test_a_ping_that_cannot_be_sent_is_unknown(why: str, expect: Answer) -> None:
    prober = PingProber(PingProbe("greenfin", "redfin", "redfin", expect), Node("", why))  # type: ignore[arg-type]
    seen = await prober.check()
    assert (seen.status, seen.text) == (Status.UNKNOWN, f"ping does not tell: {why}")
