"""Known issues of the control plane and of nodes that join it."""

from __future__ import annotations

from harness.errors import NotReadyError, PhaseError
from harness.known_issues.issue import KnownIssue

ON_MACHINE = (PhaseError, NotReadyError)

ISSUES = (
    KnownIssue(
        id="clocks-differ",
        title="The machines' clocks differ: a certificate is not valid yet, or no longer.",
        errors=ON_MACHINE,
        patterns=(
            r"x509: certificate has expired or is not yet valid",
            r"certificate is not yet valid",
            r"the certificate is not valid yet",
        ),
        why="A host that slept, or a machine that was restored from a snapshot, has a clock that"
        " stood still; certificates and tokens are made for minutes.",
        cure="Run chrony in the box; now: set the clocks (`chronyc makestep`, or `date` on each"
        " machine), then `harness up` again.",
        sources=(
            "reference/peers.md, lesson 12",
            "kubernetes/kubeadm#240",
            "kubernetes/kubernetes#42791",
            "kubernetes-sigs/cluster-api-provider-vsphere#503",
        ),
    ),
    KnownIssue(
        id="etcd-address-gone",
        title="etcd shall listen at an address that the manager no longer has.",
        errors=ON_MACHINE,
        patterns=(r"listen tcp \S+: bind: cannot assign requested address",),
        why="The manager came back from `halt` with another address than the one that kubeadm"
        " wrote into its manifests.",
        cure="Give machines static addresses, as the harness does; `harness down` and `harness up`"
        " make the cluster anew.",
        sources=(
            "reference/peers.md, lesson 13",
            "kubernetes/minikube#7496",
            "kubernetes-sigs/kind#2045",
        ),
    ),
    KnownIssue(
        id="certificate-for-another-address",
        title="The API server's certificate is for another address than the one that is asked.",
        errors=ON_MACHINE,
        patterns=(r"x509: certificate is valid for .*, not ",),
        why="The manager has another address than when kubeadm made the certificate, or it is"
        " reached at one that is not among certSANs.",
        cure="Ask at the planned address; after a change of addresses `harness down` and"
        " `harness up`.",
        sources=("reference/peers.md, lesson 13", "kubernetes/minikube#8600"),
    ),
    KnownIssue(
        id="leases-lost",
        title="The control plane lost its leases, because the API server answers too slowly.",
        errors=ON_MACHINE,
        patterns=(r"leaderelection lost",),
        why="Scheduler and controller manager end themselves when they cannot renew their lease"
        " within 10 s, which starved processors and slow disks do not allow.",
        cure="Give the manager more processor; with a single manager set leader-elect to false, as"
        " the harness does.",
        sources=(
            "reference/lab.md, Four ways to get a machine",
            "kubernetes/kubernetes#65966",
            "kubernetes/kubernetes#108380",
        ),
    ),
    KnownIssue(
        id="api-too-slow",
        title="The API server is too slow to shake hands.",
        errors=ON_MACHINE,
        patterns=(r"net/http: TLS handshake timeout",),
        why="An emulated processor signs some 30 times slower; idle workers whose kubelet restarts"
        " for ever take the rest.",
        cure="Use real virtualisation or the lab (`--provider lxc`); with emulation use fewer"
        " machines and raise `--timeout`.",
        sources=("reference/lab.md, Four ways to get a machine", "kubernetes/kubernetes#63458"),
    ),
    KnownIssue(
        id="token-not-signed",
        title="The control plane has not signed the cluster's data for this token.",
        errors=(PhaseError,),
        patterns=(
            r"could not find a JWS signature in the cluster-info ConfigMap",
            r"within [\d.]+ s: the control plane has not signed our token yet",
        ),
        why="The controller manager signs cluster-info for each bootstrap token: it is not up yet,"
        " or the token has expired or was removed.",
        cure="See whether kube-controller-manager runs on the manager and `kubeadm token list`"
        " still has the token; `harness up` makes a new one if the cluster is made anew.",
        sources=(
            "reference/peers.md, lesson 9",
            "kubernetes-sigs/kind#588",
            "kubernetes/kubeadm#1988",
        ),
    ),
    KnownIssue(
        id="control-plane-silent",
        title="A worker does not reach the control plane.",
        errors=(PhaseError,),
        patterns=(r"within [\d.]+ s: the control plane does not answer yet: curl: \((?!60\))",),
        why="The API server is down, listens at another address (10.0.2.15, VirtualBox's NAT), or"
        " a firewall stands between the machines.",
        cure="On the manager: `harness kubectl get --raw /readyz`; on the worker: `curl -k` to the"
        " address in the message.",
        sources=(
            "reference/peers.md, lesson 9",
            "canonical/k8s-snap#1517",
            "kubernetes-sigs/kubespray#3216",
        ),
    ),
    KnownIssue(
        id="control-plane-lost-after-restart",
        title="A control plane that was finished does not come back after a restart.",
        errors=(PhaseError,),
        patterns=(r"the API server of this finished control plane does not answer",),
        why="Multi-node tools break at restarts: swap is back, modules are gone, or an address has"
        " changed. What kubelet and etcd say is below the message.",
        cure="Read the lines of kubelet; if nothing there can be mended, `harness down` and"
        " `harness up`.",
        sources=(
            "reference/peers.md, lesson 13",
            "kubernetes/minikube#9456",
            "kubernetes-sigs/kind#1689",
        ),
    ),
    KnownIssue(
        id="ca-not-pinned",
        title="The control plane has another certificate authority than the worker was told.",
        errors=(PhaseError,),
        patterns=(r"none of the public keys \\?\"sha256:[0-9a-f]+\\?\" are pinned",),
        why="The manager was made anew, or something else answers at its address.",
        cure="`harness down` and `harness up`: all machines then get the same authority.",
        sources=("reference/peers.md, lesson 9",),
    ),
    KnownIssue(
        id="node-name-taken",
        title="Another machine has joined under this node's name.",
        errors=(PhaseError,),
        patterns=(r"a Node with name \\?\"[^\"]+\\?\" and status \\?\"Ready\\?\" already exists",),
        why="Host names are the same on both, as on machines that were cloned without a new name,"
        " or the node was never removed when its machine was.",
        cure="Give each machine a name of its own; remove a node that is gone with"
        " `harness kubectl delete node NAME`.",
        sources=(
            "reference/peers.md, lesson 11",
            "kubernetes/kubeadm#31",
            "kubernetes-sigs/kubespray#3216",
        ),
    ),
    KnownIssue(
        id="node-behind-nat",
        title="A node has the address of VirtualBox's NAT, which every machine has.",
        errors=(NotReadyError,),
        patterns=(r"has InternalIP 10\.0\.2\.\d+ instead of ",),
        why="kubelet takes the address of the interface with the default route, and that is NAT on"
        " VirtualBox.",
        cure="Set node-ip in kubelet's arguments and advertiseAddress in kubeadm's configuration,"
        " as the harness's own scripts do.",
        sources=(
            "reference/peers.md, lesson 2",
            "kubernetes/kubeadm#1987",
            "kubernetes/kubernetes#33562",
            "techiescamp/vagrant-kubeadm-kubernetes#78",
        ),
    ),
    KnownIssue(
        id="node-not-registered",
        title="A machine is up, and the API server has no node of its name.",
        errors=(NotReadyError,),
        patterns=(r"every planned node Ready: not within .*has not registered",),
        why="kubelet on it does not run, cannot log in, or registered under another name; counting"
        " Ready nodes would not have shown it.",
        cure="Read the lines of its kubelet below the message, and `harness kubectl get nodes` for"
        " a name that nobody planned.",
        sources=(
            "reference/peers.md, lesson 1",
            "kubernetes-sigs/kind#2095",
            "kubernetes-sigs/kueue#9081",
        ),
    ),
)
