"""The judged questions that training rows must stay clear of: the task's own, or a file of the user's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.names import root_task
from common.paths import QUESTIONS
from converters.read.files import read_chunks
from converters.read.json_rows import parse_line
from converters.read.text import Broken
from converters.settings import Settings
from converters.task import Task

# What a column may be called, in any case; judging (eval/records/questions.py) knows them by the same names.
QUESTION = ("question", "instruction", "prompt", "query", "问题", "题目")
REFERENCE = ("reference", "output", "answer", "reference_answer", "参考答案", "答案")


def judged_questions(task: Task, settings: Settings) -> list[tuple[str, str]]:
    """Return (name, text) of the judged questions and their reference answers."""
    if settings.questions:
        paths = [Path(settings.questions).expanduser()]
    else:
        base = root_task(task.name)
        paths = [path for name in (base, f"{base}_choice") if (path := QUESTIONS / f"{name}.jsonl").is_file()]
    return [found for path in paths for found in _in_file(path)]


def _in_file(path: Path) -> Iterator[tuple[str, str]]:
    if not path.is_file():
        raise UserError(f"no such file of judged questions: {path}", "SET questions= must name an existing file")
    for chunk in read_chunks(path):
        for number, raw in enumerate(chunk.rows, chunk.first):
            row = parse_line(raw) if isinstance(raw, bytes) else raw
            question = "" if isinstance(row, Broken) else _first(row, QUESTION)
            if isinstance(row, Broken) or not question:
                wrong = row.reason if isinstance(row, Broken) else f"no question; there are {', '.join(row) or 'none'}"
                raise UserError(
                    f"{path}, row {number}, is no judged question: {wrong}",
                    'a row is like {"id": "1", "question": "...", "reference": "..."}',
                )
            name = row.get("id") or number
            yield f"judged question {name}", question
            if reference := _first(row, REFERENCE):
                yield f"the reference answer to {name}", reference


def _first(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    named = {str(name).strip().lower(): value for name, value in row.items()}
    return next((str(named[column]) for column in columns if named.get(column)), "")
