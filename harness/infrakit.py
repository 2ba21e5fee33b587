"""InfraKit's group JSON as strict models: unknown keys, wrong types and bad values are errors.

Keys, defaults and error texts are upstream's where it has them
(docker/infrakit `pkg/controller/group/types`); what flavors are told is in `properties`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args
from urllib.parse import quote, urljoin

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from harness import sources
from harness.errors import Problem
from harness.group_flavors import Flavor, one_of
from harness.properties import (
    AddOnProperties,
    Address,
    KubernetesProperties,
    Model,
    Text,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.spec import FlavorPart, Role

MAX_MACHINES = 64
"""Of one cluster: more than any host of ours can carry, and a guard against typing errors."""

LONGEST_UPDATING_SECONDS = 24 * 60 * 60
"""Of one machine of a rolling update, which is looked at once a second."""

InstancePlugin = Literal["instance-vagrant", "vagrant"]

# As Go's time.ParseDuration has it, without a sign.
_TERM = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"0|(?:{_TERM.pattern})+")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def _group_id(text: str) -> str:
    if not text.strip():
        refuse("Group ID must not be blank")
    return text


def _duration(text: str) -> str:
    if not _DURATION.fullmatch(text):
        refuse(f"`{text}` is not a duration such as 30s or 1m30s")
    if _seconds(text) > LONGEST_UPDATING_SECONDS:
        refuse(f"`{text[:40]}` is too long: at most 24h")
    return text


def _seconds(duration: str) -> float:
    terms = _TERM.findall(duration)
    return sum((float(number) * _SECONDS[unit] for number, unit in terms), 0.0)


def _instance_plugin(name: object) -> object:
    if isinstance(name, str) and name not in get_args(InstancePlugin):
        known = one_of(get_args(InstancePlugin))
        refuse(f"Failed to find Instance plugin '{name}': should be {known}")
    return name


class VagrantProperties(Model):
    """Properties of the Vagrant instance plugin."""

    box: Text = Field(
        alias="Box", default="", description="Vagrant box; empty means the provider's own."
    )
    cpus: int = Field(alias="CPUs", default=2, ge=1, le=64, description="Processors.")
    # Upstream's 512 MiB is too little for kubeadm.
    memory_mib: int = Field(alias="Memory", default=2048, ge=256, description="Memory in MiB.")


class Instance(Model):
    """Which plugin makes the machines, and what it is told."""

    plugin: Annotated[InstancePlugin, BeforeValidator(_instance_plugin)] = Field(
        alias="Plugin", description="Both names mean Vagrant."
    )
    properties: VagrantProperties = Field(
        alias="Properties", default=VagrantProperties(), description="What a machine is."
    )


class Allocation(Model):
    """How many machines, or which: one of the two."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["Size"]}, {"required": ["LogicalIDs"]}]}
    )

    size: int | None = Field(
        alias="Size",
        default=None,
        ge=0,
        le=MAX_MACHINES,
        description="Number of machines; the harness gives them addresses.",
    )
    logical_ids: tuple[Address, ...] = Field(
        alias="LogicalIDs", default=(), description="One machine for each address."
    )

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        if self.size is None and not self.logical_ids:
            refuse("Allocation must not be blank: give either Size or LogicalIDs")
        if self.size is not None and self.logical_ids:
            refuse("Only one Allocation method may be used: Size or LogicalIDs")
        return self


class Updating(Model):
    """How a rolling update judges that a new machine is well: for how long, or how often."""

    duration: Annotated[str, AfterValidator(_duration)] = Field(
        alias="Duration",
        default="0",
        description="How long it must stay healthy, in Go's notation: `30s`, `1m30s`; at most "
        "`24h`.",
    )
    count: int = Field(
        alias="Count",
        default=0,
        ge=0,
        le=LONGEST_UPDATING_SECONDS,
        description="How many times it must be found healthy.",
    )
    skip_before_instance_destroy: Literal["drain"] | None = Field(
        alias="SkipBeforeInstanceDestroy",
        default=None,
        description="`drain`: destroy machines without draining them first.",
    )

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        if self.count and self.seconds:
            refuse("Only one Updating method may be used: Duration or Count")
        return self

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return _seconds(self.duration)


