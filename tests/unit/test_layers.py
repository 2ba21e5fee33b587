"""The contracts of import-linter bite: a planted violation is found, in a copy of the house."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# module → what is planted in it; import-linter names each as `importer -> imported`.
PLANTED = {
    "plan": "harness.render",
    "reporters.plain": "harness.providers",
    "errors": "harness.spec",
    "phases.init": "harness.providers.vagrant",
    "render": "harness.process",
    "orchestrator": "paramiko",
    "cli.parts": "vagrant",
    "kubeadm": "jinja2",
    "phases.ready": "tenacity",
    "lab.box": "subprocess",
    "evidence": "pytest",
}


@pytest.fixture
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("house")
    shutil.copytree(
        ROOT / "harness", copy / "harness", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(house: Path) -> str:
    # -I keeps the checkout off the path, and this one line puts the copy on it.
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command"
    argv = [sys.executable, "-I", "-c", f"{code}; lint_imports_command()", "--no-logo"]
    done = subprocess.run(argv, cwd=house, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_the_house_as_it_is_keeps_every_contract(house: Path) -> None:
    assert " 0 broken" in lint(house)


def test_every_violation_is_found_and_breaks_its_contract(house: Path) -> None:
    for module, imported in PLANTED.items():
        file = house / "harness" / f"{module.replace('.', '/')}.py"
        file.write_text(f"{file.read_text()}\nimport {imported}\n")
    said = lint(house)
    assert " 0 kept" in said, "a contract that nothing here breaks is not proved to bite"
    edges = [f"harness.{module} -> {imported}" for module, imported in PLANTED.items()]
    assert [edge for edge in edges if edge not in said] == []


def test_a_module_without_a_layer_is_found(house: Path) -> None:
    (house / "harness" / "brand_new.py").touch()
    assert "harness.brand_new" in lint(house)
