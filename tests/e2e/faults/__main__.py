"""The fault matrix on real machines: each fault in each phase, once.

    sudo .venv/bin/python -m tests.e2e.faults [CELL…] [--into FILE] [--jobs N]
    python -m tests.e2e.faults --list

A cell is `PHASE:FAULT`; without any, all that make sense are tried. One cluster goes through all
cells of a fault (`cells.rows`). Every trial is written to FILE as a line of JSON once its row has
ended, and a cell that FILE says was good is not tried again: a matrix that was interrupted goes
on. Exit status 1 if a cell is not good.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from concurrent import futures
from dataclasses import asdict
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from tests.e2e import lab as labs
from tests.e2e.faults import cells, results, trial
from tests.e2e.faults.cells import Cell
from tests.e2e.faults.trial import Trial
from tests.soak import footprint
from tests.soak.__main__ import commit

if TYPE_CHECKING:
    from collections.abc import Sequence

CELL_SECONDS = 900.0


def listing() -> str:
    """Return every cell, and why those that make no sense do not."""
    return "\n".join(f"{one!s:<32}{one.why_senseless or 'tried'}" for one in cells.ALL)


def try_here(row: Sequence[Cell]) -> list[Trial]:
    """Try a row in this process, which becomes the parent of all that it leaves running."""
    footprint.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        os.environ["TMPDIR"] = folder
        return trial.run(row, commit(), Path(folder))


def try_apart(row: Sequence[Cell], worker: str) -> list[Trial]:
    """Try a row in a process of its own, so that nothing of it is taken for another's.

    Args:
        row: Of which one cluster goes through all.
        worker: Tells its cluster from those that are made at the same time.

    Raises:
        KeyboardInterrupt: If it was interrupted there; its cluster is gone.
    """
    names = list(map(str, row))
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.faults", "--here", *names],
        env={**os.environ, "PYTEST_XDIST_WORKER": worker},
        cwd=labs.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=CELL_SECONDS * len(row),
        check=False,
    )
    if done.returncode == -signal.SIGINT:
        raise KeyboardInterrupt
    if done.returncode != 0:
        why = f"the trial itself failed:\n{done.stderr}"
        return [Trial(name, commit(), failure=why) for name in names]
    return [Trial(**made) for made in json.loads(done.stdout)]


def try_all(wanted: list[Cell], into: Path, jobs: int) -> None:
    """Try cells, some rows at once; keep and print each row as it ends."""
    workers: SimpleQueue[str] = SimpleQueue()
    for number in range(jobs):
        workers.put(f"{labs.WORKER or 'gw'}{number}")
    numbers = count(1)

    def one(row: Sequence[Cell]) -> None:
        worker = workers.get()
        try:
            made = try_apart(row, worker)
        finally:
            workers.put(worker)
        for each in made:
            results.append(into, each)
            sys.stdout.write(f"[{next(numbers)}/{len(wanted)}] {results.line(each)}\n")
        sys.stdout.flush()

    with futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        begun = [pool.submit(one, row) for row in cells.rows(wanted)]
        try:
            for done in futures.as_completed(begun):
                done.result()
        except BaseException:  # rows that run come to their end, and no other begins
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def main() -> int:
    """Try what was asked for, and print what is known of all cells."""
    parser = argparse.ArgumentParser(
        prog="tests.e2e.faults", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("cells", nargs="*", type=Cell.of, metavar="CELL")
    parser.add_argument("--into", type=Path, default=Path("faults.jsonl"), metavar="FILE")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at once")
    parser.add_argument("--list", action="store_true", help="show the cells and try none")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.list:
        sys.stdout.write(f"{listing()}\n")
        return 0
    if asked.here:
        sys.stdout.write(json.dumps([asdict(made) for made in try_here(asked.cells)]))
        return 0
    wanted = asked.cells or list(cells.SENSIBLE)
    good = {one.cell for one in results.load(asked.into) if one.is_good}
    try_all([cell for cell in wanted if str(cell) not in good], asked.into, asked.jobs)
    known = results.load(asked.into)
    sys.stdout.write(f"\n{results.report(known)}\n")
    latest = {one.cell: one for one in known}
    return 0 if all(str(cell) in latest and latest[str(cell)].is_good for cell in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
