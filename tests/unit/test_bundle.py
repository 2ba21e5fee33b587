"""Bundles: a strict manifest, and files that are what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HostError
from harness.lab import bundle
from harness.lab.bundle import Manifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[dict[str, Any]], object]

PAUSE = "registry.test/pause:3.9"
VERIFY = "registry.test/busybox:1"
FILES = {
    "bin/kubeadm": b"kubeadm",
    "bin/kubectl": b"kubectl",
    "bin/kubelet": b"kubelet",
    "images/all.tar": b"images",
    "manifests/network.yaml": b"kind: DaemonSet\n",
    "packages/containerd.deb": b"package",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A bundle that somebody brought: another version, other images, packages of its own."""
    root = tmp_path / "bundle"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    def described(folder: str) -> list[dict[str, Any]]:
        names = [name for name in FILES if name.startswith(f"{folder}/")]
        return [bundle.describe(root, name).model_dump() for name in names]

    manifest = {
        "format": 1,
        "architecture": "amd64",
        "kubernetes_version": "v1.31.4",
        "containerd_version": "1.7.24",
        "runc_version": "1.2.3",
        "cni_version": "1.6.1",
        "etcd_version": "3.5.15",
        "image_repository": "registry.test",
        "pause_image": PAUSE,
        "verify_image": VERIFY,
        "has_dns": True,
        "has_crictl": True,
        "binaries": described("bin"),
        "images": [{**described("images")[0], "references": [PAUSE, VERIFY]}],
        "manifests": described("manifests"),
        "packages": described("packages"),
    }
    bundle.write(Manifest.model_validate(manifest), root)
    return root


def change(path: Path, how: Change) -> None:
    file = path / bundle.MANIFEST
    content = json.loads(file.read_text())
    how(content)
    file.write_text(json.dumps(content))


def problems(error: pytest.ExceptionInfo[HostError]) -> list[str]:
    return [line.strip() for line in error.value.message.splitlines()[1:]]


def test_a_good_bundle_is_loaded_and_verified(path: Path) -> None:
    loaded = bundle.load(path)
    bundle.verify(loaded)
    assert loaded.manifest.kubernetes_version == "v1.31.4"
    assert loaded.file("bin/kubeadm").read_bytes() == b"kubeadm"


def test_it_supplies_machines_with_what_its_manifest_says(path: Path) -> None:
    supply = bundle.load(path).supply()
    assert supply.source == "bundle"
    assert supply.kubernetes_version == "v1.31.4"
    assert supply.image_repository == "registry.test"
    assert (supply.pause_image, supply.verify_image) == (PAUSE, VERIFY)
    assert supply.has_dns
    assert supply.has_crictl
    assert supply.network_manifest == "kind: DaemonSet\n"


def test_its_information_names_versions_images_and_digest(path: Path) -> None:
    info = bundle.load(path).info()
    assert info["kubernetes"] == "v1.31.4"
    assert info["images"] == f"{PAUSE}, {VERIFY}"
    assert info["files"] == "6, 0 MiB"
    assert len(info["digest"]) == 64


def test_its_digest_changes_with_any_file(path: Path) -> None:
    before = bundle.load(path).digest
    change(path, lambda manifest: manifest["binaries"][0].update(sha256="0" * 64))
    assert bundle.load(path).digest != before


def test_no_bundle_is_a_fault_of_the_host_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="there is no bundle at") as error:
        bundle.load(tmp_path / "nowhere")
    assert "bundle build" in error.value.hint


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        (lambda m: m.update(colour="red"), "$.colour"),
        (lambda m: m.update(format=2), "$.format"),
        (lambda m: m.pop("pause_image"), "$.pause_image"),
        (lambda m: m.update(kubernetes_version="1.31"), "$.kubernetes_version"),
        (lambda m: m.update(has_dns="yes"), "$.has_dns"),
        (lambda m: m["binaries"][0].update(size="7"), "$.binaries.0.size"),
        (lambda m: m["binaries"][0].update(size=-1), "$.binaries.0.size"),
        (lambda m: m["binaries"][1].update(sha256="abc"), "$.binaries.1.sha256"),
        (lambda m: m["binaries"][0].update(mode="0755"), "$.binaries.0.mode"),
        (lambda m: m["images"][0].update(references=[]), "$.images.0.references"),
        (lambda m: m["packages"][0].update(path="../x"), "../x: leaves the bundle"),
        (lambda m: m["packages"][0].update(path="/etc/x"), "/etc/x: leaves the bundle"),
        (lambda m: m["packages"][0].update(path="bin/kubeadm"), "bin/kubeadm: listed twice"),
        (lambda m: m.update(manifests=[]), "manifests/network.yaml: not listed"),
        (lambda m: m["binaries"].pop(0), "bin/kubeadm: not listed"),
        (lambda m: m.update(verify_image="x"), "verify_image: no image file has x"),
    ],
)
def test_a_manifest_that_is_not_understood_is_refused_with_its_place(
    path: Path, how: Change, expected: str
) -> None:
    change(path, how)
    with pytest.raises(HostError, match="is not a bundle's manifest") as error:
        bundle.load(path)
    assert expected in str(error.value)


def test_a_manifest_that_is_no_json_is_refused(path: Path) -> None:
    (path / bundle.MANIFEST).write_text("{")
    with pytest.raises(HostError, match="is not a bundle's manifest"):
        bundle.load(path)


def test_all_problems_of_a_manifest_come_at_once(path: Path) -> None:
    change(path, lambda manifest: manifest.update(colour="red", format=2, has_dns="yes"))
    with pytest.raises(HostError) as error:
        bundle.load(path)
    assert len(problems(error)) == 3


def test_all_damage_comes_at_once(path: Path) -> None:
    (path / "bin/kubeadm").write_bytes(b"kubeadM")
    (path / "bin/kubectl").write_bytes(b"kubectl and more")
    (path / "images/all.tar").unlink()
    (path / "images/other.tar").touch()
    (path / "link").symlink_to("nowhere")
    with pytest.raises(HostError, match="is damaged") as error:
        bundle.verify(bundle.load(path))
    assert problems(error) == [
        "bin/kubeadm: its content has changed (SHA-256)",
        "bin/kubectl: 16 bytes, not 7",
        "images/all.tar: missing",
        "images/other.tar: not in the manifest",
        "link: not in the manifest",
    ]


def test_the_default_place_is_in_the_cache_and_names_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(tmp_path))
    found = bundle.default_path()
    assert found.parent == tmp_path / "bundle"
    assert len(found.name.split("-")) == 3
