"""The offline stand-in for a judge: which answer is nearer to the reference answer by chrF.

It measures likeness of wording, not quality, and is called what it is wherever its figures are shown. It needs no
network and no key, gives the same verdict every time and does not care for the order.
chrF: Popovic 2015, as in sacrebleu (character 6-grams, beta 2); it needs no word boundaries, so Chinese is fine.
"""

from common.errors import UserError
from common.llm.default_judge import STAND_IN
from eval.records.judgments import Judgment, Pairing, Verdict, winner
from eval.statistics.reference_scores import chrf

NAME = STAND_IN
MARGIN = 1.0  # chrF points (of 100) within which two answers count as equal


def judge_all(pairings: list[Pairing]) -> list[Judgment]:
    """Return the judgments on all pairings; UserError when a question has no reference answer."""
    without = sorted({pairing.question.id for pairing in pairings if not pairing.question.reference})
    if without:
        raise UserError(
            f"the stand-in judge needs reference answers; {len(without)} questions have none: {without[0]} ...",
            "add a reference to each, or name a model: JUDGE=model",
        )
    return [_judge(pairing) for pairing in pairings]


def _judge(pairing: Pairing) -> Judgment:
    first = chrf(pairing.first.answer, pairing.question.reference)
    second = chrf(pairing.second.answer, pairing.question.reference)
    verdict: Verdict = "equal" if abs(first - second) <= MARGIN else "better" if first > second else "worse"
    return Judgment(
        pairing.question.id,
        NAME,
        pairing.first.who,
        pairing.second.who,
        winner(verdict, pairing.first.who, pairing.second.who),
        verdict=verdict,
        pair_sha256=pairing.sha256,
        canary=pairing.canary,
        note=f"chrF to the reference answer: {first:.1f} and {second:.1f}; equal within {MARGIN:g}",
    )
