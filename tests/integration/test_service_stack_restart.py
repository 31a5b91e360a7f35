"""A6 for real: five services, one by one, each with its time."""

from __future__ import annotations

from tests.lab import Lab

SERVICES = ("llm-gateway", "it-triad", "executive-jr-autonomic", "memory-jr-autonomic", "ganuda-heartbeat")


def test_five_services_restart_each_with_its_time(lab: Lab) -> None:
    done = lab.run("service-stack-restart", "--set", "pause_s=1")
    assert done.code == 0, str(done)
    assert (done.result["effect_proven"], done.result["revert_proven"]) == (True, True)
    evidence = " ".join(event["evidence"] for event in done.events if event["event"] == "effect")
    for service in SERVICES:
        assert service in evidence
    met = {event["id"]: event["after_s"] for event in done.events if event["event"] == "expectation"}
    assert len([after_s for after_s in met.values() if after_s is not None]) >= len(SERVICES)
