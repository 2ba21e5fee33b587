"""One cluster's known_hosts file: a key is trusted on first use and never changes after.

Vagrant uses addresses again, so neither the user's own file nor "add whatever comes" is
right; the file belongs to the cluster and loses a machine's line when the machine goes.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SSH_PORT = 22
_LOCK = threading.Lock()  # the machines of one cluster are first met by several threads


def host_id(address: str, port: int) -> str:
    """Return how OpenSSH and paramiko name a host in the file."""
    return address if port == SSH_PORT else f"[{address}]:{port}"


def record(path: Path, host: str, key_type: str, key: str) -> None:
    """Append a host's key (base64) to the file, which is made 0600 if it is missing."""
    with _LOCK:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, f"{host} {key_type} {key}\n".encode())
        finally:
            os.close(file)


def forget(path: Path, address: str, port: int = SSH_PORT) -> None:
    """Drop a machine's lines, because it was destroyed; a missing file is no error."""
    with _LOCK:
        if not path.exists():
            return
        prefix = f"{host_id(address, port)} "
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        rest = path.with_name(f"{path.name}.new")
        rest.touch(mode=0o600)
        rest.write_text(
            "".join(line for line in lines if not line.startswith(prefix)), encoding="utf-8"
        )
        rest.replace(path)  # at once, for a thread that reads the file meanwhile
