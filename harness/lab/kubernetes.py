"""Builds Kubernetes from Debian's source package with Debian's Go.

Debian builds only kubectl of it. Every trap is told where it is met; the whole story is in
the lab's notes (`docs/decisions`).
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import HostError
from harness.lab import debian

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.lab.steps import Work

SOURCE_PACKAGE = "kubernetes"
COMMANDS = (
    "kubeadm",
    "kubelet",
    "kubectl",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)
REFLECT2 = Path("/usr/share/gocode/src/github.com/modern-go/reflect2")
PATCHES = Path(__file__).parent / "files" / "kubernetes"
IMPORT_PATH = "k8s.io/kubernetes"
OPENAPI = "pkg/generated/openapi"
OPENAPI_MARK = b"+k8s:openapi-gen="
# The generators' own examples and texts carry the mark too.
OPENAPI_NOT = ("k8s.io/kube-openapi/", "k8s.io/code-generator/")
VERSION_VARIABLES = f"{IMPORT_PATH}/vendor/k8s.io/component-base/version"
BUILD_FLAGS = ("-trimpath", "-v")
UNPACK_SECONDS = 300.0
GENERATE_SECONDS = 900.0
BUILD_SECONDS = 3600.0
COMPILE_SECONDS = 60.0
PROGRESS_PARTS = 20


def download(work: Work) -> str:
    """Download the source package; its version is the result."""
    return debian.download_source(SOURCE_PACKAGE, work)


def upstream_version(debian_version: str) -> str:
    """Return Kubernetes' own version: ``1.20.5+really1.20.2-1.1+deb12u1`` is ``v1.20.2``."""
    upstream = debian_version.rpartition("-")[0]
    found = re.fullmatch(r"(?:.*\+really)?(\d+\.\d+\.\d+)", upstream)
    if not found:
        raise HostError(f"cannot tell Kubernetes' version from Debian's `{debian_version}`")
    return f"v{found[1]}"


def unpack(work: Work) -> None:
    """Unpack the source as a GOPATH, and make it fit the Go of today.

    Module mode fails with Go ≥ 1.16 ("updates to go.mod needed"), hence the GOPATH.
    The vendored reflect2 makes every binary panic when it is built by Go ≥ 1.18, hence
    Debian's newer one in its place.
    """
    archive = next(work.needs["source"].directory.glob(f"{SOURCE_PACKAGE}_*.orig.tar.*"))
    tree = _tree(work.directory)
    tree.mkdir(parents=True)
    work.say(f"unpacking {archive.name}")
    options = ["--strip-components=1", "--no-same-owner"]
    work.run(["tar", "-xf", archive, "-C", tree, *options], timeout=UNPACK_SECONDS)
    vendored = tree / "vendor/github.com/modern-go/reflect2"
    for old in _go_sources(vendored):
        old.unlink()
    for new in _go_sources(REFLECT2):
        if not new.name.endswith("_test.go"):
            shutil.copyfile(new, vendored / new.name)
    for patch in patches():
        work.say(f"applying {patch.name}")
        work.run(["patch", "--strip=1", "--input", patch], timeout=UNPACK_SECONDS, cwd=tree)


def patches() -> list[Path]:
    """Return our changes to the source; each says why at its top."""
    return sorted(PATCHES.glob("*.patch"))


def _go_sources(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix in {".go", ".s"}]


def _tree(gopath: Path) -> Path:
    return gopath / "src" / IMPORT_PATH


def generate_openapi(work: Work, *, go_cache: Path) -> None:
    """Generate the one Go file that kube-apiserver needs and the source does not carry."""
    tree = _tree(work.needs["tree"].directory)
    generator = work.scratch / "openapi-gen"
    work.say("building openapi-gen")
    package = "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"
    arguments = ["build", "-trimpath", "-o", generator, package]
    _go(work, arguments, go_cache=go_cache, timeout=GENERATE_SECONDS)
    packages = marked_packages(tree)
    work.say(f"describing the API of {len(packages)} packages")
    argv = [
        generator,
        *("-h", "hack/boilerplate/boilerplate.generatego.txt"),
        *("-O", "zz_generated.openapi"),
        *("-p", f"{IMPORT_PATH}/{OPENAPI}"),
        *("-r", work.scratch / "violations"),
        *("-i", ",".join(packages)),
        *("-o", work.directory),
    ]
    # The generator reads Go's own sources, and -trimpath made it forget where they are
    # ("Unsupported" types otherwise).
    root = _go(work, ["env", "GOROOT"], go_cache=go_cache, timeout=GENERATE_SECONDS).strip()
    env = {**_go_environment(work, go_cache), "GOROOT": root}
    work.run(argv, timeout=GENERATE_SECONDS, env=env, cwd=tree)


