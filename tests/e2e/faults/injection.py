"""How each fault is made to happen on real machines, and how it is undone."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.lab.network import LabNetwork
from tests.e2e.faults.cells import SIGNALS, VAGRANT, Cell, Fault

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.lab import Lab

SECONDS = 60.0
CUT_SECONDS = 15.0
REAL_VAGRANT = "/usr/bin/vagrant"

# No connection that is there already shall go on working.
STOP_SSHD = """
systemctl stop ssh.socket ssh 2>/dev/null
for _ in $(seq 50); do pkill -KILL -x sshd || exit 0; sleep 0.1; done
exit 1
"""
# Stopped, and not to be started by kubeadm either: its unit may be in /etc, where no mask helps.
HELD = "/run/systemd/system/kubelet.service.d/held.conf"
STOP_KUBELET = f"""
set -eu
mkdir -p "$(dirname {HELD})"
printf '[Unit]\\nConditionPathExists=/nowhere\\n' > {HELD}
systemctl daemon-reload
systemctl stop kubelet
! pgrep -x kubelet
"""
START_KUBELET = f"rm {HELD}; systemctl daemon-reload; systemctl start kubelet"
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
ASIDE = "/root/kube-apiserver.yaml"
STOP_API_SERVER = f"""
for _ in $(seq 300); do [ -e {MANIFEST} ] && break; sleep 0.1; done
mv {MANIFEST} {ASIDE}
"""
START_API_SERVER = f"[ ! -e {ASIDE} ] || mv {ASIDE} {MANIFEST}"
# A mount of its own with what was there, without a byte or an inode to spare: the host's disk
# is never filled.
FILL = """
set -eu
mkdir -p "$1" /run/full
mount -t tmpfs -o size=16m,mode=755 full /run/full
cp -a "$1/." /run/full/
dd if=/dev/zero of=/run/full/.ballast bs=4k 2>/dev/null || true
mount -o "remount,nr_inodes=$(df --output=iused /run/full | tail -n 1 | tr -d ' ')" /run/full
mount --bind /run/full "$1"
umount /run/full
! touch "$1/one-more" 2>/dev/null
! { echo more >> "$1/.ballast"; } 2>/dev/null
"""
DISKS = {
    "machines": "/var/lib/harness",
    "install": "/var/lib/harness",
    "init": "/var/lib/kubelet",
    # Its script is over before a disk is full, the add-on's pod is not.
    "network": "/var/log/pods",
    "join": "/var/lib/kubelet",
    "ready": "/var/log/pods",
    "verify": "/var/log/pods",
}
"""Where a machine is full: what the phase writes to."""
# `--version` is what preflight asks; all else is the phase `machines`.
VAGRANT_SCRIPT = """#!/bin/sh
case $1 in --version) phase=preflight ;; *) phase=machines ;; esac
if [ "$phase" = {phase} ] && [ -e {folder}/broken ]; then
    {action}
fi
exec {real} "$@"
"""
VAGRANT_ACTIONS = {
    Fault.VAGRANT_HANGS: "sleep 600",
    Fault.VAGRANT_FAILS: "echo 'no ruby today' >&2; exit 1",
    Fault.VAGRANT_NOISE: """
    echo 'W, [2024-01-01T00:00:00] a plugin: could not read its cache'
    echo '1424098924,short'
    echo '[fog][WARNING] Unrecognized arguments: noise' >&2
    {real} "$@" || status=$?
    echo 'Thank you for using Vagrant!'
    exit "${status-0}"
""",
}


@dataclass
class Injection:
    """One cell's fault, on one lab.

    Attributes:
        cell: What strikes, when and whom.
        lab: Where.
        folder: For a Vagrant of ours.
    """

    cell: Cell
    lab: Lab
    folder: Path
    _network: LabNetwork = field(init=False)

    def __post_init__(self) -> None:
        self._network = LabNetwork(self.lab.cluster, "", self.lab.workspace)

    def prepare(self) -> None:
        """Put a Vagrant of ours before the real one, if that is what shall be faulty."""
        if self.cell.fault not in VAGRANT:
            return
        script = self.folder / "vagrant"
        script.write_text(
            VAGRANT_SCRIPT.replace("{action}", VAGRANT_ACTIONS[self.cell.fault])
            .replace("{phase}", self.cell.phase)
            .replace("{folder}", str(self.folder))
            .replace("{real}", REAL_VAGRANT)
        )
        script.chmod(0o755)
        (self.folder / "broken").touch()
        if str(self.folder) not in os.environ["PATH"].split(os.pathsep):
            os.environ["PATH"] = f"{self.folder}{os.pathsep}{os.environ['PATH']}"

    def strike(self, harness: subprocess.Popen[str]) -> None:
        """Let it happen, while the harness stands still so that its phase does not pass."""
        if self.cell.fault in SIGNALS:
            os.killpg(harness.pid, SIGNALS[self.cell.fault])
            return
        if action := self._strikes().get(self.cell.fault):
            action()

    def goes_on(self) -> None:
        """Undo what passes by itself, while the harness goes on."""
        if self.cell.fault is Fault.NETWORK_CUT:
            time.sleep(CUT_SECONDS)  # noqa: TID251 - how long the cut lasts
            self._link("up")

    def cure(self) -> None:
        """Undo what a person would have to."""
        cures = {
            Fault.SSHD_STOPPED: "systemctl start ssh",
            Fault.DISK_FULL: f"umount --lazy {DISKS.get(self.cell.phase)}",
            Fault.KUBELET_STOPPED: START_KUBELET,
            Fault.API_SERVER_STOPPED: START_API_SERVER,
        }
        if script := cures.get(self.cell.fault):
            self._inside(script)
        (self.folder / "broken").unlink(missing_ok=True)

    def _strikes(self) -> dict[Fault, Callable[[], object]]:
        return {
            Fault.MACHINE_STOPPED: self._stop,
            Fault.MACHINE_DESTROYED: self._destroy,
            Fault.SSHD_STOPPED: lambda: self._inside(STOP_SSHD),
            Fault.NETWORK_CUT: lambda: self._link("down"),
            Fault.DISK_FULL: lambda: self._inside(FILL, DISKS[self.cell.phase]),
            Fault.KUBELET_STOPPED: lambda: self._inside(STOP_KUBELET),
            Fault.API_SERVER_STOPPED: lambda: self._inside(STOP_API_SERVER),
        }

    @property
    def _machine(self) -> str:
        return f"{self._network.name}-{self.cell.machine}"

    def _stop(self) -> None:
        self._enter("lxc-stop", "--kill", "--name", self._machine)

    def _destroy(self) -> None:
        self._enter("lxc-destroy", "--force", "--name", self._machine)

    def _link(self, state: str) -> None:
        told = self._enter("lxc-info", "--name", self._machine)
        link = next(line.split()[1] for line in told.splitlines() if line.startswith("Link:"))
        self._enter("ip", "link", "set", link, state)

    def _inside(self, script: str, *words: str) -> None:
        """Run a script on the machine, without SSH."""
        self._enter("lxc-attach", "--name", self._machine, "--", "sh", "-c", script, "sh", *words)

    def _enter(self, *argv: str) -> str:
        done = subprocess.run(
            self._network.enter(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
        return done.stdout
