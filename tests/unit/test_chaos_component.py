"""gameday chaos component: the shipped experiment aimed at a target, with what only its own service tells left out."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from console.cli import main

INVENTORY = """\
version: 1
name: test
nodes:
  bluefin:
    address: 127.0.0.1
    services:
      jobs:
        unit: jobs.service
        health: http://127.0.0.1:7072/health
        metrics: http://127.0.0.1:7072/metrics
        components: {worker: {process: stack worker}, eventbus: {port: 7073}, adapter: {port: 7074}}
        dev: {url: "http://127.0.0.1:7072/dev", token_file: token}
      other: {unit: other.service, components: {worker: {process: other worker}}}
      plain: {unit: plain.service}
"""


def said(tmp_path: Path, *words: str) -> tuple[int, str]:
    file = tmp_path / "inventory.yaml"
    file.write_text(INVENTORY)
    done = CliRunner().invoke(main, ["chaos", "component", *words, "--inventory", str(file), "--dry-run"])
    return done.exit_code, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("words", "summary"),
    [
        (("worker",), "component-kill KILL of 1 worker"),
        (("eventbus", "--for", "1m"), "component-delay of eventbus by 1000 ms, held for 60 s"),
        (("adapter", "--via", "endpoint"), "component-error in adapter, by its own endpoint, held for 20 s"),
    ],
)
def test_a_component_is_broken_by_its_experiment(tmp_path: Path, words: tuple[str, ...], summary: str) -> None:
    code, text = said(tmp_path, *words, "--target", "bluefin/jobs")
    assert (code, f"on bluefin: {summary}" in text) == (0, True), text
    assert "jobs_done_total" in text


def test_elsewhere_only_what_every_service_has_is_expected(tmp_path: Path) -> None:
    code, text = said(tmp_path, "worker", "--target", "bluefin/other")
    assert code == 0, text
    assert "processes of other.service with 'other worker' are replaced" in text
    assert "jobs_" not in text
    assert "WorkerLost" not in text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("worker", "--target", "bluefin/plain"), "plain on bluefin has no component 'worker' in the inventory"),
        (("worker", "--target", "bluefin/jobs", "--for", "9s"), "component-kill is a blow, there is nothing to hold"),
        (("adapter", "--target", "bluefin/jobs", "--for", "1h"), "component-error: Expected `float` <= 600"),
        (("adapter", "--target", "bluefin/job"), "did you mean 'jobs'"),
        (("queue", "--target", "bluefin/jobs"), "'queue' is not one of 'worker', 'eventbus', 'adapter'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(tmp_path: Path, words: tuple[str, ...], why: str) -> None:
    code, text = said(tmp_path, *words)
    assert (code, why in text) == (2, True), text
