"""What is known of a task's rows: the converters' card, or what can be read off rows of the user's own.

An entry of dataset_info.json that is no task's is a TASK too: pairs for DPO, marks for KTO, or any rows that
LLaMA-Factory reads. They are trained on as they are. `NAME_val`, where there is such an entry, is evaluated on.
"""

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, quantiles
from typing import Any

import orjson

from common.errors import UserError, nearest
from common.files import read_json, read_object
from common.names import root_task
from common.paths import data_folder
from converters.registry import load_task, task_names
from converters.task import Task

INFO = Path("dataset_info.json")
CHARACTERS_PER_TOKEN = {"en": 4.2, "zh": 1.5}
"""Rough, for choices only: what the usual tokenizers of these languages reach."""


TOKENS_UNTIL_KNOWN = 350
"""Of a row that is not converted yet, for the plan's time: rows of the six tasks have 100 to 700 on average."""


@dataclass(frozen=True)
class DataFacts:
    """What is known of the rows before training. Lengths in characters of prompt and answer together."""

    rows: int = 0
    """To train on; 0 before they are converted."""
    language: str = "en"
    mean_characters: float = 0.0
    longest_usual: float = 0.0
    """The 95th percentile."""
    has_val: bool = True
    """Whether there are rows to evaluate on while training."""
    raw_rows: int = 0
    """Before they are converted: about how many there are, as far as known."""

    @property
    def mean_tokens(self) -> int:
        """About the tokens of a row."""
        return self.tokens(self.mean_characters) if self.rows else TOKENS_UNTIL_KNOWN

    def tokens(self, characters: float) -> int:
        """Estimate tokens from characters."""
        return round(characters / CHARACTERS_PER_TOKEN.get(self.language, 3.0)) + 30  # + the chat format


def data_facts(task: str, language: str = "", limit: int | None = None, rows: int = 0) -> DataFacts:
    """Read what is known of a task's rows; before they are converted, their language and about how many there are.

    `limit`: convert so many at most; `language` and `rows`: what is known of the task, where it was looked up already.
    """
    card = card_of(task)
    if not language:
        known = find_task(task)
        language, rows = known.language, known.rows
    if not card:
        return DataFacts(language=language, raw_rows=min(rows, limit or rows) or limit or 0)
    lengths, val = card["lengths"]["total"], not is_own(task) or f"{task}_val" in own_names()
    return DataFacts(card["files"]["train"]["rows"], language, lengths["mean"], lengths["p95"], val)


def find_task(name: str) -> Task:
    """Return a task by name, one of the user's own entries among them."""
    if not is_own(name):
        try:
            return load_task(name)
        except UserError as error:
            if close := nearest(name, own_names()):
                error.hint, error.close = f"{close} (in {INFO}); {error.hint}", close
            raise
    title, language = f"{name} ({_entry(name)[0]})", read_own(name)["language"]
    return Task(name=name, title=title, language=language, domain="own rows", files=(), convert=_none)


def _none(*_: Any) -> Any:
    raise UserError("rows of your own are trained on as they are", "make train TASK=... MODEL=...")


def own_names() -> list[str]:
    """Return the entries of dataset_info.json that are no task's."""
    entries = read_object(INFO)
    made = {f"{task}{split}" for task in task_names() for split in ("", "_val", "_test")}
    return [
        name
        for name, entry in entries.items()
        if isinstance(entry, dict) and name not in made and root_task(name) == name
    ]


def is_own(name: str) -> bool:
    """Tell whether a name is an entry of the user's own."""
    return name not in task_names() and name in own_names()


def card_of(task: str) -> dict[str, Any] | None:
    """Return what is known of the rows; None when they are not converted yet."""
    if is_own(task):
        return read_own(task)
    path = data_folder(task) / "card.json"
    return read_json(path) if path.is_file() else None


@functools.cache
def read_own(name: str) -> dict[str, Any]:
    """Read rows of the user's own: how many, how long, their hash, and their language."""
    path, columns = _entry(name)
    try:
        content = path.read_bytes()
        lines = content.splitlines() if path.suffix == ".jsonl" else ()
        rows = [orjson.loads(line) for line in lines if line.strip()] if lines else orjson.loads(content)
    except OSError as error:
        raise UserError(f"{INFO} names {path} for {name}: {error.strerror}", "correct its file_name") from None
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path} of {name} is not JSON: {error}", "give a .json list or .jsonl") from None
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise UserError(f"{path} of {name} holds no list of rows", "give a .json list of objects, or .jsonl")
    prompts, wholes = zip(*(_lengths(row, columns) for row in rows), strict=True)
    text = "".join(map(str, rows[:200]))
    chinese = len(re.findall(r"[\u4e00-\u9fff]", text)) > 0.2 * len(text)
    return {
        "source": path.as_posix(),
        "files": {"train": {"rows": len(rows), "sha256": hashlib.sha256(content).hexdigest()}},
        "lengths": {"prompt": _quantiles(prompts), "total": _quantiles(wholes)},
        "language": "zh" if chinese else "en",
    }


def _entry(name: str) -> tuple[Path, dict[str, str]]:
    """Return the file of an entry's rows, and what their columns are called; UserError where it names none."""
    entry = read_object(INFO)[name]
    file, columns = entry.get("file_name"), entry.get("columns") or {}
    if not isinstance(file, str) or not file:
        raise UserError(f"{name} of {INFO} has no file_name", "download the rows, and name their file there")
    if not isinstance(columns, dict) or not all(isinstance(column, str) for column in columns.values()):
        raise UserError(f"the columns of {name} in {INFO} must be names, got {columns}", 'as in {"prompt": "question"}')
    return Path(file), columns


def _lengths(row: dict[str, Any], columns: dict[str, str]) -> tuple[int, int]:
    """Return the characters of a row's question, and of all of it with the longer answer."""
    answers = [_characters(row.get(columns.get(key, key))) for key in ("response", "chosen", "rejected")]
    named = set(columns.values()) or {"instruction", "input", "output", "conversations", "system", "history"}
    everything = sum(_characters(row.get(column)) for column in named)
    return everything - sum(answers), everything - sum(answers) + max(answers)


def _characters(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(_characters, inner))


def _quantiles(lengths: tuple[int, ...]) -> dict[str, float]:
    cuts = quantiles(lengths, n=100, method="inclusive") if len(lengths) > 1 else [lengths[0]] * 99
    shares = {f"p{share}": round(cuts[share - 1]) for share in (5, 25, 50, 75, 90, 95, 99)}
    return {"mean": mean(lengths), "min": min(lengths), **shares, "max": max(lengths)}
