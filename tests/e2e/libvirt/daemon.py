"""A libvirtd of the tests' own, inside a network namespace: no system libvirtd is touched.

libvirtd's folders are fixed when it is compiled. In a mount namespace of its own it sees
empty ones, in memory, which are gone with it; only its socket, its log and its machines'
disks are real, in a temporary folder.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness import process, wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.network import LabNetwork

# Not the machines' network: libvirt makes that one, and refuses a network that is in use.
# Documentation's own (RFC 5737), so nothing real answers there.
GATEWAY = "198.51.100.1/30"
START_SECONDS = 60.0
QUICK_SECONDS = 30.0
HIDE = (
    "for folder in /run /var/cache /var/lib /var/log; do "
    'mount -t tmpfs -o mode=755 tmpfs "$folder" || exit; done; '
    'for file in passwd group; do mount --bind "$1/$file" "/etc/$file" || exit; done; '
    'mount --bind "$1" /etc/libvirt && shift && exec "$@"'
)
# libvirtd does not start without a user that is named when it is compiled, although it is
# told below to use another; the package that would make it also sets up a system service.
USER = {
    "passwd": "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin\n",
    "group": "libvirt-qemu:x:64055:\n",
}
DAEMON_SETTINGS = """\
unix_sock_dir = "{folder}"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:stderr"
"""
# No other user, no cgroups, no mount namespaces, no virtlogd: one machine for one test,
# which works in a container as well.
QEMU_SETTINGS = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""


@contextlib.contextmanager
def running(folder: Path, network: LabNetwork) -> Iterator[str]:
    """Keep libvirtd running in a network that exists; yield the URI that reaches it."""
    settings, pool = folder / "etc", folder / "pool"
    for path in (settings, pool):
        path.mkdir()
    (settings / "libvirtd.conf").write_text(DAEMON_SETTINGS.format(folder=folder))
    (settings / "qemu.conf").write_text(QEMU_SETTINGS)
    for name, line in USER.items():
        (settings / name).write_text((Path("/etc") / name).read_text() + line)
    uri = f"qemu:///system?socket={folder / 'libvirt-sock'}"
    # What it starts is as nice as it is: emulated processors would take all of this host's.
    daemon = ["nice", "-n", "5", "libvirtd", "--config", "/etc/libvirt/libvirtd.conf"]
    argv = network.enter(["sh", "-c", HIDE, "libvirtd", str(settings), *daemon])
    with process.background(argv, log=folder / "libvirtd.log"):
        wait.until(lambda: _why_silent(uri), timeout=START_SECONDS, interval=0.2, what="libvirtd")
        # Vagrant would make this pool, in a folder of the system's.
        virsh(uri, "pool-create-as", "default", "dir", "--target", str(pool))
        try:
            yield uri
        finally:
            shutil.rmtree(pool)  # hundreds of megabytes; pytest keeps its folders


def virsh(uri: str, *words: str) -> str:
    return process.run(["virsh", "--connect", uri, *words], timeout=QUICK_SECONDS).stdout


def _why_silent(uri: str) -> str | None:
    argv = ["virsh", "--connect", uri, "list"]
    finished = process.run(argv, timeout=QUICK_SECONDS, check=False)
    return None if finished.exit_status == 0 else finished.tail
