"""kubeadm's configuration documents, tokens and CA hashes; pure text in, text out."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.errors import InvalidInputError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.spec import ClusterPlan, ClusterSecrets, MachinePlan

TOKEN_PATTERN = re.compile(r"[a-z0-9]{6}\.[a-z0-9]{16}")
TOKEN_TTL = "24h0m0s"  # noqa: S105 - kubeadm's own default, said aloud
TOKEN_LIFETIME = timedelta(hours=24)
"""The same, for whoever renews a token."""

_VERSION = re.compile(r"v1\.(\d+)\.\d+\S*")
_PLAIN = re.compile(r"[A-Za-z]{3}\S*")
_SOCKET = "/run/containerd/containerd.sock"
# https://kubernetes.io/docs/reference/config-api/: v1beta3 came with 1.22, v1beta4 with 1.31.
_FIRST_V1BETA3 = 22
_FIRST_V1BETA4 = 31
# kubeadm 1.24 wants an URL and warns about plain paths; older kubelets were given plain paths.
_FIRST_SOCKET_URL = 24


def minor_version(kubernetes_version: str) -> int:
    """Return 20 for ``v1.20.2``.

    Raises:
        ValueError: If it is not spelled as kubeadm spells versions.
    """
    match = _VERSION.fullmatch(kubernetes_version)
    if match is None:
        raise ValueError(f"`{kubernetes_version}` is not a Kubernetes version such as v1.20.2")
    return int(match[1])


def api_version(kubernetes_version: str) -> str:
    """Return the API version of kubeadm's documents that this Kubernetes reads."""
    minor = minor_version(kubernetes_version)
    if minor < _FIRST_V1BETA3:
        return "kubeadm.k8s.io/v1beta2"
    return "kubeadm.k8s.io/v1beta3" if minor < _FIRST_V1BETA4 else "kubeadm.k8s.io/v1beta4"


def cri_socket(kubernetes_version: str) -> str:
    """Return containerd's socket as this Kubernetes wants it spelled."""
    old = minor_version(kubernetes_version) < _FIRST_SOCKET_URL
    return _SOCKET if old else f"unix://{_SOCKET}"


def new_token(random_bytes: Callable[[int], bytes]) -> str:
    """Make a bootstrap token from a source of random bytes such as `secrets.token_bytes`."""
    return f"{random_bytes(3).hex()}.{random_bytes(8).hex()}"


def check_token(text: str, file: Path) -> str:
    """Return the token that a token file holds, without its newline.

    Raises:
        InvalidInputError: If it is not a token; what the file holds is not quoted.
    """
    token = text.removesuffix("\n")
    if TOKEN_PATTERN.fullmatch(token):
        return token
    message = (
        f"not a bootstrap token: {len(token)} characters where 6 of a-z0-9, a dot and "
        "16 of a-z0-9 (23 in all) should be; delete the file to have a new one made"
    )
    raise InvalidInputError([Problem(str(file), "line 1", message)])


def token_secret_name(token: str) -> str:
    """Name the Secret in kube-system that makes a bootstrap token valid."""
    return f"bootstrap-token-{token.partition('.')[0]}"


def token_secret(token: str, expires: datetime) -> dict[str, Any]:
    """Return the Secret that `kubeadm init` makes of a token.

    https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
    """
    token_id, _, token_secret = token.partition(".")
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": token_secret_name(token), "namespace": "kube-system"},
        "type": "bootstrap.kubernetes.io/token",
        "stringData": {
            "token-id": token_id,
            "token-secret": token_secret,
            "expiration": expires.isoformat(timespec="seconds"),
            "usage-bootstrap-authentication": "true",
            "usage-bootstrap-signing": "true",
            "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        },
    }


def token_expiry(encoded: str) -> datetime:
    """Read when a token ends from its Secret's data, in base64."""
    return datetime.fromisoformat(base64.b64decode(encoded).decode())


def ca_cert_hash(pem: str) -> str:
    """Return what `kubeadm join` pins: SHA-256 of the DER SubjectPublicKeyInfo (RFC 7469)."""
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def init_config(plan: ClusterPlan, machine: MachinePlan, secrets: ClusterSecrets) -> str:
    """Return the documents that `kubeadm init --config` reads on the control plane."""
    init = {
        "apiVersion": api_version(plan.supply.kubernetes_version),
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"token": secrets.token, "ttl": TOKEN_TTL}],
        "localAPIEndpoint": {"advertiseAddress": machine.address, "bindPort": plan.bind_port},
        "nodeRegistration": _node_registration(plan, machine),
    }
    return _yaml(init, _cluster(plan), _kubelet(plan), _kube_proxy(plan))


