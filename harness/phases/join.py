"""join: kubeadm has made every worker a node of the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases import script
from harness.phases.base import Phase, journal_tail

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.wait import Deadline

NAME = "join"


def _run(site: Site, deadline: Deadline) -> str:
    site.on_all(
        site.plan.workers,
        NAME,
        lambda machine: script.wait_past(site, machine, NAME, deadline=deadline),
    )
    return ""


def _diagnose(site: Site) -> str:
    return "\n".join(journal_tail(site, machine.name, "kubelet") for machine in site.plan.workers)


PHASE = Phase(NAME, timeout_seconds=600, run=_run, diagnose=_diagnose)
