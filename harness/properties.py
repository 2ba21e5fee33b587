"""Properties: what a flavor is told, as strict models with upstream's keys and error texts.

(docker/infrakit `pkg/plugin/flavor/kubernetes/flavor.go`.) What is ours is said beside the
field; each description is also what docs/groups.md and groups/schema.json say.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal, NoReturn, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

MAX_CLUSTER_ID = 24
"""`harness-<cluster>-ip-255.255.255.255` must stay under 64 characters."""

BUILT_IN_MANIFESTS = {
    ("network", "lab"): "",
    ("network", "flannel"): (
        "https://github.com/flannel-io/flannel/releases/download/v0.26.1/kube-flannel.yml"
    ),
    ("network", "calico"): (
        "https://raw.githubusercontent.com/projectcalico/calico/v3.29.1/manifests/calico.yaml"
    ),
    ("visualise", "dashboard"): (
        "https://raw.githubusercontent.com/kubernetes/dashboard/v2.7.0/aio/deploy/recommended.yaml"
    ),
}
"""Pinned manifests by type and name; the lab's own is what the machines' supply holds."""

_CLUSTER_ID = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


def refuse(message: str) -> NoReturn:
    """Let pydantic tell this message.

    Raises:
        PydanticCustomError: Always.
    """
    # The message is a value, not the template: `{}` in what a user wrote must stay as it is.
    raise PydanticCustomError("harness", "{message}", {"message": message})


def _address(text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        refuse(f"`{text}` is not an IPv4 address such as 192.168.2.200")


def _join_address(text: str) -> str:
    if not text:
        refuse("no kube join info: KubeJoinIP must be the manager's IPv4 address")
    return _address(text)


def _network(text: str) -> str:
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError as error:
        refuse(f"`{text}` is not an IPv4 network such as 10.244.0.0/16 ({error})")


def _cluster_id(text: str) -> str:
    if not text:
        refuse("no Kube Cluster ID: KubeClusterID must name the cluster, for example `demo`")
    if len(text) > MAX_CLUSTER_ID or not _CLUSTER_ID.fullmatch(text):
        refuse(
            f"`{text}` cannot be part of machine names: use at most {MAX_CLUSTER_ID} of "
            "a-z, 0-9 and -, with no - at either end"
        )
    return text


def _attachment_type(text: str) -> str:
    if not text:
        refuse("no attachment type")
    return text


def _printable(text: str) -> str:
    if not text.isprintable():
        refuse(f"{text!r} holds a character that cannot be printed")
    return text


def _template_url(text: str) -> str:
    # A template that stands in the group itself may have several lines.
    return text if text.startswith("str://") and "\0" not in text else _printable(text)


_SOMETHING = WithJsonSchema({"type": "string", "minLength": 1})
_IPV4 = WithJsonSchema({"type": "string", "format": "ipv4"})

Address = Annotated[str, AfterValidator(_address), _IPV4]
JoinAddress = Annotated[str, AfterValidator(_join_address), _IPV4]
Network = Annotated[
    str,
    AfterValidator(_network),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9.]+/[0-9]+$"}),
]
Text = Annotated[str, AfterValidator(_printable)]
TemplateURL = Annotated[str, AfterValidator(_template_url)]
ClusterID = Annotated[
    Text,
    AfterValidator(_cluster_id),
    WithJsonSchema(
        {"type": "string", "maxLength": MAX_CLUSTER_ID, "pattern": f"^{_CLUSTER_ID.pattern}$"}
    ),
]


class Model(BaseModel):
    """What every model here is: strict, frozen, closed."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AddOnProperties(Model):
    """One of `KubeAddOns`."""

    name: Text = Field(
        alias="Name",
        min_length=1,
        description="A label; with an empty Path, the name of a built-in manifest.",
    )
    type: Literal["network", "visualise"] = Field(
        alias="Type", description="Of each type the last one counts, as upstream has it."
    )
    path: Text = Field(
        alias="Path",
        default="",
        description="URL or file of a manifest, relative to the group file. Empty means the "
        "built-in manifest of the Name: `lab`, `flannel` or `calico` for a network, "
        "`dashboard` to visualise.",
    )

    @model_validator(mode="after")
    def _known(self) -> Self:
        # Upstream takes an empty path for none and never applies the add-on.
        if not self.path and (self.type, self.name) not in BUILT_IN_MANIFESTS:
            known = ", ".join(f"{kind} add-on `{name}`" for kind, name in BUILT_IN_MANIFESTS)
            refuse(
                f"Path must not be blank: there is no built-in manifest for {self.type} add-on "
                f"`{self.name}` (only for {known})"
            )
        return self

    @property
    def source(self) -> str:
        """Where its manifest is: as it was said, or the pinned one; empty for the lab's."""
        return self.path or BUILT_IN_MANIFESTS[self.type, self.name]


