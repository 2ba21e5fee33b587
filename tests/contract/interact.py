"""A program for a terminal: `python -m tests.contract.interact ENDPOINT KNOWN_HOSTS [ARGV…]`.

Its own process, because the terminal must be its standard input and output, and pytest
has put files of its own there. ENDPOINT is the JSON of an `Endpoint`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from harness.errors import TransportError
from harness.interfaces import Endpoint
from harness.transports.ssh import SshTransport
from tests.fakes import FakeNetwork

if __name__ == "__main__":
    _, endpoint, known_hosts, *argv = sys.argv
    transport = SshTransport(
        Endpoint(**json.loads(endpoint)),
        network=FakeNetwork(),
        known_hosts=Path(known_hosts),
        connect_timeout=10,
    )
    try:
        sys.exit(transport.interactive(argv))
    except TransportError as error:
        sys.exit(f"TransportError: {error}")
    finally:
        transport.close()
