"""Questions: the 20 of each task that come with Whetstone, or the user's own file."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from common.errors import UserError, unknown
from common.files import read_jsonl
from common.paths import QUESTIONS, data_folder, questions_file
from common.progress import notice
from converters.corpus.judged_questions import QUESTION, REFERENCE
from converters.read.files import read_chunks
from converters.read.json_rows import parse_line
from converters.read.text import Broken

# What a column may be called in a user's own file, in any case; the first is ours.
COLUMNS = {
    "id": ("id", "question_id", "qid", "uid"),
    "category": ("category", "type", "subject", "类别"),
    "question": QUESTION,
    "reference": REFERENCE,
}
LETTERS = "abcdefgh"  # columns of a table that hold the choices
SHOWN = 10  # problems of one file
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
LANGUAGE_FROM_HAN_SHARE = 0.2


@dataclass(frozen=True)
class Question:
    """One question. `choices` (letter -> text) and `letter` (the right one) only for multiple choice.

    `use` is "judge" (compared by a judge), "choice" (scored by its letter) or "test" (a row of the test split,
    scored against its reference by chrF and ROUGE).
    """

    id: str
    text: str
    reference: str = ""
    category: str = ""
    choices: dict[str, str] = field(default_factory=dict)
    letter: str = ""
    use: str = "judge"
    checklist: tuple[str, ...] = ()
    """What a good answer must have."""

    def row(self) -> dict[str, Any]:
        """Return this question as it stands in a file."""
        row = asdict(self)
        return {"id": row.pop("id"), "question": row.pop("text")} | row


def bundled(task: str, choice: bool = False) -> Path:
    """Return the file of a task's own questions (law_zh~raw+extra has those of law_zh), or of its multiple choice."""
    path = questions_file(task)
    if choice:
        return path.with_stem(f"{path.stem}_choice")
    if not path.exists():
        names = [file.stem for file in QUESTIONS.glob("*.jsonl") if not file.stem.endswith("_choice")]
        error = unknown("task with questions", path.stem, names, "ls eval/questions")
        raise UserError(error.message, error.hint + "; or name your own file: QUESTIONS=my.jsonl")
    return path


def load_questions(path: Path, limit: int = 0, *, repeats: bool = False) -> list[Question]:
    """Read questions from any file of rows, or from plain lines; all that is wrong is said at once.

    `repeats` allows one question under two ids, as two users' files can bring it into a folder; in one file it would
    count twice.
    """
    if not path.is_file():
        raise UserError(f"there is no file of questions {path}", "QUESTIONS=my.jsonl or my.csv")
    problems: list[str] = []
    questions: dict[str, Question] = {}
    texts: dict[str, str] = {}
    turns = 0
    for place, row in read_rows(path, problems):
        question = _question(row, f"{path.stem}-{len(questions) + 1:02d}", place, problems)
        if question is None:
            continue
        if question.id in questions:
            problems.append(f"{place}: id {question.id!r} is there twice")
        elif question.text in texts and question.use == "judge" and not repeats:
            problems.append(f"{place}: the same question as {texts[question.text]}")
        turns += isinstance(row.get("turns"), list) and len(row["turns"]) > 1
        questions[question.id] = question
        texts.setdefault(question.text, place)
    refuse(path, problems, "the columns are question, reference, category, id; only question is needed")
    if not questions:
        raise UserError(f"{path} holds no questions", 'a line is {"question": "...", "reference": "..."}')
    if turns:
        notice(f"{path}: of {turns} questions with several turns only the first turn is asked")
    return list(questions.values())[: limit or None]


def refuse(path: Path, problems: list[str], hint: str) -> None:
    """Raise UserError when a file has problems: the first of them, and how many more."""
    if problems:
        more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
        raise UserError(f"{path} cannot be used:\n  " + "\n  ".join(problems[:SHOWN] + more), hint)


def read_rows(path: Path, problems: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, row) of a user's file, with its columns in lower case; rows that are none go to `problems`."""
    if path.suffix.lower() == ".txt":
        text = path.read_text("utf-8-sig", errors="replace")
        yield from ((f"line {n}", {"question": line}) for n, line in enumerate(text.split("\n"), 1) if line.strip())
        return
    for chunk in read_chunks(path):
        for number, raw in enumerate(chunk.rows, chunk.first):
            row = parse_line(raw) if isinstance(raw, bytes) else raw
            if isinstance(row, Broken) and path.suffix == ".json" and row.raw.startswith('"'):
                row = {"question": json.loads(row.raw)}  # a list of texts
            if isinstance(row, Broken):
                problems.append(f"row {number}: {row.reason}")
            else:
                yield f"row {number}", {str(name).strip().lower(): value for name, value in row.items()}


def first_of(row: dict[str, Any], columns: tuple[str, ...]) -> str:
    """Return the text of the first of `columns` that a row has something in, or ""."""
    return next((str(row[name]).strip() for name in columns if row.get(name) not in (None, "")), "")


def test_split(task: str, count: int) -> list[Question]:
    """Return the first `count` rows of a task's test split (alpaca format), to be scored against their outputs."""
    if not count:
        return []
    path = data_folder(task) / "test.jsonl"
    if not path.exists():
        raise UserError(f"there is no {path}", f"make convert TASK={task}")
    found = []
    for number, row in enumerate(islice(read_jsonl(path), count), 1):
        if not isinstance(row.get("instruction"), str) or not isinstance(row.get("output"), str):
            raise UserError(f"{path} line {number} is not in alpaca format", f"make convert TASK={task} FORMAT=alpaca")
        text = "\n".join(filter(None, [row["instruction"], row.get("input")]))
        found.append(Question(f"test-{number:04d}", text, row["output"], "test split", use="test"))
    return found


def _question(row: dict[str, Any], default_id: str, place: str, problems: list[str]) -> Question | None:
    values = {name: first_of(row, columns) for name, columns in COLUMNS.items()}
    if isinstance(row.get("turns"), list) and row["turns"]:  # MT-bench
        values["question"] = str(row["turns"][0]).strip()
    columns = {letter.upper(): first_of(row, (letter,)) for letter in LETTERS if row.get(letter) not in (None, "")}
    choices = row.get("choices") or (columns if len(columns) > 1 else {})
    letter = first_of(row, ("letter", "answer", "答案")) if choices else ""
    points = row.get("checklist") or ()
    points = re.split(r"[\n;；]", points) if isinstance(points, str) else points
    if not values["question"]:
        problem = f"no question; its columns are {', '.join(filter(None, row))}"
    elif not isinstance(choices, dict) or not _are_texts(choices.values()):
        problem = 'choices must be {"A": "...", "B": "..."}, or columns A, B, C ... of a table'
    elif choices and letter not in choices:
        problem = f"answer {letter!r} is none of the choices {', '.join(choices)}"
    elif not isinstance(points, list | tuple) or not _are_texts(points):
        problem = 'checklist must be a list of texts, or one text with ";" between its points'
    else:
        text = values["question"] + (f"\n{row['input']}" if row.get("input") else "")
        use = str(row.get("use") or ("choice" if choices else "judge"))
        checklist = tuple(filter(None, map(str.strip, points)))
        id_ = values["id"] or default_id
        return Question(id_, text, values["reference"], values["category"], choices, letter, use, checklist)
    problems.append(f"{place}: {problem}")
    return None


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def language_of(texts: list[str]) -> str:
    """Return "zh" when a fair share of the characters is Chinese, else "en"."""
    together = "".join(texts)
    return "zh" if len(HAN.findall(together)) > LANGUAGE_FROM_HAN_SHARE * len(together) else "en"
