"""Win rates of models that differ in nothing but the seed of their training, taken together. Pure."""

import re
from collections.abc import Container, Iterable, Mapping
from statistics import mean, stdev, variance
from typing import Any

from eval.statistics import intervals
from eval.statistics.intervals import Spread, rate_interval

SEED = re.compile(r"-?\bseed-(\d+)")
START = "baseline"
Scores = Mapping[str, float]
"""Question -> score of the first contestant."""


def recipes(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return name -> (recipe, seed) of a sweep's models: dora-seed-43 is dora under 43, seed-43 the baseline."""
    names, found = list(names), {}
    for name in names:
        seed = SEED.search(name)
        rest = SEED.sub("", name).strip("-") if seed else name
        start = f"{rest}-{START}".strip("-")
        found[name] = (start if seed and start in names else rest or START, seed[1] if seed else "")
    return found


def over_seeds(
    judged: Mapping[tuple[str, str, str], Scores], names: Iterable[str], trained: Container[str]
) -> list[dict[str, Any]]:
    """Return what each judge says of two recipes over several seeds, out of (judge, a, b) -> scores of a.

    `trained` are those of the `names` that were trained. Two recipes are compared by their runs of the same seed, and
    each run with a model that was not trained. The interval is over the questions, each with its mean over the seeds;
    `sd` is that of the seeds' win rates, and a winner is `sure` by both together, corrected for all that met. A recipe
    that met itself shows what another seed alone changes.
    """
    of = recipes(names)
    met: dict[tuple[str, str, str], dict[tuple[str, str], Scores]] = {}
    untrained: set[str] = set()
    for (judge, a, b), given in judged.items():
        (one, seed), (other, another), scores = of[a], of[b], dict(given)
        untrained |= {of[who][0] for who in (a, b) if who not in trained}
        if one != other and (judge, other, one) in met:
            one, other, seed, another = other, one, another, seed
            scores = {question: 1 - score for question, score in given.items()}
        if scores:
            met.setdefault((judge, one, other), {})[seed, another] = scores
    found: dict[tuple[str, str, str], dict[tuple[str, str], Scores]] = {}
    for (judge, one, other), runs in met.items():
        by_seed = one != other and not {one, other} & untrained
        used = {seeds: scores for seeds, scores in runs.items() if seeds[0] == seeds[1] or not by_seed}
        if len(used) > 1:
            found[judge, one, other] = used
    rows: list[dict[str, Any]] = []
    for (judge, one, other), used in found.items():
        spread = _spread([runs for (by, a, b), runs in found.items() if by == judge and (a != b) == (one != other)])
        questions = dict.fromkeys(question for scores in used.values() for question in scores)
        means = [mean(scores[question] for scores in used.values() if question in scores) for question in questions]
        rate, interval, rates = mean(means), rate_interval(means), _rates(used)
        low, high = intervals.over_seeds(rate, interval, len(used), spread, sum(key[0] == judge for key in met))
        rows.append(
            {"judge": judge, "a": one, "b": other, "seeds": len(used), "win_rate": rate, "interval": interval,
             "sd": stdev(rates), "rates": rates, "sure": one != other and not low <= 0.5 <= high,
             "of": [name for name, (recipe, _) in of.items() if recipe in (one, other)]}
        )  # fmt: skip
    return rows


def _rates(runs: Mapping[Any, Scores]) -> list[float]:
    return [mean(scores.values()) for scores in runs.values()]


def _spread(compared: list[dict[tuple[str, str], Scores]]) -> Spread:
    """Return how much win rates vary from seed to seed, all pairs of recipes together: few seeds of one say little.

    Pairs share their baseline, so their variances are not independent of each other; half of them are counted.
    """
    most = max(len(runs) for runs in compared) - 1
    return Spread(
        mean(variance(_rates(runs)) for runs in compared), max(most, sum(len(runs) - 1 for runs in compared) / 2)
    )
