"""From drafts to runs: every name looked up, every recipe put together, all that cannot work told at once."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from common.errors import UserError
from common.files import sha256_of
from common.names import root_task
from common.overrides import as_set
from common.paths import data_folder, folder_name, questions_file
from converters.registry import load_task
from converters.settings import build_settings
from converters.variants import OF_THE_BASE, named
from recipes.assemble import assemble
from recipes.catalog.catalog import find_backbone, find_hardware, find_method, hardware_profiles
from recipes.catalog.datasets import find_task
from recipes.catalog.machine import resolve_hardware
from recipes.render import Recipe
from recipes.run import identity
from recipes.sweeping.planning.expand import Draft, drafts, name_of, slug, variant_of
from recipes.sweeping.planning.spec import Spec
from recipes.sweeping.planning.values import same
from recipes.sweeping.sweep import Plan, Run

REFERENCE = "80gb"
"""The hardware for which recipes of HARDWARE=auto are compared: a run is the same one wherever it is done."""


def resolve(spec: Spec, force: bool = False) -> Plan:
    """Return the plan of a sweep; UserError with every unknown name and every combination that cannot be."""
    found = drafts(spec)
    problems = _wrong_names(found) + _wrong_data(found) + _untalkative(spec, found) + _unasked(spec, found)
    if problems:
        raise _refusal(spec, problems)
    varying = _varying(found)
    several = len({root_task(draft.words["task"]) for draft in found}) > 1
    recipes = [recipe_of(draft) for draft in found]
    points = [_point(draft, recipe) for draft, recipe in zip(found, recipes, strict=True)]
    runs: dict[str, Run] = {}
    starts: dict[tuple[Any, ...], Run] = {}
    partners: dict[str, tuple[Any, ...]] = {}
    doubled: list[str] = []
    for draft, recipe, point in zip(found, recipes, points, strict=True):
        partner = _partner(spec, draft, point)
        if draft.off and same(point[draft.off], starts[partner].point[draft.off]):
            continue  # the axis names the baseline's own value once more
        start = _is_baseline(spec, draft, point)
        run = _run(draft, recipe, point, varying, start=start and spec.mode == "one-at-a-time", several=several)
        if run.id in runs:
            doubled.append(f"{_words(point)} is the same run as {_words(runs[run.id].point)}")
            continue
        runs[run.id] = run
        partners[run.id] = partner
        if start:
            starts[partner] = run
    if doubled:
        raise _refusal(spec, doubled)
    named = _unlike(
        [
            replace(run, baseline=starts[partners[id_]].id if partners[id_] in starts else None)
            for id_, run in runs.items()
        ]
    )
    return Plan(
        name=spec.name, file=spec.file, runs=named, title=spec.title, question=spec.question,
        axes={key: _values(named, key) for key in varying}, baseline=next((run.id for run in starts.values()), None),
        source=spec.source, limit=spec.limit, judge=spec.judge, questions=spec.questions, max_tokens=spec.max_tokens,
        steps=spec.steps, keep=spec.keep, contestants=spec.contestants, force=force,
    )  # fmt: skip


def _refusal(spec: Spec, problems: list[str]) -> UserError:
    return UserError(
        f"{spec.file} cannot be run:\n  - " + "\n  - ".join(dict.fromkeys(problems)),
        "`python -m recipes list` shows every name; docs/sweeps.md what goes together",
    )


def _wrong_names(found: list[Draft]) -> list[str]:
    """Return what is wrong with the words of all drafts, each word once."""
    problems = []
    lookups = {"task": find_task, "model": find_backbone, "method": find_method}
    for key, look_up in lookups.items():
        for name in dict.fromkeys(draft.words.get(key) for draft in found):
            problems += _said(lambda look_up=look_up, name=name, key=key: look_up(name) if name else _none(key))
    for name in dict.fromkeys(draft.words["hardware"] for draft in found):
        problems += _said(lambda name=name: None if name == "auto" else find_hardware(name))
    for hardware, gpus in dict.fromkeys((draft.words["hardware"], draft.words["gpus"]) for draft in found):
        if hardware == "auto" or hardware in hardware_profiles():
            with cards(gpus):
                problems += _said(lambda hardware=hardware: resolve_hardware(hardware))
    return problems


def _none(key: str) -> None:
    raise UserError(f"a run has no {key}", f"{key.upper()}=..., or `{key}:` in the file")


def _said(act: Any) -> list[str]:
    try:
        act()
    except UserError as error:
        hint = error.hint.partition(" `python -m")[0] if error.hint.startswith("did you mean") else ""
        return [" ".join(filter(None, [error.message + (";" if hint else ""), hint]))]
    return []


def _wrong_data(found: list[Draft]) -> list[str]:
    problems = []
    for draft in found:
        (name, settings), word = draft.data, draft.words.get("task") or ""
        if not name or _said(lambda word=word: load_task(word)):
            continue
        wrong = _said(lambda word=word, name=name: named(word, name))
        wrong += [
            f"a variant cannot set {key}: its val and test rows are the task's"
            for key in settings
            if key in OF_THE_BASE
        ]
        wrong += _said(lambda word=word, settings=settings: build_settings(load_task(word), settings))
        problems += [f"data.{name}: {one}" for one in wrong]
    return problems


def _untalkative(spec: Spec, found: list[Draft]) -> list[str]:
    asked = [step for step in spec.steps if step in ("heldout", "answer", "judge")]
    return [
        f"method rm leaves a model that scores and cannot be talked to; steps without {', '.join(asked)}"
        for draft in found
        if draft.words["method"] == "rm" and asked
    ]


def _unasked(spec: Spec, found: list[Draft]) -> list[str]:
    if spec.questions or "answer" not in spec.steps:
        return []
    tasks = dict.fromkeys(str(draft.words.get("task") or "") for draft in found)
    return [
        f"{task} has no questions to be judged on: `questions: my.jsonl`, or `steps: [train, heldout]`"
        for task in tasks
        if not questions_file(task).is_file() and not _said(lambda task=task: find_task(task))
    ]


def _varying(found: list[Draft]) -> list[str]:
    """Return the words and axes that have more than one value in the sweep."""
    keys = dict.fromkeys(key for draft in found for key in draft.point)
    return [key for key in keys if len({str(draft.point.get(key)) for draft in found}) > 1]


def _values(runs: list[Run], key: str) -> list[Any]:
    """Return the values that the runs have on an axis: numbers by their size, others as they come."""
    found: list[Any] = []
    for run in runs:
        if key in run.point and run.point[key] not in found:
            found.append(run.point[key])
    return sorted(found) if all(isinstance(value, int | float) for value in found) else found


def _point(draft: Draft, recipe: Recipe) -> dict[str, Any]:
    """Return a draft's point with what the recipe has by itself where the baseline leaves it open."""
    own = {
        key: recipe.settings.get(key, "all" if key == "max_samples" else "default")
        for key, label in draft.point.items()
        if label is None
    }
    return draft.point | own


