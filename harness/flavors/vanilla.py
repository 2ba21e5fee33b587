"""The vanilla flavor: a user's own lines of shell, or a template of them, and labels."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import template
from harness.flavors.checking import checked
from harness.flavors.kubernetes import context
from harness.interfaces import Health, HealthState
from harness.properties import VanillaProperties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import ClusterAPI
    from harness.spec import ClusterPlan, ClusterSecrets, FlavorPart, InstanceSpec, MachinePlan


class VanillaFlavor:
    """Adds lines to the init script, tags and attachments.

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
        checked(VanillaProperties, properties)

    def prepare(
        self,
        part: FlavorPart,
        given: InstanceSpec,
        *,
        plan: ClusterPlan,
        machine: MachinePlan,
        secrets: ClusterSecrets,
    ) -> InstanceSpec:
        """Add what the properties say; a template may name what the Kubernetes flavor's may.

        Raises:
            InvalidInputError: With the place in the template that cannot be rendered.
        """
        told = checked(VanillaProperties, part.spec)
        script = "\n".join(told.init)
        if part.template:
            names = {**context(plan, machine, secrets), "SPEC": part.spec}
            options = template.as_told(part.template_language, part.template_root)
            script = template.render(part.template, names, options, self.world)
        return replace(
            given,
            init=given.followed_by(script),
            tags={**given.tags, **told.tags},
            attachments=given.attachments + tuple((one.id, one.type) for one in told.attachments),
        )

    def healthy(self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI) -> Health:
        """Call every machine healthy: nobody said what its lines are for."""
        del part, machine, api
        return Health(HealthState.HEALTHY)

    def drain(
        self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI, *, timeout: float
    ) -> None:
        """Do nothing: lines of shell have nothing to be taken out of."""
