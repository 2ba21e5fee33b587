"""The errors that a user can meet, as a tree with one exit code per class.

    HarnessError
    ├── UsageError          2   the command line asks for something that is not there
    ├── InvalidInputError   3   groups or templates are wrong; lists every problem
    ├── HostError           4   this host cannot do it; `doctor` tells more
    │   └── UnreadablePlanError 4 what was recorded of a cluster is damaged, or another harness's
    ├── ProviderError       5   Vagrant, or what lies beneath it, failed
    ├── PhaseError          6   a phase of bring-up failed or ran out of time
    │   ├── CommandError    6   a command on a machine exited non-zero
    │   └── TransportError  6   a machine could not be reached over SSH
    │       └── LoginRefusedError 6  it was reached, and refuses the cluster's key
    ├── NotReadyError       7   nodes, or pods across nodes, are not Ready
    ├── ClusterHeldError    8   another harness works on this cluster
    └── InterruptedRunError 130 a person or a supervisor stopped the run

Exit code 1 is kept for bugs: an exception that is none of these.
Foreign exceptions are translated into this tree at one boundary each (paramiko in
`transports.ssh`, python-vagrant in `providers.vagrant`, pydantic in `groups`, …).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class HarnessError(Exception):
    """A failure that is explained by one sentence and cured by one hint.

    Attributes:
        message: One sentence that says what is wrong and where.
        hint: What to do about it, or an empty string.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(HarnessError):
    """The command line names something that does not exist."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with what a user wrote.

    Attributes:
        file: The file, as the user named it.
        path: JSON path such as ``$.Properties.Allocation.Size``, or ``line 3`` for templates.
        message: What is wrong and what would be right.
    """

    file: str
    path: str
    message: str

    def __str__(self) -> str:
        text = f"{self.file}: {self.path}: {self.message}"
        # What a user wrote is quoted in it, and shall not move about on somebody's terminal.
        return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


class InvalidInputError(HarnessError):
    """Groups or templates are wrong; carries every problem, not only the first."""

    exit_code = 3

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = "1 problem" if count == 1 else f"{count} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(
            f"{head} in the groups or templates:\n{lines}",
            hint="Nothing was created. `harness validate` checks again.",
        )


class HostError(HarnessError):
    """This host lacks something that the chosen provider needs."""

    exit_code = 4


class UnreadablePlanError(HostError):
    """What was recorded of a cluster cannot be understood."""


class ProviderError(HarnessError):
    """Vagrant, or what lies beneath it, failed."""

    exit_code = 5


class PhaseError(HarnessError):
    """A phase failed or ran out of time."""

    exit_code = 6


class CommandError(PhaseError):
    """A command on a machine exited with a status other than 0."""


class TransportError(PhaseError):
    """A machine could not be reached, or the connection to it broke."""


class LoginRefusedError(TransportError):
    """A machine answers but does not accept the cluster's key."""


class NotReadyError(HarnessError):
    """The machines are up but the nodes, or the pods on them, are not as they should be."""

    exit_code = 7


class ClusterHeldError(HarnessError):
    """Another harness holds the lock of this cluster, or another state folder has its name."""

    exit_code = 8


class InterruptedRunError(HarnessError):
    """SIGINT or SIGTERM ended the run; machines are kept and `up` goes on."""

    exit_code = 130


def raise_all(errors: Sequence[BaseException], what: str) -> None:
    """Raise what happened: nothing, one error as it is, or several as a group.

    Args:
        errors: In the order in which they are told.
        what: Of several, what they have in common.
    """
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise BaseExceptionGroup(what, errors)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield what a group of errors, or of groups of them, consists of; or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from leaves(inner)
    else:
        yield error


def is_stop(error: BaseException) -> bool:
    """Return whether an error means that somebody stopped the run."""
    return any(isinstance(leaf, KeyboardInterrupt | InterruptedRunError) for leaf in leaves(error))
