"""Flavors, by plugin name: what turns a group and an instance into its init script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.flavors.combo import ComboFlavor
from harness.flavors.kubernetes import KubernetesFlavor
from harness.flavors.vanilla import VanillaFlavor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import ClusterAPI, Flavor, Health
    from harness.spec import MachinePlan
    from harness.template import World


def flavors(world: World | None = None) -> Mapping[str, Flavor]:
    """Return every flavor by its plugin names.

    Args:
        world: What their templates may reach; without one, files alone.
    """
    kubernetes, vanilla = KubernetesFlavor(world), VanillaFlavor(world)
    single: Mapping[str, Flavor] = {
        "flavor-kubernetes/manager": kubernetes,
        "flavor-kubernetes/worker": kubernetes,
        "kubernetes/manager": kubernetes,
        "kubernetes/worker": kubernetes,
        "flavor-vanilla": vanilla,
        "vanilla": vanilla,
    }
    combo = ComboFlavor(single)
    return {**single, "flavor-combo": combo, "combo": combo}


FLAVORS = flavors()


def healthy(machine: MachinePlan, api: ClusterAPI) -> Health:
    """Let a machine's flavor judge it: HEALTHY, UNHEALTHY, or UNKNOWN if nobody can be asked."""
    return FLAVORS[machine.flavor].healthy(machine.part, machine, api)


def drain(machine: MachinePlan, api: ClusterAPI, *, timeout: float) -> None:
    """Let a machine's flavor take it out of service.

    Args:
        machine: Which one.
        api: The cluster's.
        timeout: Seconds for what runs on it to end.

    Raises:
        PhaseError: With what the cluster says.
    """
    FLAVORS[machine.flavor].drain(machine.part, machine, api, timeout=timeout)
