"""How far each run of a sweep is: `state/<id>.json`, and whether what it says is still true of the run's folder."""

import socket
from datetime import UTC, datetime
from pathlib import Path

from common.run_files import read_manifest
from common.sweep_files import DONE, SWEEPS, Plan, Run, State, read_state

RESULTS = {
    "train": "adapter/all_results.json",
    "heldout": "heldout.json",
    "answer": "answers/tuned.jsonl",
    "judge": "metrics.json",
    "general": "general.json",
}
"""Step -> what it leaves in the run's folder."""


def lock_folder(run: Run) -> Path:
    """Return the folder that is held while a run is worked on: one for all sweeps that hold this run."""
    return SWEEPS / ".locks" / run.id


def missing(plan: Plan, run: Run) -> str:
    """Return which results of a run are not in its folder, "" when all are."""
    folder = Path(run.folder)
    if not folder.is_dir():
        return f"{run.folder} is gone"
    wanted = [path for step, path in RESULTS.items() if step in plan.steps]
    if "export" in plan.keep and "export" in plan.steps and "export" in read_manifest(folder).get("steps", {}):
        wanted.append("export/config.json")
    gone = [path for path in wanted if not (folder / path).is_file()]
    return f"{', '.join(gone)} is gone from {run.folder}" if gone else ""


def undone(plan: Plan, run: Run, state: State) -> str:
    """Return why a run that was done is to be done again, "" when it stays done."""
    return "its recipe or its rows have changed" if state.key != run.key else missing(plan, run)


def is_done(plan: Plan, run: Run) -> bool:
    """Tell whether a run is done, with all that it left still there."""
    state = read_state(plan, run)
    return state.state == DONE and not undone(plan, run, state)


def seconds_kept(run: Run, state: State) -> dict[str, float]:
    """Return the seconds of those steps whose results are still in the run's folder."""
    folder = Path(run.folder)
    there = (folder / "manifest.json").is_file()
    return {
        step: seconds
        for step, seconds in state.seconds.items()
        if there and (folder / RESULTS.get(step, "manifest.json")).is_file()
    }


def now() -> str:
    """Return the time as the state files hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def here(cards: str | None) -> str:
    """Return where a run is done: this machine, and the cards that it was given."""
    return socket.gethostname() + (f", gpu {cards}" if cards else "")
