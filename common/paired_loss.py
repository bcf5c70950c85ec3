"""Losses of two models on the same rows: their difference a token, with an interval."""

from collections.abc import Mapping, Sequence
from typing import Any

DRAWS = 10_000
SEED = 0


def paired_difference(
    before: Sequence[float], after: Sequence[float], tokens: Sequence[int], comparisons: int = 1
) -> dict[str, float]:
    """Return how much lower or higher `after` is, in nats a token, with its 95 % interval (bootstrap over rows).

    `before` and `after` hold each row's summed negative log-likelihood, `tokens` how many tokens that sums over. Of so
    many `comparisons` all intervals together hold with 95 % (Bonferroni).
    """
    import numpy

    counts = numpy.array(tokens)
    gain = numpy.array(after) - numpy.array(before)
    draws = numpy.random.default_rng(SEED).integers(0, len(counts), (DRAWS, len(counts)))
    tail = 2.5 / max(1, comparisons)
    low, high = numpy.percentile(gain[draws].sum(axis=1) / counts[draws].sum(axis=1), [tail, 100 - tail])
    return {"mean": float(gain.sum() / counts.sum()), "low": float(low), "high": float(high)}


def change_told(difference: Mapping[str, Any]) -> str:
    """Return "lower" or "higher", as the loss is, or "open" where the interval, as it is shown, leaves it so."""
    if round(difference["high"], 3) < 0:
        return "lower"
    return "higher" if round(difference["low"], 3) > 0 else "open"
