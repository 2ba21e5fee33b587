"""The lab's box: a vagrant-lxc box whose machines start with every image unpacked.

Images are imported once, on the host, into a private containerd whose folder becomes
/var/lib/containerd of the box; importing them inside an emulated machine took 5 min 33 s
(reference/lab.md).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process, wait
from harness.errors import HostError
from harness.lab import debian, locks, steps
from harness.lab.bundle import verify
from harness.lab.machines import FOLDER as LXC_MACHINES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.lab.bundle import Bundle, File
    from harness.lab.steps import OnEvent, Work

FILES = Path(__file__).parent / "files" / "box"
NAME = "harness-lab"
METADATA = {"provider": "lxc", "version": "1.0.0", "template-opts": {}}
BOX_FILE = "lab.box"
PACKAGES = (
    "systemd-sysv", "udev", "dbus", "libnss-myhostname", "openssh-server", "sudo",
    "ifupdown", "iproute2", "iptables", "ca-certificates", "curl", "kmod", "procps",
    "containerd", "runc", "containernetworking-plugins", "conntrack", "ethtool", "socat",
    "ipset", "ebtables",
)  # fmt: skip
# What a machine in a lab never needs, and what would only take the processor from kubeadm.
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service",
    "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "getty.target", "systemd-modules-load.service", "systemd-tmpfiles-clean.timer",
    "systemd-udev-trigger.service", "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket", "systemd-udevd.service",
)  # fmt: skip
QUICK_SECONDS = 60.0
COPY_SECONDS = 600.0
CONTAINERD_CONFIG = """\
version = 2
root = "{root}/root"
state = "{root}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{root}/containerd.sock"
"""


@dataclass(frozen=True, slots=True)
class Box:
    """A box that Vagrant knows.

    Attributes:
        name: As `config.vm.box` says it.
        directory: Where Vagrant keeps its files.
    """

    name: str
    directory: Path


def vagrant_home() -> Path:
    """Return the lab's own VAGRANT_HOME; the user's boxes and index are left alone."""
    return steps.cache_dir() / "vagrant"


def vagrant_environment() -> dict[str, str]:
    """Return what Vagrant needs to find the lab's boxes."""
    return {"VAGRANT_HOME": str(vagrant_home())}


def box_name(bundle: Bundle) -> str:
    """Name a box after what is in it, so that a new one never replaces one in use."""
    return f"{NAME}-{bundle.manifest.kubernetes_version}-{_digest(bundle)[:8]}"


def find(bundle: Bundle) -> Box | None:
    """Return the box of this bundle, or None if it is not built yet."""
    name = box_name(bundle)
    directory = _directory(name)
    # `shared` is the last thing that building makes.
    return Box(name, directory) if (directory / "shared").is_dir() else None


def boxes() -> list[Box]:
    """Return the lab's boxes, those of bundles that are gone included."""
    found = sorted(vagrant_home().glob(f"boxes/{NAME}-*/0/lxc"))
    return [Box(directory.parent.parent.name, directory) for directory in found]


def build(bundle: Bundle, *, on_event: OnEvent) -> Box:
    """Build the box of a bundle, step by step, and give it to Vagrant.

    Raises:
        HostError: If the bundle is damaged or a step fails; done steps are kept.
    """
    if found := find(bundle):
        return found
    verify(bundle)
    # Around all of it: to add a box again replaces its files, on which another harness may
    # have made machines meanwhile; and what the steps share is removed below.
    with locks.alone(steps.cache_dir() / "box.lock", "building the box", on_event):
        return find(bundle) or _build(bundle, on_event)


def _build(bundle: Bundle, on_event: OnEvent) -> Box:
    name = box_name(bundle)
    system = {"release": str(debian.release()), "files": _system_digest()}
    parts = {"bundle": bundle.digest}
    # The box is gone from Vagrant's folder, whatever the stamp of the last step says.
    (steps.cache_dir() / "box" / "add.json").unlink(missing_ok=True)
    work = [
        steps.Step("system", _system, system),
        steps.Step("images", lambda work: _images(work, bundle), parts),
        steps.Step("pack", lambda work: _pack(work, bundle), parts, needs=("system", "images")),
        steps.Step("add", lambda work: _add(name, work), {"name": name}, needs=("pack",)),
    ]
    done = steps.build(work, steps.cache_dir() / "box", label="box", on_event=on_event)
    # Vagrant's folder holds copies; these are not needed again until the bundle changes.
    for part in ("images", "pack"):
        shutil.rmtree(done[part].directory)
    built = Box(name, _directory(name))
    prune(keep=built)
    return built


def prune(*, keep: Box, machines: Path = LXC_MACHINES) -> list[Box]:
    """Remove boxes of former bundles, 2 GiB each, but for those that machines still share.

    Returns:
        What was removed.
    """
    configs = [path.read_text() for path in machines.glob("*/config")]
    removed = []
    for box in boxes():
        used = any(f"overlay:{box.directory}/" in config for config in configs)
        if box != keep and not used:
            shutil.rmtree(box.directory.parent.parent)
            removed.append(box)
    return removed


def _directory(name: str) -> Path:
    return vagrant_home() / "boxes" / name / "0" / "lxc"


def _digest(bundle: Bundle) -> str:
    return hashlib.sha256(f"{bundle.digest} {_system_digest()}".encode()).hexdigest()


def _system_digest() -> str:
    """Identify what makes the system, beside the release that it is made from."""
    digest = hashlib.sha256(repr((PACKAGES, MASKED)).encode())
    for path in sorted(path for path in FILES.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(FILES)}\0{path.read_text()}\0".encode())
    return digest.hexdigest()


