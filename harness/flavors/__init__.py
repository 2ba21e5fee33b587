"""Flavors: what turns a group and an instance into its init script, by plugin name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.flavors.kubernetes import KubernetesFlavor

if TYPE_CHECKING:
    from collections.abc import Mapping

FLAVORS: Mapping[str, KubernetesFlavor] = {
    "flavor-kubernetes/manager": KubernetesFlavor(),
    "flavor-kubernetes/worker": KubernetesFlavor(),
    "kubernetes/manager": KubernetesFlavor(),
    "kubernetes/worker": KubernetesFlavor(),
}
