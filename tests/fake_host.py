"""A host whose programs are fakes: namespaces and LXC machines are files and folders."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import domains
from harness.lab import machines, network, traces

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# `ip netns add` and `delete` really make and remove the file, which holds the bridge's alias
# once there is a bridge; everything is written down.
PROGRAMS = {
    "ip": """case "$*" in
        "netns add "*) mkdir -p "$HOST/netns"; : >"$HOST/netns/$3" ;;
        "netns delete "*) rm "$HOST/netns/$3" ;;
        "netns pids "*) cat "$HOST/pids"; : >"$HOST/pids" ;;
        *"link show")
            if grep -q damaged "$HOST/netns/$2"; then exit 1; fi
            printf '[{"ifname": "lo"}'
            if [ -s "$HOST/netns/$2" ]; then
                printf ', {"ifname": "harness0", "ifalias": "%s"}' "$(cat "$HOST/netns/$2")"
            fi
            printf ']' ;;
        *"-batch -") cat >>"$HOST/batch"; echo >"$HOST/netns/$2" ;;
        *" alias "*) echo "$7" >"$HOST/netns/$2" ;;
        esac""",
    # The container's name is the last word, inside a namespace as well as outside.
    "nsenter": 'for name; do :; done; rm -r "$HOST/lxc/$name"',
    "lxc-destroy": 'for name; do :; done; rm -r "$HOST/lxc/$name"',
    "umount": "",
    # A domain is a file that holds its description.
    "virsh": """case "$3" in
        list) ls "$HOST/domains"; echo ;;
        desc) cat "$HOST/domains/$4" ;;
        undefine) rm "$HOST/domains/$4" ;;
        esac""",
}


def look_at(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let clusters be looked for below a folder, and nowhere on the real host."""
    monkeypatch.setattr(domains, "SOCKETS", (root / "libvirt-sock",))
    monkeypatch.setattr(traces, "NAMESPACES", root / "netns")
    monkeypatch.setattr(network, "SCRATCH", root / "scratch")
    monkeypatch.setattr(network, "LOCK", root / "lock")
    monkeypatch.setattr(machines, "FOLDER", root / "lxc")
    monkeypatch.setattr(machines, "CGROUPS", root / "cgroup")


@dataclass
class Host:
    """A host's world, as files."""

    root: Path

    @classmethod
    def of(cls, root: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
        """Make it the one that the lab finds: a test must not look at the real one."""
        made = cls(root)
        (root / "bin").mkdir()
        for name, body in PROGRAMS.items():
            made.program(name, body)
        made.write("pids")
        monkeypatch.setenv("HOST", str(root))
        monkeypatch.setenv("PATH", f"{root / 'bin'}:/usr/bin:/bin")
        look_at(root, monkeypatch)
        return made

    def program(self, name: str, body: str) -> None:
        """Let a program do something else."""
        program = self.root / "bin" / name
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"$HOST/calls"\n{body}\n')
        program.chmod(stat.S_IRWXU)

    def write(self, name: str, text: str = "") -> None:
        (self.root / name).write_text(text)

    def read(self, name: str) -> str:
        file = self.root / name
        return file.read_text() if file.exists() else ""

    @property
    def calls(self) -> list[str]:
        """What was run and changes something."""
        lines = self.read("calls").splitlines()
        looks = ("show", "system list", "system desc")
        return [line for line in lines if not any(look in line for look in looks)]

    @property
    def namespaces(self) -> Path:
        return self.root / "netns"

    @property
    def scratch(self) -> Path:
        return self.root / "scratch"

    def machines(self, *names: str, workspace: Path | None = None) -> None:
        """Have these machines, as Vagrant makes them."""
        for name in names:
            folder = self.root / "lxc" / name
            folder.mkdir(parents=True)
            group = f"lxc.group={workspace}\n" if workspace else ""
            (folder / "config").write_text(f"lxc.uts.name={name}\n{group}# VAGRANT-END\n")

    @property
    def left(self) -> list[str]:
        """The names of all machines."""
        return sorted(path.name for path in (self.root / "lxc").glob("*"))

    def namespace(self, cluster: str, workspace: Path | None = None) -> None:
        """Have a cluster's namespace, as `create` makes it; untagged if no workspace is told."""
        self.namespaces.mkdir(exist_ok=True)
        (self.namespaces / f"harness-{cluster}").write_text(f"{workspace}\n" if workspace else "")

    def domain(self, name: str, description: str) -> None:
        """Have a libvirt with this machine in it."""
        (self.root / "libvirt-sock").touch()
        (self.root / "domains").mkdir(exist_ok=True)
        (self.root / "domains" / name).write_text(f"{description}\n\n")

    def workspace(self, state: str, cluster: str) -> Path:
        """Return the workspace of a cluster that was begun with a state folder of this name."""
        root = self.root / state / "clusters" / cluster
        root.mkdir(parents=True)
        (root / "plan.json").write_text("{}")
        return root
