"""Scores that need no judge: chrF and ROUGE-L on the test split, accuracy on multiple choice.

They stand beside the judge's figures: likeness to one reference, and knowledge of one letter, are not quality.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from eval.records.answers import Answer
from eval.records.questions import Question
from eval.statistics.intervals import mean_of, sign_test, wilson

_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
# A letter on its own, named as the answer; the last resort is the only letter in the whole text.
_NAMED = re.compile(
    r"(?<![不非])(?:answer|choice|option|correct|答案|选项|选择|应选|选|正确)"
    r"(?:(?![不非])[^A-Za-z]){0,12}(?:is|为|是)?(?:(?![不非])[^A-Za-z]){0,6}([A-H])(?![A-Za-z])"
    r"(?!\s*(?:[、/和与及]|and\b|or\b)\s*[A-H](?![A-Za-z]))",  # "A and B" names no single one
    re.I,
)
_FIRST = re.compile(r"^\W*([A-H])(?=\s*(?:$|[\n.:：、,，。)）*]))")
_ALONE = re.compile(
    r"(?<![A-Za-z])([A-H])(?![A-Za-z]|\s+(?!or\b|and\b|because\b|since\b|as\b)[a-z])"
)  # not the article in "A bond"


@cache
def chrf(answer: str, reference: str) -> float:
    """Return sentence-level chrF2 (0 to 100; Popovic 2015, by sacrebleu), for any language."""
    from sacrebleu.metrics import CHRF

    return float(CHRF().sentence_score(answer, [reference]).score) if answer.strip() else 0.0


def words(text: str) -> list[str]:
    """Return lower-case words; each Chinese character is one, since Chinese writes no blanks."""
    return _WORD.findall(text.lower())


def rouge_l(answer: str, reference: str) -> float:
    """Return ROUGE-L F1 (0 to 100; Lin 2004) over `words`."""
    one, other = words(answer), words(reference)
    if not one or not other:
        return 0.0
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for index, against in enumerate(other, 1):
            before, row[index] = row[index], before + 1 if word == against else max(row[index], row[index - 1])
    return 200 * row[-1] / (len(one) + len(other))


def chosen(answer: str) -> str:
    """Return the letter that an answer chooses, "" when it names none or more than one."""
    named = _FIRST.match(answer)
    if named:
        return named[1]
    said = {match.upper() for match in _NAMED.findall(answer)} or set(_ALONE.findall(answer))
    return said.pop() if len(said) == 1 else ""


def text_scores(questions: Sequence[Question], answers: dict[str, dict[str, Answer]]) -> dict[str, Any]:
    """Return mean chrF and ROUGE-L of each contestant over the test rows, and base against tuned row by row."""
    rows = [question for question in questions if question.use == "test" and question.reference]
    scores = {
        who: {
            name: [score(given[question.id].answer, question.reference) for question in rows]
            for name, score in (("chrf", chrf), ("rouge_l", rouge_l))
        }
        for who, given in answers.items()
        if rows and all(question.id in given and not given[question.id].error for question in rows)
    }
    found: dict[str, Any] = {who: {name: mean_of(values) for name, values in of.items()} for who, of in scores.items()}
    if {"base", "tuned"} <= set(scores):
        found["difference"] = {
            name: mean_of([t - b for t, b in zip(scores["tuned"][name], scores["base"][name], strict=True)])
            for name in ("chrf", "rouge_l")
        }
    return {"rows": len(rows), "scores": found} if found else {}


def choice_scores(questions: Sequence[Question], answers: dict[str, dict[str, Answer]]) -> dict[str, Any]:
    """Return each contestant's accuracy on multiple choice with Wilson's interval, and an exact test of the change.

    An answer that names no single letter counts as wrong and in `unreadable`.
    """
    rows = [question for question in questions if question.letter]
    letters = {
        who: [chosen(given[question.id].answer) for question in rows]
        for who, given in answers.items()
        if rows and all(question.id in given and not given[question.id].error for question in rows)
    }
    found: dict[str, Any] = {}
    right = {who: [letter == q.letter for letter, q in zip(given, rows, strict=True)] for who, given in letters.items()}
    for who, hits in right.items():
        interval = wilson(sum(hits), len(rows))
        found[who] = {
            "accuracy": sum(hits) / len(rows),
            "interval": [interval.low, interval.high],
            "unreadable": letters[who].count(""),
        }
    if not found:
        return {}
    scores: dict[str, Any] = {"questions": len(rows), "scores": found}
    if {"base", "tuned"} <= set(right):
        gained = sum(t and not b for t, b in zip(right["tuned"], right["base"], strict=True))
        lost = sum(b and not t for t, b in zip(right["tuned"], right["base"], strict=True))
        scores["change"] = {"gained": gained, "lost": lost, "mcnemar_p": sign_test(gained, lost)}
    return scores
