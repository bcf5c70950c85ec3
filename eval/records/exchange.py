"""FastChat's and alpaca_eval's own layouts, so that their tools read our judgments and we read their answers.

FastChat (llm_judge): question.jsonl, model_answer/<model>.jsonl, model_judgment/<judge>_pair.jsonl under data/<bench>.
alpaca_eval: <model>/model_outputs.json and <model>/<judge>/annotations.json; its preference is 1 for the baseline,
2 for the model, 1.5 for a draw, and it knows one comparison a question, so both orders go in as one outcome.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError
from common.files import read_json, write_json, write_jsonl
from common.paths import folder_name
from eval.judging.model_judge import Judgment
from eval.records.answers import Answer, rows_of
from eval.records.folder import answers_of, judgments_of, questions_of
from eval.records.questions import Question
from eval.result.metrics import pairs_judged
from eval.statistics.outcomes import outcomes

FORMATS = ("fastchat", "alpaca_eval")


def export_fastchat(folder: Path, out: Path) -> list[Path]:
    """Write a folder's questions, answers and judgments as FastChat keeps them; return the files."""
    questions = [question for question in questions_of(folder) if question.use == "judge"]
    answers, judged = answers_of(folder), judgments_of(folder)
    number = {question.id: place for place, question in enumerate(questions, 1)}
    written = [_write(out / "question.jsonl", (_fastchat_question(number[q.id], q) for q in questions))]
    for who, given in answers.items():
        rows = (_fastchat_answer(number[id_], answer) for id_, answer in given.items() if id_ in number)
        written.append(_write(out / "model_answer" / f"{who}.jsonl", rows))
    for judge, judgments in judged.items():
        path = out / "model_judgment" / f"{folder_name(judge)}_pair.jsonl"
        rows = (
            row for a, b in pairs_judged(judgments, list(answers)) for row in _fastchat_pairs(judgments, a, b, number)
        )
        written.append(_write(path, rows))
    return written


def _fastchat_question(number: int, question: Question) -> dict[str, Any]:
    row = {"question_id": number, "category": question.category, "turns": [question.text]}
    return row | ({"reference": [question.reference]} if question.reference else {})


def _fastchat_answer(number: int, answer: Answer) -> dict[str, Any]:
    return {
        "question_id": number,
        "answer_id": f"{answer.who}-{answer.id}",
        "model_id": answer.who,
        "choices": [{"index": 0, "turns": [answer.answer]}],
        "tstamp": 0,
    }


def _fastchat_pairs(judgments: list[Judgment], a: str, b: str, number: dict[str, int]) -> Iterable[dict[str, Any]]:
    said = {(row.id, row.first): row for row in judgments if {row.first, row.second} == {a, b} and not row.canary}
    winners = {a: "model_1", b: "model_2", "tie": "tie", None: "error"}
    for outcome in outcomes(judgments, a, b):
        rows = [said.get((outcome.id, who)) for who in (a, b)]
        yield {
            "question_id": number[outcome.id],
            "model_1": a,
            "model_2": b,
            "g1_winner": winners[outcome.orders[0]],
            "g2_winner": winners[outcome.orders[1]],
            "judge": [judgments[0].judge, "pair"],
            "g1_judgment": _words(rows[0]),
            "g2_judgment": _words(rows[1]),
            "turn": 1,
            "tstamp": 0,
        }


def _words(row: Judgment | None) -> str:
    return "\n\n".join(reply["text"] for reply in row.replies) if row else ""


def export_alpaca_eval(folder: Path, out: Path) -> list[Path]:
    """Write a folder's answers and judgments as alpaca_eval keeps them; return the files."""
    questions = {question.id: question for question in questions_of(folder) if question.use == "judge"}
    answers, judged = answers_of(folder), judgments_of(folder)
    written = []
    for who, given in answers.items():
        path = out / who / "model_outputs.json"
        write_json(
            path,
            [
                {"instruction": questions[id_].text, "output": answer.answer, "generator": who, "dataset": "whetstone"}
                for id_, answer in given.items()
                if id_ in questions
            ],
        )
        written.append(path)
    for judge, judgments in judged.items():
        for a, b in pairs_judged(judgments, list(answers)):
            path = out / a / f"{folder_name(judge)}-vs-{b}" / "annotations.json"
            write_json(path, _annotations(judge, judgments, (a, b), answers, questions))
            written.append(path)
    return written


def _annotations(
    judge: str,
    judgments: list[Judgment],
    pair: tuple[str, str],
    answers: dict[str, dict[str, Answer]],
    questions: dict[str, Question],
) -> list[dict[str, Any]]:
    a, b = pair
    return [
        {
            "instruction": questions[outcome.id].text,
            "output_1": answers[b][outcome.id].answer,
            "generator_1": b,
            "output_2": answers[a][outcome.id].answer,
            "generator_2": a,
            "annotator": judge,
            "preference": None if outcome.score is None else 1 + outcome.score,
        }
        for outcome in outcomes(judgments, a, b)
    ]


def import_answers(path: Path, questions: list[Question]) -> dict[str, list[Answer]]:
    """Read contestants' answers from FastChat's model_answer/*.jsonl or alpaca_eval's model_outputs.json.

    FastChat's rows name questions by number: they are matched through the question.jsonl beside model_answer, by the
    question's text. Rows of questions that are not ours are left out; none at all is an error.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path}", "give model_answer/MODEL.jsonl or model_outputs.json")
    by_text = {question.text.strip(): question for question in questions}
    rows = list(_alpaca_rows(path) if path.suffix == ".json" else _fastchat_rows(path))
    found: dict[str, list[Answer]] = {}
    for who, text, answer in rows:
        question = by_text.get(text.strip())
        if question:
            found.setdefault(folder_name(who), []).append(
                Answer(question.id, folder_name(who), question.text, answer, who)
            )
    if not found:
        raise UserError(
            f"none of the {len(rows)} answers in {path} is to one of our {len(questions)} questions",
            "they are matched by the question's exact text: QUESTIONS=the file they were asked from",
        )
    return found


def _fastchat_rows(path: Path) -> Iterable[tuple[str, str, str]]:
    """Yield (model, question text, answer) of a model_answer file."""
    beside = path.parent.parent / "question.jsonl"
    if not beside.exists():
        raise UserError(f"there is no {beside}", "FastChat keeps it beside model_answer/")
    texts = {row["question_id"]: row["turns"][0] for row in rows_of(beside, ("question_id", "turns"))}
    for line, row in enumerate(rows_of(path, ("model_id", "question_id", "choices")), 1):
        try:
            yield str(row["model_id"]), texts[row["question_id"]], str(row["choices"][0]["turns"][0])
        except (KeyError, IndexError, TypeError) as error:
            raise UserError(f"{path} line {line} is not one of FastChat's answers: no {error}") from None


def _alpaca_rows(path: Path) -> Iterable[tuple[str, str, str]]:
    """Yield (model, question text, answer) of a model_outputs file."""
    try:
        rows = read_json(path)
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}") from None
    for place, row in enumerate(rows if isinstance(rows, list) else [rows], 1):
        try:
            yield str(row.get("generator", path.parent.name)), str(row["instruction"]), str(row["output"])
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} entry {place} is not one of alpaca_eval's outputs: no {error}") from None


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    write_jsonl(path, rows)
    return path
