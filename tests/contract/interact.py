"""A program for a terminal: `python -m tests.contract.interact ENDPOINT KNOWN_HOSTS [ARGV…]`.

Its own process, because the terminal must be its standard input and output, and pytest
has put files of its own there. ENDPOINT is the JSON of an `Endpoint`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

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
    status = transport.interactive(argv)
    transport.close()
    sys.exit(status)
