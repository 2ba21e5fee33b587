"""The whole recipe, run with fakes in place of apt, Go, gcc and mmdebstrap."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.errors import HostError
from harness.events import PhaseEnded, PhaseFailed
from harness.lab import bundle, kubernetes, recipe, steps

if TYPE_CHECKING:
    from harness.events import Event

TOOLS = {
    "apt-get": """
case "$*" in
    indextargets*) echo 'Debian|http://mirror.test/|bookworm|main|$(SIGNED_BY)' ;;
    *" update") [ ! -e "$HOST/no-sources" ] || { echo "E: no Sources here" >&2; exit 100; } ;;
    *" source "*)
        touch kubernetes_1.31.4-1.dsc
        cp "$HOST/tree.tar.gz" kubernetes_1.31.4.orig.tar.gz ;;
esac""",
    "apt-cache": "printf 'Package: %s\\nVersion: 1\\n' containerd",
    "apt-config": "echo 'Acquire::http::Proxy \"http://proxy.test\";'",
    "mmdebstrap": """
for last; do root=$listing; listing=$last; done
cp "${root%/*}/apt.conf" "$HOST/apt.conf"
echo "I: making a root"; echo "W: a warning"
mkdir -p "$HOST/root/usr"; tar -cf "$root" -C "$HOST/root" .""",
    "patch": "cat >/dev/null",
    "newuidmap": "exit 1",
    "gcc": """
while [ "$1" != -o ]; do shift; done; echo pause >"$2" """,
    "go": """
while [ $# -gt 0 ]; do
    case "$1" in
        -deps) printf '%s\\n' one two; exit ;;
        -o) cp /bin/true "$2" ;;
        -overlay=*) cat "${1#*=}" >"$HOST/overlay" ;;
        -o=*) out=${1#*=} ;;
        ./cmd/*) cp "$HOST/command" "$out/${1#./cmd/}" ;;
    esac
    shift
done
echo package-one >&2""",
}
COMMAND = """#!/bin/sh
for name in kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd pause
do echo "registry.test/$name:1"; done
"""
SOURCES = {
    "vendor/github.com/modern-go/reflect2/reflect2.go": "package reflect2 // old",
    "vendor/github.com/modern-go/reflect2/old.s": "old",
    "vendor/github.com/modern-go/reflect2/README.md": "stays",
    "pkg/apis/doc.go": "// +k8s:openapi-gen=true",
    "staging/src/k8s.io/api/doc.go": "package api",
}


class Host:
    """A host whose programs are fakes, and what happened on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[Event] = []

    def build(self) -> bundle.Bundle:
        self.events.clear()
        return recipe.build(self.events.append)

    @property
    def ran(self) -> list[str]:
        """Names of the steps that were not found done."""
        ended = [event for event in self.events if isinstance(event, PhaseEnded)]
        return sorted(event.phase for event in ended if event.note != steps.CACHED)

    @property
    def build_folder(self) -> Path:
        return self.root / "cache" / "build"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    (tmp_path / "bin").mkdir()
    for name, body in TOOLS.items():
        program = tmp_path / "bin" / name
        # Go gets an environment of its own, hence the folder's name in the script.
        program.write_text(f"#!/bin/sh -e\nHOST={tmp_path}\n{body}\n")
        program.chmod(0o755)
    for name, text in SOURCES.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    with tarfile.open(tmp_path / "tree.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "tree", "kubernetes-1.31.4")
    newer = tmp_path / "reflect2"
    newer.mkdir()
    for name in ("reflect2.go", "asm.s", "reflect2_test.go"):
        (newer / name).write_text("new")
    (tmp_path / "command").write_text(COMMAND)
    (tmp_path / "command").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(kubernetes, "REFLECT2", newer)
    monkeypatch.setattr(recipe, "FILES", {newer: "golang-github-modern-go-reflect2-dev"})
    return Host(tmp_path)


ALL_STEPS = ["binaries", "bundle", "images", "openapi", "pause", "root", "source", "tree"]


def test_a_bundle_is_built_from_nothing_and_then_found_done(host: Host) -> None:
    built = host.build()
    bundle.verify(built)
    assert host.ran == ALL_STEPS
    assert built.path == bundle.default_path()
    assert host.build() == built
    assert host.ran == []


def test_the_vendored_reflect2_gives_way_to_the_newer_one(host: Host) -> None:
    host.build()
    folder = host.build_folder / "tree/src/k8s.io/kubernetes/vendor/github.com/modern-go/reflect2"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "README.md": "stays",
        "asm.s": "new",
        "reflect2.go": "new",
    }


def test_the_generated_file_is_laid_over_a_tree_that_stays_as_it_is(host: Host) -> None:
    host.build()
    ((there, laid),) = json.loads((host.root / "overlay").read_text())["Replace"].items()
    assert Path(there).is_relative_to(host.build_folder / "tree")
    assert Path(laid).is_relative_to(host.build_folder / "openapi")


def test_what_the_hosts_apt_needs_reaches_the_root_that_is_made(host: Host) -> None:
    host.build()
    assert 'Acquire::http::Proxy "http://proxy.test";' in (host.root / "apt.conf").read_text()


def test_a_damaged_bundle_is_put_together_again_and_nothing_more(host: Host) -> None:
    built = host.build()
    built.file("bin/kubeadm").write_text("flipped")
    bundle.verify(host.build())
    assert host.ran == ["bundle"]


def test_a_bundle_that_was_removed_comes_back_from_what_is_cached(host: Host) -> None:
    host.build().file(bundle.MANIFEST).unlink()
    bundle.verify(host.build())
    assert host.ran == ["bundle"]


def test_a_bundle_that_somebody_brought_stays_as_it_is(host: Host) -> None:
    brought = host.build()
    shutil.rmtree(steps.cache_dir() / "build")  # as on a host that never built it
    assert host.build() == brought
    assert host.ran == []


def test_a_mirror_without_sources_is_told_with_a_hint_and_the_root_is_kept(host: Host) -> None:
    (host.root / "no-sources").touch()
    with pytest.raises(HostError, match="source package `kubernetes` cannot be had") as error:
        host.build()
    assert "no Sources here" in error.value.message
    assert "deb-src" in error.value.hint
    assert [event.phase for event in host.events if isinstance(event, PhaseFailed)] == ["source"]

    (host.root / "no-sources").unlink()
    began_root = "root" in host.ran
    host.build()
    assert ("root" in host.ran) is not began_root


def test_a_host_that_lacks_tools_learns_of_all_of_them(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(host.root / "nothing"))
    monkeypatch.setattr(recipe, "FILES", {Path("/nowhere"): "libc6-dev"})
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(HostError, match="packages that are missing") as error:
        host.build()
    assert error.value.hint == (
        "Run `apt-get install apt gcc golang-go mmdebstrap patch tar libc6-dev`, or bring a bundle."
    )
    assert not host.build_folder.exists()


def test_whoever_is_not_root_needs_user_namespaces(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(host.root / "nothing"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HostError, match="uidmap"):
        host.build()
