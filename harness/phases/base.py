"""What a phase is, and what all phases are given to work with."""

from __future__ import annotations

import functools
import threading
from concurrent import futures
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import process, wait
from harness.errors import InterruptedRunError, raise_all
from harness.events import MachineProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.events import Event
    from harness.interfaces import ClusterAPI, Network, Provider, Transport
    from harness.spec import ClusterPlan, ClusterSecrets, MachinePlan
    from harness.wait import Deadline

TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Site:
    """The parts that phases work with, handed in by `cli`.

    Attributes:
        plan: What shall be.
        secrets: What the machines trust each other by.
        scripts: Machine name → its rendered init script.
        provider: Makes machines.
        network: Where they live.
        transport: Machine name → how to run commands there; cached, one thread per machine.
        forget: Machine name → drops its connection and its host key, because it is made anew.
        api: The cluster's API server.
        check_host: Raises HostError if this host cannot do it.
        report: Takes events.
        others: Machines of the cluster that this run leaves as they are; not in `plan`.
    """

    plan: ClusterPlan
    secrets: ClusterSecrets
    scripts: dict[str, str]
    provider: Provider
    network: Network
    transport: Callable[[str], Transport]
    forget: Callable[[str], None]
    api: ClusterAPI
    check_host: Callable[[], None]
    report: Callable[[Event], None]
    others: frozenset[str] = frozenset()

    def on_all(
        self,
        machines: Iterable[MachinePlan],
        phase: str,
        work: Callable[[MachinePlan], None],
        *,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        """Do something on several machines at once and collect every outcome.

        Args:
            machines: Each gets a thread.
            phase: For the progress that is told.
            work: What is done on each.
            beside: Done once, meanwhile.

        Raises:
            HarnessError: What was raised, if it was one thing.
            ExceptionGroup: What several raised.
        """
        chosen = list(machines)

        def one(machine: MachinePlan) -> None:
            work(machine)
            self.report(MachineProgress(machine.name, phase, "", done=True))

        tasks: list[Callable[[], None]] = [beside]
        tasks += [functools.partial(one, machine) for machine in chosen]
        at_work: list[threading.Event] = []
        with futures.ThreadPoolExecutor(max_workers=len(tasks)) as pool:
            try:
                begun = [pool.submit(_work, task, phase, at_work) for task in tasks]
                # A signal that comes just before a thread begins to wait does not wake it.
                while futures.wait(begun, timeout=TICK_SECONDS).not_done:
                    pass
                # One failure that several threads met is told once.
                raised = dict.fromkeys(future.exception() for future in begun)
            except BaseException:
                process.stop_all()  # the pool waits for its threads, and they for machines
                # It does not know of one that was just being started.
                for ended in at_work:
                    ended.wait()
                raise
        errors = [error for error in raised if error]
        raise_all(errors, f"{phase} failed on {len(errors)} machines")

    def until(
        self,
        condition: Callable[[], str | None],
        *,
        deadline: Deadline,
        phase: str,
        machine: str,
        what: str,
        interval: float = 0.5,
    ) -> None:
        """Wait on one machine, telling the live reason.

        Raises:
            WaitTimeout: With the last reason.
        """
        wait.until(
            condition,
            timeout=deadline.remaining,
            interval=interval,
            what=what,
            on_reason=lambda reason: self.report(MachineProgress(machine, phase, reason)),
        )


def _work(task: Callable[[], None], phase: str, at_work: list[threading.Event]) -> None:
    """Do what one thread does; until it has ended there is an event in `at_work` that is not set.

    Raises:
        InterruptedRunError: If everything is being stopped before it begins.
    """
    ended = threading.Event()
    at_work.append(ended)
    try:
        if process.STOPPING.is_set():
            raise InterruptedRunError(f"{phase} was not begun: everything is being stopped")
        task()
    finally:
        ended.set()


@dataclass(frozen=True, slots=True)
class Phase:
    """One timed, idempotent, named step of bring-up.

    Attributes:
        name: One of kubeadm's own words where it has one.
        timeout_seconds: Its own limit.
        run: Does it, or finds it done; returns a short note for the report.
        diagnose: Says, after a failure, what the machines know about its cause.
    """

    name: str
    timeout_seconds: float
    run: Callable[[Site, Deadline], str]
    diagnose: Callable[[Site], str] = lambda _: ""
