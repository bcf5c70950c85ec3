"""One run of a sweep, the whole way: `python -m recipes sweep --sweep NAME --only ID`, wherever it is started.

Each step is a command that could be typed alone and that does nothing when it was done before. What they print goes
to the run's log; how far it is stands in its state file. Killed at any point, the same command goes on.
"""

import os
import shutil
import sys
import time
from pathlib import Path

from common.errors import UserError
from common.names import root_task
from common.paths import CACHE, data_folder, folder_name
from common.process import only_one, run_logged
from common.subprocesses import call
from common.sweep_files import DONE, FAILED, RUNNING, WAITING, Plan, Run, State, read_state, write_state
from recipes import pipeline
from recipes.preflight.expected import disk_gb
from recipes.preflight.surroundings import look_around
from recipes.prepare.prepare import is_prepared
from recipes.recipe import Recipe, ensure_rows
from recipes.sweeping.planning.resolve import content_key, recipe_of
from recipes.sweeping.running import state as states


def prepare_shared(plan: Plan, runs: list[Run], anew: bool = False) -> None:
    """Convert the rows and prepare the backbones of these runs; with `anew`, see that the rows are of this sweep."""
    for task in dict.fromkeys(run.base_task for run in runs):
        if anew or not _has_rows(task):
            ensure_rows(task, plan.source, plan.limit)
    for task, settings in {run.task: run.data["set"] for run in runs if run.data}.items():
        if anew or not _has_rows(task):
            with only_one(CACHE / "locks" / f"rows-{root_task(task)}", wait=True):
                call("converters", "convert", task=task, set=settings)
    for model, run in {run.model: run for run in runs}.items():
        recipe = recipe_of(run)
        with only_one(CACHE / "locks" / f"model-{folder_name(recipe.backbone.name)}", wait=True):
            if not is_prepared(recipe.backbone, recipe.dtype):
                call("recipes", "prepare", model=model, dtype=recipe.dtype)


def _has_rows(task: str) -> bool:
    return (data_folder(task) / "card.json").is_file() and Path("dataset_info.json").is_file()


def do(plan: Plan, run: Run) -> bool:
    """Do a run; return whether it is done. Why it failed stands in its state file."""
    with only_one(states.lock_folder(run), wait=True):
        prepare_shared(plan, [run])
        recipe = recipe_of(run)
        key = content_key(run, recipe)
        state = read_state(plan, run)
        changed = bool(state.key) and state.key != key
        missing = states.missing(plan, run)
        if state.state == DONE and not changed and not missing:
            print(f"{run.name} is done already: {run.folder}")
            return True
        if state.state == DONE:
            print(f"{run.name} is done again: {'its recipe or its rows have changed' if changed else missing}")
        state = State(
            RUNNING, attempts=1 if changed else state.attempts + 1, began=states.now(), key=key,
            seconds={} if changed else states.seconds_kept(run, state),
            where=states.here(os.environ.get("CUDA_VISIBLE_DEVICES")),
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
        state.ended = states.now()
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
    if needed > around.disk_free_gb:
        raise UserError(
            f"no space left on disk: about {needed:.1f} GB are needed, {around.disk_free_gb:.1f} GB are free"
        )


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
        code = run_logged(commands[step], log, lambda _: None, {"GPUS": str(run.gpus)})
        if code:
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
