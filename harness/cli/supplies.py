"""Commands for what machines are made of: bundle and box."""

import sys
from dataclasses import asdict
from os import environ

import typer

from harness import doctor, nodes, reporters
from harness.cli import interrupts, options, privilege
from harness.cli.options import Output, Print, example
from harness.lab import box as boxes
from harness.lab import bundle as bundles
from harness.lab import recipe

app = options.new_app()
bundle = options.new_app()
box = options.new_app()
app.add_typer(bundle, name="bundle", help="What a cluster needs without a network.")
app.add_typer(box, name="box", help="The machines' images, made from a bundle.")

GOES_ON = "What is finished is kept; the same command goes on from there."


@bundle.command("build", epilog=example("harness bundle build"))
def build_bundle() -> None:
    """Build Kubernetes and its supplies from Debian's sources.

    Takes about ten minutes on two cores, and nothing where it was done before.
    """
    doctor.require_supply_space()
    reporter = reporters.choose(sys.stderr, environ)
    try:
        with interrupts.explained("Interrupted while building the bundle.", hint=GOES_ON):
            made = recipe.build(reporter.report)
    finally:
        reporter.close()
    typer.echo(made.path)


@bundle.command("verify", epilog=example("harness bundle verify"))
def verify_bundle() -> None:
    """Check every file of the bundle against its manifest."""
    found = bundles.load(bundles.default_path())
    bundles.verify(found)
    typer.echo(f"The bundle at {found.path} is whole.")


@bundle.command("info", epilog=example("harness bundle info -o json"))
def show_bundle(output: Print = Output.TABLE) -> None:
    """Show what the bundle contains."""
    info = bundles.load(bundles.default_path()).info()
    if output is Output.JSON:
        options.print_json(info)
    else:
        typer.echo(nodes.columns(("WHAT", "VALUE"), info.items()))


@box.command("build", epilog=example("harness box build"))
def build_box() -> None:
    """Build the machines' box from the bundle, and give it to Vagrant."""
    found = bundles.load(bundles.default_path())
    privilege.become_root("the box's users and services")
    doctor.require_supply_space()
    reporter = reporters.choose(sys.stderr, environ)
    try:
        with interrupts.explained("Interrupted while building the box.", hint=GOES_ON):
            made = boxes.build(found, on_event=reporter.report)
    finally:
        reporter.close()
    typer.echo(made.name)


@box.command("ls", epilog=example("harness box ls"))
def list_boxes(output: Print = Output.TABLE) -> None:
    """List the boxes that the lab's Vagrant knows."""
    found = boxes.boxes()
    if output is Output.JSON:
        options.print_json([{**asdict(one), "directory": str(one.directory)} for one in found])
    else:
        lines = [(one.name, str(one.directory)) for one in found]
        typer.echo(nodes.columns(("NAME", "DIRECTORY"), lines))
