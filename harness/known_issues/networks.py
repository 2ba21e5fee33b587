"""Known issues of the network between pods."""

from __future__ import annotations

from harness.errors import NotReadyError, PhaseError
from harness.known_issues.issue import KnownIssue

ISSUES = (
    KnownIssue(
        id="flannel-interface",
        title="flannel is told to use an interface that a machine does not have.",
        errors=(PhaseError, NotReadyError),
        patterns=(
            r"Could not find valid interface matching",
            r"Failed to find interface to use that matches the interfaces and/or regexes provided",
        ),
        why="`--iface=eth1` is a guess: names differ from box to box, and without it flannel takes"
        " the NAT interface.",
        cure="Name the interface by an address of the cluster's network:"
        " `--iface-can-reach=ADDRESS`.",
        sources=(
            "reference/peers.md, lesson 3",
            "flannel-io/flannel#1489",
            "flannel-io/flannel#764",
            "kubernetes/website#6870",
        ),
    ),
    KnownIssue(
        id="same-identity",
        title="Two machines have the same identity, and the pod network takes them for one.",
        errors=(PhaseError, NotReadyError),
        patterns=(
            r"peer names collision, retry: never",
            r"Calico node '[^']+' is already using the IPv4 address",
        ),
        why="Cloned machines keep machine-id and product_uuid; machines behind VirtualBox's NAT"
        " all have 10.0.2.15, and machines of one host its product_uuid.",
        cure="Empty /etc/machine-id in the box, give each machine a product_uuid of its own, and"
        " let the network add-on take the cluster's address (IP_AUTODETECTION_METHOD).",
        sources=(
            "reference/peers.md, lesson 11",
            "kubernetes/kubeadm#31",
            "weaveworks/weave#3438",
            "projectcalico/calico#1628",
        ),
    ),
    KnownIssue(
        id="no-pod-network",
        title="No pod network runs on a node.",
        errors=(NotReadyError,),
        patterns=(
            r"not within .*KubeletNotReady: .*(?:NetworkPluginNotReady|cni plugin not initialized)",
            r"not within .*KubeletNotReady: .*cni config uninitialized",
        ),
        why="No network add-on was applied, or its pod on this node does not run: kubelet finds no"
        " configuration in /etc/cni/net.d.",
        cure="See which pods of the add-on do not run, in the lines below the message or with"
        " `harness kubectl get pods --all-namespaces --output=wide`; an add-on that is not planned"
        " is added under AddOns in the group files.",
        sources=(
            "reference/peers.md, lesson 1",
            "reference/lab.md, Kubernetes with no upstream download, 8",
        ),
    ),
    KnownIssue(
        id="pods-do-not-reach-each-other",
        title="Every node is Ready, and pods on different nodes do not reach each other.",
        errors=(NotReadyError,),
        patterns=(r"a pod on \S+ reaching one on \S+: not within",),
        why="Ready says nothing about the network between nodes: a route is missing, the add-on"
        " uses the NAT interface, a firewall drops its packets, or the network card spoils the"
        " checksums of VXLAN.",
        cure="On the two nodes compare `ip route` with the podCIDRs (`harness kubectl get nodes"
        " --output=yaml`); with VXLAN try `ethtool -K flannel.1 tx-checksum-ip-generic off`.",
        sources=(
            "reference/peers.md, lesson 3",
            "flannel-io/flannel#1279",
            "projectcalico/calico#3145",
            "rancher/rke2#6307",
        ),
    ),
    KnownIssue(
        id="pod-ranges",
        title="Pods have addresses outside their node's range, or nodes share one.",
        errors=(NotReadyError,),
        patterns=(
            r"has address \S+, outside its node's range",
            r"nodes share a pod range",
        ),
        why="A CNI configuration of the box or of Docker was there before the add-on's: kubelet"
        " takes the first by name.",
        cure="Leave the add-on's file alone in /etc/cni/net.d on every node, and start its pods"
        " again.",
        sources=("reference/peers.md, lesson 4", "kubernetes-sigs/kubespray#2180"),
    ),
)
