"""card.json: what a conversion made of what, and how. Written last: it is what marks the rows as whole."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy

from common.files import read_json
from common.paths import DATA, data_folder
from common.versions import versions
from converters.registry import task_file
from converters.task import Task
from converters.text.sketch import Array

MADE_BY = ("text", "read", "rows", "corpus", "passes", "convert.py", "settings.py", "custom_task.py", "task.py")
"""Folders and files whose code decides what the rows become."""
PACKAGES = ("datasets", "huggingface_hub", "orjson", "ftfy", "rensa", "numpy", "pyarrow")
PERCENTILES = (5, 25, 50, 75, 90, 95, 99)
ORDER = (
    "read", "columns", "convert", "filter", "score", "domain", "boilerplate", "empty", "length", "language",
    "duplicate", "near_duplicate", "answers", "contaminated",
)  # fmt: skip
"""The steps in the order in which a row meets them."""


def read_card(task: str) -> dict[str, Any] | None:
    """Return the card of a task's rows, None when they have not been converted (or nobody can read it any more)."""
    path = data_folder(task) / "card.json"
    try:
        card = read_json(path) if path.is_file() else None
    except ValueError:
        return None
    return card if isinstance(card, dict) and "files" in card else None


def converted_tasks() -> list[str]:
    """Return the tasks whose rows are there, by name."""
    return sorted(path.parent.name for path in DATA.glob("*/card.json"))


def percentiles(lengths: Array) -> dict[str, float]:
    """Return mean, percentiles and extremes of some lengths."""
    if not len(lengths):
        return {"mean": 0.0, **{f"p{share}": 0 for share in PERCENTILES}, "min": 0, "max": 0}
    found = numpy.percentile(lengths, PERCENTILES).round().astype(int).tolist()
    named = {f"p{share}": value for share, value in zip(PERCENTILES, found, strict=True)}
    return {"mean": round(float(lengths.mean()), 1), **named, "min": int(lengths.min()), "max": int(lengths.max())}


def steps(rows: int, dropped: Counter[str], examples: dict[str, list[str]]) -> list[dict[str, Any]]:
    """Return for each step how many rows came in, how many it dropped, and its first reasons."""
    told = []
    for step in [*ORDER, *sorted(set(dropped) - set(ORDER))]:
        told.append({"step": step, "in": rows, "dropped": dropped[step], "examples": examples.get(step, [])})
        rows -= dropped[step]
    return told


def converter_hash(task: Task) -> str:
    """Return a hash of the source that makes the rows: other code may make other rows of the same source."""
    digest = hashlib.sha256()
    here = Path(__file__).parents[1]
    shared = [path for name in MADE_BY for path in (sorted((here / name).rglob("*.py")) or [here / name])]
    for path in [*shared, task_file(task.name)]:
        digest.update(path.read_bytes() if path and path.is_file() else b"")
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Return the versions that the rows were made with."""
    return versions(*PACKAGES)
