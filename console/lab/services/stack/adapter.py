"""The adapter of jobs: asks another system, over HTTP, and says what became of it."""

from __future__ import annotations

import http.client

LIMIT_S = 1.0


class Adapter:
    """Calls one upstream; `failing` makes each call fail at once."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.failing = False
        self.calls = 0
        self.errors = 0
        self.trouble = ""
        """Why the last call failed; empty where it did not."""

    def call(self, job: int) -> None:
        """Tell the upstream of a job that is done."""
        self.calls += 1
        self.trouble = self._trouble(job)
        self.errors += bool(self.trouble)

    def _trouble(self, job: int) -> str:
        if self.failing:
            return "made to fail"
        connection = http.client.HTTPConnection(self._host, self._port, timeout=LIMIT_S)
        try:
            connection.request("GET", f"/quotes/{job}")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            return str(error) or type(error).__name__
        finally:
            connection.close()
        return "" if status == 200 else f"upstream answered {status}"
