"""Commands about this host: doctor."""

from dataclasses import asdict

import typer

from harness import doctor as doctors
from harness import host_facts, nodes
from harness.checks import Finding, Level
from harness.cli import options
from harness.cli.options import Output, Print, Provider, ProviderChoice, example
from harness.errors import HostError

app = options.new_app()


@app.command(epilog=example("harness doctor", "harness doctor --provider libvirt -o json"))
def doctor(provider: Provider = ProviderChoice.AUTO, output: Print = Output.TABLE) -> int:
    """Show what this host can do and what it lacks.

    Each finding comes with its cure. Exits 4 if something is missing that the provider needs.
    """
    chosen, reason = doctors.choose_provider(provider)
    found = doctors.findings(chosen, host_facts.collect())
    is_ok = all(finding.level is not Level.ERROR for finding in found)
    if output is Output.JSON:
        options.print_json({"ok": is_ok, "findings": [asdict(finding) for finding in found]})
    else:
        typer.echo(f"Provider {chosen}: {reason}\n")
        typer.echo(nodes.columns(("LEVEL", "CHECK", "FINDING"), _lines(found)))
    return 0 if is_ok else HostError.exit_code


def _lines(found: tuple[Finding, ...]) -> list[tuple[str, str, str]]:
    """Return a line for each finding, and below it one for its cure."""
    lines = []
    for finding in found:
        lines.append((str(finding.level), finding.check, finding.message))
        if finding.cure:
            lines.append(("", "", f"→ {finding.cure}"))
    return lines
