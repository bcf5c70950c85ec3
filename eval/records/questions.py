"""Questions: the 20 of each task that come with Whetstone, or the user's own file."""

from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from common.errors import UserError, unknown
from common.files import read_jsonl
from common.llm.prices import HAN
from common.paths import QUESTIONS, data_folder, questions_file
from eval.records.reading import TABLES, first_of, read_rows

# What a column may be called in a user's own file; the first is ours.
COLUMNS = {
    "id": ("id", "question_id", "qid"),
    "category": ("category", "type", "类别"),
    "question": ("question", "instruction", "prompt", "query", "问题"),
    "reference": ("reference", "output", "answer", "reference_answer", "参考答案", "答案"),
}
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
    """Read questions from JSON Lines, JSON, a table (CSV, TSV) or plain lines; all that is broken is told at once.

    `repeats` allows one question under two ids, as two users' files can bring it into a folder; in one file it would
    count twice.
    """
    if not path.is_file():
        raise UserError(f"there is no file of questions {path}", "QUESTIONS=my.jsonl or my.csv")
    questions: list[Question] = []
    problems: list[str] = []
    ids: set[str] = set()
    texts: dict[str, str] = {}
    for place, row in read_rows(path, problems):
        question = _question(row, f"{path.stem}-{len(questions) + 1:02d}", place, problems)
        if question is None:
            continue
        if question.id in ids:
            problems.append(f"{place}: id {question.id!r} is there twice")
        elif question.text in texts and question.use == "judge" and not repeats:
            problems.append(f"{place}: the same question as {texts[question.text]}")
        ids.add(question.id)
        texts.setdefault(question.text, place)
        questions.append(question)
    hint = (
        "the first row names the columns: question,reference,category"
        if path.suffix.lower() in TABLES
        else 'a line is {"question": "...", "reference": "..."}'
    )
    if problems:
        shown = "\n  ".join(problems[:10] + ([f"and {len(problems) - 10} more"] if len(problems) > 10 else []))
        raise UserError(f"{path} cannot be used:\n  {shown}", hint)
    if not questions:
        raise UserError(f"{path} holds no questions", hint)
    return questions[:limit] if limit else questions


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


def _question(row: Any, default_id: str, place: str, problems: list[str]) -> Question | None:
    if isinstance(row, str):
        row = {"question": row}
    if not isinstance(row, dict):
        problems.append(f"{place}: not an object, got {type(row).__name__}")
        return None
    values = {name: first_of(row, columns) for name, columns in COLUMNS.items()}
    if not values["question"]:
        problems.append(f"{place}: no question; its columns are {', '.join(map(str, row))}")
        return None
    if row.get("input"):
        values["question"] += f"\n{row['input']}"
    choices, letter = row.get("choices") or {}, ""
    if not isinstance(choices, dict) or not all(isinstance(text, str) for text in choices.values()):
        problems.append(f'{place}: choices must be {{"A": "...", "B": "..."}}, or columns A, B, C ... of a table')
        return None
    if choices:
        letter = str(row.get("letter") or row.get("answer") or "").strip()
        if letter not in choices:
            problems.append(f"{place}: answer {letter!r} is none of the choices {', '.join(choices)}")
            return None
    return Question(
        values["id"] or default_id,
        values["question"],
        values["reference"],
        values["category"],
        choices,
        letter,
        str(row.get("use") or ("choice" if choices else "judge")),
    )


def language_of(texts: list[str]) -> str:
    """Return "zh" when a fair share of the characters is Chinese, else "en"."""
    together = "".join(texts)
    return "zh" if len(HAN.findall(together)) > LANGUAGE_FROM_HAN_SHARE * len(together) else "en"
