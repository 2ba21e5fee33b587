"""Drives Vagrant: the one importer of python-vagrant, whose own runs have no time limit.

python-vagrant knows Vagrant's commands; how they run is ours: inside the cluster's
network, with a small explicit environment, a time limit and a process group of their
own, every line kept in ``vagrant.log`` and in the log of the machine it is about.
"""

from __future__ import annotations

import contextlib
import os
import shlex
from typing import TYPE_CHECKING, Any

from harness import process, strays
from harness.errors import HostError, ProviderError
from harness.interfaces import MachineState
from harness.providers import output
from harness.spec import ProviderName
from harness.wait import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.interfaces import Network

    OnLine = Callable[[str, str], None]
    Turn = Callable[[Callable[[str], None], float], AbstractContextManager[None]]

PARALLEL = frozenset({ProviderName.LXC, ProviderName.LIBVIRT})
"""VirtualBox does not declare itself safe for parallel runs (reference/peers.md, lesson 5)."""

PARALLEL_DESTROY = frozenset({ProviderName.LXC})
"""libvirt's machines share a network, and vagrant-libvirt 0.11 lets two of them remove it at
once: "Call to virNetworkUndefine failed"."""

FIXED_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "VAGRANT_CHECKPOINT_DISABLE": "1",
    "VAGRANT_NO_COLOR": "1",
}
INHERITED = {"PATH": os.defpath, "HOME": "/root"}
LXC_LINES = 8
LOCKED = " is locked"
LOCKED_HINT = "Another vagrant process works on this cluster; end it or wait, then run `up` again."


def at_once(_tell: Callable[[str], None], _seconds: float) -> AbstractContextManager[None]:
    """Wait for nobody."""
    return contextlib.nullcontext()


def _ignore(_name: str, _line: str) -> None:
    """Drop a line: it is in the log."""


