"""What eval keeps in a run's folder (or any folder): questions, answers, judgments, the result."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import read_json, write_jsonl
from common.paths import folder_name
from eval.judging.model_judge import Judgment, Pairing
from eval.records import answers as answer_files
from eval.records.answers import Answer, rows_of
from eval.records.questions import Question, load_questions


def save_questions(folder: Path, questions: list[Question], answering: Iterable[str]) -> None:
    """Keep what is asked of the contestants `answering` beside the answers, and what the others have answered.

    Raises UserError when another question goes by the same id here.
    """
    path = folder / "questions.jsonl"
    others = [given for who, given in answers_of(folder).items() if who not in set(answering)]
    new = {question.id: question for question in questions}
    stored = load_questions(path, repeats=True) if path.exists() else []
    kept = [q for q in stored if any(q.id in given for given in others)]
    clash = next((q for q in kept if q.id in new and q.text != new[q.id].text), None)
    if clash:
        raise UserError(
            f"{folder} has another question under the id {clash.id}: {clash.text[:60]!r}",
            "give yours other ids, or answer in another folder",
        )
    write_jsonl(path, (q.row() for q in [*questions, *(q for q in kept if q.id not in new)]))


def questions_of(folder: Path) -> list[Question]:
    """Return the questions that were asked in `folder`."""
    path = folder / "questions.jsonl"
    if not path.exists():
        raise UserError(f"nothing was answered in {folder} yet", f"make answer RUN={folder}")
    return load_questions(path, repeats=True)


def answers_of(folder: Path) -> dict[str, dict[str, Answer]]:
    """Return contestant -> question id -> answer, of all who answered anything."""
    given = {
        who: {answer.id: answer for answer in answer_files.load(answer_files.path_of(folder, who))}
        for who in answer_files.contestants(folder)
    }
    return {who: answers for who, answers in given.items() if answers}


def save_judgments(folder: Path, judge: str, judgments: Iterable[Judgment]) -> Path:
    """Write a judge's judgments, one row for each pair and order."""
    path = folder / "judgments" / f"{folder_name(judge)}.jsonl"
    write_jsonl(path, (judgment.row() for judgment in judgments))
    return path


def judgments_of(folder: Path) -> dict[str, list[Judgment]]:
    """Return judge -> judgments that still hold, of all judges that judged in `folder`."""
    questions = {question.id: question for question in questions_of(folder)}
    answers = answers_of(folder)
    return {
        judge: fresh
        for judge, rows in all_judgments(folder).items()
        if (fresh := [row for row in rows if row.canary or _holds(row, questions, answers)])
    }


def all_judgments(folder: Path) -> dict[str, list[Judgment]]:
    """Return judge -> judgments as they stand in the files, those of answers that were changed since among them."""
    found = {}
    for path in sorted((folder / "judgments").glob("*.jsonl")):
        rows = [
            Judgment(**{name: value for name, value in row.items() if name in Judgment.__dataclass_fields__})
            for row in rows_of(path, ("id", "judge", "first", "second", "winner"))
        ]
        if rows:
            found[rows[0].judge] = rows
    return found


def _holds(row: Judgment, questions: dict[str, Question], answers: dict[str, dict[str, Answer]]) -> bool:
    """Tell whether what was judged is what is there now."""
    first, second = (answers.get(who, {}).get(row.id) for who in (row.first, row.second))
    if row.id not in questions or first is None or second is None:
        return False
    return row.pair_sha256 == Pairing(questions[row.id], first, second).sha256


def optional_json(path: Path) -> dict[str, Any]:
    """Return a JSON file's object, empty when the file is not there."""
    return read_json(path) if path.exists() else {}


def task_of(folder: Path) -> str:
    """Return the task that a run's folder belongs to, "" when it is no run."""
    manifest = optional_json(folder / "manifest.json")
    return str(manifest.get("task", ""))
