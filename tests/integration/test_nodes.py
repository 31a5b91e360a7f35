"""Reaching nodes and sampling them, against a real SSH endpoint."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from console.errors import NodeUnreachable
from console.nodes.sampler import NodeSample, samples
from console.nodes.ssh import SshNode
from console.plan.inventory import Service
from tests.integration.endpoint import Endpoint, endpoint
from tests.integration.guarding import eventually


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with endpoint(tmp_path) as made:
        yield made


@pytest.fixture
async def node(site: Endpoint) -> AsyncIterator[SshNode]:
    made = SshNode("redfin", site.spec())
    yield made
    await made.close()


async def refusal(node: SshNode) -> str:
    with pytest.raises(NodeUnreachable) as caught:
        await node.connect()
    assert not node.up
    return str(caught.value)


async def test_a_command_gives_status_output_and_errors(node: SshNode) -> None:
    done = await node.run("cat; echo oops >&2; exit 3", input="words")
    assert (done.exit_status, done.stdout, done.stderr) == (3, "words", "oops\n")
    assert node.up
    assert node.why == ""
    assert node.seen_at_s
    assert abs(time.time() - node.seen_at_s) < 5


async def test_output_that_is_no_text_is_replaced_not_refused(node: SshNode) -> None:
    assert (await node.run(r"printf 'a\377b'")).stdout == "a\ufffdb"


async def test_a_command_that_does_not_read_its_input_still_tells_its_status(node: SshNode) -> None:
    assert (await node.run("exit 4", input="x" * 500_000)).exit_status == 4


async def test_callers_at_once_share_one_connection(site: Endpoint, node: SshNode) -> None:
    said = await asyncio.gather(*(node.run(f"echo {number} $SSH_CLIENT; sleep 0.05") for number in range(12)))
    assert [one.stdout.strip() for one in said] == [str(number) for number in range(12)]
    assert site.connections == 1


async def test_a_command_that_takes_too_long_is_given_up(node: SshNode) -> None:
    with pytest.raises(
        NodeUnreachable, match=r"^redfin \(gameday@127.0.0.1:\d+\): no answer within 0.2 s to `sleep 5`$"
    ):
        await node.run("sleep 5", timeout_s=0.2)
    assert (await node.run("echo still up")).stdout == "still up\n"


async def test_a_cancelled_command_leaves_the_connection_usable(site: Endpoint, node: SshNode) -> None:
    await node.connect()
    task = asyncio.create_task(node.run("sleep 5"))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await node.run("true")).exit_status == 0
    assert site.connections == 1


async def test_a_caller_that_gives_up_does_not_take_the_attempt_from_the_others(node: SshNode) -> None:
    hasty, patient = asyncio.create_task(node.connect()), asyncio.create_task(node.run("echo here"))
    await asyncio.sleep(0)
    hasty.cancel()
    assert (await patient).stdout == "here\n"


async def test_sudo_is_asked_only_where_the_inventory_says_so(
    site: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sudo").write_text('#!/bin/sh\n[ "$1" = -n ] && shift && echo by sudo && exec "$@"\n')
    (tmp_path / "bin" / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    for sudo, said in ((True, "by sudo\nhere\n"), (False, "here\n")):
        node = SshNode("redfin", site.spec(sudo=sudo))
        assert (await node.run("echo here", sudo=True)).stdout == said
        await node.close()


async def test_an_unknown_host_key_is_refused(site: Endpoint, tmp_path: Path, node: SshNode) -> None:
    (tmp_path / "known_hosts").write_text("")
    assert "host key not trusted" in await refusal(node)


async def test_a_changed_host_key_is_refused(tmp_path: Path, node: SshNode) -> None:
    known = (tmp_path / "known_hosts").read_text().split()
    other = (tmp_path / "authorized").read_text().split()
    (tmp_path / "known_hosts").write_text(" ".join([known[0], *other[:2]]) + "\n")
    assert "host key not trusted" in await refusal(node)


async def test_a_key_that_is_not_authorized_is_refused(tmp_path: Path, site: Endpoint) -> None:
    node = SshNode("redfin", site.spec(identity=str(tmp_path / "host_key")))
    said = await refusal(node)
    assert said.startswith(f"redfin (gameday@127.0.0.1:{site.port}): permission denied")


async def test_a_missing_key_file_is_said(site: Endpoint) -> None:
    assert "No such file" in await refusal(SshNode("redfin", site.spec(identity="/nonexistent/key")))


async def test_a_node_that_is_off_comes_back_by_itself(site: Endpoint, node: SshNode) -> None:
    await node.connect()
    await site.stop()
    await eventually(lambda: not node.up, 5)
    assert "connection refused" in await refusal(node)
    await site.start()
    assert (await node.run("echo back", timeout_s=10)).stdout == "back\n"


async def test_a_stream_is_a_conversation(node: SshNode) -> None:
    stream = await node.stream("while read -r word; do echo got $word; done; exit 5")
    lines = aiter(stream)
    for word in ("one", "two"):
        await stream.write(f"{word}\n")
        assert await anext(lines) == f"got {word}"
    await stream.close()


async def test_a_stream_that_ends_tells_its_status(node: SshNode) -> None:
    stream = await node.stream("echo last; exit 5")
    assert [line async for line in stream] == ["last"]
    assert await stream.wait() == 5


async def test_a_cut_link_ends_a_stream_with_its_cause(site: Endpoint, node: SshNode) -> None:
    stream = await node.stream("echo first; cat")
    lines = aiter(stream)
    assert await anext(lines) == "first"
    site.cut()
    with pytest.raises(NodeUnreachable, match="not responding to keepalive"):
        await asyncio.wait_for(anext(lines), 20)
    assert not node.up


async def test_a_jump_host_is_gone_through(site: Endpoint, tmp_path: Path) -> None:
    assert site.acceptor
    inner = site.acceptor.get_port()
    host_key = (tmp_path / "known_hosts").read_text().split(" ", 1)[1]
    with (tmp_path / "known_hosts").open("a") as known:
        known.write(f"\n[localhost]:{inner} {host_key}")
    node = SshNode("behind", site.spec(address="localhost", port=inner, jump=f"gameday@127.0.0.1:{site.port}"))
    assert (await node.run("echo through")).stdout == "through\n"
    await node.close()


async def test_a_tunnel_stands_again_on_the_same_port_after_a_reconnect(site: Endpoint, node: SshNode) -> None:
    server = await asyncio.start_server(lambda _, writer: _greet(writer), "127.0.0.1", 0)
    target = server.sockets[0].getsockname()[1]
    port = await node.forward("127.0.0.1", target)
    assert await node.forward("127.0.0.1", target) == port
    assert await _hear(port) == b"hello"
    await site.stop()
    await eventually(lambda: not node.up, 5)
    await site.start()
    await node.run("true")
    assert await _hear(port) == b"hello"
    server.close()
    await server.wait_closed()


async def _greet(writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")
    writer.close()


async def _hear(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return said


SYSTEMCTL = """\
#!/bin/sh
[ "$1 $2" = "show -p" ] && [ "$4" = -- ] && shift 4 || exit 1
for unit in "$@"; do
    printf 'NRestarts=2\\nActiveState=active\\nSubState=running\\nMainPID=17\\nInvocationID=%s\\n\\n' "$unit"
