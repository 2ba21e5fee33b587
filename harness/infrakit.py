"""InfraKit's group JSON as strict models: unknown keys, wrong types and bad values are errors.

Keys, defaults and error texts are upstream's where it has them
(docker/infrakit `pkg/plugin/flavor/kubernetes/flavor.go`, `pkg/controller/group/types`).
What is ours is said beside the field.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from harness.errors import Problem

if TYPE_CHECKING:
    from harness.spec import Role

MAX_MACHINES = 64
"""Of one cluster: more than any host of ours can carry, and a guard against typing errors."""

MAX_CLUSTER_ID = 24
"""`harness-<cluster>-ip-255.255.255.255` must stay under 64 characters."""

_CLUSTER_ID = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def _refuse(message: str) -> NoReturn:
    # The message is a value, not the template: `{}` in what a user wrote must stay as it is.
    raise PydanticCustomError("harness", "{message}", {"message": message})


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        _refuse(f"`{text}` is not an IPv4 address such as 192.168.2.200")


def _join_address(text: str) -> str:
    if not text:
        _refuse("no kube join info: KubeJoinIP must be the manager's IPv4 address")
    return _address(text)


def _network(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError as error:
        _refuse(f"`{text}` is not an IPv4 network such as 10.244.0.0/16 ({error})")


def _cluster_id(text: str) -> str:
    if not text:
        _refuse("no Kube Cluster ID: KubeClusterID must name the cluster, for example `demo`")
    if len(text) > MAX_CLUSTER_ID or not _CLUSTER_ID.fullmatch(text):
        _refuse(
            f"`{text}` cannot be part of machine names: use at most {MAX_CLUSTER_ID} of "
            "a-z, 0-9 and -, with no - at either end"
        )
    return text


def _group_id(text: str) -> str:
    if not text.strip():
        _refuse("Group ID must not be blank")
    return text


def _attachment_type(text: str) -> str:
    if not text:
        _refuse("no attachment type")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        _refuse(f"{text!r} holds a character that cannot be printed")
    return text


Address = Annotated[str, AfterValidator(_address)]
Network = Annotated[str, AfterValidator(_network)]
Text = Annotated[str, AfterValidator(_printable)]


class Model(BaseModel):
    """What every model here is: strict, frozen, closed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AddOnProperties(Model):
    """One of `KubeAddOns`. An empty path means the pinned manifest of a known name."""

    name: Text = Field(alias="Name", min_length=1)
    type: Literal["network", "visualise"] = Field(alias="Type")
    path: Text = Field(alias="Path", default="")

    @model_validator(mode="after")
    def _known(self) -> Self:
        # Upstream takes an empty path for none and never applies the add-on.
        if not self.path and (self.name, self.type) != ("lab", "network"):
            _refuse(
                f"Path must not be blank: there is no built-in manifest for {self.type} add-on "
                f"`{self.name}` (only for network add-on `lab`)"
            )
        return self


class Attachment(Model):
    """A named resource of a machine; checked as upstream does, not used yet."""

    id: str = Field(alias="ID", min_length=1)
    type: Annotated[str, AfterValidator(_attachment_type)] = Field(alias="Type")


class KubernetesProperties(Model):
    """Properties of the Kubernetes flavor, manager and worker alike.

    `PodNetwork`, `ServiceNetwork` and `Network` are ours: upstream leaves them to kubeadm and
    to VirtualBox. `Network` is the machines' network; without it, the /24 of KubeJoinIP.
    So is `TemplateLanguage`; without it, the name of the template's file says it.
    """

    attachments: dict[str, tuple[Attachment, ...]] = Field(alias="Attachments", default={})
    init_script_template_url: Text = Field(alias="InitScriptTemplateURL", default="")
    join_ip: Annotated[str, AfterValidator(_join_address)] = Field(alias="KubeJoinIP")
    bind_port: int = Field(alias="KubeBindPort", default=6443, ge=1, le=65535)
    add_ons: tuple[AddOnProperties, ...] = Field(alias="KubeAddOns", default=())
    cluster_id: Annotated[Text, AfterValidator(_cluster_id)] = Field(alias="KubeClusterID")
    skip_manager_validation: bool = Field(alias="SkipManagerValidation", default=False)
    control_plane: tuple[Address, ...] = Field(alias="ControlPlane", default=())
    pod_network: Network = Field(alias="PodNetwork", default="10.244.0.0/16")
    service_network: Network = Field(alias="ServiceNetwork", default="10.96.0.0/12")
    network: Network | None = Field(alias="Network", default=None)
    template_language: Literal["jinja2", "go"] | None = Field(
        alias="TemplateLanguage", default=None
    )


