"""Whether a machine's clock tells this host's time.

What one clock dates, another one must not find "not yet valid". Backdated are, by 5 minutes,
the cluster's authority (`harness.pki`) with all that kubeadm signs, which begins when the
authority begins (cmd/kubeadm/app/util/pkiutil/pki_helpers.go), and kubelets' certificates
(pkg/controller/certificates/signer/ca_provider.go). Service account tokens get a minute
(go-jose, jwt.DefaultLeeway). That is the least; and two machines may be off in opposite
directions, so each may be off by half of it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from harness import wait
from harness.errors import PhaseError
from harness.events import MachineProgress, Notice

if TYPE_CHECKING:
    from harness.interfaces import Transport
    from harness.phases.base import Site
    from harness.spec import MachinePlan
    from harness.wait import Deadline

TOLERATED_SECONDS = 30.0
# A clock that anybody keeps is off by milliseconds. etcd warns from 1 s on.
NOTICED_SECONDS = 2.0
# After a host's sleep or a restored snapshot a time service sets the clock within seconds.
SETTLE_SECONDS = 20.0
INTERVAL_SECONDS = 1.0
COMMAND_SECONDS = 30.0


def check(site: Site, machine: MachinePlan, *, phase: str, deadline: Deadline) -> None:
    """Compare a machine's clock with this host's, and give it a moment to be set right.

    Raises:
        PhaseError: If it stays off by more than certificates and tokens stand.
    """
    transport = site.transport(machine.name)
    last = 0.0

    def condition() -> str | None:
        nonlocal last
        last = skew(transport)
        return _told(last) if abs(last) > TOLERATED_SECONDS else None

    cure = (
        f"Set it: `harness exec --name {site.plan.cluster} {machine.name} -- "
        "sudo date --set=@$(date +%s)`, and let a time service keep it (chrony, "
        "systemd-timesyncd). If it is this host's clock that is wrong, set that one."
    )
    try:
        wait.until(
            condition,
            timeout=min(SETTLE_SECONDS, deadline.remaining),
            interval=INTERVAL_SECONDS,
            what=f"the clock of {machine.name}",
            on_reason=lambda why: site.report(MachineProgress(machine.name, phase, why)),
        )
    except wait.WaitTimeout as error:
        raise PhaseError(
            f"{machine.name}: {error.reason}; beyond {TOLERATED_SECONDS:g} s certificates and"
            " tokens are not yet valid for each other.",
            hint=cure,
        ) from error
    if abs(last) > NOTICED_SECONDS:
        site.report(Notice(f"{machine.name}: {_told(last)}. {cure}", "warning"))


def skew(transport: Transport) -> float:
    """Return by how many seconds at least a machine's clock is ahead, negative if behind.

    At least: the machine looks at its clock at some moment of the round trip, nobody knows which.

    Raises:
        TransportError, CommandError: If the machine cannot be asked.
    """
    began = time.time()
    answer = transport.run(["date", "+%s.%N"], timeout=COMMAND_SECONDS).check()
    ended = time.time()
    there = float(answer.stdout)
    return max(there - ended, 0.0) + min(there - began, 0.0)


def _told(seconds: float) -> str:
    side = "ahead of" if seconds > 0 else "behind"
    return f"its clock is {abs(seconds):.1f} s {side} this host's"