def _system(work: Work) -> None:
    """Make the machine's Debian, without Kubernetes, as a folder `root`."""
    archive = debian.make_root(PACKAGES, work, variant="minbase")
    root = work.directory / "root"
    root.mkdir()
    extract = ["tar", "--extract", "--numeric-owner"]
    extract += ["--file", str(archive), "--directory", str(root)]
    work.run(extract, timeout=COPY_SECONDS)
    work.say("setting up the login user and the services")
    _copy_files(FILES / "root", root)
    add_login_user(work, root)
    units = root / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    # Started by the init script, once its configuration is written.
    (units / "multi-user.target.wants/containerd.service").unlink(missing_ok=True)
    (units / "multi-user.target.wants/harness-cgroups.service").symlink_to(
        "../harness-cgroups.service"
    )
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "etc/hostname").unlink(missing_ok=True)  # LXC gives it
    (root / "etc/machine-id").write_text("")  # systemd makes one at first boot
    (root / "etc/resolv.conf").write_text("")  # there is nobody to ask
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (root / "etc/default/locale").write_text("LANG=C.UTF-8\n")


def _copy_files(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file():
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)


def add_login_user(work: Work, root: Path) -> None:
    """Make the user that every Vagrant box has, open to Vagrant's insecure key."""
    useradd = ["chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", "vagrant"]
    work.run(useradd, timeout=QUICK_SECONDS)
    ssh = root / "home/vagrant/.ssh"
    ssh.mkdir(mode=0o700)
    keys = ssh / "authorized_keys"
    keys.write_text(_insecure_public_key())
    keys.chmod(0o600)
    owner = ["chroot", str(root), "chown", "--recursive", "vagrant:vagrant", "/home/vagrant"]
    work.run(owner, timeout=QUICK_SECONDS)
    sudoers = root / "etc/sudoers.d/vagrant"
    sudoers.write_text("vagrant ALL=(ALL) NOPASSWD:ALL\n")
    sudoers.chmod(0o440)


def _insecure_public_key() -> str:
    found = sorted(Path("/usr/share").glob("**/keys/vagrant.pub"))
    if not found:
        raise HostError(
            "Vagrant's public key is not on this host.", hint="Install the package `vagrant`."
        )
    return found[0].read_text()


def _images(work: Work, bundle: Bundle) -> None:
    """Unpack the bundle's images as containerd keeps them."""
    home = work.scratch
    config = home / "config.toml"
    config.write_text(CONTAINERD_CONFIG.format(root=home))
    address = ["--address", str(home / "containerd.sock"), "--namespace", "k8s.io"]
    with process.background(["containerd", "--config", str(config)], log=work.log):
        wait.until(
            lambda: _answers(["ctr", *address, "version"]),
            timeout=QUICK_SECONDS,
            interval=0.1,
            what="the private containerd",
        )
        for archive in _files(bundle, bundle.manifest.images):
            work.say(f"unpacking {archive.name}")
            work.run(["ctr", *address, "images", "import", archive], timeout=COPY_SECONDS)
    tree = work.directory / "var/lib/containerd"
    tree.parent.mkdir(parents=True)
    shutil.move(home / "root", tree)


def _files(bundle: Bundle, entries: Iterable[File]) -> list[Path]:
    return [bundle.file(entry.path) for entry in entries]


def _answers(argv: list[str]) -> str | None:
    finished = process.run(argv, timeout=QUICK_SECONDS, check=False)
    return None if finished.exit_status == 0 else finished.tail


def _pack(work: Work, bundle: Bundle) -> None:
    """Put system, binaries and images into one box file."""
    box, binaries = work.scratch / "box", work.scratch / "binaries"
    box.mkdir()
    for binary in _files(bundle, bundle.manifest.binaries):
        place = binaries / "usr/local/bin" / binary.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(binary, place)
        place.chmod(0o755)
    work.say("packing the machine's root")
    trees = (
        work.needs["system"].directory / "root",
        work.needs["images"].directory,
        binaries,
    )
    parts = [word for tree in trees for word in ("--directory", str(tree), ".")]
    pack = ["tar", "--create", "--numeric-owner", "--use-compress-program=pigz --fast"]
    work.run([*pack, "--file", box / "rootfs.tar.gz", *parts], timeout=COPY_SECONDS)
    shutil.copy(FILES / "lxc-config", box)
    shutil.copy(FILES / "lxc-template", box)
    (box / "metadata.json").write_text(json.dumps(METADATA))
    work.say("closing the box")
    close = ["tar", "--create", "--file", work.directory / BOX_FILE, "--directory", box, "."]
    work.run(close, timeout=COPY_SECONDS)


def _add(name: str, work: Work) -> None:
    """Give the box to Vagrant and unpack it once, for all machines to share."""
    for left in vagrant_home().glob("tmp/vagrant-box-add-temp-*"):  # by one that was killed
        shutil.rmtree(left)
    work.say("giving the box to Vagrant")
    box_file = work.needs["pack"].directory / BOX_FILE
    words = ["vagrant", "box", "add", "--force", "--provider", "lxc", "--name", name]
    environment = {**os.environ, **vagrant_environment()}
    work.run([*words, box_file], timeout=COPY_SECONDS, env=environment)
    work.say("unpacking the box that the machines will share")
    directory = _directory(name)
    unpack = [directory / "lxc-template", "--tarball", directory / "rootfs.tar.gz"]
    work.run(unpack, timeout=COPY_SECONDS)
