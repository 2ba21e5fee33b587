"""preflight: this host can do it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.wait import Deadline


def _run(site: Site, _deadline: Deadline) -> str:
    site.check_host()
    return ""


PHASE = Phase("preflight", timeout_seconds=30, run=_run)
