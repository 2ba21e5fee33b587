"""Writes container images as docker-archive files, without a container engine.

The same input gives the same bytes: entries sorted, times zero, owners as given.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

PATH_VARIABLE = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CHUNK_BYTES = 1 << 20
XATTR = "SCHILY.xattr."


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, an uncompressed tar file.

    Attributes:
        path: The file.
        digest: ``sha256:`` and the hex digest of its bytes; the layer's diff ID.
    """

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Image:
    """One image.

    Attributes:
        reference: Name and tag.
        layers: From the bottom up.
        architecture: As Go spells it.
        entrypoint: What is run if the pod says nothing; may be empty.
    """

    reference: str
    layers: tuple[Layer, ...]
    architecture: str
    entrypoint: tuple[str, ...] = ()

    def config(self) -> bytes:
        """Return the image's configuration, whose digest is the image's identity."""
        config = {
            "created": "1970-01-01T00:00:00Z",
            "architecture": self.architecture,
            "os": "linux",
            "config": {"Env": [PATH_VARIABLE], "Entrypoint": list(self.entrypoint) or None},
            "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in self.layers]},
        }
        return json.dumps(config, sort_keys=True).encode()


def sha256(path: Path) -> str:
    """Return the hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def layer_of_files(files: Mapping[str, Path], out: Path) -> Layer:
    """Write a layer of executable files that belong to root.

    Args:
        files: Path inside the image, without a leading slash → file on this host.
        out: The layer's file.
    """
    folders = {
        str(parent) for name in files for parent in _parents(name) if str(parent) not in files
    }
    with tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(folders | files.keys()):
            info = tarfile.TarInfo(name)
            info.mode = 0o755
            if name in folders:
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
            else:
                info.size = files[name].stat().st_size
                with files[name].open("rb") as file:
                    tar.addfile(info, file)
    return Layer(out, f"sha256:{sha256(out)}")


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def layer_of_root(root: Path, out: Path, keep: Callable[[str], bool]) -> Layer:
    """Write a layer of a whole root, given as a tar file; owners, modes and links stay.

    Args:
        root: The tar file. Its entries stay in their order: a hard link must come after
            what it links to.
        out: The layer's file.
        keep: Whether an entry, named without a leading ``./``, stays.
    """
    with (
        tarfile.open(root, "r|") as source,
        tarfile.open(out, "w", format=tarfile.PAX_FORMAT) as target,
    ):
        for info in source:
            name = _plain(info.name)
            if name and keep(name):
                info.name = name
                if info.islnk():
                    info.linkname = _plain(info.linkname)
                _forget(info)
                target.addfile(info, source.extractfile(info) if info.isreg() else None)
    return Layer(out, f"sha256:{sha256(out)}")


def _plain(name: str) -> str:
    return name.removeprefix(".").strip("/")


def _forget(info: tarfile.TarInfo) -> None:
    """Drop what differs from one build, or one host, to the next."""
    info.mtime = 0
    info.uname = info.gname = ""
    kept = {key: text for key, text in info.pax_headers.items() if key.startswith(XATTR)}
    info.pax_headers = kept


def write_archive(images: Sequence[Image], out: Path) -> None:
    """Write images into one docker-archive; a layer that they share is in it once."""
    with tarfile.open(out, "w") as tar:
        manifest = []
        written: set[str] = set()
        for image in images:
            config = image.config()
            config_name = f"{hashlib.sha256(config).hexdigest()}.json"
            names = [f"{layer.digest.removeprefix('sha256:')}.tar" for layer in image.layers]
            for name, layer in zip(names, image.layers, strict=True):
                if name not in written:
                    with layer.path.open("rb") as file:
                        _add(tar, name, file, layer.path.stat().st_size)
                    written.add(name)
            _add(tar, config_name, io.BytesIO(config), len(config))
            entry = {"Config": config_name, "RepoTags": [image.reference], "Layers": names}
            manifest.append(entry)
        text = json.dumps(manifest, sort_keys=True).encode()
        _add(tar, "manifest.json", io.BytesIO(text), len(text))


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    info = tarfile.TarInfo(name)
    info.mode = 0o644
    info.size = size
    tar.addfile(info, cast("io.BufferedIOBase", content))
