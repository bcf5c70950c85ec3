"""One run of a sweep, the whole way: `python -m recipes sweep --sweep NAME --only ID`, wherever it is started.

Each step is a command that could be typed alone and that does nothing when it was done before. What they print goes
to the run's log; how far it is stands in its state file. Killed at any point, the same command goes on.
"""

import os
import shutil
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from common.errors import UserError
from common.names import root_task
from common.paths import CACHE, data_folder, folder_name
from common.process import only_one, run_logged
from common.run_files import read_manifest
from common.subprocesses import call
from common.sweep_files import DONE, FAILED, RUNNING, SWEEPS, WAITING, Plan, Run, State, read_state, write_state
from recipes import pipeline
from recipes.catalog.datasets import INFO
from recipes.preflight.surroundings import disk_gb, look_around
from recipes.prepare.prepare import is_prepared
from recipes.recipe import Recipe, ensure_rows
from recipes.sweeping.planning.resolve import content_key, recipe_of

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


def is_done(plan: Plan, run: Run) -> bool:
    """Tell whether a run is done, with its recipe and rows as they are now and all that it left still there."""
    state = read_state(plan, run)
    return state.state == DONE and state.key == run.key and not missing(plan, run)


def seconds_kept(run: Run, state: State) -> dict[str, float]:
    """Return the seconds of those steps whose results are still in the run's folder."""
    folder = Path(run.folder)
    return {
        step: seconds
        for step, seconds in state.seconds.items()
        if all((folder / name).is_file() for name in ("manifest.json", RESULTS.get(step, "manifest.json")))
    }


def now() -> str:
    """Return the time as the state files hold it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def prepare_shared(plan: Plan, runs: list[Run], anew: bool = False) -> None:
    """Convert the rows and prepare the backbones of these runs; with `anew`, see that the rows are of this sweep."""

    def wanted(task: str) -> bool:
        return anew or not ((data_folder(task) / "card.json").is_file() and INFO.is_file())

    for task in filter(wanted, dict.fromkeys(run.base_task for run in runs)):
        ensure_rows(task, plan.source, plan.limit)
    variants = {run.task: run.data["set"] for run in runs if run.data}
    for task in filter(wanted, variants):
        with only_one(CACHE / "locks" / f"rows-{root_task(task)}", wait=True):
            call("converters", "convert", task=task, set=variants[task])
    for model, run in {run.model: run for run in runs}.items():
        recipe = recipe_of(run)
        with only_one(CACHE / "locks" / f"model-{folder_name(recipe.backbone.name)}", wait=True):
            if not is_prepared(recipe.backbone, recipe.dtype):
                call("recipes", "prepare", model=model, dtype=recipe.dtype)


def do(plan: Plan, run: Run) -> bool:
    """Do a run; return whether it is done. Why it failed stands in its state file."""
    with only_one(lock_folder(run), wait=True):
        prepare_shared(plan, [run])
        recipe = recipe_of(run)
        key, state = content_key(run, recipe), read_state(plan, run)
        changed = bool(state.key) and state.key != key
        again = "its recipe or its rows have changed" if changed else missing(plan, run)
        if state.state == DONE and not again:
            print(f"{run.name} is done already: {run.folder}")
            return True
        if state.state == DONE:
            print(f"{run.name} is done again: {again}")
        cards = os.environ.get("CUDA_VISIBLE_DEVICES")
        state = State(
            RUNNING, attempts=1 if changed else state.attempts + 1, began=now(), key=key,
            seconds={} if changed else seconds_kept(run, state),
            where=socket.gethostname() + (f", gpu {cards}" if cards else ""),
        )  # fmt: skip
        write_state(plan, run, state)
        try:
            _enough_disk(recipe)
            _steps(plan, run, state, force=plan.force or changed)
        except UserError as error:
            state.state, state.error = FAILED, error.message
        except KeyboardInterrupt:
            state.state = WAITING
            write_state(plan, run, state)
            raise
        else:
            state.state, state.step = DONE, ""
            if "export" not in plan.keep:
                shutil.rmtree(Path(run.folder) / "export", ignore_errors=True)
        state.ended = now()
        write_state(plan, run, state)
    if state.error:
        at = f" at {state.step}" if state.step else ""
        print(f"{run.name} failed{at}: {state.error}\n  its whole log: {plan.log(run)}", file=sys.stderr, flush=True)
    else:
        print(f"{run.name} is done: {run.folder} ({sum(state.seconds.values()):.0f} s)", flush=True)
    return state.state == DONE


def _enough_disk(recipe: Recipe) -> None:
    """Raise when the disk is too small for what the run will write."""
    around = look_around(recipe)
    needed = disk_gb(recipe, around.downloaded)
    if needed > (free := around.disk_free_gb):
        raise UserError(f"no space left on disk: about {needed:.1f} GB are needed, {free:.1f} GB are free")


def _steps(plan: Plan, run: Run, state: State, force: bool) -> None:
    """Run every step that the sweep asks for; UserError with the first failure's own words."""
    commands = pipeline.commands(
        task=run.task, model=run.model, method=run.method, variant=run.variant, hardware=run.hardware,
        overrides=run.set, force=force, judge=plan.judge, questions=plan.questions, max_tokens=plan.max_tokens,
    )  # fmt: skip
    log = plan.log(run)
    for step in plan.steps:
        state.step = step
        write_state(plan, run, state)
        print(f"{run.name}: {step}", flush=True)
        start, began = log.stat().st_size if log.is_file() else 0, time.monotonic()
        if code := run_logged(commands[step], log, lambda _: None, {"GPUS": str(run.gpus)}):
            raise UserError(reason(log, start) or f"{step} ended with code {code}")
        spent = round(time.monotonic() - began, 1)
        state.seconds[step] = max(spent, state.seconds.get(step, 0))  # a step that was done before takes none


def reason(log: Path, start: int) -> str:
    """Return why a command failed, from what it added to a log: its error message, else its last line."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.rstrip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    begins = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    return "\n".join(lines[begins[-1] if begins else -1 :]).removeprefix("error: ").strip()
