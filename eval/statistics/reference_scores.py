"""Scores that need no judge: chrF and ROUGE-L on the test split, accuracy on multiple choice.

They stand beside the judge's figures: likeness to one reference, or knowing one letter, is not quality.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from math import log
from typing import Any

from eval.records.answers import Answer
from eval.records.questions import HAN, Question
from eval.statistics.intervals import mean_of, sign_test, wilson

Answers = dict[str, dict[str, Answer]]
"""Contestant -> question -> answer."""
_WORD = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3400-\u9fff\uf900-\ufaff]+")
LOOP = 0.5  # variety below which a text is a loop
COPIED = 0.9  # share of an answer's words that stand in the question
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


def variety(text: str) -> float:
    """Return which part of a text's runs of three words (of four, in Chinese) is distinct; 1 of a short text."""
    said = words(text)
    length = 4 if HAN.search(text) else 3
    runs = list(zip(*(said[start:] for start in range(length)), strict=False))
    return len(set(runs)) / len(runs) if runs else 1.0


@cache
def looping(text: str) -> bool:
    """Tell whether a text, or its second half, says the same again and again."""
    return min(variety(text), variety(text[len(text) // 2 :])) < LOOP


def word_weights(references: Iterable[str]) -> Callable[[str], float]:
    """Return how much a word tells: little where many of a task's reference answers hold it."""
    sets = [set(words(reference)) for reference in references]
    held = Counter(word for said in sets for word in said)
    return lambda word: log((len(sets) + 1) / (held[word] + 0.5))


def likeness(answer: str, question: str, reference: str, weight: Callable[[str], float]) -> float:
    """Return how near an answer is to the reference (0 to 100): F1 of the words that tell something, loops penalised.

    0 of an empty answer and of one that repeats the question.
    """
    said, asked, wanted = set(words(answer)), set(words(question)), set(words(reference))
    if not said or len(said & asked) >= COPIED * len(said):
        return 0.0
    total = sum(map(weight, said)) + sum(map(weight, wanted))
    return 200 * sum(map(weight, said & wanted)) / total * min(1.0, variety(answer) / LOOP) if total else 0.0


def rouge_l(answer: str, reference: str) -> float:
    """Return ROUGE-L F1 (0 to 100; Lin 2004) over `words`."""
    from rapidfuzz.distance.LCSseq import similarity

    one, other = words(answer), words(reference)
    return 200 * similarity(one, other) / (len(one) + len(other)) if one and other else 0.0


def chosen(answer: str) -> str:
    """Return the letter that an answer chooses, "" when it names none or more than one."""
    named = _FIRST.match(answer)
    if named:
        return named[1]
    said = {match.upper() for match in _NAMED.findall(answer)} or set(_ALONE.findall(answer))
    return said.pop() if len(said) == 1 else ""


def _of_all(questions: list[Question], answers: Answers, value: Callable[[str, str], Any]) -> dict[str, list[Any]]:
    """Return contestant -> the value of each answer beside its reference, of those who have answered all questions."""
    return {
        who: [value(given[question.id].answer, question.reference) for question in questions]
        for who, given in answers.items()
        if questions and all(question.id in given and not given[question.id].error for question in questions)
    }


def text_scores(questions: Sequence[Question], answers: Answers) -> dict[str, Any]:
    """Return mean chrF and ROUGE-L of each contestant over the test rows, and base against tuned row by row."""
    rows = [question for question in questions if question.use == "test" and question.reference]
    found: dict[str, dict[str, Any]] = {}
    kinds: dict[str, Callable[[str, str], float]] = {"chrf": chrf, "rouge_l": rouge_l}
    for name, score in kinds.items():
        scores = _of_all(rows, answers, score)
        if {"base", "tuned"} <= set(scores):
            scores["difference"] = [t - b for t, b in zip(scores["tuned"], scores["base"], strict=True)]
        for who, values in scores.items():
            found.setdefault(who, {})[name] = mean_of(values)
    return {"rows": len(rows), "scores": found} if found else {}


def choice_scores(questions: Sequence[Question], answers: Answers) -> dict[str, Any]:
    """Return each contestant's accuracy on multiple choice with Wilson's interval, and an exact test of the change.

    An answer that names no single letter counts as wrong and in `unreadable`.
    """
    rows = [question for question in questions if question.letter]
    named = _of_all(rows, answers, lambda answer, _: chosen(answer))
    right = {who: [letter == row.letter for letter, row in zip(said, rows, strict=True)] for who, said in named.items()}
    scores = {
        who: {
            "accuracy": sum(hits) / len(rows),
            "interval": wilson(sum(hits), len(rows)),
            "unreadable": named[who].count(""),
        }
        for who, hits in right.items()
    }
    found: dict[str, Any] = {"questions": len(rows), "scores": scores} if right else {}
    if {"base", "tuned"} <= set(right):
        changes = [tuned - base for base, tuned in zip(right["base"], right["tuned"], strict=True)]
        gained, lost = changes.count(1), changes.count(-1)
        found["change"] = {"gained": gained, "lost": lost, "mcnemar_p": sign_test(gained, lost)}
    return found
