"""The evidence of what happened: one archive with everything that explains a cluster.

Nothing in it is secret: every text and every name goes through `redaction`. What cannot be
had is noted in its place and does not stop the rest. Its size is limited, and so is the time
it takes, whether machines answer or not.
"""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from concurrent import futures
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from harness import exhibits, process
from harness.errors import HarnessError, InterruptedRunError, TransportError, UsageError
from harness.events import Notice
from harness.files import PRIVATE_FILE
from harness.redaction import Redactor
from harness.wait import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.cluster import Cluster
    from harness.exhibits import Exhibit
    from harness.interfaces import MachineState, Reporter

COLLECT_SECONDS = 60.0
ITEM_SECONDS = 20.0
TICK_SECONDS = 0.5
ARCHIVE_BYTES = 32 * 2**20
"""Of all texts together, before they are compressed."""
TEXT_BYTES = 2 * 2**20
LATE = "(could not be had: the time for collecting evidence was over)\n"


def default_file(folder: Path, cluster: str) -> Path:
    """Return a name for a new archive that says whose it is and when it was made."""
    now = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
    return folder / f"{cluster}-evidence-{now}.tar.gz"


def collect(
    cluster: Cluster, out: Path, reporter: Reporter, *, timeout: float = COLLECT_SECONDS
) -> Path:
    """Write the archive.

    Args:
        cluster: May be in any state, or gone.
        out: The archive, 0600; its folder is made if it is missing.
        reporter: Told what is being done.
        timeout: Seconds for all that is asked of anybody, and for taking the secrets out of it.

    Returns:
        `out`.

    Raises:
        UsageError: If there is something at `out` already, or nothing can be.
        InterruptedRunError: If everything is being stopped; no archive is written then.
    """
    reporter.report(Notice(f"Collecting evidence of cluster `{cluster.plan.cluster}`."))
    deadline = Deadline(timeout)
    with _begun(out) as file:
        redact = Redactor(_secrets(cluster))
        texts = _heard(exhibits.of(cluster, _states(cluster, deadline)), deadline, redact)
        folder = out.name.removesuffix(".gz").removesuffix(".tar")
        _write({f"{folder}/{redact(name)}": text for name, text in texts.items()}, file)
    return out


@contextlib.contextmanager
def _begun(out: Path) -> Iterator[BinaryIO]:
    """Open the archive before anybody is asked, and remove it if it does not come to its end.

    Raises:
        UsageError: If it is there already, or cannot be written.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    except OSError as error:
        raise UsageError(
            f"`{out}` cannot be made: {error.strerror}.", hint="Name a file that is new."
        ) from error
    with os.fdopen(descriptor, "wb") as file:
        try:
            yield file
        except BaseException:
            out.unlink()
            raise


def _states(cluster: Cluster, deadline: Deadline) -> dict[str, MachineState] | None:
    """Ask which machines run; None where Vagrant cannot tell."""
    try:
        return cluster.provider.machines(timeout=min(ITEM_SECONDS, deadline.remaining))
    except InterruptedRunError:
        raise
    except HarnessError:
        return None


def _heard(
    witnesses: Sequence[Sequence[Exhibit]], deadline: Deadline, redact: Redactor
) -> dict[str, str]:
    """Ask all witnesses at once; who is not done in time is cut short."""
    names = [exhibit.name for witness in witnesses for exhibit in witness]
    limit = min(TEXT_BYTES, ARCHIVE_BYTES // len(names))
    texts = dict.fromkeys(names, LATE)

    def keep(name: str, text: str) -> None:
        texts[name] = redact(last(text, limit))

    is_cut_short = False
    # A transport is one thread's; the API is asked over the manager's.
    with futures.ThreadPoolExecutor(max_workers=len(witnesses)) as pool:
        jobs = [pool.submit(_hear, witness, keep, deadline, limit) for witness in witnesses]
        try:
            while futures.wait(jobs, timeout=TICK_SECONDS).not_done:
                if deadline.expired and not is_cut_short:
                    is_cut_short = True
                    process.stop_all()
        except BaseException:
            process.stop_all()  # the pool waits for its threads, and they for machines
            raise
    if is_cut_short:
        process.resume()
    for error in filter(None, (job.exception() for job in jobs)):
        if not (is_cut_short and isinstance(error, InterruptedRunError)):
            raise error
    return texts


def _hear(
    witness: Sequence[Exhibit], keep: Callable[[str, str], None], deadline: Deadline, limit: int
) -> None:
    """Ask one witness everything, until it no longer answers or the time is over."""
    for number, exhibit in enumerate(witness):
        if deadline.expired:
            return
        try:
            text = exhibit.ask(min(ITEM_SECONDS, deadline.remaining), limit)
        except InterruptedRunError:
            raise
        except TransportError as error:
            for later in witness[number:]:
                keep(later.name, f"(could not be had: {error})\n")
            return
        except (HarnessError, OSError) as error:
            text = f"(could not be had: {error})\n"
        keep(exhibit.name, text)


def last(text: str, limit: int) -> str:
    """Return the last bytes of a text, from the beginning of a line.

    Not from the middle of one: half a secret is not recognised as one.
    """
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    end = encoded[-limit:].decode(errors="replace")
    return end.partition("\n")[2] or end


def _secrets(cluster: Cluster) -> list[str]:
    """Return what the cluster keeps 0600, but for what everybody may know."""
    folder = cluster.workspace.secrets_dir
    public = {".pub", ".crt"}
    return [path.read_text() for path in sorted(folder.glob("*")) if path.suffix not in public]


def _write(texts: Mapping[str, str], file: BinaryIO) -> None:
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for path, text in texts.items():
            content = text.encode()
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(content), PRIVATE_FILE
            member.mtime = int(datetime.now(tz=UTC).timestamp())
            archive.addfile(member, io.BytesIO(content))
