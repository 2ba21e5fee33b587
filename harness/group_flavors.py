"""The flavors that a group may name, each with the model of what it is told.

Which model a flavor is read with is told by its plugin's name.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Discriminator, Field, Tag

from harness.complaints import UNION_TAG
from harness.properties import KubernetesProperties, Model, VanillaProperties, refuse

VanillaPlugin = Literal["flavor-vanilla", "vanilla"]
ComboPlugin = Literal["flavor-combo", "combo"]
KubernetesPlugin = Literal[
    "flavor-kubernetes/manager",
    "flavor-kubernetes/worker",
    "kubernetes/manager",
    "kubernetes/worker",
]
FLAVOR_PLUGINS: tuple[str, ...] = (
    *get_args(KubernetesPlugin),
    *get_args(VanillaPlugin),
    *get_args(ComboPlugin),
)
"""Every flavor that a group may name."""


def one_of(names: tuple[str, ...]) -> str:
    """List names as a choice."""
    *others, last = (f"'{name}'" for name in names)
    return f"{', '.join(others)} or {last}"


def _flavor_plugin(name: object) -> object:
    if isinstance(name, str) and name not in FLAVOR_PLUGINS:
        refuse(f"Failed to find Flavor plugin '{name}': should be {one_of(FLAVOR_PLUGINS)}")
    return name


def _tag(raw: object) -> str:
    """Say which model a flavor is to be read with; the Kubernetes one knows all complaints."""
    plugin = raw.get("Plugin") if isinstance(raw, dict) else None
    if plugin in get_args(VanillaPlugin):
        return f"{UNION_TAG}vanilla"
    return f"{UNION_TAG}combo" if plugin in get_args(ComboPlugin) else f"{UNION_TAG}kubernetes"


def _single_tag(raw: object) -> str:
    tag = _tag(raw)
    return f"{UNION_TAG}kubernetes" if tag == f"{UNION_TAG}combo" else tag


class KubernetesFlavor(Model):
    """The flavor that makes a machine a node, and what it is told."""

    plugin: Annotated[KubernetesPlugin, BeforeValidator(_flavor_plugin)] = Field(
        alias="Plugin", description="The flavor and the role of the group's machines."
    )
    properties: KubernetesProperties = Field(
        alias="Properties", description="What the flavor is told."
    )


class VanillaFlavor(Model):
    """The flavor that runs a user's own lines, and what it is told; part of a combo."""

    plugin: VanillaPlugin = Field(alias="Plugin", description="Both names mean the same.")
    properties: VanillaProperties = Field(
        alias="Properties", default=VanillaProperties(), description="What the flavor is told."
    )


_Kubernetes = Annotated[KubernetesFlavor, Tag(f"{UNION_TAG}kubernetes")]
_Vanilla = Annotated[VanillaFlavor, Tag(f"{UNION_TAG}vanilla")]
SingleFlavor = Annotated[_Kubernetes | _Vanilla, Discriminator(_single_tag)]


class ComboProperties(Model):
    """Properties of the combo flavor."""

    flavors: tuple[SingleFlavor, ...] = Field(
        alias="Flavors",
        description="One Kubernetes flavor and any number of vanilla ones; their scripts run in "
        "this order, and of tags with the same name the last one counts.",
    )


class ComboFlavor(Model):
    """The flavor that is several in a row."""

    plugin: ComboPlugin = Field(alias="Plugin", description="Both names mean the same.")
    properties: ComboProperties = Field(alias="Properties", description="The flavors.")


_Combo = Annotated[ComboFlavor, Tag(f"{UNION_TAG}combo")]
Flavor = Annotated[_Kubernetes | _Vanilla | _Combo, Discriminator(_tag)]
