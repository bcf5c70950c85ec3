"""From a sweep's axes to its runs: every combination, or one axis off the baseline at a time, or a list. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from common.names import MIX, VARIANT, root_task
from common.paths import folder_name
from recipes.llamafactory.keys import known_keys
from recipes.run import NOT_IDENTITY
from recipes.sweeping.planning.spec import Spec
from recipes.sweeping.planning.values import WORDS, Settings, Value, same

LONGEST = 60
"""Characters of a variant or a name, which become parts of paths."""
DEFAULT_WORDS = {"method": "lora", "hardware": "auto", "gpus": 1}


@dataclass(frozen=True)
class Draft:
    """A run as the sweep file means it, before anything was looked up."""

    words: Settings
    settings: Settings
    data: tuple[str, Settings] = ("", {})
    """Name of the data variant ("" for the task's own rows) and the converter's settings."""
    point: dict[str, Any] = field(default_factory=dict)
    """Axis -> what this run's value is called; None where the baseline leaves it to the recipe."""
    off: str = ""
    """In a sweep of one axis at a time: the axis that is off the baseline; "" in the baseline itself."""
    group: tuple[Any, ...] = ()
    """The words that the whole comparison is done for: a baseline holds within a group."""
    prefix: str = ""
    """VARIANT, in front of every run's own."""


def drafts(spec: Spec) -> list[Draft]:
    """Return every run of a sweep, in the order in which it is meant to be read."""
    outer = {key: [Value(one, words={key: one}) for one in values] for key, values in spec.words.items()}
    varying = [key for key, values in outer.items() if len(values) > 1]
    found = []
    for words in product(*outer.values()):
        fixed = dict(zip(outer, words, strict=True))
        group = tuple(fixed[key].label for key in varying)
        for off, inner in _design(spec):
            values = {**fixed, **inner}
            point = {key: one.label for key, one in values.items() if key in inner or key in varying}
            found.append(_draft(spec, values, point, off, group))
    return found


def _design(spec: Spec) -> Iterator[tuple[str, Mapping[str, Value]]]:
    """Yield (axis that is off the baseline, values) of each run of the comparison."""
    if spec.runs:
        yield from (("", run) for run in spec.runs)
    elif spec.mode == "one-at-a-time":
        start = {axis: baseline_value(spec, axis) for axis in spec.axes}
        yield "", start
        for axis, values in spec.axes.items():
            yield from ((axis, start | {axis: one}) for one in values if not same(one.label, start[axis].label))
    else:
        yield from (("", dict(zip(spec.axes, values, strict=True))) for values in product(*spec.axes.values()))


def baseline_value(spec: Spec, axis: str) -> Value:
    """Return where an axis begins: what `baseline:` names, the recipe's own for a recipe key, or its first value."""
    values = spec.axes[axis]
    if axis in spec.baseline:
        wanted = spec.baseline[axis]
        found = next((one for one in values if same(one.label, wanted)), None)
        return found or Value(wanted, settings={axis: wanted})
    if is_key_axis(axis, values):
        return Value(None)
    return values[0]


def is_key_axis(axis: str, values: list[Value]) -> bool:
    """Tell whether an axis is a plain recipe key, whose value the recipe has by itself."""
    return axis in known_keys() and axis not in WORDS and all(set(one.settings) <= {axis} for one in values)


def _draft(
    spec: Spec, values: Mapping[str, Value], point: dict[str, Any], off: str, group: tuple[Any, ...]
) -> Draft:  # fmt: skip
    words, settings = dict(DEFAULT_WORDS), dict(spec.settings)
    data: tuple[str, Settings] = ("", {})
    for one in values.values():
        words |= one.words
        settings |= one.settings
        data = one.data or data
    return Draft(words, settings, data, point, off, group, slug(spec.variant) if spec.variant else "")


def variant_of(draft: Draft, own: Mapping[str, Any], varying: set[str]) -> str:
    """Return what tells a run's folder from that of the plain recipe: every setting that differs from its `own`."""
    parts = [draft.prefix] if draft.prefix else []
    parts += [
        f"{key}-{value}"
        for key, value in draft.settings.items()
        if key not in NOT_IDENTITY and not (key in own and same(own[key], value))
    ]
    parts += [f"{key}-{draft.words[key]}" for key in ("hardware", "gpus") if key in varying]
    return shortened("-".join(slug(part) for part in parts))


def slug(text: Any) -> str:
    """Return a text as one part of a path."""
    return re.sub(r"[^\w.+-]+", "-", str(text)).strip("-.") or "x"


def shortened(text: str) -> str:
    """Return a text that is at most LONGEST characters long, and still unlike any other."""
    from common.files import sha256_of

    return text if len(text) <= LONGEST else f"{text[: LONGEST - 7]}-{sha256_of(text)[:6]}"


def name_of(draft: Draft, point: Mapping[str, Any], varying: set[str], baseline: bool) -> str:
    """Return what a run is called among those of its sweep that are asked the same questions.

    Its task is left out; what is mixed with the task's own rows (law_zh+rewritten) is not.
    """
    task = str(point.get("task", ""))
    mixed = task.removeprefix(root_task(task)).lstrip(MIX + VARIANT)
    parts = [mixed] if mixed and "task" in varying else []
    for key, label in point.items():
        if (
            key == "task"
            or key not in varying
            or (baseline and key not in WORDS)
            or (draft.off and key != draft.off and key not in WORDS)
        ):
            continue
        shown = folder_name(str(label)) if key == "model" else str(label)
        parts.append(shown if key in (*WORDS, "data") and key != "gpus" else f"{key}-{shown}")
    if baseline:
        parts.append("baseline")
    return shortened(
        "-".join(slug(part) for part in parts) or f"{folder_name(draft.words['model'])}-{draft.words['method']}"
    )
