"""What commands ask for: group files, and what is committed, become a decided cluster."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import (
    commitments,
    doctor,
    groups,
    outside,
    plan,
    reconcile,
    render,
    sources,
    template,
    topology,
    web,
)
from harness.cli import standard_input
from harness.errors import HostError, Problem, UsageError
from harness.lab import box, bundle, traits
from harness.spec import ONLINE_SUPPLY, ProviderName, Supply, Traits
from harness.workspace import Workspace, clusters, state_dir

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.commitments import Commitment
    from harness.groups import GroupSpec
    from harness.reconcile import Change
    from harness.sources import Source
    from harness.spec import ClusterPlan

    Edit = Callable[[tuple[Commitment, ...]], tuple[Commitment, ...]]

# Debian's own, published for libvirt and VirtualBox alike.
VIRTUAL_MACHINE_BOX = "debian/bookworm64"


@dataclass(frozen=True, slots=True)
class Resolved:
    """What is asked for on this host.

    Attributes:
        plan: The decided cluster.
        reason: Why this provider, in one sentence.
        warnings: What is allowed and will hardly be meant.
        commitments: The groups that it was decided from.
        changes: What it takes to get there, by group ID.
        recorded: What was recorded of this cluster before; None if nothing was.
        fresh: IDs of the groups that were said now, and not before.
    """

    plan: ClusterPlan
    reason: str
    warnings: tuple[Problem, ...]
    commitments: tuple[Commitment, ...]
    changes: Mapping[str, Change]
    recorded: ClusterPlan | None
    fresh: tuple[str, ...]


def of_files(files: Sequence[str | Path], provider: str) -> Resolved:
    """Decide the cluster that group files ask for, all of it.

    Args:
        files: Group files: paths, URLs, or ``-``.
        provider: A provider's name, or ``auto``.

    Raises:
        InvalidInputError: With every problem of groups and templates.
    """
    said = groups.parse(files, read=_read)
    return _decide(said, commitments.of(said), provider, [spec.id for spec in said])


def committing(files: Sequence[str | Path], provider: str) -> Resolved:
    """Decide the cluster of what is committed already and of the groups in these files.

    Raises:
        InvalidInputError: With every problem of groups and templates.
    """
    said = groups.parse(files, read=_read)
    before = commitments.load(Workspace.of(said[0].flavor.cluster_id))
    known = {spec.id for spec in said}
    others = commitments.specs([one for one in before if one.id not in known])
    specs = {spec.id: spec for spec in (*others, *said)}
    merged = commitments.merged(before, commitments.of(said))
    return _decide([specs[one.id] for one in merged], merged, provider, sorted(known))


def committed(name: str, edit: Edit = lambda same: same) -> Resolved:
    """Decide the cluster of what is committed, after an edit of it.

    What templates say meanwhile is no change: that takes a commit.

    Raises:
        UsageError: If no cluster of this name was committed here; and what `edit` raises.
        InvalidInputError: If what is committed is no longer valid.
    """
    before = commitments.load(Workspace.of(name))
    if not before:
        known = ", ".join(clusters(state_dir())) or "none"
        raise UsageError(
            f"No group of cluster `{name}` is committed here.",
            hint=f"Known clusters: {known}. `harness group commit` begins one.",
        )
    after = edit(before)
    return _decide(commitments.specs(after), after, "auto", [])


def _read(name: str) -> Source:
    return sources.read(name, fetch=web.fetch, stdin=standard_input.read)


def _decide(
    specs: Sequence[GroupSpec],
    said: tuple[Commitment, ...],
    provider: str,
    fresh: Sequence[str],
) -> Resolved:
    workspace = Workspace.of(specs[0].flavor.cluster_id)
    recorded = workspace.load_plan()
    kept = topology.kept(recorded)
    groups.together(specs, kept)
    name, reason = _provider(provider, recorded)
    supply, machine_traits, default_box = _means(name)
    if recorded and recorded.provider is name and workspace.was_ready:
        # A cluster keeps its Kubernetes, whatever bundle has been built since.
        supply, machine_traits = recorded.supply, recorded.traits
        default_box = recorded.default_box
    decided = plan.resolve(
        specs,
        provider=name,
        supply=supply,
        traits=machine_traits,
        default_box=default_box,
        kept=kept,
    )
    world = outside.world()
    warnings = (*topology.warnings(specs), *render.check(decided, world))
    decided = render.fingerprinted(decided, world)
    pinned = reconcile.pinned(decided, workspace.load_committed(), fresh)
    warnings += tuple(_drift(decided, pinned))
    freed = {one.id for one in said if not one.watched}
    settled = reconcile.leave(pinned, recorded, freed)
    return Resolved(
        plan=settled,
        reason=reason,
        warnings=warnings,
        commitments=said,
        changes=reconcile.changes(settled, recorded),
        recorded=recorded,
        fresh=tuple(fresh),
    )


def _drift(now: ClusterPlan, committed: ClusterPlan) -> Iterator[Problem]:
    """Tell what has changed since it was committed."""
    before = {machine.name: machine.fingerprint for machine in committed.machines}
    changed = {one.group: one for one in now.machines if before[one.name] != one.fingerprint}
    for group, machine in changed.items():
        yield Problem(
            template.shown(machine.template),
            f"group `{group}`",
            "it, or what it includes, was changed since it was committed; machines that are made "
            "now are made from what it says now, and those there are stay until it is committed",
        )


def _provider(asked: str, recorded: ClusterPlan | None) -> tuple[ProviderName, str]:
    if asked == "auto" and recorded:
        return recorded.provider, "the cluster was begun with it"
    return doctor.choose_provider(asked)


def _means(provider: ProviderName) -> tuple[Supply, Traits, str]:
    if provider is not ProviderName.LXC:
        return ONLINE_SUPPLY, Traits(), VIRTUAL_MACHINE_BOX
    with contextlib.suppress(HostError):
        lab_bundle = bundle.load(bundle.default_path())
        return lab_bundle.supply(), traits.detect(), box.box_name(lab_bundle)
    # Enough to validate and to look at; `up` asks for the bundle before it begins.
    return ONLINE_SUPPLY, traits.detect(), box.NAME
