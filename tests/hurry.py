"""Shipped scenarios with shorter times, and runs of them that are looked at while they last."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from console.plan import library
from tests.lab import Done, Lab
from tests.trials import Console


def hurried(lab: Lab, scenario: str, **seconds: float | tuple[float, float]) -> str:
    """A copy of the shipped scenario with those numbers: `hold_s=5` sets each, `within_s=(45, 18)` those of 45."""
    lines = library.find(scenario, None).read_text().splitlines()
    lines = [line for line in lines if not line.startswith("runbook:")]
    for key, wanted in seconds.items():
        old, new = wanted if isinstance(wanted, tuple) else (None, wanted)
        found = [i for i, line in enumerate(lines) if line.strip().startswith(f"{key}:")]
        found = [i for i in found if old is None or float(lines[i].split(":")[1]) == old]
        assert found, f"{scenario} has no such {key}"
        for i in found:
            lines[i] = lines[i].split(":")[0] + f": {new:g}"
    file = lab.root / f"{scenario}-{abs(hash(tuple(seconds.items())))}.yaml"
    file.write_text("\n".join(lines) + "\n")
    return str(file)


@contextmanager
def begun(lab: Lab, *arguments: str) -> Iterator[Console]:
    """A run whose phases can be waited for; `ended` waits for its end."""
    console = Console(lab.start("run", *arguments, "--attest", "all", "--json"))
    reader = threading.Thread(target=console.read)
    reader.start()
    try:
        yield console
    finally:
        if console.process.poll() is None:
            console.process.kill()
        console.process.wait()
        reader.join()
        console.close()


def observing(console: Console, limit_s: float = 60.0) -> None:
    """Wait until its fault is proven to act."""
    assert console.reaches("observe", limit_s), console.lines[-8:]


def ended(console: Console, limit_s: float = 100.0) -> Done:
    """How it ended."""
    assert console.reaches("ended", limit_s), console.lines[-8:]
    assert console.process.stderr
    return Done(console.process.wait(), "".join(console.lines), console.process.stderr.read())


def sentence(done: Done) -> str:
    """The verdict's one sentence; of a run that was not launched, why."""
    told = [event["sentence"] for event in done.events if event["event"] == "concluded"]
    return str(told[0]) if told else done.err


def verdict(done: Done) -> tuple[int, str, str]:
    """Exit code, outcome and reason."""
    return done.code, done.result["outcome"], done.result["reason"]


def observed(done: Done) -> dict[str, str]:
    """Expectation -> its outcome."""
    return {item["id"]: item["outcome"] for item in done.result["expectations"]}
