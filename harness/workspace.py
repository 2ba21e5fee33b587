"""The workspace: what one cluster needs to remember on disk, and the lock that guards it.

It keeps inputs, the plan, keys, logs and timings, and never a copy of machine state:
Vagrant knows which machines exist, the API server knows which nodes are Ready.

    <state>/clusters/<cluster>/
        plan.json  content-hash  completed  timings.json  known_hosts  kubeconfig
        kubeconfigs.json  forward.json
        secrets/   token  ca.crt  ca.key  id_ed25519  id_ed25519.pub      (0700, files 0600)
        vagrant/   Vagrantfile  .vagrant/
        logs/      vagrant.log  <machine>.log  events.jsonl
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import platformdirs
from pydantic import TypeAdapter, ValidationError

from harness import files, pki
from harness.errors import ClusterHeldError, UnreadablePlanError, UsageError
from harness.files import PRIVATE_FILE, PRIVATE_FOLDER, write_atomically
from harness.spec import ClusterPlan, ClusterSecrets

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAN = TypeAdapter(ClusterPlan)


def state_dir() -> Path:
    """Return where clusters are remembered: HARNESS_STATE_DIR, or the user's state folder."""
    if chosen := os.environ.get("HARNESS_STATE_DIR"):
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_state_path("harness")


def clusters(state: Path) -> tuple[str, ...]:
    """Return the names of the clusters that have a workspace, sorted."""
    folder = state / "clusters"
    if not folder.is_dir():
        return ()
    return tuple(sorted(entry.name for entry in folder.iterdir() if entry.is_dir()))


