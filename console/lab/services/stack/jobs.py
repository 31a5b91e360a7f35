"""jobs of the lab: a pool of worker processes, an event bus between them, and an adapter to another system.

A job every half a second: over the bus to a worker, then through the adapter to the upstream, a small web server of its
own in this program. STACK_HOST and STACK_PORT say where it listens for people, STACK_BUS_PORT and STACK_UPSTREAM_PORT,
on the loopback, for the bus and the upstream.

POST /dev/worker/kill, /dev/eventbus/delay?ms=N, /dev/adapter/fail and /dev/reset misbehave on demand, and GET /dev
tells {"faults": [COMPONENT, ...]}. They are there only where STACK_DEV_TOKEN_FILE names a file, and do what they do
only for `Authorization: Bearer` with what is in it.

STACK_BREAK breaks it on purpose: `no-respawn` (a worker that ends is never replaced).
"""

from __future__ import annotations

import hmac
import os
import threading
import time
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs

from console.lab.services.stack.adapter import Adapter
from console.lab.services.stack.bus import HOST, Bus
from console.lab.services.stack.log import log
from console.lab.services.stack.pool import Pool
from console.lab.services.stack.web import Answer, Asked, Server, as_json, as_metrics, no_such_page

WORKERS = 3
JOB_EVERY_S = 0.5
DELAY_LIMIT_MS = 60_000


class Jobs:
    """The application."""

    def __init__(self, bus_port: int, upstream_port: int, *, flaw: str = "") -> None:
        self.done = 0
        self.upstream = Server(HOST, upstream_port, _quote)
        self.adapter = Adapter(HOST, self.upstream.server_port)
        self.bus = Bus(bus_port, self._after)
        self.pool = Pool(WORKERS, self.bus.port, replaced=flaw != "no-respawn")
        for work in (lambda: self.upstream.serve_forever(3600), self._publish):
            threading.Thread(target=work, daemon=True).start()

    def answer(self, asked: Asked) -> Answer:
        """Answer one request."""
        match asked.method, asked.path.split("/"):
            case "GET", ["", "health"]:
                return self._health()
            case "GET", ["", "metrics"]:
                return as_metrics(self._metrics())
            case "GET" | "POST", ["", "dev", *words]:
                return self._develop(words, asked)
        return no_such_page()

    def _publish(self) -> None:
        for job in count(1):
            if self.bus.waiting < WORKERS:
                self.bus.publish(job)
            time.sleep(JOB_EVERY_S)

    def _after(self, job: int) -> None:
        self.adapter.call(job)
        self.done += 1

    def _health(self) -> Answer:
        workers, trouble = len(self.pool.pids), self.adapter.trouble
        well = workers == self.pool.size and not trouble
        status = "ok" if well else "degraded" if workers else "failed"
        facts = {"workers": workers, "event_delay_s": round(self.bus.event_delay_s, 3), "adapter": trouble or "ok"}
        return as_json(200 if workers else 503, status=status, **facts)

    def _metrics(self) -> dict[str, float]:
        pids = self.pool.pids
        return {
            "jobs_workers": len(pids),
            "jobs_workers_wanted": self.pool.size,
            "jobs_worker_restarts_total": self.pool.restarts,
            "jobs_done_total": self.done,
            "jobs_requeued_total": self.bus.requeued,
            "jobs_waiting": self.bus.waiting,
            "jobs_event_delay_seconds": self.bus.event_delay_s,
            "jobs_adapter_calls_total": self.adapter.calls,
            "jobs_adapter_errors_total": self.adapter.errors,
            "jobs_adapter_up": not self.adapter.trouble,
            **{f'jobs_worker_pid{{worker="{number}"}}': pid for number, pid in sorted(pids.items())},
        }

    def _develop(self, words: list[str], asked: Asked) -> Answer:
        token = dev_token()
        if not token:
            return no_such_page()
        if not hmac.compare_digest(asked.authorization.encode(), f"Bearer {token}".encode()):
            return as_json(401, error="this needs the header Authorization: Bearer TOKEN")
        if asked.method == "GET":
            return as_json(200, faults=self._faults) if not words else no_such_page()
        match words:
            case ["worker", "kill"]:
                return as_json(200, killed=self.pool.kill_one())
            case ["eventbus", "delay"]:
                ms = parse_qs(asked.query).get("ms", [""])[0]
                if not (ms.isdecimal() and int(ms) <= DELAY_LIMIT_MS):
                    return as_json(400, error=f"ms is a number of milliseconds up to {DELAY_LIMIT_MS}")
                self.bus.delay_s = int(ms) / 1000
                return as_json(200, delay_ms=int(ms))
            case ["adapter", "fail"]:
                self.adapter.failing = True
                return as_json(200, failing=True)
            case ["reset"]:
                self.bus.delay_s, self.adapter.failing = 0.0, False
                return as_json(200, delay_ms=0, failing=False)
        return no_such_page()

    @property
    def _faults(self) -> list[str]:
        found = {"eventbus": self.bus.delay_s > 0, "adapter": self.adapter.failing}
        return [name for name, there in found.items() if there]


def dev_token() -> str:
    """What the file that STACK_DEV_TOKEN_FILE names holds; empty where there is none."""
    try:
        return Path(os.environ.get("STACK_DEV_TOKEN_FILE") or os.devnull).read_text().strip()
    except OSError:
        return ""


def _quote(asked: Asked) -> Answer:
    return as_json(200, quote=asked.path)


def main() -> int:
    """Serve until a signal ends it."""
    bus, upstream = int(os.environ["STACK_BUS_PORT"]), int(os.environ["STACK_UPSTREAM_PORT"])
    jobs = Jobs(bus, upstream, flaw=os.environ.get("STACK_BREAK", ""))
    server = Server(os.environ["STACK_HOST"], int(os.environ["STACK_PORT"]), jobs.answer)
    log(f"jobs: {WORKERS} workers, on port {server.server_port}")
    server.serve_forever(3600)
    return 0