def marked_packages(tree: Path) -> list[str]:
    """Return the import paths of the packages whose API is to be described.

    Those in the staging area are spelled as vendored, as the compiler sees them.
    """
    folders = set()
    for area in ("pkg", "staging/src/k8s.io"):
        for file in (tree / area).rglob("*.go"):
            name = file.relative_to(tree).as_posix().replace("staging/src/", "vendor/")
            if not any(part in name for part in OPENAPI_NOT) and OPENAPI_MARK in file.read_bytes():
                folders.add(f"{IMPORT_PATH}/{name.rpartition('/')[0]}")
    return sorted(folders)


def build_commands(work: Work, *, go_cache: Path) -> None:
    """Compile and link all commands; what was compiled once is never compiled again."""
    tree = _tree(work.needs["tree"].directory)
    generated = f"{OPENAPI}/zz_generated.openapi.go"
    overlay = work.scratch / "overlay.json"
    # The tree is another step's output and stays as it is.
    replace = {
        str(tree / generated): str(work.needs["openapi"].directory / IMPORT_PATH / generated)
    }
    overlay.write_text(json.dumps({"Replace": replace}), encoding="utf-8")
    targets = [f"./cmd/{command}" for command in COMMANDS]
    listing = _go(work, ["list", "-deps", *targets], go_cache=go_cache, timeout=GENERATE_SECONDS)
    arguments = [
        "build",
        *BUILD_FLAGS,
        f"-overlay={overlay}",
        f"-ldflags={linker_flags(work.needs['source'].result)}",
        f"-o={work.directory}/",
        *targets,
    ]
    on_line = progress(work.say, len(listing.splitlines()))
    _go(work, arguments, go_cache=go_cache, timeout=BUILD_SECONDS, on_line=on_line)


def linker_flags(debian_version: str) -> str:
    """Return the linker's flags: no symbols, and the version for `--version` to tell.

    Without ``kubernetes/vendor/`` in the variables' path the version stays `v0.0.0-master`.
    """
    version = upstream_version(debian_version)
    major, minor, _ = version.removeprefix("v").split(".")
    variables = {
        "gitVersion": version,
        "gitMajor": major,
        "gitMinor": minor,
        "gitTreeState": "archive",
        "gitCommit": debian_version,
    }
    words = [f"-X {VERSION_VARIABLES}.{name}={text}" for name, text in variables.items()]
    return " ".join(["-s", "-w", *words])


def progress(say: Callable[[str], None], total: int) -> Callable[[str], None]:
    """Return what counts lines, one for each package, and tells every twentieth part."""
    counted = 0

    def line(_: str) -> None:
        nonlocal counted
        counted += 1
        if counted % max(1, total // PROGRESS_PARTS) == 0:
            say(f"compiled {counted} of at most {total} packages")

    return line


def build_pause(work: Work) -> None:
    """Compile the program that holds a pod's namespaces: one C file."""
    tree = _tree(work.needs["tree"].directory)
    source = tree / "build/pause/linux/pause.c"
    argv = ["gcc", "-static", "-Os", "-s", "-o", work.directory / "pause", source]
    work.run(argv, timeout=COMPILE_SECONDS)


def _go(
    work: Work,
    arguments: Sequence[object],
    *,
    go_cache: Path,
    timeout: float,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run Go in the unpacked tree, behind whatever else the host does; return its output."""
    return work.run(
        ["nice", "-n", "10", "go", *arguments],
        timeout=timeout,
        env=_go_environment(work, go_cache),
        cwd=_tree(work.needs["tree"].directory),
        on_line=on_line,
    ).stdout


def _go_environment(work: Work, go_cache: Path) -> dict[str, str]:
    """Return an environment in which nothing of the user's own Go settings counts."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(work.scratch),
        "GOPATH": str(work.needs["tree"].directory),
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
        "GOCACHE": str(go_cache),
        "GOTMPDIR": str(work.scratch),
        "GOENV": "off",
        "GOPROXY": "off",
    }
