"""Standard input: read once, kept so that it can be read again, even by what sudo starts."""

from __future__ import annotations

import os
import stat
import sys
import tempfile


def read(max_bytes: int) -> bytes:
    """Return at most so many bytes of standard input, from its beginning, each time."""
    descriptor = sys.stdin.fileno()
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        with os.fdopen(os.dup(descriptor), "rb") as given, tempfile.TemporaryFile() as kept:
            kept.write(given.read(max_bytes))
            kept.flush()
            os.dup2(kept.fileno(), descriptor)
    os.lseek(descriptor, 0, os.SEEK_SET)
    with os.fdopen(os.dup(descriptor), "rb") as again:
        return again.read(max_bytes)
