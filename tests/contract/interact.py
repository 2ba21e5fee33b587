"""A program for a terminal: `python -m tests.contract.interact ENDPOINT KNOWN_HOSTS [ARGV…]`.

Its own process, because the terminal must be its standard input and output, and pytest
has put files of its own there. ENDPOINT is JSON: name, port and user; the key is in the
environment, because any user may read another's command line.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from harness.errors import TransportError
from harness.interfaces import Endpoint
from harness.transports.ssh import SshTransport
from tests.fakes import FakeNetwork

if __name__ == "__main__":
    _, endpoint, known_hosts, *argv = sys.argv
    transport = SshTransport(
        Endpoint(
            address="127.0.0.1", private_key=os.environ["PRIVATE_KEY"], **json.loads(endpoint)
        ),
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
