"""The evidence of what happened: one archive with everything that explains a cluster.

Nothing in it is secret: every text goes through `redact`. What cannot be had is noted in
the archive in its place and does not stop the rest.
"""

from __future__ import annotations

import io
import json
import os
import platform
import re
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import harness
from harness import doctor, host_facts, process, render
from harness.errors import HarnessError, InterruptedRunError, PhaseError, UsageError
from harness.events import Notice
from harness.interfaces import MachineState
from harness.spec import Role
from harness.wait import Deadline
from harness.workspace import PRIVATE_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.cluster import Cluster
    from harness.interfaces import Reporter
    from harness.spec import MachinePlan

COLLECT_SECONDS = 120.0
ITEM_SECONDS = 20.0
JOURNAL_LINES = 2000
LOG_BYTES = 4 * 2**20
REMOVED = "(removed)"

ON_MACHINES = {
    "kubelet.log": f"journalctl --no-pager --unit kubelet --lines {JOURNAL_LINES}",
    "containerd.log": f"journalctl --no-pager --unit containerd --lines {JOURNAL_LINES}",
    "harness-init.log": f"journalctl --no-pager --unit harness-init --lines {JOURNAL_LINES}",
    "sections": "cat /var/lib/harness/sections",
    "network": "ip address; ip route",
    "resources": "free --mebi; df --human-readable; systemctl --failed --no-pager",
}
OF_CLUSTER = {
    "nodes": ("get", "nodes", "--output=wide"),
    "pods": ("get", "pods", "--all-namespaces", "--output=wide"),
    "events": ("get", "events", "--all-namespaces", "--output=wide"),
    "node-descriptions": ("describe", "nodes"),
    "versions": ("version",),
}

_SHAPES = (
    # A PEM block of a private key, whatever its kind.
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL), REMOVED),
    # A kubeconfig's credentials.
    (
        re.compile(r"\b((?:client-key-data|client-certificate-data|token)\"?\s*[:=]\s*)\S+"),
        rf"\1{REMOVED}",
    ),
    # kubeadm's certificate key and bootstrap tokens, wherever they stand.
    (re.compile(r"(--certificate-key[ =])\S+"), rf"\1{REMOVED}"),
    (re.compile(r"(?<![a-z0-9])[a-z0-9]{6}\.[a-z0-9]{16}(?![a-z0-9])"), REMOVED),
)


def redact(text: str, secrets: Iterable[str]) -> str:
    """Take out what must not leave the host.

    Args:
        text: Anything.
        secrets: Values that are known to be secret. Of one with several lines each is taken
            out, since logs break it up and indent it.
    """
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    lines = {line.strip() for secret in secrets for line in secret.splitlines()}
    # The long ones first, and none so short that it would be part of ordinary words.
    for line in sorted((line for line in lines if len(line) >= 8), key=len, reverse=True):  # noqa: PLR2004
        if not line.startswith("-----"):
            text = text.replace(line, REMOVED)
    return text


def default_file(folder: Path, cluster: str) -> Path:
    """Return a name for a new archive that says whose it is and when it was made."""
    now = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
    return folder / f"{cluster}-evidence-{now}.tar.gz"


def collect(
    cluster: Cluster, out: Path, reporter: Reporter, *, timeout: float = COLLECT_SECONDS
) -> Path:
    """Write the archive.

    Args:
        cluster: May be in any state, or gone.
        out: The archive, 0600; its folder is made if it is missing.
        reporter: Told what is being done.
        timeout: Seconds for everything that is asked of machines.

    Returns:
        `out`.

    Raises:
        UsageError: If there is something at `out` already.
    """
    if out.exists():
        raise UsageError(f"`{out}` is there already.", hint="Name a file that is new.")
    reporter.report(Notice(f"Collecting evidence of cluster `{cluster.plan.cluster}`."))
    texts = {name: _attempt(item) for name, item in _on_host(cluster).items()}
    deadline = Deadline(timeout)

    def asked(machine: MachinePlan) -> dict[str, str]:
        return _on_machine(cluster, machine, deadline)

    # A transport is one thread's; the API is asked over the manager's.
    with ThreadPoolExecutor(max_workers=len(cluster.plan.machines)) as pool:
        try:
            for found in pool.map(asked, _running(cluster)):
                texts.update(found)
        except BaseException:
            process.stop_all()  # the pool waits for its threads, and they for machines
            raise
    secrets = _secrets(cluster)
    _write({name: redact(text, secrets) for name, text in texts.items()}, out)
    return out


