"""Whether a flavor's machines are healthy, and how they are taken out of service."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import flavors
from harness.errors import CommandError, PhaseError, TransportError
from harness.flavors import FLAVORS
from harness.flavors.combo import ComboFlavor
from harness.flavors.vanilla import VanillaFlavor
from harness.interfaces import Health, HealthState, Result
from harness.spec import FlavorPart
from tests.fake_api import FakeAPI
from tests.fake_site import good_nodes, node
from tests.samples import cluster_plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.interfaces import ClusterAPI, Flavor
    from harness.spec import MachinePlan

PLAN = cluster_plan()
WORKER = PLAN.workers[1]
HEALTHY = Health(HealthState.HEALTHY)
DRAIN = (
    "drain",
    WORKER.name,
    "--ignore-daemonsets",
    "--delete-emptydir-data",
    "--force",
    "--timeout=30s",
)
DELETE = ("delete", "node", WORKER.name, "--ignore-not-found")


@pytest.fixture
def api() -> FakeAPI:
    made = FakeAPI()
    made.items["nodes"] = good_nodes(PLAN)
    return made


def replace_node(api: FakeAPI, changed: dict[str, Any] | None) -> None:
    """Put another node in the place of the worker's, or none."""
    others = [one for one in api.items["nodes"] if one["metadata"]["name"] != WORKER.name]
    api.items["nodes"] = others if changed is None else [*others, changed]


def names(api: FakeAPI) -> set[str]:
    return {one["metadata"]["name"] for one in api.items["nodes"]}


def test_each_machine_is_healthy_whose_node_is_ready(api: FakeAPI) -> None:
    assert [flavors.healthy(machine, api) for machine in PLAN.machines] == [HEALTHY] * 4


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (None, "has not registered"),
        (node(WORKER, ready="False"), "KubeletNotReady: cni plugin not initialized"),
        (node(WORKER, ready="Unknown"), "KubeletNotReady: cni plugin not initialized"),
        (node(WORKER, ready=""), "has no Ready condition yet"),
        (
            node(WORKER, addresses=["10.0.2.15"]),
            f"has InternalIP 10.0.2.15 instead of {WORKER.address}",
        ),
    ],
    ids=["absent", "not ready", "silent for long", "silent from the start", "another address"],
)
def test_a_machine_is_judged_by_its_own_node(
    changed: dict[str, Any] | None, reason: str, api: FakeAPI
) -> None:
    replace_node(api, changed)
    assert flavors.healthy(WORKER, api) == Health(HealthState.UNHEALTHY, reason)
    assert flavors.healthy(PLAN.workers[0], api) == HEALTHY


def test_a_cordoned_node_is_healthy(api: FakeAPI) -> None:
    api.kubectl(["cordon", WORKER.name], timeout=5).check()
    assert flavors.healthy(WORKER, api) == HEALTHY


def test_an_api_that_is_out_of_reach_leaves_health_unknown(api: FakeAPI) -> None:
    api.unreachable = "ip-192.168.2.200: cannot be reached"
    assert flavors.healthy(WORKER, api) == Health(HealthState.UNKNOWN, api.unreachable)


def test_an_api_that_refuses_leaves_health_unknown(api: FakeAPI) -> None:
    del api.items["nodes"]
    health = flavors.healthy(WORKER, api)
    assert health.state is HealthState.UNKNOWN
    assert "the server doesn't have a resource type" in health.reason


def test_a_node_is_drained_and_then_deleted(api: FakeAPI) -> None:
    flavors.drain(WORKER, api, timeout=30)
    assert api.calls == [DRAIN, DELETE]
    assert names(api) == set(PLAN.names) - {WORKER.name}


@pytest.mark.parametrize(
    ("timeout", "said"), [(0.0, "1s"), (-3.0, "1s"), (2.2, "3s"), (300, "300s")]
)
def test_a_drain_always_has_a_limit(timeout: float, said: str, api: FakeAPI) -> None:
    flavors.drain(WORKER, api, timeout=timeout)
    assert api.calls[0][-1] == f"--timeout={said}"


