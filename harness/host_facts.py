"""What is so on this host: looks, changes nothing, judges nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from harness import process
from harness.errors import HarnessError
from harness.lab import box, bundle, machines, traits
from harness.lab.steps import cache_dir
from harness.workspace import state_dir

QUICK_SECONDS = 10.0
LXC_PROGRAMS = ("ip", "lxc-create", "lxc-ls", "lxc-start", "nsenter", "unshare")
PROGRAMS = (*LXC_PROGRAMS, "VBoxManage")
# Root's programs are not on every user's PATH, and sudo finds them.
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
SYSTEM_PLUGINS = Path("/usr/share/vagrant-plugins/plugins.d")


@dataclass(frozen=True, slots=True)
class Space:
    """Free space at a place.

    Attributes:
        place: A folder, which need not exist yet.
        free_mib: What is free there.
    """

    place: str
    free_mib: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so on this host.

    Attributes:
        root: ``root``, ``sudo`` where sudo asks for no password, or empty.
        vagrant: Its version, or empty.
        vagrant_trouble: Why it does not say its version, although it is installed.
        plugins: Vagrant plugins that are installed.
        programs: Which of the programs that were looked for are there.
        namespace_trouble: Why no network namespace can be made; empty if one can.
        cgroup_version: 1 or 2.
        controllers: cgroup controllers that are usable.
        has_sys_resource: Whether CAP_SYS_RESOURCE is in the bounding set.
        has_overlay: Whether the kernel knows overlayfs.
        cache: Where bundle and box are, or will be.
        state: Where clusters are remembered.
        machines: Where LXC keeps what machines write.
        memory_mib: What is available, not what is free.
        inotify_instances: Limit per user.
        lab_machines: How many LXC machines are here already, as far as this user may know.
        has_virtualization: Whether the processor says ``vmx`` or ``svm``.
        has_kvm: Whether KVM can run a machine.
        bundle: Why the lab's bundle cannot be used; empty if it can.
        has_box: Whether the box of that bundle is there.
    """

    root: str
    vagrant: str
    vagrant_trouble: str
    plugins: frozenset[str]
    programs: frozenset[str]
    namespace_trouble: str
    cgroup_version: int
    controllers: frozenset[str]
    has_sys_resource: bool
    has_overlay: bool
    cache: Space
    state: Space
    machines: Space
    memory_mib: int
    inotify_instances: int
    lab_machines: int
    has_virtualization: bool
    has_kvm: bool
    bundle: str
    has_box: bool


def collect() -> Facts:
    """Return what is so on this host, in well under a second."""
    root = _root()
    version, controllers = _cgroups(
        Path("/sys/fs/cgroup/cgroup.controllers"), Path("/proc/cgroups")
    )
    trouble, has_box = _supplies()
    vagrant, vagrant_trouble = _vagrant()
    return Facts(
        root=root,
        vagrant=vagrant,
        vagrant_trouble=vagrant_trouble,
        plugins=plugins(),
        programs=frozenset(name for name in PROGRAMS if which(name)),
        namespace_trouble=_namespace_trouble(root),
        cgroup_version=version,
        controllers=frozenset(controllers),
        has_sys_resource=traits.detect().can_lower_oom_score,
        has_overlay=_has_overlay(),
        cache=_space(cache_dir()),
        state=_space(state_dir()),
        machines=_space(machines.FOLDER),
        memory_mib=available_mib(Path("/proc/meminfo").read_text()),
        inotify_instances=int(Path("/proc/sys/fs/inotify/max_user_instances").read_text()),
        lab_machines=_lab_machines(),
        has_virtualization=processor_virtualizes(),
        has_kvm=kvm_works(),
        bundle=trouble,
        has_box=has_box,
    )


def available_mib(meminfo: str) -> int:
    """Read how much memory new programs can have, from the text of /proc/meminfo."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(found[1]) // 1024 if found else 0


def has_virtualization(cpuinfo: str) -> bool:
    """Read whether the processor runs virtual machines, from the text of /proc/cpuinfo."""
    return bool(re.search(r"^flags\s*:.*\b(vmx|svm)\b", cpuinfo, re.MULTILINE))


def processor_virtualizes() -> bool:
    """Return whether this host's processor runs virtual machines."""
    return has_virtualization(Path("/proc/cpuinfo").read_text())


def kvm_works() -> bool:
    """Return whether KVM can run a machine.

    A /dev/kvm alone proves nothing: without the processor's flags a kernel hangs at boot.
    """
    return processor_virtualizes() and os.access("/dev/kvm", os.R_OK | os.W_OK)


def vagrant_home() -> Path:
    """Return where the user's own Vagrant keeps boxes, keys and plugins."""
    return Path(os.environ.get("VAGRANT_HOME", "~/.vagrant.d")).expanduser()


def which(name: str) -> str | None:
    """Return where a program is, for this user or for root."""
    return process.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}")


def _root() -> str:
    if os.geteuid() == 0:
        return "root"
    return "sudo" if not _trouble(["sudo", "-n", "true"]) else ""


def _trouble(argv: list[str]) -> str:
    """Return why a command fails, or nothing if it succeeds."""
    try:
        process.run(argv, timeout=QUICK_SECONDS)
    except process.ProcessFailed as error:
        return error.finished.tail or error.what
    return ""


def _lab_machines() -> int:
    try:
        return len(machines.names())
    except PermissionError:
        return 0


def _vagrant() -> tuple[str, str]:
    """Return Vagrant's version, or why it does not say it; nothing if it is not installed."""
    if process.which("vagrant") is None:
        return "", ""
    try:
        said = process.run(["vagrant", "--version"], timeout=QUICK_SECONDS)
    except process.ProcessFailed as error:
        return "", error.message
    # Plugins and Ruby may have something to say before it.
    version = re.search(r"^Vagrant (\S+)", said.stdout, re.MULTILINE)
    return (version[1], "") if version else ("", f"`vagrant --version` says: {said.tail}")


def plugins() -> frozenset[str]:
    """Read the plugins that Vagrant would load; asking Vagrant itself takes two seconds."""
    found = {path.stem for path in SYSTEM_PLUGINS.glob("*.json")}
    for home in (vagrant_home(), box.vagrant_home()):
        with contextlib.suppress(OSError, ValueError):
            found |= set(json.loads((home / "plugins.json").read_text())["installed"])
    return frozenset(found)


def _namespace_trouble(root: str) -> str:
    if not root:
        return "that needs root"
    prefix = ["sudo", "-n"] if root == "sudo" else []
    return _trouble([*prefix, "unshare", "--net", "--mount", "true"])


def _cgroups(unified: Path, legacy: Path) -> tuple[int, set[str]]:
    """Return the version of cgroups and the controllers that are on."""
    if unified.is_file():
        return 2, set(unified.read_text().split())
    rows = [line.split() for line in legacy.read_text().splitlines() if not line.startswith("#")]
    return 1, {name for name, _hierarchy, _count, enabled in rows if enabled == "1"}


def _has_overlay() -> bool:
    if "overlay" in Path("/proc/filesystems").read_text().split():
        return True
    # Not loaded is not missing: mounting it loads it.
    return not _trouble(["modinfo", "overlay"])


def _space(place: Path) -> Space:
    existing = next(path for path in (place, *place.parents) if path.exists())
    return Space(str(place), shutil.disk_usage(existing).free // 2**20)


def _supplies() -> tuple[str, bool]:
    try:
        supplies = bundle.load(bundle.default_path())
    except HarnessError as error:
        return error.message, False
    return "", box.find(supplies) is not None
