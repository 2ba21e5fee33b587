"""groups/schema.json and docs/groups.md say what the models say, and an editor can use them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from pydantic import TypeAdapter

from harness import group_flavors, groups, infrakit, properties
from harness.errors import InvalidInputError
from tests.samples import GOLDEN, ROOT, WALKTHROUGH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = ROOT / "groups" / "schema.json"
DOCUMENT = ROOT / "docs" / "groups.md"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

# What only shows in Python: between keys, between groups, on the disk.
BEYOND_A_SCHEMA = {
    "add-ons",
    "addresses",
    "control-plane",
    "disagreement",
    "duplicate-keys",
    "join-address",
    "network-too-small",
    "networks",
    "no-manager",
    "same-group-id",
    "shared-address",
    "templates",
    "too-many-machines",
    "two-manager-groups",
    "attachments",
    "nested-too-deeply",
}


WORDS = {"string": "text", "integer": "whole number", "boolean": "true or false"}


def generated() -> dict[str, Any]:
    shapes: TypeAdapter[Any] = TypeAdapter(
        infrakit.Group | infrakit.PluginGroup | list[infrakit.Group | infrakit.PluginGroup]
    )
    return {
        "$schema": DIALECT,
        "title": "Group files of the harness",
        **shapes.json_schema(by_alias=True),
    }


def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def test_the_schema_is_that_of_the_models(golden: Callable[[Path, str], None]) -> None:
    golden(SCHEMA, json.dumps(generated(), indent=2) + "\n")


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("file", WALKTHROUGH, ids=lambda file: file.stem)
def test_a_shipped_group_fits_the_schema_and_may_name_it(file: Path, tmp_path: Path) -> None:
    document = json.loads(file.read_text())
    validator().validate(document)
    document["$schema"] = "schema.json"
    document["Properties"]["Properties"]["Flavor"]["Properties"].pop("InitScriptTemplateURL")
    validator().validate([document])
    (tmp_path / file.name).write_text(json.dumps(document))
    files = [tmp_path / file.name, *(other for other in WALKTHROUGH if other != file)]
    assert groups.load(files)


@pytest.mark.parametrize(
    "file",
    [
        file
        for file in sorted((GOLDEN / "bad").glob("*.json"))
        if file.stem
        not in {*BEYOND_A_SCHEMA, "empty-file", "empty-list", "json-syntax", "not-utf-8"}
    ],
    ids=lambda file: file.stem,
)
def test_an_editor_tells_what_the_schema_can_tell(file: Path) -> None:
    document = json.loads(file.read_text())
    assert not validator().is_valid(document)
    with pytest.raises(InvalidInputError):
        groups.load([file])


def models() -> list[type[properties.Model]]:
    """Every model of a group file, in the order of the modules that hold them."""
    modules = (infrakit, group_flavors, properties)
    held = [thing for module in modules for thing in vars(module).values()]
    found = {
        thing: None
        for thing in held
        if isinstance(thing, type)
        and issubclass(thing, properties.Model)
        and thing is not properties.Model
    }
    return list(found)


def shown_type(node: dict[str, Any]) -> str:
    """Say a schema's type in words."""
    if "$ref" in node:
        name = node["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if values := node.get("enum", [node["const"]] if "const" in node else []):
        return " or ".join(f"`{value}`" for value in values)
    if alternatives := node.get("anyOf") or node.get("oneOf"):
        return " or ".join(shown_type(one) for one in alternatives if one.get("type") != "null")
    for holder, inner in (("list", "items"), ("object", "additionalProperties")):
        if inner in node:
            return f"{holder} of {shown_type(node[inner])}"
    return "IPv4 address" if node.get("format") == "ipv4" else WORDS[node["type"]]


def bounds(node: dict[str, Any]) -> str:
    merged = {**node, **{k: v for one in node.get("anyOf", ()) for k, v in one.items()}}
    low, high = merged.get("minimum"), merged.get("maximum")
    if high is not None:
        return f", {low} to {high}"
    return f", at least {low}" if low is not None else ""


def shown_default(node: dict[str, Any], *, required: bool) -> str:
    if required:
        return "**required**"
    default = node.get("default")
    if default in (None, "", [], {}) or isinstance(default, dict):
        return ""
    return f"`{json.dumps(default).strip(chr(34))}`"


def table(model: type[properties.Model]) -> str:
    schema = model.model_json_schema(by_alias=True)
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    rows = ["| key | type | default | what it is |", "|---|---|---|---|"]
    for key, node in schema["properties"].items():
        kind = shown_type(node) + bounds(node)
        default = shown_default(node, required=key in schema.get("required", ()))
        rows.append(f"| `{key}` | {kind} | {default} | {node['description']} |")
    return f"### {model.__name__}\n\n{schema['description']}\n\n" + "\n".join(rows) + "\n"


def test_the_document_tells_every_key(golden: Callable[[Path, str], None]) -> None:
    before, begin, rest = DOCUMENT.read_text(encoding="utf-8").partition("## Keys\n")
    _, end, after = rest.partition("## Rules")
    tables = "\n".join(table(model) for model in models())
    assert begin
    assert end
    golden(DOCUMENT, f"{before}{begin}\n{tables}\n{end}{after}")
