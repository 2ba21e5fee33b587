"""What machines of a host can do is read off the kernel, not assumed."""

from __future__ import annotations

import pytest

from harness.lab import traits

STATUS = "Name:\tpython3\nCapEff:\t0000000000000000\nCapBnd:\t{bounding}\nSeccomp:\t0\n"
ALL = "000001ffffffffff"
WITHOUT_SYS_RESOURCE = f"{int(ALL, 16) & ~(1 << traits.CAP_SYS_RESOURCE):016x}"


@pytest.mark.parametrize(
    ("bounding", "can"),
    [
        (ALL, True),
        (WITHOUT_SYS_RESOURCE, False),
        ("0000000000000000", False),
        (f"{1 << 24:016x}", True),
        ("00000000a80425fb", False),  # a Docker container's
    ],
)
def test_the_oom_score_can_be_lowered_where_the_bounding_set_allows_it(
    bounding: str,
    can: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert traits.detect(STATUS.format(bounding=bounding)).can_lower_oom_score is can


def test_system_containers_never_own_the_hosts_sysctls() -> None:
    found = traits.detect(STATUS.format(bounding=ALL))
    assert (found.cgroup_driver, found.can_write_sysctls) == ("cgroupfs", False)


def test_this_host_can_be_asked() -> None:
    assert traits.detect().cgroup_driver == "cgroupfs"
