"""Images: docker-archive files with the right structure, digests and bytes."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from harness.lab import images
from harness.lab.images import Image, Layer

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF and so on")
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root as mmdebstrap writes it: `./` before names, owners, links, times, attributes."""
    path = tmp_path / "root.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:

        def add(
            name: str, kind: bytes = tarfile.REGTYPE, content: bytes = b"", **more: object
        ) -> None:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mtime, info.uname = kind, len(content), 1700000000, "root"
            for key, value in more.items():
                setattr(info, key, value)
            tar.addfile(info, io.BytesIO(content))

        add("./", tarfile.DIRTYPE)
        add("./bin", tarfile.SYMTYPE, linkname="usr/bin")
        add("./etc/", tarfile.DIRTYPE)
        add("./etc/hostname", content=b"build-host")
        add("./etc/shadow", content=b"root:*", gid=42, mode=0o640)
        add("./usr/bin/perl", content=b"perl", mode=0o755)
        add("./usr/bin/perl5", tarfile.LNKTYPE, linkname="./usr/bin/perl")
        capability = {"SCHILY.xattr.security.capability": "v2", "atime": "1700000000.5"}
        add("./usr/bin/ping", content=b"ping", pax_headers=capability)
    return path


def entries(layer: Layer) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(layer.path) as tar:
        return {info.name: info for info in tar}


def members(archive: Path) -> dict[str, bytes]:
    found = {}
    with tarfile.open(archive) as tar:
        for info in tar:
            file = tar.extractfile(info)
            assert file
            assert info.name not in found, "each layer once"
            found[info.name] = file.read()
    return found


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_layer_of_files_has_their_folders_and_belongs_to_root(
    program: Path, tmp_path: Path
) -> None:
    layer = images.layer_of_files({"usr/local/bin/tool": program}, tmp_path / "layer.tar")
    found = entries(layer)
    assert list(found) == ["usr", "usr/local", "usr/local/bin", "usr/local/bin/tool"]
    assert all(found[name].isdir() for name in ("usr", "usr/local", "usr/local/bin"))
    assert {(info.uid, info.gid, info.mtime, info.mode) for info in found.values()} == {
        (0, 0, 0, 0o755)
    }
    assert layer.digest == f"sha256:{digest(layer.path.read_bytes())}"
    with tarfile.open(layer.path) as tar:
        content = tar.extractfile("usr/local/bin/tool")
        assert content
        assert content.read() == program.read_bytes()


def test_the_same_files_give_the_same_bytes(program: Path, tmp_path: Path) -> None:
    first = images.layer_of_files({"b": program, "a": program}, tmp_path / "1.tar")
    program.touch()
    second = images.layer_of_files({"a": program, "b": program}, tmp_path / "2.tar")
    assert first.digest == second.digest


def test_a_layer_of_a_root_keeps_owners_modes_links_and_attributes(
    root: Path, tmp_path: Path
) -> None:
    layer = images.layer_of_root(root, tmp_path / "layer.tar", lambda name: name != "etc/hostname")
    found = entries(layer)
    assert list(found) == [
        *("bin", "etc", "etc/shadow", "usr/bin/perl", "usr/bin/perl5", "usr/bin/ping"),
    ]
    assert (found["etc/shadow"].gid, found["etc/shadow"].mode) == (42, 0o640)
    assert found["bin"].linkname == "usr/bin"
    assert found["usr/bin/perl5"].linkname == "usr/bin/perl"
    assert found["usr/bin/ping"].pax_headers == {"SCHILY.xattr.security.capability": "v2"}
    assert {(info.mtime, info.uname) for info in found.values()} == {(0, "")}
    assert layer.digest == f"sha256:{digest(layer.path.read_bytes())}"


def test_an_archive_names_its_image_by_configuration_and_layers(
    program: Path, tmp_path: Path
) -> None:
    layer = images.layer_of_files({"pause": program}, tmp_path / "layer.tar")
    image = Image("registry.test/pause:3.2", (layer,), "amd64", ("/pause",))
    images.write_archive([image], tmp_path / "image.tar")
    found = members(tmp_path / "image.tar")

    (entry,) = json.loads(found["manifest.json"])
    assert entry["RepoTags"] == ["registry.test/pause:3.2"]
    config_bytes = found[entry["Config"]]
    assert entry["Config"] == f"{digest(config_bytes)}.json"
    config = json.loads(config_bytes)
    assert config["architecture"] == "amd64"
    assert config["config"]["Entrypoint"] == ["/pause"]
    diff_ids = [f"sha256:{digest(found[name])}" for name in entry["Layers"]]
    assert config["rootfs"] == {"type": "layers", "diff_ids": diff_ids}


def test_an_image_without_entrypoint_leaves_the_command_to_the_pod(
    program: Path, tmp_path: Path
) -> None:
    layer = images.layer_of_files({"usr/local/bin/etcd": program}, tmp_path / "layer.tar")
    config = json.loads(Image("etcd:1", (layer,), "amd64").config())["config"]
    assert config["Entrypoint"] is None
    assert "/usr/local/bin" in config["Env"][0].removeprefix("PATH=").split(":")


def test_a_layer_that_images_share_is_in_the_archive_once(
    root: Path, program: Path, tmp_path: Path
) -> None:
    base = images.layer_of_root(root, tmp_path / "base.tar", lambda _: True)
    own = images.layer_of_files({"usr/local/bin/kube-proxy": program}, tmp_path / "own.tar")
    archive = tmp_path / "images.tar"
    images.write_archive(
        [Image("etcd:1", (base,), "amd64"), Image("kube-proxy:1", (base, own), "amd64")], archive
    )
    first, second = json.loads(members(archive)["manifest.json"])
    assert first["Layers"] == second["Layers"][:1]
    assert len(members(archive)) == 5  # 2 layers, 2 configurations, 1 manifest


def test_the_same_images_give_the_same_archive(program: Path, tmp_path: Path) -> None:
    layer = images.layer_of_files({"pause": program}, tmp_path / "layer.tar")
    for name in ("one.tar", "two.tar"):
        images.write_archive([Image("pause:1", (layer,), "amd64")], tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
