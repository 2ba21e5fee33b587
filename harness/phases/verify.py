"""verify: pods on different nodes, without hostNetwork, really reach each other.

Ready says nothing about the network between nodes (reference/peers.md, lesson 3). So one
pod per worker offers a random nonce, and each fetches that of the next.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import wait
from harness.errors import CommandError, HarnessError, NotReadyError, TransportError
from harness.events import MachineProgress, Notice
from harness.phases import diagnosis
from harness.phases.base import Phase

if TYPE_CHECKING:
    from harness.interfaces import ClusterAPI
    from harness.phases.base import Site
    from harness.spec import MachinePlan
    from harness.wait import Deadline

NAME = "verify"
LABEL = "harness.verify"
NAMESPACE = "default"
PORT = 8080
KUBECTL_SECONDS = 30.0
FETCH_SECONDS = 3
PAIR = 2
INTERVAL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Probe:
    """A pod that offers a nonce.

    Attributes:
        pod: Its name.
        node: Where it runs.
        nonce: What it offers.
    """

    pod: str
    node: str
    nonce: str


def manifest(probe: Probe, run: str, image: str) -> dict[str, Any]:
    """Return a probe's pod, bound to its node past the scheduler and its taints."""
    serve = (
        f"mkdir -p /tmp/www && echo {probe.nonce} > /tmp/www/nonce"
        f" && exec busybox httpd -f -p {PORT} -h /tmp/www"
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": probe.pod, "namespace": NAMESPACE, "labels": {LABEL: run}},
        "spec": {
            "nodeName": probe.node,
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sh", "-c", serve],
                }
            ],
        },
    }


def _chosen(site: Site) -> tuple[MachinePlan, ...]:
    workers = site.plan.workers
    return workers if len(workers) >= PAIR else site.plan.machines


def _run(site: Site, deadline: Deadline) -> str:
    chosen = _chosen(site)
    if len(chosen) < PAIR:
        site.report(Notice("One node has nobody to talk to: the pod-to-pod check is left out."))
        return "one node only"
    run = secrets.token_hex(4)
    probes = [
        Probe(f"harness-verify-{run}-{number}", machine.name, secrets.token_hex(16))
        for number, machine in enumerate(chosen)
    ]
    try:
        return _exchange(site, probes, run, deadline)
    except wait.WaitTimeout as error:
        raise NotReadyError(
            error.message,
            hint="The nodes are Ready, but pods on them do not reach each other: look at the"
            " network add-on's pods in kube-system and at `ip route` on the nodes.",
        ) from error
    finally:
        _remove(site, run)


def _exchange(site: Site, probes: list[Probe], run: str, deadline: Deadline) -> str:
    pods = [manifest(probe, run, site.plan.supply.verify_image) for probe in probes]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": pods}).encode()
    wait.retry(
        # The default ServiceAccount may come a moment after the nodes.
        lambda: site.api.kubectl(
            ["apply", "--filename=-"], timeout=KUBECTL_SECONDS, stdin=text
        ).check(),
        on=(CommandError, TransportError),
        timeout=deadline.remaining,
        interval=INTERVAL_SECONDS,
        what="the probes' pods",
    )
    addresses: dict[str, str] = {}
    wait.until(
        lambda: _not_running(site.api, probes, run, addresses),
        timeout=deadline.remaining,
        interval=INTERVAL_SECONDS,
        what="the probes' pods running",
        on_reason=lambda reason: site.report(Notice(f"verify: {reason}", level="debug")),
    )
    nodes = wait.retry(
        lambda: site.api.get("nodes"),
        on=(CommandError, TransportError),
        timeout=deadline.remaining,
        interval=INTERVAL_SECONDS,
        what="the nodes' ranges",
    )
    _check_ranges(nodes, probes, addresses)
    for probe, target in zip(probes, [*probes[1:], probes[0]], strict=True):
        address = addresses[target.pod]
        site.report(MachineProgress(probe.node, NAME, f"fetching from {address}"))
        wait.until(
            lambda probe=probe, target=target, address=address: _not_fetched(  # type: ignore[misc]
                site.api, probe, target, address
            ),
            timeout=deadline.remaining,
            interval=INTERVAL_SECONDS,
            what=f"a pod on {probe.node} reaching one on {target.node}",
        )
        site.report(MachineProgress(probe.node, NAME, "", done=True))
    return f"{len(probes)} pods exchanged nonces"


