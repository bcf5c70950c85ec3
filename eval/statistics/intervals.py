"""What judgments allow to be said: exact, small-sample statistics with the question as the unit.

Both orders of a pair make one outcome; the call is never the unit. Formulas are written out here because importing
scipy costs more time than judging a task does; the tests hold them against scipy and statsmodels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, sqrt

LEAST_FOR_T = 60
Z95 = 1.959963984540054  # standard normal quantile of 0.975


@dataclass(frozen=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float


def wilson(successes: float, n: int) -> Interval:
    """Return Wilson's score interval (1927) for a proportion; half successes (ties) are allowed.

    With question means it covers more than 95 % and, unlike a bootstrap, does not collapse when all is won.
    """
    if n == 0:
        return Interval(0.0, 1.0)
    p, z2 = successes / n, Z95 * Z95
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def binomial_tail(least: int, n: int, p: float = 0.5) -> float:
    """Return the chance of at least `least` successes in `n` tries."""
    return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least, n + 1))


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided p-value of the sign test, ties left aside."""
    n = wins + losses
    return min(1.0, 2 * binomial_tail(max(wins, losses), n)) if n else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) step-down adjusted p-values, in the given order."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def wins_needed(n: int, alpha: float = 0.05) -> int | None:
    """Return the fewest wins of `n` decided questions that the sign test calls significant, or None."""
    return next((wins for wins in range(n // 2 + 1, n + 1) if sign_test(wins, n - wins) <= alpha), None)


def detectable_rate(n: int, power: float = 0.8) -> float | None:
    """Return the smallest true share of wins that `n` decided questions show with the given power, or None."""
    needed = wins_needed(n)
    if needed is None:
        return None
    low, high = 0.5, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if binomial_tail(needed, n, middle) >= power else (middle, high)
    return high


def mean_interval(values: Sequence[float]) -> Interval:
    """Return Student's t interval for a mean, for pooled question scores and for row-by-row differences."""
    from scipy.stats import t

    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return Interval(float("-inf"), float("inf"))
    error = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)
    half = float(t.ppf(0.975, n - 1)) * error
    return Interval(mean - half, mean + half)


def mean_of(values: Sequence[float]) -> dict[str, float]:
    """Return a mean with its 95 % interval."""
    interval = mean_interval(values)
    return {"mean": sum(values) / len(values), "low": interval.low, "high": interval.high}


def rate_of(scores: Sequence[float]) -> dict[str, float]:
    """Return the mean of question scores (0 to 1) with its 95 % interval.

    Student's t, which is near the nominal coverage, from LEAST_FOR_T questions on and where it stays within 0 and 1;
    else Wilson's, which covers more and does not collapse when all is won.
    """
    n, mean = len(scores), sum(scores) / len(scores)
    interval = mean_interval(scores) if n >= LEAST_FOR_T and min(scores) < max(scores) else None
    if interval is None or interval.low < 0 or interval.high > 1:
        interval = wilson(sum(scores), n)
    return {"mean": mean, "low": interval.low, "high": interval.high}
