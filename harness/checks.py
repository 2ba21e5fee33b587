"""The checks of a host: each looks at facts and says what it found, with a cure.

Pure; `host_facts` collects the facts and `doctor` puts the checks to use.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from harness.host_facts import LXC_PROGRAMS
from harness.spec import ProviderName

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.host_facts import Facts, Space

CLUSTER_MIB = 3 * 1024
SUPPLIES_MIB = 6 * 1024
MACHINE_MIB = 1024
# The manager of a cluster that is Ready has 15, a worker 13.
MACHINE_INOTIFY = 20
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")


class Level(StrEnum):
    """How bad a finding is: only an error stops `up`."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: Its short name.
        level: How bad it is.
        message: What was found, in one sentence.
        cure: What to do about it; empty where nothing is needed.
    """

    check: str
    level: Level
    message: str
    cure: str = ""


def _verdict(
    check: str, good: str, bad: str, cure: str, *, is_good: bool, level: Level = Level.ERROR
) -> Finding:
    return Finding(check, Level.OK, good) if is_good else Finding(check, level, bad, cure)


def _vagrant(facts: Facts) -> Finding:
    if facts.vagrant_trouble:
        return Finding(
            "vagrant",
            Level.ERROR,
            f"Vagrant does not work: {facts.vagrant_trouble}",
            "Run `vagrant --version`, and mend what it complains of.",
        )
    return _verdict(
        "vagrant",
        f"Vagrant {facts.vagrant}.",
        "Vagrant is not installed, or not on PATH.",
        "Install it: `apt-get install vagrant`, or from its makers.",
        is_good=bool(facts.vagrant),
    )


def _plugin(name: str) -> Callable[[Facts], Finding]:
    def check(facts: Facts) -> Finding:
        return _verdict(
            name,
            f"The Vagrant plugin {name} is installed.",
            f"The Vagrant plugin {name} is not installed.",
            f"Install it: `apt-get install {name}`, or `vagrant plugin install {name}`.",
            is_good=name in facts.plugins,
        )

    return check


def _root(facts: Facts) -> Finding:
    good = "This is root." if facts.root == "root" else "sudo asks for no password."
    return _verdict(
        "root",
        good,
        "This is not root, and sudo asks for a password; the lab's machines need root.",
        "Run it as root, or give this user password-less sudo.",
        is_good=bool(facts.root),
    )


def _lxc(facts: Facts) -> Finding:
    missing = [name for name in LXC_PROGRAMS if name not in facts.programs]
    return _verdict(
        "lxc",
        "LXC's tools are installed.",
        f"Programs are missing: {', '.join(missing)}.",
        "Install them: `apt-get install lxc iproute2 util-linux`.",
        is_good=not missing,
    )


def _namespace(facts: Facts) -> Finding:
    return _verdict(
        "namespace",
        "Network namespaces can be made.",
        f"No network namespace can be made: {facts.namespace_trouble}.",
        "The harness needs CAP_SYS_ADMIN: in a container, run that one privileged.",
        is_good=not facts.namespace_trouble,
    )


def _cgroups(facts: Facts) -> Finding:
    missing = [name for name in CONTROLLERS if name not in facts.controllers]
    return _verdict(
        "cgroups",
        f"cgroup v{facts.cgroup_version} with {', '.join(CONTROLLERS)}.",
        f"cgroup v{facts.cgroup_version} lacks the controllers {', '.join(missing)}.",
        "Enable them in the kernel's command line, for example `cgroup_enable=memory`.",
        is_good=not missing,
    )


def _sys_resource(facts: Facts) -> Finding:
    return _verdict(
        "resources",
        "Machines may lower oom_score_adj.",
        "CAP_SYS_RESOURCE is missing: the machines are told not to lower oom_score_adj.",
        "Nothing needs to be done; without it the kernel may end a pod's processes earlier.",
        is_good=facts.has_sys_resource,
        level=Level.WARNING,
    )


def _overlay(facts: Facts) -> Finding:
    return _verdict(
        "overlayfs",
        "The kernel knows overlayfs.",
        "The kernel does not know overlayfs, on which machines and containers stand.",
        "Load it: `modprobe overlay`.",
        is_good=facts.has_overlay,
    )


def inotify(facts: Facts, machines: int) -> Finding:
    """Every machine's systemd, kubelet and containerd watch files, those of other clusters too."""
    wanted = (facts.lab_machines + machines) * MACHINE_INOTIFY
    return _verdict(
        "inotify",
        f"{facts.inotify_instances} inotify instances per user.",
        f"Only {facts.inotify_instances} inotify instances per user; {wanted} are safe.",
        f"Raise it: `sysctl fs.inotify.max_user_instances={wanted}`.",
        is_good=facts.inotify_instances >= wanted,
        level=Level.WARNING,
    )


