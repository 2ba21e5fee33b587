"""The words of the domain as frozen values: roles, add-ons, supplies, traits, secrets.

Nothing here reads a file or decides anything; `groups` fills what users ask for,
`plan` decides, and everything downstream only reads.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping  # noqa: TC003 - plans are read by their annotations
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from harness.errors import UsageError

MACHINE_PREFIX = "harness"
"""What every machine of ours begins with, towards its provider."""


class Role(StrEnum):
    """What a machine is to its cluster."""

    MANAGER = "manager"
    WORKER = "worker"


class ProviderName(StrEnum):
    """The Vagrant providers that the harness knows how to drive."""

    LXC = "lxc"
    LIBVIRT = "libvirt"
    VIRTUALBOX = "virtualbox"


@dataclass(frozen=True, slots=True)
class AddOn:
    """A Kubernetes add-on of InfraKit's flavor (`KubeAddOns`).

    Attributes:
        name: A known name (``lab``) or any label.
        type: ``network`` or ``visualise``.
        path: URL or file of a manifest; empty means the pinned manifest for `name`.
    """

    name: str
    type: str
    path: str


@dataclass(frozen=True, slots=True)
class Supply:
    """What a machine's software is and where it comes from.

    Attributes:
        source: ``bundle`` (already in the box) or ``packages`` (installed from the network).
        kubernetes_version: As kubeadm spells it, for example ``v1.20.2``.
        image_repository: What kubeadm puts before its image names.
        pause_image: The sandbox image that containerd must use.
        verify_image: An image with busybox, for the pod-to-pod check.
        has_dns: Whether a CoreDNS image exists; without one kubeadm must skip that add-on.
        has_crictl: Whether crictl exists; kubeadm 1.20's preflight fails without it.
        network_manifest: Text of the network add-on that ``lab`` stands for, or an URL.
    """

    source: str
    kubernetes_version: str
    image_repository: str
    pause_image: str
    verify_image: str
    has_dns: bool
    has_crictl: bool
    network_manifest: str


ONLINE_SUPPLY = Supply(
    source="packages",
    kubernetes_version="v1.31.4",
    image_repository="registry.k8s.io",
    pause_image="registry.k8s.io/pause:3.10",
    verify_image="docker.io/library/busybox:1.36",
    has_dns=True,
    has_crictl=True,
    network_manifest=(
        "https://github.com/flannel-io/flannel/releases/download/v0.26.1/kube-flannel.yml"
    ),
)
"""For machines that reach the network: upstream's own packages, images and flannel."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What the machines of this host can and cannot do; detected, never assumed.

    Attributes:
        cgroup_driver: ``systemd`` or ``cgroupfs``, for kubelet and containerd alike.
        can_lower_oom_score: False where CAP_SYS_RESOURCE is missing: every sandbox would
            fail with "can't get final child's PID from pipe: EOF" (reference/lab.md).
        can_write_sysctls: False in system containers: kube-proxy may not set conntrack limits.
    """

    cgroup_driver: str = "systemd"
    can_lower_oom_score: bool = True
    can_write_sysctls: bool = True


@dataclass(frozen=True, slots=True)
class ClusterSecrets:
    """What one cluster's machines trust each other by; made once, kept 0600.

    The certificate authority is made on the host before any machine exists, so that a
    worker can pin its hash from the start and need not wait for the manager to tell it.

    Attributes:
        token: kubeadm's bootstrap token, ``[a-z0-9]{6}.[a-z0-9]{16}``.
        ca_certificate: PEM text.
        ca_key: PEM text.
        ca_cert_hash: ``sha256:`` and the hex digest of the CA's public key (RFC 7469).
        ssh_public_key: OpenSSH line of the cluster's own key pair.
    """

    token: str
    ca_certificate: str
    ca_key: str
    ca_cert_hash: str
    ssh_public_key: str

    def __repr__(self) -> str:
        """Show nothing: a repr ends up in logs."""
        return "ClusterSecrets(…)"


@dataclass(frozen=True, slots=True)
class FlavorPart:
    """One flavor and what it is told: a whole group's, or one of a combo's.

    Attributes:
        plugin: A key of `flavors.FLAVORS`.
        template: Absolute path or URL of its script's template; empty if it has none.
        spec: Its properties in InfraKit's spelling.
        template_root: The folder that its includes may not leave; empty means its own.
    """

    plugin: str
    template: str
    spec: Mapping[str, Any] = field(hash=False, repr=False)
    template_root: str = ""

    @property
    def template_language(self) -> str | None:
        """The language its properties say its template is in; None leaves it to the name."""
        return self.spec.get("TemplateLanguage") or None


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """What flavors make of a machine.

    Attributes:
        init: Its init script; holds secrets.
        tags: Labels.
        attachments: Pairs of ID and type.
    """

    init: str = field(default="", repr=False)
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    attachments: tuple[tuple[str, str], ...] = ()

    def followed_by(self, script: str) -> str:
        """Return the init script with another one after it."""
        return "\n".join(text for text in (self.init, script) if text)


@dataclass(frozen=True, slots=True)
class MachinePlan:
    """One machine as `plan` decided it.

    Attributes:
        name: Name of machine and node alike, ``ip-<address>``.
        address: IPv4 address in the cluster's machine network; InfraKit's logical id.
        role: MANAGER for the one control plane, WORKER for every other machine, those of a
            manager group that are not in ``ControlPlane`` included (as InfraKit has it).
        group: The group's ID.
        index: 0-based place in its group; scaling down removes the highest.
        box: Vagrant box.
        cpus: Processors.
        memory_mib: Memory.
        flavor: Flavor plugin, a key of `flavors.FLAVORS`.
        template: Absolute path or URL of the Kubernetes flavor's init script template.
        spec: Its properties in InfraKit's spelling, for `SPEC` in templates.
        parts: The flavors of a combo, in order; else none.
        sized: Whether its group was given a Size, and not LogicalIDs.
        fingerprint: Of its properties and of all that its script is made from; empty before
            `render.fingerprinted`.
        template_root: The folder that the template's includes may not leave; empty means its own.
    """

    name: str
    address: str
    role: Role
    group: str
    index: int
    box: str
    cpus: int
    memory_mib: int
    flavor: str
    template: str
    spec: Mapping[str, Any] = field(hash=False, repr=False)
    parts: tuple[FlavorPart, ...] = ()
    sized: bool = False
    fingerprint: str = ""
    template_root: str = ""

    @property
    def part(self) -> FlavorPart:
        """Its flavor, as flavors are told of it."""
        return FlavorPart(self.flavor, self.template, self.spec, self.template_root)


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """How one group is kept.

    Attributes:
        id: Its ID.
        healthy_count: How many looks in a row must find a new machine healthy before a rolling
            update goes on.
        healthy_seconds: Or for how long.
        drains: Whether a rolling update drains a machine before it goes.
        watched: False for a group that was freed: its machines are left as they are.
    """

    id: str
    healthy_count: int = 1
    healthy_seconds: float = 0.0
    drains: bool = True
    watched: bool = True


@dataclass(frozen=True, slots=True)
class ClusterPlan:
    """Everything that is decided about a cluster before any machine exists.

    Attributes:
        cluster: KubeClusterID.
        provider: Who makes the machines.
        network: The machines' IPv4 network, for example ``192.168.2.0/24``.
        gateway: Its first host.
        pod_network: IPv4 network of the pods.
        service_network: IPv4 network of the services.
        join_address: Address of the control plane.
        bind_port: TCP port of the API server.
        add_ons: Of the manager group; a file's path is absolute here.
        supply: What the machines' software is.
        traits: What the machines can do.
        machines: Managers first, then workers in the order of groups and indexes.
        groups: In the order in which they were said.
        default_box: Of groups that name none.
    """

    cluster: str
    provider: ProviderName
    network: str
    gateway: str
    pod_network: str
    service_network: str
    join_address: str
    bind_port: int
    add_ons: tuple[AddOn, ...]
    supply: Supply
    traits: Traits
    machines: tuple[MachinePlan, ...]
    groups: tuple[GroupPlan, ...] = ()
    default_box: str = ""

    @property
    def manager(self) -> MachinePlan:
        """The one control plane."""
        return next(machine for machine in self.machines if machine.role is Role.MANAGER)

    @property
    def workers(self) -> tuple[MachinePlan, ...]:
        """Every machine that joins."""
        return tuple(machine for machine in self.machines if machine.role is Role.WORKER)

    @property
    def names(self) -> tuple[str, ...]:
        """Every machine's name, managers first."""
        return tuple(machine.name for machine in self.machines)

    @property
    def prefix_length(self) -> int:
        """Of the machines' network: 24 in ``192.168.2.0/24``."""
        return ipaddress.IPv4Network(self.network).prefixlen

    @property
    def netmask(self) -> str:
        """Of the machines' network: ``255.255.255.0``."""
        return str(ipaddress.IPv4Network(self.network).netmask)

    def machine(self, name: str) -> MachinePlan:
        """Return the machine of this name.

        Raises:
            UsageError: If the plan has none.
        """
        for machine in self.machines:
            if machine.name == name:
                return machine
        raise UsageError(
            f"There is no machine `{name}` in cluster `{self.cluster}`.",
            hint=f"Its machines are {', '.join(self.names)}.",
        )

    def members(self, group: str) -> tuple[MachinePlan, ...]:
        """Return the machines of a group, by index."""
        own = [machine for machine in self.machines if machine.group == group]
        return tuple(sorted(own, key=lambda machine: machine.index))

    def of(self, machines: Iterable[MachinePlan]) -> ClusterPlan:
        """Return this plan with these machines in place of its own, managers first."""
        # A stable sort: within a role the given order stays.
        ordered = sorted(machines, key=lambda machine: machine.role is not Role.MANAGER)
        return replace(self, machines=tuple(ordered))

    def container_name(self, name: str) -> str:
        """Name a machine towards its provider so that its owner can be told from it.

        At most 63 characters, because `groups` keeps KubeClusterID at 24.
        """
        return f"{MACHINE_PREFIX}-{self.cluster}-{name}"
