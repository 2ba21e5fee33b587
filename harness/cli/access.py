"""Commands that reach into a cluster: ssh, exec, kubectl, kubeconfig, logs."""

import os
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from harness import evidence, process
from harness import kubeconfig as kubeconfigs
from harness.cli import options, selectors, session
from harness.cli.options import Name, example
from harness.cluster import Cluster
from harness.errors import HarnessError, raise_all
from harness.files import PRIVATE_FILE, write_atomically
from harness.interfaces import Result
from harness.lab import bundle

app = options.new_app()

EXEC_SECONDS = 600.0

# What follows a command's own options belongs to the program that it runs.
PASS_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@app.command(epilog=example("harness ssh ip-192.168.2.3"))
def ssh(
    machine: Annotated[str, typer.Argument(metavar="NAME", help="A machine's name.")],
    name: Name = None,
) -> int:
    """Open a shell on a machine."""
    cluster = session.recorded(name)
    return cluster.transport(cluster.plan.machine(machine).name).interactive([])


@app.command(
    "exec",
    context_settings=PASS_ON,
    epilog=example("harness exec @workers -- uname -r", "harness exec ip-192.168.2.3 -- df -h"),
)
def exec_(
    selector: Annotated[str, typer.Argument(metavar="SELECTOR", help=selectors.HELP)],
    command: Annotated[list[str], typer.Argument(metavar="-- CMD", help="Run as it stands.")],
    name: Name = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Limit of the command.")
    ] = EXEC_SECONDS,
) -> int:
    """Run a command on machines, in parallel.

    With several machines every line begins with its machine's name. The exit status is the
    command's own, or the highest of all machines.
    """
    cluster = session.recorded(name)
    names = selectors.select(cluster.plan, selector)
    argv = command[1:] if command[0] == "--" else command
    return _run_on(cluster, names, argv, timeout)


def _run_on(cluster: Cluster, names: tuple[str, ...], argv: list[str], timeout: float) -> int:
    def one(name: str) -> Result | HarnessError:
        try:
            return cluster.transport(name).run(argv, timeout=timeout)
        except HarnessError as error:
            return error

    with ThreadPoolExecutor(max_workers=len(names)) as pool:
        try:
            outcomes = list(pool.map(one, names))
        except BaseException:
            process.stop_all()  # the pool waits for its threads, and they for machines
            raise
    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    for result in results:
        _show(result, prefixed=len(names) > 1)
    errors = [outcome for outcome in outcomes if isinstance(outcome, HarnessError)]
    raise_all(errors, "machines that could not be reached")
    return max(result.exit_status for result in results)


def _show(result: Result, *, prefixed: bool) -> None:
    for text, stream in ((result.stdout, sys.stdout), (result.stderr, sys.stderr)):
        if prefixed:
            stream.writelines(f"{result.machine}: {line}\n" for line in text.splitlines())
        else:
            stream.write(text)


@app.command(
    context_settings=PASS_ON,
    epilog=example("harness kubectl get nodes", "harness kubectl --name mine apply -f pod.yaml"),
)
def kubectl(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGS", help="kubectl's own, untouched.")
    ] = None,
    name: Name = None,
) -> None:
    """Run kubectl against a cluster.

    It runs on this host, in the cluster's network: files are this host's. Options of the
    harness come before the first of kubectl's words.
    """
    cluster = session.recorded(name)
    config = _admin_config(cluster)
    argv = cluster.network.enter([_kubectl_program(cluster), *(arguments or [])])
    process.exec_replace(argv, {**os.environ, "KUBECONFIG": str(config)})


def _kubectl_program(cluster: Cluster) -> str:
    """Return the kubectl of the cluster's own version, where there is one."""
    if cluster.plan.supply.source == "bundle":
        own = bundle.default_path() / "bin" / "kubectl"
        if own.is_file():
            return str(own)
    return "kubectl"


def _admin_config(cluster: Cluster) -> Path:
    """Return the administrator's configuration, fetched from the manager the first time."""
    path = cluster.workspace.kubeconfig
    if not path.is_file():
        write_atomically(path, cluster.admin_conf(), mode=PRIVATE_FILE)
        cluster.workspace.give_to_caller()
    return path


@app.command(epilog=example("harness kubeconfig --merge", "harness kubeconfig --out admin.conf"))
def kubeconfig(
    name: Name = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there, 0600.")
    ] = None,
    *,
    merge: Annotated[
        bool, typer.Option("--merge", help="Put it into the user's kubeconfig, till `down`.")
    ] = False,
) -> None:
    """Print a configuration for this host's own kubectl.

    It holds the administrator's key. Its address is a forward on 127.0.0.1 that lives as
    long as the cluster. With --merge it becomes the current context of $KUBECONFIG, or else
    of ~/.kube/config.
    """
    cluster = session.recorded(name)
    text = cluster.kubeconfig_text()
    if merge:
        file = session.user_kubeconfig()
        with session.writing(file):
            session.make_folder(file.parent)
        cluster.workspace.note_kubeconfig(file.absolute())
        cluster.workspace.give_to_caller()
        kubeconfigs.merge(file, text)
        session.give_file(file)
        context = kubeconfigs.context_name(cluster.plan.cluster)
        typer.echo(f"{file} has the context {context} now.", err=True)
    if out is not None:
        with session.writing(out):
            write_atomically(out.resolve(), text, mode=PRIVATE_FILE)
        session.give_file(out)
        typer.echo(f"Use it as KUBECONFIG={shlex.quote(str(out.absolute()))}", err=True)
    if not merge and out is None:
        typer.echo(text, nl=False)


@app.command(epilog=example("harness logs", "harness logs --out evidence.tar.gz"))
def logs(
    name: Name = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A new .tar.gz file.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="SECONDS", min=1, help="Limit of the whole run.")
    ] = evidence.COLLECT_SECONDS,
) -> None:
    """Collect the evidence of what happened in one archive.

    Plan, Vagrantfile, scripts, logs, consoles, journals, pods' logs, the cluster's own words and
    what `doctor` says; tokens, keys and certificates are taken out. What cannot be had is noted
    in its place.
    """
    cluster = session.recorded(name)
    chosen = out or evidence.default_file(Path(), cluster.plan.cluster)
    with session.reporting(cluster.workspace) as reporter:
        evidence.collect(cluster, chosen, reporter, timeout=timeout)
    session.give_file(chosen)
    typer.echo(chosen)
