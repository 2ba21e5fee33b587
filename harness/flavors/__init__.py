"""Flavors: what turns a group and an instance into its init script, by plugin name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.flavors.combo import ComboFlavor
from harness.flavors.kubernetes import KubernetesFlavor
from harness.flavors.vanilla import VanillaFlavor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import Flavor
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
