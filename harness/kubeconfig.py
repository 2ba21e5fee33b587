"""The user's kubeconfig: one context per cluster, written whole, under kubectl's lock, 0600."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import filelock
import yaml

from harness.errors import HostError, raise_all
from harness.files import PRIVATE_FILE, write_atomically
from harness.spec import MACHINE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LOCK_SECONDS = 10.0
SECTIONS = ("clusters", "contexts", "users")

Config = dict[str, Any]


def context_name(cluster: str) -> str:
    """Name the context, the cluster and the user of a cluster, so that they can be told apart."""
    return f"{MACHINE_PREFIX}-{cluster}"


def export(admin_conf: str, *, cluster: str, server: str) -> str:
    """Return kubeadm's admin.conf with another address and names of its own.

    Args:
        admin_conf: Text of /etc/kubernetes/admin.conf.
        cluster: KubeClusterID.
        server: URL at which the API server is reached.
    """
    admin: Config = yaml.safe_load(admin_conf)
    name = context_name(cluster)
    config: Config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {**admin["clusters"][0]["cluster"], "server": server}}
        ],
        "users": [{"name": name, "user": admin["users"][0]["user"]}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(config, sort_keys=False)


def merge(file: Path, exported: str) -> None:
    """Put an exported configuration into a kubeconfig, in place of what has its names.

    Raises:
        HostError: If the file is no kubeconfig, or somebody else holds it.
    """
    new: Config = yaml.safe_load(exported)
    with _locked(file):
        config = _read(file)
        for section in SECTIONS:
            config[section] = [*_others(config, section, new["current-context"]), *new[section]]
        config["current-context"] = new["current-context"]
        _write(file, config)


def forget(file: Path, cluster: str) -> bool:
    """Take a cluster out of a kubeconfig again; a file without it stays untouched.

    Returns:
        Whether the file was written.

    Raises:
        HostError: If the file is no kubeconfig, or somebody else holds it.
    """
    name = context_name(cluster)
    if not file.is_file() or name not in file.read_text(encoding="utf-8"):
        return False
    with _locked(file):
        config = _read(file)
        for section in SECTIONS:
            config[section] = _others(config, section, name)
        if config.get("current-context") == name:
            config["current-context"] = ""
        _write(file, config)
    return True


def forget_all(files: Iterable[Path], cluster: str) -> None:
    """Take a cluster out of every kubeconfig that may have it.

    Raises:
        HostError, ExceptionGroup: Naming those that still have it, and how to go on.
    """
    errors = []
    for file in files:
        try:
            forget(file, cluster)
        except HostError as error:
            left = f"Still there: context {context_name(cluster)} in {file}: {error.message}"
            hint = f"{error.hint} Then run `harness down` again.".lstrip()
            errors.append(HostError(left, hint=hint))
    raise_all(errors, "kubeconfigs that could not be changed")


def _others(config: Config, section: str, name: str) -> list[Config]:
    return [entry for entry in config.get(section) or () if entry.get("name") != name]


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold kubectl's own lock: a file beside the kubeconfig that may be made but once.

    (client-go `tools/clientcmd/config.go`, `lockFile`.)
    """
    lock = filelock.SoftFileLock(f"{file}.lock", timeout=LOCK_SECONDS)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout as error:
        hint = f"Try again; if no kubectl runs, remove {lock.lock_file}."
        raise HostError(f"{file} is being changed by another program.", hint=hint) from error
    except OSError as error:
        raise HostError(f"{file} cannot be written: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


def _read(file: Path) -> Config:
    if not file.is_file():
        return {"apiVersion": "v1", "kind": "Config"}
    try:
        config = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise HostError(f"{file} is no kubeconfig: {error}") from error
    if not isinstance(config, dict):
        raise HostError(f"{file} is no kubeconfig: it holds no mapping")
    return config


def _write(file: Path, config: Config) -> None:
    # A link stays one, and what it leads to is replaced.
    write_atomically(file.resolve(), yaml.safe_dump(config, sort_keys=False), mode=PRIVATE_FILE)
