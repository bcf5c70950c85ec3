"""card.json: what a conversion made of what, and how. Written last: it is what marks the rows as whole."""

import hashlib
from pathlib import Path
from typing import Any

import numpy

from common.files import read_json, sha256_of
from common.paths import DATA, data_folder
from common.versions import versions
from converters.corpus.decide import BY_HAND, KEPT, Decision
from converters.corpus.splits import TEST, TRAIN, shares
from converters.passes.first_pass import Job, Stage
from converters.registry import task_file
from converters.rows.by_hand import DROP, EDIT, KEEP
from converters.rows.stage_row import Rejected, has_system
from converters.task import Task
from converters.text.sketch import Array

MADE_BY = ("text", "read", "rows", "corpus", "passes", "convert.py", "settings.py", "custom_task.py", "task.py")
"""Folders and files whose code decides what the rows become."""
PACKAGES = ("datasets", "huggingface_hub", "orjson", "ftfy", "rensa", "numpy", "pyarrow")
PERCENTILES = (5, 25, 50, 75, 90, 95, 99)
ORDER = (
    "read", "columns", "convert", "filter", "score", "domain", "boilerplate", "empty", "length", "language",
    "duplicate", "near_duplicate", "answers", "contaminated", "by_hand",
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


def identity_of(job: Job) -> dict[str, Any]:
    """Return all that decides what the rows become."""
    return {
        "source": job.source.label,
        "source_files": job.source.identity,
        "settings": job.settings.model_dump(),
        "options": job.options,
        "limit": job.limit,
        "questions": sha256_of(job.questions),
        "by_hand": job.by_hand.sha256,
        "converter": converter_hash(job.task),
    }


def make_card(
    job: Job, stage: Stage, decision: Decision, files: dict[str, dict[str, Any]], rejected: Rejected
) -> dict[str, Any]:  # fmt: skip
    """Return the card of rows that have been written."""
    task, identity = job.task, identity_of(job)
    fixed = job.fixed_splits(stage.arrays["position"])
    val, test = shares(len(fixed), job.settings)
    return {
        "task": task.name,
        "title": task.title,
        "language": task.language,
        "domain": task.domain,
        "licence": task.licence,
        "url": task.page,
        "source": job.source.label,
        "files": files,
        "format": job.settings.format,
        "system": has_system(task, job.settings),
        "history": task.has_history,
        "rows": stage.rows,
        "bytes": stage.bytes,
        "steps": steps(stage.rows, rejected),
        "by_hand": _by_hand(job, stage, decision),
        "cleaned": stage.cleaned,
        "languages": dict(stage.languages.most_common()),
        "split_shares": {"val": val, "test": 0.0 if (fixed == TEST).any() else test},
        "judged_questions": len(job.questions),
        "lengths": lengths_of(*(stage.arrays[name][decision.kept(TRAIN)] for name in ("prompt", "output"))),
        "versions": versions(*PACKAGES),
        "made_from": identity,
        "identity": sha256_of(identity),
    }


def _by_hand(job: Job, stage: Stage, decision: Decision) -> dict[str, int]:
    """Return how many rows decisions.jsonl changed, and how many of its decisions found no row."""
    ids, kept = stage.arrays["id"], decision.fate == KEPT
    decided = job.by_hand.ids(DROP, KEEP, EDIT)
    found = len(stage.decided) + int(numpy.isin(decided, ids).sum())
    return {
        "dropped": int((decision.fate == BY_HAND).sum()),
        "kept": int((kept & stage.arrays["wanted"]).sum()),
        "edited": int((kept & numpy.isin(ids, job.by_hand.ids(EDIT))).sum()),
        "found no row": len(job.by_hand.decisions) - found,
    }


def difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in words what makes a conversion necessary again."""
    old, new = (
        {"source": one["source"], "limit": one["limit"], **one["settings"], **one["options"]} for one in (before, now)
    )
    names = sorted(old.keys() | new.keys())
    told = [f"{name} was {_shown(old.get(name))}, is {_shown(new.get(name))}"
            for name in names if old.get(name) != new.get(name)]  # fmt: skip
    if not told and before["source_files"] != now["source_files"]:
        told.append("the source has changed")
    parts = {"questions": "the judged questions", "by_hand": "decisions.jsonl", "converter": "the converter"}
    told += [f"{what} changed since" for part, what in parts.items() if before.get(part) != now[part]]
    return "; ".join(told) or "asked for, or a file is missing"


def _shown(value: Any) -> str:
    return "not set" if value is None or value is False or value == "" else repr(value)


def is_whole(folder: Path, card: dict[str, Any]) -> bool:
    """Tell whether every file that a card speaks of is there."""
    return all((folder / f"{name}.jsonl").is_file() for name in card["files"])


def percentiles(lengths: Array) -> dict[str, float]:
    """Return mean, percentiles and extremes of some lengths."""
    lengths = lengths if len(lengths) else numpy.zeros(1, int)
    found = numpy.percentile(lengths, PERCENTILES).round().astype(int).tolist()
    named = {f"p{share}": value for share, value in zip(PERCENTILES, found, strict=True)}
    return {"mean": round(float(lengths.mean()), 1), **named, "min": int(lengths.min()), "max": int(lengths.max())}


def lengths_of(prompt: Array, output: Array) -> dict[str, Any]:
    """Return the lengths of the training rows as a card has them."""
    parts = {"prompt": prompt, "output": output, "total": prompt + output}
    return {"unit": "characters of training rows", **{name: percentiles(part) for name, part in parts.items()}}


def steps(rows: int, rejected: Rejected) -> list[dict[str, Any]]:
    """Return for each step how many rows came in, how many it dropped, and its first reasons."""
    told = []
    for step in [*ORDER, *sorted(set(rejected.counts) - set(ORDER))]:
        dropped = rejected.counts[step]
        told.append({"step": step, "in": rows, "dropped": dropped, "examples": rejected.examples.get(step, [])})
        rows -= dropped
    return told


def converter_hash(task: Task) -> str:
    """Return a hash of the source that makes the rows: other code may make other rows of the same source."""
    digest = hashlib.sha256()
    here = Path(__file__).parents[1]
    files = [path for name in MADE_BY for path in [here / name, *sorted((here / name).rglob("*"))]]
    used = [path for path in files if path.suffix in (".py", ".yaml")]
    if own := task_file(task.name):  # and the words and weights that it reads
        used += [own, own.with_suffix(".tsv")]
    for path in used:
        digest.update(path.read_bytes() if path.is_file() else b"")
    return digest.hexdigest()
