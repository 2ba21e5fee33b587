"""Every function that templates may call; importing this fills the table."""

from __future__ import annotations

import importlib

from harness.template.functions.table import TABLE, Call, Function

SECTIONS = (
    "own", "encodings", "strings", "numbers", "lists", "dicts", "kinds", "places", "dates",
    "secrets", "versions",
)  # fmt: skip
"""The modules beside this one, in the order of the list."""

for _section in SECTIONS:
    importlib.import_module(f"{__name__}.{_section}")

__all__ = ["SECTIONS", "TABLE", "Call", "Function"]
