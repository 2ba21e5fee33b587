"""Mounts: what is mounted below a folder, which cannot be removed before that is not."""

from __future__ import annotations

import re
from pathlib import Path

# Linux's; elsewhere there is no such file, and `rm` says what is busy.
TABLE = Path("/proc/self/mountinfo")
_MOUNT_POINT = 4
_ESCAPED = re.compile(r"\\([0-7]{3})")


def below(folder: Path) -> list[Path]:
    """Return the mount points in a folder, or the folder itself, in the order of unmounting."""
    if not TABLE.is_file():
        return []
    # A blank within a path is written `\040` (proc(5)).
    lines = TABLE.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    named = (line.split(" ")[_MOUNT_POINT] for line in lines)
    points = (Path(_ESCAPED.sub(lambda octal: chr(int(octal[1], 8)), name)) for name in named)
    whole = folder.resolve()
    return sorted((point for point in points if point.is_relative_to(whole)), reverse=True)
