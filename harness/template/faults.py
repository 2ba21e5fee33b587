"""What is wrong with a template, where, and by which includes it was reached."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import InvalidInputError, Problem

# What expressions and functions can raise for a template's own reasons: `1 / 0`, `"a" + 1`,
# `x[3]`, a file that is not there. They are the template's faults, so they are reported so.
EXPRESSION_ERRORS = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a template; column 0 stands for none."""

    file: str
    line: int
    column: int = 0

    @property
    def path(self) -> str:
        """The place within the file, as problems have it."""
        return f"line {self.line}" + (f", column {self.column}" if self.column else "")


class FaultError(Exception):
    """One fault of a template.

    Attributes:
        sites: Where it is, then where each including template includes the one before.
    """

    def __init__(self, message: str, *sites: Site) -> None:
        super().__init__(message)
        self.message = message
        self.sites = sites

    def below(self, *sites: Site) -> FaultError:
        """Return the same fault as the templates above see it."""
        return FaultError(self.message, *self.sites, *sites)

    def problem(self, root: str) -> Problem:
        """Return it as users read it."""
        here, *above = self.sites or (Site(root, 1),)
        stack = "; ".join(
            f"included from {site.file}, {site.path}" for site in dict.fromkeys(above)
        )
        return Problem(here.file, here.path, self.message + (f" ({stack})" if stack else ""))

    def invalid(self, root: str) -> InvalidInputError:
        """Return it as the error that callers of the engine know."""
        return InvalidInputError([self.problem(root)])


def text_of(error: Exception) -> str:
    """Return an error's words; one without any says what it is."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, KeyError):
        return f"there is no key {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
