"""The recipe of this host's bundle, with small things in place of what takes minutes."""

from __future__ import annotations

import json
import platform
import tarfile
from typing import TYPE_CHECKING

import pytest

from harness.errors import HostError
from harness.lab import bundle, debian, images, kubernetes, recipe, steps
from harness.lab.steps import Step, Work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KUBEADM = """#!/bin/sh
for image in kube-apiserver kube-controller-manager kube-scheduler kube-proxy
do echo "registry.test/$image:v1.20.2"
done
printf 'registry.test/%s\\n' pause:3.2 etcd:3.4.13-0 coredns:1.7.0
"""
# A mirror of another vendor, a mirror with a key of its own, and one without.
OWN_KEY = "/usr/share/keyrings/own.gpg"
TARGETS = f"""\
Debian|http://mirror.test/debian/|bookworm|main|$(SIGNED_BY)
Debian|http://mirror.test/security/|bookworm-security|main|{OWN_KEY}
Docker|http://other.test/|bookworm|stable|$(SIGNED_BY)
Debian|http://mirror.test/debian/|bookworm|main|$(SIGNED_BY)
"""
PACKAGES = """\
Package: containerd
Version: 1.6.20~ds1-1
Depends: runc

Package: runc
Version: 1.1.5+ds1-1
"""


def fake_source(_: Work) -> str:
    return "1.20.5+really1.20.2-1.1+deb12u1"


def fake_root(work: Work) -> str:
    source = work.scratch / "root.tar"
    with tarfile.open(source, "w") as tar:
        tar.addfile(tarfile.TarInfo("./usr"))
    layer = images.layer_of_root(source, work.directory / "layer.tar", lambda _: True)
    return layer.digest


def fake_programs(*names: str) -> Callable[[Work], None]:
    def run(work: Work) -> None:
        for name in names:
            (work.directory / name).write_text(KUBEADM if name == "kubeadm" else name)
            (work.directory / name).chmod(0o755)

    return run


def small_plan(target: Path) -> list[Step]:
    """The real plan, of which only the last two steps are kept."""
    quick = [
        Step("source", fake_source),
        Step("root", fake_root),
        Step("pause", fake_programs("pause")),
        Step("binaries", fake_programs(*kubernetes.COMMANDS)),
    ]
    return quick + [step for step in recipe.plan(target) if step.name in {"images", "bundle"}]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a program that prints a text before the host's own."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")

    def put(name: str, output: str) -> None:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / f"{name}.out").write_text(output)
        path = tmp_path / "bin" / name
        path.write_text(f"#!/bin/sh\nexec cat {path}.out\n")
        path.chmod(0o755)

    return put


@pytest.fixture
def built(tmp_path: Path, program: Callable[[str, str], None]) -> bundle.Bundle:
    program("apt-cache", PACKAGES)
    target = tmp_path / "bundle" / "debian"
    steps.build(small_plan(target), tmp_path / "build", label="bundle", on_event=lambda _: None)
    return bundle.load(target)


def test_the_recipe_ends_with_a_good_bundle(built: bundle.Bundle) -> None:
    bundle.verify(built)
    manifest = built.manifest
    assert manifest.kubernetes_version == "v1.20.2"
    assert manifest.image_repository == "registry.test"
    assert manifest.pause_image == "registry.test/pause:3.2"
    assert (manifest.containerd_version, manifest.etcd_version) == ("1.6.20~ds1-1", "")
    assert not manifest.has_dns
    assert (built.path / "bin/kubelet").stat().st_mode & 0o777 == 0o755


def test_every_image_that_kubeadm_wants_is_there_but_dns(built: bundle.Bundle) -> None:
    references = {name for file in built.manifest.images for name in file.references}
    control_plane = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
    assert references == {
        *(f"registry.test/{name}:v1.20.2" for name in control_plane),
        "registry.test/etcd:3.4.13-0",
        "registry.test/pause:3.2",
        built.manifest.verify_image,
    }


def test_the_manifest_names_what_is_in_each_file(built: bundle.Bundle) -> None:
    for file in built.manifest.images:
        with tarfile.open(built.file(file.path)) as tar:
            member = tar.extractfile("manifest.json")
            assert member
            entries = json.load(member)
        assert [tag for entry in entries for tag in entry["RepoTags"]] == file.references


