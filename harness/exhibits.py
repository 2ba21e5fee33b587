"""The exhibits: what belongs into the evidence of a cluster, and whom to ask for it.

Everything that one witness has to say is asked in a row; witnesses are asked at once. Pods'
logs are read from the machines' disks, where they are even if the API server does not answer
and the containers have ended.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import sys
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import harness
from harness import doctor, host_facts, process, render
from harness.interfaces import MachineState
from harness.lab import bundle
from harness.spec import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.cluster import Cluster
    from harness.spec import MachinePlan

COMMAND_SECONDS = 15
"""Of one command on a machine, which ends it itself and says so."""
API_SECONDS = 10
LINES = 2000
POD_LOGS = 64
POD_LOG_BYTES = 64 * 2**10

ON_MACHINES = {
    "kubelet.log": f"journalctl --no-pager --unit kubelet --lines {LINES}",
    "containerd.log": f"journalctl --no-pager --unit containerd --lines {LINES}",
    # kubeadm's own words are in it.
    "harness-init.log": f"journalctl --no-pager --unit harness-init --lines {LINES}",
    "sections": "cat /var/lib/harness/sections /var/lib/harness/reason",
    # The newest of each container first, also of those that have ended.
    "pods.log": f"""
        find /var/log/pods -name '*.log' -printf '%T@ %p\\n' | sort --numeric-sort |
        tail --lines={POD_LOGS} | while read -r _ log; do
            echo "==> $log"
            if [ "$(stat --format=%s "$log")" -gt {POD_LOG_BYTES} ]; then
                tail --bytes={POD_LOG_BYTES} "$log" | tail --lines=+2
            else
                cat "$log"
            fi
        done""",
    "containers": "ctr --namespace k8s.io containers list; ctr --namespace k8s.io tasks list",
    "system.log": f"journalctl --no-pager --boot --lines {LINES}",
    "network": "ip address; ip route; ss --listening --tcp --numeric --processes",
    "resources": "free --mebi; df --human-readable; systemctl --failed --no-pager",
    "versions": (
        "uname -a; cat /etc/os-release; kubeadm version --output=short; kubelet --version;"
        " containerd --version; runc --version"
    ),
}
OF_CLUSTER = {
    "nodes": ("get", "nodes", "--output=wide"),
    "node-descriptions": ("describe", "nodes"),
    "pods": ("get", "pods", "--all-namespaces", "--output=wide"),
    "pod-descriptions": ("describe", "pods", "--all-namespaces"),
    "events": ("get", "events", "--all-namespaces", "--output=wide"),
    "versions": ("version",),
}
# A command that hangs must not cost those after it: the machine ends it, and only the end
# of what it says is sent.
_LIMITED = """
{ timeout --kill-after=2 "$2" sh -c "$1" 2>&1 || echo "(exited $?)"; } | tail --bytes="$3"
"""


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One text of the archive.

    Attributes:
        name: Its path there.
        ask: Returns it, given a limit in seconds and the number of bytes that are of use;
            may raise HarnessError or OSError.
    """

    name: str
    ask: Callable[[float, int], str]


def of(cluster: Cluster, states: Mapping[str, MachineState] | None) -> list[list[Exhibit]]:
    """Return what each witness is to be asked: this host, and every machine that runs.

    Args:
        cluster: May be in any state.
        states: Of its machines; None where that cannot be told, and all are asked.
    """
    running = [
        machine
        for machine in cluster.plan.machines
        if states is None or states.get(machine.name) is MachineState.RUNNING
    ]
    return [_of_host(cluster, states), *(_of_machine(cluster, machine) for machine in running)]


def _of_host(cluster: Cluster, states: Mapping[str, MachineState] | None) -> list[Exhibit]:
    workspace, plan = cluster.workspace, cluster.plan
    looked = functools.cache(host_facts.collect)
    files = {
        "plan.json": workspace.root / "plan.json",
        "timings.json": workspace.root / "timings.json",
        "Vagrantfile": workspace.vagrant_dir / "Vagrantfile",
    }
    if plan.supply.source == "bundle":
        files["bundle.json"] = bundle.default_path() / bundle.MANIFEST
    files |= {f"logs/{path.name}": path for path in sorted(workspace.logs_dir.glob("*"))}
    texts: dict[str, Callable[[], str]] = {
        "machines.json": lambda: _json(states),
        "versions.json": lambda: _json(_versions()),
        "host.json": lambda: _json(asdict(looked())),
        "doctor.json": lambda: _json(
            [asdict(finding) for finding in doctor.findings(plan.provider, looked())]
        ),
    }
    for machine in plan.machines:
        placeholders = render.PLACEHOLDER_SECRETS
        script = partial(render.init_script, plan, machine, placeholders, cluster.world)
        texts[f"{machine.name}/init.sh"] = script
    return [
        *(Exhibit(name, partial(_end, file)) for name, file in files.items()),
        *(Exhibit(name, partial(_told, text)) for name, text in texts.items()),
        Exhibit("vagrant-plugins", _plugins),
    ]


def _told(text: Callable[[], str], _seconds: float, _limit: int) -> str:
    return text()


def _end(path: Path, _seconds: float, limit: int) -> str:
    """Return the last part of a file: one byte more than is wanted, if there is more."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - limit - 1))
        return file.read().decode(errors="replace")


def _versions() -> dict[str, str]:
    return {
        "harness": harness.__version__,
        "python": sys.version,
        "kernel": " ".join(os.uname()),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
    }


def _plugins(seconds: float, _limit: int) -> str:
    return process.run(["vagrant", "plugin", "list"], timeout=seconds).stdout


def _json(value: object) -> str:
    return json.dumps(value, indent=2, default=sorted) + "\n"


def _of_machine(cluster: Cluster, machine: MachinePlan) -> list[Exhibit]:
    def asked(command: str, seconds: float, limit: int) -> str:
        argv = ["sh", "-c", _LIMITED, "evidence", command, str(COMMAND_SECONDS), str(limit + 1)]
        result = cluster.transport(machine.name).run(argv, timeout=seconds, sudo=True)
        return result.stdout + result.stderr

    def queried(words: Sequence[str], seconds: float, _limit: int) -> str:
        argv = [*words, f"--request-timeout={API_SECONDS}s"]
        result = cluster.api.kubectl(argv, timeout=seconds)
        return result.stdout + result.stderr

    exhibits = [
        Exhibit(f"{machine.name}/{name}", partial(asked, command))
        for name, command in ON_MACHINES.items()
    ]
    if machine.role is Role.MANAGER:
        exhibits += [
            Exhibit(f"cluster/{name}", partial(queried, words))
            for name, words in OF_CLUSTER.items()
        ]
    return exhibits
