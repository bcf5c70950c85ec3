"""How far each run of a sweep is: `state/<id>.json`, and whether what it says is still true of the run's folder."""

import socket
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from common.files import read_json, write_json
from common.lease import is_leased
from common.process import is_held
from common.run_files import DONE, State
from recipes.run import manifest_of
from recipes.sweeping.sweep import SWEEPS, Plan, Run

RESULTS = {
    "train": "adapter/all_results.json",
    "heldout": "heldout.json",
    "answer": "answers/tuned.jsonl",
    "judge": "metrics.json",
}
"""Step -> what it leaves in the run's folder."""


def path_of(plan: Plan, run: Run) -> Path:
    """Return the file of a run's state."""
    return plan.folder / "state" / f"{run.id}.json"


def read(plan: Plan, run: Run) -> State:
    """Return a run's state; a new one when there is no file, or none that can be read."""
    try:
        content: dict[str, Any] = read_json(path_of(plan, run))
    except (FileNotFoundError, orjson.JSONDecodeError):
        return State()
    known = {item.name for item in fields(State)}
    return State(**{key: value for key, value in content.items() if key in known})


def write(plan: Plan, run: Run, state: State) -> None:
    """Write a run's state."""
    write_json(path_of(plan, run), asdict(state))


def lock_folder(run: Run) -> Path:
    """Return the folder that is held while a run is worked on: one for all sweeps that hold this run."""
    return SWEEPS / ".locks" / run.id


def is_alive(run: Run) -> bool:
    """Tell whether a process works on a run."""
    return is_held(lock_folder(run)) or is_leased(lock_folder(run))


def missing(plan: Plan, run: Run) -> str:
    """Return which results of a run are not in its folder, "" when all are."""
    folder = Path(run.folder)
    if not folder.is_dir():
        return f"{run.folder} is gone"
    wanted = [path for step, path in RESULTS.items() if step in plan.steps]
    if "export" in plan.keep and "export" in plan.steps and "export" in manifest_of(folder).get("steps", {}):
        wanted.append("export/config.json")
    gone = [path for path in wanted if not (folder / path).is_file()]
    return f"{', '.join(gone)} is gone from {run.folder}" if gone else ""


def undone(plan: Plan, run: Run, state: State) -> str:
    """Return why a run that was done is to be done again, "" when it stays done."""
    if state.key != run.key:
        return "its recipe or its rows have changed"
    return missing(plan, run)


def is_done(plan: Plan, run: Run, state: State | None = None) -> bool:
    """Tell whether a run is done, with all that it left still there."""
    state = state or read(plan, run)
    return state.state == DONE and not undone(plan, run, state)


def now() -> str:
    """Return the time as the state files hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def here(cards: str | None) -> str:
    """Return where a run is done: this machine, and the cards that it was given."""
    return socket.gethostname() + (f", gpu {cards}" if cards else "")
