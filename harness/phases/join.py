"""join: kubeadm has made every worker a node of the cluster."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness import kubeadm, wait
from harness.errors import CommandError, TransportError
from harness.events import Notice
from harness.phases import diagnosis, script
from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.phases.base import Site
    from harness.spec import MachinePlan
    from harness.wait import Deadline

NAME = "join"
KUBECTL_SECONDS = 30.0
# An API server that has just come back says "TLS handshake timeout" while the processors are busy.
API_SECONDS = 60.0
# A kubelet that has joined registers within a second or two.
REGISTER_SECONDS = 5.0
# A token that ends while workers wait for it is as good as ended.
TOKEN_MARGIN = timedelta(hours=1)


def _run(site: Site, deadline: Deadline) -> str:
    if not site.plan.workers:
        return ""
    site.on_all(
        site.plan.workers,
        NAME,
        lambda machine: _join(site, machine, deadline),
        beside=lambda: _renew_token(site, deadline),
    )
    return ""


def _join(site: Site, machine: MachinePlan, deadline: Deadline) -> None:
    if script.observe_patiently(site, machine, NAME, deadline=deadline).is_past(NAME):
        try:
            wait.until(
                lambda: _unregistered(site, machine),
                timeout=REGISTER_SECONDS,
                interval=0.5,
                what=f"node {machine.name}",
            )
        except wait.WaitTimeout:
            # Its node was deleted, or the control plane was made anew: a kubelet registers at
            # its start and never again.
            script.start(site, machine, again=True)
    script.wait_past(site, machine, NAME, deadline=deadline)


def _unregistered(site: Site, machine: MachinePlan) -> str | None:
    argv = ["get", "node", machine.name, "--ignore-not-found", "--output=name"]
    try:
        found = site.api.kubectl(argv, timeout=KUBECTL_SECONDS)
    except TransportError as error:
        return error.message
    return None if found.stdout.strip() else found.stderr or "it has not registered"


def _renew_token(site: Site, deadline: Deadline) -> None:
    """Let the cluster's bootstrap token live another day, if it has ended or soon will.

    Raises:
        WaitTimeout: If the API server refuses, or is silent for longer than its start takes.
    """

    def ask(argv: list[str], what: str, stdin: bytes = b"") -> str:
        answer = wait.retry(
            lambda: site.api.kubectl(argv, timeout=KUBECTL_SECONDS, stdin=stdin).check(),
            on=(CommandError, TransportError),
            timeout=min(API_SECONDS, deadline.remaining),
            interval=1,
            what=what,
        )
        return answer.stdout

    token = site.secrets.token
    name = kubeadm.token_secret_name(token)
    argv = ["get", "secret", name, "--namespace=kube-system", "--ignore-not-found"]
    found = ask([*argv, "--output=jsonpath={.data.expiration}"], "the bootstrap token's end")
    now = datetime.now(tz=UTC)
    if found and kubeadm.token_expiry(found) > now + TOKEN_MARGIN:
        return
    manifest = kubeadm.token_secret(token, now + kubeadm.TOKEN_LIFETIME)
    # By standard input: the token is secret, and a command line is not.
    ask(["apply", "--filename=-"], "another bootstrap token", json.dumps(manifest).encode())
    site.report(Notice("The bootstrap token had ended; it lives another day.", level="debug"))


def _diagnose(site: Site) -> str:
    """Ask the workers that have not joined, and the manager, without which nobody can."""
    health = diagnosis.of_machines(site, [site.plan.manager], only=diagnosis.STATE)
    return diagnosis.joined([script.diagnosis_of(site, site.plan.workers, NAME), health])


PHASE = Phase(NAME, timeout_seconds=600, run=_run, diagnose=_diagnose)
