"""What machines and API server say after a failure: the evidence in which causes are looked for.

Each machine is asked once, all of them at the same time, with a short limit; what cannot be
had is said in its place.
"""

from __future__ import annotations

from concurrent import futures
from typing import TYPE_CHECKING, Any

from harness import known_issues, process
from harness.errors import HarnessError
from harness.interfaces import MachineState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from harness.interfaces import Transport
    from harness.phases.base import Site
    from harness.spec import MachinePlan

SECONDS = 10.0
# Vagrant takes 2 s for an answer, on a busy host ten times that.
STATES_SECONDS = 40.0
LAST_LINES = 8
PODS = 20
HEAD = "=== "
STATE = "state"
"""The part that says whether kubelet runs and what is full."""
# One round trip. Images of read-only file systems are always full, and a worker's kubelet
# complains every second that it has no static pods. Of containers those matter that were
# started more than once: why they ended is in the log of an attempt before.
LOOK = f"""
journal() {{
    journalctl --unit "$1" --no-pager --output=cat --lines 300 2>/dev/null |
        grep -v 'Unable to read config path'
}}
echo "{HEAD}{STATE}"
kubelet=$(systemctl is-active kubelet) || echo "kubelet does not run: it is $kubelet"
for field in pcent ipcent; do
    df --local --exclude-type=squashfs --exclude-type=iso9660 --output="$field",target 2>/dev/null |
        grep -v ' /run/containerd/' | sed -n 's/^ *100% \\(.*\\)/\\1 is full/p'
done | sort -u
for unit in harness-init kubelet; do
    echo "{HEAD}last lines of $unit"
    journal "$unit"
done
echo "{HEAD}last errors of containerd"
journal containerd | grep -E 'level=(error|fatal)|^panic|^containerd:'
for again in /var/log/pods/*/*/[1-9]*.log; do
    [ -e "$again" ] && dirname "$again"
done | sort -u | while read -r container; do
    echo "{HEAD}last lines of ${{container#/var/log/pods/}}"
    tail --quiet --lines=20 "$container"/*.log
done
true
"""


def of_machines(
    site: Site,
    machines: Iterable[MachinePlan],
    *,
    is_meant: Callable[[Transport], bool] = lambda _: True,
    only: str = "",
) -> str:
    """Return the ends of machines' journals and of their failed containers' logs.

    Where a machine cannot be asked, Vagrant is asked which ones run.

    Args:
        site: Where they are.
        machines: All are asked at the same time.
        is_meant: Whether a machine has anything to do with the failure; may raise HarnessError.
        only: The one part that is told, such as `STATE`; empty for all.
    """
    said, is_silent = _ask(site, machines, is_meant, only)
    return joined([*said, of_states(site) if is_silent else ""])


def of_states(site: Site) -> str:
    """Return which machines do not run, a line each."""
    return _states(site)[0]


def of_running(site: Site, *, is_meant: Callable[[Transport], bool]) -> str:
    """Return which machines do not run, and what those say that do.

    Args:
        site: Where they are.
        is_meant: As in `of_machines`.
    """
    told, running = _states(site)
    return joined([*_ask(site, running, is_meant, "")[0], told])


def _states(site: Site) -> tuple[str, list[MachinePlan]]:
    """Return a line about each machine that does not run, and the machines that do."""
    try:
        states = site.provider.machines(timeout=STATES_SECONDS)
    except HarnessError as error:
        return f"Vagrant cannot be asked which machines run: {error.message}", []
    running = [one for one in site.plan.machines if states[one.name] is MachineState.RUNNING]
    others = [one.name for one in site.plan.machines if one not in running]
    return "\n".join(f"{name} is {states[name]}, says Vagrant" for name in others), running


def _ask(
    site: Site,
    machines: Iterable[MachinePlan],
    is_meant: Callable[[Transport], bool],
    only: str,
) -> tuple[list[str], bool]:
    """Ask machines, all at the same time; return what they say and whether any is silent."""
    silent: list[str] = []

    def look(machine: MachinePlan) -> str:
        try:
            transport = site.transport(machine.name)
            return _of_machine(machine.name, transport, only) if is_meant(transport) else ""
        except HarnessError as error:
            silent.append(machine.name)
            return f"{machine.name} cannot be asked: {error.message}"

    chosen = list(machines)
    with futures.ThreadPoolExecutor(max_workers=len(chosen) or 1) as pool:
        try:
            said = list(pool.map(look, chosen))
        except BaseException:
            process.stop_all()  # the pool waits for its threads, and they for machines
            raise
    return said, bool(silent)


def _of_machine(name: str, transport: Transport, only: str) -> str:
    # On standard input, so that a time that runs out is not told with the whole script.
    asked = transport.run(["sh", "-s"], stdin=LOOK.encode(), timeout=SECONDS, sudo=True)
    said = asked.check().stdout
    parts = (part.partition("\n") for part in said.split(HEAD)[1:])
    told = (
        (what, known_issues.excerpt(text, LAST_LINES))
        for what, _, text in parts
        if only in {"", what}
    )
    return joined([f"{name}, {what}:\n{text}" for what, text in told if text])


def joined(texts: Iterable[str]) -> str:
    """Put what was said below each other, without what says nothing."""
    return "\n".join(filter(None, texts))


def of_pods(site: Site) -> str:
    """Return every pod that does not run, with its node and why, a line each."""
    try:
        items = site.api.get("pods", timeout=SECONDS)
    except HarnessError as error:
        return f"pods cannot be asked for: {error.message}"
    found = [(item, why_not_running(item["status"])) for item in items]
    lines = [
        f"pod {item['metadata']['name']} on {item['spec'].get('nodeName', 'no node')}: {why}"
        for item, why in found
        if why
    ]
    return "\n".join(lines[:PODS])


def why_not_running(status: Mapping[str, Any]) -> str:
    """Say why a pod is not as it should be; empty if it is, or has done its work."""
    return "; ".join(dict.fromkeys(_reasons(status)))


def _reasons(status: Mapping[str, Any]) -> Iterator[str]:
    containers = (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
    if "reason" in status:  # evicted, or its node is lost
        yield _words(status)
    for condition in status.get("conditions", ()):
        if (condition["type"], condition["status"]) == ("PodScheduled", "False"):
            yield _words(condition)
    if status["phase"] == "Pending" and not containers:
        yield "Pending"
    for container in containers:
        if not container["ready"]:
            yield from _reasons_of(container)


def _reasons_of(container: Mapping[str, Any]) -> Iterator[str]:
    for state in (container["state"], container.get("lastState", {})):
        if "waiting" in state:
            yield f"{container['name']} is waiting: {_words(state['waiting'])}"
        if code := state.get("terminated", {}).get("exitCode"):
            yield f"{container['name']} ended with {code}: {_words(state['terminated'])}"
        if "running" in state:
            yield f"{container['name']} runs and is not ready"


def _words(said: Mapping[str, Any]) -> str:
    return ": ".join(word for word in (said.get("reason", ""), said.get("message", "")) if word)
