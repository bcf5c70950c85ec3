"""`python -m recipes sweep`: plan, run, compare; again, it goes on."""

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError, nearest
from common.overrides import as_set, parse_settings
from common.process import only_one
from common.sweep_files import FAILED, SWEEPS, Plan, read_state, read_sweep, sweep_name
from recipes.sweeping.planning.preview import cannot_work, completed, refuse
from recipes.sweeping.planning.preview import table as plan_table
from recipes.sweeping.planning.resolve import resolve
from recipes.sweeping.planning.sweep_file import read, read_sweep_file, replaced
from recipes.sweeping.running import local, on_ray, one_run, progress_table, slurm
from recipes.sweeping.running.compare import compare

EXECUTORS = {"local": local.execute, "ray": on_ray.execute, "slurm": slurm.execute}


def do_one(sweep: str, wanted: str) -> bool:
    """Do one run of a sweep that was started; return whether it is done."""
    plan = read_sweep(sweep)
    return one_run.do(plan, plan.run(wanted))


def status(sweep: str) -> str:
    """Return the table of a sweep's runs, wherever it runs."""
    return "\n".join(progress_table.lines(read_sweep(sweep)))


def compare_only(sweep: str) -> None:
    """Compare what is done, and run nothing."""
    plan = read_sweep(sweep)
    with only_one(plan.folder / "compare"):
        compare(plan)


def sweep(file: str, *, name: str = "", dry: bool = False, force: bool = False, executor: str = "local", jobs: int = 0,
          **words: Any) -> bool:  # fmt: skip
    """Plan a sweep, run what is not done yet, compare; return whether all runs are done.

    `words` (task, model, overrides, source ...) take the place of what the file says.
    """
    if executor not in EXECUTORS:
        hint = nearest(executor, EXECUTORS) or ", ".join(EXECUTORS)
        raise UserError(f"there is no executor {executor!r}", f"EXECUTOR={hint}")
    plan = planned(file, name=name, force=force, **words)
    if dry:
        ready, problems = completed(plan)
        print(plan_table(ready))
        print("\n".join(cannot_work(problems)) if problems else "all of this can work here")
        return True
    if executor == "slurm":
        slurm.check(plan)
    with only_one(plan.folder):
        _refuse_another(plan)
        before, problems = completed(plan)  # what cannot work is told before rows are converted
        refuse(before, problems)
        one_run.prepare_shared(plan, plan.runs, anew=True)
        plan, problems = completed(plan)
        print(plan_table(plan), flush=True)
        refuse(plan, problems)
        plan.save()
        waiting = [run for run in plan.runs if not one_run.is_done(plan, run)]
        if len(waiting) < len(plan.runs):
            print(f"{len(plan.runs) - len(waiting)} of {len(plan.runs)} are done already", flush=True)
        if waiting:
            with progress_table.View(plan) as view:
                EXECUTORS[executor](plan, waiting, view.show, jobs)
            if executor == "slurm":
                return True  # it has only handed the runs on
        compare(plan)
    return _ended(plan)


def planned(file: str, *, name: str = "", force: bool = False, overrides: str = "", **words: Any) -> Plan:
    """Return the plan of a sweep file, or of a started sweep, which goes on as what it was."""
    given = {key: value for key, value in words.items() if value not in (None, "")}
    given |= {"set": parse_settings(overrides)} if overrides else {}
    if file.endswith((".yaml", ".yml")):
        path, name = file, name or sweep_name(file)
        content = read_sweep_file(Path(file))
        typed = [f"SWEEP={file}", *([f"NAME={name}"] if name != sweep_name(file) else [])]
        before = _started(name)
    else:
        before = read_sweep(file)
        if not given:
            return replace(before, force=force)
        path, name = before.file, before.name
        content = yaml.safe_load(before.content)
        typed = shlex.split(before.typed)[2:]
    plan = resolve(read(content, given, path), name, path, before)
    typed += [f"{key.upper()}={as_set(value) if key == 'set' else value}" for key, value in given.items()]
    return replace(
        plan, force=force, typed=shlex.join(["make", "sweep", *typed]),
        content=yaml.safe_dump(replaced(content, given), allow_unicode=True, sort_keys=False),
    )  # fmt: skip


def _started(name: str) -> Plan | None:
    return read_sweep(name) if (SWEEPS / name / "sweep.json").is_file() else None


def _refuse_another(plan: Plan) -> None:
    """Raise when a plan would lose runs, or change the rows, of the one that was started under its name."""
    before = _started(plan.name)
    if not before or plan.force:
        return
    kept = {run.id for run in plan.runs}
    gone = [run for run in before.runs if run.id not in kept and read_state(before, run).state != FAILED]
    lost = [f"run {run.name} ({run.folder}) is not in it" for run in gone]
    lost += [
        f"{key.upper()} was {getattr(before, key) or 'not given'}, now {getattr(plan, key) or 'not given'}"
        for key in ("source", "limit")
        if getattr(before, key) != getattr(plan, key)
    ]
    if lost:
        raise UserError(
            f"{plan.name} was started as another plan ({before.typed}):\n  - " + "\n  - ".join(lost),
            f"SWEEP={plan.name} goes on with that one, NAME=another keeps both, FORCE=1 replaces it",
        )


def _ended(plan: Plan) -> bool:
    """Say how it ended; return whether all runs are done."""
    undone = [run for run in plan.runs if not one_run.is_done(plan, run)]
    print("\n" + "\n".join(progress_table.lines(plan)))
    for task in plan.tasks:
        if (page := plan.compare(task) / "result.html").is_file():
            print(f"{task}: {os.path.relpath(page)}")
    if len(undone) < len(plan.runs):
        print(f"its report: make report SWEEP={plan.name}")
    if undone:
        print(f"{len(undone)} of {len(plan.runs)} runs are not done; the same command tries them again")
    return not undone
