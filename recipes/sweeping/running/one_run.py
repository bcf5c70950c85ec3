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
from common.lease import leased
from common.process import only_one, run_logged
from common.run_files import DONE, FAILED, RUNNING, STEPS, WAITING, State
from recipes import pipeline
from recipes.preflight.checks import disk_gb
from recipes.preflight.surroundings import look_around
from recipes.render import Recipe
from recipes.sweeping.planning.resolve import content_key, recipe_of
from recipes.sweeping.running import state as states
from recipes.sweeping.running.share import prepare_shared
from recipes.sweeping.sweep import Plan, Run

ENDED_BY_FULL_DISK = "no space left on disk"


def do(plan: Plan, run: Run) -> bool:
    """Do a run; return whether it is done. A mistake that can be mended stands in its state file."""
    with only_one(states.lock_folder(run), wait=True), leased(states.lock_folder(run)):
        prepare_shared(plan, [run])
        recipe = recipe_of(run)
        key = content_key(run, recipe)
        state = states.read(plan, run)
        if state.state == DONE and state.key == key and not states.missing(plan, run):
            print(f"{run.name} is done already: {run.folder}")
            return True
        changed = bool(state.key) and state.key != key
        if state.state == DONE:
            why = "its recipe or its rows have changed" if changed else states.missing(plan, run)
            print(f"{run.name} is done again: {why}")
        state = State(
            RUNNING, attempts=0 if changed else state.attempts, began=states.now(), key=key,
            seconds={} if changed else state.seconds,
            where=states.here(os.environ.get("CUDA_VISIBLE_DEVICES")),
        )  # fmt: skip
        state.attempts += 1
        states.write(plan, run, state)
        try:
            _enough_disk(recipe)
            _steps(plan, run, state, force=plan.force or changed)
        except UserError as error:
            return _failed(plan, run, state, error.message)
        except KeyboardInterrupt:
            state.state = WAITING
            states.write(plan, run, state)
            raise
        if "export" not in plan.keep:
            shutil.rmtree(Path(run.folder) / "export", ignore_errors=True)
        state.state, state.step, state.ended = DONE, "", states.now()
        states.write(plan, run, state)
        print(f"{run.name} is done: {run.folder} ({sum(state.seconds.values()):.0f} s)", flush=True)
        return True


def _failed(plan: Plan, run: Run, state: State, message: str) -> bool:
    state.state, state.error, state.ended = FAILED, message.splitlines()[0], states.now()
    states.write(plan, run, state)
    at = f" at {state.step}" if state.step else ""
    print(f"{run.name} failed{at}: {state.error}\n  {plan.log(run)} has it all", file=sys.stderr, flush=True)
    return False


def _enough_disk(recipe: Recipe) -> None:
    """Raise when the disk is too small for what the run will write."""
    around = look_around(recipe)
    needed = disk_gb(recipe, around.downloaded)
    if needed > around.disk_free_gb:
        raise UserError(
            f"{ENDED_BY_FULL_DISK}: about {needed:.1f} GB are needed, {around.disk_free_gb:.1f} GB are free"
        )


def _steps(plan: Plan, run: Run, state: State, force: bool) -> None:
    """Run every step that the sweep asks for; UserError with the first failure's own words."""
    log = plan.log(run)
    for step, command in commands(plan, run, force):
        state.step = step
        states.write(plan, run, state)
        print(f"{run.name}: {step}", flush=True)
        start, began = log.stat().st_size if log.is_file() else 0, time.monotonic()
        code = run_logged(command, log, lambda _: None, {"GPUS": str(run.gpus)})
        if code:
            raise UserError(reason(log, start) or f"{step} ended with code {code}")
        spent = round(time.monotonic() - began, 1)
        state.seconds[step] = max(spent, state.seconds.get(step, 0))  # a step that was done before takes none


def commands(plan: Plan, run: Run, force: bool) -> list[tuple[str, list[str]]]:
    """Return (step, command) of a run's steps."""
    found = pipeline.plan(
        task=run.task, model=run.model, method=run.method, variant=run.variant, hardware=run.hardware,
        overrides=run.set, force=force, judge=plan.judge, questions=plan.questions, max_tokens=plan.max_tokens,
    )  # fmt: skip
    return [(step, command) for step, (_, command) in zip(STEPS, found, strict=True) if step in plan.steps]


def reason(log: Path, start: int) -> str:
    """Return why a command failed, in one line, from what it added to a log."""
    with log.open("rb") as file:
        file.seek(start)
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
    said = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return said[-1] if said else lines[-1] if lines else ""
