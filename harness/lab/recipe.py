"""The recipe of this host's own bundle: Kubernetes and etcd from Debian, step by step."""

from __future__ import annotations

import functools
import json
import os
import shutil
import string
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from harness import process
from harness.errors import HostError
from harness.events import Notice
from harness.lab import bundle, debian, images, kubernetes, steps
from harness.lab.images import Image, Layer
from harness.lab.steps import Step, Work

if TYPE_CHECKING:
    from harness.lab.bundle import Bundle
    from harness.lab.steps import OnEvent

LABEL = "bundle"
# For kube-proxy (iptables, conntrack, ipset, kmod), etcd, the pod network (iproute2) and the
# pod-to-pod check (busybox). One root for all, so that containerd stores it once.
ROOT_PACKAGES = ("busybox", "conntrack", "etcd-server", "iproute2", "ipset", "iptables", "kmod")
ON_SCRATCH = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "pause")
NETWORK_IMAGE = "harness/lab-network"
NETWORK_SCRIPT = "lab-network"
NETWORK_MANIFEST = "network.yaml"
NODE_BINARIES = ("kubeadm", "kubelet", "kubectl")
# Whose version the manifest tells: what machines, and the etcd image, get from Debian.
VERSIONED = {
    "containerd_version": "containerd",
    "runc_version": "runc",
    "cni_version": "containernetworking-plugins",
    "etcd_version": "etcd-server",
}
# What the build runs and reads, and the packages that they come from.
PROGRAMS = {
    "apt-get": "apt",
    "gcc": "gcc",
    "go": "golang-go",
    "mmdebstrap": "mmdebstrap",
    "patch": "patch",
    "tar": "tar",
}
FILES = {
    kubernetes.REFLECT2: "golang-github-modern-go-reflect2-dev",
    Path("/usr/include/stdio.h"): "libc6-dev",
}
LIST_SECONDS = 60.0
INDEX = "index.json"
# The stamp of the step that makes the bundle (`plan`).
BUILT_HERE = "bundle.json"


class _Index(TypedDict):
    """What the images step tells the bundle step: names of images, and what is in which file."""

    repository: str
    pause: str
    network: str
    files: dict[str, list[str]]


def build(on_event: OnEvent) -> Bundle:
    """Build this host's bundle, or what is missing of it; return it verified.

    A whole bundle that was not built here is somebody's own, and stays.

    Raises:
        HostError: If this host lacks what it takes, with everything that it lacks, or if a
            step fails.
    """
    target, root = bundle.default_path(), steps.cache_dir() / "build"
    if not (root / BUILT_HERE).exists() and _is_whole(target):
        on_event(Notice(f"The bundle at {target} was brought, not built; it is whole and stays."))
        return bundle.load(target)
    if not (target / bundle.MANIFEST).exists():
        _check_host()
    steps.build(plan(target), root, label=LABEL, on_event=on_event)
    return bundle.load(target)


def _check_host() -> None:
    # Whoever is not root makes the root in a user namespace.
    programs = PROGRAMS if os.geteuid() == 0 else {**PROGRAMS, "newuidmap": "uidmap"}
    missing = [package for program, package in programs.items() if not process.which(program)]
    missing += [package for path, package in FILES.items() if not path.exists()]
    if missing:
        names = ", ".join(missing)
        hint = f"Run `apt-get install {' '.join(missing)}`, or bring a bundle."
        raise HostError(f"building a bundle needs packages that are missing: {names}", hint=hint)


def _is_whole(target: Path) -> bool:
    try:
        bundle.verify(bundle.load(target))
    except HostError:
        return False
    return True


def plan(target: Path) -> list[Step]:
    """Return the steps that end with a bundle at `target`."""
    release = str(debian.release())
    root = {"packages": ROOT_PACKAGES, "options": [debian.MERGED_USR, *debian.LEAN]}
    script, network = _own_text(NETWORK_SCRIPT), _own_text(NETWORK_MANIFEST)
    return [
        Step("source", kubernetes.download, {"release": release}),
        Step("root", _make_root, {"release": release, **root, "emptied": debian.EMPTIED}),
        *_compile_steps(),
        Step(
            "images",
            functools.partial(_write_images, script=script),
            {"script": script, "recipe": 1},
            ("root", "pause", "binaries", "source"),
        ),
        Step(
            "bundle",
            functools.partial(_assemble, network=network),
            {"network": network, "recipe": 1, "format": bundle.FORMAT},
            ("source", "binaries", "images"),
            target,
            _is_whole,
        ),
    ]


def _compile_steps() -> list[Step]:
    go_cache = steps.cache_dir() / "build" / "go"
    go_build = functools.partial(kubernetes.build_commands, go_cache=go_cache)
    go_generate = functools.partial(kubernetes.generate_openapi, go_cache=go_cache)
    patches = [patch.read_text(encoding="utf-8") for patch in kubernetes.patches()]
    flags = {"commands": kubernetes.COMMANDS, "flags": kubernetes.BUILD_FLAGS}
    return [
        Step("tree", kubernetes.unpack, {"recipe": 1, "patches": patches}, ("source",)),
        Step("openapi", go_generate, {"recipe": 1}, ("tree",)),
        Step("pause", kubernetes.build_pause, {"recipe": 1}, ("tree",)),
        Step("binaries", go_build, {**flags, "recipe": 1}, ("source", "tree", "openapi")),
    ]


