"""From a sweep's axes to its runs: every combination, or one axis off the baseline at a time, or a list."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any

from common.names import MIX, VARIANT, root_task
from common.overrides import as_set
from common.paths import folder_name
from recipes.llamafactory.keys import groups, known_keys
from recipes.manifest import NOT_IDENTITY
from recipes.recipe import Recipe, make_recipe
from recipes.sweeping.planning.sweep_file import WORDS, Settings, SweepFile, Value, same

LONGEST = 32
"""Characters of a variant that spells out all its settings; a longer one has the names of the sweep and the run."""
DEFAULTS = {"task": "", "model": "", "method": "lora", "hardware": "auto", "gpus": 1, "data": ("", {}), "mix": ""}


@dataclass(eq=False)
class Draft:
    """A run as the sweep file means it; its recipe is put together when all names are known to be right."""

    words: Settings
    """task (its mix included), model, method, hardware, gpus; data: name of the variant, the converter's settings."""
    settings: Settings
    """Recipe keys."""
    point: dict[str, Any]
    """Axis -> what this run's value is called; None where the baseline leaves it to the recipe."""
    off: str = ""
    """In a sweep of one axis at a time: the axis that is off the baseline; "" in the baseline itself."""
    group: tuple[Any, ...] = ()
    """The values of the words that the whole comparison is done for: a baseline holds within a group."""

    @cached_property
    def recipe(self) -> Recipe:
        """Its recipe, on this machine."""
        return make_recipe(**{key: self.words[key] for key in WORDS}, overrides=as_set(self.settings))


def drafts(file: SweepFile) -> list[Draft]:
    """Return every run of a sweep, in the order in which it is meant to be read."""
    outer = {key: values for key in WORDS if (values := getattr(file, key))}
    found = []
    for combination in product(*outer.values()):
        fixed = dict(zip(outer, combination, strict=True))
        group = {key: value for key, value in fixed.items() if len(outer[key]) > 1}
        for off, chosen in _design(file):
            merged: Settings = {**DEFAULTS, **file.set, **fixed}
            for value in chosen.values():
                merged |= value.changes
            words = {key: merged.pop(key) for key in DEFAULTS}
            words["task"] += f"{MIX}{mix}" if (mix := words.pop("mix")) else ""
            point = group | {axis: value.label for axis, value in chosen.items()}
            found.append(Draft(words, merged, point, off, tuple(group.values())))
    return found


def _design(file: SweepFile) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Yield (axis that is off the baseline, values) of each run of the comparison."""
    if file.runs:
        yield from (("", run) for run in file.runs)
    elif file.mode == "one-at-a-time":
        start = {axis: _baseline_value(file, axis) for axis in (*file.compare, *file.baseline)}
        yield "", start
        for axis, values in file.compare.items():
            yield from ((axis, start | {axis: one}) for one in values if not same(one.label, start[axis].label))
    else:
        yield from (("", dict(zip(file.compare, values, strict=True))) for values in product(*file.compare.values()))


def _baseline_value(file: SweepFile, axis: str) -> Value:
    """Return where an axis begins: what `baseline:` names, the recipe's own for a recipe key, or its first value."""
    values = file.compare.get(axis, ())
    if axis in file.baseline:
        wanted = file.baseline[axis]
        return next((one for one in values if same(one.label, wanted)), Value(wanted, {axis: wanted}))
    own = axis in known_keys() and axis not in WORDS and all(set(one.changes) <= {axis} for one in values)
    return Value(None, {}) if own else values[0]


def baselines(file: SweepFile, found: list[Draft]) -> dict[Draft, Draft | None]:
    """Return for each run the one that it is compared with."""
    if file.mode == "one-at-a-time" and not file.runs:
        starts = {draft.group: draft for draft in found if not draft.off}
        return {draft: starts[draft.group] for draft in found}

    def place(point: Settings) -> frozenset[tuple[str, str]]:
        return frozenset((axis, str(label)) for axis, label in point.items())

    at = {place(draft.point): draft for draft in reversed(found)}
    return {draft: at.get(place(draft.point | file.baseline)) if file.baseline else None for draft in found}


def variant_of(draft: Draft, varying: Iterable[str], named: str) -> str:
    """Return what tells a run's folder from that of the plain recipe: `rank-8`.

    It spells out every setting that differs from what method and backbone say by themselves, whatever the hardware, so
    that sweeps share a run that is the same in both; where that is too long, it is `named`.
    """
    recipe = draft.recipe
    plain = replace(recipe, overrides={}).settings
    own = {key: plain[key] for key in (*recipe.method.settings, *recipe.backbone.settings, "seed") if key in plain}
    settings = {
        key: value
        for key, value in draft.settings.items()
        if key not in NOT_IDENTITY and not (key in own and same(own[key], value))
    }
    settings |= {key: draft.words[key] for key in ("hardware", "gpus") if key in varying}
    text = "-".join(slug(f"{groups()['short'].get(key, key)}-{value}") for key, value in settings.items())
    return text if len(text) <= LONGEST else named


def name_of(draft: Draft, varying: Iterable[str], start: bool) -> str:
    """Return what a run is called among those of its sweep that are asked the same questions.

    Its task is left out; what is mixed with the task's own rows (law_zh+rewritten) is not.
    """
    parts = []
    for key in varying:
        if key not in draft.point or (key not in WORDS and (start or (draft.off and key != draft.off))):
            continue
        label = str(draft.point[key])
        if key == "task":
            label = label.removeprefix(root_task(label)).lstrip(MIX + VARIANT)
        elif key == "model":
            label = folder_name(label)
        elif key not in ("method", "hardware", "data", "mix"):
            label = f"{groups()['short'].get(key, key)}-{label}"
        parts.append(slug(label) if label else "")
    parts.append("baseline" if start else "")
    return "-".join(filter(None, parts)) or f"{folder_name(draft.words['model'])}-{draft.words['method']}"


def slug(text: Any) -> str:
    """Return a text as one part of a path."""
    return re.sub(r"[^\w.+-]+", "-", str(text)).strip("-.") or "x"