def _attempt(item: Callable[[], str]) -> str:
    """Return an item's text, or why it cannot be had."""
    try:
        return item()
    except InterruptedRunError:
        raise
    except (HarnessError, OSError) as error:
        return f"(could not be had: {error})\n"


def _on_host(cluster: Cluster) -> dict[str, Callable[[], str]]:
    workspace, plan = cluster.workspace, cluster.plan
    items: dict[str, Callable[[], str]] = {
        "versions.json": _versions,
        "doctor.json": lambda: _doctor(cluster),
        "machines.json": lambda: json.dumps(cluster.provider.machines(timeout=ITEM_SECONDS)),
        "plan.json": (workspace.root / "plan.json").read_text,
        "timings.json": (workspace.root / "timings.json").read_text,
        "Vagrantfile": (workspace.vagrant_dir / "Vagrantfile").read_text,
    }
    for machine in plan.machines:
        placeholders = render.PLACEHOLDER_SECRETS
        script = partial(render.init_script, plan, machine, placeholders, cluster.world)
        items[f"{machine.name}/init.sh"] = script
    for log in sorted(workspace.logs_dir.glob("*")):
        items[f"logs/{log.name}"] = partial(_end, log)
    return items


def _versions() -> str:
    versions = {
        "harness": harness.__version__,
        "python": sys.version,
        "kernel": " ".join(os.uname()),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
    }
    return json.dumps(versions, indent=2)


def _doctor(cluster: Cluster) -> str:
    found = doctor.findings(cluster.plan.provider, host_facts.collect())
    return json.dumps([asdict(finding) for finding in found], indent=2)


def _end(log: Path) -> str:
    """Return the last part of a log."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace")


def _running(cluster: Cluster) -> list[MachinePlan]:
    """Return the machines that can be asked; all of them where Vagrant cannot tell."""
    try:
        states = cluster.provider.machines(timeout=ITEM_SECONDS)
    except InterruptedRunError:
        raise
    except HarnessError:
        return list(cluster.plan.machines)
    running = {name for name, state in states.items() if state is MachineState.RUNNING}
    return [machine for machine in cluster.plan.machines if machine.name in running]


def _on_machine(cluster: Cluster, machine: MachinePlan, deadline: Deadline) -> dict[str, str]:
    def asked(command: str) -> str:
        transport = cluster.transport(machine.name)
        result = transport.run(["sh", "-c", command], timeout=_seconds(deadline), sudo=True)
        return result.stdout + result.stderr

    def queried(words: Sequence[str]) -> str:
        result = cluster.api.kubectl(words, timeout=_seconds(deadline))
        return result.stdout + result.stderr

    texts = {
        f"{machine.name}/{name}": _attempt(partial(asked, command))
        for name, command in ON_MACHINES.items()
    }
    if machine.role is Role.MANAGER:
        for name, words in OF_CLUSTER.items():
            texts[f"cluster/{name}"] = _attempt(partial(queried, words))
    return texts


def _seconds(deadline: Deadline) -> float:
    if deadline.expired:
        raise PhaseError("not asked: the time for collecting evidence was over")
    return min(ITEM_SECONDS, deadline.remaining)


def _secrets(cluster: Cluster) -> list[str]:
    """Return what the cluster keeps 0600, but for what everybody may know."""
    folder = cluster.workspace.secrets_dir
    public = {".pub", ".crt"}
    return [path.read_text() for path in sorted(folder.glob("*")) if path.suffix not in public]


def _write(texts: Mapping[str, str], out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    name = out.name.removesuffix(".gz").removesuffix(".tar")
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for path, text in texts.items():
            content = text.encode()
            member = tarfile.TarInfo(f"{name}/{path}")
            member.size, member.mode = len(content), PRIVATE_FILE
            member.mtime = int(datetime.now(tz=UTC).timestamp())
            archive.addfile(member, io.BytesIO(content))
