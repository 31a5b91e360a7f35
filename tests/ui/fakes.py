"""A session and a run that live in memory: what the screens are tested against."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from console import events as ev
from console.errors import BadInput, GamedayError
from console.faults.base import Scripts
from console.faults.connection_flood import ConnectionFlood
from console.faults.process_signal import ProcessSignal
from console.plan.inventory import Approvals, Database, Inventory, Node, Service
from console.plan.plan import Plan
from console.plan.probe import ConnectionsProbe, HttpProbe, ServiceProbe, SqlProbe
from console.plan.resolve import resolve
from console.plan.scenario import Action, Expectation, Scenario, SteadyState
from console.plot.series import Point
from console.run.pass_rate import Progress, Trial
from console.run.readiness import Readiness
from console.run.suite import Entry
from console.state import RunState, fold_all
from console.terms import Category, Outcome, Phase, Reason, Risk, Status
from console.tui.ports.run import Verdict
from tests.ui import recordings
from tests.ui.modes import FakeModes
from tests.ui.recordings import START_S

Changed = Callable[[], None]


@dataclass(frozen=True)
class FakeService:
    active: str = "active"
    restarts: int | None = 0


@dataclass(frozen=True)
class FakeSample:
    at_s: float
    cpu_pct: float | None = 31.0
    memory_used_bytes: int | None = 9_400_000_000
    memory_total_bytes: int | None = 16_000_000_000
    disks: Mapping[str, tuple[int, int]] = field(default_factory=lambda: {"/": (212_000_000_000, 480_000_000_000)})
    services: Mapping[str, FakeService] = field(default_factory=dict)


@dataclass(frozen=True)
class FakeNode:
    name: str
    spec: Node
    up: bool = True
    why: str = ""
    seen_at_s: float | None = START_S
    sample: FakeSample | None = None
    history: Mapping[str, Sequence[Point]] = field(default_factory=dict)
    connections: tuple[int, int] | None = None
    connections_at_s: float | None = None
    trace: str = ""
    lease_left_s: float | None = None

    def lease_left_at(self, now_s: float) -> float | None:
        """As it was told."""
        return self.lease_left_s


@dataclass(frozen=True)
class FakeExperiment:
    scenario: Scenario
    problem: str = ""
    needs: Sequence[Readiness] = ()
    approval: str = "none"
    last: str = ""
    runbook: str = (
        "# When the gateway dies\n\n1. Look at `systemctl status llm-gateway`.\n2. If it is `failed`, start it.\n"
    )


@dataclass(frozen=True)
class FakeSummary:
    run: str
    scenario: str
    started_s: float
    outcome: Outcome
    reason: Reason = Reason.NONE
    operator: str = "ada"
    verdict: str = "PASS"
    delivered: bool = True


@dataclass(frozen=True)
class FakeRecording:
    events: Sequence[ev.AnyEvent]
    complaint: str = ""


@dataclass(frozen=True)
class FakeBlocker:
    what: str
    fix: str
    recheck: str


@dataclass(frozen=True)
class FakeDraft:
    verdict: Verdict = "PASS"
    evidence: Sequence[str] = (
        "systemd restarted it by itself after 1.02 s ± 0.02 (limit 5 s)",
        "active (running) after 1.86 s ± 0.02 (limit 30 s)",
        "/health answered 200 after 2.44 s ± 0.02 and stayed so for 10 s (limit 30 s)",
        "effect proven on redfin: pid 4711 is gone",
        "revert proven on bluefin and redfin: no trace",
    )
    issues: Sequence[str] = ("T+6.0 Grafana shows the dip, no alert yet",)
    gaps: Sequence[str] = ()


@dataclass(frozen=True)
class FakeRow:
    hash: str
    content: str
    stage: str = "FRESH"
    temperature: float = 85.0
    sacred: bool = False


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


def ready(node: str) -> Readiness:
    return Readiness(node, Status.PASS, ())


def others() -> list[FakeExperiment]:
    made = []
    for name, title, category, risk, approval, problem, last in (
        (
            "service-stack-restart",
            "Restart the service stack one by one",
            Category.SERVICE,
            Risk.LOW,
            "none",
            "",
            "FAIL",
        ),
        (
            "network-partition",
            "Cut greenfin off from redfin",
            Category.NETWORK,
            Risk.MEDIUM,
            "1 tpm",
            "lacks iptables on greenfin (apt install iptables)",
            "",
        ),
        (
            "disk-fill",
            "Fill /tmp on redfin",
            Category.RESOURCE,
            Risk.MEDIUM,
            "1 tpm",
            "/tmp on redfin is not a disk of its own",
            "",
        ),
        ("postgres-crash", "Crash PostgreSQL", Category.DATABASE, Risk.HIGH, "3 council", "", "PASS"),
        (
            "node-reboot",
            "Reboot a whole node",
            Category.NODE,
            Risk.HIGH,
            "3 council",
            "greenfin has no power_on command",
            "",
        ),
    ):
        scenario = Scenario(
            name=name,
            title=title,
            category=category,
            risk=risk,
            purpose=title,
            hypothesis="it recovers",
            rollback="none",
        )
        made.append(FakeExperiment(scenario, problem, (), approval, last, ""))
    return made


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


class Subject:
    """Something that can be subscribed to."""

    def __init__(self) -> None:
        self.callbacks: list[Changed] = []

    def subscribe(self, callback: Changed) -> Callable[[], None]:
        self.callbacks.append(callback)
        return lambda: self.callbacks.remove(callback)

    def changed(self) -> None:
        for callback in list(self.callbacks):
            callback()


class FakeRun(Subject):
    """A run whose events the test feeds; it writes down each command."""

    def __init__(self, events: Iterable[ev.AnyEvent], plan: Plan | None = None) -> None:
        super().__init__()
        self.plan = plan or plan_for(gateway_scenario())
        self.state: RunState = fold_all(events)
        self.guards: Mapping[str, float | None] = {}
        self.launch_word = self.plan.actions[0].node
        self.blockers: list[FakeBlocker] = []
        self.said: list[tuple[object, ...]] = []
        self.draft = FakeDraft()
        self.problem = ""
        self.progress: Progress | None = None
        self.breaks = ""
        """When set, every command fails with this sentence."""

    @property
    def over(self) -> bool:
        return self.progress.over if self.progress else self.state.ended

    def feed(self, *events: ev.AnyEvent) -> None:
        self.state = fold_all(events, self.state)
        self.changed()

    def _say(self, *words: object) -> None:
        if self.breaks:
            raise GamedayError(self.breaks)
        self.said.append(words)

    def told(self, command: str) -> list[tuple[object, ...]]:
        return [words for words in self.said if words[0] == command]

    async def recheck(self, item: str | None) -> None:
        self._say("recheck", item)
        self.blockers = [blocker for blocker in self.blockers if blocker.recheck != item]
        self.changed()

    async def tick(self, item: str, note: str, status: Status) -> None:
        self._say("tick", item, note, status)
        stage: ev.Stage = "pre" if item in self.state.pre else "post"
        self.feed(
            ev.ItemChecked(
                at_s=self.state.now_s, stage=stage, id=item, status=status, evidence=note, attested=True, by="ada"
            )
        )

    async def attest(self, expectation: str, note: str, status: Status) -> None:
        self._say("attest", expectation, note, status)
        at_s = self.state.now_s
        self.feed(
            ev.ExpectationJudged(at_s=at_s, id=expectation, status=status, observed=note, attested=True, by="ada")
        )

    async def override(self, item: str, reason: str) -> None:
        self._say("override", item, reason)
        self.feed(ev.ItemOverridden(at_s=self.state.now_s, id=item, reason=reason, by="ada"))

    async def accept_approval(self, text: str) -> None:
        self._say("approval", text)

    def approve_line(self) -> str:
        return f"gameday approve ~/.local/state/gameday/{self.plan.run}/plan.json --vote for"

    @property
    def inbox(self) -> str:
        return "/home/ada/.config/gameday/approvals"

    def approvers(self) -> Sequence[str]:
        return ("robin@example", "sam@example")

    def hand_reverts(self) -> Mapping[str, str]:
        return {node.name: recordings.hand_revert(node.name) for node in self.plan.nodes}

    def can_launch(self) -> Sequence[FakeBlocker]:
        items = [
            FakeBlocker(
                f"{item.brief.title}: {item.evidence or 'not told yet'}",
                "tick it with a note, or check it again",
                item.brief.id,
            )
            for item in self.state.blockers(self.state.now_s)
        ]
        return [*items, *self.blockers]

    async def launch(self, typed: str) -> None:
        self._say("launch", typed)
        self.feed(
            ev.Confirmed(at_s=self.state.now_s, by="ada"), ev.PhaseEntered(at_s=self.state.now_s, phase=Phase.ARM)
        )

    def abort_preview(self) -> Sequence[str]:
        held = [name for name, node in self.state.nodes.items() if node.held]
        return [f"{name}: the fault is taken back, in at most 15 s" for name in held] or [
            "No node is armed: the run just ends."
        ]

    async def abort(self, why: str) -> None:
        self._say("abort", why)
        self.feed(ev.AbortRequested(at_s=self.state.now_s, by="ada", why=why))

    async def note(self, words: str) -> None:
        self._say("note", words)
        self.feed(ev.Noted(at_s=self.state.now_s, text=words, by="ada"))

    def writeup_draft(self) -> FakeDraft:
        return self.draft

    def writeup_row(self, verdict: str, note: str, issues: Sequence[str], gaps: Sequence[str]) -> FakeRow:
        content = [
            "CHAOS TEST llm-gateway-kill, run k3n9m2pq, 2026-09-21 13:34 UTC",
            "Tested: process-signal TERM on redfin (llm-gateway)",
            f"Recovery: {verdict}, 2.44 s ± 0.02, restarts 0 to 1",
            *(["Note: " + note] if note else []),
            "Issues found: " + ("; ".join(issues) or "none"),
            "Runbook updates needed: " + ("; ".join(gaps) or "none"),
        ]
        return FakeRow("CHAOS-TEST-LLM-GATEWAY-KILL-202609211334-k3n9m2pq", "\n".join(content))

    async def sign(self, verdict: str, note: str, issues: Sequence[str], gaps: Sequence[str]) -> None:
        self._say("sign", verdict, note, tuple(issues), tuple(gaps))
        self.feed(*recordings.gateway_signed())


TRIAL_SIGNS = {"✓": Outcome.PASSED, "✗": Outcome.FAILED, "○": Outcome.NOT_RUN, "!": Outcome.ABORTED}


def after(signs: str, trials: int = 20, **changes: object) -> Progress:
    """Trials that ended so, 30 s each."""
    done = tuple(
        Trial(n, Entry("llm-gateway-kill", TRIAL_SIGNS[sign], f"k3n9m2pqt{n:02d}"), START_S + 30 * n)
        for n, sign in enumerate(signs, start=1)
    )
    told = Progress("llm-gateway-kill", "k3n9m2pq", "9f2c" * 16, trials, START_S, done=done)
    return msgspec.structs.replace(told, **changes)


def trial_run(progress: Progress, events: list[ev.AnyEvent]) -> FakeRun:
    plan = msgspec.structs.replace(plan_for(gateway_scenario()), trials=progress.trials)
    run = FakeRun(events, plan.of_trial(min(len(progress.done) + 1, progress.trials)))
    run.progress = progress
    return run


def wave(
    base: float, swing: float, *, every_s: float = 2.0, now_s: float = START_S, hole: tuple[float, float] = (0, 0)
) -> tuple[Point, ...]:
    """Two minutes of a trend; nothing was seen between `hole` seconds ago."""
    points = []
    for step in range(60, -1, -1):
        ago_s = step * every_s
        if not hole[1] < ago_s < hole[0]:
            points.append((now_s - ago_s, base + swing * math.sin(ago_s / 9) + swing / 3 * math.sin(ago_s / 2.3)))
    return tuple(points)


class FakeSession(Subject):
    """The fleet of the practice lab, with a clock that stands still until a test moves it."""

    def __init__(self, tmp: Path, *, read_only: bool = False, now_s: float = START_S) -> None:
        super().__init__()
        self.inventory = inventory()
        self.read_only = read_only
        self.now_s = now_s
        self.outbox_count = 0
        self.log: Sequence[str] = ()
        self.copy_file = tmp / "copied.txt"
        self.run = FakeRun([recordings.gateway_started(), *recordings.gateway_checklist()])
        self.modes = FakeModes(lambda: self.run)
        self.prepared: list[str] = []
        self.past: list[FakeSummary] = [
            FakeSummary("k3n9m2pq", "llm-gateway-kill", START_S - 3600, Outcome.PASSED),
            FakeSummary(
                "b8t5n3wd",
                "service-stack-restart",
                START_S - 86_400,
                Outcome.FAILED,
                Reason.EXPECTATION,
                verdict="FAIL",
            ),
            FakeSummary(
                "p4r6y2vz",
                "llm-gateway-kill",
                START_S - 90_000,
                Outcome.ABORTED,
                Reason.INTERRUPTED,
                verdict="",
                delivered=False,
            ),
        ]
        self.journal: Sequence[ev.AnyEvent] = recordings.gateway_passed()
        self.fleet: dict[str, FakeNode] = {name: self._node(name, spec) for name, spec in self.inventory.nodes.items()}
        self._experiments = [
            FakeExperiment(gateway_scenario(), needs=(ready("bluefin"), ready("redfin")), last="PASS"),
            FakeExperiment(flood_scenario(), needs=(ready("bluefin"),), approval="1 tpm"),
            *others(),
        ]

    def _node(self, name: str, spec: Node) -> FakeNode:
        services = {service: FakeService() for service in spec.services}
        base = {"redfin": 31.0, "bluefin": 12.0, "greenfin": 6.0}[name]
        history = {
            "cpu_pct": wave(base, base / 2, now_s=self.now_s),
            "memory_used_pct": wave(base + 25, 3, now_s=self.now_s, hole=(60, 40)),
        }
        database = name == "bluefin"
        if database:
            history["connections"] = wave(12, 3, now_s=self.now_s)
        return FakeNode(
            name,
            spec,
            seen_at_s=self.now_s,
            history=history,
            sample=FakeSample(
                self.now_s,
                cpu_pct=base,
                services=services,
                disks=dict.fromkeys(spec.disks, (212000000000, 480000000000)),
            ),
            connections=(12, 60) if database else None,
            connections_at_s=self.now_s if database else None,
        )

    def see_all(self) -> None:
        """Every node was seen just now."""
        self.fleet = {name: replace(node, seen_at_s=self.now_s) for name, node in self.fleet.items()}

    def set_node(self, name: str, **changes: object) -> None:
        self.fleet[name] = replace(self.fleet[name], **changes)  # type: ignore[arg-type]
        self.changed()

    def set_experiment(self, name: str, **changes: object) -> None:
        self._experiments = [
            replace(e, **changes) if e.scenario.name == name else e  # type: ignore[arg-type]
            for e in self._experiments
        ]

    def clock(self) -> float:
        return self.now_s

    def experiments(self) -> Sequence[FakeExperiment]:
        return self._experiments

    def preview(self, name: str, overrides: dict[str, str]) -> Plan:
        experiment = next(e for e in self._experiments if e.scenario.name == name)
        if "signal" in overrides and overrides["signal"] not in ("TERM", "KILL"):
            raise BadInput(f"'signal' cannot be '{overrides['signal']}': it must be one of TERM, KILL")
        return msgspec.structs.replace(plan_for(experiment.scenario), trials=int(overrides.get("trials", "1")))

    async def prepare(self, name: str, overrides: dict[str, str]) -> FakeRun:
        self.prepared.append(name)
        return self.run

    def runs(self) -> Sequence[FakeSummary]:
        return self.past

    def load_run(self, run: str) -> FakeRecording:
        return FakeRecording(self.journal)
