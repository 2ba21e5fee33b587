"""What the documents show is so: commands parse, files are there, tables say what the code says."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer

from harness import errors, interfaces
from harness.cli.app import application
from harness.lab.bundle import Manifest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "scripts/README.md"],
)
SCREEN_LINES = 75
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)]+)\)")
OURS = re.compile(
    r"(?:harness|scripts|groups|tests|docs)/[\w*./-]*|[\w-]+\.(?:toml|ini|j2)|\.ci/run"
)


def identity(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def documents() -> Iterator[tuple[str, str]]:
    for file in DOCUMENTS:
        yield identity(file), file.read_text(encoding="utf-8")


def shown_commands() -> Iterator[tuple[str, str]]:
    """Commands of the harness in console blocks and in `code`, without their comments."""
    for name, text in documents():
        lines = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
        for line in [*lines, *CODE.findall(text)]:
            command = re.sub(r"\s+(# .*|&)$", "", line)
            if command.startswith("harness ") and "…" not in command:
                yield name, command


def named_paths() -> Iterator[tuple[str, str]]:
    for name, text in documents():
        for code in CODE.findall(text):
            for word in code.split():
                if OURS.fullmatch(word):
                    yield name, word


def unique(found: Iterator[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted(set(found))


def table_column(text: str, *, header: str) -> list[str]:
    """Return the first column of the table with this header."""
    rows = text.split(header, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [row.split("|")[1].strip() for row in rows]


@pytest.mark.parametrize(("document", "command"), unique(shown_commands()))
def test_a_shown_command_exists_and_parses(document: str, command: str) -> None:
    del document
    words = shlex.split(command)[1:]
    root = typer.main.get_command(application(words))
    context = root.make_context("harness", words)
    while hasattr(context.command, "resolve_command"):
        words = [*context._protected_args, *context.args]
        name, found, words = context.command.resolve_command(context, words)
        assert name is not None
        assert found is not None
        context = found.make_context(name, words, parent=context)


@pytest.mark.parametrize(("document", "path"), unique(named_paths()))
def test_a_named_file_is_there(document: str, path: str) -> None:
    del document
    assert list(ROOT.glob(path.rstrip("/")))


@pytest.mark.parametrize("file", DOCUMENTS, ids=identity)
def test_every_link_leads_somewhere(file: Path) -> None:
    targets = LINK.findall(file.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith("https://")]
    assert [
        target for target in local if not (file.parent / target.partition("#")[0]).exists()
    ] == []


def test_every_named_tox_environment_exists() -> None:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    there = {section.removeprefix("testenv:") for section in tox.sections()}
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    texts = [hooks, *(text for _, text in documents())]
    named = {
        name
        for text in texts
        for names in re.findall(r"tox (?:-q )?-e ([\w,]+)", text)
        for name in names.split(",")
    }
    assert named
    assert named <= there
    assert set(tox["tox"]["env_list"].split(", ")) <= there
    assert all(tox[section].get("description") for section in tox.sections() if section != "tox")


def test_the_readme_is_one_screen_and_its_two_commands_can_be_run() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= SCREEN_LINES
    for command in ("scripts/quickstart", "scripts/test"):
        assert f"$ {command}" in text
        assert os.access(ROOT / command, os.X_OK)


def test_one_look_at_the_scripts_tells_where_each_runs() -> None:
    files = {path.name for path in (ROOT / "scripts").iterdir() if path.is_file()}
    assert {name for name in files if "." not in name} == {"quickstart", "test"}
    assert {Path(name).suffix for name in files} == {"", ".sh", ".md"}


def test_the_layers_that_are_told_are_those_that_are_held() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    held = project["tool"]["importlinter"]["contracts"][0]["layers"]
    assert "\n".join(held) in (ROOT / "docs/architecture.md").read_text()


def test_the_exit_codes_that_are_told_are_those_of_the_errors() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    told = dict(re.findall(r"^\| (\d+) \|.*\| `(\w+)` \|$", text, re.MULTILINE))
    direct = {
        str(error.exit_code): error.__name__ for error in errors.HarnessError.__subclasses__()
    }
    assert {code: told.get(code) for code in direct} == direct


def test_every_seam_is_told() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    seams = {
        name
        for name, thing in vars(interfaces).items()
        if getattr(thing, "_is_protocol", False) and thing.__module__ == interfaces.__name__
    }
    assert {cell.strip("`") for cell in table_column(text, header="| seam | says |")} == seams


def test_every_key_of_a_bundles_manifest_is_told() -> None:
    text = (ROOT / "docs/air-gapped.md").read_text()
    cells = table_column(text, header="| key | says |")
    assert {key for cell in cells for key in CODE.findall(cell)} == set(Manifest.model_fields)
