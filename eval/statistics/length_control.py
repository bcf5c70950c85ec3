"""A win rate with the length of answers held equal, where there are enough questions for it."""

from collections.abc import Sequence
from math import exp
from typing import Any

from eval.statistics.intervals import Z95

LEAST_QUESTIONS = 60
LEAST_DECIDED = 20


def length_controlled(scores: Sequence[float], differences: Sequence[float]) -> dict[str, Any] | None:
    """Return the win rate at equal length, with interval, or None when the data do not allow it.

    A logistic regression of the score (0, 0.5, 1) on tanh of the standardised difference in characters, as in
    length-controlled AlpacaEval (Dubois 2024) without its per-question term; the rate is the prediction at difference
    0. None below 60 questions or 20 decided ones, at no spread of lengths, or when length separates wins from losses.
    """
    if len(scores) < LEAST_QUESTIONS or sum(score != 0.5 for score in scores) < LEAST_DECIDED or not any(differences):
        return None
    import numpy as np

    y, lengths = np.asarray(scores, float), np.asarray(differences, float)
    x = np.column_stack([np.ones(len(y)), np.tanh(lengths / np.sqrt((lengths**2).mean()))])
    weights, step = np.zeros(2), np.ones(2)
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x.T * (p * (1 - p))) @ x
        if np.abs(weights).max() > 30 or np.linalg.det(hessian) < 1e-9:
            return None
        if np.abs(step).max() < 1e-10:
            break
        step = np.linalg.solve(hessian, x.T @ (y - p))
        weights = weights + step
    else:
        return None
    # Sandwich: the scores are means of two calls, so the binomial variance would be wrong.
    error = np.sqrt((np.linalg.solve(hessian, (x * (y - p)[:, None]).T)[0] ** 2).sum())
    low, rate, high = (1 / (1 + exp(-(weights[0] + z * error))) for z in (-Z95, 0, Z95))
    return {"win_rate": rate, "interval": [low, high], "length_slope": float(weights[1])}
