"""What is done about a run that failed: its evidence is kept, and what it made may be removed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from harness import evidence, orchestrator
from harness.cli import session
from harness.errors import (
    ClusterHeldError,
    HarnessError,
    InvalidInputError,
    UsageError,
    is_stop,
    leaves,
)
from harness.workspace import state_dir

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.cluster import Cluster
    from harness.interfaces import Reporter

FOLDER = "evidence"
REFUSALS = (UsageError, InvalidInputError, ClusterHeldError)
KEPT = 5
"""Archives of one cluster; older ones go."""


@contextlib.contextmanager
def documented(cluster: Cluster, reporter: Reporter, *, clean: bool) -> Iterator[None]:
    """Collect the evidence if the block fails, and say where it is.

    An interrupted run ends at once, and a request that was refused made nothing that could
    be looked at: neither has evidence.

    Args:
        cluster: What the block works on.
        reporter: Told what is being done.
        clean: Whether to remove the cluster then.
    """
    try:
        yield
    except Exception as error:  # a bug, too, is to be explained and cleaned up
        if not is_stop(error) and not isinstance(error, REFUSALS):
            with _added_to(error, "Collecting evidence failed too"):
                error.add_note(f"The evidence is in {_collect(cluster, reporter)}.")
            if clean:
                with _added_to(error, "Cleaning up failed too"):
                    orchestrator.down(cluster, reporter)
        raise


@contextlib.contextmanager
def _added_to(error: Exception, what: str) -> Iterator[None]:
    """Let a second failure, of whatever kind, not hide the first."""
    try:
        yield
    except Exception as second:
        if is_stop(second):
            raise
        error.add_note(f"{what}: {'; '.join(map(_words, leaves(second)))}")


def _words(error: BaseException) -> str:
    if isinstance(error, HarnessError):  # with how to remove by hand what remains
        return f"{error.message}\n{error.hint}".strip()
    return str(error) if isinstance(error, OSError) else repr(error)


def _collect(cluster: Cluster, reporter: Reporter) -> Path:
    folder, name = state_dir() / FOLDER, cluster.plan.cluster
    out = evidence.collect(cluster, evidence.default_file(folder, name), reporter)
    session.give_file(out)
    for old in sorted(folder.glob(f"{name}-evidence-[0-9]*-[0-9]*.tar.gz"))[:-KEPT]:
        old.unlink()
    return out
