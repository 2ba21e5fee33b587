"""install: every machine has its software.

The scripts go on by themselves: workers are prepared while the manager initialises, and
join as soon as it can take them. This phase and those that follow only watch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases import script
from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.wait import Deadline

NAME = "install"


def _run(site: Site, deadline: Deadline) -> str:
    site.on_all(
        site.plan.machines,
        NAME,
        lambda machine: script.wait_past(site, machine, NAME, deadline=deadline),
    )
    return ""


def _diagnose(site: Site) -> str:
    return script.diagnosis_of(site, site.plan.machines, NAME)


PHASE = Phase(NAME, timeout_seconds=900, run=_run, diagnose=_diagnose)