def _own_text(name: str) -> str:
    return (resources.files("harness.lab") / "files" / name).read_text(encoding="utf-8")


def _make_root(work: Work) -> str:
    """Make the layer that all images on Debian share; its digest is the result."""
    root = debian.make_root(ROOT_PACKAGES, work)
    work.say("writing the layer")
    layer = images.layer_of_root(root, work.directory / "layer.tar", debian.belongs_in_image)
    return layer.digest


def _write_images(work: Work, *, script: str) -> None:
    """Write all images, under the names that this kubeadm asks for."""
    names = _wanted_names(work)
    architecture = debian.release().architecture
    root = Layer(work.needs["root"].directory / "layer.tar", work.needs["root"].result)

    def layer(name: str, files: dict[str, Path]) -> Layer:
        return images.layer_of_files(files, work.scratch / f"{name}.tar")

    def write(name: str, *members: Image) -> None:
        work.say(f"writing {', '.join(image.reference for image in members)}")
        images.write_archive(members, work.directory / f"{name}.tar")

    for name in ON_SCRATCH:
        own = layer(name, {f"usr/local/bin/{name}": _program(work, name)})
        entrypoint = (f"/usr/local/bin/{name}",) if name == "pause" else ()
        write(name, Image(names[name], (own,), architecture, entrypoint))
    proxy = layer("kube-proxy", {"usr/local/bin/kube-proxy": _program(work, "kube-proxy")})
    network = layer("lab-network", _network_files(work, script))
    tag = network.digest.removeprefix("sha256:")[:12]  # a new content never meets an old image
    network_name = f"{NETWORK_IMAGE}:{tag}"
    write(
        "debian",
        Image(names["kube-proxy"], (root, proxy), architecture),
        Image(names["etcd"], (root,), architecture),
        Image(network_name, (root, network), architecture),
    )
    _write_index(work, names, network_name)


def _wanted_names(work: Work) -> dict[str, str]:
    """Ask kubeadm itself which images it wants; return them by their last name."""
    version = kubernetes.upstream_version(work.needs["source"].result)
    words = ["config", "images", "list", f"--kubernetes-version={version}"]
    listing = work.run([_program(work, "kubeadm"), *words], timeout=LIST_SECONDS).stdout
    return {line.rpartition("/")[2].rpartition(":")[0]: line for line in listing.splitlines()}


def _program(work: Work, name: str) -> Path:
    return work.needs["pause" if name == "pause" else "binaries"].directory / name


def _network_files(work: Work, text: str) -> dict[str, Path]:
    script = work.scratch / NETWORK_SCRIPT
    script.write_text(text, encoding="utf-8")
    return {
        "usr/local/bin/kubectl": _program(work, "kubectl"),
        f"usr/local/bin/{NETWORK_SCRIPT}": script,
    }


def _write_index(work: Work, names: dict[str, str], network_name: str) -> None:
    index: _Index = {
        "repository": names["kube-apiserver"].rpartition("/")[0],
        "pause": names["pause"],
        "network": network_name,
        "files": {
            **{f"{name}.tar": [names[name]] for name in ON_SCRATCH},
            "debian.tar": [names["kube-proxy"], names["etcd"], network_name],
        },
    }
    (work.directory / INDEX).write_text(json.dumps(index), encoding="utf-8")


def _assemble(work: Work, *, network: str) -> None:
    """Put the bundle together, its manifest last."""
    images_step = work.needs["images"].directory
    index: _Index = json.loads((images_step / INDEX).read_text(encoding="utf-8"))
    for folder in ("bin", "images", "manifests"):
        (work.directory / folder).mkdir()
    work.say("copying")
    for name in NODE_BINARIES:
        shutil.copy2(_program(work, name), work.directory / "bin" / name)
    for name in index["files"]:
        shutil.copy2(images_step / name, work.directory / "images" / name)
    text = string.Template(network).substitute(image=index["network"])
    (work.directory / bundle.NETWORK).write_text(text, encoding="utf-8")
    bundle.write(_manifest(work, index), work.directory)


def _manifest(work: Work, index: _Index) -> bundle.Manifest:
    version = kubernetes.upstream_version(work.needs["source"].result)
    packages = debian.candidate_versions(list(VERSIONED.values()))
    described = functools.partial(bundle.describe, work.directory)
    return bundle.Manifest.model_validate(
        {
            "format": bundle.FORMAT,
            "architecture": debian.release().architecture,
            "kubernetes_version": version,
            **{name: packages.get(package, "") for name, package in VERSIONED.items()},
            "image_repository": index["repository"],
            "pause_image": index["pause"],
            "verify_image": index["network"],
            "has_dns": False,
            "has_crictl": False,
            "binaries": [described(path).model_dump() for path in bundle.BINARIES],
            "images": [
                {**described(f"images/{name}").model_dump(), "references": names}
                for name, names in index["files"].items()
            ],
            "manifests": [described(bundle.NETWORK).model_dump()],
            "packages": [],
        }
    )
