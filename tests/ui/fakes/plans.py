"""The practice inventory, two scenarios on it and their plans."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from console.faults.base import Scripts
from console.faults.connection_flood import ConnectionFlood
from console.faults.process_signal import ProcessSignal
from console.plan.inventory import Approvals, Database, Inventory, Node, Service
from console.plan.plan import Plan
from console.plan.probe import ConnectionsProbe, HttpProbe, ServiceProbe, SqlProbe
from console.plan.resolve import resolve
from console.plan.scenario import Action, Expectation, Scenario, SteadyState
from console.terms import Category, Risk
from tests.ui.recordings import START_S


def inventory() -> Inventory:
    return Inventory(
        version=1,
        name="practice",
        nodes={
            "redfin": Node(
                address="127.0.0.1",
                port=2201,
                user="lab",
                disks=("/", "/tmp"),
                services={
                    "llm-gateway": Service(
                        "llm-gateway.service",
                        "critical",
                        process="uvicorn gateway:app",
                        health="http://127.0.0.1:8080/health",
                    ),
                    "vllm": Service("vllm.service", "critical", "manual", label="stand-in"),
                    "sag-ui": Service("sag-ui.service", "high", "manual"),
                    **{
                        n: Service(f"{n}.service")
                        for n in ("it-triad", "executive-jr-autonomic", "memory-jr-autonomic", "ganuda-heartbeat")
                    },
                },
            ),
            "bluefin": Node(
                address="127.0.0.1",
                port=2202,
                user="lab",
                services={
                    "postgresql": Service("postgresql@15-main.service", "critical"),
                    "grafana-server": Service("grafana-server.service", "high", label="stand-in"),
                },
            ),
            "greenfin": Node(
                address="127.0.0.1",
                port=2203,
                user="lab",
                services={"greenfin-heartbeat": Service("greenfin-heartbeat.service")},
            ),
        },
        databases={"thermal": Database(node="bluefin", dbname="thermal", user="gameday", service="postgresql")},
        approvals=Approvals(inbox="approvals"),
    )


def gateway_scenario() -> Scenario:
    return Scenario(
        name="llm-gateway-kill",
        title="Kill the LLM gateway",
        category=Category.SERVICE,
        risk=Risk.LOW,
        purpose="Show that the gateway comes back by itself when its process dies, and how long users are without it.",
        hypothesis="systemd restarts the gateway within 5 s, and /health answers 200 within 30 s and stays so.",
        rollback="Nothing is changed. If the gateway stays down, the console starts it after the verdict.",
        runbook="runbooks/llm-gateway.md",
        method=(Action(node="redfin", fault=ProcessSignal(), service="llm-gateway"),),
        steady_state=(
            SteadyState("gateway-healthy", "the gateway answers 200", HttpProbe("redfin", "llm-gateway")),
            SteadyState("db-answers", "the database answers", SqlProbe("thermal")),
        ),
        expectations=(
            Expectation(
                "restart", "systemd restarts it by itself", ServiceProbe("redfin", "llm-gateway", "auto-restarted"), 5.0
            ),
            Expectation("active", "the unit is active (running) again", ServiceProbe("redfin", "llm-gateway"), 30.0),
            Expectation(
                "health",
                "/health answers 200 and stays so for 10 s",
                HttpProbe("redfin", "llm-gateway"),
                30.0,
                10.0,
                recovery=True,
            ),
        ),
    )


def flood_scenario() -> Scenario:
    return Scenario(
        name="pg-connection-exhaustion",
        title="Exhaust the database's connections",
        category=Category.DATABASE,
        risk=Risk.MEDIUM,
        purpose="Show what happens when PostgreSQL runs out of connections, and that it recovers.",
        hypothesis="New connections are refused with a clear text; all falls back after the release.",
        rollback="The held connections are closed.",
        method=(Action(node="bluefin", fault=ConnectionFlood(connections="limit"), database="thermal"),),
        expectations=(
            Expectation("at-limit", "the count rises to the limit", ConnectionsProbe("thermal", "at-limit"), 10.0),
            Expectation("refused", "new connections are refused", ConnectionsProbe("thermal", "refused"), 15.0),
            Expectation("query", "a normal query works", SqlProbe("thermal"), 10.0, after="revert"),
        ),
    )


SCRIPTS = Scripts(
    inject="set -eu\n# find the process of the service, never our own shell\n"
    "pid=$(systemctl show -p MainPID --value llm-gateway.service)\n"
    'grep -q "uvicorn" "/proc/$pid/cmdline"\necho "$pid" >"$GAMEDAY_DIR/pid"\nkill -TERM "$pid"\n',
    effect='set -eu\nread -r pid <"$GAMEDAY_DIR/pid"\n'
    'if [ -d "/proc/$pid" ]; then echo "pid $pid still runs"; exit 1; fi\necho "pid $pid is gone"\n',
    revert="set -eu\n# a blow has nothing to take back\n:\n",
    clean="set -eu\n:\n",
)


def plan_for(scenario: Scenario) -> Plan:
    """The plan with fixed scripts: pictures of screens must not change with the real ones."""
    plan = resolve(
        scenario, inventory(), operator="ada", run="k3n9m2pq", created=datetime.fromtimestamp(START_S, tz=UTC)
    )
    radius = "The gateway on redfin answers nothing until it is back; requests in flight are lost."
    actions = tuple(msgspec.structs.replace(action, scripts=SCRIPTS, blast_radius=radius) for action in plan.actions)
    return msgspec.structs.replace(plan, actions=actions)
