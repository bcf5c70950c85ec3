"""Several judges: their majority, and how far they agree beyond chance.

A rating is "win", "tie" or "loss" of the first contestant on one question, None where a judge has no verdict.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

Ratings = dict[str, Sequence[str | None]]  # judge -> one rating for each item, in one order of items


def majority(ratings: Sequence[str | None]) -> str | None:
    """Return what more than half of the given verdicts say, "tie" when there is no such, None when none is given."""
    given = [rating for rating in ratings if rating is not None]
    if not given:
        return None
    rating, votes = Counter(given).most_common(1)[0]
    return rating if 2 * votes > len(given) else "tie"


def cohen(one: Sequence[str | None], other: Sequence[str | None]) -> dict[str, Any]:
    """Return raw agreement and Cohen's kappa (1960) of two judges over the items that both have rated.

    Kappa is None when chance alone would make them agree always.
    """
    both = [pair for pair in zip(one, other, strict=True) if None not in pair]
    n = len(both)
    if not n:
        return {"items": 0, "agreement": None, "kappa": None}
    agreement = sum(x == y for x, y in both) / n
    left, right = map(Counter, zip(*both, strict=True))
    chance = sum(left[rating] * right[rating] for rating in left) / n**2
    kappa = None if chance == 1 else (agreement - chance) / (1 - chance)
    return {"items": n, "agreement": agreement, "kappa": kappa}


def krippendorff_alpha(ratings: Ratings) -> float | None:
    """Return Krippendorff's alpha (nominal), which allows for missing verdicts; None when it is not defined."""
    import krippendorff
    import numpy as np

    codes = {"win": 0.0, "tie": 1.0, "loss": 2.0, None: np.nan}
    table = np.array([[codes[rating] for rating in row] for row in ratings.values()])
    if len(set(table[~np.isnan(table)])) < 2 or (np.sum(~np.isnan(table), axis=0) < 2).all():
        return None
    return float(krippendorff.alpha(reliability_data=table, level_of_measurement="nominal"))


def fleiss(ratings: Ratings) -> float | None:
    """Return Fleiss' kappa (1971) over the items that every judge has rated, None when it is not defined.

    There it is Krippendorff's alpha without that one's correction for few ratings.
    """
    items = [row for row in zip(*ratings.values(), strict=True) if None not in row]
    alpha = krippendorff_alpha(dict(zip(ratings, zip(*items, strict=True), strict=True))) if items else None
    given = len(items) * len(ratings)
    return None if alpha is None else 1 - (1 - alpha) * given / (given - 1)


def agreement_of(ratings: Ratings) -> dict[str, Any]:
    """Return all agreement figures of two judges or more."""
    pairs = [{"judges": [one, other], **cohen(ratings[one], ratings[other])} for one, other in combinations(ratings, 2)]
    return {
        "judges": list(ratings),
        "pairs": pairs,
        "fleiss_kappa": fleiss(ratings),
        "krippendorff_alpha": krippendorff_alpha(ratings),
    }
