"""A win rate with the length of answers held equal, where there are enough questions for it."""

from collections.abc import Sequence
from math import exp, isfinite, sqrt, tanh
from typing import Any

from eval.statistics.intervals import Z95

LEAST_QUESTIONS = 60


def length_controlled(scores: Sequence[float], differences: Sequence[int]) -> dict[str, Any] | None:
    """Return the win rate at equal length, with interval, or None when the data do not allow it.

    A logistic regression of the score (0, 0.5, 1) on tanh of the standardised difference in characters, as in
    length-controlled AlpacaEval (Dubois 2024) without its per-question term; the rate is the prediction at difference
    0. None below 60 questions, at no spread of lengths, or when length separates wins from losses.
    """
    n = len(scores)
    spread = sqrt(sum(d * d for d in differences) / n) if n else 0.0
    if n < LEAST_QUESTIONS or not spread:
        return None
    fitted = _logistic(scores, [tanh(d / spread) for d in differences])
    if fitted is None:
        return None
    intercept, slope, error = fitted
    return {
        "win_rate": _sigmoid(intercept),
        "interval": [_sigmoid(intercept - Z95 * error), _sigmoid(intercept + Z95 * error)],
        "length_slope": slope,
    }


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x)) if x > -700 else 0.0


def _logistic(y: Sequence[float], x: Sequence[float]) -> tuple[float, float, float] | None:
    """Fit y on 1 and x by Newton's method; return intercept, slope and the intercept's robust standard error."""
    a = b = 0.0
    for _ in range(50):
        p = [_sigmoid(a + b * value) for value in x]
        weights = [q * (1 - q) for q in p]
        residuals = [value - q for value, q in zip(y, p, strict=True)]
        h00, h01 = sum(weights), sum(w * v for w, v in zip(weights, x, strict=True))
        h11 = sum(w * v * v for w, v in zip(weights, x, strict=True))
        g0, g1 = sum(residuals), sum(r * v for r, v in zip(residuals, x, strict=True))
        determinant = h00 * h11 - h01 * h01
        if determinant < 1e-9:
            return None
        step_a, step_b = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        a, b = a + step_a, b + step_b
        if not (isfinite(a) and isfinite(b)) or max(abs(a), abs(b)) > 30:
            return None
        if max(abs(step_a), abs(step_b)) < 1e-10:
            # Sandwich: the scores are means of two calls, so the binomial variance would be wrong.
            rows = [(h11 - h01 * v) * r / determinant for r, v in zip(residuals, x, strict=True)]
            return a, b, sqrt(sum(row * row for row in rows))
    return None
