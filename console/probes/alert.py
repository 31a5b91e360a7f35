"""Whether monitoring noticed: an alert that was not there before fires, and is gone again."""

from __future__ import annotations

import asyncio
import time

from console.plan.probe import AlertProbe, alert_words
from console.probes.alertmanager import Alert, Alertmanager, NoAlerts
from console.probes.base import Observation
from console.terms import Status

WATCH_EVERY_S = 1.0
"""How often the alert is looked for while no expectation asks, in seconds: what fires meanwhile is not missed."""


class AlertProber:
    """Watches one alert from the baseline on.

    Times are those at which the console saw it: Alertmanager's clock is another machine's, and `startsAt` is evidence.
    An alert also ends when nobody renews it, as when Prometheus is down: `cleared` alone is no proof of recovery.
    """

    def __init__(self, probe: AlertProbe, alertmanager: Alertmanager) -> None:
        self._probe = probe
        self._alertmanager = alertmanager
        self._name = alert_words(probe)
        self._started = ""
        self._fired = ""
        """When it was first seen firing in this run, in Alertmanager's words."""
        self._watching: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See that the alert is not there yet.

        Raises:
            NoAlerts: Alertmanager cannot be asked, or the alert is there already and could witness nothing.
        """
        self._started = await self._alertmanager.started()
        present = await self._present()
        if present:
            raise NoAlerts(
                f"{self._name} is there already, since {present[0].starts_at}: it cannot tell of this fault; "
                "let it clear first"
            )
        self._watching = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop watching."""
        if self._watching:
            self._watching.cancel()
            await asyncio.wait([self._watching])

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            await self.check()

    async def check(self) -> Observation:
        """Ask once. Anything but a good answer is unknown."""
        began_s = time.time()
        try:
            present = await self._present()
            # Only an Alertmanager that has been there all the time can say that an alert is gone.
            known = bool(present) or await self._alertmanager.started() == self._started
        except NoAlerts as error:
            return Observation(Status.UNKNOWN, str(error), time.time())
        now_s = time.time()
        firing = next((alert for alert in present if alert.status.state == "active"), None)
        if firing:
            self._fired = self._fired or firing.starts_at
        status, text = self._told(present, firing, known=known)
        return Observation(status, text, now_s, now_s - began_s)

    def _told(self, present: list[Alert], firing: Alert | None, *, known: bool) -> tuple[Status, str]:
        witness = self._probe.witness
        if not known:
            return Status.UNKNOWN, f"{witness} was started anew during the run and may have forgotten what fired"
        if self._probe.state == "firing":
            if firing:
                return Status.PASS, f"{self._name} fires; {witness} says since {firing.starts_at}"
            if present:
                return Status.FAIL, f"{self._name} {_unheard(present[0])}"
            return Status.FAIL, f"{self._name} does not fire{self._as_told}"
        if present:
            return Status.FAIL, f"{self._name} is still there, since {present[0].starts_at}"
        if not self._fired:
            return Status.UNKNOWN, f"{self._name} never fired in this run, so nothing could clear"
        return Status.PASS, f"{self._name} has cleared; it fired since {self._fired}{self._as_told}"

    @property
    def _as_told(self) -> str:
        """Who says so, where it is not the real thing."""
        return f", says {self._probe.witness}" if self._probe.stand_in else ""

    async def _present(self) -> list[Alert]:
        """The alerts of that name with these labels, in any state."""
        wanted = {**self._probe.labels, "alertname": self._probe.alert}
        found = await self._alertmanager.alerts(self._probe.alert)
        return [alert for alert in found if wanted.items() <= alert.labels.items()]


def _unheard(alert: Alert) -> str:
    """Why an alert that is there reaches nobody."""
    if alert.status.silenced_by:
        return f"fires, but is silenced by {', '.join(alert.status.silenced_by)}: it reaches nobody"
    if alert.status.inhibited_by:
        return f"fires, but is inhibited by {', '.join(alert.status.inhibited_by)}: it reaches nobody"
    return f"is {alert.status.state}: it has reached nobody yet"
