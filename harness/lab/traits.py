"""What system containers of this host can and cannot do: detected, never assumed."""

from __future__ import annotations

from pathlib import Path

from harness.spec import Traits

CAP_SYS_RESOURCE = 24
STATUS = Path("/proc/self/status")


def detect(status: str | None = None) -> Traits:
    """Return the traits of LXC machines that this process would make.

    Args:
        status: Text of /proc/self/status; default: this process's own.
    """
    text = STATUS.read_text() if status is None else status
    return Traits(
        # Works on cgroup v1 and v2 alike; systemd in a container may lack its delegation.
        cgroup_driver="cgroupfs",
        can_lower_oom_score=bool(_bounding_set(text) >> CAP_SYS_RESOURCE & 1),
        # Conntrack's limits belong to the host's own network namespace.
        can_write_sysctls=False,
    )


def _bounding_set(status: str) -> int:
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(fields["CapBnd"].strip(), 16)
