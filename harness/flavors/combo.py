"""The combo flavor: several flavors in a row make one machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.flavors.checking import checked
from harness.group_flavors import ComboProperties

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.interfaces import Flavor
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
