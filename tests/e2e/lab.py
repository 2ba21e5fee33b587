"""What the tests on real machines share: the command line, the groups, a look from outside."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
UP_SECONDS = 400.0
# Far more than it takes, and less than LXC waits for a machine that does not want to end.
DOWN_SECONDS = 60.0
# From an interruption to the end of a harness.
END_SECONDS = 30.0
# Leftovers are looked for by what only a lab makes, so that other work on the host may go on.
PROCESSES = ("lxc-start", "vagrant", "harness.lab.forward", "dnsmasq", "libvirtd", "qemu-system")
# By these files of /proc, and its working directory, a process tells whose it is.
MARKS = ("cmdline", "environ", "cgroup")
# What all clusters of a host share, and the last one takes away.
SHARED = re.compile(r"/run/netns|/sys/fs/cgroup/[^/]+/lxc\.pivot")
# pytest-xdist's name for this process, if it is one of several; part of its folders' paths, and
# of its clusters' ids.
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
SUFFIX = f"-{WORKER}" if WORKER else ""
NAMES = ("ip-192.168.2.200", "ip-192.168.2.2", "ip-192.168.2.3", "ip-192.168.2.4")


@dataclass(frozen=True)
class Finished:
    """How the harness ended.

    Attributes:
        status: Its exit code.
        stdout: What it printed for programs.
        stderr: What it printed for people.
        peak_mib: Its own largest resident size, without the programs that it ran.
        descriptors: How many files it had open when it was last looked at.
    """

    status: int
    stdout: str
    stderr: str
    peak_mib: float
    descriptors: int


class Watcher(threading.Thread):
    """Looks at a process's high-water mark and open files until it ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._folder = Path(f"/proc/{pid}")
        self.peak_mib = 0.0
        self.descriptors = 0

    def run(self) -> None:
        status, descriptors = self._folder / "status", self._folder / "fd"
        with contextlib.suppress(OSError, KeyError):  # it ended
            while True:
                fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
                self.peak_mib = int(fields["VmHWM"].split()[0]) / 1024
                self.descriptors = sum(1 for _ in descriptors.iterdir())
                time.sleep(0.2)  # noqa: TID251 - a sample, not a wait


@dataclass(frozen=True)
class Lab:
    """The command line with a state folder and a cluster id of its own.

    Attributes:
        state: HARNESS_STATE_DIR.
        groups: The walkthrough's group files under another KubeClusterID.
        cluster: That id.
    """

    state: Path
    groups: tuple[Path, ...]
    cluster: str

    @property
    def workspace(self) -> Path:
        return self.state / "clusters" / self.cluster

    def start(self, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """Start the harness in a process group of its own, as a shell does."""
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *words],
            env={**os.environ, "HARNESS_STATE_DIR": str(self.state), "PYTHONPATH": str(ROOT)},
            cwd="/",  # it works from any folder
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    @contextlib.contextmanager
    def running(
        self, *words: str, stdin: int = subprocess.DEVNULL
    ) -> Iterator[subprocess.Popen[str]]:
        """Start the harness, and interrupt it if it still runs at the end of the block."""
        with self.start(*words, stdin=stdin) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGINT)
                    process.communicate(timeout=END_SECONDS)

    def run(self, *words: str, timeout: float = 60.0, stdin: str = "") -> Finished:
        """Run the harness to its end; a harness that takes too long is a failure."""
        with self.running(*words, stdin=subprocess.PIPE) as process:
            watcher = Watcher(process.pid)
            watcher.start()
            try:
                stdout, stderr = process.communicate(stdin, timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGINT)
                stdout, stderr = process.communicate(timeout=END_SECONDS)
                message = f"harness {words} took more than {timeout} s\n{stdout}\n{stderr}"
                raise AssertionError(message) from None
        return Finished(process.returncode, stdout, stderr, watcher.peak_mib, watcher.descriptors)

    def up(self) -> Finished:
        return self.run("up", *map(str, self.groups), timeout=UP_SECONDS)

    def down(self) -> Finished:
        return self.run("down", "--name", self.cluster, timeout=DOWN_SECONDS)

    def named(self, command: str, *words: str, timeout: float = 60.0, stdin: str = "") -> Finished:
        """Run a command about this cluster."""
        return self.run(command, "--name", self.cluster, *words, timeout=timeout, stdin=stdin)

    def events(self) -> list[dict[str, Any]]:
        file = self.workspace / "logs" / "events.jsonl"
        if not file.is_file():
            return []
        # The last line may be half written.
        return [json.loads(line) for line in file.read_text().split("\n")[:-1]]

    def ready_nodes(self) -> set[str]:
        """Ask kubectl, not the harness, which nodes are Ready."""
        answer = self.named("kubectl", "get", "nodes", "--output=json")
        assert answer.status == 0, answer.stderr
        return ready(json.loads(answer.stdout))


