"""One conversion from source to finished folder: what `python -m converters convert` does."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import sha256_of, write_json
from common.paths import data_folder
from common.process import is_held, only_one
from converters.corpus.decide import Decision
from converters.output.card import difference, identity_of, is_whole, make_card, read_card, steps
from converters.output.dataset_info import register
from converters.passes.first_pass import Job, Stage, stage
from converters.passes.second_pass import HeldOutRow, drop_contaminated, write
from converters.read.sources import find_source
from converters.rows.by_hand import ByHand
from converters.rows.stage_row import Rejected
from converters.settings import build_settings
from converters.task import Task


def resolve(
    task: Task, source: str, given: dict[str, Any], limit: int | None = None, processes: int = 0
) -> Job:  # fmt: skip
    """Look up everything that a conversion's command names."""
    settings, options = build_settings(task, given)
    if limit is not None and limit < 1:
        raise UserError(f"LIMIT must be at least 1, got {limit}", "leave LIMIT out for all rows")
    return Job(task, settings, options, find_source(task, source), limit, processes, ByHand.of(task.name))


def convert(
    task: Task, source: str = "", *, limit: int | None = None, given: dict[str, Any] | None = None,
    force: bool = False, processes: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Convert a task's rows into data/TASK unless they are there already, and return the card."""
    job = resolve(task, source, given or {}, limit, processes)
    folder = data_folder(task.name)
    with only_one(folder, wait=True):
        card, identity = read_card(task.name), identity_of(job)
        if card and card["identity"] == sha256_of(identity) and not force and is_whole(folder, card):
            print(f"{folder} is up to date: {card['files']['train']['rows']:,} training rows from {card['source']}")
            register()
            return card
        if under_way := [path.parent for path in folder.glob("*/made_from.json") if is_held(path.parent)]:
            raise UserError(
                f"{under_way[0]} is being made from the rows of {task.name}, which would change under it",
                "wait for it, or end it; then the same command goes on",
            )
        if card:
            print(f"{folder} is converted again: {difference(card['made_from'], identity)}")
        for note in job.source.notes:
            print(note)
        with work_folder(folder) as work:
            done = stage(job, work)
            card = finish(job, done, done.decide(job), folder)
            write_json(folder / "card.json", card)
    register()
    return card


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


def finish(
    job: Job, done: Stage, decision: Decision, folder: Path, elsewhere: list[HeldOutRow] | None = None
) -> dict[str, Any]:  # fmt: skip
    """Write the splits into a folder and return their card. `elsewhere` are other rows that are held out."""
    for old in ("card.json", "report.html"):  # from here on the old rows are no longer whole
        (folder / old).unlink(missing_ok=True)
    cost = drop_contaminated(job, done, decision, elsewhere or []) if job.settings.decontaminate else {}
    files, rejected = write(job, done, decision, folder)
    if done.rows != sum(file["rows"] for file in files.values()):
        raise AssertionError(f"{done.rows} rows came in, {files} came out")
    if not files["train"]["rows"]:
        raise _nothing_left(job, done.rows, rejected, folder)
    return make_card(job, done, decision, files, rejected) | {"dropped_for": cost}


def _nothing_left(job: Job, rows: int, rejected: Rejected, folder: Path) -> UserError:
    told = "".join(
        f"\n  {step['step']} {step['dropped']:,}, as {step['examples'][0]}"
        for step in steps(rows, rejected)
        if step["dropped"]
    )
    return UserError(
        f"no row of {job.source.label} is left to train on{told or ': all of them are val or test rows'}",
        f"see {folder}/rejected.jsonl for each row's reason",
    )
