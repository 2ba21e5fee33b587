"""Known issues of the host on which machines shall run."""

from __future__ import annotations

from harness.errors import HostError, NotReadyError, PhaseError, ProviderError
from harness.known_issues.issue import KnownIssue

ISSUES = (
    KnownIssue(
        id="no-virtualisation",
        title="The processor offers no virtualisation, or the firmware has switched it off.",
        errors=(HostError, ProviderError),
        patterns=(
            r"The processor offers no virtualisation \(neither vmx nor svm\)",
            r"Domain requires KVM, but it is not available",
            r"VERR_VMX_NO_VMX|VERR_SVM_NO_SVM",
        ),
        why="A virtual machine needs vmx or svm among the processor's flags. That /dev/kvm exists"
        " proves nothing: it may open and answer, and a kernel still hangs at its boot.",
        cure="Enable virtualisation in the firmware (or nested virtualisation in the outer"
        " machine), or use the lab, which needs none: `--provider lxc`.",
        sources=(
            "reference/lab.md, Four ways to get a machine",
            "virtkick/virtkick#163",
            "openebs/openebs#574",
        ),
    ),
    KnownIssue(
        id="kvm-holds-the-processor",
        title="KVM holds the processor's virtualisation, and VirtualBox cannot have it too.",
        errors=(ProviderError,),
        patterns=(r"VERR_VMX_IN_VMX_ROOT_MODE|VERR_SVM_IN_USE",),
        why="Since Linux 6.12 the kvm modules take the processor when they are loaded, not when"
        " their first machine starts.",
        cure="Boot with `kvm.enable_virt_at_load=0`, unload kvm_intel or kvm_amd, or use"
        " `--provider libvirt`.",
        sources=(
            "reference/peers.md, below the lessons",
            "VirtualBox/virtualbox#81",
            "NixOS/nixpkgs#363887",
            "kubernetes/minikube#4913",
        ),
    ),
    KnownIssue(
        id="vagrant-plugin-missing",
        title="Vagrant does not know the provider: its plugin is not installed.",
        errors=(HostError, ProviderError),
        patterns=(
            r"The Vagrant plugin \S+ is not installed",
            r"The provider '[^']+' could not be found, but was requested",
        ),
        why="libvirt and LXC are plugins of Vagrant, and VAGRANT_HOME decides which are seen.",
        cure="Install it: `apt-get install vagrant-lxc` or `vagrant-libvirt`; `harness doctor`"
        " tells what else is missing.",
        sources=("reference/lab.md, Four ways to get a machine",),
    ),
    KnownIssue(
        id="no-network-namespace",
        title="This host lets nobody make a network namespace.",
        errors=(HostError,),
        patterns=(r"No network namespace can be made",),
        why="The lab lives in a namespace of its own, so that the host's network stays as it is"
        " and two clusters may use the same addresses. An unprivileged container lacks"
        " CAP_SYS_ADMIN.",
        cure="Run as root; in a container, run that one privileged.",
        sources=("reference/lab.md, A network of its own",),
    ),
    KnownIssue(
        id="cgroup-controllers-missing",
        title="The host's kernel lacks cgroup controllers that kubelet needs.",
        errors=(HostError,),
        patterns=(r"cgroup v\d lacks the controllers ",),
        why="kubelet limits pods by cpu, cpuset, memory and pids; some distributions leave memory"
        " off.",
        cure="Enable them in the kernel's command line, for example `cgroup_enable=memory`.",
        sources=("reference/lab.md, What the LXC machine needs",),
    ),
    KnownIssue(
        id="inotify-exhausted",
        title="The host's users may open no more inotify instances.",
        errors=(PhaseError, NotReadyError),
        patterns=(
            r"inotify_init: too many open files",
            r"Failed to (?:allocate directory watch|create inotify object): Too many open files",
        ),
        why="systemd, containerd and kubelet of every machine of the lab watch files, and all of"
        " them count for the host's one root.",
        cure="Raise it on the host: `sysctl fs.inotify.max_user_instances=512`.",
        sources=(
            "kubernetes/kubernetes#58081",
            "google/cadvisor#2363",
            "kubernetes-sigs/kind#2972",
        ),
    ),
    KnownIssue(
        id="leftovers",
        title="Something of a removed cluster is still on this host.",
        errors=(HostError,),
        patterns=(r"Still there: ",),
        why="A machine that Vagrant has forgotten, or a process in the cluster's namespace, did"
        " not go away in time. Orphans are what Vagrant-driven tests leave behind most.",
        cure="Run `harness down` again: it finds machines by their name, whether Vagrant knows"
        " them or not.",
        sources=("reference/peers.md, lesson 14", "hashicorp/vagrant#4648"),
    ),
)