done
"""


@pytest.fixture
async def sampled(site: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SshNode]:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "systemctl").write_text(SYSTEMCTL)
    (tmp_path / "bin" / "systemctl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    services = {"gateway": Service(unit="gw.service"), "database": Service(unit="pg.service")}
    made = SshNode("redfin", site.spec(disks=("/", "/nonexistent"), services=services))
    yield made
    await made.close()


async def first_samples(node: SshNode, count: int) -> list[NodeSample]:
    seen: list[NodeSample] = []
    async with contextlib.aclosing(samples(node, every_s=0.2, lease_s=3)) as stream:
        async for sample in stream:
            seen.append(sample)
            if len(seen) == count:
                break
    return seen


async def test_a_sample_holds_what_the_node_shows(sampled: SshNode) -> None:
    first, *_, last = await first_samples(sampled, 6)
    assert first.cpu_pct is None
    assert last.cpu_pct is not None
    assert 0 <= last.cpu_pct <= 100
    assert last.memory_used_bytes
    assert last.memory_total_bytes
    assert 0 < last.memory_used_bytes < last.memory_total_bytes
    assert last.swap_used_bytes is not None
    assert last.swap_total_bytes is not None
    assert 0 <= last.swap_used_bytes <= last.swap_total_bytes
    space = os.statvfs("/")
    assert list(last.disks) == ["/"]
    assert last.disks["/"][1] == space.f_blocks * space.f_frsize
    assert {name: service.invocation for name, service in last.services.items()} == {
        "gateway": "gw.service",
        "database": "pg.service",
    }
    assert last.services["gateway"].restarts == 2


async def test_samples_pause_while_the_node_is_away_and_go_on_after(site: Endpoint, sampled: SshNode) -> None:
    seen: list[NodeSample] = []

    async def collect() -> None:
        async for sample in samples(sampled, every_s=0.1, lease_s=3):
            seen.append(sample)  # noqa: PERF401 - one by one, as they come

    collecting = asyncio.create_task(collect())
    await eventually(lambda: len(seen) >= 2, 10)
    await site.stop()
    await eventually(lambda: not sampled.up, 5)
    before = len(seen)
    await asyncio.sleep(0.5)
    assert len(seen) == before
    assert not collecting.done()
    await site.start()
    await eventually(lambda: len(seen) >= before + 2, 10)
    collecting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await collecting


def programs_of(folder: Path) -> int:
    """How many processes of the sampler's program run on the endpoint in `folder`."""
    mark = f"PATH={folder}/bin:".encode()
    found = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                found += mark in (entry / "environ").read_bytes()
    return found


