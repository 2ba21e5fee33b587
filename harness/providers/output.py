"""Reads what Vagrant prints: machine-readable rows and per-machine lines.

python-vagrant 1.0.0 reads the rows too, but a line that a plugin prints in between is an
IndexError there, an error row a ValueError, and rows of parallel machines yield each
machine twice (reference/aesthetics.md, "five facts").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.errors import ProviderError
from harness.interfaces import MachineState
from harness.process import TAIL_LINES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.process import Finished

STATES: Mapping[str, MachineState] = {
    "running": MachineState.RUNNING,
    "inaccessible": MachineState.RUNNING,  # libvirt: it boots and has no address yet
    "blocked": MachineState.RUNNING,  # libvirt: it waits for a disk
    "shutting_down": MachineState.RUNNING,  # libvirt
    "not_created": MachineState.ABSENT,
    "stopped": MachineState.STOPPED,  # lxc
    "frozen": MachineState.STOPPED,  # lxc
    "shutoff": MachineState.STOPPED,  # libvirt
    "crashed": MachineState.STOPPED,  # libvirt
    "pmsuspended": MachineState.STOPPED,  # libvirt
    "paused": MachineState.STOPPED,  # libvirt, virtualbox
    "poweroff": MachineState.STOPPED,  # virtualbox
    "saved": MachineState.STOPPED,  # virtualbox
    "aborted": MachineState.STOPPED,  # virtualbox
}
ROW_FIELDS = 4
COMPLAINT_LINES = 40
_UP_LINE = re.compile(r"(?:==> | {4})(?P<name>[^\s:]+): ?(?P<text>.*)")
_BRINGING = re.compile(r"Bringing machine '(?P<name>[^']+)' up ")
_FAILED = re.compile(r"action on the '(?P<name>[^']+)'\s+machine")


def rows(output: str) -> list[tuple[str, str, str]]:
    """Return (target, kind, data) of each machine-readable row, skipping anything else."""
    found = []
    for line in output.splitlines():
        timestamp, *fields = line.split(",", ROW_FIELDS - 1)
        if timestamp.isdecimal() and len(fields) == ROW_FIELDS - 1:
            target, kind, data = fields
            text = data.replace("%!(VAGRANT_COMMA)", ",").replace("\\n", "\n").replace("\\r", "")
            found.append((target, kind, text))
    return found


def states(output: str, names: Sequence[str]) -> dict[str, MachineState]:
    """Read the output of ``vagrant status --machine-readable``.

    Args:
        output: Standard output, plugin noise included.
        names: The machines that must be in it.

    Raises:
        ProviderError: For an unknown state, or a machine without a state.
    """
    found: dict[str, MachineState] = {}
    for target, kind, data in rows(output):
        if kind == "state" and target:
            if data not in STATES:
                raise ProviderError(f"{target}: Vagrant reports an unknown state: {data!r}")
            found[target] = STATES[data]
    missing = [name for name in names if name not in found]
    if missing:
        raise ProviderError(
            f"Vagrant says nothing about {', '.join(missing)}",
            hint="The Vagrantfile in the workspace does not fit the groups; run `up` again.",
        )
    return found


def error_message(output: str) -> str:
    """Return the text of an error row, ``error-exit,CLASS,TEXT``, or ""."""
    messages = [data.partition(",")[2] for _, kind, data in rows(output) if kind == "error-exit"]
    return messages[-1] if messages else ""


def tail(finished: Finished) -> str:
    """Return the last lines of a run, and all of what Vagrant complains of.

    Complaints go to standard error, and their first sentence is what tells most; Vagrant
    has some of sixteen lines.
    """
    lines = (finished.stdout + finished.stderr).splitlines()
    complaints = len(finished.stderr.splitlines())
    return "\n".join(lines[-max(TAIL_LINES, min(complaints, COMPLAINT_LINES)) :])


def attribute(line: str, names: Iterable[str]) -> tuple[str, str]:
    """Return (machine, text) of a line of ``vagrant up``; machine is "" if it is nobody's."""
    if match := _UP_LINE.match(line):
        if match["name"] in names:
            return match["name"], match["text"]
    elif (match := _BRINGING.match(line)) and match["name"] in names:
        return match["name"], line
    return "", line


def failed_machines(output: str) -> list[str]:
    """Return the machines that Vagrant names in the errors of a parallel run."""
    return sorted({match["name"] for match in _FAILED.finditer(output)})


def selector(names: Sequence[str]) -> str:
    """Return one argument that makes Vagrant take exactly these machines, all in one run."""
    if len(names) == 1:
        return names[0]
    # Names are host names: of a pattern's special characters only dots occur in them.
    alternatives = "|".join(name.replace(".", r"\.") for name in names)
    return f"/^({alternatives})$/"
