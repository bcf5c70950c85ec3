"""The local executor: runs side by side on this machine's cards, each on its own; on a CPU, JOBS at a time."""

import os
import subprocess
import time
from collections.abc import Callable

from common.errors import UserError
from common.process import stop, supervised, terminable
from common.sweep_files import Plan, Run
from recipes.catalog.machine import nvidia_cards

POLL_SECONDS = 0.5


def take(waiting: list[Run], free: list[str]) -> tuple[Run, list[str]] | None:
    """Give the first run that fits now its places, lowest numbers first; None when none does."""
    for run in waiting:
        if (needed := max(1, run.devices)) <= len(free):
            waiting.remove(run)
            given = sorted(free, key=lambda place: (len(place), place))[:needed]
            free[:] = [place for place in free if place not in given]
            return run, given
    return None


def places(runs: list[Run], jobs: int) -> list[str]:
    """Return the places that runs can take: this machine's cards by their numbers, or so many on a CPU.

    UserError when a run needs more cards than there are.
    """
    most = max((run.devices for run in runs), default=0)
    if not most:
        return [str(number) for number in range(max(1, jobs))]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    own = map(str, range(len(nvidia_cards()))) if visible is None else map(str.strip, visible.split(","))
    found = list(filter(None, own)) or [str(number) for number in range(most)]  # none seen: as asked for
    if too_big := [run.name for run in runs if run.devices > len(found)]:
        way_out = "a smaller `gpus:`, or EXECUTOR=slurm or ray on machines that have them"
        raise UserError(f"{', '.join(too_big)} need more cards than the {len(found)} of this machine", way_out)
    return found


def execute(plan: Plan, runs: list[Run], report: Callable[[], None], jobs: int = 0) -> None:
    """Do these runs, as many at a time as there are places; `report` is called all the while."""
    waiting, free = list(runs), places(runs, jobs)
    total = len(free)
    working: list[tuple[subprocess.Popen[bytes], list[str]]] = []
    try:
        with terminable():
            while waiting or working:
                while (not jobs or len(working) < jobs) and (chosen := take(waiting, free)):
                    run, given = chosen
                    variables = {**os.environ, **environment(run, given, total)}
                    working.append((supervised(plan.command(run), plan.log(run), variables), given))
                report()
                time.sleep(POLL_SECONDS)
                for entry in [entry for entry in working if entry[0].poll() is not None]:
                    stop(entry[0])
                    free += entry[1]
                    working.remove(entry)
    finally:
        for process, _ in working:
            stop(process)
    report()


def environment(run: Run, given: list[str], places: int) -> dict[str, str]:
    """Return the variables that keep a run to its places."""
    if run.devices:
        return {"CUDA_VISIBLE_DEVICES": ",".join(given)}
    threads = max(1, (os.cpu_count() or 1) // places)
    return {"OMP_NUM_THREADS": str(threads)} if places > 1 else {}
