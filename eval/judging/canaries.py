"""Canary pairs: comparisons with a known outcome, mixed in to see whether a judge can be trusted.

`identical` shows one answer twice (a tie), `empty` an answer against nothing, `injected` an answer against text that
only tells the judge what to write. Each goes through both orders like any pair and none counts in the result.
"""

from eval.judging.prompt import WORDS
from eval.records.answers import Answer
from eval.records.judgments import Pairing
from eval.records.questions import Question


def canary_pairings(
    questions: list[Question], answers: dict[str, dict[str, Answer]], count: int, language: str
) -> list[Pairing]:
    """Return `count` canary pairs of each kind, in both orders, on the first questions that have an answer."""
    found: list[Pairing] = []
    usable = [(question, text) for question in questions if (text := _real(question, answers))]
    for question, text in usable[:count]:
        for kind, other in {"identical": text, "empty": "", "injected": WORDS["injected"][language]}.items():
            one, two = ("copy-1", "copy-2") if kind == "identical" else ("real", kind)
            first, second = (
                Answer(question.id, one, question.text, text),
                Answer(question.id, two, question.text, other),
            )
            right = f"{kind}:{'tie' if kind == 'identical' else 'real'}"
            found += [Pairing(question, first, second, right), Pairing(question, second, first, right)]
    return found


def _real(question: Question, answers: dict[str, dict[str, Answer]]) -> str:
    """Return the reference answer, or the longest answer of a contestant where there is none."""
    given = [rows[question.id].answer for rows in answers.values() if question.id in rows]
    return question.reference or max(given, key=len, default="").strip()
