"""Known issues of what runs on a machine: its preparation, containerd, kubelet, pods."""

from __future__ import annotations

from harness.errors import NotReadyError, PhaseError
from harness.known_issues.issue import KnownIssue

ON_MACHINE = (PhaseError, NotReadyError)

ISSUES = (
    KnownIssue(
        id="own-name-unknown",
        title="A machine cannot resolve its own name, and every sudo waits for that.",
        errors=ON_MACHINE,
        patterns=(r"sudo: unable to resolve host",),
        why="sudo looks its host up; where neither /etc/hosts nor nss-myhostname knows it, a"
        " resolver is asked, which may not be there: 20 s for each command.",
        cure="Put the machine's name into its /etc/hosts, as `scripts/prepare-host.sh` does, or"
        " install libnss-myhostname in the box.",
        sources=("reference/lab.md, What the LXC machine needs",),
    ),
    KnownIssue(
        id="dpkg-locked",
        title="Another program holds dpkg's lock.",
        errors=(PhaseError,),
        patterns=(
            r"Unable to (?:acquire the dpkg frontend lock|lock the administration directory)",
        ),
        why="Most boxes begin with unattended-upgrades or cloud-init installing packages by"
        " themselves.",
        cure="The scripts wait 300 s for it. Use a box without unattended upgrades, or stop"
        " apt-daily.timer and apt-daily-upgrade.timer in it, and run `harness up` again.",
        sources=("reference/peers.md, lesson 8", "chef/bento#942", "hashicorp/vagrant#8075"),
    ),
    KnownIssue(
        id="kubernetes-repository-gone",
        title="A package repository that a machine shall install from no longer exists.",
        errors=(PhaseError,),
        patterns=(r"The repository '[^']+' does not have a Release file",),
        why="apt.kubernetes.io and packages.cloud.google.com were switched off in March 2024;"
        " boxes and scripts from before still name them.",
        cure="Install from pkgs.k8s.io, as `scripts/install-kubeadm.sh` does, and remove the old"
        " list from /etc/apt/sources.list.d in the box.",
        sources=(
            "reference/peers.md, lesson 7",
            "kubernetes/release#3564",
            "techiescamp/vagrant-kubeadm-kubernetes#63",
        ),
    ),
    KnownIssue(
        id="kubeadm-wants-crictl",
        title="kubeadm's preflight demands crictl, which is not installed.",
        errors=(PhaseError,),
        patterns=(r"\[ERROR FileExisting-crictl\]",),
        why="Debian does not package crictl, and kubeadm 1.20 takes its absence for an error.",
        cure="Say in the bundle's manifest that it has no crictl, so that kubeadm skips what needs"
        " it, or put crictl into the bundle.",
        sources=("reference/lab.md, Kubernetes with no upstream download, 6",),
    ),
    KnownIssue(
        id="kernel-not-prepared",
        title="A machine's kernel is not set up for pods: bridged packets or forwarding are off.",
        errors=(PhaseError,),
        patterns=(r"\[ERROR FileContent--proc-sys-net-",),
        why="br_netfilter is not loaded, or net.ipv4.ip_forward is 0; both are lost at a reboot"
        " unless they are written down.",
        cure="Load br_netfilter and overlay, set net.ipv4.ip_forward and"
        " net.bridge.bridge-nf-call-iptables to 1, in /etc/modules-load.d and /etc/sysctl.d, as"
        " `scripts/prepare-host.sh` does.",
        sources=("reference/peers.md, lesson 10",),
    ),
    KnownIssue(
        id="swap-on",
        title="Swap is on, and kubelet refuses to run beside it.",
        errors=ON_MACHINE,
        patterns=(
            r"(?i:running with swap on is not supported)",
            r"\[ERROR Swap\]",
        ),
        why="It was never switched off, or the machine was booted again and /etc/fstab still names"
        " it. Machines of the lab see the host's swap.",
        cure="`swapoff --all`, and take swap out of /etc/fstab; for the lab, on the host, or set"
        " failSwapOn to false in kubelet's configuration.",
        sources=(
            "reference/peers.md, lesson 10",
            "kubernetes/kubeadm#610",
            "NixOS/nixpkgs#50443",
        ),
    ),
    KnownIssue(
        id="versions-differ",
        title="kubeadm and kubelet on a machine are of versions that do not fit.",
        errors=(PhaseError,),
        patterns=(
            r"\[ERROR KubeletVersion\]",
            r"this version of kubeadm only supports deploying clusters with the control plane",
        ),
        why="The packages were not held at one version, or the box has others than are planned.",
        cure="Hold kubeadm, kubelet and kubectl at the planned version (`apt-mark hold`), or"
        " rebuild the box.",
        sources=("reference/peers.md, lesson 10",),
    ),
    KnownIssue(
        id="overlay-on-overlay",
        title="containerd's folder lies on an overlay, and overlays cannot be stacked there.",
        errors=ON_MACHINE,
        patterns=(
            r"failed to mount rootfs component.*: invalid argument",
            r"failed to mount /tmp/containerd-mount\d+: invalid argument",
        ),
        why="A machine of the lab has an overlay for its root; containerd's snapshots are overlays"
        " too, whose upper folder must be on another kind of file system.",
        cure="Give /var/lib/containerd a folder of the host's own file system, as the lab's box"
        " does (`lxc-template`).",
        sources=(
            "reference/lab.md, Pre-loading images",
            "kubeedge/kubeedge#5088",
            "containerd/containerd#2402",
        ),
    ),
    KnownIssue(
        id="cgroup-driver-mismatch",
        title="containerd and kubelet disagree on the cgroup driver.",
        errors=ON_MACHINE,
        patterns=(
            r"expected cgroupsPath to be of format",
            r"kubelet cgroup driver: \\?\"\w+\\?\" is different from docker cgroup driver",
        ),
        why="containerd has SystemdCgroup = true and kubelet cgroupDriver: cgroupfs, or the other"
        " way round; no pod's sandbox can be made.",
        cure="Set both to the same: cgroupfs in the lab, systemd in virtual machines. In"
        " /etc/containerd/config.toml that is SystemdCgroup, in kubelet's cgroupDriver.",
        sources=(
            "reference/lab.md, What the LXC machine needs",
            "reference/peers.md, lesson 10",
            "kubernetes-sigs/kubespray#8122",
            "kubernetes/kubernetes#107892",
        ),
    ),
    KnownIssue(
        id="oom-score",
        title="A machine may not lower oom_score_adj, and no sandbox starts.",
        errors=ON_MACHINE,
        patterns=(
            r"can't get final child's PID from pipe: EOF",
            r"getting the final child's pid from pipe caused",
        ),
        why="The host lacks CAP_SYS_RESOURCE, so that runc's first process is refused. A kernel"
        " whose user.max_user_namespaces or memory is used up says the same.",
        cure="Set restrict_oom_score_adj = true in containerd and oomScoreAdj: 0 in kubelet and"
        " kube-proxy; the harness does where it sees that the capability is missing.",
        sources=(
            "reference/lab.md, What the LXC machine needs",
            "opencontainers/runc#4905",
            "moby/moby#40835",
        ),
    ),
    KnownIssue(
        id="sandbox-image-missing",
        title="containerd's sandbox image is not on the machine and cannot be fetched.",
        errors=ON_MACHINE,
        patterns=(r"failed to get sandbox image",),
        why="containerd's own default names another pause image than the one that the bundle has.",
        cure="Set sandbox_image in /etc/containerd/config.toml to the pause image that kubeadm"
        " uses (`kubeadm config images list`) and restart containerd.",
        sources=(
            "reference/lab.md, Kubernetes with no upstream download, 7",
            "reference/peers.md, lesson 10",
        ),
    ),
    KnownIssue(
        id="image-pull-limit",
        title="Docker Hub gives this address no more images for now.",
        errors=ON_MACHINE,
        patterns=(r"toomanyrequests: You have reached your (?:unauthenticated )?pull rate limit",),
        why="Without an account an address gets few images per hour, and all machines share one.",
        cure="Wait, use a registry mirror, log in, or put the images into the box.",
        sources=(
            "reference/peers.md, lesson 7",
            "canonical/k8s-snap#845",
            "kata-containers/kata-containers#10109",
            "projectcalico/calico#4918",
        ),
    ),
    KnownIssue(
        id="image-not-preloaded",
        title="A pod's image is not on its node and cannot be fetched.",
        errors=ON_MACHINE,
        patterns=(r"is waiting: (?:ErrImagePull|ImagePullBackOff|ErrImageNeverPull)",),
        why="Without a network a node has only the images of its box; an add-on that names others"
        " waits for ever.",
        cure="Put the image into the bundle (docs/air-gapped.md), or use an add-on whose images"
        " are there.",
        sources=("reference/lab.md, Pre-loading images", "reference/peers.md, lesson 7"),
    ),
    KnownIssue(
        id="cgroups-mounted-apart",
        title="kubelet does not find the cgroup controller cpu.",
        errors=ON_MACHINE,
        patterns=(r"mountpoint for \w+ not found",),
        why="On a cgroup v1 host that mounts cpu and cpuacct apart, systemd in the machine looks"
        " for them together and mounts neither; or kubelet is too old for cgroup v2.",
        cure="Mount each missing controller before containerd starts, as the lab's unit"
        " harness-cgroups does.",
        sources=(
            "reference/lab.md, What the LXC machine needs",
            "rancher/rancher#12045",
            "kubernetes/minikube#5996",
        ),
    ),
    KnownIssue(
        id="kubelet-without-configuration",
        title="kubelet was started before it had a configuration, and restarts for ever.",
        errors=ON_MACHINE,
        patterns=(r"failed to load Kubelet config file /var/lib/kubelet/config\.yaml",),
        why="kubeadm writes /var/lib/kubelet/config.yaml. A kubelet that is enabled earlier crashes"
        " every few seconds and eats the processor that `kubeadm init` needs.",
        cure="Let kubelet be started by `kubeadm init` or `kubeadm join` alone; if they are over,"
        " find out who removed the file, `harness down` and `harness up`.",
        sources=("reference/lab.md, What the LXC machine needs",),
    ),
    KnownIssue(
        id="kube-proxy-conntrack",
        title="kube-proxy may not change the host's connection tracking, and dies of it.",
        errors=ON_MACHINE,
        patterns=(
            r"open /proc/sys/net/netfilter/nf_conntrack_\w+: (?:permission denied|read-only)",
        ),
        why="A container may not write the host's sysctls.",
        cure="Set conntrack.maxPerCore to 0 in kube-proxy's configuration, and its timeouts to 0s;"
        " the harness does for machines of the lab.",
        sources=(
            "reference/lab.md, What the LXC machine needs",
            "kubernetes-sigs/kind#2240",
            "kubernetes/minikube#11418",
            "k3d-io/k3d#612",
        ),
    ),
    KnownIssue(
        id="coredns-loop",
        title="CoreDNS forwards to itself.",
        errors=ON_MACHINE,
        patterns=(r"plugin/loop: (?:Loop|Seen) .*(?:detected for zone|loop detected)",),
        why="kubelet hands pods the node's /etc/resolv.conf, which under systemd-resolved names"
        " 127.0.0.53: from inside a pod that is the pod.",
        cure="Set kubelet's resolvConf to /run/systemd/resolve/resolv.conf and restart CoreDNS's"
        " pods.",
        sources=(
            "reference/peers.md, lesson 10",
            "kubernetes/kubeadm#1162",
            "coredns/coredns#2087",
            "coredns/coredns#2795",
        ),
    ),
)
