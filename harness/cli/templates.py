"""The command that renders one template: template."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from harness import outside, template
from harness.cli import options
from harness.cli.options import example
from harness.errors import UsageError
from harness.flavors import names
from harness.template import Language, MissingKey, Options, listing
from harness.template.addresses import Address

app = options.new_app()

_WORDS = {"true": True, "false": False}
# Not 007, which is a text with zeros; nor what is longer than any number that Go has.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")

MultiPass = Annotated[
    bool, typer.Option("--multi-pass", help="Go: leave what has no value for a later pass.")
]
NoValue = Annotated[
    bool, typer.Option("--no-value", help="Go: print <no value> for it, as InfraKit does.")
]
Root = Annotated[
    Path | None,
    typer.Option(
        "--root", metavar="DIR", help="Files may be included from here; else FILE's own folder."
    ),
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
def template_(  # noqa: PLR0913 - each is an option
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="A path, an URL, or - for input.")
    ] = None,
    var: Annotated[
        list[str] | None, typer.Option("--var", metavar="K=V", help="A name it may use.")
    ] = None,
    language: Annotated[
        Language | None, typer.Option("--language", help="Of FILE; else its name says it.")
    ] = None,
    root: Root = None,
    *,
    multi_pass: MultiPass = False,
    no_value: NoValue = False,
    functions: Functions = False,
) -> None:
    """Render one template.

    A name from --var is a variable, and `var` gives it: true, false and whole numbers are what
    they say, all else is text. Includes may come from the network.
    """
    if functions:
        typer.echo(listing.plain(names.ROWS))
        return
    if file is None:
        raise UsageError("No template is named.", hint="`harness template --help` shows how.")
    address, folder = _address(file)
    given = _given(var or [])
    missing = MissingKey.DEFAULT if no_value else MissingKey.ERROR
    chosen = Options(language=language, root=root, missing_key=missing, multi_pass=multi_pass)
    world = outside.world()
    text = template.render_address(address, folder, given, chosen, world, variables=given)
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


def _given(pairs: list[str]) -> dict[str, object]:
    given: dict[str, object] = {}
    for one in pairs:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"`{one}` is not K=V.", hint="Say for example --var a=1.")
        given[name] = _value(value)
    return given


def _value(text: str) -> object:
    """Read a value as upstream's `--var` does."""
    if text in _WORDS:
        return _WORDS[text]
    return int(text) if _INTEGER.fullmatch(text) else text
