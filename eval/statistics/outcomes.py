"""From judgments to the outcome of each pair, and from outcomes to what one judge says about a comparison."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eval.records.answers import Answer
from eval.records.judgments import VOTE, Judgment
from eval.statistics.agreement import majority
from eval.statistics.intervals import detectable_rate, sign_test, wilson, wins_needed
from eval.statistics.length_control import length_controlled


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
    def rating(self) -> str | None:
        """Return "win", "tie" or "loss" of a, None without a verdict."""
        return {1.0: "win", 0.5: "tie", 0.0: "loss", None: None}[self.score]

    @property
    def score(self) -> float | None:
        """Return a's score."""
        if not self.counted:
            return None
        return {self.a: 1.0, self.b: 0.0}.get(str(self.orders[0]), 0.5) if self.consistent else 0.5


def outcomes(judgments: Iterable[Judgment], a: str, b: str) -> list[Outcome]:
    """Return the outcome of each question on which `a` and `b` were compared, in the judgments' order."""
    found: dict[str, dict[str, str | None]] = {}
    for judgment in judgments:
        if {judgment.first, judgment.second} == {a, b} and not judgment.canary:
            orders = found.setdefault(judgment.id, {})
            orders[judgment.first] = judgment.winner
            if judgment.status == VOTE:  # a person sees a pair once, blind
                orders[judgment.second] = judgment.winner
    return [Outcome(id_, a, b, (orders.get(a), orders.get(b))) for id_, orders in found.items()]


def panel(by_judge: dict[str, list[Outcome]], a: str, b: str) -> list[Outcome]:
    """Return the majority's outcome for each question that a judge has judged."""
    ratings: dict[str, list[str | None]] = {}
    for found in by_judge.values():
        for outcome in found:
            ratings.setdefault(outcome.id, []).append(outcome.rating)
    names = {"win": a, "tie": "tie", "loss": b, None: None}
    winners = {id_: names[majority(given)] for id_, given in ratings.items()}
    return [Outcome(id_, a, b, (winner, winner)) for id_, winner in winners.items()]


def summary(found: list[Outcome], both_orders: bool = True) -> dict[str, Any]:
    """Return wins, ties, losses of `a`, its win rate with interval, the sign test and the judge's steadiness.

    `both_orders` is False for people and panels, of whom steadiness cannot be said.

    `win_rate` counts a tie as half; `consistency` is the share of pairs on which both orders agree; of all calls
    with a winner `first_share` is the part won by the answer that was shown first.
    """
    counted = [outcome for outcome in found if outcome.counted]
    scores = [outcome.score for outcome in counted]
    wins, losses = scores.count(1.0), scores.count(0.0)
    n, decided = len(scores), wins + losses
    rate = (wins + (n - decided) / 2) / n if n else None
    interval = wilson(wins + (n - decided) / 2, n)
    inconsistent = sum(not outcome.consistent for outcome in counted)
    shown_first = [outcome.orders[0] == outcome.a for outcome in counted if outcome.orders[0] != "tie"]
    shown_first += [outcome.orders[1] == outcome.b for outcome in counted if outcome.orders[1] != "tie"]
    first = wilson(sum(shown_first), len(shown_first))
    steadiness = {
        "consistency": (n - inconsistent) / n if n else None,
        "inconsistent": inconsistent,
        "first_share": sum(shown_first) / len(shown_first) if shown_first else None,
        "first_share_interval": [first.low, first.high],
    }
    return {
        "questions": len(found),
        "wins": wins,
        "ties": n - decided,
        "losses": losses,
        "unparsed": len(found) - n,
        "win_rate": rate,
        "interval": [interval.low, interval.high],
        "sign_test_p": sign_test(wins, losses),
        **(steadiness if both_orders else dict.fromkeys(steadiness)),
        "tie_rate": (n - decided) / n if n else None,
        "wins_needed": wins_needed(n),
        "detectable_rate": detectable_rate(n),
    }


def length_effect(found: list[Outcome], answers_a: dict[str, Answer], answers_b: dict[str, Answer]) -> dict[str, Any]:
    """Return how much longer a's answers are (ratio of characters), and how often the longer answer won."""
    chars_a = [len(answers_a[outcome.id].answer) for outcome in found]
    chars_b = [len(answers_b[outcome.id].answer) for outcome in found]
    longer = [
        (outcome.score == 1.0) == (length_a > length_b)
        for outcome, length_a, length_b in zip(found, chars_a, chars_b, strict=True)
        if outcome.score in (0.0, 1.0) and length_a != length_b
    ]
    interval = wilson(sum(longer), len(longer))
    return {
        "length_ratio": sum(chars_a) / sum(chars_b) if sum(chars_b) else None,
        "longer_won": sum(longer) / len(longer) if longer else None,
        "longer_won_interval": [interval.low, interval.high],
        "longer_won_of": len(longer),
        "length_controlled": length_controlled(*_scored(found, answers_a, answers_b)),
    }


def _scored(
    found: list[Outcome], answers_a: dict[str, Answer], answers_b: dict[str, Answer]
) -> tuple[list[float], list[int]]:
    """Return the scores of the counted outcomes and by how many characters a's answers are longer."""
    rows = [(outcome.score, outcome.id) for outcome in found]
    counted = [(score, id_) for score, id_ in rows if score is not None]
    lengths = [len(answers_a[id_].answer) - len(answers_b[id_].answer) for _, id_ in counted]
    return [score for score, _ in counted], lengths