def cache_space(facts: Facts) -> Finding:
    """Bundle and box want about half each; what is there already wants nothing."""
    needed = SUPPLIES_MIB // 2 * (bool(facts.bundle) + (not facts.has_box))
    return _space("cache space", facts.cache, needed, "bundle and box")


def _state_space(facts: Facts) -> Finding:
    return _space("state space", facts.state, CLUSTER_MIB, "a cluster")


def _machine_space(facts: Facts) -> Finding:
    return _space("machine space", facts.machines, CLUSTER_MIB, "a cluster's machines")


def _space(check: str, space: Space, needed_mib: int, purpose: str) -> Finding:
    free = f"{space.free_mib / 1024:.1f} GiB are free at {space.place}"
    return _verdict(
        check,
        f"{free}.",
        f"Only {free}, and {purpose} need {needed_mib / 1024:.0f} GiB.",
        "Free some space, or set HARNESS_CACHE_DIR and HARNESS_STATE_DIR to a larger disk.",
        is_good=space.free_mib >= needed_mib,
    )


def memory(facts: Facts, machines: int) -> Finding:
    """Machines of the lab take what they use, and no more."""
    wanted = machines * MACHINE_MIB
    return _verdict(
        "memory",
        f"{facts.memory_mib} MiB of memory are available.",
        f"Only {facts.memory_mib} MiB of memory are available; {machines} machines want {wanted}.",
        "End other programs, or plan fewer machines.",
        is_good=facts.memory_mib >= wanted,
        level=Level.WARNING,
    )


def _kvm(facts: Facts) -> Finding:
    lacks = (
        "/dev/kvm is not there or not ours" if facts.has_virtualization else "neither vmx nor svm"
    )
    return _verdict(
        "kvm",
        "KVM works.",
        f"KVM does not work here ({lacks}): machines are emulated, some 30 times slower.",
        "Enable virtualisation in the firmware, or use the lab: `--provider lxc`.",
        is_good=facts.has_kvm,
        level=Level.WARNING,
    )


def _virtualbox(facts: Facts) -> Finding:
    return _verdict(
        "virtualbox",
        "VirtualBox is installed.",
        "VirtualBox is not installed: there is no VBoxManage on PATH.",
        "Install VirtualBox, or use the lab: `--provider lxc`.",
        is_good="VBoxManage" in facts.programs,
    )


def _virtualization(facts: Facts) -> Finding:
    return _verdict(
        "virtualisation",
        "The processor offers virtualisation.",
        "The processor offers no virtualisation (neither vmx nor svm), which VirtualBox needs.",
        "Enable it in the firmware, or use the lab: `--provider lxc`.",
        is_good=facts.has_virtualization,
    )


def _bundle(facts: Facts) -> Finding:
    return _verdict(
        "bundle",
        "The bundle is there.",
        f"The lab's supplies cannot be used: {facts.bundle}.",
        "Build them: `harness bundle build`.",
        is_good=not facts.bundle,
    )


def _box(facts: Facts) -> Finding:
    return _verdict(
        "box",
        "The box is there.",
        "The lab's box is not built.",
        "Build it: `harness box build`.",
        is_good=facts.has_box,
    )


CHECKS: dict[ProviderName, Sequence[Callable[[Facts], Finding]]] = {
    ProviderName.LXC: (
        *(_vagrant, _plugin("vagrant-lxc"), _lxc, _root, _namespace, _cgroups, _overlay),
        *(_sys_resource, cache_space, _state_space, _machine_space, _bundle, _box),
    ),
    ProviderName.LIBVIRT: (_vagrant, _plugin("vagrant-libvirt"), _kvm, _state_space),
    ProviderName.VIRTUALBOX: (_vagrant, _virtualbox, _virtualization, _state_space),
}
"""What is looked at for each provider, in the order in which one would mend it."""