def test_kubectl_has_more_time_than_the_pods() -> None:
    given: list[float] = []

    class Timed(FakeAPI):
        def kubectl(self, argv: Sequence[str], *, timeout: float, stdin: bytes = b"") -> Result:
            given.append(timeout)
            return super().kubectl(argv, timeout=timeout, stdin=stdin)

    flavors.drain(WORKER, Timed({"nodes": [node(WORKER)]}), timeout=30)
    drain, delete = given
    assert 30 < drain < 60
    assert 0 < delete < 60


def test_a_node_that_is_gone_is_no_error(api: FakeAPI) -> None:
    replace_node(api, None)
    flavors.drain(WORKER, api, timeout=30)
    assert api.calls == []


def test_pods_that_do_not_end_are_told_and_the_node_stays(api: FakeAPI) -> None:
    api.said, api.exit_status = 'error when evicting pods/"web": global timeout reached: 30s\n', 1
    with pytest.raises(CommandError, match='pods/"web": global timeout reached'):
        flavors.drain(WORKER, api, timeout=30)
    assert api.calls == [DRAIN]
    assert WORKER.name in names(api)


def test_a_drain_without_an_api_is_an_error(api: FakeAPI) -> None:
    api.unreachable = "ip-192.168.2.200: cannot be reached"
    with pytest.raises(TransportError, match="cannot be reached"):
        flavors.drain(WORKER, api, timeout=30)


def test_vanilla_vetoes_nothing_and_drains_nothing(api: FakeAPI) -> None:
    api.unreachable = "nobody is asked"
    vanilla, part = FLAVORS["vanilla"], FlavorPart("vanilla", "", {})
    assert vanilla.healthy(part, WORKER, api) == HEALTHY
    vanilla.drain(part, WORKER, api, timeout=30)
    assert api.calls == []


def test_a_combo_is_judged_and_drained_by_the_flavor_that_makes_it_a_node(api: FakeAPI) -> None:
    lines = FlavorPart("vanilla", "", {"Init": ["echo"]})
    machine = replace(WORKER, flavor="combo", parts=(lines, WORKER.part, lines))
    assert flavors.healthy(machine, api) == HEALTHY
    flavors.drain(machine, api, timeout=30)
    assert api.calls == [DRAIN, DELETE]
    assert flavors.healthy(machine, api).reason == "has not registered"


@dataclass(frozen=True)
class Judges(VanillaFlavor):
    """A flavor that says what it was made with, and whose drain fails if it was given words."""

    name: str
    health: Health
    words: str
    asked: list[tuple[str, str]]

    def healthy(self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI) -> Health:
        del machine, api
        self.asked.append((self.name, part.plugin))
        return self.health

    def drain(
        self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI, *, timeout: float
    ) -> None:
        del machine, api
        self.asked.append((self.name, f"{part.plugin} within {timeout:g} s"))
        if self.words:
            raise PhaseError(self.words)


def combo(*states: HealthState, words: Sequence[str]) -> tuple[ComboFlavor, MachinePlan, list[Any]]:
    """Combine flavors with these answers, and return them with a machine of theirs."""
    asked: list[tuple[str, str]] = []
    judges: dict[str, Flavor] = {
        name: Judges(name, Health(state, f"{name} is {state}"), said, asked)
        for name, state, said in zip("abc", states, words, strict=True)
    }
    parts = tuple(FlavorPart(name, "", {}) for name in judges)
    return ComboFlavor(judges), replace(WORKER, parts=parts), asked


def test_combo_is_as_healthy_as_its_first_part_that_is_not(api: FakeAPI) -> None:
    states = (HealthState.HEALTHY, HealthState.UNKNOWN, HealthState.UNHEALTHY)
    flavor, machine, asked = combo(*states, words=("", "", ""))
    health = flavor.healthy(machine.part, machine, api)
    assert health == Health(HealthState.UNKNOWN, "b is unknown")
    assert asked == [("a", "a"), ("b", "b")]


def test_combo_drains_by_every_part_and_joins_what_they_say(api: FakeAPI) -> None:
    flavor, machine, asked = combo(*[HealthState.HEALTHY] * 3, words=("no", "", "neither"))
    with pytest.raises(PhaseError) as caught:
        flavor.drain(machine.part, machine, api, timeout=7)
    assert caught.value.message == "no, neither"
    assert asked == [(name, f"{name} within 7 s") for name in "abc"]
