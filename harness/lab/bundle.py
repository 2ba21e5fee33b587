"""Everything a cluster needs without a network, in one directory with one manifest.

    manifest.json            versions, image names, and every other file with size and SHA-256
    bin/                     kubeadm, kubelet, kubectl
    images/                  docker-archive files
    manifests/network.yaml   the pod network
    packages/                Debian packages, if machines are to install them from here

Nothing here knows how a bundle was made: other versions, binaries and images that somebody
brings fill the same manifest.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic import model_validator as model_check

from harness.errors import HostError
from harness.lab import debian, images, steps
from harness.spec import Supply

FORMAT = 1
MANIFEST = "manifest.json"
NETWORK = "manifests/network.yaml"
BINARIES = ("bin/kubeadm", "bin/kubectl", "bin/kubelet")
HINT = "`harness bundle build` makes a new one."

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class File(_Model):
    """One file of a bundle.

    Attributes:
        path: Below the bundle's directory, with slashes.
        size: In bytes.
        sha256: Hex digest.
    """

    path: Text
    size: Annotated[int, Field(ge=0)]
    sha256: Sha256


class ImageFile(File):
    """A docker-archive file.

    Attributes:
        references: Full names of the images in it.
    """

    references: Annotated[list[Text], Field(min_length=1)]


class Manifest(_Model):
    """What a bundle contains.

    Attributes:
        format: Version of this model.
        architecture: As Debian and Go spell it.
        kubernetes_version: As kubeadm spells it, for example ``v1.20.2``.
        containerd_version: Of the package that machines get; ``""`` if it is not known.
        runc_version: Likewise.
        cni_version: Of the CNI plugins, likewise.
        etcd_version: Likewise.
        image_repository: What kubeadm puts before its image names.
        pause_image: The sandbox image.
        verify_image: An image with busybox, for the pod-to-pod check.
        has_dns: Whether there is a CoreDNS image.
        has_crictl: Whether there is a crictl binary.
        binaries: Programs of the machines.
        images: What containerd must have before kubeadm starts.
        manifests: Kubernetes manifests, the pod network's among them.
        packages: Debian packages; may be none.
    """

    format: Literal[1]
    architecture: Text
    kubernetes_version: Annotated[str, StringConstraints(pattern=r"^v\d+\.\d+\.\d+([-+].+)?$")]
    containerd_version: str
    runc_version: str
    cni_version: str
    etcd_version: str
    image_repository: Text
    pause_image: Text
    verify_image: Text
    has_dns: bool
    has_crictl: bool
    binaries: list[File]
    images: list[ImageFile]
    manifests: list[File]
    packages: list[File]

    @property
    def files(self) -> list[File]:
        """Every file but the manifest itself."""
        return [*self.binaries, *self.images, *self.manifests, *self.packages]

    @model_check(mode="after")
    def _whole(self) -> Self:
        """Collect what single fields cannot know."""
        paths = [file.path for file in self.files]
        references = [name for image in self.images for name in image.references]
        problems = [f"{path}: leaves the bundle" for path in paths if not _inside(path)]
        problems += [f"{path}: listed twice" for path in sorted({*paths}) if paths.count(path) > 1]
        problems += [f"{path}: not listed" for path in (*BINARIES, NETWORK) if path not in paths]
        for field in ("pause_image", "verify_image"):
            if (name := getattr(self, field)) not in references:
                problems.append(f"{field}: no image file has {name}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on this host.

    Attributes:
        path: Its directory.
        manifest: What it says of itself.
    """

    path: Path
    manifest: Manifest

    def file(self, path: str) -> Path:
        """Return where a file of the bundle is."""
        return self.path / path

    @property
    def digest(self) -> str:
        """What identifies the bundle with all its files: the SHA-256 of its manifest."""
        return images.sha256(self.path / MANIFEST)

    def supply(self) -> Supply:
        """Return what machines that are fed from this bundle have."""
        manifest = self.manifest
        return Supply(
            source="bundle",
            kubernetes_version=manifest.kubernetes_version,
            image_repository=manifest.image_repository,
            pause_image=manifest.pause_image,
            verify_image=manifest.verify_image,
            has_dns=manifest.has_dns,
            has_crictl=manifest.has_crictl,
            network_manifest=self.file(NETWORK).read_text(encoding="utf-8"),
        )

    def info(self) -> dict[str, str]:
        """Return what a person wants to know of it, label by label."""
        manifest = self.manifest
        mebibytes = sum(file.size for file in manifest.files) / 2**20
        return {
            "path": str(self.path),
            "architecture": manifest.architecture,
            "kubernetes": manifest.kubernetes_version,
            "containerd": manifest.containerd_version,
            "runc": manifest.runc_version,
            "cni plugins": manifest.cni_version,
            "etcd": manifest.etcd_version,
            "images": ", ".join(name for file in manifest.images for name in file.references),
            "files": f"{len(manifest.files)}, {mebibytes:.0f} MiB",
            "digest": self.digest,
        }


def default_path() -> Path:
    """Return where this host's own bundle is, or will be."""
    return steps.cache_dir() / "bundle" / str(debian.release())


def load(path: Path) -> Bundle:
    """Read a bundle's manifest; its files are `verify`'s business.

    Raises:
        HostError: If there is none, or it says something that is not understood; with
            every problem.
    """
    file = path / MANIFEST
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise HostError(f"there is no bundle at {path}: {error.strerror}", hint=HINT) from error
    try:
        return Bundle(path, Manifest.model_validate_json(text))
    except ValidationError as error:
        places = [
            f"$.{'.'.join(map(str, found['loc']))}: {found['msg']}" for found in error.errors()
        ]
        raise HostError(_listed(f"{file} is not a bundle's manifest", places), hint=HINT) from error


def verify(bundle: Bundle) -> None:
    """Check that a bundle's files are what its manifest says, and that there are no others.

    Raises:
        HostError: With every file that is missing, changed, or not listed.
    """
    listed = {file.path: file for file in bundle.manifest.files}
    present = {
        path.relative_to(bundle.path).as_posix()
        for path in bundle.path.rglob("*")
        if not path.is_dir()
    } - {MANIFEST}
    with ThreadPoolExecutor() as pool:  # hashing leaves the interpreter's lock alone
        checks = pool.map(lambda file: _difference(bundle, file), listed.values())
    problems = [problem for problem in checks if problem]
    problems += [f"{path}: not in the manifest" for path in sorted(present - listed.keys())]
    if problems:
        raise HostError(_listed(f"the bundle at {bundle.path} is damaged", problems), hint=HINT)


def _difference(bundle: Bundle, file: File) -> str:
    path = bundle.file(file.path)
    if not path.is_file():
        return f"{file.path}: missing"
    if (size := path.stat().st_size) != file.size:
        return f"{file.path}: {size} bytes, not {file.size}"
    if images.sha256(path) != file.sha256:
        return f"{file.path}: its content has changed (SHA-256)"
    return ""


def describe(root: Path, path: str) -> File:
    """Return the manifest's entry for a file that is in place."""
    file = root / path
    return File(path=path, size=file.stat().st_size, sha256=images.sha256(file))


def write(manifest: Manifest, root: Path) -> None:
    """Write the manifest into a bundle whose files are in place."""
    text = json.dumps(manifest.model_dump(), indent=2)
    (root / MANIFEST).write_text(f"{text}\n", encoding="utf-8")


def _inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return not pure.is_absolute() and ".." not in pure.parts and str(pure) == path


def _listed(what: str, problems: list[str]) -> str:
    return "\n".join([f"{what}:", *(f"  {problem}" for problem in problems)])
