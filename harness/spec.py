"""The words of the domain as frozen values: roles, add-ons, supplies, traits, secrets.

Nothing here reads a file or decides anything; `groups` fills what users ask for,
`plan` decides, and everything downstream only reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