def join_config(plan: ClusterPlan, machine: MachinePlan, secrets: ClusterSecrets) -> str:
    """Return the document that `kubeadm join --config` reads on a worker."""
    join = {
        "apiVersion": api_version(plan.supply.kubernetes_version),
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": f"{plan.join_address}:{plan.bind_port}",
                "token": secrets.token,
                "caCertHashes": [secrets.ca_cert_hash],
            },
            "tlsBootstrapToken": secrets.token,
        },
        "nodeRegistration": _node_registration(plan, machine),
    }
    return _yaml(join)


def _cluster(plan: ClusterPlan) -> dict[str, Any]:
    # With one control plane there is nobody to elect; on two busy processors the leases
    # time out and both restart for nothing (reference/lab.md).
    alone = {"leader-elect": "false"}
    # Nothing is signed, and no node gets its pods' addresses, before the last of some thirty
    # controllers has begun; at the default of 20 requests a second that takes 7 s.
    hurried = {**alone, "kube-api-qps": "100", "kube-api-burst": "200"}
    return {
        "apiVersion": api_version(plan.supply.kubernetes_version),
        "kind": "ClusterConfiguration",
        "clusterName": plan.cluster,
        "kubernetesVersion": plan.supply.kubernetes_version,
        "imageRepository": plan.supply.image_repository,
        "controlPlaneEndpoint": f"{plan.join_address}:{plan.bind_port}",
        "networking": {"podSubnet": plan.pod_network, "serviceSubnet": plan.service_network},
        # 127.0.0.1: the host's shell reaches the API server through a forward there.
        "apiServer": {"certSANs": [plan.join_address, "127.0.0.1"]},
        "controllerManager": {"extraArgs": _extra_args(plan, hurried)},
        "scheduler": {"extraArgs": _extra_args(plan, alone)},
    }


def _kubelet(plan: ClusterPlan) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": plan.traits.cgroup_driver,
        # A node that has become ready says so within two seconds instead of ten; the second
        # setting keeps it from telling what has not changed more often than by default.
        "nodeStatusUpdateFrequency": "2s",
        "nodeStatusReportFrequency": "5m0s",
        # As is the default since 1.27. With the 5 and 10 of before, a kubelet's first look at the
        # services comes after its first pods now and then, which it then leaves alone for 10 s.
        "kubeAPIQPS": 50,
        "kubeAPIBurst": 100,
    }
    if not plan.traits.can_write_sysctls:
        # A system container sees the host's swap and cannot turn it off.
        document["failSwapOn"] = False
    if not plan.traits.can_lower_oom_score:
        document["oomScoreAdj"] = 0
    return document


def _kube_proxy(plan: ClusterPlan) -> dict[str, Any]:
    document: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
    }
    if not plan.traits.can_lower_oom_score:
        document["oomScoreAdj"] = 0
    if not plan.traits.can_write_sysctls:
        # Zero means: leave the host's conntrack sysctls alone. It may not write them, and dies.
        document["conntrack"] = {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        }
    return document


def _node_registration(plan: ClusterPlan, machine: MachinePlan) -> dict[str, Any]:
    return {
        "name": machine.name,
        "criSocket": cri_socket(plan.supply.kubernetes_version),
        # Without it kubelet takes the address of the default route, which under Vagrant's
        # NAT is 10.0.2.15 on every machine (kubernetes/kubeadm#670).
        "kubeletExtraArgs": _extra_args(plan, {"node-ip": machine.address}),
    }


def _extra_args(plan: ClusterPlan, arguments: Mapping[str, str]) -> object:
    """Spell extra arguments: a list of name and value since v1beta4, a map before."""
    if minor_version(plan.supply.kubernetes_version) < _FIRST_V1BETA4:
        return dict(arguments)
    return [{"name": name, "value": value} for name, value in arguments.items()]


class _Dumper(yaml.SafeDumper):
    """Writes no anchors (two equal parts are two parts to a reader) and quotes when in doubt."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - yaml's signature
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # Go's YAML takes more for numbers and truths than Python's: 1e3, 0.1e5 (which a token may
    # look like), y, n. What begins with three letters is none of them.
    style = None if _PLAIN.fullmatch(text) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml(*documents: Mapping[str, Any]) -> str:
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False)
