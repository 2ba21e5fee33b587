"""The combo flavor: several flavors in a row make one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.errors import PhaseError
from harness.flavors.checking import checked
from harness.group_flavors import ComboProperties
from harness.interfaces import Health, HealthState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import ClusterAPI, Flavor
    from harness.spec import ClusterPlan, ClusterSecrets, FlavorPart, InstanceSpec, MachinePlan


class ComboFlavor:
    """Merges what its parts make: scripts in order, tags with the last one winning.

    Attributes:
        flavors: What a part may be, by plugin name.
    """

    def __init__(self, flavors: Mapping[str, Flavor]) -> None:
        self.flavors = flavors

    def validate(self, properties: Mapping[str, Any]) -> None:
        """Check the properties of the combo and of all its parts.

        Raises:
            InvalidInputError: With every problem, placed below ``$``.
        """
        checked(ComboProperties, properties)

    def prepare(
        self,
        part: FlavorPart,
        given: InstanceSpec,
        *,
        plan: ClusterPlan,
        machine: MachinePlan,
        secrets: ClusterSecrets,
    ) -> InstanceSpec:
        """Let each part prepare the machine as if it were alone, and merge what they made.

        Raises:
            InvalidInputError: With the place in the template that cannot be rendered.
        """
        del part  # the machine's parts say it, with the paths of their templates
        made = given
        alone = replace(given, init="", attachments=())
        for one in machine.parts:
            own = self.flavors[one.plugin].prepare(
                one, alone, plan=plan, machine=machine, secrets=secrets
            )
            made = replace(
                made,
                init=made.followed_by(own.init),
                tags={**made.tags, **own.tags},
                attachments=made.attachments + own.attachments,
            )
        return made

    def healthy(self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI) -> Health:
        """Return what the first part says that does not find the machine healthy."""
        del part
        for one in machine.parts:
            health = self.flavors[one.plugin].healthy(one, machine, api)
            if health.state is not HealthState.HEALTHY:
                return health
        return Health(HealthState.HEALTHY)

    def drain(
        self, part: FlavorPart, machine: MachinePlan, api: ClusterAPI, *, timeout: float
    ) -> None:
        """Let each part drain the machine, those after one that fails too.

        Raises:
            PhaseError: With what every part that failed says.
        """
        del part
        failures = []
        for one in machine.parts:
            try:
                self.flavors[one.plugin].drain(one, machine, api, timeout=timeout)
            except PhaseError as error:
                failures.append(error.message)
        if failures:
            raise PhaseError(", ".join(failures))
