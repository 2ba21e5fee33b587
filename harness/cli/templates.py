"""The command that renders one template: template."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness import outside, template
from harness.cli import options
from harness.cli.options import example
from harness.errors import UsageError
from harness.template import Language, MissingKey, Options, listing
from harness.template.addresses import Address

app = options.new_app()

MultiPass = Annotated[
    bool, typer.Option("--multi-pass", help="Go: leave what has no value for a later pass.")
]
NoValue = Annotated[
    bool, typer.Option("--no-value", help="Go: print <no value> for it, as InfraKit does.")
]
Functions = Annotated[
    bool, typer.Option("--functions", help="List what templates may call, and stop.")
]


@app.command(
    "template",
    epilog=example(
        "harness template my/worker-init.sh --var KUBE_JOIN_IP=192.168.2.200",
        "harness template 'str://{{ upper \"a\" }}' --language go",
        "harness template --functions",
    ),
)
def template_(
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A path, an URL, or - for input.")
    ] = None,
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="K=V", help="A name it may use.")
    ] = None,
    language: Annotated[
        Language | None, typer.Option("--language", help="Of FILE; else its name says it.")
    ] = None,
    *,
    multi_pass: MultiPass = False,
    no_value: NoValue = False,
    functions: Functions = False,
) -> None:
    """Render one template.

    A name from --var is a variable, and `var` gives it. Includes may come from the network.
    """
    if functions:
        typer.echo(listing.plain())
        return
    if file is None:
        raise UsageError("No template is named.", hint="`harness template --help` shows how.")
    address, folder = _address(file)
    names = _names(var or [])
    missing = MissingKey.DEFAULT if no_value else MissingKey.ERROR
    chosen = Options(language=language, missing_key=missing, multi_pass=multi_pass)
    world = outside.world()
    text = template.render_address(address, folder, names, chosen, world, variables=names)
    sys.stdout.write(text)


def _address(file: str) -> tuple[Address, Path]:
    if file == "-":
        return Address("str", "", sys.stdin.read()), Path.cwd()
    if "://" not in file:
        return Address.of_file(Path(file)), Path(file).absolute().parent
    try:
        address = Address.of(file)
    except ValueError as error:
        raise UsageError(f"{error}.", hint="Name a file or an URL.") from error
    is_file = address.scheme == "file"
    return address, Path(address.path).parent if is_file else Path.cwd()


def _names(given: list[str]) -> dict[str, object]:
    names: dict[str, object] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"`{one}` is not K=V.", hint="Say for example --var a=1.")
        names[name] = value
    return names
