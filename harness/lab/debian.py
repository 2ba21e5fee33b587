"""Gets source packages and small roots from the Debian mirror that this host already uses.

Which mirror that is stands only in the host's own apt configuration, and is read from
there each time.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import process
from harness.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from harness.lab.steps import Work

QUERY_SECONDS = 30.0
DOWNLOAD_SECONDS = 900.0
ROOT_SECONDS = 1200.0
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
UPDATE_HINT = "Run `apt-get update`; the mirror must be one of Debian's."
# What no container needs is half of an essential root; licences stay.
LEAN = (
    *(f"path-exclude=/usr/share/{name}/*" for name in ("doc", "info", "lintian", "locale", "man")),
    "path-include=/usr/share/doc/*/copyright",
)
# Without it `usrmerge` comes in, and with it 50 MB of Perl.
MERGED_USR = "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr"
# Folders that are left empty: filled by the making of the root, or by the runtime.
EMPTIED = (
    "dev", "etc/apt", "proc", "run", "sys", "tmp", "var/cache", "var/lib/apt", "var/log",
)  # fmt: skip
# Copied from this host while the root was made.
LEFT_OUT = frozenset({"etc/hostname", "etc/machine-id", "etc/resolv.conf"})


@dataclass(frozen=True, slots=True)
class Release:
    """This host's system.

    Attributes:
        name: As in os-release, for example ``debian``.
        codename: For example ``bookworm``.
        architecture: As Debian and Go spell it, for example ``amd64``.
    """

    name: str
    codename: str
    architecture: str

    def __str__(self) -> str:
        return f"{self.name}-{self.codename}-{self.architecture}"


def release() -> Release:
    """Say what this host runs; never fails, what is not known is ``unknown``."""
    try:
        fields = platform.freedesktop_os_release()
    except OSError:
        fields = {}
    machine = platform.machine()
    return Release(
        fields.get("ID", "unknown"),
        fields.get("VERSION_CODENAME", "unknown"),
        ARCHITECTURES.get(machine, machine),
    )


def sources(kind: str) -> list[str]:
    """Return the lines of a sources.list for the Debian mirrors of this host.

    Args:
        kind: ``deb`` or ``deb-src``.

    Raises:
        HostError: If apt knows no Debian mirror. Other vendors' sources are left out.
    """
    fields = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)"
    argv = ["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]
    lines = set()
    for row in process.run(argv, timeout=QUERY_SECONDS).stdout.splitlines():
        origin, uri, suite, component, signed_by = row.split("|", 4)
        if origin == "Debian":
            # A field that is not set comes back as it was written.
            key = "" if signed_by.startswith("$(") else f"[signed-by={signed_by}] "
            lines.add(f"{kind} {key}{uri} {suite} {component}")
    if not lines:
        raise HostError("apt on this host knows no package index of Debian", hint=UPDATE_HINT)
    return sorted(lines)


def candidate_versions(packages: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages that apt would install; those it has not are left out."""
    argv = ["apt-cache", "show", "--no-all-versions", *packages]
    found = {}
    name = ""
    for line in process.run(argv, timeout=QUERY_SECONDS, check=False).stdout.splitlines():
        field, _, text = line.partition(": ")
        if field == "Package":
            name = text
        elif field == "Version":
            found[name] = text
    return found


def download_source(package: str, work: Work) -> str:
    """Download a source package into `work.directory`, verified by apt; return its version.

    apt gets a list of sources and directories of its own, so that the host's apt stays as
    it is and no root is needed.

    Raises:
        HostError: If the mirror has no such source package, or cannot be reached.
    """
    listing = work.scratch / "sources.list"
    listing.write_text("\n".join(sources("deb-src")) + "\n", encoding="utf-8")
    (work.scratch / "lists" / "partial").mkdir(parents=True)
    settings = {
        "Dir::Etc::sourcelist": listing,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": work.scratch / "lists",
        "Dir::Cache": work.scratch,
        # apt's own user cannot read below a home directory.
        "APT::Sandbox::User": "root",
        "Acquire::Retries": "3",
    }
    options = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    try:
        work.say("reading the mirror's list of source packages")
        work.run(["apt-get", *options, "update"], timeout=DOWNLOAD_SECONDS)
        work.say(f"downloading the source package {package}")
        argv = ["apt-get", *options, "source", "--download-only", package]
        work.run(argv, timeout=DOWNLOAD_SECONDS, cwd=work.directory)
    except process.ProcessFailed as error:
        message = f"Debian's source package `{package}` cannot be had: {error.finished.tail}"
        hint = "The mirror in the host's apt configuration must carry source packages (deb-src)."
        raise HostError(message, hint=hint) from error
    description = next(work.directory.glob(f"{package}_*.dsc"))
    return description.stem.removeprefix(f"{package}_")


def make_root(packages: Iterable[str], work: Work, *, variant: str = "essential") -> Path:
    """Make a small Debian root with these packages; return it as a tar file in `work.scratch`.

    Raises:
        HostError: If mmdebstrap fails.
    """
    listing = work.scratch / "sources.list"
    listing.write_text("\n".join(sources("deb")) + "\n", encoding="utf-8")
    # Proxies and the like: what the host's apt needs to reach the mirror.
    dump = process.run(["apt-config", "dump"], timeout=QUERY_SECONDS).stdout.splitlines()
    settings = work.scratch / "apt.conf"
    kept = [line for line in dump if line.startswith("Acquire::")]
    settings.write_text("\n".join([*kept, 'Acquire::Retries "3";', ""]), encoding="utf-8")
    root = work.scratch / "root.tar"
    argv = [
        "mmdebstrap",
        f"--variant={variant}",
        "--format=tar",
        MERGED_USR,
        f"--include={','.join(packages)}",
        f"--aptopt={settings}",
        *(f"--dpkgopt={option}" for option in LEAN),
        release().codename,
        root,
        listing,
    ]

    def say(line: str) -> None:
        if line.startswith("I: "):
            work.say(line.removeprefix("I: "))

    work.run(argv, timeout=ROOT_SECONDS, on_line=say)
    return root


def belongs_in_image(name: str) -> bool:
    """Whether an entry of a root, named without a leading slash, belongs in an image."""
    return name not in LEFT_OUT and not name.startswith(tuple(f"{path}/" for path in EMPTIED))
