"""The names that flavors give to templates: each is listed, and its example is true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import render, template
from harness.flavors.kubernetes import context
from harness.flavors.names import ROWS
from harness.properties import BUILT_IN_MANIFESTS
from harness.spec import AddOn, ClusterPlan
from harness.template import Language, Options, listing
from tests.samples import SECRETS, cluster_plan

if TYPE_CHECKING:
    from harness.template.listing import Row

DOCUMENT = Path(__file__).parents[2] / "docs" / "templates.md"
UPSTREAMS_TEN = {
    "SPEC", "INSTANCE_LOGICAL_ID", "ALLOCATIONS", "INDEX", "BOOTSTRAP", "WORKER",
    "KUBEADM_JOIN_TOKEN", "KUBE_JOIN_IP", "BIND_PORT", "ADDON",
}  # fmt: skip


def with_flannel() -> ClusterPlan:
    path = BUILT_IN_MANIFESTS["network", "flannel"]
    return replace(cluster_plan(), add_ons=(AddOn("flannel", "network", path),))


def test_every_name_is_listed_and_no_other() -> None:
    plan = with_flannel()
    listed = {name for row in ROWS for name in row.names}
    assert listed == set(context(plan, plan.workers[0], SECRETS))
    assert listed >= UPSTREAMS_TEN


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.names[0])
def test_an_example_gives_what_the_list_says(row: Row, language: Language, tmp_path: Path) -> None:
    plan = with_flannel()
    file = tmp_path / "own.sh"
    file.write_text(f"{{{{ {row.go if language is Language.GO else row.jinja} }}}}")
    names = context(plan, plan.workers[0], SECRETS)
    assert template.render(file, names, Options(language=language)) == row.gives


def test_the_document_lists_every_name() -> None:
    assert listing.table("name", ROWS) in DOCUMENT.read_text(encoding="utf-8")


def test_what_takes_an_argument_is_a_filter_in_jinja2(tmp_path: Path) -> None:
    file = tmp_path / "own.sh"
    file.write_text('{{ "network" | ADDON }} {{ ADDON("network") }}')
    plan = with_flannel()
    plan = replace(plan, machines=(replace(plan.manager, template=str(file)),))
    path = BUILT_IN_MANIFESTS["network", "flannel"]
    assert render.init_script(plan, plan.manager, SECRETS) == f"{path} {path}"