def _not_running(
    api: ClusterAPI, probes: list[Probe], run: str, addresses: dict[str, str]
) -> str | None:
    """Fill `addresses` (pod → IP); say which pod does not run yet."""
    try:
        items = api.get("pods", namespace=NAMESPACE, selector=f"{LABEL}={run}")
    except (CommandError, TransportError) as error:
        return error.message
    pods = {pod["metadata"]["name"]: pod["status"] for pod in items}
    for probe in probes:
        status = pods.get(probe.pod, {})
        if status.get("phase") != "Running" or "podIP" not in status:
            # Told here, because the probes are removed before anything is diagnosed.
            why = diagnosis.why_not_running(status) or status["phase"] if status else "absent"
            return f"{probe.pod} on {probe.node}: {why}"
        addresses[probe.pod] = status["podIP"]
    return None


def _check_ranges(
    nodes: list[dict[str, Any]], probes: list[Probe], addresses: dict[str, str]
) -> None:
    """Check that each pod's address is of its own node's range, and that these differ.

    Raises:
        NotReadyError: Else the pods would share a network and the check prove nothing.
    """
    ranges = {node["metadata"]["name"]: node["spec"].get("podCIDR") for node in nodes}
    for probe in probes:
        own = ranges.get(probe.node)
        address = addresses[probe.pod]
        if own is None or ipaddress.ip_address(address) not in ipaddress.ip_network(own):
            raise NotReadyError(
                f"{probe.node}: pod {probe.pod} has address {address}, outside its node's"
                f" range {own}"
            )
    used = [ranges[probe.node] for probe in probes]
    if len(set(used)) != len(used):
        raise NotReadyError(f"nodes share a pod range: {', '.join(map(str, used))}")


def _not_fetched(api: ClusterAPI, probe: Probe, target: Probe, address: str) -> str | None:
    url = f"http://{address}:{PORT}/nonce"
    # `timeout`, because the -T of Debian's busybox wget ends in a segmentation fault.
    fetch = ["timeout", str(FETCH_SECONDS), "busybox", "wget", "-q", "-O", "-", url]
    argv = ["exec", "--namespace", NAMESPACE, probe.pod, "--", *fetch]
    try:
        result = api.kubectl(argv, timeout=KUBECTL_SECONDS)
    except TransportError as error:
        return error.message
    if result.exit_status != 0:
        return f"{url}: {(result.stderr or result.stdout).strip()[-200:]}"
    if result.stdout.strip() != target.nonce:
        return f"{url} answered with something else than the nonce of {target.pod}"
    return None


def _remove(site: Site, run: str) -> None:
    argv = ["delete", "pods", "--namespace", NAMESPACE, "--selector", f"{LABEL}={run}"]
    try:
        site.api.kubectl([*argv, "--now", "--wait=false"], timeout=KUBECTL_SECONDS).check()
    except HarnessError as error:
        # Must not hide why the check failed; pods named harness-verify-* are harmless.
        site.report(Notice(f"The probes' pods were not removed: {error.message}", "warning"))


def _diagnose(site: Site) -> str:
    """Ask for the pods that do not run, and every machine whether anything is wrong with it."""
    health = diagnosis.of_machines(site, site.plan.machines, only=diagnosis.STATE)
    return diagnosis.joined([diagnosis.of_pods(site), health])


PHASE = Phase(NAME, timeout_seconds=120, run=_run, diagnose=_diagnose)
