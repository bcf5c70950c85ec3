"""The kind of error of an answer, on the bundled questions' own references, cut, mixed and repeated."""

import pytest

from eval.records.answers import Answer
from eval.records.questions import bundled, load_questions
from eval.reporting.cases import error
from eval.statistics.reference_scores import word_weights


@pytest.mark.parametrize("task", ["medical_en", "law_en", "finance_en", "law_zh", "medical_zh", "finance_zh"])
def test_kinds_of_error(task):
    questions = load_questions(bundled(task))
    weight = word_weights(question.reference for question in questions)
    for number, question in enumerate(questions):
        other = questions[(number + 7) % len(questions)]
        reference = question.reference
        foreign = (
            "这是一个完全不同的回答，请咨询专业人士以获得建议。"
            if task.endswith("en")
            else "Please ask someone who knows."
        )

        def kind(text, question=question, **facts):
            return error(Answer(question.id, "tuned", question.text, text, **facts), question, weight)[0]

        assert kind(reference) == "none"
        assert kind(reference, finish_reason="length") == "cut"
        assert kind("  \n") == "empty"
        assert kind(reference[:40] * 12) == "loop"
        assert kind(foreign * 2) == "language"
        assert kind(f"{reference}\n<|im_start|>user") == "format"
        assert kind(f"{reference}\n{other.reference}\n{questions[(number + 3) % len(questions)].reference}") == "long"
        assert kind(reference[: len(reference) // 5]) in ("facts", "off_topic")


def test_what_is_lacking_is_a_point_of_the_checklist():
    questions = load_questions(bundled("medical_en"))
    weight = word_weights(question.reference for question in questions)
    first = questions[0]
    key, facts = error(Answer(first.id, "tuned", first.text, first.reference[:60]), first, weight)
    assert key == "facts"
    assert facts["lacking"] in first.checklist
    assert 0 < int(facts["share"].rstrip("%")) < 50
