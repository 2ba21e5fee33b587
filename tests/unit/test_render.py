"""Rendered Vagrantfiles and scripts: as expected, valid, quoted, and without leaks."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import render, template
from harness.errors import InvalidInputError
from harness.spec import ProviderName
from tests.samples import BUNDLE, GOLDEN, PACKAGES, ROOT, SECRETS, cluster_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.spec import ClusterPlan

VAGRANTFILES = sorted((GOLDEN / "vagrantfiles").glob("*.Vagrantfile"))
SCRIPTS = sorted((GOLDEN / "scripts").glob("*.sh"))
# `upstream` is a bundle of a later Kubernetes that its user brought, run in containers.
SUPPLIES = {
    "bundle": BUNDLE,
    "packages": PACKAGES,
    "upstream": replace(PACKAGES, source="bundle"),
}
TEMPLATES = sorted((ROOT / "scripts").glob("*.sh"))

SETTINGS = render.VagrantSettings(
    private_key=Path("/state/walkthrough/ssh/id_ed25519"),
    insecure_key=Path("/vagrant home/insecure_private_key"),
    public_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5 harness\n",
    consoles=Path("/state/it's here/logs"),
    workspace=Path("/state/clusters/walkthrough"),
    libvirt_driver="qemu",
)


def planned(provider: str) -> ClusterPlan:
    supply = BUNDLE if provider == ProviderName.LXC else PACKAGES
    return cluster_plan(provider=ProviderName(provider), supply=supply)


def script_of(stem: str) -> str:
    role, _, source = stem.partition("-")
    plan = cluster_plan(supply=SUPPLIES[source])
    machine = plan.manager if role == "manager" else plan.workers[0]
    return render.init_script(plan, machine, SECRETS)


def test_there_are_goldens_and_templates() -> None:
    assert VAGRANTFILES
    assert SCRIPTS
    assert TEMPLATES


@pytest.mark.parametrize("file", VAGRANTFILES, ids=lambda file: file.stem)
def test_a_vagrantfile_is_as_expected_and_valid_ruby(
    file: Path, golden: Callable[[Path, str], None], tool: Callable[[str], str]
) -> None:
    golden(file, render.vagrantfile(planned(file.stem), SETTINGS))
    subprocess.run([tool("ruby"), "-c", file], check=True, capture_output=True)


@pytest.mark.parametrize("provider", [file.stem for file in VAGRANTFILES])
def test_vagrant_finds_a_vagrantfile_valid(
    provider: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    vagrant = tool("vagrant")
    keys = [tmp_path / "cluster key", tmp_path / "insecure'key"]
    for key in keys:
        key.write_text("")
    settings = replace(SETTINGS, private_key=keys[0], insecure_key=keys[1])
    (tmp_path / "Vagrantfile").write_text(render.vagrantfile(planned(provider), settings))
    environment = {
        **os.environ,
        "VAGRANT_HOME": str(tmp_path / "home"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
        # vagrant-libvirt need not be installed here, and Vagrant insists on a provider that it
        # knows even where it is told to ignore it.
        "VAGRANT_DEFAULT_PROVIDER": "lxc" if provider == "lxc" else "virtualbox",
    }
    flags = [] if provider == "lxc" else ["--ignore-provider"]
    done = subprocess.run(
        [vagrant, "validate", *flags],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_vagrantfile_runs_nothing_that_is_hidden_in_a_value(tool: Callable[[str], str]) -> None:
    hostile = "#{system('false')} it's \\' $(x) \n`y`"
    plan = planned("lxc")
    machine = replace(plan.manager, box=hostile)
    plan = replace(plan, machines=(machine,))
    settings = render.VagrantSettings(
        private_key=Path(hostile),
        insecure_key=Path(hostile),
        public_key=hostile,
        consoles=Path(hostile),
        workspace=Path(hostile),
        bridge=hostile,
    )
    # A stand-in for Vagrant's DSL that takes any call and tells what `box =` was given.
    recorder = """
class Anything < BasicObject
  def method_missing(name, *given)
    ::STDOUT.write(given[0]) if name == :box=
    yield self if ::Kernel.block_given?
    self
  end
