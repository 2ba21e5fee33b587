"""The forward to the API server: what goes in comes out, on loopback and without a namespace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import process
from harness.lab import forward, traces
from harness.lab.network import LabNetwork
from harness.wait import WaitTimeout
from tests.fake_site import still_clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence

    Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

SECONDS = 30.0
MEBIBYTE = 2**20


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(forward.CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    writer.close()


async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"bye")
    writer.close()


@contextlib.asynccontextmanager
async def forwarded(port: int) -> AsyncIterator[int]:
    """Serve a forward to a port of this host; its own port is given."""
    with socket.socket() as listener:
        listener.bind((forward.HOST, 0))
        listener.listen()
        task = asyncio.create_task(forward.serve(listener, forward.HOST, port))
        try:
            yield listener.getsockname()[1]
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@contextlib.asynccontextmanager
async def forwarded_to(handler: Handler) -> AsyncIterator[int]:
    server = await asyncio.start_server(handler, forward.HOST, 0)
    async with server, forwarded(server.sockets[0].getsockname()[1]) as port:
        yield port


def run(work: Awaitable[None]) -> None:
    async def limited() -> None:
        await asyncio.wait_for(work, SECONDS)

    asyncio.run(limited())


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def test_what_goes_in_comes_out_in_both_directions() -> None:
    async def work() -> None:
        async with forwarded_to(echo) as port:
            reader, writer = await asyncio.open_connection(forward.HOST, port)
            for words in (b"hello", b"again"):
                writer.write(words)
                assert await reader.readexactly(len(words)) == words
            await closed(writer)

    run(work())


def test_more_than_any_buffer_holds_is_passed_on_whole() -> None:
    sent = bytes(range(256)) * (4 * MEBIBYTE // 256)

    async def work() -> None:
        async with forwarded_to(echo) as port:
            reader, writer = await asyncio.open_connection(forward.HOST, port)

            async def send() -> None:
                writer.write(sent)
                await writer.drain()

            _, got = await asyncio.gather(send(), reader.readexactly(len(sent)))
            assert got == sent
            await closed(writer)

    run(work())


def test_connections_do_not_wait_for_each_other() -> None:
    async def work() -> None:
        async with forwarded_to(echo) as port:
            idle = await asyncio.open_connection(forward.HOST, port)
            reader, writer = await asyncio.open_connection(forward.HOST, port)
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            await closed(writer)
            await closed(idle[1])

    run(work())


def test_a_server_that_hangs_up_hangs_up_here_after_its_last_words() -> None:
    async def work() -> None:
        async with forwarded_to(hang_up) as port:
            reader, writer = await asyncio.open_connection(forward.HOST, port)
            assert await reader.read() == b"bye"
            await closed(writer)

    run(work())


def test_a_client_that_leaves_is_seen_by_the_server() -> None:
    left = asyncio.Event()

    async def see(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        left.set()
        writer.close()

    async def work() -> None:
        async with forwarded_to(see) as port:
            _, writer = await asyncio.open_connection(forward.HOST, port)
            await closed(writer)
            await left.wait()

    run(work())


def test_a_server_that_is_not_there_closes_the_connection_and_not_the_forward() -> None:
    async def work() -> None:
        # Bound and not listening: it refuses, and nobody else gets the port meanwhile.
        with socket.socket() as nobody:
            nobody.bind((forward.HOST, 0))
            async with forwarded(nobody.getsockname()[1]) as port:
                for _ in range(2):
                    reader, writer = await asyncio.open_connection(forward.HOST, port)
                    assert await reader.read() == b""
                    await closed(writer)

    run(work())


class Namespace(LabNetwork):
    """A namespace that has the processes that it is told of."""

    def __init__(self) -> None:
        super().__init__("a", "192.168.2.1/24", Path("/nowhere/clusters/a"))
        self.pids: list[int] = []

    def processes(self) -> list[int]:
        return self.pids


class Starter:
    """Starts nothing and says so; what it starts comes up in the namespace, or does not."""

    def __init__(self, namespace: Namespace, *, comes_up: bool = True) -> None:
        self.namespace = namespace
        self.comes_up = comes_up
        self.argvs: list[list[str]] = []
        self.listener: socket.socket | None = None

    def __call__(self, argv: Sequence[str], *, log: Path) -> int:
        del log
        self.argvs.append(list(argv))
        pid = 4000 + len(self.argvs)
        if self.comes_up:
            self.namespace.pids = [pid]
            self.listener = socket.create_server((forward.HOST, int(argv[3])))
        return pid

    def end(self) -> None:
        """Let what was started end; other processes stay."""
        if self.listener:
            self.listener.close()
        self.namespace.pids = [1]

    @property
    def ports(self) -> list[int]:
        return [int(argv[3]) for argv in self.argvs]


@pytest.fixture
def starter(monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    made = Starter(Namespace())
    monkeypatch.setattr(process, "detach", made)
    yield made
    made.end()


def ensure(starter: Starter, folder: Path) -> int:
    record, log = folder / "forward.json", folder / "forward.log"
    return forward.ensure(starter.namespace, record, log, "192.168.2.200", 6443)


def test_a_forward_is_started_once_and_remembered(starter: Starter, tmp_path: Path) -> None:
    port = ensure(starter, tmp_path)
    assert ensure(starter, tmp_path) == port
    (argv,) = starter.argvs
    assert argv[1:3] == ["-m", "harness.lab.forward"]
    assert argv[3:] == [str(port), str(traces.NAMESPACES / "harness-a"), "192.168.2.200", "6443"]
    assert json.loads((tmp_path / "forward.json").read_text()) == {"pid": 4001, "port": port}


def test_a_forward_that_died_comes_back_on_its_port(starter: Starter, tmp_path: Path) -> None:
    port = ensure(starter, tmp_path)
    starter.end()
    assert ensure(starter, tmp_path) == port
    assert starter.ports == [port, port]


def test_another_process_that_has_its_number_is_not_taken_for_it(
    starter: Starter, tmp_path: Path
) -> None:
    port = ensure(starter, tmp_path)
    (before,) = starter.namespace.pids
    starter.end()
    starter.namespace.pids = [before]
    assert ensure(starter, tmp_path) == port
    assert starter.ports == [port, port]


def test_a_forward_that_does_not_come_up_is_not_remembered(
    starter: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still_clock(monkeypatch)
    starter.comes_up = False
    with pytest.raises(WaitTimeout, match=r"the forward on 127\.0\.0\.1:.*still starting"):
        ensure(starter, tmp_path)
    assert not (tmp_path / "forward.json").exists()


def test_a_forward_listens_here_before_it_moves_into_the_namespace(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[str] = []

    def join(namespace: Path) -> None:
        assert namespace == tmp_path
        with socket.create_connection((forward.HOST, port), timeout=SECONDS):
            seen.append("listens")

    async def serve(listener: socket.socket, address: str, target: int) -> None:
        assert listener.getsockname() == (forward.HOST, port)
        seen.append(f"serves {address}:{target}")

    port = forward._free_port(0)
    monkeypatch.setattr(forward, "join", join)
    monkeypatch.setattr(forward, "serve", serve)
    forward.main(port, tmp_path, "192.168.2.200", 6443)
    assert seen == ["listens", "serves 192.168.2.200:6443"]
