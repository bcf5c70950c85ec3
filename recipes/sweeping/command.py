"""`python -m recipes sweep`: plan, run, compare; again, it goes on."""

import importlib
import os
from pathlib import Path
from typing import Any

from common.errors import UserError, nearest
from common.overrides import parse_settings
from common.process import only_one
from recipes.sweeping.planning.preview import completed, refuse
from recipes.sweeping.planning.preview import table as plan_table
from recipes.sweeping.planning.resolve import resolve
from recipes.sweeping.planning.spec import build, read_file
from recipes.sweeping.running import one_run as one
from recipes.sweeping.running import progress_table as table
from recipes.sweeping.running import state as states
from recipes.sweeping.running.compare import compare
from recipes.sweeping.running.share import prepare_shared
from recipes.sweeping.sweep import Plan, load, name_of

EXECUTORS = {"local": "local", "ray": "on_ray", "slurm": "on_slurm"}


def do_one(sweep: str, wanted: str) -> bool:
    """Do one run of a sweep that was started; return whether it is done."""
    plan = load(name_of(sweep))
    return one.do(plan, plan.run(wanted))


def status(sweep: str) -> str:
    """Return the table of a sweep's runs, wherever it runs."""
    return "\n".join(table.lines(load(name_of(sweep))))


def compare_only(sweep: str) -> None:
    """Compare what is done, and run nothing."""
    plan = load(name_of(sweep))
    with only_one(plan.folder / "compare"):
        compare(plan)


def sweep(
    file: str, *, name: str, dry: bool, force: bool, executor: str, jobs: int, overrides: str, **words: Any
) -> bool:
    """Plan a sweep, run what is not done yet, compare; return whether all runs are done.

    `words` (task, model, source ...) and `overrides` take the place of what the file says.
    """
    if executor not in EXECUTORS:
        hint = nearest(executor, EXECUTORS) or ", ".join(EXECUTORS)
        raise UserError(f"there is no executor {executor!r}", f"EXECUTOR={hint}")
    given = words | ({"set": parse_settings(overrides)} if overrides else {})
    plan = planned(file, given, name, force)
    if dry:
        ready, problems = completed(plan)
        print(plan_table(ready))
        refuse(ready, problems)
        return True
    with only_one(plan.folder):
        before, problems = completed(plan)  # what cannot work is told before rows are converted
        refuse(before, problems)
        prepare_shared(plan, plan.runs, anew=True)
        plan, problems = completed(plan)
        print(plan_table(plan), flush=True)
        refuse(plan, problems)
        plan.save()
        waiting = [run.id for run in plan.runs if not states.is_done(plan, run)]
        if len(waiting) < len(plan.runs):
            print(f"{len(plan.runs) - len(waiting)} of {len(plan.runs)} are done already", flush=True)
        if waiting:
            doing = importlib.import_module(f"recipes.sweeping.{EXECUTORS[executor]}")
            doing.execute(plan, waiting, table.View(plan).show, jobs)
            if executor == "slurm":
                return True  # it has only handed the runs on
        compare(plan)
    return _ended(plan)


def planned(file: str, given: dict[str, Any], name: str, force: bool) -> Plan:
    """Return the plan of a sweep file, or of the file that a started sweep is of."""
    path = Path(file) if file.endswith((".yaml", ".yml")) else Path(load(name_of(file)).file)
    spec = build(read_file(path), given, name or name_of(str(path)), str(path))
    return resolve(spec, force)


def _ended(plan: Plan) -> bool:
    """Say how it ended; return whether all runs are done."""
    undone = [run for run in plan.runs if not states.is_done(plan, run)]
    print("\n" + "\n".join(table.lines(plan)))
    for task in plan.tasks:
        if (page := plan.compare(task) / "result.html").is_file():
            print(f"{task}: {os.path.relpath(page)}")
    if len(undone) < len(plan.runs):
        print(f"its report: make report SWEEP={plan.name}")
    if undone:
        print(f"{len(undone)} of {len(plan.runs)} runs are not done; the same command tries them again")
    return not undone
