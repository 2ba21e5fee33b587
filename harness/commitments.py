"""What was committed: the groups of a cluster as they were written, and which of them are kept.

The record is read by `group ls`, `scale` and `watch`, which are given no files. Templates and
manifests stay where the groups say; their content is compared, not copied.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field, replace
from pathlib import Path  # noqa: TC003 - the record is read by its annotations
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from harness import groups
from harness.errors import UsageError
from harness.files import PRIVATE_FILE, write_atomically
from harness.infrakit import beside
from harness.sources import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.groups import GroupSpec
    from harness.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Commitment:
    """One group as it was committed.

    Attributes:
        id: Its ID.
        file: Where it was said, as the user named it.
        folder: What paths in it are relative to; none if it was fetched from an URL.
        document: The group as it was written, in whichever of InfraKit's shapes.
        watched: False once it was freed.
    """

    id: str
    file: str
    folder: Path | None
    document: dict[str, Any] = field(hash=False, repr=False)
    watched: bool = True

    @property
    def group(self) -> dict[str, Any]:
        """The group itself: ``{"ID", "Properties"}``."""
        inner: dict[str, Any] = self.document
        return inner["Properties"] if "Plugin" in inner else inner

    @property
    def portable(self) -> dict[str, Any]:
        """The group itself, naming files so that it means the same wherever it is written."""
        made = copy.deepcopy(self.group)
        flavor = made["Properties"]["Flavor"]
        for one in (flavor, *flavor.get("Properties", {}).get("Flavors", ())):
            told = one.get("Properties", {})
            for holder, key in (
                (told, "InitScriptTemplateURL"),
                (told, "TemplateRoot"),
                *((add_on, "Path") for add_on in told.get("KubeAddOns", ())),
            ):
                if key in holder:
                    holder[key] = beside(self.file, self.folder, holder[key])
        return made

    def scaled(self, size: int) -> Commitment:
        """Return it with another Size.

        Raises:
            UsageError: If it has LogicalIDs, or the size is negative; in upstream's words.
        """
        if size < 0:
            raise UsageError("size cannot be negative", hint="0 removes every machine.")
        if "Size" not in self.group["Properties"]["Allocation"]:
            raise UsageError(
                "cannot set size if logic ids are explicitly set",
                hint=f"Change the LogicalIDs in {self.file} and commit a group of another ID.",
            )
        made = replace(self, document=copy.deepcopy(self.document))
        made.group["Properties"]["Allocation"]["Size"] = size
        return made


_RECORD = TypeAdapter(tuple[Commitment, ...])
_NAME = "groups.json"


def of(specs: Iterable[GroupSpec]) -> tuple[Commitment, ...]:
    """Return groups as they are about to be committed."""
    return tuple(Commitment(spec.id, spec.file, spec.folder, dict(spec.document)) for spec in specs)


def merged(before: Iterable[Commitment], committed: Iterable[Commitment]) -> tuple[Commitment, ...]:
    """Return what is committed then: a group takes the place of the one with its ID."""
    return tuple({one.id: one for one in (*before, *committed)}.values())


def specs(commitments: Iterable[Commitment]) -> tuple[GroupSpec, ...]:
    """Read committed groups again, each by itself.

    Raises:
        InvalidInputError: If one is no longer valid: its template is gone, for example.
    """
    texts = {str(number): one for number, one in enumerate(commitments)}

    def read(name: str) -> Source:
        one = texts[name]
        return Source(one.file, json.dumps(one.document), is_yaml=False, folder=one.folder)

    return groups.parse(tuple(texts), read=read) if texts else ()


def load(workspace: Workspace) -> tuple[Commitment, ...]:
    """Return what is committed; nothing where no cluster was begun."""
    path = workspace.root / _NAME
    return _RECORD.validate_json(path.read_bytes()) if path.is_file() else ()


def save(workspace: Workspace, commitments: tuple[Commitment, ...]) -> None:
    """Record what is committed; 0600, for a vanilla group's lines may hold anything."""
    text = _RECORD.dump_json(commitments, indent=2).decode()
    write_atomically(workspace.root / _NAME, text + "\n", mode=PRIVATE_FILE)


def find(commitments: Iterable[Commitment], group: str) -> Commitment:
    """Return the group of this ID that is kept.

    Raises:
        UsageError: If there is none, in upstream's words.
    """
    watched = {one.id: one for one in commitments if one.watched}
    if group not in watched:
        raise UsageError(
            f"Group '{group}' is not being watched",
            hint=f"Committed groups: {', '.join(watched) or 'none'}.",
        )
    return watched[group]