class Flavor(Model):
    """Which flavor makes the init scripts, and what it is told."""

    plugin: Literal[
        "flavor-kubernetes/manager",
        "flavor-kubernetes/worker",
        "kubernetes/manager",
        "kubernetes/worker",
    ] = Field(alias="Plugin")
    properties: KubernetesProperties = Field(alias="Properties")


class VagrantProperties(Model):
    """Properties of the Vagrant instance plugin; no Box means the provider's own."""

    box: Text = Field(alias="Box", default="")
    cpus: int = Field(alias="CPUs", default=2, ge=1, le=64)
    # Upstream's 512 MiB is too little for kubeadm.
    memory_mib: int = Field(alias="Memory", default=2048, ge=256)


class Instance(Model):
    """Which plugin makes the machines, and what it is told."""

    plugin: Literal["instance-vagrant", "vagrant"] = Field(alias="Plugin")
    properties: VagrantProperties = Field(alias="Properties", default=VagrantProperties())


class Allocation(Model):
    """How many machines, or which."""

    size: int | None = Field(alias="Size", default=None, ge=1, le=MAX_MACHINES)
    logical_ids: tuple[Address, ...] = Field(alias="LogicalIDs", default=())

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        if self.size is None and not self.logical_ids:
            _refuse("Allocation must not be blank: give either Size or LogicalIDs")
        if self.size is not None and self.logical_ids:
            _refuse("Only one Allocation method may be used: Size or LogicalIDs")
        return self


class GroupProperties(Model):
    """What a group consists of."""

    allocation: Allocation = Field(alias="Allocation")
    flavor: Flavor = Field(alias="Flavor")
    instance: Instance = Field(alias="Instance")


class Group(Model):
    """A group: `{"ID", "Properties"}`, what InfraKit's group plugin takes."""

    id: Annotated[Text, AfterValidator(_group_id)] = Field(alias="ID")
    properties: GroupProperties = Field(alias="Properties")


class PluginGroup(Model):
    """A group with the plugin that keeps it: the shape of upstream's walkthrough."""

    plugin: Literal["group", "group-stateless"] = Field(alias="Plugin")
    properties: Group = Field(alias="Properties")


def beside(folder: Path | None, name: str) -> Path | None:
    """Return a path that is said in a file of `folder`; none if nothing tells what it means."""
    if folder is not None:
        return (folder / name).resolve()
    return Path(name).resolve() if Path(name).is_absolute() else None


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """One checked group and where it was said.

    Attributes:
        file: The group file, as the user named it.
        folder: What paths in it are relative to; none if it was fetched from an URL.
        place: JSON path of the object that holds ``ID``.
        id: The group's ID.
        role: What its flavor makes of its machines.
        allocation: How many machines, or which.
        instance: What each machine is.
        flavor_plugin: A key of `flavors.FLAVORS`.
        flavor: What the flavor is told.
        template: Absolute path of the init script's template.
    """

    file: str
    folder: Path | None
    place: str
    id: str
    role: Role
    allocation: Allocation
    instance: VagrantProperties
    flavor_plugin: str
    flavor: KubernetesProperties
    template: Path

    def problem(self, path: str, message: str) -> Problem:
        """Name a problem at a path below the group, such as ``.Properties.Allocation``."""
        return Problem(self.file, self.place + path, message)

    def add_on_path(self, add_on: AddOnProperties) -> str:
        """Return an add-on's URL, or its file's absolute path, or an empty string."""
        if not add_on.path or add_on.path.startswith(("http://", "https://")):
            return add_on.path
        return str(beside(self.folder, add_on.path) or add_on.path)
