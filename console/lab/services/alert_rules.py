"""Stands in for Prometheus and Alertmanager in the embedded lab, with the rules of the example application.

It answers Alertmanager's two questions that the console has, GET /api/v2/alerts and /api/v2/status. ALERT_PAGES names
what it reads (`jobs=http://...`, separated by spaces), ALERT_NODE whose that is, ALERT_HOST and ALERT_PORT where it
listens. It looks every second, but only while somebody has asked within the last minute: idle it costs nothing.
"""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from console.lab.services.stack.web import Answer, Asked, Server, as_json, no_such_page

LOOK_EVERY_S = 1.0
ASLEEP_AFTER_S = 60.0
PAGE_LIMIT_S = 1.0
HELD_S = {"ServiceDown": 2.0, "StoreRefusesWrites": 0.0, "WorkerLost": 0.0, "EventsLate": 2.0, "AdapterFails": 0.0}
"""Alert -> for how long it must be so before it fires, in seconds."""
RESTART_SEEN_S = 10.0
"""For how long a worker that was replaced is told of."""

Values = dict[str, float]


@dataclass
class Watch:
    """One page: what was seen of it, and what is wrong since when."""

    job: str
    restarts: float | None = None
    restarted_at: float = -RESTART_SEEN_S
    since: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Alert -> since when on this machine's monotonic clock, and the same moment for people."""

    def look(self, values: Values | None, now: float) -> None:
        """Remember what is wrong now; `values`: None where the page did not answer."""
        wrong = {"ServiceDown"} if values is None else self._wrong(values, now)
        stamp = datetime.now(UTC).isoformat()
        self.since = {alert: self.since.get(alert, (now, stamp)) for alert in wrong}

    def _wrong(self, values: Values, now: float) -> set[str]:
        restarts = values.get("jobs_worker_restarts_total", 0.0)
        if self.restarts is not None and restarts > self.restarts:
            self.restarted_at = now
        self.restarts = restarts
        missing = values.get("jobs_workers", 0.0) < values.get("jobs_workers_wanted", 0.0)
        found = {
            "StoreRefusesWrites": values.get(f"{self.job}_writable", 1.0) == 0,
            "WorkerLost": missing or now - self.restarted_at < RESTART_SEEN_S,
            "EventsLate": values.get("jobs_event_delay_seconds", 0.0) > 0.5,
            "AdapterFails": values.get("jobs_adapter_up", 1.0) == 0,
        }
        return {alert for alert, there in found.items() if there}

    def firing(self, now: float) -> dict[str, str]:
        """Alert -> since when, for people."""
        return {alert: stamp for alert, (since, stamp) in self.since.items() if now - since >= HELD_S[alert]}


class Rules:
    """Looks at the pages, and answers as Alertmanager does."""

    def __init__(self, node: str, pages: dict[str, str]) -> None:
        self._node = node
        self._pages = pages
        self._watches = {job: Watch(job) for job in pages}
        self._lock = threading.Lock()
        self._asked = threading.Event()
        self._asked_at = self._looked_at = -ASLEEP_AFTER_S
        self._started = datetime.now(UTC).isoformat()

    def run(self) -> None:
        """Look every second while somebody wants to know."""
        while self._asked.wait():
            self._look()
            time.sleep(LOOK_EVERY_S)
            if time.monotonic() - self._asked_at > ASLEEP_AFTER_S:
                self._asked.clear()

    def answer(self, asked: Asked) -> Answer:
        """One question."""
        match asked.path:
            case "/-/healthy":
                return as_json(200, status="ok")
            case "/api/v2/status":
                return as_json(200, uptime=self._started)
            case "/api/v2/alerts":
                self._asked_at = time.monotonic()
                self._asked.set()
                if self._asked_at - self._looked_at > 2 * LOOK_EVERY_S:  # it was asleep
                    self._look()
                wanted = parse_qs(asked.query).get("filter", [""])[0]
                return Answer(200, json.dumps(self._alerts(wanted)).encode(), "application/json")
        return no_such_page()

    def _look(self) -> None:
        with self._lock:
            for job, url in self._pages.items():
                self._watches[job].look(_read(url), time.monotonic())
            self._looked_at = time.monotonic()

    def _alerts(self, wanted: str) -> list[dict[str, object]]:
        with self._lock:
            found = [(job, *alert) for job, w in self._watches.items() for alert in w.firing(time.monotonic()).items()]
        return [
            {
                "labels": {"alertname": alert, "node": self._node, "job": job},
                "fingerprint": f"{alert}-{job}",
                "startsAt": stamp,
                "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
            }
            for job, alert, stamp in found
            if wanted in ("", f'alertname="{alert}"')
        ]


def _read(url: str) -> Values | None:
    try:
        with urllib.request.urlopen(url, timeout=PAGE_LIMIT_S) as page:  # noqa: S310 -- the lab's own pages
            lines = page.read().decode().splitlines()
    except OSError:
        return None
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines) if name}


def main() -> None:
    """Serve until a signal ends it."""
    pages = dict(word.split("=", 1) for word in os.environ["ALERT_PAGES"].split())
    rules = Rules(os.environ["ALERT_NODE"], pages)
    threading.Thread(target=rules.run, daemon=True).start()
    Server(os.environ["ALERT_HOST"], int(os.environ["ALERT_PORT"]), rules.answer).serve_forever(3600)


if __name__ == "__main__":
    main()