class GroupProperties(Model):
    """What a group consists of."""

    allocation: Allocation = Field(alias="Allocation", description="How many machines, or which.")
    flavor: Flavor = Field(alias="Flavor", description="What makes the init scripts.")
    instance: Instance = Field(alias="Instance", description="What makes the machines.")
    updating: Updating = Field(
        alias="Updating",
        default=Updating(),
        description="When a rolling update goes on to the next machine.",
    )


class Group(Model):
    """A group: `{"ID", "Properties"}`, what InfraKit's group plugin takes."""

    schema_: str = Field(
        alias="$schema", default="", description="For editors; the harness ignores it."
    )
    id: Annotated[Text, AfterValidator(_group_id)] = Field(
        alias="ID", description="Unique in its cluster; must not be blank."
    )
    properties: GroupProperties = Field(alias="Properties", description="What it consists of.")


class PluginGroup(Model):
    """A group with the plugin that keeps it: the shape of upstream's walkthrough."""

    schema_: str = Field(
        alias="$schema", default="", description="For editors; the harness ignores it."
    )
    plugin: Literal["group", "group-stateless"] = Field(
        alias="Plugin", description="Both names mean the harness."
    )
    properties: Group = Field(alias="Properties", description="The group.")


def beside(file: str, folder: Path | None, name: str) -> str:
    """Return what a path or an URL means in a group file: an absolute path, or an URL.

    Args:
        file: The group file, as the user named it.
        folder: That it is in; none if it was fetched: then a relative path is an URL beside it.
        name: The path or URL; nothing means nothing.
    """
    path = sources.local(name)
    if not path or "://" in path:
        return path
    if folder is None and not Path(path).is_absolute():
        return urljoin(file, quote(path))
    return str(((folder or Path("/")) / path).resolve())


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """One checked group and where it was said.

    Attributes:
        file: The group file, as the user named it.
        folder: What paths in it are relative to; none if that is the file's URL.
        place: JSON path of the object that holds ``ID``.
        id: The group's ID.
        role: What its flavor makes of its machines.
        allocation: How many machines, or which.
        instance: What each machine is.
        flavor_plugin: A key of `flavors.FLAVORS`.
        flavor_place: Path of the Kubernetes flavor below the group, itself or in a combo.
        flavor: What the Kubernetes flavor is told.
        template: Absolute path or URL of its init script's template.
        template_root: The folder that the template's includes may not leave; empty means its own.
        parts: The flavors of a combo; else none.
        updating: When a rolling update goes on.
        document: The group as it was written, in whichever shape.
    """

    file: str
    folder: Path | None
    place: str
    id: str
    role: Role
    allocation: Allocation
    instance: VagrantProperties
    flavor_plugin: str
    flavor_place: str
    flavor: KubernetesProperties
    template: str
    template_root: str
    parts: tuple[FlavorPart, ...]
    updating: Updating
    document: Mapping[str, Any] = field(hash=False, repr=False)

    def problem(self, path: str, message: str) -> Problem:
        """Name a problem at a path below the group, such as ``.Properties.Allocation``."""
        return Problem(self.file, self.place + path, message)

    def flavor_problem(self, key: str, message: str) -> Problem:
        """Name a problem with a property of the Kubernetes flavor, such as ``KubeJoinIP``."""
        return self.problem(f"{self.flavor_place}.Properties.{key}", message)

    def add_on_path(self, add_on: AddOnProperties) -> str:
        """Return an add-on's URL, or its file's absolute path, or nothing for the lab's."""
        return beside(self.file, self.folder, add_on.source)
