"""The offline stand-in against labels given blind to pairs of real and of made answers (labels.jsonl)."""

from collections import defaultdict

import pytest

from common.files import read_jsonl
from eval.judging.reference_judge import AGREEMENT, NAME, judge_all
from eval.records.answers import Answer
from eval.records.judgments import Pairing
from eval.records.questions import Question
from tests.checkout import ROOT

LABELS = list(read_jsonl(ROOT / "tests/eval/judging/labels.jsonl"))


def pairing(question: Question, *texts: str, who: tuple[str, str] = ("one", "two")) -> Pairing:
    first, second = (Answer(question.id, name, question.text, text) for name, text in zip(who, texts, strict=True))
    return Pairing(question, first, second)


@pytest.fixture(scope="module")
def right() -> dict[str, list[float]]:
    """Kind of pair -> whether the stand-in names the better answer (half a point for a tie)."""
    found: dict[str, list[float]] = defaultdict(list)
    for task in ("law_en", "medical_en", "finance_en", "law_zh", "medical_zh", "finance_zh"):
        rows = [row for row in LABELS if row["question_id"].startswith(task)]
        asked = [Question(f"label-{n}", row["question"], row["reference"]) for n, row in enumerate(rows)]
        pairs = [pairing(question, *row["answers"]) for question, row in zip(asked, rows, strict=True)]
        for row, judgment in zip(rows, judge_all(pairs), strict=True):
            winner = {"one": 1, "two": 2}.get(str(judgment.winner))
            if row["better"]:
                found[row["kind"]].append(0.5 if winner is None else float(winner == row["better"]))
    return found


def test_it_agrees_with_the_labels_as_often_as_every_page_says(right: dict[str, list[float]]) -> None:
    assert (sum(right["real"]), len(right["real"])) == AGREEMENT
    assert len(LABELS) >= 120


@pytest.mark.parametrize("kind", ["empty", "question", "other", "half", "shuf_loop", "loop", "goodloop"])
def test_answers_that_are_none_do_not_win(right: dict[str, list[float]], kind: str) -> None:
    assert sum(right[kind]) / len(right[kind]) >= 0.85


def test_what_it_cannot_see_is_known(right: dict[str, list[float]]) -> None:
    """Wrong figures, and the reference's words in no order: the limits that every page states."""
    assert sum(right["keyfact"]) / len(right["keyfact"]) < 0.5
    assert sum(right["salad"]) == 0


def test_two_loops_are_equally_bad_and_both_orders_say_the_same() -> None:
    question = Question("q", "What is iron for?", "Iron carries oxygen in the blood.")
    loops = ("iron carries oxygen " * 40, "move " * 50)
    (judgment,) = judge_all([pairing(question, *loops)])
    assert (judgment.judge, judgment.winner) == (NAME, "tie")
    good = ("Iron helps the blood to carry oxygen.", "Iron is a metal.")
    there, back = judge_all([pairing(question, *good), pairing(question, *good[::-1], who=("two", "one"))])
    assert (there.winner, back.winner) == ("one", "one")
