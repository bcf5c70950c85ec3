"""What judgments allow to be said: small-sample statistics with the question as the unit.

Both orders of a pair make one outcome; the call is never the unit. Of scipy only `special` is loaded, and only where
it is used: the rest of it takes as long as judging a task.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist, fmean, stdev
from typing import Any

Z95 = 1.959963984540054  # standard normal quantile of 0.975
POWER = 0.8


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


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided p-value of the sign test, ties left aside."""
    from scipy.special import bdtrc

    most, n = max(wins, losses), wins + losses
    return min(1.0, 2 * float(bdtrc(most - 1, n, 0.5))) if n else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's (1979) step-down adjusted p-values, in the given order."""
    import numpy as np

    adjusted = np.array(p_values, float)
    order = np.argsort(adjusted, kind="stable")
    adjusted[order] = np.maximum.accumulate(adjusted[order] * np.arange(len(order), 0, -1)).clip(max=1)
    return [float(p) for p in adjusted]


def _least_wins(decided: Any) -> Any:
    """Return the fewest wins of so many decided questions that the sign test calls significant at 5 %.

    Of one number or of an array; more wins than questions where none are enough.
    """
    import numpy as np
    from scipy.special import bdtrik

    return np.ceil(bdtrik(0.975, decided, 0.5)) + 1


def wins_needed(decided: int) -> int | None:
    """Return the fewest wins of so many decided questions that the sign test calls significant, or None."""
    least = int(_least_wins(decided)) if decided else 1
    return least if least <= decided else None


def detectable_rate(n: int, ties: float = 0.0) -> float | None:
    """Return the smallest true share of the decided questions that the sign test shows with a power of 80 %, or None.

    `ties` is the share of the `n` questions that are tied: how many are decided is left to chance.
    """
    import numpy as np
    from scipy.special import bdtr, bdtrc

    middle, reach = n * (1 - ties), 5 * sqrt(n * ties * (1 - ties)) + 1
    decided = np.arange(max(1, int(middle - reach)), min(n, int(middle + reach) + 1) + 1)
    needed = _least_wins(decided)
    decided, needed = decided[needed <= decided], needed[needed <= decided]
    chances = bdtr(decided, n, 1 - ties) - bdtr(decided - 1, n, 1 - ties)
    rates = np.linspace(0.5, 1, 513)
    shown = bdtrc(needed - 1, decided, rates[:, None]) @ chances
    return float(rates[shown >= POWER][0]) if shown[-1] >= POWER else None


def mean_of(values: Sequence[float]) -> dict[str, float]:
    """Return a mean with Student's 95 % interval."""
    from scipy.special import stdtrit

    n, mean = len(values), fmean(values)
    half = float(stdtrit(n - 1, 0.975)) * stdev(values) / sqrt(n) if n > 1 else inf
    return {"mean": mean, "low": mean - half, "high": mean + half}
