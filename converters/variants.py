"""A variant: the folder data/TASK~NAME/, whose training rows are those of TASK under other settings.

It shows what a step of the conversion is worth. val.jsonl and test.jsonl are the base task's own, byte for byte, so
that results can be compared, and none of their rows or questions is trained on, whatever the settings are.
"""

import re
import shutil
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import write_json
from common.names import MIX, VARIANT
from common.paths import data_folder
from common.process import only_one
from common.schema import typed
from converters.convert import convert, finish, resolve, work_folder
from converters.corpus.decide import HeldOut
from converters.output.card import is_whole, read_card
from converters.output.dataset_info import register
from converters.passes.first_pass import Job, stage
from converters.passes.second_pass import HeldOutRow, held_out_rows
from converters.registry import load_task
from converters.settings import build_settings
from converters.task import Task

NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")
OF_THE_BASE = ("format", "system", "test", "val", "seed")
"""Settings that decide what is held out, or how it is written."""


def convert_variant(
    name: str, source: str = "", *, limit: int | None = None, given: dict[str, Any] | None = None,
    force: bool = False, processes: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Write data/NAME unless it is up to date, its base task first where that is missing; return the card."""
    task = load_task(named(name)[0])
    base, before, folder = read_card(task.name), read_card(name), data_folder(name)
    source, limit = _same_source(task, base, source, limit)
    other = _other_settings(task, name, before, given or {})
    with only_one(folder, wait=True):
        if before and not force and is_whole(folder, before):
            if base and before["variant"] == {"base": rows_of(base), "settings": other}:
                print(f"{folder} is up to date: {before['files']['train']['rows']:,} training rows, {_told(other)}")
                register()
                return before
            print(f"{folder} is converted again: its settings or the rows of {task.name} have changed")
        base = convert(task, source, limit=limit, given=_settings_of(base), processes=processes)
        job = resolve(task, source, {**_settings_of(base), **other}, limit, processes)
        with work_folder(folder) as work:
            held_out, elsewhere = _held_out(resolve(task, source, _settings_of(base), limit, processes), work / "base")
            done = stage(job, work / "own")
            decision = done.decide(job, held_out)
            held_out.leave_out(decision)
            card = finish(job, done, decision, folder, elsewhere)
            card |= {
                "task": name,
                "title": f"{task.title}; {_told(other)}",
                "files": card["files"] | _copy_held_out(base, folder),
                "split_shares": base["split_shares"],
                "variant": {"base": rows_of(base), "settings": other},
            }
            write_json(folder / "card.json", card)
    register()
    return card


def _held_out(job: Job, work: Path) -> tuple[HeldOut, list[HeldOutRow]]:
    """Decide on the base task's rows once more: its files do not say where in the source their rows stood."""
    done = stage(job, work)
    decision = done.decide(job)
    return HeldOut(done.arrays, decision), held_out_rows(done, decision)


def _copy_held_out(base: dict[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Copy the base task's val and test rows, and return what its card says of them."""
    for split in ("val", "test"):
        shutil.copyfile(data_folder(base["task"]) / f"{split}.jsonl", folder / f"{split}.jsonl")
    return {split: base["files"][split] for split in ("val", "test")}


def _told(settings: dict[str, Any]) -> str:
    """Return settings as a user types them."""
    return "with " + " ".join(f"{key}={typed(value)}" for key, value in settings.items())


def rows_of(card: dict[str, Any]) -> dict[str, str]:
    """Return what tells whether a base task's rows are still the same: the hash of each of its splits."""
    return {split: entry["sha256"] for split, entry in card["files"].items() if split != "rejected"}


def named(task: str, variant: str = "") -> tuple[str, str]:
    """Return (base task, variant) of TASK=law_zh~raw, or of TASK=law_zh VARIANT=raw; UserError for other names."""
    base, mark, inside = task.partition(VARIANT)
    if MIX in task or (mark and variant) or not NAME.fullmatch(variant or inside):
        raise UserError(
            f"TASK={task}{f' VARIANT={variant}' if variant else ''} names no variant",
            "TASK=law_zh VARIANT=raw, or TASK=law_zh~raw: small letters, digits, _ . and -; a mix has no variants",
        )
    return base, variant or inside


def _settings_of(card: dict[str, Any] | None) -> dict[str, Any]:
    """Return all that SET can say, as it was said for a card's rows."""
    return {**card["made_from"]["settings"], **card["made_from"]["options"]} if card else {}


def _other_settings(
    task: Task, name: str, before: dict[str, Any] | None, given: dict[str, Any]
) -> dict[str, Any]:  # fmt: skip
    """Return the settings that differ from the base task's: those given, else those of the time before."""
    if refused := [key for key in given if key in OF_THE_BASE]:
        raise UserError(
            f"a variant cannot set {', '.join(refused)}: its val and test rows are those of {task.name}",
            f"set that for {task.name} itself; a variant sets what becomes of its training rows",
        )
    build_settings(task, given)
    if not given and not before:
        raise UserError(
            f"there is no {name} yet, and no SET that says how it differs from {task.name}",
            f'make convert TASK={name} SET="near=0"; `python -m converters list --task {task.name}` shows all keys',
        )
    return given or dict(before["variant"]["settings"] if before else {})


def _same_source(
    task: Task, base: dict[str, Any] | None, source: str, limit: int | None
) -> tuple[str, int | None]:  # fmt: skip
    """Return SOURCE and LIMIT of the base task's rows; UserError when others are asked for."""
    if base is None:
        return source, limit
    known = base["made_from"]
    if (source and source != known["source"]) or (limit is not None and limit != known["limit"]):
        raise UserError(
            f"{task.name} was converted from {known['source']}, LIMIT={known['limit'] or 'none'}, and its variants are "
            "made of the same rows",
            f"leave SOURCE and LIMIT out, or convert TASK={task.name} with them first",
        )
    return "" if "hub" in known["source_files"] else known["source"], known["limit"]
