"""What runs where in the embedded lab: three nodes and their services, as data."""

from __future__ import annotations

from dataclasses import dataclass, field

SSH_USER = "gameday"


@dataclass(frozen=True)
class LabService:
    """A service of the lab; `module` is its program under console/lab/services, empty where it is another one."""

    name: str
    module: str = ""
    description: str = ""
    criticality: str = "normal"
    recovery: str = "automatic"
    restart: str = "always"
    restart_s: float = 1.0
    health: str = ""
    """The path that answers 200 on the service's own port; empty: it listens on none."""
    process: str = ""
    label: str = ""
    port: int = 0
    """Where it listens on a node that has a network of its own; 0: nowhere."""
    environment: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    """What `module` is started with."""
    inner_ports: dict[str, int] = field(default_factory=dict)
    """Where else it listens, on its node's loopback; by the names of lab ports."""
    metrics: str = ""
    """The path of its counters; empty: it has none."""
    workers: str = ""
    """What the command line of its worker processes contains."""
    dev: str = ""
    """The path of what it offers in development only."""
    store: str = ""
    """The path under which it serves its records; empty: it is no store. Its files are on a small disk of its own."""
    preload: bool = False
    """Whether it is started with libfiu's preload, where that is, so that its system calls can be made to fail."""

    @property
    def unit(self) -> str:
        """The unit's full name."""
        return f"{self.name}.service"


@dataclass(frozen=True)
class LabNode:
    """A node of the lab."""

    name: str
    services: tuple[LabService, ...]


FLEET: tuple[LabNode, ...] = (
    LabNode(
        "redfin",
        (
            LabService(
                "llm-gateway",
                description="Gateway to the language models",
                criticality="critical",
                # Long enough for people to see it gone, far below the 5 s in which the restart has to be noticed.
                restart_s=2.0,
                health="/health",
                port=8080,
                process="uvicorn gateway:app",
                environment={"GATEWAY_MODE": "ok"},
            ),
            LabService(
                "vllm",
                "stand_in",
                "Stand-in for the language model server",
                criticality="critical",
                recovery="manual",
                restart="no",
                health="/health",
                port=8000,
                label="stand-in",
            ),
            LabService(
                "sag-ui",
                "stand_in",
                "Stand-in for the operators' web pages",
                criticality="high",
                recovery="manual",
                restart="no",
                health="/health",
                port=4000,
                label="stand-in",
            ),
            LabService("it-triad", "it_triad", "Asks the gateway for its health and notes the answer"),
            LabService("executive-jr-autonomic", "executive_jr", "Works through its queue of tasks"),
            LabService("memory-jr-autonomic", "memory_jr", "Writes a memory to the database and reads it back"),
            LabService("ganuda-heartbeat", "ganuda_heartbeat", "Writes a beat each second"),
        ),
    ),
    LabNode(
        "bluefin",
        (
            LabService(
                "postgresql",
                description="PostgreSQL with the federation's database",
                criticality="critical",
                restart="on-failure",
                port=5432,
            ),
            LabService(
                "grafana-server",
                "stand_in",
                "Stand-in for Grafana",
                criticality="high",
                health="/api/health",
                port=3000,
                label="stand-in",
            ),
            LabService(
                "sigil",
                "stack",
                "A store of records on LevelDB",
                criticality="high",
                health="/health",
                port=7070,
                process="console.lab.services.stack store",
                arguments=("store",),
                metrics="/metrics",
                store="/records",
                preload=True,
            ),
            LabService(
                "lightning",
                "stack",
                "An embedded database, LMDB",
                criticality="high",
                health="/health",
                port=7071,
                process="console.lab.services.stack database",
                arguments=("database",),
                metrics="/metrics",
                store="/records",
                # Else the C library keeps what it once got for the next large record, and asks the kernel no more.
                environment={"MALLOC_MMAP_THRESHOLD_": "131072"},
            ),
            LabService(
                "jobs",
                "stack",
                "A pool of workers, an event bus and an adapter",
                health="/health",
                port=7072,
                process="console.lab.services.stack jobs",
                arguments=("jobs",),
                inner_ports={"jobs-bus": 7073, "jobs-upstream": 7074},
                metrics="/metrics",
                workers="console.lab.services.stack worker",
                dev="/dev",
            ),
        ),
    ),
    LabNode(
        "greenfin", (LabService("greenfin-heartbeat", "greenfin_heartbeat", "Checks redfin's gateway each second"),)
    ),
)


WITNESS_NODE = "greenfin"
WITNESS = LabService(
    "alerts",
    "alert_rules",
    "Stand-in for Prometheus and Alertmanager, with the rules of the example application",
    health="/-/healthy",
    port=9093,
    label="stand-in",
)
"""The embedded lab's own; machines have the real ones."""


def ssh_port_names() -> list[str]:
    """The names of the ports by which the nodes are reached."""
    return [f"ssh.{node.name}" for node in FLEET]


def service_ports() -> dict[str, int]:
    """Where services listen on nodes that have networks of their own, by the service's name."""
    services = [WITNESS, *(service for node in FLEET for service in node.services)]
    return {service.name: service.port for service in services if service.port} | {
        name: port for service in services for name, port in service.inner_ports.items()
    }


def stores(node: LabNode) -> tuple[LabService, ...]:
    """The node's services that are stores."""
    return tuple(service for service in node.services if service.store)


def port_names() -> list[str]:
    """The names of all ports that the lab needs: `ssh.NODE` for each node, else the service's or an inner port's."""
    return [*ssh_port_names(), *service_ports()]
