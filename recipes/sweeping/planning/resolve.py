"""From drafts to runs: every name looked up, every recipe put together, all that cannot work told at once."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from common.errors import UserError, nearest
from common.files import sha256_of
from common.names import VARIANT
from common.overrides import as_set, unchecked
from common.paths import data_folder, folder_name, questions_file, run_folder
from common.schema import invalid
from common.sweep_files import Plan, Run
from converters.output.card import read_card
from converters.registry import load_task
from converters.settings import build_settings
from converters.variants import OF_THE_BASE, named
from recipes.catalog.catalog import hardware_profiles
from recipes.catalog.datasets import find_task
from recipes.catalog.lookup import find_backbone, find_method
from recipes.catalog.machine import resolve_hardware
from recipes.llamafactory.keys import groups
from recipes.manifest import identity, weights_of
from recipes.recipe import Recipe, make_recipe
from recipes.sweeping.planning.expand import Draft, baselines, drafts, name_of, slug, variant_of
from recipes.sweeping.planning.sweep_file import WORDS, SweepFile, same

REFERENCE = "80gb"
"""The hardware for which recipes of HARDWARE=auto are compared: a run is the same one wherever it is done."""


def resolve(file: SweepFile, name: str, path: str, before: Plan | None = None) -> Plan:
    """Return the plan of a sweep; UserError with every unknown name and every combination that cannot be.

    Runs that the plan of an earlier start holds keep the folders that they have there.
    """
    found = drafts(file)
    _refuse(path, _problems(file, found))
    problems = list[str]()
    for draft in found:
        draft.settings |= _alpha(draft)
        problems += _without_effect(draft)
        left = [axis for axis, label in draft.point.items() if label is None]
        draft.point |= {axis: draft.recipe.settings.get(axis, "default") for axis in left}
    _refuse(path, problems)
    starts = baselines(file, found)
    axes = dict.fromkeys(axis for draft in found for axis in draft.point)
    varying = [axis for axis in axes if len({str(draft.point.get(axis)) for draft in found}) > 1]
    kept = {_made_of(run): run.variant for run in before.runs} if before else {}
    built = {}
    for draft, start in starts.items():
        if draft.off and start and same(draft.point[draft.off], start.point[draft.off]):
            continue  # the axis names the baseline's own value once more
        run = _run(file, name, draft, varying, is_start=start is draft)
        variant = kept.get(_made_of(run), run.variant)
        folder = run_folder(run.task, draft.recipe.backbone.name, run.method, variant).as_posix()
        id_ = folder.removeprefix("runs/").replace("/", ".")
        built[draft] = replace(run, variant=variant, folder=folder, id=id_)
    ids = [run.id for run in built.values()]
    _refuse(path, [f"{run.name} is twice the same run" for run in built.values() if ids.count(run.id) > 1])
    runs = [replace(run, baseline=built[start].id if (start := starts[draft]) else None)
            for draft, run in built.items()]  # fmt: skip
    runs = _told_apart(runs)
    settings = {item.name: getattr(file, item.name) for item in fields(Plan) if item.name in SweepFile.model_fields}
    settings |= {"name": name, "file": path, "runs": runs, "axes": {key: _values(runs, key) for key in varying}}
    return without(Plan(**settings), _skipped(file, path, runs))


def _skipped(file: SweepFile, path: str, runs: list[Run]) -> dict[str, str]:
    """Return the ids of the runs that SKIP leaves out, by their names, words or values, with the reason."""
    called = {
        run.id: {
            str(name).lower()
            for name in (run.name, run.contestant, run.model, run.method, run.task, *run.point.values())
        }
        for run in runs
    }
    known = set[str]().union(*called.values())
    wrong = [
        f"skip: no run is {name!r} or has it; {nearest(name, sorted(known))}"
        for name in file.skip
        if name.lower() not in known
    ]
    skipped = [run for run in runs if not called[run.id].isdisjoint(map(str.lower, file.skip))]
    _refuse(path, wrong or ["skip: no run is left"] * (len(skipped) == len(runs)))
    return {run.id: f"{run.name} is left out: SKIP" for run in skipped}


def without(plan: Plan, reasons: Mapping[str, str], instead: Mapping[str, str] | None = None) -> Plan:
    """Return a plan without the runs of these ids, with the reasons; `instead` has the runs that stand for them."""
    here = {run.id: run.id for run in plan.runs if run.id not in reasons} | dict(instead or {})
    runs = [replace(run, baseline=here.get(run.baseline or "")) for run in plan.runs if run.id not in reasons]
    axes = {key: [value for value in values if any(same(run.point.get(key), value) for run in runs)]
            for key, values in plan.axes.items()}  # fmt: skip
    return replace(plan, runs=runs, axes=axes, left_out=(*plan.left_out, *reasons.values()))


def without_repeats(plan: Plan, recipes: Mapping[str, Recipe]) -> Plan:
    """Return a plan without the runs that would train a model once more that another of its runs trains."""

    def made(run: Run) -> tuple[Any, ...]:
        settings: dict[str, Any] = dict(weights_of(identity(recipes[run.id]))) if run.key else {"id": run.id}
        most, rows = settings.get("max_samples"), _training_rows(run.task)
        passed_over = {"output_dir", *(["max_samples"] if most and most >= rows else [])}
        kept = {key: value for key, value in settings.items() if key not in passed_over}
        return sha256_of(kept), run.asked_task, run.model, run.method, run.hardware, run.gpus

    what = {run.id: made(run) for run in plan.runs}
    first: dict[Any, Run] = {}
    for run in sorted(plan.runs, key=lambda run: run.id != run.baseline):  # a baseline stays
        first.setdefault(what[run.id], run)
    instead = {run.id: other for run in plan.runs if (other := first[what[run.id]]) is not run}
    reasons = {id_: f"{plan.run(id_).name} is left out: it is {other.name} once more{_few_rows(plan.run(id_))}"
               for id_, other in instead.items()}  # fmt: skip
    return without(plan, reasons, {id_: other.id for id_, other in instead.items()})


def _few_rows(run: Run) -> str:
    rows, most = _training_rows(run.task), unchecked(run.set).get("max_samples")
    return f" ({run.task} has {rows:,} rows, max_samples is {most:,})" if rows and most and most >= rows else ""


def _training_rows(task: str) -> int:
    card = read_card(task)
    return int(card["files"]["train"]["rows"]) if card else 0


def _refuse(path: str, problems: list[str]) -> None:
    if problems:
        hint = "`python -m recipes list` shows every name; docs/sweeps.md what goes together"
        raise invalid(path, list(dict.fromkeys(problems)), hint)


def _problems(file: SweepFile, found: list[Draft]) -> list[str]:
    """Return what cannot be, before any recipe is put together: names, converter's settings, questions."""
    look_up: dict[str, Callable[[str], object]] = {"task": find_task, "model": find_backbone, "method": find_method}
    problems = list[str]()
    for key, find in look_up.items():
        for name in dict.fromkeys(draft.words[key] for draft in found):
            problems += _problem_of(find, name) if name else [f"a run has no {key}"]
    for hardware, gpus in dict.fromkeys((draft.words["hardware"], draft.words["gpus"]) for draft in found):
        problems += _problem_of(resolve_hardware, hardware, gpus)
    named_tasks = dict.fromkeys(draft.words["task"] for draft in found)
    tasks = [task for task in named_tasks if task and not _problem_of(find_task, task)]
    for task in tasks:
        if "answer" in file.steps and not file.questions and not questions_file(task).is_file():
            problems.append(
                f"{task} has no questions to be judged on: `questions: my.jsonl`, or `steps: [train, heldout]`"
            )
    for draft in found:
        (label, settings), task = draft.words["data"], draft.words["task"]
        if label and task in tasks:
            problems += [f"data.{label}: {one}" for one in _wrong_data(task, label, settings)]
    talks = [step for step in file.steps if step in ("heldout", "answer", "judge")]
    if talks and any(draft.words["method"] == "rm" for draft in found):
        problems.append(
            f"method rm leaves a model that scores and cannot be talked to; steps without {', '.join(talks)}"
        )
    return problems


