"""Records over HTTP: PUT, GET and DELETE /records/KEY, GET /records, /health, /metrics."""

from __future__ import annotations

from console.lab.services.stack.records import Records
from console.lab.services.stack.trouble import Trouble
from console.lab.services.stack.web import Answer, Asked, as_json, as_metrics, no_such_page

KEY_LIMIT_BYTES = 200
"""LMDB takes 511."""


def answer(records: Records, asked: Asked) -> Answer:
    """Answer one request."""
    try:
        match asked.method, asked.path.split("/"):
            case "GET", ["", "health"]:
                return _health(records)
            case "GET", ["", "metrics"]:
                return as_metrics(_metrics(records))
            case "GET", ["", "records"]:
                return Answer(200, b"".join(key + b"\n" for key in records.keys()))  # noqa: SIM118 -- no mapping
            case method, ["", "records", key] if 0 < len(key.encode()) <= KEY_LIMIT_BYTES and "\n" not in key:
                return _record(records, method, key.encode(), asked.body)
    except Trouble as trouble:
        return as_json(trouble.status, error=str(trouble), errno=trouble.errno, recoverable=trouble.recoverable)
    return no_such_page()


def _record(records: Records, method: str, key: bytes, body: bytes) -> Answer:
    if method == "PUT":
        records.put(key, body)
        return as_json(201, stored=key.decode())
    if method == "DELETE":
        records.delete(key)
        return Answer(204)
    if method == "GET" and (value := records.get(key)) is not None:
        return Answer(200, value, "application/octet-stream")
    return as_json(404, error=f"there is no record {key.decode()}")


def _health(records: Records) -> Answer:
    status, why = records.state()
    more = {key: text for key, text in (("error", why), ("stands for", records.engine.label)) if text}
    return as_json(503 if status == "failed" else 200, status=status, engine=records.engine.name, **more)


def _metrics(records: Records) -> dict[str, float]:
    status, _ = records.state()
    name = records.name
    errors = {f'{name}_errors_total{{errno="{errno}"}}': count for errno, count in sorted(records.errors.items())}
    calls = {f'{name}_calls_total{{op="{op}"}}': records.calls[op] for op in ("put", "get", "delete", "list")}
    full = {f"{name}_disk_full_error_total": records.errors["ENOSPC"]}
    return {f"{name}_writable": status == "ok", **full, **errors, **calls}
