"""What must not happen to a cluster by the way: refused before anything is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.reconcile import Step
    from harness.spec import ClusterPlan


def refuse_another_provider(observed: ClusterPlan | None, desired: ClusterPlan) -> None:
    """Refuse to forget machines that another provider has made.

    Raises:
        UsageError: If the cluster was begun with another provider.
    """
    if observed and observed.provider != desired.provider:
        raise UsageError(
            f"Cluster `{desired.cluster}` was begun with {observed.provider}, "
            f"not {desired.provider}.",
            hint=f"Run `harness down --name {desired.cluster}` first.",
        )


def control_plane(there: ClusterPlan, steps: Iterable[Step], *, force: bool) -> str:
    """Refuse to destroy the only control plane, or say what is lost with it.

    Args:
        there: What there is.
        steps: What is about to be done.
        force: Whether it may be destroyed.

    Returns:
        A warning; empty if the control plane stays.

    Raises:
        UsageError: If it may not.
    """
    going = [step for step in steps if step.machine == there.manager.name and step.action.removes]
    if not going:
        return ""
    lost = (
        f"{going[0].action} {there.manager.name}, the only control plane of cluster "
        f"`{there.cluster}`: with it every object of the cluster is lost (etcd is on it), and all "
        "that runs by them"
    )
    if force:
        return f"Going to {lost}."
    raise UsageError(
        f"This would {lost}.",
        hint="Take the change to the manager group back, or say --force. Nothing was done.",
    )
