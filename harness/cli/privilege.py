"""Root: what needs it gets it through sudo, with the caller's own state and cache."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from harness import process
from harness.errors import HostError
from harness.lab.steps import cache_dir
from harness.spec import ProviderName
from harness.workspace import state_dir

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SUDO_SECONDS = 10.0
KEPT = ("CI", "NO_COLOR", "PYTHONPATH", "TERM")


def ensure(provider: ProviderName) -> None:
    """Go on as root if this provider's machines need it; only the lab's do.

    Raises:
        HostError: If this is not root and sudo would ask for a password.
    """
    if provider is ProviderName.LXC:
        become_root("the lab's network namespace and machines")


def become_root(purpose: str) -> None:
    """Start this very command again through sudo, unless it runs as root already.

    Args:
        purpose: What root is needed for, as the subject of "need root".

    Raises:
        HostError: If sudo is missing or would ask for a password.
    """
    if os.geteuid() == 0:
        return
    try:
        process.run(["sudo", "-n", "true"], timeout=SUDO_SECONDS)
    except process.ProcessFailed as error:
        raise HostError(
            f"This is not root, and `sudo` without a password does not work; {purpose} need root.",
            hint="Run it as root, or give this user password-less sudo.",
        ) from error
    process.exec_replace(command(sys.argv[1:], os.environ), os.environ)


def command(words: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Return how sudo starts the harness again.

    sudo clears the environment and may change HOME, which state and cache hang on; so both
    are spelled out. `env` says them, because sudo's own settings need a tag in sudoers.
    """
    kept = {
        name: value
        for name, value in sorted(environ.items())
        if name in KEPT or name.startswith("HARNESS_")
    }
    kept["HARNESS_STATE_DIR"] = str(state_dir())
    kept["HARNESS_CACHE_DIR"] = str(cache_dir(environ))
    settings = [f"{name}={value}" for name, value in kept.items()]
    return ["sudo", "-n", "--", "env", *settings, sys.executable, "-m", "harness", *words]
