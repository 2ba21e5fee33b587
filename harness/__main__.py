"""Starts the command line: `python -m harness` and the console script `harness`."""

from __future__ import annotations

import sys

from harness.cli.app import main as run


def main() -> None:
    """Run the command that this process was started with, and exit with its status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