class Attachment(Model):
    """A named resource of a machine; checked as upstream does."""

    id: str = Field(alias="ID", min_length=1, description="Unique in its group.")
    type: Annotated[str, AfterValidator(_attachment_type), _SOMETHING] = Field(
        alias="Type", description="What it is; must not be blank. Nothing attaches it yet."
    )


_TEMPLATE_ROOT = Field(
    alias="TemplateRoot",
    default="",
    description="The folder, relative to the group file, that files which the template includes "
    "may not leave; by default the template's own.",
)


class KubernetesProperties(Model):
    """Properties of the Kubernetes flavor, manager and worker alike.

    `PodNetwork`, `ServiceNetwork` and `Network` are ours: upstream leaves them to kubeadm and
    to VirtualBox. So are `TemplateLanguage`, without which the name of the template's file says
    it, and `TemplateRoot`.
    """

    attachments: dict[str, tuple[Attachment, ...]] = Field(
        alias="Attachments",
        default={},
        description="By LogicalID, or `*` for every machine of the group.",
    )
    init_script_template_url: TemplateURL = Field(
        alias="InitScriptTemplateURL",
        default="",
        description="The init script's template: a path, relative to the group file, or an URL "
        "(file, http, https, unix, str). Empty means the built-in one of the role.",
    )
    join_ip: JoinAddress = Field(
        alias="KubeJoinIP",
        description="The control plane's address, where workers join; an address of the "
        "manager group.",
    )
    bind_port: int = Field(
        alias="KubeBindPort", default=6443, ge=1, le=65535, description="Of the API server."
    )
    add_ons: tuple[AddOnProperties, ...] = Field(
        alias="KubeAddOns",
        default=(),
        description="What is applied once the control plane is up; those of the manager group "
        "count.",
    )
    cluster_id: ClusterID = Field(
        alias="KubeClusterID",
        description="The cluster's name, part of the names of its machines.",
    )
    skip_manager_validation: bool = Field(
        alias="SkipManagerValidation",
        default=False,
        description="Accepted as upstream does; workers always wait for the control plane.",
    )
    control_plane: tuple[Address, ...] = Field(
        alias="ControlPlane",
        default=(),
        description="At most one address, that of KubeJoinIP, which it is by default.",
    )
    pod_network: Network = Field(
        alias="PodNetwork", default="10.244.0.0/16", description="IPv4 network of the pods."
    )
    service_network: Network = Field(
        alias="ServiceNetwork",
        default="10.96.0.0/12",
        description="IPv4 network of the services.",
    )
    network: Network | None = Field(
        alias="Network",
        default=None,
        description="IPv4 network of the machines; by default the /24 around KubeJoinIP.",
    )
    template_language: Literal["jinja2", "go"] | None = Field(
        alias="TemplateLanguage",
        default=None,
        description="Of the init script's template; by default its file's name says it.",
    )
    template_root: Text = _TEMPLATE_ROOT


class VanillaAttachment(Model):
    """A named resource of a machine; vanilla asks for no type."""

    id: str = Field(alias="ID", min_length=1, description="Its name.")
    type: str = Field(alias="Type", default="", description="What it is.")


class VanillaProperties(Model):
    """Properties of the vanilla flavor: lines to run, and labels."""

    init: tuple[str, ...] = Field(
        alias="Init", default=(), description="Lines of shell; they go into the init script."
    )
    init_script_template_url: TemplateURL = Field(
        alias="InitScriptTemplateURL",
        default="",
        description="A template in place of Init: a path, relative to the group file, or an URL "
        "(file, http, https, unix, str).",
    )
    template_language: Literal["jinja2", "go"] | None = Field(
        alias="TemplateLanguage",
        default=None,
        description="Of that template; by default its file's name says it.",
    )
    template_root: Text = _TEMPLATE_ROOT
    tags: dict[str, str] = Field(alias="Tags", default={}, description="Of each machine.")
    attachments: tuple[VanillaAttachment, ...] = Field(
        alias="Attachments", default=(), description="Of each machine. Nothing attaches them yet."
    )

    @model_validator(mode="after")
    def _one_script(self) -> Self:
        if self.init and self.init_script_template_url:
            refuse('Either "Init" or "InitScriptTemplateURL" can be specified but not both')
        return self
