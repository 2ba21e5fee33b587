"""A bundle that is whole and tiny, for whoever only needs that there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lab import bundle
from harness.lab.bundle import Bundle, ImageFile, Manifest

if TYPE_CHECKING:
    from pathlib import Path

PAUSE = "registry.test/pause:3.9"
VERIFY = "registry.test/busybox:1"


def write(root: Path, *, version: str = "v1.31.4") -> Bundle:
    """Write a bundle of this Kubernetes."""
    for name in (*bundle.BINARIES, "images/all.tar", bundle.NETWORK):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{name} of {version}\n")
    images = bundle.describe(root, "images/all.tar").model_dump()
    manifest = Manifest(
        format=1,
        architecture="amd64",
        kubernetes_version=version,
        containerd_version="",
        runc_version="",
        cni_version="",
        etcd_version="",
        image_repository="registry.test",
        pause_image=PAUSE,
        verify_image=VERIFY,
        has_dns=True,
        has_crictl=True,
        binaries=[bundle.describe(root, name) for name in bundle.BINARIES],
        images=[ImageFile(**images, references=[PAUSE, VERIFY])],
        manifests=[bundle.describe(root, bundle.NETWORK)],
        packages=[],
    )
    bundle.write(manifest, root)
    return bundle.load(root)