class VagrantProvider:
    """The machines of one cluster, as `interfaces.Provider`. Safe to use from threads.

    Args:
        root: The folder with the Vagrantfile.
        env: What Vagrant's environment has besides PATH, HOME and LANG (``VAGRANT_HOME``…).
        network: Where Vagrant runs.
        names: Every machine of the Vagrantfile.
        logs: The folder for ``vagrant.log`` and one ``NAME.log`` per machine.
        provider: Vagrant's provider.
        turn: Waits, given who is told of it and for how long, until no other harness makes
            machines.
    """

    def __init__(  # noqa: PLR0913 - each is a part of it
        self,
        root: Path,
        *,
        env: Mapping[str, str],
        network: Network,
        names: Sequence[str],
        logs: Path,
        provider: ProviderName,
        turn: Turn = at_once,
    ) -> None:
        self.parallel = provider in PARALLEL
        self._root = root
        self._records = root / ".vagrant" / "machines"
        self._env = {
            **{key: os.environ.get(key, default) for key, default in INHERITED.items()},
            **FIXED_ENVIRONMENT,
            # Else Vagrant looks for VirtualBox as soon as a machine does not exist yet.
            "VAGRANT_DEFAULT_PROVIDER": str(provider),
            **env,
        }
        self._network = network
        self._names = tuple(names)
        self._logs = logs
        self._provider = provider
        self._turn = turn

    def up(self, names: Sequence[str], *, timeout: float, on_line: OnLine) -> None:
        """Create or start these machines, in parallel where the provider allows it.

        Raises:
            ProviderError: With the last lines of output; machines that exist are kept.
            HostError: If it is not this harness's turn in time.
        """
        if not names:
            return
        deadline = Deadline(timeout)

        def tell(line: str) -> None:
            for name in names:
                on_line(name, line)

        with self._turn(tell, timeout):
            for name in names:
                self._said_by_lxc(name).unlink(missing_ok=True)
            vagrant = self._vagrant(names, deadline.remaining, on_line)
            vagrant.up(vm_name=output.selector(names), provider=str(self._provider))

    def provision(self, names: Sequence[str], *, timeout: float, on_line: OnLine) -> None:
        """Put the cluster's key on machines that run; Vagrant passes over others.

        Raises:
            ProviderError: With the last lines of output.
        """
        if names:
            self._vagrant(names, timeout, on_line).provision(vm_name=output.selector(names))

    def machines(self, *, timeout: float) -> dict[str, MachineState]:
        """Ask Vagrant for the state of every machine.

        Where Vagrant has no record of any machine there is none; it need not be started,
        which takes longer than to look.

        Raises:
            ProviderError: If it does not say, or says something unknown.
        """
        if not self._records.is_dir():
            return dict.fromkeys(self._names, MachineState.ABSENT)
        states: dict[str, MachineState] = self._vagrant(self._names, timeout).status()
        return states

    def halt(self, names: Sequence[str], *, timeout: float) -> None:
        """Stop these machines and keep them.

        Raises:
            ProviderError: With the last lines of output.
        """
        if names:
            self._vagrant(names, timeout).halt(vm_name=output.selector(names))

    def destroy(self, names: Sequence[str], *, timeout: float) -> None:
        """Remove these machines, then look whether they are gone.

        Raises:
            ProviderError: If Vagrant fails, or names a machine that is still there.
        """
        if not names:
            return
        self._vagrant(names, timeout).destroy(vm_name=output.selector(names))
        # A machine of which Vagrant keeps no id is `not_created`; to start it for that takes
        # seconds. One that was gone before may have left its id.
        kept = [name for name in names if any(self._records.glob(f"{name}/*/id"))]
        states = self.machines(timeout=timeout) if kept else {}
        left = [name for name in kept if states[name] is not MachineState.ABSENT]
        if left:
            raise ProviderError(
                f"Vagrant removed the machines, yet it still has {', '.join(left)}",
                hint=self._log_hint(),
            )

    def _vagrant(self, names: Sequence[str], timeout: float, on_line: OnLine = _ignore) -> Any:  # noqa: ANN401 - python-vagrant has no types
        """Return python-vagrant's object for one call about these machines."""

        def execute(args: Sequence[str]) -> str:
            return self._execute(args, names, timeout, on_line=on_line)

        return _adapter(execute, lambda text: output.states(text, self._names))

    def _execute(
        self,
        args: Sequence[str],
        names: Sequence[str],
        timeout: float,
        *,
        on_line: OnLine = _ignore,
    ) -> str:
        """Run Vagrant once and return its standard output."""
        executable = process.which("vagrant", path=self._env["PATH"])
        if executable is None:
            raise HostError(
                "Vagrant is not installed.", hint="`harness doctor` says how to get it."
            )
        if args[0] != "status":  # which may be asked for while somebody else changes something
            strays.end(self._root)
        # `env` inside, for a network that is entered through sudo, which drops variables.
        pairs = [f"{key}={value}" for key, value in sorted(self._env.items())]
        inner = ["env", *pairs, executable, *args, *self._flags(args[0])]
        self._logs.mkdir(parents=True, exist_ok=True)
        try:
            finished = process.run(
                self._network.enter(inner),
                timeout=timeout,
                env=self._env,
                cwd=self._root,
                on_line=lambda line: self._tell(line, on_line),
                log=self._logs / "vagrant.log",
            )
        except process.ProcessFailed as error:
            raise self._error(args, names, error) from error
        return finished.stdout

    def _flags(self, command: str) -> list[str]:
        """Return what python-vagrant 1.0.0 cannot say."""
        if command == "up":  # a failed machine is the evidence
            return ["--no-destroy-on-error", "--parallel" if self.parallel else "--no-parallel"]
        if command == "destroy":
            together = self._provider in PARALLEL_DESTROY
            return ["--parallel" if together else "--no-parallel"]
        return []

    def _tell(self, line: str, on_line: OnLine) -> None:
        name, text = output.attribute(line, self._names)
        if name:
            with (self._logs / f"{name}.log").open("a", encoding="utf-8") as log:
                log.write(f"{text}\n")
        on_line(name, text)

    def _error(
        self, args: Sequence[str], names: Sequence[str], error: process.ProcessFailed
    ) -> ProviderError:
        text = error.finished.stdout + error.finished.stderr
        failed = output.failed_machines(text) or names
        command = shlex.join(["vagrant", *args])
        message = f"{', '.join(failed)}: `{command}` {error.what}"
        tail = output.error_message(text) or output.tail(error.finished)
        tail += "".join(map(self._why_not_started, failed))
        hint = self._log_hint()
        if LOCKED in text:
            hint = f"{LOCKED_HINT} {hint}"
        return ProviderError(f"{message}:\n{tail}" if tail else message, hint=hint)

    def _said_by_lxc(self, name: str) -> Path:
        return self._logs / f"{name}.lxc"  # as the Vagrantfile has it

    def _why_not_started(self, name: str) -> str:
        """Return what LXC said of a machine that it could not start, which Vagrant keeps back."""
        file = self._said_by_lxc(name)
        lines = file.read_text(errors="replace").splitlines() if file.exists() else []
        return "".join(f"\n{line}" for line in lines[-LXC_LINES:])

    def _log_hint(self) -> str:
        return f"Vagrant's whole output is in {self._logs / 'vagrant.log'}."


def _adapter(
    execute: Callable[[Sequence[str]], str],
    read_states: Callable[[str], dict[str, MachineState]],
) -> Any:  # noqa: ANN401 - python-vagrant has no types
    """Return python-vagrant's object with our way to run and to read."""
    import vagrant  # noqa: PLC0415 - it logs a warning on import where Vagrant is absent

    class Adapter(vagrant.Vagrant):
        """Each method of those called above that would run a process calls `execute`."""

        def _make_vagrant_command(self, args: Sequence[str | None]) -> list[str]:
            return [arg for arg in args if arg is not None]

        def _call_vagrant_command(self, args: Sequence[str | None]) -> None:
            execute(self._make_vagrant_command(args))

        def _run_vagrant_command(self, args: Sequence[str | None]) -> str:
            return execute(self._make_vagrant_command(args))

        def _parse_status(self, text: str) -> dict[str, MachineState]:
            return read_states(text)

    return Adapter()  # type: ignore[no-untyped-call]  # python-vagrant has no annotations
