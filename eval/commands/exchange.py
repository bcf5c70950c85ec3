"""`python -m eval export` and `import`: FastChat's and alpaca_eval's own layouts.

Their tools read our judgments, and we read their answers.
FastChat (llm_judge): question.jsonl, model_answer/<model>.jsonl, model_judgment/<judge>_pair.jsonl under data/<bench>.
alpaca_eval: <model>/model_outputs.json and <model>/<judge>/annotations.json; its preference is 1 for the baseline,
2 for the model, 1.5 for a draw, and it knows one comparison a question, so both orders go in as one outcome.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.files import read_json, write_json, write_jsonl
from common.paths import folder_name
from eval.commands import options
from eval.records.answers import Answer, rows_of
from eval.records.folder import Folder
from eval.records.judgments import Judgment, pairs_judged
from eval.records.questions import Question, load_questions
from eval.statistics.outcomes import outcomes

Files = dict[str, list[dict[str, Any]]]
"""File name -> rows."""
FAILED = "$ERROR$"  # what FastChat and arena-hard write where a call failed


@click.command()
@options.place
@options.taking("export")
def export(*, place: options.Place, layout: str, out: Path | None) -> None:
    """Write questions, answers and judgments in another tool's layout."""
    folder = place.existing()
    for name, rows in LAYOUTS[layout](folder).items():
        path = (out or folder.path / f"exported-{layout}") / name
        (write_jsonl if path.suffix == ".jsonl" else write_json)(path, rows)
        click.echo(path)


