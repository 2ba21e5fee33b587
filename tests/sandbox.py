"""Runs an init script, all of it, where it can do nothing: as nobody, below a folder of its own.

Programs that would change a machine only take notes; those that work on files are real.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
REAL = (
    "cat", "cmp", "cp", "cut", "date", "grep", "install", "mkdir", "mktemp", "mv", "rm", "sed",
    "touch",
)  # fmt: skip
STAND_INS = {
    "apt-get": "", "apt-mark": "", "containerd": "", "ctr": "", "hostname": "", "modprobe": "",
    "runc": "", "sleep": "", "swapoff": "", "sysctl": "", "systemctl": "", "getent": "exit 2",
    "curl": """echo '{"data": {"jws-kubeconfig-abcdef": "x"}}'""",
    "kubelet": "echo 'Kubernetes v1.20.2'",
    "kubectl": 'printf "%s\\0" "$@" >> "$ROOT/kubectl"',
    "kubeadm": """
case $1 in
version) echo v1.20.2 ;;
init) echo admin > "$ROOT/etc/kubernetes/admin.conf" ;;
esac
""",
}  # fmt: skip
FOLDERS = (
    "etc/kubernetes/pki", "etc/sysctl.d", "etc/systemd", "var/lib", "root", "tmp", "run",
    "proc/sys/net/ipv4", "proc/sys/net/bridge",
)  # fmt: skip


class Sandbox:
    """A folder that stands for a machine's root; everybody may write there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("bin", *FOLDERS):
            (root / folder).mkdir(parents=True)
        for name in REAL:
            program = shutil.which(name)
            assert program, f"this host has no {name}"
            (root / "bin" / name).symlink_to(program)
        for name, body in STAND_INS.items():
            (root / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
            (root / "bin" / name).chmod(0o755)
        (root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        (root / "etc/fstab").touch()
        for path in (root, *root.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o777)

    def give(self, folder: str) -> None:
        """Make a folder again, for everybody."""
        path = self.root / folder
        path.mkdir(parents=True)
        for one in (path, *path.parents[: len(Path(folder).parts) - 1]):
            one.chmod(0o777)

    def run(self, *argv: str, script: str) -> subprocess.CompletedProcess[bytes]:
        """Run a program on a script, with the machine's folders in place of the host's."""
        is_root = os.geteuid() == 0
        text = re.sub(r"(?<![\w.])/(etc|var|root|proc|usr|opt|run)\b", rf"{self.root}/\1", script)
        return subprocess.run(
            argv,
            input=text.encode(),
            env={
                "PATH": f"{self.root}/bin",
                "LANG": "C.UTF-8",
                "ROOT": str(self.root),
                "TMPDIR": f"{self.root}/tmp",
            },
            cwd=self.root,
            user=NOBODY if is_root else None,
            group=NOBODY if is_root else None,
            extra_groups=[] if is_root else None,
            capture_output=True,
            check=False,
            timeout=60,
        )

    def kubectl_words(self) -> list[str]:
        """Return every word that kubectl was given."""
        file = self.root / "kubectl"
        return file.read_bytes().decode().split("\0") if file.exists() else []

    def broken_out(self, marker: str) -> list[Path]:
        """Return what was made by a value that became a command."""
        return [path for path in self.root.rglob(f"*{marker}*") if path.name.startswith(marker)]


@contextlib.contextmanager
def sandbox() -> Iterator[Sandbox]:
    """Make a sandbox where nobody can reach it: pytest's own folders are root's alone."""
    with tempfile.TemporaryDirectory(prefix="harness-sandbox-") as folder:
        yield Sandbox(Path(folder))
