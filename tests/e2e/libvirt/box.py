"""A box for vagrant-libvirt: a small Debian on a disk that boots by itself.

Users with KVM take public boxes; this one is test equipment for a host that reaches
nothing but a Debian mirror. No part of it needs a loop device or a mount.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process
from harness.lab import box as lab_box
from harness.lab import debian, steps

if TYPE_CHECKING:
    from harness.lab.steps import OnEvent, Work

NAME = "harness-libvirt-test"
PACKAGES = (
    "linux-image-cloud-amd64", "systemd-sysv", "udev", "libnss-myhostname", "openssh-server",
    "sudo", "ifupdown", "isc-dhcp-client", "iproute2", "kmod", "procps",
)  # fmt: skip
# What the lab masks because its machines are containers; these are not.
NEEDED = ("udev", "modules-load")
# Half of the time to the network, in emulation: the one waits for every device to be known,
# the other for a bus that is not there.
SLOW = ("ifupdown-pre.service", "systemd-logind.service")
SECTOR = 512
BOOT_START, BOOT_SECTORS = 2048, 96 * 2048
ROOT_START = BOOT_START + BOOT_SECTORS
DISK_GIB = 2
PARTITIONS = f"""\
label: dos
start={BOOT_START}, size={BOOT_SECTORS}, type=e, bootable
start={ROOT_START}, type=83
"""
BOOT_LOADER = """\
DEFAULT linux
LABEL linux
KERNEL vmlinuz
INITRD initrd.img
APPEND root=/dev/vda2 rw net.ifnames=0 quiet mitigations=off apparmor=0
"""
FILES = {
    "etc/fstab": "",  # the root is there already; systemd would wait for its device
    "etc/hostname": "debian\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/machine-id": "",
    "etc/network/interfaces": "auto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n",
    # All that is needed to find the root: the smaller, the sooner it is unpacked.
    "etc/initramfs-tools/conf.d/small": "MODULES=list\nRESUME=none\nCOMPRESS=gzip\n",
    "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\n",
}
# Vagrant would find it out by running a command for each system that it knows.
VAGRANTFILE = "Vagrant.configure('2') { |config| config.vm.guest = :debian }\n"
LAB_FILES = (
    "etc/ssh/sshd_config.d/harness.conf",
    "etc/systemd/system/ssh.service.d/hostkey.conf",
)
MBR = Path("/usr/lib/syslinux/mbr/mbr.bin")
MBR_CODE_BYTES = 440
QUICK_SECONDS = 120.0
COPY_SECONDS = 600.0


def root() -> Path:
    """Return where the box, its parts and its own VAGRANT_HOME are kept."""
    return steps.cache_dir() / "libvirt-box"


def build(*, on_event: OnEvent) -> Path:
    """Build the box if it is not there; return the VAGRANT_HOME that has it."""
    inputs = {
        "release": str(debian.release()),
        "recipe": Path(__file__).read_text(),
        "lab": [(lab_box.FILES / "root" / name).read_text() for name in LAB_FILES],
    }
    work = [
        steps.Step("system", _system, inputs),
        steps.Step("disk", _disk, needs=("system",)),
        steps.Step("vagrant", _add, needs=("disk",)),
    ]
    return steps.build(work, root(), label="libvirt box", on_event=on_event)["vagrant"].directory


def _system(work: Work) -> None:
    """Make the machine's Debian as a folder `root`."""
    archive = debian.make_root(PACKAGES, work, variant="minbase")
    tree = work.directory / "root"
    tree.mkdir()
    work.run(["tar", "--extract", "--numeric-owner", "--file", archive, "--directory", tree],
             timeout=COPY_SECONDS)  # fmt: skip
    for name, text in FILES.items():
        (tree / name).write_text(text)
    for name in LAB_FILES:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(lab_box.FILES / "root" / name, tree / name)
    for key in (tree / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    units = tree / "etc/systemd/system"
    for unit in (*lab_box.MASKED, *SLOW):
        if not any(word in unit for word in NEEDED):
            (units / unit).unlink(missing_ok=True)
            (units / unit).symlink_to("/dev/null")
    lab_box.add_login_user(work, tree)
    work.run(["chroot", tree, "update-initramfs", "-u", "-k", "all"], timeout=QUICK_SECONDS)


def _disk(work: Work) -> None:
    """Put kernel and root on a disk with a boot loader, and the disk into a box file."""
    tree = work.needs["system"].directory / "root"
    disk, folder = work.scratch / "disk", work.scratch / "box"
    folder.mkdir()
    with disk.open("wb") as file:
        file.truncate(DISK_GIB * 2**30)
    argv = ["sfdisk", "--quiet", str(disk)]
    process.run(argv, timeout=QUICK_SECONDS, stdin=PARTITIONS.encode(), log=work.log)
    with disk.open("r+b") as file:
        file.write(MBR.read_bytes()[:MBR_CODE_BYTES])
    _boot_partition(work, tree, disk)
    blocks = (DISK_GIB * 2**30 - ROOT_START * SECTOR) // 4096
    layout = ["-q", "-b", "4096", "-E", f"offset={ROOT_START * SECTOR}", "-d", tree]
    work.run(["mkfs.ext4", *layout, disk, str(blocks)], timeout=COPY_SECONDS)
    image = folder / "box.img"
    work.run(["qemu-img", "convert", "-O", "qcow2", disk, image], timeout=COPY_SECONDS)
    metadata = {"provider": "libvirt", "format": "qcow2", "virtual_size": DISK_GIB}
    (folder / "Vagrantfile").write_text(VAGRANTFILE)
    (folder / "metadata.json").write_text(json.dumps(metadata))
    pack = ["tar", "--create", "--file", work.directory / "libvirt.box", "--directory", folder]
    work.run([*pack, "."], timeout=COPY_SECONDS)


def _boot_partition(work: Work, tree: Path, disk: Path) -> None:
    offset = BOOT_START * SECTOR
    (work.scratch / "syslinux.cfg").write_text(BOOT_LOADER)
    files = {
        "vmlinuz": next((tree / "boot").glob("vmlinuz-*")),
        "initrd.img": next((tree / "boot").glob("initrd.img-*")),
        "syslinux.cfg": work.scratch / "syslinux.cfg",
    }
    size = str(BOOT_SECTORS // 2)  # mkfs.vfat counts in KiB
    work.run(["mkfs.vfat", "-F", "16", "--offset", str(BOOT_START), disk, size],
             timeout=QUICK_SECONDS)  # fmt: skip
    for name, file in files.items():
        work.run(["mcopy", "-i", f"{disk}@@{offset}", file, f"::{name}"], timeout=QUICK_SECONDS)
    work.run(["syslinux", "--install", "--offset", str(offset), disk], timeout=QUICK_SECONDS)


def _add(work: Work) -> None:
    """Give the box to a Vagrant of its own, which alone writes here; the user's is left alone."""
    box_file = work.needs["disk"].directory / "libvirt.box"
    words = ["vagrant", "box", "add", "--provider", "libvirt", "--name", NAME, box_file]
    work.run(words, timeout=COPY_SECONDS, env={**os.environ, "VAGRANT_HOME": str(work.directory)})