def test_the_network_runs_on_the_image_that_is_in_the_bundle(built: bundle.Bundle) -> None:
    assert f"image: {built.manifest.verify_image}\n" in built.supply().network_manifest
    assert built.manifest.verify_image.startswith("harness/lab-network:")


def test_each_step_of_the_plan_comes_after_those_that_it_needs(tmp_path: Path) -> None:
    seen: set[str] = set()
    for step in recipe.plan(tmp_path):
        assert seen.issuperset(step.needs), step.name
        assert step.name not in seen
        seen.add(step.name)


@pytest.mark.parametrize(
    ("debian_version", "upstream"),
    [
        ("1.20.5+really1.20.2-1.1+deb12u1", "v1.20.2"),
        ("1.31.4-1", "v1.31.4"),
        ("1.31.4-1~bpo12+1", "v1.31.4"),
    ],
)
def test_the_version_of_kubernetes_is_told_from_that_of_debian(
    debian_version: str, upstream: str
) -> None:
    assert kubernetes.upstream_version(debian_version) == upstream


def test_a_version_that_is_not_understood_is_quoted() -> None:
    with pytest.raises(HostError, match=r"1[.]x-1"):
        kubernetes.upstream_version("1.x-1")


def test_versions_are_linked_in_where_kubernetes_looks_for_them() -> None:
    flags = kubernetes.linker_flags("1.31.4-1").split()
    variable = "k8s.io/kubernetes/vendor/k8s.io/component-base/version"
    assert flags[:2] == ["-s", "-w"]
    assert f"{variable}.gitVersion=v1.31.4" in flags
    assert f"{variable}.gitMinor=31" in flags


def test_progress_is_told_twenty_times_at_most() -> None:
    told: list[str] = []
    tell = kubernetes.progress(told.append, 200)
    for number in range(200):
        tell(f"package {number}")
    assert len(told) == 20
    assert told[0] == "compiled 10 of at most 200 packages"


def test_a_system_without_a_name_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing() -> dict[str, str]:
        raise FileNotFoundError

    monkeypatch.setattr(platform, "freedesktop_os_release", nothing)
    assert str(debian.release()).startswith("unknown-unknown-")


def test_packages_with_a_described_api_are_found_as_the_compiler_spells_them(
    tmp_path: Path,
) -> None:
    marked = "// +k8s:openapi-gen=true\npackage x\n"
    for name, text in {
        "pkg/apis/abac/v0/doc.go": marked,
        "pkg/apis/core/doc.go": "package core\n",
        "staging/src/k8s.io/api/core/v1/doc.go": marked,
        "staging/src/k8s.io/api/core/v1/types.go": marked,
        "staging/src/k8s.io/code-generator/_examples/doc.go": marked,
        "vendor/k8s.io/kube-openapi/cmd/doc.go": marked,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert kubernetes.marked_packages(tmp_path) == [
        "k8s.io/kubernetes/pkg/apis/abac/v0",
        "k8s.io/kubernetes/vendor/k8s.io/api/core/v1",
    ]


def test_the_mirror_is_the_one_that_the_host_uses(program: Callable[[str, str], None]) -> None:
    program("apt-get", TARGETS)
    assert debian.sources("deb-src") == [
        f"deb-src [signed-by={OWN_KEY}] http://mirror.test/security/ bookworm-security main",
        "deb-src http://mirror.test/debian/ bookworm main",
    ]


def test_a_host_without_debian_mirrors_is_told_so(program: Callable[[str, str], None]) -> None:
    program("apt-get", "Docker|http://other.test/|bookworm|stable|$(SIGNED_BY)\n")
    with pytest.raises(HostError, match="no package index of Debian"):
        debian.sources("deb")


@pytest.mark.parametrize(
    ("name", "belongs"),
    [
        ("usr/bin/etcd", True),
        ("dev", True),
        ("dev/null", False),
        ("etc/hostname", False),
        ("etc/hosts", True),
        ("var/log/dpkg.log", False),
        ("var/lib/apt/lists/x", False),
        ("var/lib/dpkg/status", True),
        ("developer", True),
    ],
)
def test_traces_of_the_making_stay_out_of_the_image(name: str, belongs: bool) -> None:  # noqa: FBT001
    assert debian.belongs_in_image(name) is belongs
