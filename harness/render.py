"""Rendering: a plan becomes the cluster's Vagrantfile and one init script per machine."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness import assets, template
from harness.errors import InvalidInputError, Problem
from harness.flavors import FLAVORS, flavors
from harness.spec import ClusterSecrets, InstanceSpec, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.spec import ClusterPlan, MachinePlan
    from harness.template import World

PLACEHOLDER_SECRETS = ClusterSecrets(
    token="placeh.olderplaceholder",  # noqa: S106 - rendered in place of a token, never used
    ca_certificate="(the cluster's certificate authority)\n",
    ca_key="(its key)\n",
    ca_cert_hash="sha256:(the hash of its public key)",
    ssh_public_key="(the cluster's public key)",
)
"""Stands for secrets wherever something is rendered to be looked at and not to be run."""


@dataclass(frozen=True, slots=True)
class VagrantSettings:
    """What a Vagrantfile needs and no plan knows: where keys lie, what this host can do.

    Attributes:
        private_key: The cluster's own SSH key.
        insecure_key: Vagrant's key, which boxes accept until the cluster's replaces it.
        public_key: OpenSSH line of the cluster's key.
        consoles: Folder for what machines print on their consoles, and what LXC says of them.
        workspace: The cluster's, by which its machines can be told from others'.
        bridge: For lxc, the bridge that the machines' interfaces are put on.
        libvirt_driver: For libvirt, ``kvm``, or ``qemu`` where KVM does not work.
        boot_timeout_seconds: How long Vagrant waits for SSH on each machine.
    """

    private_key: Path
    insecure_key: Path
    public_key: str
    consoles: Path
    workspace: Path
    bridge: str = "harness0"
    libvirt_driver: str = "kvm"
    boot_timeout_seconds: int = 300


def vagrantfile(plan: ClusterPlan, settings: VagrantSettings) -> str:
    """Render the Vagrantfile of all the cluster's machines."""
    context = {
        "plan": plan,
        "settings": settings,
        "ssh_public_key": settings.public_key.strip(),
    }
    return template.render(assets.vagrantfile(), context)


def instance(
    plan: ClusterPlan, machine: MachinePlan, secrets: ClusterSecrets, world: World | None = None
) -> InstanceSpec:
    """Return what the machine's flavor makes of it.

    Args:
        plan: The machine's cluster.
        machine: The machine.
        secrets: The cluster's, or placeholders.
        world: What its templates may reach; None means files alone.

    Raises:
        InvalidInputError: With the place in the template that cannot be rendered.
    """
    flavor = (flavors(world) if world else FLAVORS)[machine.flavor]
    return flavor.prepare(machine.part, InstanceSpec(), plan=plan, machine=machine, secrets=secrets)


def init_script(
    plan: ClusterPlan, machine: MachinePlan, secrets: ClusterSecrets, world: World | None = None
) -> str:
    """Render a machine's init script; it holds the token, so keep it 0600.

    Raises:
        InvalidInputError: With the place in the template that cannot be rendered.
    """
    return instance(plan, machine, secrets, world).init


def check(plan: ClusterPlan, world: World | None = None) -> tuple[Problem, ...]:
    """Render every machine's script with placeholders for secrets and throw it away.

    Returns:
        Warnings: what is allowed and will hardly be meant, each once.

    Raises:
        InvalidInputError: With every problem of every template, each once.
    """
    problems: dict[Problem, None] = {}
    warnings: dict[Problem, None] = {}
    for machine in plan.machines:
        try:
            script = init_script(plan, machine, PLACEHOLDER_SECRETS, world)
        except InvalidInputError as error:
            problems.update(dict.fromkeys(error.problems))
        else:
            warnings.update(dict.fromkeys(_exposures(machine, script)))
    if problems:
        raise InvalidInputError(problems)
    return tuple(warnings)


