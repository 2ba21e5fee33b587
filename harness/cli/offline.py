"""Commands that create no machine: validate, plan, render."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from harness import nodes, render
from harness.cli import options, parts, resolution
from harness.cli.options import Files, Output, Print, Provider, ProviderChoice, example
from harness.cli.resolution import Resolved
from harness.errors import InvalidInputError, UsageError
from harness.files import PRIVATE_FILE, write_atomically
from harness.spec import ClusterPlan

app = options.new_app()

PLAN_HEAD = ("NAME", "ROLE", "GROUP", "ADDRESS", "CPUS", "MEMORY", "BOX")


@app.command(epilog=example("harness validate my/managers.json my/workers.json -o json"))
def validate(
    files: Files = None,
    provider: Provider = ProviderChoice.AUTO,
    output: Print = Output.TABLE,
) -> int:
    """Check group files and templates.

    Every problem is shown at once, each with its file and JSON path; nothing is created.
    """
    paths = options.group_files(files)
    try:
        warn(resolution.of_files(paths, provider))
    except InvalidInputError as error:
        if output is Output.TABLE:
            raise
        problems = [asdict(problem) for problem in error.problems]
        options.print_json({"valid": False, "problems": problems})
        return error.exit_code
    if output is Output.JSON:
        options.print_json({"valid": True, "problems": []})
    else:
        typer.echo(f"Valid: {', '.join(map(str, paths))}")
    return 0


@app.command(epilog=example("harness plan", "harness plan my/*.json -o json"))
def plan(
    files: Files = None,
    provider: Provider = ProviderChoice.AUTO,
    output: Print = Output.TABLE,
) -> None:
    """Show which machines a cluster would have."""
    resolved = resolution.of_files(options.group_files(files), provider)
    warn(resolved)
    print_plan(resolved.plan, output)


def warn(resolved: Resolved) -> None:
    """Print what is allowed and will hardly be meant."""
    for problem in resolved.warnings:
        typer.echo(f"warning: {problem}", err=True)


def print_plan(resolved: ClusterPlan, output: Output) -> None:
    """Print a plan; the machines' own properties, which templates read, only as JSON."""
    if output is Output.JSON:
        options.print_json(_plain(resolved))
        return
    typer.echo(f"Cluster {resolved.cluster} by {resolved.provider}, network {resolved.network}")
    supply = resolved.supply
    typer.echo(f"Kubernetes {supply.kubernetes_version} from {supply.source}")
    typer.echo(f"API server {resolved.join_address}:{resolved.bind_port}")
    typer.echo(f"Pods {resolved.pod_network}, services {resolved.service_network}\n")
    lines = [
        (m.name, m.role, m.group, m.address, str(m.cpus), f"{m.memory_mib} MiB", m.box)
        for m in resolved.machines
    ]
    typer.echo(nodes.columns(PLAN_HEAD, lines))


def _plain(resolved: ClusterPlan) -> dict[str, Any]:
    """Return a plan without the text of manifests, which nobody wants to read there."""
    plain = asdict(resolved)
    plain["supply"].pop("network_manifest")
    return plain


@app.command("render", epilog=example("harness render --out rendered/"))
def render_(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new or empty folder.")],
    files: Files = None,
    provider: Provider = ProviderChoice.AUTO,
) -> None:
    """Write out the Vagrantfile and init scripts.

    They are to be looked at: secrets are placeholders, so they work for nobody.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"`{out}` is not an empty folder.", hint="Name a folder that is new.")
    cluster = parts.planned(resolution.of_files(options.group_files(files), provider))
    texts = {"Vagrantfile": cluster.vagrantfile(cluster.plan, render.PLACEHOLDER_SECRETS)}
    for machine in cluster.plan.machines:
        placeholders = render.PLACEHOLDER_SECRETS
        made = render.instance(cluster.plan, machine, placeholders, cluster.world)
        texts[f"{machine.name}-init.sh"] = made.init
        if made.tags or made.attachments:
            labels = {"tags": made.tags, "attachments": made.attachments}
            texts[f"{machine.name}-labels.json"] = json.dumps(labels, indent=2)
    for name, text in texts.items():
        write_atomically(out / name, text, mode=PRIVATE_FILE)
        typer.echo(out / name)
    typer.echo("The token, keys and certificates in them are placeholders.", err=True)