@dataclass(frozen=True, slots=True)
class Workspace:
    """One cluster's folder.

    Attributes:
        root: The folder; it need not exist yet.
        cluster: KubeClusterID.
    """

    root: Path
    cluster: str

    @classmethod
    def of(cls, cluster: str, *, state: Path | None = None) -> Workspace:
        """Return the workspace of a cluster, whether it exists or not.

        Raises:
            UsageError: If the name would lead out of the folder of workspaces.
        """
        if cluster in {"", ".."} or Path(cluster).name != cluster:
            raise UsageError(f"`{cluster}` cannot be the name of a cluster.")
        return cls((state or state_dir()) / "clusters" / cluster, cluster)

    @property
    def vagrant_dir(self) -> Path:
        """Where the Vagrantfile and Vagrant's own records are."""
        return self.root / "vagrant"

    @property
    def logs_dir(self) -> Path:
        """Where everything that was printed by anything is."""
        return self.root / "logs"

    @property
    def secrets_dir(self) -> Path:
        """Where keys are."""
        return self.root / "secrets"

    @property
    def ssh_key(self) -> Path:
        """The cluster's own private key."""
        return self.secrets_dir / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Host keys of this cluster's machines, trusted on first use."""
        return self.root / "known_hosts"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's configuration, as kubeadm wrote it."""
        return self.root / "kubeconfig"

    @property
    def forward(self) -> Path:
        """Process and port of the forward to the API server."""
        return self.root / "forward.json"

    @property
    def exists(self) -> bool:
        """Whether this cluster was ever planned here and not removed since."""
        return (self.root / "plan.json").is_file()

    def save_plan(self, plan: ClusterPlan, *, vagrantfile: str, content_hash: str) -> None:
        """Record what is about to be created, before anything is.

        Until `mark_completed` it is not complete, even if the same plan once was.
        """
        (self.root / "completed").unlink(missing_ok=True)
        self.logs_dir.mkdir(parents=True, exist_ok=True)
        write_atomically(self.vagrant_dir / "Vagrantfile", vagrantfile)
        write_atomically(self.root / "content-hash", content_hash + "\n")
        self._write_plan("plan.json", plan)

    def load_plan(self) -> ClusterPlan | None:
        """Return the recorded plan, or None if there is none.

        Raises:
            UnreadablePlanError: If it is damaged, or not such a plan as this harness makes.
        """
        return self._read_plan("plan.json") if self.exists else None

    def save_committed(self, plan: ClusterPlan) -> None:
        """Record what shall be, whether it has come about or not."""
        self._write_plan("committed.json", plan)

    def load_committed(self) -> ClusterPlan | None:
        """Return what was committed last, or None if nothing was.

        Raises:
            UnreadablePlanError: As `load_plan` does.
        """
        name = "committed.json"
        return self._read_plan(name) if (self.root / name).is_file() else None

    def _read_plan(self, name: str) -> ClusterPlan:
        file = self.root / name
        try:
            return _PLAN.validate_json(file.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            raise UnreadablePlanError(
                f"{file} cannot be read: {first['msg']}; it is damaged, or another harness's.",
                hint=f"`harness down --name {self.cluster}` removes the cluster all the same.",
            ) from error

    def _write_plan(self, name: str, plan: ClusterPlan) -> None:
        # 0600, for it holds what flavors are told: lines of shell, and URLs with passwords.
        text = _PLAN.dump_json(plan, indent=2).decode()
        write_atomically(self.root / name, text, mode=PRIVATE_FILE)

    @property
    def content_hash(self) -> str:
        """Of the recorded plan and the sources it was rendered from; empty if none is."""
        path = self.root / "content-hash"
        return path.read_text().strip() if path.is_file() else ""

    def mark_completed(self) -> None:
        """Record that everything in the recorded plan was done."""
        write_atomically(self.root / "completed", self.content_hash + "\n")
        (self.root / "was-ready").touch()

    @property
    def completed(self) -> bool:
        """Whether the recorded plan, and no other, was brought up to its end."""
        path = self.root / "completed"
        return path.is_file() and path.read_text().strip() == self.content_hash

    @property
    def was_ready(self) -> bool:
        """Whether this cluster has been Ready before, so that somebody may use it."""
        return (self.root / "was-ready").is_file()

    @property
    def last_phase(self) -> str:
        """Name the phase that the last run came to; empty before the first."""
        path = self.root / "timings.json"
        timings = json.loads(path.read_text()) if path.is_file() else []
        return str(timings[-1]["phase"]) if timings else ""

    def secrets(self) -> ClusterSecrets:
        """Return the cluster's secrets, made at the first call and kept until `remove`.

        Raises:
            InvalidInputError: If a file was changed into something that is no secret.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self.secrets_dir.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        self.secrets_dir.chmod(PRIVATE_FOLDER)
        for name, make in pki.MAKERS.items():
            path = self.secrets_dir / name
            if not path.exists():
                for made, text in make(self.cluster).items():
                    write_atomically(self.secrets_dir / made, text, mode=PRIVATE_FILE)
        return pki.load(self.secrets_dir)

    def save_timings(self, timings: list[dict[str, Any]]) -> None:
        """Keep how long each phase of the last run took."""
        write_atomically(self.root / "timings.json", json.dumps(timings, indent=2) + "\n")

    @property
    def kubeconfigs(self) -> tuple[Path, ...]:
        """Users' kubeconfigs that may have this cluster's context, sorted."""
        path = self.root / "kubeconfigs.json"
        return tuple(map(Path, json.loads(path.read_text()))) if path.is_file() else ()

    def note_kubeconfig(self, file: Path) -> None:
        """Record a kubeconfig, before the cluster's context is put into it."""
        files = sorted({str(one) for one in (*self.kubeconfigs, file)})
        write_atomically(self.root / "kubeconfigs.json", json.dumps(files))

    @contextlib.contextmanager
    def hold(self, command: str) -> Iterator[str]:
        """Be the only harness that works on this cluster.

        The lock is the kernel's and goes with its process; so a holder's record that is
        found under it is that of one which was killed.

        Yields:
            Who was killed while it held the cluster; empty if nobody was.

        Raises:
            ClusterHeldError: If another one does; names its command and start time.
        """
        locks = self.root.parent.parent / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        holder = locks / f"{self.cluster}.json"
        lock = filelock.FileLock(locks / f"{self.cluster}.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout as error:
            raise ClusterHeldError(
                f"Cluster `{self.cluster}` is held by {_describe(holder)}.",
                hint="Wait for it to end, or stop it; the lock goes with its process.",
            ) from error
        try:
            now = datetime.now(tz=UTC).isoformat(timespec="seconds")
            record = {"command": command, "pid": os.getpid(), "since": now}
            killed = _describe(holder) if holder.exists() else ""
            write_atomically(holder, json.dumps(record))
            yield killed
        finally:
            holder.unlink(missing_ok=True)
            lock.release()

    def remove(self) -> None:
        """Forget the cluster: keys, plan, logs, everything.

        Raises:
            HostError: Naming what is still there, and how to remove it.
        """
        files.remove_folder(self.root)

    def give_to_caller(self) -> None:
        """Hand the cluster's files to the user who called through sudo, as they are that user's."""
        uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
        state = self.root.parent.parent
        if os.geteuid() != 0 or uid is None or gid is None:
            return
        own = [
            Path(folder, name)
            for folder, folders, names in os.walk(self.root)
            for name in (*folders, *names)
        ]
        locks = (state / "locks").glob(f"{self.cluster}.*")
        for path in (state, *state.glob("*"), *locks, self.root, *own):
            with contextlib.suppress(FileNotFoundError):  # removed by another harness meanwhile
                os.chown(path, int(uid), int(gid), follow_symlinks=False)


def _describe(holder: Path) -> str:
    try:
        record = json.loads(holder.read_text())
    except (OSError, ValueError):
        return "another harness"
    return f"`{record['command']}` (process {record['pid']}, since {record['since']})"
