"""The names that flavors give to templates: what each is, and an example that a test runs.

The examples are of the first worker of the walkthrough's cluster, with flannel for a network.
"""

from __future__ import annotations

from harness.template.listing import Row

SECTION = "flavors"


def _row(name: str, does: str, example: str, gives: str, jinja: str = "") -> Row:
    return Row((name,), SECTION, does, example, jinja or example, gives)


ROWS: tuple[Row, ...] = (
    _row("SPEC", "The flavor's properties.", "SPEC.KubeJoinIP", "192.168.2.200"),
    _row("INSTANCE_LOGICAL_ID", "The machine's address.", "INSTANCE_LOGICAL_ID", "192.168.2.2"),
    _row("ALLOCATIONS", "Size and LogicalIDs of its group.", "ALLOCATIONS.Size", "3"),
    _row("INDEX", "Group, and Sequence: its place in it, from 0.", "INDEX.Sequence", "0"),
    _row(
        "BOOTSTRAP",
        "Whether it is the control plane.",
        "if BOOTSTRAP }}init{{ else }}join{{ end",
        "join",
        "'init' if BOOTSTRAP else 'join'",
    ),
    _row(
        "WORKER",
        "Whether it joins a control plane.",
        "if WORKER }}join{{ end",
        "join",
        "'join' if WORKER",
    ),
    _row(
        "KUBEADM_JOIN_TOKEN",
        "The token to join with; a secret.",
        "len KUBEADM_JOIN_TOKEN",
        "23",
        "KUBEADM_JOIN_TOKEN | length",
    ),
    _row("KUBE_JOIN_IP", "The control plane's address.", "KUBE_JOIN_IP", "192.168.2.200"),
    _row("BIND_PORT", "The API server's port.", "BIND_PORT", "6443"),
    _row(
        "ADDON",
        "The path of the last add-on of a type, or nothing.",
        'base (ADDON "network")',
        "kube-flannel.yml",
        'ADDON("network") | base',
    ),
    _row(
        "NETWORK_ADDON",
        "The path of the network add-on, or nothing.",
        "base NETWORK_ADDON",
        "kube-flannel.yml",
        "NETWORK_ADDON | base",
    ),
    _row("node_name", "The machine's name, and its node's.", "node_name", "ip-192.168.2.2"),
    _row("node_ip", "The machine's address.", "node_ip", "192.168.2.2"),
    _row("cluster", "The cluster's name.", "cluster", "walkthrough"),
    _row(
        "hosts",
        "Address and name of every machine.",
        "index (first hosts) 1",
        "ip-192.168.2.200",
        "hosts[0][1]",
    ),
    _row("machine_network", "The machines' network.", "machine_network", "192.168.2.0/24"),
    _row("pod_network", "The pods' network.", "pod_network", "10.244.0.0/16"),
    _row("service_network", "The services' network.", "service_network", "10.96.0.0/12"),
    _row("supply", "Where Kubernetes comes from.", "supply.kubernetes_version", "v1.20.2"),
    _row("traits", "What a machine can do here.", "traits.cgroup_driver", "cgroupfs"),
    _row(
        "add_ons",
        "What to apply: name, type, and url or text.",
        "len add_ons",
        "1",
        "add_ons | length",
    ),
    _row(
        "cri_socket",
        "Where containerd listens, as this kubeadm wants it.",
        "cri_socket",
        "/run/containerd/containerd.sock",
    ),
    _row(
        "skipped_phases",
        "Phases of kubeadm that are skipped.",
        'join "," skipped_phases',
        "preflight",
        "skipped_phases | join(',')",
    ),
    _row(
        "ignored_preflight_errors",
        "Checks of kubeadm that no container passes.",
        "len ignored_preflight_errors",
        "0",
        "ignored_preflight_errors | length",
    ),
    _row(
        "kubeadm_config",
        "What kubeadm's --config reads; holds the token.",
        "kubeadm_config | lines | first",
        "apiVersion: kubeadm.k8s.io/v1beta2",
        "(kubeadm_config | lines)[0]",
    ),
    _row(
        "ca_certificate",
        "The certificate authority's certificate.",
        "ca_certificate | lines | first",
        "-----BEGIN CERTIFICATE-----",
        "(ca_certificate | lines)[0]",
    ),
    _row("token_id", "The token's public half.", "token_id", "abcdef"),
)
"""Upstream's words in capitals, ours in small letters."""
