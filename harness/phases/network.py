"""network: the add-ons are applied, above all the one that connects pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases import script
from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.wait import Deadline

NAME = "network"


def _run(site: Site, deadline: Deadline) -> str:
    site.on_all(
        [site.plan.manager],
        NAME,
        lambda machine: script.wait_past(site, machine, NAME, deadline=deadline),
    )
    return ", ".join(add_on.name for add_on in site.plan.add_ons)


def _diagnose(site: Site) -> str:
    return script.diagnosis_of(site, [site.plan.manager], NAME)


PHASE = Phase(NAME, timeout_seconds=180, run=_run, diagnose=_diagnose)
