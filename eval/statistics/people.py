"""People's votes on a part of the pairs: a judge's win rate corrected by them, and what a panel is worth."""

from collections.abc import Mapping
from typing import Any

from eval.statistics.intervals import wilson

LEAST_VOTES = 50


def corrected(judged: Mapping[str, float], voted: Mapping[str, float]) -> dict[str, Any] | None:
    """Return a judge's win rate corrected by the votes on some of its questions; None when nobody voted on any.

    Prediction-powered inference (Angelopoulos 2023) with the judge weighted by how well it foretells the votes: a
    judge that errs at random then adds nothing, and no bias. Below LEAST_VOTES only how many votes are `needed`.
    """
    both = [id_ for id_ in voted if id_ in judged]
    n, rest = len(both), [score for id_, score in judged.items() if id_ not in voted]
    if not n:
        return None
    found = {"votes": n, "needed": max(0, LEAST_VOTES - n), "win_rate": None, "interval": [0.0, 1.0]}
    if n < LEAST_VOTES:
        return found
    import numpy as np

    said, true = (np.array([scores[id_] for id_ in both]) for scores in (judged, voted))
    spread, trust, all_said = float(np.var([*said, *rest])), 0.0, float(np.mean(rest)) if rest else 0.0
    if rest and spread:
        foretold = float(np.mean((true - true.mean()) * (said - said.mean()))) / spread
        trust = min(max(foretold, 0.0) / (1 + n / len(rest)), 1.0)
    rate = min(max(float(true.mean() + trust * (all_said - said.mean())), 0.0), 1.0)
    residual = true - trust * said
    # One question at its widest is added, so that votes that all agree do not make it collapse.
    variance = float(((residual - residual.mean()) ** 2).sum() + 0.25) / (n - 1) / n
    variance += trust**2 * spread / len(rest) if rest else 0
    worth = max(rate * (1 - rate), 1 / (4 * n)) / variance
    return found | {"win_rate": rate, "interval": wilson(rate * worth, worth)}


def worth_of(members: Mapping[str, Mapping[str, float]], voted: Mapping[str, float]) -> float | None:
    """Return how many independent judges a panel is worth, by how much its members err together (Kish 1965).

    None with fewer than LEAST_VOTES votes on questions that all have judged.
    """
    ids = [id_ for id_ in voted if all(id_ in scores for scores in members.values())]
    if len(ids) < LEAST_VOTES or len(members) < 2:
        return None
    import numpy as np

    errors = np.array([[abs(scores[id_] - voted[id_]) for id_ in ids] for scores in members.values()])
    if not errors.std(axis=1).all():
        return None
    n = len(members)
    alike = float((np.corrcoef(errors).sum() - n) / (n * (n - 1)))  # the mean over all pairs
    return min(float(n), n / (1 + (n - 1) * max(alike, 0.0)))
