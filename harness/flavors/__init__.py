"""Flavors: what turns a group and an instance into its init script, by plugin name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.flavors.combo import ComboFlavor
from harness.flavors.kubernetes import KubernetesFlavor
from harness.flavors.vanilla import VanillaFlavor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import Flavor

_SINGLE: Mapping[str, Flavor] = {
    "flavor-kubernetes/manager": KubernetesFlavor(),
    "flavor-kubernetes/worker": KubernetesFlavor(),
    "kubernetes/manager": KubernetesFlavor(),
    "kubernetes/worker": KubernetesFlavor(),
    "flavor-vanilla": VanillaFlavor(),
    "vanilla": VanillaFlavor(),
}

FLAVORS: Mapping[str, Flavor] = {
    **_SINGLE,
    "flavor-combo": ComboFlavor(_SINGLE),
    "combo": ComboFlavor(_SINGLE),
}
