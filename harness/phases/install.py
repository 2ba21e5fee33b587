"""install: every machine has its init script, runs it, and has its software.

The scripts go on by themselves from here: workers are prepared while the manager
initialises, and join as soon as it can take them. The phases that follow only watch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases import script
from harness.phases.base import Phase
from harness.spec import Role

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.spec import MachinePlan
    from harness.wait import Deadline

NAME = "install"
PKI = "/etc/kubernetes/pki"
PUT_SECONDS = 30.0


def _run(site: Site, deadline: Deadline) -> str:
    def prepare(machine: MachinePlan) -> None:
        if machine.role is Role.MANAGER:
            _put_authority(site, machine)
        script.start(site, machine)
        script.wait_past(site, machine, NAME, deadline=deadline)

    site.on_all(site.plan.machines, NAME, prepare)
    return ""


def _put_authority(site: Site, machine: MachinePlan) -> None:
    """Give kubeadm the certificate authority whose hash the workers already know."""
    transport = site.transport(machine.name)
    files = {
        "ca.key": (site.secrets.ca_key, 0o600),
        "ca.crt": (site.secrets.ca_certificate, 0o644),
    }
    for name, (text, mode) in files.items():
        transport.put(text.encode(), f"{PKI}/{name}", mode=mode, timeout=PUT_SECONDS)


PHASE = Phase(NAME, timeout_seconds=900, run=_run)
