"""destroy: machines are gone, and so are their nodes, which would else look as if they failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.wait import Deadline

NAME = "destroy"
KUBECTL_SECONDS = 30.0


def _run(site: Site, deadline: Deadline) -> str:
    # The node first: kubeadm lets no machine join under the name of a node that is Ready, and
    # one whose machine is gone stays Ready for 40 s.
    argv = ["delete", "node", *site.plan.names, "--ignore-not-found"]
    site.api.kubectl(argv, timeout=KUBECTL_SECONDS).check()
    return _remove(site, deadline)


def _remove(site: Site, deadline: Deadline) -> str:
    site.network.create()  # Vagrant runs inside it
    site.provider.destroy(site.plan.names, timeout=deadline.remaining)
    # What Vagrant does not know of any more.
    site.network.discard(site.plan.names)
    for name in site.plan.names:
        site.forget(name)
    return f"{len(site.plan.names)} removed"


PHASE = Phase(NAME, timeout_seconds=180, run=_run)

MACHINES_ALONE = Phase(NAME, timeout_seconds=180, run=_remove)
"""Where there is no cluster yet that could have a node of them."""
