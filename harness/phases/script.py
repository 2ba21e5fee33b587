"""The init script on a machine: put there, started as a systemd unit, watched over SSH.

A unit, so that a lost connection does not kill kubeadm half way. The script marks its
sections in a file; each phase waits for the section of its name to be over.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import wait
from harness.errors import PhaseError, TransportError
from harness.events import MachineProgress
from harness.phases import diagnosis
from harness.spec import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.interfaces import Transport
    from harness.phases.base import Site
    from harness.spec import MachinePlan
    from harness.wait import Deadline

UNIT = "harness-init"
FOLDER = "/var/lib/harness"
SCRIPT = f"{FOLDER}/init.sh"
DONE = "done"
PKI = "/etc/kubernetes/pki"
COMMAND_SECONDS = 30.0
# A network that was cut, or an sshd that starts again, comes back; whoever is silent for longer
# does not.
SILENCE_SECONDS = 60.0
SILENCE_INTERVAL_SECONDS = 1.0
RUNNING = frozenset({"active", "activating"})
PROPERTIES = ("ActiveState", "Result")
# One round trip says it all; nothing here needs root. Fingerprint and reason are one line each,
# whatever is in their files: a script of a user's own may give any reason.
OBSERVE = f"""
systemctl show {UNIT} --property={",".join(PROPERTIES)}
printf '%s\\n' "$(head -n 1 {FOLDER}/fingerprint 2>/dev/null)"
printf '%s\\n' "$(head -n 1 {FOLDER}/reason 2>/dev/null)"
cat {FOLDER}/sections 2>/dev/null || true
"""
# A unit that ended, well or badly, keeps its name until it is reset. That a script is done is
# marked here and not in it: one of a user's own need not know of sections.
START = f"""
set -eu
systemctl stop {UNIT} 2>/dev/null || true
systemctl reset-failed {UNIT} 2>/dev/null || true
rm -f {FOLDER}/sections {FOLDER}/reason
echo "$1" > {FOLDER}/fingerprint
systemd-run --quiet --unit={UNIT} --remain-after-exit --collect /bin/bash -c '
    /bin/bash {SCRIPT} && printf "%s {DONE}\\n" "$(date +%s.%3N)" >> {FOLDER}/sections'
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a machine's init script is.

    Attributes:
        active: systemd's ActiveState of its unit; ``inactive`` where there is none.
        failed: Whether it ended with an error.
        fingerprint: Of the machine as it was when the script was started; empty if none was.
        reason: What it waits for, in its own words.
        sections: (seconds since the epoch, section), in order.
    """

    active: str
    failed: bool
    fingerprint: str
    reason: str
    sections: tuple[tuple[float, str], ...]

    @property
    def section(self) -> str:
        """The section that it is in; empty before the first."""
        return self.sections[-1][1] if self.sections else ""

    def is_past(self, section: str) -> bool:
        """Whether this section is over: a later one has begun."""
        names = [name for _, name in self.sections]
        return section in names[:-1] or self.section == DONE


def observe(transport: Transport, *, timeout: float = COMMAND_SECONDS) -> Progress:
    """Look at the script of a machine.

    Raises:
        TransportError: If the machine cannot be asked.
    """
    text = transport.run(["sh", "-c", OBSERVE], timeout=timeout).check().stdout
    return parse(text)


def observe_patiently(
    site: Site, machine: MachinePlan, phase: str, *, deadline: Deadline
) -> Progress:
    """Look at the script of a machine, and again while the machine cannot be asked.

    Raises:
        WaitTimeout: If it stays silent.
    """

    def look() -> Progress:
        try:
            return observe(site.transport(machine.name))
        except TransportError as error:
            site.report(MachineProgress(machine.name, phase, error.message))
            raise

    return wait.retry(
        look,
        on=(TransportError,),
        timeout=min(SILENCE_SECONDS, deadline.remaining),
        interval=SILENCE_INTERVAL_SECONDS,
        what=f"{machine.name} answering",
    )


def parse(text: str) -> Progress:
    """Read what `OBSERVE` prints."""
    lines = text.split("\n")  # nothing else ends a line there
    # Only what leads: a reason may look like a property.
    leading = itertools.takewhile(lambda line: line.partition("=")[0] in PROPERTIES, lines)
    properties = dict(line.split("=", 1) for line in leading)
    fingerprint, reason, *rest = [*lines[len(properties) :], "", ""]
    marks = [line.split(" ", 1) for line in rest if " " in line]
    return Progress(
        active=properties.get("ActiveState", "inactive"),
        failed=properties.get("Result", "success") != "success",
        fingerprint=fingerprint,
        reason=reason,
        sections=tuple((float(seconds), name) for seconds, name in marks),
    )


def start(site: Site, machine: MachinePlan, *, again: bool = False) -> None:
    """Put a machine's script there and start it, unless it runs or has run as it is planned.

    What a machine is made from counts, and not the script's own text: that has a token in it,
    which is renewed, and the other machines' names. A manager gets the certificate authority
    first, whose hash the workers already know.

    Args:
        site: The cluster's.
        machine: Where.
        again: Whether to start it even if it has run.
    """
    transport = site.transport(machine.name)
    script = site.scripts[machine.name]
    progress = observe(transport)
    same = progress.fingerprint == machine.fingerprint
    if same and not again and (progress.section == DONE or progress.active in RUNNING):
        return
    if machine.role is Role.MANAGER:
        for name, text, mode in (
            ("ca.key", site.secrets.ca_key, 0o600),
            ("ca.crt", site.secrets.ca_certificate, 0o644),
        ):
            transport.put(text.encode(), f"{PKI}/{name}", mode=mode, timeout=COMMAND_SECONDS)
    transport.put(script.encode(), SCRIPT, mode=0o600, timeout=COMMAND_SECONDS)
    argv = ["sh", "-c", START, "start", machine.fingerprint]
    transport.run(argv, timeout=COMMAND_SECONDS, sudo=True).check()


def wait_past(
    site: Site, machine: MachinePlan, section: str, *, deadline: Deadline, interval: float = 0.5
) -> None:
    """Wait until a section of a machine's script is over.

    Raises:
        PhaseError: If the script failed.
        WaitTimeout: With the script's own reason, or because the machine does not answer.
    """

    def condition() -> str | None:
        progress = observe_patiently(site, machine, section, deadline=deadline)
        if progress.is_past(section):
            return None
        if progress.failed or progress.active in {"failed", "inactive"}:
            where = progress.section or "its beginning"
            raise PhaseError(
                f"{machine.name}: the init script failed in section {where}: "
                f"{progress.reason or 'it gave no reason'}"
            )
        return progress.reason or f"in section {progress.section or '(starting)'}"

    site.until(
        condition,
        deadline=deadline,
        phase=section,
        machine=machine.name,
        what=f"{machine.name}: section `{section}` of its init script",
        interval=interval,
    )


def is_idle(transport: Transport) -> bool:
    """Return whether a machine's script does not run: it failed, or was never started.

    Raises:
        TransportError, CommandError: If the machine cannot be asked.
    """
    return observe(transport, timeout=diagnosis.SECONDS).active not in RUNNING


def diagnosis_of(site: Site, machines: Iterable[MachinePlan], section: str) -> str:
    """Return what those machines say whose script is not past a section."""

    def is_behind(transport: Transport) -> bool:
        return not observe(transport, timeout=diagnosis.SECONDS).is_past(section)

    return diagnosis.of_machines(site, machines, is_meant=is_behind)
