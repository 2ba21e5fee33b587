"""The Kubernetes flavor, for managers and workers: a plan becomes an init script, and a node.

Manager and worker share one flavor, as upstream's share one `prepare`: which script runs is
the group's template, and what it does follows from the machine's role in the plan.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import kubeadm, nodes, template
from harness.errors import CommandError, InvalidInputError, Problem, TransportError
from harness.flavors.checking import checked
from harness.interfaces import Health, HealthState
from harness.properties import KubernetesProperties
from harness.spec import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.interfaces import ClusterAPI
    from harness.spec import (
        AddOn,
        ClusterPlan,
        ClusterSecrets,
        FlavorPart,
        InstanceSpec,
        MachinePlan,
    )

# What kubectl takes to ask and to be answered, beside the time that pods take to end.
ASKING_SECONDS = 15.0


class KubernetesFlavor:
    """Makes init scripts that run `kubeadm init` or `kubeadm join`, and looks after their nodes.

    Attributes:
        world: What templates may reach; None means files alone.
    """

    def __init__(self, world: template.World | None = None) -> None:
        self.world = world

    def validate(self, properties: Mapping[str, Any]) -> None:
        """Check a flavor's properties in InfraKit's spelling.

        Raises:
            InvalidInputError: With every problem, placed below ``$``.
        """
        checked(KubernetesProperties, properties)

    def prepare(
        self,
        part: FlavorPart,
        given: InstanceSpec,
        *,
        plan: ClusterPlan,
        machine: MachinePlan,
        secrets: ClusterSecrets,
    ) -> InstanceSpec:
        """Add the script that makes a node, and the machine's attachments.

        Raises:
            InvalidInputError: With the place in the template that cannot be rendered.
        """
        options = template.as_told(part.template_language, part.template_root)
        names = context(plan, machine, secrets)
        script = template.render(machine.template, names, options, self.world)
        attachments = part.spec["Attachments"]
        own = (*attachments.get("*", ()), *attachments.get(machine.address, ()))
        return replace(
            given,
            init=given.followed_by(script),
            attachments=given.attachments + tuple((one["ID"], one["Type"]) for one in own),
        )

    def healthy(self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI) -> Health:
        """Judge a machine by its node: Ready at its planned address, whether cordoned or not."""
        del part
        try:
            items = api.get("nodes")
        except (CommandError, TransportError) as error:
            return Health(HealthState.UNKNOWN, error.message)
        node = _of(machine, items)
        reason = nodes.ABSENT if node is None else nodes.why_not_ready(node, machine.address)
        return Health(HealthState.UNHEALTHY if reason else HealthState.HEALTHY, reason)

    def drain(
        self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI, *, timeout: float
    ) -> None:
        """Let a machine's pods end, and then delete its node; a node that is gone is no error.

        Args:
            part: Nothing of it matters here.
            machine: Whose node.
            api: The cluster's.
            timeout: Seconds for the pods to end; less than one counts as one, because
                kubectl takes 0 for as long as it likes.

        Raises:
            CommandError: In kubectl's words; pods that do not end are named. The node stays,
                cordoned.
            TransportError: If the API is out of reach.
        """
        del part
        if _of(machine, api.get("nodes")) is None:
            return
        seconds = max(1, math.ceil(timeout))
        drain = ["drain", machine.name, "--ignore-daemonsets", "--delete-emptydir-data", "--force"]
        drain.append(f"--timeout={seconds}s")
        api.kubectl(drain, timeout=seconds + ASKING_SECONDS).check()
        delete = ["delete", "node", machine.name, "--ignore-not-found"]
        api.kubectl(delete, timeout=ASKING_SECONDS).check()


def _of(machine: MachinePlan, items: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((node for node in items if node["metadata"]["name"] == machine.name), None)


def context(plan: ClusterPlan, machine: MachinePlan, secrets: ClusterSecrets) -> dict[str, object]:
    """Return what templates may name: upstream's words in capitals, ours in small letters."""
    bootstraps = machine.role is Role.MANAGER
    config = kubeadm.init_config if bootstraps else kubeadm.join_config
    return {
        "SPEC": machine.spec,
        "INSTANCE_LOGICAL_ID": machine.address,
        "BOOTSTRAP": bootstraps,
        "WORKER": not bootstraps,
        "KUBEADM_JOIN_TOKEN": secrets.token,
        "KUBE_JOIN_IP": plan.join_address,
        "BIND_PORT": plan.bind_port,
        "ADDON": lambda kind: _last_path(plan.add_ons, kind),
        "NETWORK_ADDON": _last_path(plan.add_ons, "network"),
        "ALLOCATIONS": _allocations(plan, machine),
        "INDEX": {"Group": machine.group, "Sequence": machine.index},
        "node_name": machine.name,
        "node_ip": machine.address,
        "cluster": plan.cluster,
        "hosts": [(one.address, one.name) for one in plan.machines],
        "machine_network": plan.network,
        "pod_network": plan.pod_network,
        "service_network": plan.service_network,
        "supply": plan.supply,
        "traits": plan.traits,
        "add_ons": [_manifest(plan, add_on) for add_on in plan.add_ons],
        "cri_socket": kubeadm.cri_socket(plan.supply.kubernetes_version),
        "skipped_phases": _skipped_phases(plan, bootstraps=bootstraps),
        "ignored_preflight_errors": _ignored_preflight_errors(plan),
        "kubeadm_config": config(plan, machine, secrets),
        "ca_certificate": secrets.ca_certificate,
        "token_id": secrets.token.partition(".")[0],
    }


def _allocations(plan: ClusterPlan, machine: MachinePlan) -> dict[str, object]:
    addresses = [one.address for one in plan.machines if one.group == machine.group]
    return {"Size": len(addresses), "LogicalIDs": addresses}


def _skipped_phases(plan: ClusterPlan, *, bootstraps: bool) -> list[str]:
    phases = [] if plan.supply.has_crictl else ["preflight"]
    if bootstraps and not plan.supply.has_dns:
        phases.append("addon/coredns")
    return phases


def _ignored_preflight_errors(plan: ClusterPlan) -> tuple[str, ...]:
    """Return the checks that a system container cannot pass and does not need to."""
    if plan.traits.can_write_sysctls or not plan.supply.has_crictl:
        return ()
    return (
        "SystemVerification",
        "FileContent--proc-sys-net-bridge-bridge-nf-call-iptables",
        "Swap",
    )


def _last_path(add_ons: tuple[AddOn, ...], kind: str) -> str:
    """Return the path of the last add-on of a type, or nothing: upstream's `ADDON`."""
    return next((add_on.path for add_on in reversed(add_ons) if add_on.type == kind), "")


def _manifest(plan: ClusterPlan, add_on: AddOn) -> dict[str, str]:
    """Return an add-on with either its URL or its manifest's text."""
    source = add_on.path
    if not source:
        source = plan.supply.network_manifest
    elif not source.startswith(("http://", "https://")):
        source = _read_manifest(Path(source))
    is_url = source.startswith(("http://", "https://"))
    return {
        "name": add_on.name,
        "type": add_on.type,
        "url": source if is_url else "",
        "text": "" if is_url else source,
    }


def _read_manifest(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInputError([Problem(str(file), "$", f"cannot be read: {error}")]) from error