_EXPOSING = (
    (
        re.compile(rf"-token[ =]+['\"]?{re.escape(PLACEHOLDER_SECRETS.token)}"),
        (
            "the token stands on a command line, where every process on the machine can read it; "
            "kubeadm's --config keeps it in a file"
        ),
    ),
    (
        re.compile(r"unsafe-skip-ca-verification|unsafeSkipCAVerification:\s*['\"]?true"),
        (
            "this join trusts whatever answers at the control plane's address; caCertHashes in "
            "kubeadm's --config, or --discovery-token-ca-cert-hash, pins the certificate authority"
        ),
    ),
    (
        re.compile(r"^\s*set\s+(-[a-z]*x|-o\s+xtrace)"),
        "the shell writes every command that it runs into the journal, tokens and all",
    ),
)


def _exposures(machine: MachinePlan, script: str) -> list[Problem]:
    """Return where a script gives away what is secret; upstream's listings do."""
    return [
        Problem(template.shown(machine.template), f"line {number} of what it renders", message)
        for number, line in enumerate(script.splitlines(), start=1)
        for pattern, message in _EXPOSING
        if pattern.search(line)
    ]


def fingerprinted(plan: ClusterPlan, world: World | None = None) -> ClusterPlan:
    """Return the plan with each machine's fingerprint, by which its changes are noticed.

    Args:
        plan: The cluster.
        world: What its templates may reach; None means files alone.

    Raises:
        InvalidInputError: If a template, or what it includes, is not there.
    """
    return replace(
        plan,
        machines=tuple(
            replace(machine, fingerprint=_fingerprint(plan, machine, world))
            for machine in plan.machines
        ),
    )


def _fingerprint(plan: ClusterPlan, machine: MachinePlan, world: World | None) -> str:
    """Hash what a machine is made of, but its name: all of a group that is alike is alike."""
    told = asdict(replace(machine, name="", address="", index=0, fingerprint=""))
    for flavor in _placeless(told):
        flavor["spec"].pop("InitScriptTemplateURL", None)
    made_of = [told, asdict(plan.supply), asdict(plan.traits)]
    texts = _templates([machine], world)
    if machine.role is Role.MANAGER:
        made_of += [asdict(add_on) for add_on in plan.add_ons]
        texts += _manifests(plan)
    return _hash(made_of, texts)


def content_hash(plan: ClusterPlan, world: World | None = None) -> str:
    """Hash what a cluster is made of: the plan and every text that it is rendered from.

    Rendered output is left out on purpose: it holds secrets, which differ each time.

    Args:
        plan: The cluster.
        world: What its templates may reach; None means files alone.
    """
    told = asdict(plan)
    for machine in told["machines"]:
        _placeless(machine)
    vagrantfile = template.sources(assets.vagrantfile())
    texts = [*vagrantfile, *_templates(plan.machines, world), *_manifests(plan)]
    return _hash(told, texts)


def _placeless(machine: dict[str, Any]) -> list[dict[str, Any]]:
    """Take from a machine where its templates stand; what they say counts, hashed apart."""
    flavors_of = [machine, *machine["parts"]]
    for flavor in flavors_of:
        flavor["template"] = PurePosixPath(flavor["template"]).name
        flavor.pop("template_root")
        flavor["spec"].pop("TemplateRoot", None)
    return flavors_of


def _hash(told: object, texts: Sequence[template.Source]) -> str:
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for text in texts:
        digest.update(b"\0" + text.name.encode() + b"\0" + text.content)
    return f"sha256:{digest.hexdigest()}"


def _templates(machines: Sequence[MachinePlan], world: World | None) -> list[template.Source]:
    """Return every text that these machines' scripts are rendered from."""
    parts = [part for one in machines for part in (one.part, *one.parts)]
    roots = {
        (part.template, part.template_language or "", part.template_root)
        for part in parts
        if part.template
    }
    return [
        text
        for name, language, root in sorted(roots)
        for text in template.sources(name, template.as_told(language, root), world)
    ]


def _manifests(plan: ClusterPlan) -> list[template.Source]:
    files = [Path(add_on.path) for add_on in plan.add_ons if add_on.path.startswith("/")]
    return [template.Source(file.name, file.read_bytes()) for file in files]
