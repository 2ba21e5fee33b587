"""The phases of bring-up, in order. Each is idempotent, so that `up` twice is a repair."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.phases import (
    init,
    install,
    join,
    machines,
    network,
    preflight,
    ready,
    verify,
)

if TYPE_CHECKING:
    from harness.phases.base import Phase

SEQUENCE: tuple[Phase, ...] = (
    preflight.PHASE,
    machines.PHASE,
    install.PHASE,
    init.PHASE,
    network.PHASE,
    join.PHASE,
    ready.PHASE,
    verify.PHASE,
)
