"""drain: nothing runs on machines that are about to go, and their nodes are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import flavors
from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.wait import Deadline

NAME = "drain"


def _run(site: Site, deadline: Deadline) -> str:
    for machine in site.plan.machines:
        flavors.drain(machine, site.api, timeout=deadline.remaining)
    return ""


PHASE = Phase(NAME, timeout_seconds=120, run=_run)