def ready(nodes: dict[str, Any]) -> set[str]:
    """Return which nodes are Ready of what `kubectl get nodes --output=json` prints."""
    return {
        node["metadata"]["name"]
        for node in nodes["items"]
        for condition in node["status"]["conditions"]
        if (condition["type"], condition["status"]) == ("Ready", "True")
    }


def write_groups(folder: Path, cluster: str, workers: int) -> tuple[Path, ...]:
    """Write the walkthrough's groups under another KubeClusterID, with so many workers."""
    files = []
    for name in ("groups-manager.json", "groups-worker.json"):
        group = json.loads((ROOT / "groups" / name).read_text())
        properties = group["Properties"]["Properties"]["Flavor"]["Properties"]
        properties["KubeClusterID"] = cluster
        if "Size" in (allocation := group["Properties"]["Properties"]["Allocation"]):
            allocation["Size"] = workers
        script = (ROOT / "groups" / properties["InitScriptTemplateURL"]).resolve()
        properties["InitScriptTemplateURL"] = str(script)
        file = folder / name
        file.write_text(json.dumps(group))
        files.append(file)
    return tuple(files)


def seen() -> dict[str, set[str]]:
    """Look at this host from outside: machines, namespaces, mounts, links, processes.

    What another worker of this test run has there is left out, and as long as it has
    anything there, also what all clusters share and the last one takes away.
    """
    shared = {
        "mounts": {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()},
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob("*/lxc*")},
    }
    # After what is shared: who has begun to need that is here by now.
    found = {
        **shared,
        "machines": set(_output("lxc-ls", "-1").split()),
        "namespaces": {line.split()[0] for line in _output("ip", "netns").splitlines()},
        "links": set(_output("ip", "-o", "link").splitlines()),
        "processes": set(processes()),
    }
    ours = {
        kind: {name for name in names if not is_anothers(name)} for kind, names in found.items()
    }
    if ours != found:
        ours = {
            kind: {name for name in names if not SHARED.fullmatch(name)}
            for kind, names in ours.items()
        }
    return ours


def is_anothers(name: str) -> bool:
    """Whether a cluster, or a path of its state, is that of another pytest-xdist worker."""
    named = re.findall(r"\bgw[0-9]+\b", name)
    return bool(WORKER) and any(worker != WORKER for worker in named)


def processes(proc: Path = Path("/proc")) -> list[str]:
    """Return the processes that a lab may have left, but not those of another worker's lab.

    Whose a process inside of a machine is, such as ``sshd: vagrant [priv]``, its cgroup alone
    tells: ``/lxc.payload.harness-CLUSTER-MACHINE/…``.
    """
    found = []
    for entry in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if any(name in command for name in PROCESSES) and "pytest" not in command:
                told = [(entry / mark).read_text(errors="replace") for mark in MARKS]
                if not is_anothers(" ".join([str((entry / "cwd").readlink()), *told])):
                    found.append(f"{entry.name} {command}")
    return found


def new_since(before: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return what is on this host now and was not before."""
    now = seen()
    return {kind: extra for kind in now if (extra := now[kind] - before[kind])}


def _output(*argv: str) -> str:
    if shutil.which(argv[0]) is None:
        return ""
    return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True).stdout


def wait_for(
    what: str, condition: Callable[[], bool], timeout: float, interval: float = 0.05
) -> None:
    """Wait until a condition holds; tests on real machines cannot do without."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(interval)  # noqa: TID251 - nothing here can be told to hurry
