"""A port on 127.0.0.1 that leads to the API server inside the lab's namespace.

One small process per cluster, started when the first kubeconfig is asked for. It listens
in the host's namespace, then moves into the cluster's, where it connects; so it counts as
one of the namespace's processes, and ends with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process, wait
from harness.files import write_atomically
from harness.lab import traces
from harness.lab.network import join

if TYPE_CHECKING:
    from harness.lab.network import LabNetwork

HOST = "127.0.0.1"
CHUNK_BYTES = 65536
START_SECONDS = 10.0


def ensure(network: LabNetwork, record: Path, log: Path, address: str, port: int) -> int:
    """Return the port of a forward that works; start one if there is none.

    Args:
        network: The cluster's.
        record: File that remembers its process and port, so that the port stays the same.
        log: File for what it prints.
        address: The API server's address inside.
        port: Its port.

    Raises:
        WaitTimeout: If it does not come up.
    """
    known = json.loads(record.read_text()) if record.is_file() else {}
    wanted = int(known.get("port", 0))
    # The same port again where it is still free: kubeconfigs that were handed out name it.
    chosen = _free_port(wanted)
    # Where nobody listens, that process is another one: its host was started again meanwhile.
    if known and chosen != wanted and known["pid"] in network.processes():
        return wanted
    words = [str(chosen), str(traces.NAMESPACES / network.name), address, str(port)]
    pid = process.detach([sys.executable, "-m", __name__, *words], log=log)
    wait.until(
        lambda: None if pid in network.processes() else f"process {pid} is still starting",
        timeout=START_SECONDS,
        interval=0.1,
        what=f"the forward on {HOST}:{chosen}",
    )
    write_atomically(record, json.dumps({"pid": pid, "port": chosen}))
    return chosen


def _free_port(wanted: int) -> int:
    """Return `wanted` if nobody has it, else any port that is free."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, wanted))
        except OSError:
            one.bind((HOST, 0))
        return int(one.getsockname()[1])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def serve(listener: socket.socket, address: str, port: int) -> None:
    """Pass on every connection to `listener`, until cancelled."""

    async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(address, port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_copy(reader, there_writer), _copy(there_reader, writer))

    server = await asyncio.start_server(passed_on, sock=listener)
    await server.serve_forever()


def main(port: int, namespace: Path, address: str, target_port: int) -> None:
    """Listen here, move into the namespace, serve."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
        join(namespace)
        asyncio.run(serve(listener, address, target_port))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
