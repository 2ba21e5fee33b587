"""init: kubeadm has made the control plane on the manager."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases import script
from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.wait import Deadline

NAME = "init"


def _run(site: Site, deadline: Deadline) -> str:
    manager = site.plan.manager
    site.on_all(
        [manager],
        NAME,
        lambda machine: script.wait_past(site, machine, NAME, deadline=deadline),
    )
    return ""


def _diagnose(site: Site) -> str:
    return script.diagnosis_of(site, [site.plan.manager], NAME)


PHASE = Phase(NAME, timeout_seconds=600, run=_run, diagnose=_diagnose)
