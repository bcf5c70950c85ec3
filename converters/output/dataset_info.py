"""Keeps dataset_info.json in step with the converted rows: at the root for our recipes, in data/ for the stock web UI.

ASCII only: LLaMA-Factory opens the file in the system's own encoding. Entries that somebody else wrote are left alone.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.files import read_object, write_text
from common.paths import DATA
from converters.corpus.splits import SPLITS
from converters.output.card import converted_tasks, read_card
from converters.registry import ORDER
from converters.rows.formats import entry

FILE = Path("dataset_info.json")


def register() -> None:
    """Bring both files up to date with the cards that are there."""
    from filelock import FileLock

    DATA.mkdir(parents=True, exist_ok=True)
    with FileLock(FILE.with_name(f"{FILE.name}.lock")):
        cards = {task: card for task in converted_tasks() if (card := read_card(task))}
        # In the same order whether converted or not, so that a checkout's file changes only where its content does.
        names = dict.fromkeys([*ORDER, *cards])
        _update(FILE, dict(one for task in names for one in entries(task, cards.get(task), "data/")), "data/")
        _update(DATA / FILE, dict(one for task in cards for one in entries(task, cards[task], "")), "")


def entries(task: str, card: dict[str, Any] | None, beginning: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (name, entry) for each split that has rows; for all of a task not converted yet, so that they are seen."""
    known = card or {"format": "alpaca", "system": False, "history": False}
    for split in SPLITS:
        if card is None or card["files"][split]["rows"]:
            file_name = f"{beginning}{task}/{split}.jsonl"
            yield entry_name(task, split), entry(known["format"], file_name, known["system"], known["history"])


def entry_name(task: str, split: str) -> str:
    """Return the name under which LLaMA-Factory knows a split: the task's own for train, task_val, task_test."""
    return task if split == "train" else f"{task}_{split}"


def _update(path: Path, wanted: dict[str, dict[str, Any]], beginning: str) -> None:
    before = read_object(path)
    foreign = {name: value for name, value in before.items() if not _is_ours(name, value, beginning)}
    for name in sorted(set(foreign) & set(wanted)):
        told = f"{path}: {name} is an entry of your own and stays as it is; the task's rows are not listed"
        print(told, file=sys.stderr)
    after = {**foreign, **{name: wanted[name] for name in wanted if name not in foreign}}
    text = json.dumps(after, indent=2, ensure_ascii=True) + "\n"
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def _is_ours(name: str, value: Any, beginning: str) -> bool:
    """Tell whether an entry is one that we wrote: its name and file name say the same, and it has just our keys."""
    if not isinstance(value, dict) or not set(value) <= {"file_name", "formatting", "columns", "tags"}:
        return False
    file_name = str(value.get("file_name", ""))
    task, _, split = file_name.removeprefix(beginning).removesuffix(".jsonl").partition("/")
    return split in SPLITS and name == entry_name(task, split) and file_name == f"{beginning}{task}/{split}.jsonl"
