"""Probes as data: one question to a node, service or database each, with its tolerance. `console/probes` asks."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Url = Annotated[str, msgspec.Meta(pattern=r"^(https?://\S+)?$", description="an http or https URL")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]


Answer = Literal["answer", "no-answer"]
"""`no-answer`: nothing at all comes back, while the asking node itself is well; a refusal is an answer."""


class Probe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="probe"):
    """Base of the probes."""


class HttpProbe(Probe, frozen=True, tag="http"):
    """GET the service's health URL (or `url`) beside the service, on its own node; or as another node sees it."""

    node: str
    service: str = ""
    url: Url = ""
    """Empty: the service's `health` of the inventory; filled in by the plan."""
    from_node: str = ""
    """The node that asks; empty: `node` itself. The URL then gets the address by which others reach `node`."""
    expect: Answer = "answer"
    status: Annotated[int, msgspec.Meta(ge=100, le=599)] = 200
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0


class ServiceProbe(Probe, frozen=True, tag="service"):
    """Ask the service manager. `auto-restarted`: NRestarts rose, or activating/auto-restart was seen; `restarted`:
    a new InvocationID and active again; `undisturbed`: active, and never started anew since the baseline."""

    node: str
    service: Text
    state: Literal["active", "auto-restarted", "restarted", "undisturbed"] = "active"
    unit: str = ""
    """Filled in by the plan."""


class SqlProbe(Probe, frozen=True, tag="sql"):
    """A query over a new connection whose first value, as text, equals `expect` (empty: any answer will do)."""

    database: Text
    sql: Text = "select 1"
    expect: str = ""
    unchanged: bool = False
    """The value must be the one that it was at the baseline."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0
    unit: str = ""
    """The database's unit, asked beside a database that does not answer; filled in by the plan."""


class ConnectionsProbe(Probe, frozen=True, tag="connections"):
    """The database's connection count. `below-limit`: a slot is left for an ordinary role; `at-limit`: none is;
    `refused`: a new ordinary connection is turned away for that reason; `fallen-back`: at most the baseline's count
    plus `slack`."""

    database: Text
    state: Literal["below-limit", "at-limit", "refused", "fallen-back"]
    slack: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 3


class WritesProbe(Probe, frozen=True, tag="acknowledged-writes"):
    """The writer of a postgres-crash: it writes again after the crash, and every row that the server had acknowledged
    is there, whole."""

    database: Text
    at_least: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    """So many rows must have been acknowledged since the crash."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    node: str = ""
    """Filled in by the plan, with the writer's folder on that node and its table."""
    folder: str = ""
    table: str = ""


class IntegrityProbe(Probe, frozen=True, tag="integrity"):
    """Every table and index of the database: checked by amcheck where that is installed, else read from end to end."""

    database: Text
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 60.0


class CommandProbe(Probe, frozen=True, tag="command"):
    """A command on a node that must end with `exit_code`."""

    node: str
    command: Text
    exit_code: Annotated[int, msgspec.Meta(ge=0, le=255)] = 0
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0


class PingProbe(Probe, frozen=True, tag="ping"):
    """Ping `peer` three times from `node`: three answers, or none."""

    node: str
    peer: str
    address: str = ""
    """Filled in by the plan."""
    expect: Answer = "answer"


class LoadProbe(Probe, frozen=True, tag="load"):
    """How busy a node's processors are, all of them together, over about a second, in percent."""

    node: str
    at_least_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 0.0
    at_most_pct: Annotated[float, msgspec.Meta(ge=0, le=100)] = 100.0


class BootedProbe(Probe, frozen=True, tag="booted"):
    """Whether the node has booted since the baseline, and the services became active in it, in this order."""

    node: str
    services: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    """Filled in by the plan."""


class AlertProbe(Probe, frozen=True, tag="alert"):
    """An alert of that name, with all these labels, in Alertmanager.

    `firing`: it was not there at the baseline and fires now; one that is silenced or inhibited reaches nobody and does
    not count. `cleared`: it fired in this run and is gone, silenced and inhibited ones counted as still there.
    """

    alert: Annotated[str, msgspec.Meta(pattern=r'^[^"\\\n]{1,200}$', description="an alert's name")]
    labels: dict[str, str] = {}
    state: Literal["firing", "cleared"] = "firing"
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    alertmanager: Url = ""
    """The inventory's `monitoring`, filled in by the plan; empty: there is none, and nothing is asked."""
    node: str = ""
    """The node from which it is asked, filled in by the plan; empty: the console."""
    stand_in: bool = False
    """Whether what is asked only stands in for an Alertmanager; filled in by the plan."""

    @property
    def witness(self) -> str:
        """What it is called."""
        return "the stand-in for Alertmanager" if self.stand_in else "Alertmanager"


