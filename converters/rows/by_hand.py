"""decisions.jsonl: what a person decided about single rows (`make rows`), by what the rows say, not where they stand.

A row that is kept goes by its id, which is a hash of its converted text; a rejected one by a hash of the original.
"""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from common.errors import UserError
from common.files import read_jsonl, sha256_of
from common.names import root_task
from common.paths import data_folder
from converters.task import Record
from converters.text.sketch import Array

DROP, KEEP, EDIT = "drop", "keep", "edit"
KEY = re.compile(r"(?:rejected-)?[0-9a-f]{16}")


@dataclass(frozen=True)
class ByHand:
    """The decisions on a task's rows: for each key the line of decisions.jsonl."""

    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, task: str) -> "ByHand":
        """Read those of a task; a variant has the ones of the task that it is a variant of."""
        path = decisions_file(task)
        rows = list(read_jsonl(path)) if path.is_file() else []
        if wrong := next((f"line {n}: {why}" for n, row in enumerate(rows, 1) if (why := problem(row))), ""):
            raise UserError(f"{path} cannot be followed: {wrong}", "correct that line, or take it out")
        return cls({row["key"]: row for row in rows})

    @property
    def sha256(self) -> str:
        """Tell whether they are the same as those that some rows were made with."""
        return sha256_of([[key, row["decision"], row.get("row")] for key, row in sorted(self.decisions.items())])

    def about(self, original: bytes) -> dict[str, Any] | None:
        """Return the decision on a row that was rejected once; `original` is its JSON."""
        return self.decisions.get(key_of(original)) if self.decisions else None

    def edited(self, ids: Array) -> list[tuple[int, dict[str, Any]]]:
        """Return (place, decision) of the ids whose rows were edited."""
        places = numpy.flatnonzero(numpy.isin(ids, self.ids(EDIT)))
        return [(place, self.decisions[f"{ids[place]:016x}"]) for place in places.tolist()]

    def ids(self, *decisions: str) -> Array:
        """Return the ids that have one of these decisions."""
        found = [int(key, 16) for key, row in self.decisions.items() if row["decision"] in decisions and "-" not in key]
        return numpy.array(found, numpy.uint64)


def decisions_file(task: str) -> Path:
    """Return the path of a task's decisions.jsonl, which need not be there."""
    return data_folder(root_task(task)) / "decisions.jsonl"


def key_of(original: bytes) -> str:
    """Return the key of a rejected row."""
    return f"rejected-{hashlib.blake2b(original, digest_size=8).hexdigest()}"


def put(record: Record, decision: dict[str, Any]) -> None:
    """Put the edited text in place of a record's own."""
    text = decision["row"]
    if (text["instruction"], text["input"]) != (record.instruction, record.input):
        record.question = ""
    record.instruction, record.input, record.output = text["instruction"], text["input"], text["output"]
    record.system = text.get("system", record.system)
    record.history = [(asked, told) for asked, told in text.get("history", record.history)]


def problem(row: Any) -> str:
    """Return what is wrong with a decision, "" when nothing is."""
    if not isinstance(row, dict) or row.get("decision") not in (DROP, KEEP, EDIT):
        return "no decision: drop, keep or edit"
    key = row.get("key")
    if not isinstance(key, str) or not KEY.fullmatch(key):
        return "no key of a row"
    if row["decision"] != EDIT:
        return ""
    text = row.get("row")
    parts = ("instruction", "input", "output")
    if not isinstance(text, dict) or not all(isinstance(text.get(part), str) for part in parts):
        return "no texts in `row`: instruction, input and output"
    turns = text.get("history", [])
    if not isinstance(text.get("system", ""), str) or not isinstance(turns, list) or not all(map(_is_turn, turns)):
        return "`history` is no list of (question, answer), or `system` no text"
    if not f"{text['instruction']}{text['input']}".strip() or not text["output"].strip():
        return "a row without a question or an answer"
    return ""


def _is_turn(turn: Any) -> bool:
    return isinstance(turn, list) and len(turn) == 2 and all(isinstance(part, str) for part in turn)
