"""The offline stand-in for a judge: which answer shares more telling words with the reference answer.

It measures likeness, not quality, and is called what it is wherever its figures are shown: it takes neither a wrong
figure nor a lost "not" for a fault. It needs no network and no key, gives the same verdict every time and does not
care for the order. AGREEMENT is how often it names the better of two real answers, by labels given blind
(tests/eval/judging/labels.jsonl).
"""

from collections.abc import Callable

from common.errors import UserError
from common.llm.default_judge import STAND_IN
from eval.records.judgments import Judgment, Pairing, Verdict
from eval.statistics.reference_scores import likeness, looping, word_weights

NAME = STAND_IN
MARGIN = 1.0  # points (of 100) within which two answers count as equal
AGREEMENT = (48.5, 65)  # pairs it is right on (a tie is half), of so many with a better answer


def judge_all(pairings: list[Pairing]) -> list[Judgment]:
    """Return the judgments on all pairings; UserError when a question has no reference answer."""
    without = sorted({pairing.question.id for pairing in pairings if not pairing.question.reference})
    if without:
        raise UserError(
            f"the stand-in judge needs reference answers; {len(without)} questions have none: {without[0]} ...",
            "add a reference to each, or name a model: JUDGE=model",
        )
    weight = word_weights({pairing.question.id: pairing.question.reference for pairing in pairings}.values())
    return [_judge(pairing, weight) for pairing in pairings]


def _judge(pairing: Pairing, weight: Callable[[str], float]) -> Judgment:
    question, texts = pairing.question, (pairing.first.answer, pairing.second.answer)
    first, second = (likeness(text, question.text, question.reference, weight) for text in texts)
    if all(looping(text) for text in texts):
        first = second = 0.0
    verdict: Verdict = "equal" if abs(first - second) <= MARGIN else "better" if first > second else "worse"
    note = f"likeness to the reference answer: {first:.1f} and {second:.1f} of 100; equal within {MARGIN:g}"
    return pairing.judged(NAME, verdict, note=note)