def _wrong_data(task: str, label: str, settings: dict[str, Any]) -> list[str]:
    fixed = [key for key in settings if key in OF_THE_BASE]
    wrong = [f"a variant cannot set {key}: its val and test rows are the task's" for key in fixed]
    return _problem_of(named, task, label) + wrong + _problem_of(lambda: build_settings(load_task(task), settings))


def _alpha(draft: Draft) -> dict[str, int]:
    """Let a varied rank take lora_alpha along, so that its runs differ in rank and not in the adapter's strength."""
    own, settings = find_method(draft.words["method"]).settings, draft.settings
    if "lora_rank" not in draft.point or "lora_alpha" in settings or own.get("use_rslora"):
        return {}
    if not {"lora_rank", "lora_alpha"} <= own.keys() or settings.get("lora_rank", own["lora_rank"]) == own["lora_rank"]:
        return {}
    return {"lora_alpha": max(1, settings["lora_rank"] * own["lora_alpha"] // own["lora_rank"])}


def _without_effect(draft: Draft) -> list[str]:
    """Return which of a run's axes would train the same model again and again."""
    settings, problems = draft.recipe.settings, list[str]()
    for key in (key for key, label in draft.point.items() if label is not None and draft.off in ("", key)):
        needed = next((one for begin, one in groups()["only with"].items() if key.startswith(begin)), None)
        if needed and key in settings and (has := settings.get(needed[0], "unset")) != needed[1]:
            problems.append(
                f"{key} changes nothing with METHOD={draft.recipe.method.name}: {needed[0]} is {has}, not {needed[1]}"
            )
    return problems


def _problem_of(act: Callable[..., object], *arguments: Any) -> list[str]:
    """Return what a look-up says is wrong, with the nearest name; nothing when it succeeds."""
    try:
        act(*arguments)
    except UserError as error:
        return ["; ".join(filter(None, [error.message, error.close]))]
    return []


def _values(runs: Iterable[Run], key: str) -> list[Any]:
    """Return the values that the runs have on an axis: numbers by their size, others as they come."""
    found: list[Any] = []
    for run in runs:
        if key in run.point and run.point[key] not in found:
            found.append(run.point[key])
    return sorted(found) if all(isinstance(value, int | float) for value in found) else found


def _run(file: SweepFile, sweep: str, draft: Draft, varying: list[str], is_start: bool) -> Run:
    words, (data, converter) = draft.words, draft.words["data"]
    contestant = name_of(draft, varying, is_start and file.mode == "one-at-a-time")
    variant = variant_of(draft, varying, slug(f"{sweep}-{contestant}"))
    return Run(
        id="", folder="", name=contestant, contestant=contestant,
        base=f"base-{folder_name(draft.recipe.backbone.name)}" if "model" in varying else "base",
        task=words["task"] + (f"{VARIANT}{data}" if data else ""),
        **{key: words[key] for key in ("model", "method", "hardware", "gpus")},
        variant="-".join(filter(None, [file.variant and slug(file.variant), variant])),
        set=as_set(draft.settings), point=draft.point,
        data={"name": data, "set": as_set(converter)} if data else {},
    )  # fmt: skip


def _made_of(run: Run) -> tuple[Any, ...]:
    """Return all that a run is of."""
    return run.task, run.model, run.method, run.hardware, run.gpus, run.set, as_set(run.data)


def _told_apart(runs: list[Run]) -> list[Run]:
    """Return runs whose names differ within the sweep, and whose contestants differ within a task."""
    taken: set[Any] = {"tie", "base"}
    several = len({run.asked_task for run in runs}) > 1
    found = []
    for one in runs:
        run = replace(one, name=f"{one.asked_task}-{one.name}" if several else one.name)
        if {run.name, run.contestant, (run.asked_task, run.contestant)} & taken:
            mark = sha256_of(run.id)[:4]
            run = replace(run, name=f"{run.name}-{mark}", contestant=f"{run.contestant}-{mark}")
        taken |= {run.name, (run.asked_task, run.contestant)}
        found.append(run)
    return found


def recipe_of(run: Run) -> Recipe:
    """Put together the recipe of a run, on this machine."""
    words: dict[str, Any] = {key: getattr(run, key) for key in (*WORDS, "variant")}
    return make_recipe(**words, overrides=run.set)


def content_key(run: Run, recipe: Recipe) -> str | None:
    """Return a hash of what decides the trained weights and is not this machine's; None before there are rows."""
    if not (data_folder(run.task) / "card.json").is_file():
        return None
    if run.hardware == "auto":
        hardware = hardware_profiles()[REFERENCE].model_copy(update={"devices": run.gpus})
        recipe = replace(recipe, hardware=hardware, hardware_name=REFERENCE)
    return sha256_of(weights_of(identity(recipe)))
