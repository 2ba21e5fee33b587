"""Commands on single groups, in the words of InfraKit's walkthrough."""

from dataclasses import asdict
from typing import Annotated

import typer

from harness import reconcile
from harness.cli import options, parts
from harness.cli.options import Files, Output, Print, Provider, ProviderChoice, example
from harness.workspace import Workspace

app = options.new_app()
group = options.new_app()
app.add_typer(group, name="group", help="What becomes of single groups.")


@group.command(epilog=example("harness group commit my/*.json --pretend"))
def commit(
    files: Files = None,
    provider: Provider = ProviderChoice.AUTO,
    output: Print = Output.TABLE,
    *,
    pretend: Annotated[
        bool, typer.Option("--pretend", help="Say what it would involve; required for now.")
    ],
) -> None:
    """Say what it takes to get a cluster's groups to what files ask for.

    Compares with what was recorded when the cluster was brought up: numbers of machines, their
    properties, and the content of templates and manifests. Nothing is changed.
    """
    del pretend  # required
    desired = parts.resolve(options.group_files(files), provider).plan
    changes = reconcile.changes(desired, Workspace.of(desired.cluster).load_plan())
    if output is Output.JSON:
        options.print_json({name: asdict(change) for name, change in changes.items()})
        return
    for name, change in changes.items():
        typer.echo(f"Committing {name} would involve: {change.text}")
