"""Where the files that are not Python stand: `scripts/`, `groups/`, `Vagrantfile.j2`."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def directory() -> Path:
    """Return the folder that holds them: inside the wheel, or the top of the checkout."""
    packed = _PACKAGE / "assets"
    return packed if packed.is_dir() else _PACKAGE.parent


def init_script(role: str) -> Path:
    """Return the built-in init script template of a role, ``manager`` or ``worker``."""
    return directory() / "scripts" / f"{role}-init.sh"


def vagrantfile() -> Path:
    """Return the template of every cluster's Vagrantfile."""
    return directory() / "Vagrantfile.j2"
