"""The embedded lab's stand-in for Alertmanager fires and clears by the rules that the machines' Prometheus has."""

from __future__ import annotations

import msgspec

from console.lab.services.alert_rules import HELD_S, RESTART_SEEN_S, Rules, Watch
from console.lab.services.stack.web import Asked
from console.lab.systemd.monitoring import ALERTS
from console.probes.alertmanager import Alert

WELL = {"jobs_workers": 3.0, "jobs_workers_wanted": 3.0, "jobs_worker_restarts_total": 1.0, "jobs_adapter_up": 1.0}


def firing(*looks: tuple[float, dict[str, float] | None], job: str = "jobs") -> set[str]:
    watch = Watch(job)
    for now, values in looks:
        watch.look(values, now)
    return set(watch.firing(looks[-1][0]))


def test_every_rule_is_one_of_the_real_prometheus_too_and_holds_as_long() -> None:
    assert {name: f"{held:g}s" for name, held in HELD_S.items()} == {name: ALERTS[name][1] for name in HELD_S}


def test_each_rule_fires_when_it_has_been_so_long_enough_and_clears() -> None:
    late = {**WELL, "jobs_event_delay_seconds": 1.2}
    assert firing((0, WELL)) == set()
    assert firing((0, WELL), (1, late), (2, late)) == set()
    assert firing((0, WELL), (1, late), (3, late)) == {"EventsLate"}
    assert firing((0, WELL), (1, late), (3, late), (4, WELL)) == set()
    assert firing((0, {**WELL, "jobs_adapter_up": 0.0})) == {"AdapterFails"}
    assert firing((0, {"sigil_writable": 0.0}), job="sigil") == {"StoreRefusesWrites"}
    assert firing((0, None), (1, None)) == set()
    assert firing((0, None), (2, None)) == {"ServiceDown"}


def test_a_worker_that_is_replaced_between_two_looks_is_told_for_a_while() -> None:
    again = {**WELL, "jobs_worker_restarts_total": 2.0}
    assert firing((0, {**WELL, "jobs_workers": 2.0})) == {"WorkerLost"}
    assert firing((0, WELL), (1, again)) == {"WorkerLost"}
    assert firing((0, WELL), (1, again), (1 + RESTART_SEEN_S, again)) == set()


def test_it_answers_as_alertmanager_does() -> None:
    rules = Rules("bluefin", {"jobs": "http://127.0.0.1:9/metrics"})
    rules._watches["jobs"].look({**WELL, "jobs_adapter_up": 0.0}, 0.0)
    rules._looked_at = 1e12
    asked = Asked("GET", "/api/v2/alerts", 'active=true&filter=alertname="AdapterFails"', b"", "")
    (alert,) = msgspec.json.decode(rules.answer(asked).body, type=tuple[Alert, ...])
    assert (alert.labels["alertname"], alert.labels["node"]) == ("AdapterFails", "bluefin")
    assert alert.status.state == "active"
    other = Asked("GET", "/api/v2/alerts", 'filter=alertname="EventsLate"', b"", "")
    assert rules.answer(other).body == b"[]"
