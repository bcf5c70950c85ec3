"""One conversion from source to finished folder: what `python -m converters convert` does."""

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy

from common.errors import UserError
from common.files import sha256_of, write_json
from common.paths import data_folder
from common.process import only_one
from converters.corpus.decide import decide
from converters.corpus.held_out import Variant, hold_out
from converters.corpus.judged_questions import judged_questions
from converters.corpus.splits import SPLITS, TEST, TRAIN, shares
from converters.output import card as cards
from converters.output.dataset_info import register
from converters.passes.first_pass import Stage, check_broken, stage
from converters.passes.second_pass import finish
from converters.read.sources import Source, find_source
from converters.rows.stage_row import has_system
from converters.settings import Settings, build_settings
from converters.task import Task
from converters.text.sketch import Array
from converters.tokens import load_tokenizer, token_lengths


def convert(
    task: Task,
    source: str = "",
    *,
    limit: int | None = None,
    given: dict[str, Any] | None = None,
    force: bool = False,
    processes: int = 0,
) -> dict[str, Any]:
    """Convert a task's rows into data/TASK unless they are there already, and return the card."""
    settings, options = build_settings(task, given or {})
    _check_limit(limit)
    found = find_source(task, source)
    identity = identity_of(task, found, settings, options, limit)
    folder = data_folder(task.name)
    with only_one(folder, wait=True):
        before = cards.read_card(task.name)
        if before and before["identity"] == sha256_of(identity) and not force and is_whole(folder, before):
            print(f"{folder} is up to date: {before['files']['train']['rows']:,} training rows from {before['source']}")
            register()
            return before
        if before:
            print(f"{folder} is converted anew: {difference(before['made_from'], identity)}")
        for note in found.notes:
            print(note)
        with work_folder(folder) as work:
            done = stage(task, found, settings, options, work, limit=limit, processes=processes)
            check_broken(done, settings)
            made = complete(task, settings, [done], identity=identity, source=found, processes=processes)
    register()
    return made


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """Give a folder for what is under way, which does not outlive the block: a full disk must not stay full of it."""
    work = folder / ".work"
    shutil.rmtree(work, ignore_errors=True)  # left by one that was killed, as are half-written splits
    for part in folder.glob(".*.jsonl.*.part"):
        part.unlink()
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def complete(
    task: Task, settings: Settings, stages: list[Stage], *, identity: dict[str, Any], source: Source, processes: int,
    variant: Variant | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Decide on all staged rows, write the splits, and the card last of all."""
    name = variant.name if variant else task.name
    folder = data_folder(name)
    names = stages[0].arrays.keys()
    arrays = {name: numpy.concatenate([stage.arrays[name] for stage in stages]) for name in names}
    fixed = fixed_splits(arrays["position"], source)
    if variant:
        fixed = variant.held_out.fixed(arrays, fixed)
    decision = decide(arrays, fixed, settings)
    if variant:
        hold_out(decision)
    tokenizer = load_tokenizer(settings.tokenizer) if settings.tokenizer else None
    # From here on the old rows are no longer whole, and what was made of them is out of date.
    for old in ("card.json", "report.html", *(f"{split}.json" for split in SPLITS)):
        (folder / old).unlink(missing_ok=True)
    paths = [file.spec.path for file in source.files]
    files, dropped, examples, kept = finish(
        stages, arrays, decision, files=paths, task=task, settings=settings, folder=folder, processes=processes,
        tested=variant.held_out.questions if variant else None,
    )  # fmt: skip
    for stage_ in stages:
        dropped = dropped + stage_.dropped
        for step, reasons in stage_.examples.items():
            examples[step] = [*examples.get(step, []), *reasons][:3]
    rows = sum(stage.rows for stage in stages)
    if not rows:
        raise UserError(f"there are no rows in {source.label}", "get the file again, or name another SOURCE")
    if rows != sum(file["rows"] for file in files.values()):
        raise AssertionError(f"{rows} rows came in, {files} came out")
    if not files["train"]["rows"]:
        told = [
            f"\n  {step['step']} {step['dropped']:,}, as {step['examples'][0]}"
            for step in cards.steps(rows, dropped, examples)
            if step["dropped"]
        ]
        raise UserError(
            f"no row of {source.label} is left to train on{''.join(told) or ': all of them are val or test rows'}",
            f"see {folder}/rejected.jsonl for each row's reason",
        )
    if variant:
        files |= variant.copy_splits(folder)
    if settings.array:
        _write_arrays(folder)
    trained = kept & (decision.split == TRAIN)
    val, test = shares(len(fixed), settings)
    made = {
        "task": name,
        "title": f"{task.title}; {variant.told}" if variant else task.title,
        "language": task.language,
        "domain": task.domain,
        "licence": task.licence,
        "url": task.url,
        "source": source.label,
        "files": files,
        "format": settings.format,
        "system": has_system(task, settings),
        "history": task.has_history,
        "rows": rows,
        "bytes": sum(stage.bytes for stage in stages),
        "steps": cards.steps(rows, dropped, examples),
        "cleaned": sum((stage.changed for stage in stages), Counter())["cleaned"],
        "languages": dict(sum((stage.languages for stage in stages), Counter()).most_common()),
        "split_shares": variant.base["split_shares"]
        if variant
        else {"val": val, "test": 0.0 if (fixed == TEST).any() else test},
        "lengths": _lengths(arrays, trained),
        "versions": cards.library_versions(),
        "made_from": identity,
        "identity": sha256_of(identity),
        **({"variant": variant.about} if variant else {}),
    }
    if tokenizer:
        lengths = token_lengths(folder / "train.jsonl", tokenizer)
        made["tokens"] = {"tokenizer": settings.tokenizer, **lengths}
    write_json(folder / "card.json", made)
    return made


def fixed_splits(positions: Array, source: Source) -> Array:
    """Return for each row the split that its file sets, -1 for none."""
    number = [SPLITS.index(file.spec.split) if file.spec.split else -1 for file in source.files]
    return numpy.array(number, numpy.int8)[(positions >> numpy.uint64(40)).astype(numpy.int64)]


def _lengths(arrays: dict[str, Array], rows: Array) -> dict[str, Any]:
    prompt, output = arrays["prompt"][rows], arrays["output"][rows]
    parts = {"prompt": prompt, "output": output, "total": prompt + output}
    return {"unit": "characters of training rows", **{name: cards.percentiles(part) for name, part in parts.items()}}


def _write_arrays(folder: Path) -> None:
    """Write each split once more as one JSON array, row by row."""
    from common.files import atomic

    for split in SPLITS:
        with atomic(folder / f"{split}.json") as out, (folder / f"{split}.jsonl").open("rb") as lines:
            out.write(b"[")
            for number, line in enumerate(lines):
                out.write((b",\n" if number else b"\n") + line.rstrip(b"\n"))
            out.write(b"\n]\n")


def _check_limit(limit: int | None) -> None:
    if limit is not None and limit < 1:
        raise UserError(f"LIMIT must be at least 1, got {limit}", "leave LIMIT out for all rows")


def identity_of(
    task: Task, source: Source, settings: Settings, options: dict[str, Any], limit: int | None
) -> dict[str, Any]:  # fmt: skip
    """Return all that decides what the rows become."""
    questions = judged_questions(task, settings) if settings.decontaminate else []
    return {
        "source": source.label,
        "source_files": source.identity,
        "settings": settings.as_dict(),
        "options": options,
        "limit": limit,
        "questions": sha256_of(questions),
        "converter": cards.converter_hash(task),
    }


def difference(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in words what makes a conversion necessary again."""
    told = []
    for key in ("source", "limit"):
        if before[key] != now[key]:
            told.append(f"{key} was {before[key]}, is {now[key]}")
    for group in ("settings", "options"):
        names = sorted(set(before[group]) | set(now[group]))
        told += [
            f"{name} was {before[group].get(name)!r}, is {now[group].get(name)!r}"
            for name in names
            if before[group].get(name) != now[group].get(name)
        ]
    if not told and before["source_files"] != now["source_files"]:
        told.append("the source has changed")
    if before["questions"] != now["questions"]:
        told.append("the judged questions have changed")
    if before["converter"] != now["converter"]:
        told.append("the converter has changed")
    return "; ".join(told) or "asked for, or a file is missing"


def is_whole(folder: Path, made: dict[str, Any]) -> bool:
    """Tell whether every file that a card speaks of is there."""
    names = [f"{name}.jsonl" for name in made["files"]]
    names += [f"{split}.json" for split in SPLITS] if made["made_from"]["settings"]["array"] else []
    return all((folder / name).is_file() for name in names)
