"""Judgments, rows of `<folder>/judgments/<judge>.jsonl`: who was compared with whom, and what the judge said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from common.errors import UserError
from common.files import sha256_of
from eval.records.answers import Answer
from eval.records.questions import Question

Verdict = Literal["better", "worse", "equal"]  # of Assistant 1, as it was shown
VOTE = "vote"  # the status of a person's verdict, who sees each pair once
MARKS: dict[str, Verdict] = {"1": "better", "2": "worse", "=": "equal"}
"""How a person marks a pair, with keys."""


def sha256_of_pair(question: str, first: Answer, second: Answer) -> str:
    """Return a hash of what is compared: a judgment of anything else does not count for it."""
    return sha256_of([question, first.answer, second.answer])


@dataclass(frozen=True)
class Pairing:
    """One comparison to make: a question with the answers of contestants `a` and `b`, seen as `first`, `second`."""

    question: Question
    first: Answer
    second: Answer
    canary: str = ""  # "" or what should be known to win: see canaries.py

    @property
    def answers(self) -> tuple[Answer, Answer]:
        """Return both answers, as they are shown."""
        return self.first, self.second

    @property
    def sha256(self) -> str:
        """Return a hash of what is compared: a judgment of anything else does not count for it."""
        return sha256_of_pair(self.question.text, self.first, self.second)

    def judged(self, judge: str, verdict: Verdict | None, **facts: Any) -> "Judgment":
        """Return the row of a judge's verdict on it, with what else is known of that."""
        first, second = self.first.who, self.second.who
        facts |= {"verdict": verdict, "pair_sha256": self.sha256, "canary": self.canary}
        return Judgment(self.question.id, judge, first, second, winner(verdict, first, second), **facts)


@dataclass
class Judgment:
    """One verdict on one pair in one order.

    `winner` is a contestant's name, "tie", or None when the judge gave no verdict; `status` is then "unparsed",
    "refused" or "failed" ("vote" is a person's verdict). `replies` holds what the judge said: one entry, or two when
    it was asked again.
    """

    id: str
    judge: str
    first: str
    second: str
    winner: str | None
    status: str = "ok"
    verdict: Verdict | None = None
    replies: list[dict[str, Any]] = field(default_factory=list)
    defused: int = 0
    pair_sha256: str = ""
    prompt_sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    canary: str = ""
    note: str = ""


def pairings(
    questions: Iterable[Question], answers: dict[str, dict[str, Answer]], pairs: Sequence[tuple[str, str]]
) -> list[Pairing]:
    """Return every pair in both orders, over the questions that both have answered."""
    work = []
    for question in questions:
        for pair in pairs:
            given = [answers[who][question.id] for who in pair if question.id in answers[who]]
            for answer in given:
                if answer.question.strip() != question.text:
                    raise UserError(
                        f"{answer.who} answered another question under the id {question.id}: {answer.question[:60]!r}",
                        "answer again with the same QUESTIONS",
                    )
            if len(given) == 2 and not any(answer.error for answer in given):
                first, second = given
                work += [Pairing(question, first, second), Pairing(question, second, first)]
    return work


def winner(verdict: Verdict | None, first: str, second: str) -> str | None:
    """Return whom a verdict on (first, second) makes the winner, "tie", or None."""
    return {"better": first, "worse": second, "equal": "tie", None: None}[verdict]


def voted(pairing: Pairing, judge: str, mark: str) -> Judgment:
    """Return a person's verdict on a pair: one of MARKS."""
    return pairing.judged(judge, MARKS[mark], status=VOTE)


def pairs_judged(judgments: list[Judgment], names: list[str]) -> list[tuple[str, str]]:
    """Return the pairs that were judged, each with the contestant named first that comes first in `names`."""
    rank = {name: index for index, name in enumerate(names)}
    shown = [(row.first, row.second) for row in judgments if not row.canary and {row.first, row.second} <= rank.keys()]
    return list(dict.fromkeys((a, b) if rank[a] <= rank[b] else (b, a) for a, b in shown))
