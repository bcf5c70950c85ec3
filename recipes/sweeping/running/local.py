"""The local executor: runs side by side on this machine's cards, each on its own; on a CPU, JOBS at a time."""

import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common.errors import UserError
from common.process import stop, supervised, terminable
from recipes.catalog.machine import nvidia_cards
from recipes.sweeping.sweep import Plan, Run

POLL_SECONDS = 0.5


@dataclass
class Places:
    """The places that runs can take: cards by their numbers, or so many runs at a time on a CPU. Pure."""

    free: list[str]
    total: int = 0
    most: int = 0
    """Most runs at a time; 0: as many as there are places for."""
    taken: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.total = len(self.free)

    def take(self, waiting: list[Run]) -> tuple[Run, list[str]] | None:
        """Give the first run that fits now its places; None when none does."""
        if self.most and len(self.taken) >= self.most:
            return None
        for run in waiting:
            needed = max(1, run.devices)
            if needed <= len(self.free):
                given, self.free = self.free[:needed], self.free[needed:]
                self.taken[run.id] = given
                return run, given
        return None

    def give_back(self, run: Run) -> None:
        """Free a run's places, lowest number first."""
        self.free = sorted([*self.free, *self.taken.pop(run.id)], key=lambda place: (len(place), place))


def places(plan: Plan, jobs: int) -> Places:
    """Return this machine's places for a plan's runs; UserError when a run needs more cards than there are."""
    on_cards = [run for run in plan.runs if run.devices]
    if not on_cards:
        return Places([str(number) for number in range(max(1, jobs))])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    numbers = [one.strip() for one in visible.split(",") if one.strip()] if visible is not None else None
    found = numbers if numbers is not None else [str(number) for number in range(len(nvidia_cards()))]
    found = found or [str(number) for number in range(max(run.devices for run in on_cards))]  # none seen: as asked for
    too_big = [run.name for run in on_cards if run.devices > len(found)]
    if too_big:
        raise UserError(
            f"{', '.join(too_big)} need more cards than the {len(found)} of this machine",
            "a smaller `gpus:`, or EXECUTOR=slurm or ray on machines that have them",
        )
    return Places(found, most=jobs)


def execute(plan: Plan, ids: list[str], report: Callable[[], None], jobs: int = 0) -> None:
    """Do these runs, as many at a time as there are places; `report` is called all the while."""
    room = places(plan, jobs)
    waiting = [plan.run(id_) for id_ in ids]
    working: dict[str, tuple[Run, subprocess.Popen[bytes]]] = {}
    try:
        with terminable():
            while waiting or working:
                while chosen := room.take(waiting):
                    run, given = chosen
                    waiting.remove(run)
                    variables = environment(run, given, room.total)
                    working[run.id] = (run, supervised(plan.command(run), plan.log(run), {**os.environ, **variables}))
                report()
                time.sleep(POLL_SECONDS)
                for id_, (run, process) in list(working.items()):
                    if process.poll() is not None:
                        stop(process)
                        room.give_back(run)
                        del working[id_]
    finally:
        for _, process in working.values():
            stop(process)
    report()


def environment(run: Run, given: list[str], places: int) -> dict[str, str]:
    """Return the variables that keep a run to its places."""
    if run.devices:
        return {"CUDA_VISIBLE_DEVICES": ",".join(given)}
    threads = max(1, (os.cpu_count() or 1) // places)
    return {"OMP_NUM_THREADS": str(threads)} if places > 1 else {}
