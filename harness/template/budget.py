"""The budget of one rendering: the steps and the seconds that it may take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.template.world import MAX_STEPS, RENDER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

# Asking the clock costs as much as a step does.
_STEPS_BETWEEN_LOOKS = 64


@dataclass(slots=True)
class Budget:
    """What a template, with all that it includes, has left.

    Attributes:
        seconds: A clock that only runs forward.
        steps: How many are left.
    """

    seconds: Callable[[], float]
    steps: int = MAX_STEPS
    _end: float = field(init=False)

    def __post_init__(self) -> None:
        self._end = self.seconds() + RENDER_SECONDS

    def spend(self) -> str:
        """Take one step; return why it cannot be taken, or nothing."""
        self.steps -= 1
        if self.steps < 0:
            return "it takes too many steps"
        if self.steps % _STEPS_BETWEEN_LOOKS:
            return ""
        return self.out_of_time()

    def out_of_time(self) -> str:
        """Return why it may not go on, or nothing."""
        if self.seconds() > self._end:
            return f"it takes longer than {RENDER_SECONDS:.0f} s"
        return ""
