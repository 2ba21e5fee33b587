"""Options and arguments that several commands share, so that each means one thing."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from harness import assets

UP_SECONDS = 1800.0
WALKTHROUGH = ("groups-manager.json", "groups-worker.json")


class Output(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"


class ProviderChoice(StrEnum):
    """Who makes the machines; ``auto`` lets this host's abilities decide."""

    AUTO = "auto"
    LXC = "lxc"
    LIBVIRT = "libvirt"
    VIRTUALBOX = "virtualbox"


Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="GROUP.json",
        help="Group files of one cluster, JSON or YAML: paths, URLs or - for standard input; "
        "without any, those of the walkthrough.",
    ),
]
Name = Annotated[
    str | None,
    typer.Option("--name", metavar="CLUSTER", help="The cluster; else the walkthrough's."),
]
Print = Annotated[Output, typer.Option("--output", "-o", help="How to print.")]
Provider = Annotated[ProviderChoice, typer.Option("--provider", help="Who makes the machines.")]
Timeout = Annotated[
    float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Limit of the whole run.")
]
Force = Annotated[
    bool,
    typer.Option("--force", help="Even if the only control plane is lost, and all that is in it."),
]


def new_app() -> typer.Typer:
    """Return an empty set of commands, to be merged into the application."""
    return typer.Typer(rich_markup_mode=None)


def example(*lines: str) -> str:
    """Return the last part of a command's help; the mark keeps its lines apart."""
    return "\n".join(["\b", "Example:", *(f"  {line}" for line in lines)])


def group_files(files: list[str] | None) -> list[str]:
    """Return the group files that were named, or the walkthrough's own."""
    return files or [str(assets.directory() / "groups" / name) for name in WALKTHROUGH]


def print_json(data: object) -> None:
    """Print data for programs; nothing else goes to standard output then."""
    typer.echo(json.dumps(data, indent=2, ensure_ascii=False))