@click.command("import")
@options.taking("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(*, run: Path, questions: Path | None, files: tuple[Path, ...]) -> None:
    """Read answers from FastChat's or arena-hard's model_answer/*.jsonl or alpaca_eval's model_outputs.json."""
    folder = Folder(run)
    asked = load_questions(questions) if questions else folder.questions
    found = {who: answers for file in files for who, answers in import_answers(file, asked).items()}
    folder.save_questions(asked, found)
    for who, answers in found.items():
        missing = sum(bool(answer.error) for answer in answers)
        note = f"; {missing} are missing there (null or {FAILED})" if missing else ""
        click.echo(f"{folder.save_answers(who, answers)}: {len(answers) - missing} answers{note}")


def fastchat(folder: Folder) -> Files:
    """Return a folder's questions, answers and judgments as FastChat keeps them."""
    number = {question.id: place for place, question in enumerate(folder.judged_questions, 1)}
    files: Files = {"question.jsonl": []}
    for question in folder.judged_questions:
        row = {"question_id": number[question.id], "category": question.category, "turns": [question.text]}
        files["question.jsonl"].append(row | ({"reference": [question.reference]} if question.reference else {}))
    for who, given in folder.answers.items():
        files[f"model_answer/{who}.jsonl"] = rows = []
        for id_, answer in given.items():
            if id_ in number:
                row = {"question_id": number[id_], "answer_id": f"{who}-{id_}", "model_id": who}
                rows.append(row | {"choices": [{"index": 0, "turns": [answer.answer]}], "tstamp": 0})
    for judge, judgments in folder.judgments.items():
        files[f"model_judgment/{folder_name(judge)}_pair.jsonl"] = [
            row
            for a, b in pairs_judged(judgments, list(folder.answers))
            for row in _fastchat_pairs(judgments, a, b, number)
        ]
    return files


def _fastchat_pairs(judgments: list[Judgment], a: str, b: str, number: dict[str, int]) -> Iterable[dict[str, Any]]:
    said = {(row.id, row.first): row for row in judgments if {row.first, row.second} == {a, b} and not row.canary}
    winners = {a: "model_1", b: "model_2", "tie": "tie", None: "error"}
    for outcome in outcomes(judgments, a, b):
        rows = [said.get((outcome.id, who)) for who in (a, b)]
        words = ["\n\n".join(reply["text"] for reply in row.replies) if row else "" for row in rows]
        yield {
            "question_id": number[outcome.id], "model_1": a, "model_2": b,
            "g1_winner": winners[outcome.orders[0]], "g2_winner": winners[outcome.orders[1]],
            "judge": [judgments[0].judge, "pair"], "g1_judgment": words[0], "g2_judgment": words[1],
            "turn": 1, "tstamp": 0,
        }  # fmt: skip


def alpaca_eval(folder: Folder) -> Files:
    """Return a folder's answers and judgments as alpaca_eval keeps them."""
    text = {question.id: question.text for question in folder.judged_questions}
    answers, files = folder.answers, Files()
    for who, given in answers.items():
        files[f"{who}/model_outputs.json"] = [
            {"instruction": text[id_], "output": answer.answer, "generator": who, "dataset": "whetstone"}
            for id_, answer in given.items()
            if id_ in text
        ]
    for judge, judgments in folder.judgments.items():
        for a, b in pairs_judged(judgments, list(answers)):
            files[f"{a}/{folder_name(judge)}-vs-{b}/annotations.json"] = rows = []
            for outcome in outcomes(judgments, a, b):
                row: dict[str, Any] = {
                    "instruction": text[outcome.id], "output_1": answers[b][outcome.id].answer, "generator_1": b,
                    "output_2": answers[a][outcome.id].answer, "generator_2": a, "annotator": judge,
                    "preference": None if outcome.score is None else 1 + outcome.score,
                }  # fmt: skip
                rows.append(row)
    return files


LAYOUTS: dict[str, Callable[[Folder], Files]] = {"fastchat": fastchat, "alpaca_eval": alpaca_eval}


def import_answers(path: Path, questions: list[Question]) -> dict[str, list[Answer]]:
    """Read contestants' answers from a file of FastChat's, arena-hard's or alpaca_eval's.

    They are matched by the question's text. Rows of questions that are not ours are left out; none at all is an error.
    What is no text (null, "$ERROR$") is an answer that is missing.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}", "give model_answer/MODEL.jsonl or model_outputs.json")
    by_text = {question.text.strip(): question for question in questions}
    rows = list(_rows(path))
    found: dict[str, dict[str, Answer]] = {}
    for model, text, said in rows:
        question, who = by_text.get(text.strip()), folder_name(model)
        if question is None:
            continue
        missing = f"none in {path.name}" if said is None else ""
        answer = Answer(question.id, who, question.text, said or "", model, error=missing)
        if found.setdefault(who, {}).setdefault(question.id, answer) != answer:
            raise UserError(
                f"{path} has two answers of {model} to one question: {text.strip()[:60]!r}",
                "delete one of the two lines",
            )
    if not found:
        raise UserError(
            f"none of the {len(rows)} answers in {path} is to one of our {len(questions)} questions",
            "they are matched by the question's exact text: QUESTIONS=the file they were asked from",
        )
    return {who: list(answers.values()) for who, answers in found.items()}


def _said(value: Any) -> str | None:
    """Return an answer's text, None where there is none; arena-hard wraps it: {"content": ...}, {"answer": ...}."""
    while isinstance(value, dict):
        value = value.get("content", value.get("answer"))
    return value if isinstance(value, str) and value.strip() != FAILED else None


def _rows(path: Path) -> Iterator[tuple[str, str, str | None]]:
    """Yield (model, question text, answer) of each row, whichever of the three layouts it has.

    FastChat numbers the questions of the question.jsonl beside model_answer/; arena-hard's newer rows hold the chat.
    """
    texts: dict[Any, str] = {}
    raw: Any = read_json(path) if path.suffix == ".json" else rows_of(path, ())
    for number, row in enumerate(raw if isinstance(raw, list | Iterator) else [raw], 1):
        try:
            if "messages" in row:
                model, said = row["model"], row["messages"][-1]["content"]
                text = next(turn["content"] for turn in row["messages"][:-1] if turn.get("role", "user") == "user")
            elif "instruction" in row:
                model, text, said = row.get("generator", path.parent.name), row["instruction"], row["output"]
            else:
                texts = texts or _numbered(path.parent.parent / "question.jsonl")
                model, text, said = row["model_id"], texts[row["question_id"]], row["choices"][0]["turns"][0]
            if not isinstance(model, str) or not isinstance(text, str):
                raise TypeError(f"model and question are no texts: {model!r:.40}, {text!r:.40}")
        except (KeyError, IndexError, TypeError, AttributeError, StopIteration) as error:
            why = f"no {error}" if isinstance(error, KeyError) else str(error) or "nothing was asked"
            raise UserError(
                f"{path} row {number} is not an answer of FastChat, arena-hard or alpaca_eval: {why}",
                "delete the row, or write a file of your own: docs/judging.md",
            ) from None
        yield model, text, _said(said)


def _numbered(beside: Path) -> dict[Any, str]:
    """Return FastChat's question_id -> the question's first turn."""
    if not beside.exists():
        raise UserError(f"there is no {beside}", "FastChat keeps it beside model_answer/")
    return {row["question_id"]: row["turns"][0] for row in rows_of(beside, ("question_id", "turns")) if row["turns"]}
