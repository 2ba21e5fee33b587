"""Sprig's functions of paths and of the environment."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from harness.template.functions.table import function

if TYPE_CHECKING:
    from harness.template.session import Session

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@function("env", "A variable of the environment, or nothing.", ("HOME",), "/root")
def _env(session: Session, name: str) -> str:
    return session.world.environment.get(name, "")


@function("expandenv", "A text with the environment's variables.", ("$HOME/.kube",), "/root/.kube")
def _expandenv(session: Session, text: str) -> str:
    known = session.world.environment
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], ""), text)


@function("base", "A path's last part.", ("a/b/c.sh",), "c.sh")
def _base(path: str) -> str:
    stripped = path.rstrip("/")
    if not stripped:
        return "/" if path else "."
    return posixpath.basename(stripped)


@function("dir", "A path less its last part.", ("a/b/c.sh",), "a/b")
def _dir(path: str) -> str:
    return _clean(posixpath.dirname(path))


@function("clean", "A path without detours.", ("a//b/../c",), "a/c")
def _clean(path: str) -> str:
    cleaned = posixpath.normpath(path)
    # POSIX lets two leading slashes mean something; Go does not.
    return cleaned.replace("//", "/", 1) if cleaned.startswith("//") else cleaned


@function("ext", "A path's extension, with its dot.", ("a/b.sh",), ".sh")
def _ext(path: str) -> str:
    name = path.rpartition("/")[2]
    return name[name.rfind(".") :] if "." in name else ""


@function("isAbs", "Whether a path begins at the root.", ("/a",), gives=True)
def _is_abs(path: str) -> bool:
    return path.startswith("/")