end
module Vagrant; def self.configure(_version); yield Anything.new; end; end
"""
    recorder = recorder.replace("yield self if ::Kernel.block_given?", "yield self if block")
    recorder = recorder.replace("(name, *given)", "(name, *given, &block)")
    text = recorder + render.vagrantfile(plan, settings)
    done = subprocess.run([tool("ruby")], input=text.encode(), capture_output=True, check=True)
    assert done.stdout.decode() == hostile


def test_a_vagrantfile_replaces_the_keys_of_its_login_user(
    tool: Callable[[str], str], tmp_path: Path
) -> None:
    text = render.vagrantfile(planned("lxc"), SETTINGS)
    inline = re.search(r"inline: ('(?:[^'\\]|\\.)*')", text, re.DOTALL)
    assert inline
    ruby = [tool("ruby"), "-e", f"print {inline[1]}"]
    script = subprocess.run(ruby, check=True, capture_output=True).stdout
    (tmp_path / ".ssh").mkdir()
    keys = tmp_path / ".ssh" / "authorized_keys"
    keys.write_text("ssh-rsa vagrant insecure public key\n")
    subprocess.run(["sh"], input=script, env={"HOME": str(tmp_path)}, check=True)
    assert keys.read_text() == SETTINGS.public_key
    assert keys.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_a_script_is_as_expected_and_valid_shell(
    file: Path, golden: Callable[[Path, str], None], tool: Callable[[str], str]
) -> None:
    golden(file, script_of(file.stem))
    subprocess.run([tool("bash"), "-n", file], check=True, capture_output=True)
    done = subprocess.run([tool("shellcheck"), file], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_a_script_says_its_sections_and_never_traces(file: Path) -> None:
    text = script_of(file.stem)
    sections = re.findall(r"^section (\S+)$", text, re.MULTILINE)
    middle = ["init", "network"] if file.stem.startswith("manager") else ["join"]
    assert sections == ["install", *middle]
    assert "xtrace" not in re.sub(r"#.*", "", text)
    assert "set -x" not in text


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_the_token_stands_only_in_the_configuration(file: Path) -> None:
    text = script_of(file.stem)
    configuration = re.compile(r"(?ms)<< 'KUBEADM_CONFIG'\n.*?^KUBEADM_CONFIG$")
    assert SECRETS.token in text
    assert SECRETS.token not in configuration.sub("", text)
    assert SECRETS.ca_key not in text


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda file: file.name)
def test_every_value_in_our_scripts_is_quoted(file: Path) -> None:
    outputs = re.findall(r"\{\{(?!/\*)(.*?)\}\}", file.read_text(), re.DOTALL)
    # The one exception: YAML in a quoted heredoc, where a shell reads nothing.
    assert [one for one in outputs if not re.search(r"\|\s*sh\s*$", one)] == (
        [" kubeadm_config "] if file.name == "write-kubeadm-config.sh" else []
    )


def test_every_value_in_the_vagrantfile_is_quoted() -> None:
    text = (ROOT / "Vagrantfile.j2").read_text()
    bare = [
        one.strip()
        for one in re.findall(r"\{\{(.*?)\}\}", text, re.DOTALL)
        if not re.search(r"\|\s*(ruby|int|sh)\s*$", one)
    ]
    # In a comment; and KubeClusterID is a-z, 0-9 and - only.
    assert bare == ["plan.cluster"]


def test_hostile_values_reach_a_script_as_they_are(tool: Callable[[str], str]) -> None:
    hostile = "x'; $(false) `false` \"\n# "
    plan = replace(cluster_plan(), supply=replace(BUNDLE, network_manifest=hostile))
    script = render.init_script(plan, plan.manager, SECRETS)
    subprocess.run([tool("bash"), "-n"], input=script.encode(), check=True)
    assert template.sh(hostile) in script


def test_check_finds_every_template_that_cannot_be_rendered(tmp_path: Path) -> None:
    for name in ("one.sh", "two.sh"):
        (tmp_path / name).write_text("\n{{ nowhere }}\n")
    plan = cluster_plan()
    templates = [tmp_path / "one.sh", tmp_path / "two.sh", tmp_path / "two.sh"]
    machines = [
        replace(machine, template=str(file))
        for machine, file in zip(plan.machines, templates, strict=False)
    ]
    with pytest.raises(InvalidInputError) as caught:
        render.check(replace(plan, machines=tuple(machines)))
    assert [(Path(one.file).name, one.path) for one in caught.value.problems] == [
        ("one.sh", "line 2"),
        ("two.sh", "line 2"),
    ]
    render.check(plan)


def test_the_content_hash_covers_sources_and_inputs(tmp_path: Path) -> None:
    main, part = tmp_path / "main.sh", tmp_path / "part.sh"
    main.write_text('{% include "part.sh" %}')
    part.write_text("one")
    manifest = tmp_path / "net.yaml"
    manifest.write_text("one")
    plan = cluster_plan()
    plan = replace(
        plan,
        machines=(replace(plan.manager, template=str(main)),),
        add_ons=(replace(plan.add_ons[0], path=str(manifest)),),
    )
    hashes = [render.content_hash(plan), render.content_hash(replace(plan, bind_port=6444))]
    for file in (part, manifest):
        file.write_text("two")
        hashes.append(render.content_hash(plan))
    assert len(set(hashes)) == 4
    assert render.content_hash(plan) == hashes[-1]


def test_the_content_hash_does_not_depend_on_where_the_checkout_stands(tmp_path: Path) -> None:
    plans = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "init.sh"
        file.write_text("same")
        plan = cluster_plan()
        plans.append(replace(plan, machines=(replace(plan.manager, template=str(file)),)))
    assert render.content_hash(plans[0]) == render.content_hash(plans[1])
