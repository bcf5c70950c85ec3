"""What judgments allow to be said: small-sample statistics with the question as the unit.

Both orders of a pair make one outcome; the call is never the unit. The formulas are written out because importing
scipy takes as long as judging a task; the tests hold them against scipy and statsmodels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, lgamma, log, sqrt
from statistics import NormalDist

Z95 = 1.959963984540054  # standard normal quantile of 0.975


def wilson(successes: float, n: float, z: float = Z95) -> list[float]:
    """Return Wilson's (1927) interval of a proportion, 95 % by default; [0, 1] when nothing was tried."""
    if not n:
        return [0.0, 1.0]
    p, z2 = successes / n, z * z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z * sqrt(max(p * (1 - p), 0.0) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return [max(0.0, middle - half), min(1.0, middle + half)]


def rate_interval(scores: Sequence[float], comparisons: int = 1) -> list[float]:
    """Return the 95 % interval of the mean of question scores (0 to 1, ties in between).

    Of so many `comparisons` all intervals together hold with 95 % (Bonferroni).

    Wilson's interval with so many questions as their spread is worth: ties vary less than wins and losses do. One
    question's worth of full spread is added, so that the interval does not collapse when all are ties or all are won.
    """
    n = len(scores)
    if not n:
        return [0.0, 1.0]
    p = sum(scores) / n
    spread = (sum((score - p) ** 2 for score in scores) + 1) / (n * p * (1 - p) + 1)
    z = NormalDist().inv_cdf(1 - 0.025 / comparisons) if comparisons > 1 else Z95
    return wilson(sum(scores) / spread, n / spread, z)


@dataclass(frozen=True)
class Spread:
    """How much training varies with the seed: the variance of one seed's figure, and its degrees of freedom."""

    variance: float
    freedom: float


def over_seeds(
    mean: float, interval: Sequence[float], seeds: float, spread: Spread, comparisons: int = 1
) -> list[float]:
    """Return the interval of a mean over rows (or questions) and over the seeds.

    `interval` is the 95 % interval over the rows alone, and 1 / `seeds` of the `spread` what the seeds add. Of so many
    `comparisons` all together hold (Bonferroni). Both parts are put together as Zou and Donner (2008) do, since the
    variance over a few seeds is itself hardly known: Satterthwaite's approximation is too narrow there.
    """
    from scipy.special import stdtrit

    tail = 1 - 0.025 / comparisons
    of_rows = NormalDist().inv_cdf(tail) * (interval[1] - interval[0]) / 2 / Z95
    of_seeds = float(stdtrit(spread.freedom, tail)) * sqrt(spread.variance / seeds)
    half = sqrt(of_rows**2 + of_seeds**2)
    return [mean - half, mean + half]


def binomial_tail(least: int, n: int, p: float = 0.5) -> float:
    """Return the chance of at least `least` successes in `n` tries."""
    if least <= 0 or p >= 1:
        return 1.0
    return sum(_chance(k, n, p) for k in range(least, n + 1))


def _chance(k: int, n: int, p: float) -> float:
    if p <= 0 or p >= 1:
        return float(k == (n if p >= 1 else 0))
    return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1) + k * log(p) + (n - k) * log(1 - p))


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


@cache
def wins_needed(decided: int, alpha: float = 0.05) -> int | None:
    """Return the fewest wins of so many decided questions that the sign test calls significant, or None."""
    tail, needed = 0.0, None
    for wins in range(decided, decided // 2, -1):
        tail += _chance(wins, decided, 0.5)
        if 2 * tail > alpha:
            break
        needed = wins
    return needed


def detectable_rate(n: int, ties: float = 0.0, power: float = 0.8) -> float | None:
    """Return the smallest true share of the decided questions that the sign test shows with the given power, or None.

    `ties` is the share of the `n` questions that are tied: how many are decided is left to chance.
    """
    reach = 5 * sqrt(n * ties * (1 - ties)) + 1
    middle = n * (1 - ties)
    likely = range(max(0, int(middle - reach)), min(n, int(middle + reach) + 1) + 1)
    cases = [(_chance(m, n, 1 - ties), m, needed) for m in likely if (needed := wins_needed(m)) is not None]

    def shown(rate: float) -> float:
        return sum(chance * binomial_tail(needed, decided, rate) for chance, decided, needed in cases)

    if shown(1.0) < power:
        return None
    low, high = 0.5, 1.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        low, high = (low, middle) if shown(middle) >= power else (middle, high)
    return high


def mean_of(values: Sequence[float]) -> dict[str, float]:
    """Return a mean with Student's 95 % interval."""
    from scipy.stats import t

    n, mean = len(values), sum(values) / len(values)
    error = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n) if n > 1 else float("inf")
    half = float(t.ppf(0.975, max(n - 1, 1))) * error
    return {"mean": mean, "low": mean - half, "high": mean + half}
