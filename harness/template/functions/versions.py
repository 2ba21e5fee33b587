"""Sprig's functions of versions, with the ranges of Masterminds/semver."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.template.functions.table import function

if TYPE_CHECKING:
    from semver import Version

_RANGE = re.compile(
    r"\s*(?P<operator>==|!=|>=|=>|<=|=<|~>|=|>|<|~|\^|)\s*v?(?P<version>[^\s,<>=~^!]+)\s*"
)
_HYPHEN = re.compile(r"(\S+)\s+-\s+(\S+)")
_ANY = {"x", "X", "*"}
_PARTS = 3


def _parse(text: str) -> Version:
    import semver  # noqa: PLC0415 - only those who ask pay for it

    core, mark, rest = re.fullmatch(r"v?([^-+]*)([-+]?)(.*)", text.strip(), re.DOTALL).groups()  # type: ignore[union-attr]
    core += ".0" * (_PARTS - len(core.split(".")))
    return semver.Version.parse(core + mark + rest)


@function(
    "semver",
    "A version's parts.",
    ("v1.31.2-rc.1",),
    {
        "Major": 1,
        "Minor": 31,
        "Patch": 2,
        "Prerelease": "rc.1",
        "Metadata": "",
        "Original": "v1.31.2-rc.1",
    },
)
def _semver(text: str) -> dict[str, object]:
    version = _parse(text)
    return {
        "Major": version.major,
        "Minor": version.minor,
        "Patch": version.patch,
        "Prerelease": version.prerelease or "",
        "Metadata": version.build or "",
        "Original": text,
    }


@function("semverCompare", "Whether a version is in a range.", ("^1.20.0", "1.31.2"), gives=True)
def _semver_compare(constraint: str, text: str) -> bool:
    version = _parse(text)
    return any(_in_all(alternative, version) for alternative in constraint.split("||"))


def _in_all(text: str, version: Version) -> bool:
    text = _HYPHEN.sub(r">=\1, <=\2", text)
    ranges = [one for one in text.split(",") if one.strip()]
    if not ranges:
        raise ValueError("an empty constraint")
    return all(_in_one(one, version) for one in ranges)


def _in_one(text: str, version: Version) -> bool:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f"`{text.strip()}` is no constraint such as >=1.20")
    operator, wanted = found["operator"] or "=", found["version"]
    known = [part for part in re.split(r"[-+]", wanted)[0].split(".") if part not in _ANY]
    if not known:
        return True
    lowest = _parse(".".join(known) if len(known) < _PARTS else wanted)
    # A prerelease is in no range that does not speak of prereleases.
    if version.prerelease and not lowest.prerelease:
        return False
    return _holds(operator, version, lowest, len(known))


def _holds(operator: str, version: Version, lowest: Version, known: int) -> bool:
    next_one = _next(lowest, known)
    is_partial = known < _PARTS
    answers = {
        "=": lowest <= version < next_one if is_partial else version == lowest,
        ">=": version >= lowest,
        "<": version < lowest,
        ">": version >= next_one if is_partial else version > lowest,
        "<=": version < next_one if is_partial else version <= lowest,
        "~": lowest <= version < _next(lowest, min(known, _PARTS - 1)),
        "^": lowest <= version < _next_breaking(lowest, known),
    }
    answers.update({"==": answers["="], "!=": not answers["="], "~>": answers["~"]})
    answers.update({"=>": answers[">="], "=<": answers["<="]})
    return bool(answers[operator])


def _next(version: Version, known: int) -> Version:
    """Return the first version that differs in the last of the known parts."""
    if known == 1:
        return version.bump_major()
    return version.bump_minor() if known < _PARTS else version.bump_patch()


def _next_breaking(version: Version, known: int) -> Version:
    if version.major or known == 1:
        return version.bump_major()
    return version.bump_minor() if version.minor or known < _PARTS else version.bump_patch()
