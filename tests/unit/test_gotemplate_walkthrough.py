"""InfraKit's own listings, rendered as they stand, and which language a template is in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import render, template
from harness.errors import InvalidInputError
from harness.spec import AddOn
from harness.template import Language, Options
from tests.samples import SECRETS, cluster_plan

if TYPE_CHECKING:
    from pathlib import Path

    from harness.spec import ClusterPlan

# The listing of InfraKit's README for the Kubernetes flavor, word for word.
LISTING = """\
#!/bin/sh
set -o errexit
set -o nounset
set -o xtrace

{{/* Install Docker */}}
{{ include "install-docker.sh" }}

{{/* Install Kubeadm */}}
{{ include "install_kubeadam.sh" }}
kubeadm init --token {{ KUBEADM_JOIN_TOKEN }}
export KUBECONFIG=/etc/kubernetes/admin.conf
{{ if NETWORK_ADDON }}
    kubectl apply -f {{ NETWORK_ADDON }}
{{ else }}
{{ end }}
"""
RENDERED = """\
#!/bin/sh
set -o errexit
set -o nounset
set -o xtrace


# Tested on Ubuntu/trusty

apt-get update -y
wget -qO- https://get.docker.com/ | sh




apt-get install -y kubeadm # for 192.168.2.200

kubeadm init --token abcdef.0123456789abcdef
export KUBECONFIG=/etc/kubernetes/admin.conf

    kubectl apply -f https://example.invalid/net.yaml

"""


def walkthrough(folder: Path, language: str | None, name: str = "manager-init.sh") -> ClusterPlan:
    """Plan the walkthrough with upstream's listing as every init script."""
    (folder / name).write_text(LISTING)
    (folder / "install-docker.sh").write_text(
        "# Tested on Ubuntu/trusty\n\napt-get update -y\nwget -qO- https://get.docker.com/ | sh\n\n"
    )
    (folder / "install_kubeadam.sh").write_text(
        "apt-get install -y kubeadm # for {{ KUBE_JOIN_IP }}\n"
    )
    plan = cluster_plan()
    machines = tuple(
        replace(one, template=str(folder / name), spec={**one.spec, "TemplateLanguage": language})
        for one in plan.machines
    )
    add_ons = (AddOn("flannel", "network", "https://example.invalid/net.yaml"),)
    return replace(plan, machines=machines, add_ons=add_ons)


@pytest.mark.parametrize(
    ("language", "name"), [("go", "manager-init.sh"), (None, "manager-init.sh.tmpl")]
)
def test_upstreams_listing_renders_as_it_stands(
    language: str | None, name: str, tmp_path: Path
) -> None:
    plan = walkthrough(tmp_path, language, name)
    assert render.init_script(plan, plan.manager, SECRETS) == RENDERED


def test_what_exposes_the_token_runs_with_a_warning(tmp_path: Path) -> None:
    trace, option = render.check(walkthrough(tmp_path, "go"))
    assert {trace.file, option.file} == {str(tmp_path / "manager-init.sh")}
    assert trace.message.startswith("the shell writes every command that it runs")
    assert option.path == "line 17 of what it renders"
    assert option.message.startswith("the token stands on a command line")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("set -eux", "every command"),
        ("kubeadm join --discovery-token '{{ KUBEADM_JOIN_TOKEN }}'", "on a command line"),
        ("kubeadm join --tls-bootstrap-token={{ KUBEADM_JOIN_TOKEN }}", "on a command line"),
        ("kubeadm join --discovery-token-unsafe-skip-ca-verification", "trusts whatever answers"),
        ("    unsafeSkipCAVerification: true", "trusts whatever answers"),
    ],
)
def test_each_exposure_is_named(line: str, told: str, tmp_path: Path) -> None:
    template = tmp_path / "own.sh"
    template.write_text(f"#!/bin/sh\n{line}\n")
    plan = cluster_plan()
    plan = replace(plan, machines=(replace(plan.manager, template=str(template)),))
    (warning,) = render.check(plan)
    assert told in warning.message
    assert warning.path == "line 2 of what it renders"


def test_our_own_templates_expose_nothing() -> None:
    assert render.check(cluster_plan()) == ()


def test_without_a_word_of_it_a_template_is_jinja2(tmp_path: Path) -> None:
    plan = walkthrough(tmp_path, None)
    with pytest.raises(InvalidInputError, match="line 7"):
        render.init_script(plan, plan.manager, SECRETS)


@pytest.mark.parametrize("name", ["install-docker.sh", "install_kubeadam.sh", "manager-init.sh"])
def test_the_content_hash_covers_every_included_file(name: str, tmp_path: Path) -> None:
    plan = walkthrough(tmp_path, "go")
    before = render.content_hash(plan)
    (tmp_path / name).write_text((tmp_path / name).read_text() + "# more\n")
    assert render.content_hash(plan) != before


def test_the_content_hash_covers_what_functions_include_in_jinja2(tmp_path: Path) -> None:
    main = tmp_path / "main.sh"
    main.write_text('{{ include("a.sh") }}{{ fetch("b.sh") }}{{ "c.sh" | source }}')
    for name in "abc":
        (tmp_path / f"{name}.sh").write_text("x")
    assert [file.name for file in template.sources(main)] == ["main.sh", "a.sh", "b.sh", "c.sh"]


def test_an_include_is_in_its_includers_language_unless_its_name_says_otherwise(
    tmp_path: Path,
) -> None:
    (tmp_path / "go.sh").write_text('{{ if true }}go {{ include "j.j2" }}{{ end }}')
    (tmp_path / "j.j2").write_text('{% if true %}jinja {{ include("g.tmpl") }}{% endif %}')
    (tmp_path / "g.tmpl").write_text('{{ print "go" }}')
    options = Options(language=Language.GO)
    assert template.render(tmp_path / "go.sh", {}, options) == "go jinja go"


def test_the_flavors_ten_are_functions(tmp_path: Path) -> None:
    text = (
        "{{ SPEC.KubeJoinIP }} {{ INSTANCE_LOGICAL_ID }} {{ ALLOCATIONS.Size }} "
        "{{ INDEX.Group }} {{ INDEX.Sequence }} {{ BOOTSTRAP }} {{ WORKER }} "
        '{{ KUBE_JOIN_IP }}:{{ BIND_PORT }} {{ ADDON "network" }} {{ .node_name }}'
    )
    plan = walkthrough(tmp_path, "go")
    (tmp_path / "manager-init.sh").write_text(text)
    assert render.init_script(plan, plan.manager, SECRETS) == (
        "192.168.2.200 192.168.2.200 1 kubernetes-managers 0 true false 192.168.2.200:6443 "
        "https://example.invalid/net.yaml ip-192.168.2.200"
    )
    # Upstream's INDEX says the group's size to each of its machines.
    last = render.init_script(plan, plan.workers[-1], SECRETS).split()
    assert last[2:5] == ["3", "kubernetes-workers", "2"]
