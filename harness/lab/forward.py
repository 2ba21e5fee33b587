"""A port on 127.0.0.1 that leads to the API server inside the lab's namespace.

One small process per cluster, started when the first kubeconfig is asked for and ended
with the cluster: `python -m harness.lab.forward PORT NAMESPACE ADDRESS TARGET_PORT`.
It listens in the host's namespace, then moves into the cluster's, where it connects.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from pathlib import Path

from harness.lab.network import join

CHUNK_BYTES = 65536


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
        listener.bind(("127.0.0.1", port))
        join(namespace)
        asyncio.run(serve(listener, address, target_port))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
