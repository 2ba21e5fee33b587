"""The command line's root: finds a command, runs it, and maps every error to an exit code.

When several things failed at once (an `ExceptionGroup`) all are told, and the exit code is
that of the gravest: an interruption (130) before a bug (1) before the largest of the others.
"""

from __future__ import annotations

import importlib
import os
import sys
import textwrap
import traceback
from typing import TYPE_CHECKING

import typer

from harness import known_issues, process
from harness.cli import interrupts
from harness.errors import HarnessError, InterruptedRunError, is_stop

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = 2
BUG = 1
# What a shell reports of a program whose reader went away, as in `harness logs | head`.
READER_LEFT = 141

TOPICS = {
    "clusters": ("up", "down", "status", "nodes"),
    "offline": ("validate", "plan", "render"),
    "templates": ("template",),
    "groups": ("group", "watch"),
    "access": ("ssh", "exec", "kubectl", "kubeconfig", "logs"),
    "supplies": ("bundle", "box"),
    "host": ("doctor",),
}
"""The modules beside this one, and the commands that each of them has."""


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code; never raises.

    Args:
        argv: The words after the program's name.
    """
    with interrupts.handled() as signals:
        try:
            status = _run(argv)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes again at its end, and would complain.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return READER_LEFT
        except BaseException as error:  # noqa: BLE001 - this is where all of them end
            signals.ignore()
            if is_stop(error):
                process.stop_all()
            return _tell(error)
        return status


def application(argv: Sequence[str]) -> typer.Typer:
    """Return the commands that `argv` may mean.

    Only the named command's module is imported: most of them pull in what others never need.
    """
    named = [topic for topic, commands in TOPICS.items() if {*argv[:1]} & {*commands}]
    app = typer.Typer(
        name="harness",
        help="Bring up real Kubernetes clusters on Vagrant machines, and test against them.",
        epilog="\b\nExample:\n  harness up\n  harness kubectl get nodes\n  harness down",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    for topic in named or TOPICS:
        app.add_typer(importlib.import_module(f"harness.cli.{topic}").app)
    return app


def _root() -> None:
    """Give the application options of its own, even where it has one command."""


def _run(argv: Sequence[str]) -> int:
    command = typer.main.get_command(application(argv))
    try:
        # Not `command(…)`: that would turn interruptions and errors into exits of its own.
        with command.make_context("harness", list(argv)) as context:
            return command.invoke(context) or 0
    except typer.Exit as exit_:
        return exit_.exit_code
    except typer.TyperException as error:
        return _tell_usage(error)


def _tell_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "harness"
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message(), err=True)
    else:
        typer.echo(f"error: {error.format_message()}", err=True)
        typer.echo(f"hint: `{where} --help` shows how.", err=True)
    return USAGE


def _tell(error: BaseException) -> int:
    """Print everything that failed and what is known of it; return the gravest exit code."""
    codes = _tell_all(error)
    for issue in known_issues.explaining(error):
        typer.echo(f"known issue {issue}", err=True)
    return max(codes, key=_gravity)


def _gravity(code: int) -> tuple[bool, bool, int]:
    return code == InterruptedRunError.exit_code, code == BUG, code


def _tell_all(error: BaseException) -> list[int]:
    """Print an error, or each one of a group and what was noted on all of them."""
    if not isinstance(error, BaseExceptionGroup):
        return [_tell_one(error)]
    codes = [code for inner in error.exceptions for code in _tell_all(inner)]
    _tell_notes(error)
    return codes


def _tell_one(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        error = InterruptedRunError("Interrupted.")
    if isinstance(error, HarnessError):
        typer.echo(f"error: {error.message}", err=True)
        _tell_notes(error)
        if error.hint:
            typer.echo(f"hint: {error.hint}", err=True)
        return error.exit_code
    traceback.print_exception(error)
    typer.echo("error: this is a bug in the harness; please report the lines above.", err=True)
    return BUG


def _tell_notes(error: BaseException) -> None:
    for note in getattr(error, "__notes__", ()):
        typer.echo(textwrap.indent(note, "  "), err=True)