def _is_baseline(spec: Spec, draft: Draft, point: dict[str, Any]) -> bool:
    if spec.mode == "one-at-a-time" and not spec.runs:
        return not draft.off
    return bool(spec.baseline) and all(same(point.get(key), value) for key, value in spec.baseline.items())


def _partner(spec: Spec, draft: Draft, point: dict[str, Any]) -> tuple[Any, ...]:
    """Return what a run has in common with its baseline."""
    if spec.mode == "one-at-a-time":
        return draft.group
    return (*draft.group, *(str(value) for key, value in point.items() if key not in spec.baseline))


def _run(draft: Draft, recipe: Recipe, point: dict[str, Any], varying: list[str], *, start: bool, several: bool) -> Run:
    words = draft.words
    task = words["task"] + (f"~{draft.data[0]}" if draft.data[0] else "")
    variant = variant_of(draft, _own(recipe), set(varying))
    model = recipe.backbone.name
    folder = replace(recipe, task=task, variant=variant).folder
    labels = {key: value for key, value in point.items() if key in varying}
    name = name_of(draft, labels, set(varying), start)
    models = "model" in varying
    return Run(
        id=folder.removeprefix("runs/").replace("/", "."),
        name=slug("-".join(filter(None, [root_task(words["task"]) if several else "", name]))),
        contestant=name,
        base=f"base-{folder_name(model)}" if models else "base",
        folder=folder,
        task=task,
        model=words["model"],
        method=words["method"],
        variant=variant,
        hardware=words["hardware"],
        gpus=words["gpus"],
        set=as_set(draft.settings),
        data={"name": draft.data[0], "set": as_set(draft.data[1])} if draft.data[0] else {},
        point=point,
    )


def _own(recipe: Recipe) -> dict[str, Any]:
    """Return what method and backbone say by themselves, whatever the hardware: the same again changes nothing."""
    plain = replace(recipe, overrides={}).settings
    return {key: plain[key] for key in (*recipe.method.settings, *recipe.backbone.settings) if key in plain}


def _unlike(runs: list[Run]) -> list[Run]:
    """Return runs whose names differ within the sweep, and whose contestants differ within a task."""
    seen: set[tuple[str, str]] = set()
    taken: set[str] = set()
    found = []
    for one in runs:
        run = one
        if (run.asked_task, run.contestant) in seen or run.name in taken or run.contestant in ("tie", "base"):
            mark = sha256_of(run.id)[:4]
            run = replace(run, name=f"{run.name}-{mark}", contestant=f"{run.contestant}-{mark}")
        seen.add((run.asked_task, run.contestant))
        taken.add(run.name)
        found.append(run)
    return found


def _words(point: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in point.items()) or "the run"


@contextmanager
def cards(gpus: int) -> Iterator[None]:
    """Let recipes be put together for so many cards, as GPUS says it."""
    before = os.environ.get("GPUS")
    os.environ["GPUS"] = str(gpus)
    try:
        yield
    finally:
        if before is None:
            del os.environ["GPUS"]
        else:
            os.environ["GPUS"] = before


def recipe_of(source: Draft | Run) -> Recipe:
    """Put together the recipe of a run, or of a draft (on its task's own rows), on this machine."""
    if isinstance(source, Run):
        words = {key: str(getattr(source, key)) for key in ("task", "model", "method", "hardware", "variant")}
        gpus, overrides = source.gpus, source.set
    else:
        words = {key: source.words[key] for key in ("task", "model", "method", "hardware")} | {"variant": ""}
        gpus, overrides = source.words["gpus"], as_set(source.settings)
    with cards(gpus):
        return assemble(**words, overrides=overrides)


def content_key(run: Run, recipe: Recipe) -> str | None:
    """Return a hash of what decides the trained weights and is not this machine's; None before there are rows."""
    if not (data_folder(run.task) / "card.json").is_file():
        return None
    if run.hardware == "auto":
        hardware = replace(hardware_profiles()[REFERENCE], devices=run.gpus)
        recipe = replace(recipe, hardware=hardware, hardware_name=REFERENCE)
    return sha256_of(identity(recipe))