async def test_the_program_on_the_node_ends_when_it_hears_nothing(
    site: Endpoint, sampled: SshNode, tmp_path: Path
) -> None:
    await first_samples(sampled, 2)
    collecting = asyncio.create_task(first_samples(sampled, 10**6))
    await eventually(lambda: programs_of(tmp_path) >= 2, 5)
    site.cut()
    await eventually(lambda: programs_of(tmp_path) == 0, 3 + 1 + 2)
    collecting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await collecting


async def test_a_service_that_changes_is_seen_within_about_a_second(sampled: SshNode, tmp_path: Path) -> None:
    shim = tmp_path / "bin" / "systemctl"
    async with contextlib.aclosing(samples(sampled, every_s=60)) as stream:
        while not (sample := await anext(stream)).services:
            pass
        assert sample.services["gateway"].restarts == 2
        shim.write_text(SYSTEMCTL.replace("NRestarts=2", "NRestarts=3"))
        sample = await asyncio.wait_for(anext(stream), 5)
        assert sample.services["gateway"].restarts == 3


async def test_a_mount_that_hangs_holds_nothing_else_up(
    sampled: SshNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin" / "df").write_text('#!/bin/sh\n[ "$2" = / ] || sleep 60\nexec /bin/df "$@"\n')
    (tmp_path / "bin" / "df").chmod(0o755)
    *_, last = await first_samples(sampled, 6)
    assert list(last.disks) == ["/"]
    assert set(last.services) == {"gateway", "database"}


async def test_a_program_that_falls_silent_is_started_again(sampled: SshNode, tmp_path: Path) -> None:
    (tmp_path / "bin" / "sleep").write_text(
        f"#!/bin/sh\n[ -e {tmp_path}/go ] && exec /bin/sleep $1\nexec /bin/sleep 60\n"
    )
    (tmp_path / "bin" / "sleep").chmod(0o755)
    async with contextlib.aclosing(samples(sampled, every_s=0.2, lease_s=1)) as stream:
        await anext(stream)
        await anext(stream)
        (tmp_path / "go").touch()
        for _ in range(5):
            await asyncio.wait_for(anext(stream), 10)


async def test_nothing_runs_on_the_node_once_sampling_ends(sampled: SshNode, tmp_path: Path) -> None:
    await first_samples(sampled, 3)
    await eventually(lambda: programs_of(tmp_path) == 0, 3)
