"""From judgments to the outcome of each pair, and from outcomes to what one judge says about a comparison."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from eval.records.answers import Answer
from eval.records.judgments import VOTE, Judgment
from eval.statistics.agreement import majority
from eval.statistics.intervals import detectable_rate, holm, rate_interval, sign_test, wilson, wins_needed
from eval.statistics.style_control import controls, differing

POSITION = 0.75  # a judge is unusable when more than this part of its winners surely stands in one place


@dataclass(frozen=True)
class Outcome:
    """What both orders together say about contestants `a` and `b` on one question.

    `score` is a's: 1 won, 0.5 tied or the orders disagree, 0 lost, None when an order has no verdict.
    `orders` holds the winner with `a` shown first and with `b` shown first.
    """

    id: str
    a: str
    b: str
    orders: tuple[str | None, str | None]

    @property
    def counted(self) -> bool:
        """Tell whether both orders have a verdict."""
        return None not in self.orders

    @property
    def consistent(self) -> bool:
        """Tell whether both orders say the same."""
        return self.counted and self.orders[0] == self.orders[1]

    @property
    def score(self) -> float | None:
        """Return a's score."""
        if not self.consistent:
            return 0.5 if self.counted else None
        return {self.a: 1.0, self.b: 0.0}.get(str(self.orders[0]), 0.5)

    @property
    def rating(self) -> str | None:
        """Return "win", "tie" or "loss" of a, None without a verdict."""
        return {1.0: "win", 0.5: "tie", 0.0: "loss", None: None}[self.score]


def outcomes(judgments: Iterable[Judgment], a: str, b: str) -> list[Outcome]:
    """Return the outcome of each question on which `a` and `b` were compared, in the judgments' order."""
    found: dict[str, dict[str, str | None]] = {}
    for judgment in judgments:
        if {judgment.first, judgment.second} == {a, b} and not judgment.canary:
            orders = (judgment.first, judgment.second) if judgment.status == VOTE else (judgment.first,)
            found.setdefault(judgment.id, {}).update(dict.fromkeys(orders, judgment.winner))
    return [Outcome(id_, a, b, (orders.get(a), orders.get(b))) for id_, orders in found.items()]


def panel(by_judge: Iterable[list[Outcome]], a: str, b: str) -> list[Outcome]:
    """Return the majority's outcome for each question that a judge has judged."""
    ratings: dict[str, list[str | None]] = {}
    for outcome in chain.from_iterable(by_judge):
        ratings.setdefault(outcome.id, []).append(outcome.rating)
    names = {"win": a, "tie": "tie", "loss": b, None: None}
    winners = {id_: names[majority(given)] for id_, given in ratings.items()}
    return [Outcome(id_, a, b, (winner, winner)) for id_, winner in winners.items()]


def scored(found: Iterable[Outcome]) -> dict[str, float]:
    """Return question -> a's score, of the questions with a verdict."""
    return {outcome.id: outcome.score for outcome in found if outcome.score is not None}


NO_RATE: dict[str, Any] = {
    "win_rate": None, "interval": [0.0, 1.0], "sign_test_p": None,
    "length_controlled": None, "style_controlled": None, "corrected": None,
}  # fmt: skip
"""Of a comparison whose win rate would mislead."""


def counts(scores: Sequence[float]) -> dict[str, Any]:
    """Return wins, ties and losses, the win rate (a tie is half a win) with interval, the sign test and its power."""
    wins, losses, n = sum(score > 0.5 for score in scores), sum(score < 0.5 for score in scores), len(scores)
    ties = n - wins - losses
    return {
        "wins": wins,
        "ties": ties,
        "losses": losses,
        "win_rate": sum(scores) / n if n else None,
        "interval": rate_interval(scores),
        "sign_test_p": sign_test(wins, losses),
        "tie_rate": ties / n if n else None,
        "wins_needed": wins_needed(wins + losses),
        "detectable_rate": detectable_rate(n, ties / n) if n else None,
    }


def correct(rows: list[dict[str, Any]]) -> None:
    """Give every comparison Holm's p over all of them that are shown together: tasks, pairs and judges.

    The reference judge's likeness to an answer is no test of anything, so it has none, and a withheld comparison too.
    """
    for row in rows:
        row["holm_p"] = None
        if row["kind"] == "stand-in" or row.get("withheld") or row["win_rate"] is None:
            row["sign_test_p"] = None
    tested = [row for row in rows if row["sign_test_p"] is not None]
    for row, p in zip(tested, holm([row["sign_test_p"] for row in tested]), strict=True):
        row |= {"holm_p": p, "holm_of": len(tested)}


def steadiness(found: list[Outcome]) -> dict[str, Any]:
    """Return how often both orders agree, and which part of the calls with a winner the answer shown first won."""
    counted = [outcome for outcome in found if outcome.counted]
    inconsistent = sum(not outcome.consistent for outcome in counted)
    shown = [(who, won) for one in counted for who, won in zip((one.a, one.b), one.orders, strict=True) if won != "tie"]
    first = sum(won == who for who, won in shown)
    return {
        "consistency": 1 - inconsistent / len(counted) if counted else None,
        "inconsistent": inconsistent,
        "first_share": first / len(shown) if shown else None,
        "first_share_interval": wilson(first, len(shown)),
    }


def bound_to_position(steady: dict[str, Any]) -> dict[str, Any]:
    """Return which place a judge's winners stand in, where it names hardly another; or {}: it looks at the answers."""
    low, high = steady["first_share_interval"]
    if low <= POSITION and high >= 1 - POSITION:
        return {}
    share = steady["first_share"]
    return {"place": 1 if share > 0.5 else 2, "share": max(share, 1 - share)}


NO_STEADINESS: dict[str, Any] = dict.fromkeys(steadiness([]))
"""Of people and panels, who give one verdict on a pair."""


def length_effect(
    scores: Mapping[str, float], answers_a: dict[str, Answer], answers_b: dict[str, Answer]
) -> dict[str, Any]:
    """Return how much longer a's answers are (ratio of characters), and how often the longer answer won."""
    pairs = [(answers_a[id_].answer, answers_b[id_].answer) for id_ in scores]
    differences = [differing(*pair) for pair in pairs]
    chars_a, chars_b = (sum(len(pair[side]) for pair in pairs) for side in (0, 1))
    decided = [(score, by[0]) for score, by in zip(scores.values(), differences, strict=True) if score != 0.5 and by[0]]
    longer = sum((score > 0.5) == (more > 0) for score, more in decided)
    return {
        "length_ratio": chars_a / chars_b if chars_b else None,
        "longer_won": longer / len(decided) if decided else None,
        "longer_won_interval": wilson(longer, len(decided)),
        "longer_won_of": len(decided),
    } | controls(list(scores.values()), differences)