class FilesystemProbe(Probe, frozen=True, tag="filesystem"):
    """How full the file system of a path is, in per cent as `df` tells it. `risen`: by `points` since the baseline;
    `at-level`: at least `percent`; `fallen-back`: at most the baseline's use and `slack`."""

    node: str
    state: Literal["risen", "at-level", "fallen-back"]
    path: Annotated[str, msgspec.Meta(max_length=1000, pattern=r"^(/[^\n]*)?$", description="an absolute path")] = ""
    """Empty: what the scenario's disk-fill or store-disk-full fills on that node; filled in by the plan."""
    points: Annotated[float, msgspec.Meta(gt=0, le=100)] = 5.0
    percent: Annotated[float, msgspec.Meta(gt=0, le=100)] = 90.0
    slack: Annotated[float, msgspec.Meta(ge=0, le=100)] = 2.0


class MemoryProbe(Probe, frozen=True, tag="memory"):
    """How much of a node's memory is in use, in per cent of what it has. `risen`: by `points` since the baseline;
    `fallen-back`: at most the baseline's use and `slack`."""

    node: str
    state: Literal["risen", "fallen-back"]
    points: Annotated[float, msgspec.Meta(gt=0, le=100)] = 50.0
    slack: Annotated[float, msgspec.Meta(ge=0, le=100)] = 5.0


class StoreProbe(Probe, frozen=True, tag="store"):
    """A store of the inventory, by numbered records that are written beside it through the whole run.

    `writes`: one that is asked for from now on is acknowledged. `refuses`: it is answered with an error whose text
    matches `says`, and none is left without an answer meanwhile. `reads`: one that was acknowledged is read now, and is
    what was written. `whole`: all that was acknowledged is. `classed`: every refusal says whether it is recoverable.
    """

    store: Text
    state: Literal["writes", "refuses", "reads", "whole", "classed"]
    says: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    """A regular expression that is found in a refusal's text, for `refuses`."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    """A single answer that takes longer is none: the store hangs."""
    node: str = ""
    """Filled in by the plan, as are all the others here: where and how it is asked, and whose the records are."""
    url: str = ""
    command: tuple[str, ...] = ()
    can_delete: bool = True
    run: str = ""


class MetricProbe(Probe, frozen=True, tag="metric"):
    """A number that a service shows to Prometheus; a name without labels means all its series added up.

    `at-least`, `at-most`: `value`. `risen`: by `value` or more since the baseline. `restored`: at least the baseline's.
    `steady`: by no more than `value` since the question before.
    """

    node: str
    service: Text
    metric: Annotated[str, msgspec.Meta(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^{}\n]*\})?$", description="a metric")]
    state: Literal["at-least", "at-most", "risen", "restored", "steady"]
    value: float = 0.0
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 3.0
    url: Url = ""
    """The service's `metrics` of the inventory, filled in by the plan."""


class ProcessProbe(Probe, frozen=True, tag="process"):
    """A service's main process, beside what it was at the baseline. `same`: it is that one. `fallen-back`: and its open
    files and its memory are within `slack_pct` of the baseline's, or two files and `slack_mb` above."""

    node: str
    service: Text
    state: Literal["same", "fallen-back"]
    slack_pct: Annotated[float, msgspec.Meta(ge=0, le=1000)] = 10.0
    slack_mb: Annotated[float, msgspec.Meta(ge=0, le=100_000)] = 0.0
    """For a service that may have been started just before: its buffers and pools are not filled yet."""
    unit: str = ""
    """Filled in by the plan."""


class ComponentProbe(Probe, frozen=True, tag="component"):
    """The processes of a service's component. `replaced`: as many as at the baseline, one of them new; `present`: one
    at least. Either way under the same main process."""

    node: str
    service: Text
    component: Text
    state: Literal["present", "replaced"] = "present"
    unit: str = ""
    """Filled in by the plan, with what their command lines contain."""
    process: str = ""


class SecondOpenerProbe(Probe, frozen=True, tag="second-opener"):
    """What became of the process that a store-second-opener started: it has ended by itself, not with exit 0, and said
    why."""

    store: Text
    says: Annotated[str, msgspec.Meta(max_length=2000)] = "LOCKED"
    """A regular expression that is found in what it said."""
    within_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    """It ended so soon, in seconds."""
    node: str = ""
    """Filled in by the plan, with the fault's folder on that node."""
    folder: str = ""


AnyProbe = (
    HttpProbe
    | ServiceProbe
    | SqlProbe
    | ConnectionsProbe
    | WritesProbe
    | IntegrityProbe
    | CommandProbe
    | PingProbe
    | LoadProbe
    | BootedProbe
    | AlertProbe
    | FilesystemProbe
    | MemoryProbe
    | StoreProbe
    | MetricProbe
    | ComponentProbe
    | ProcessProbe
    | SecondOpenerProbe
)


def alert_words(probe: AlertProbe) -> str:
    """The alert as Prometheus writes it.

    >>> alert_words(AlertProbe(alert="NodeUnreachable", labels={"node": "redfin"}))
    'NodeUnreachable{node="redfin"}'
    """
    labels = ", ".join(f'{name}="{value}"' for name, value in sorted(probe.labels.items()))
    return probe.alert + (f"{{{labels}}}" if labels else "")
