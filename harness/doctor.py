"""Whether this host can make machines with a provider, and which provider fits it best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import checks, host_facts
from harness.checks import Finding, Level
from harness.errors import HostError
from harness.host_facts import kvm_works, vagrant_home
from harness.spec import ProviderName

if TYPE_CHECKING:
    from harness.host_facts import Facts

__all__ = [
    "choose",
    "choose_provider",
    "findings",
    "kvm_works",
    "require",
    "require_supply_space",
    "vagrant_home",
]

MACHINES = 4
"""Of the walkthrough's cluster, for advice where no plan is at hand."""


def choose_provider(asked: str) -> tuple[ProviderName, str]:
    """Return the provider that is meant, and why it is that one.

    Args:
        asked: A provider's name, or ``auto``.
    """
    if asked != "auto":
        return ProviderName(asked), "as asked"
    return choose(
        has_virtualization=host_facts.processor_virtualizes(),
        has_kvm=kvm_works(),
        plugins=host_facts.plugins(),
        has_virtualbox=host_facts.which("VBoxManage") is not None,
    )


def choose(
    *, has_virtualization: bool, has_kvm: bool, plugins: frozenset[str], has_virtualbox: bool
) -> tuple[ProviderName, str]:
    """Return the provider that ``auto`` means where this is so, and why."""
    if has_kvm and "vagrant-libvirt" in plugins:
        return ProviderName.LIBVIRT, "KVM works and the plugin vagrant-libvirt is installed"
    if has_virtualization and has_virtualbox:
        return ProviderName.VIRTUALBOX, "VirtualBox is installed and the processor virtualises"
    if not has_virtualization:
        return ProviderName.LXC, "the processor offers no virtualisation, and the lab needs none"
    return ProviderName.LXC, "neither vagrant-libvirt with KVM nor VirtualBox is installed"


def findings(
    provider: ProviderName, facts: Facts, *, machines: int = MACHINES
) -> tuple[Finding, ...]:
    """Judge a host.

    Args:
        provider: Who shall make the machines.
        facts: What is so.
        machines: How many there shall be.
    """
    found = [check(facts) for check in checks.CHECKS[provider]]
    found.append(checks.memory(facts, machines))
    if provider is ProviderName.LXC:
        found.append(checks.inotify(facts, machines))
    return tuple(found)


def require(
    provider: ProviderName, facts: Facts | None = None, *, machines: int = MACHINES
) -> None:
    """Refuse a host that lacks what the provider needs.

    Args:
        provider: Who shall make the machines.
        facts: What is so; by default this host is looked at.
        machines: How many there shall be.

    Raises:
        HostError: With the first error as its sentence and cure, and every other one below.
    """
    found = findings(provider, facts or host_facts.collect(), machines=machines)
    errors = [finding for finding in found if finding.level is Level.ERROR]
    if not errors:
        return
    first, *others = errors
    lines = [first.message, *(f"  also: {other.message} {other.cure}" for other in others)]
    raise HostError("\n".join(lines), hint=first.cure)


def require_supply_space(facts: Facts | None = None) -> None:
    """Refuse to begin with a bundle or a box for which there is no space.

    Raises:
        HostError: With what is free and what it takes.
    """
    finding = checks.cache_space(facts or host_facts.collect())
    if finding.level is Level.ERROR:
        raise HostError(finding.message, hint=finding.cure)
