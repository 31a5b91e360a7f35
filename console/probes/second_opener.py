"""What became of a second process that tried to open a store."""

from __future__ import annotations

import re
import time
from shlex import quote

from console.errors import NodeUnreachable
from console.nodes.scripts import whole
from console.nodes.ssh import SshNode
from console.plan.probe import SecondOpenerProbe
from console.probes.base import Observation, PlainProber
from console.terms import Status

_LOOK = """\
cd {folder} 2>/dev/null && [ -s began ] || exit 0
read -r up _ </proc/uptime
echo "$(cat began) ${{up%.*}}${{up#*.}} $(cat ended 2>/dev/null)"
head -c 2000 said 2>/dev/null || :
"""


class SecondOpenerProber(PlainProber):
    """Reads the fault's notes on its node."""

    def __init__(self, probe: SecondOpenerProbe, node: SshNode) -> None:
        self._probe = probe
        self._node = node

    async def check(self) -> Observation:
        """Look once."""
        program = whole(_LOOK.format(folder=quote(self._probe.folder)))
        try:
            done = await self._node.run("sh -s", input=program, sudo=True)
        except NodeUnreachable as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        status, text = judged(done.stdout, self._probe)
        return Observation(status, text, time.time())


def judged(notes: str, probe: SecondOpenerProbe) -> tuple[Status, str]:
    r"""The notes: when it began and what the clock says now, in hundredths of a second, exit status and end if it has
    ended; then what it said.

    >>> judged("100 900 1 130\nsigil: /srv/sigil is LOCKED", SecondOpenerProbe(store="sigil"))[0].value
    'pass'
    >>> judged("100 900 0 130\n", SecondOpenerProbe(store="sigil"))
    (<Status.FAIL: 'fail'>, 'a second process opened sigil, which its service holds open (exit 0 after 0.3 s)')
    """
    first, _, said = notes.partition("\n")
    figures = [int(word) for word in first.split() if word.isdecimal()]
    said = " ".join(said.split())[:300] or "nothing"
    if len(figures) < 2:
        return Status.UNKNOWN, f"no second process has tried to open {probe.store} yet"
    began, now, *ended = figures
    if not ended:
        age_s = (now - began) / 100
        late = age_s > probe.within_s
        text = f"a second process that opens {probe.store} is there since {age_s:.1f} s; it said: {said}"
        return (Status.FAIL if late else Status.UNKNOWN), text
    took_s = (ended[1] - began) / 100
    if ended[0] == 0:
        text = f"a second process opened {probe.store}, which its service holds open (exit 0 after {took_s:.1f} s)"
        return Status.FAIL, text
    text = f"a second process ended after {took_s:.1f} s, exit {ended[0]}; it said: {said}"
    if took_s > probe.within_s:
        return Status.FAIL, f"{text}; not within {probe.within_s:g} s"
    if not re.search(probe.says, said):
        return Status.FAIL, f"{text}; that does not say '{probe.says}'"
    return Status.PASS, text
