"""The fault matrix on real machines: each fault in each phase, once.

    sudo .venv/bin/python -m tests.e2e.faults [CELL…] [--into FILE] [--jobs N]
    python -m tests.e2e.faults --list

A cell is `PHASE:FAULT`; without any, all that make sense are tried. Every trial is written to
FILE at once, as a line of JSON, and a cell that FILE says was good is not tried again: a matrix
that was interrupted goes on. Exit status 1 if a cell is not good.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent import futures
from dataclasses import asdict
from itertools import count
from pathlib import Path
from queue import SimpleQueue

from tests.e2e import lab as labs
from tests.e2e.faults import cells, results, trial
from tests.e2e.faults.cells import Cell
from tests.e2e.faults.trial import Trial
from tests.soak import footprint
from tests.soak.__main__ import commit

TRIAL_SECONDS = 1200.0


def listing() -> str:
    """Return every cell, and why those that make no sense do not."""
    return "\n".join(f"{one!s:<32}{one.why_senseless or 'tried'}" for one in cells.ALL)


def try_here(cell: Cell) -> Trial:
    """Try a cell in this process, which becomes the parent of all that it leaves running."""
    footprint.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="fault-") as folder:
        os.environ["TMPDIR"] = folder
        return trial.run(cell, commit(), Path(folder))


def try_apart(cell: Cell, worker: str) -> Trial:
    """Try a cell in a process of its own, so that nothing of it is taken for another's.

    Args:
        cell: Which.
        worker: Tells its cluster from those that are made at the same time.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.faults", "--here", str(cell)],
        env={**os.environ, "PYTEST_XDIST_WORKER": worker},
        cwd=labs.ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TRIAL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        return Trial(str(cell), commit(), failure=f"the trial itself failed:\n{done.stderr}")
    return Trial(**json.loads(done.stdout))


def try_all(chosen: list[Cell], into: Path, jobs: int) -> None:
    """Try cells, some at once; keep and print each as it ends."""
    workers: SimpleQueue[str] = SimpleQueue()
    for number in range(jobs):
        workers.put(f"{labs.WORKER or 'gw'}{number}")
    numbers = count(1)

    def one(cell: Cell) -> None:
        worker = workers.get()
        try:
            made = try_apart(cell, worker)
        finally:
            workers.put(worker)
        results.append(into, made)
        sys.stdout.write(f"[{next(numbers)}/{len(chosen)}] {results.line(made)}\n")
        sys.stdout.flush()

    with futures.ThreadPoolExecutor(max_workers=jobs) as pool:
        for done in [pool.submit(one, cell) for cell in chosen]:
            done.result()


def main() -> int:
    """Try what was asked for, and print what is known of all cells."""
    parser = argparse.ArgumentParser(
        prog="tests.e2e.faults", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("cells", nargs="*", type=Cell.of, metavar="CELL")
    parser.add_argument("--into", type=Path, default=Path("faults.jsonl"), metavar="FILE")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="so many at once")
    parser.add_argument("--list", action="store_true", help="show the cells and try none")
    parser.add_argument("--here", type=Cell.of, metavar="CELL", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.list:
        sys.stdout.write(f"{listing()}\n")
        return 0
    if asked.here:
        sys.stdout.write(json.dumps(asdict(try_here(asked.here))))
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
