"""The gate of a rolling update: upstream's Count and Duration, and what ours adds: an end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import NotReadyError, TransportError
from harness.phases import healthy
from harness.spec import GroupPlan
from tests.fake_site import FakeSite, good_nodes, node
from tests.fakes import RecordingReporter
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from pathlib import Path

PLAN = cluster_plan()
WORKER = PLAN.workers[0]
GOOD = good_nodes(PLAN)
BAD = [node(WORKER, ready="False"), *(one for one in GOOD if one != node(WORKER))]
SILENT = TransportError("ip-192.168.2.200: cannot be reached")
WHY = "KubeletNotReady: cni plugin not initialized"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSite:
    return FakeSite.of(tmp_path, RecordingReporter(), monkeypatch)


def run(fake: FakeSite, seconds: float = 60, **group: Any) -> str:  # noqa: ANN401 - any field
    """Pass the gate of a group with one new machine."""
    phase = healthy.phase(GroupPlan("workers", **group))
    return phase.run(fake.site(PLAN.of([WORKER])), fake.deadline(seconds))


@pytest.mark.parametrize(
    ("group", "looks"),
    [
        ({}, 1),
        ({"healthy_count": 0}, 1),
        ({"healthy_count": 3}, 3),
        ({"healthy_seconds": 3.0}, 4),
        ({"healthy_seconds": 0.02}, 2),
    ],
    ids=["ThresholdDefaults", "Count 0", "Count 3", "Duration 3s", "Duration 20ms"],
)
def test_it_opens_after_so_many_good_looks_in_a_row(
    group: dict[str, Any], looks: int, fake: FakeSite
) -> None:
    fake.api.polls = [GOOD]
    assert run(fake, **group) == f"{looks} times in a row"
    assert fake.api.asked == looks
    assert sum(fake.clock.slept) == looks - 1
    assert sum(fake.clock.slept) >= group.get("healthy_seconds", 0)


@pytest.mark.parametrize("bad", [BAD, SILENT], ids=["unhealthy", "HealthError"])
def test_one_bad_look_starts_the_count_again(bad: Any, fake: FakeSite) -> None:  # noqa: ANN401
    fake.api.polls = [GOOD, bad, GOOD, GOOD]
    assert run(fake, healthy_count=2) == "2 times in a row"
    assert fake.api.asked == 4


def test_an_unhealthy_machine_that_recovers_lets_it_go_on(fake: FakeSite) -> None:
    fake.api.polls = [BAD, GOOD]
    assert run(fake) == "1 times in a row"
    assert [reason for reason, _ in fake.progress(WORKER.name)] == [f"unhealthy: {WHY}", ""]


@pytest.mark.parametrize(
    ("bad", "said"),
    [(BAD, f"unhealthy: {WHY}"), (SILENT, f"unknown: {SILENT.message}")],
    ids=["unhealthy", "unknown"],
)
def test_what_does_not_get_well_ends_it_and_is_named(
    bad: Any,  # noqa: ANN401
    said: str,
    fake: FakeSite,
) -> None:
    fake.api.polls = [bad]
    with pytest.raises(NotReadyError) as caught:
        run(fake, seconds=5)
    assert f"{WORKER.name} is {said}" in caught.value.message
    assert "as they were" in caught.value.hint
    assert sum(fake.clock.slept) == 5


def test_machines_of_others_are_not_looked_at(fake: FakeSite) -> None:
    other = PLAN.workers[1]
    fake.api.polls = [[node(WORKER), node(other, ready="False")]]
    assert run(fake) == "1 times in a row"


def test_it_waits_as_long_as_it_may_have_to(fake: FakeSite) -> None:
    del fake
    short, long = (
        healthy.phase(GroupPlan("workers", healthy_seconds=seconds)).timeout_seconds
        for seconds in (0.0, 600.0)
    )
    assert short >= healthy.PATIENCE_SECONDS
    assert long >= healthy.PATIENCE_SECONDS + 600
