"""Win rates of models that differ in nothing but the seed of their training, taken together. Pure."""

import re
from collections.abc import Iterable, Mapping
from statistics import mean, stdev
from typing import Any

from eval.statistics.intervals import rate_interval

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


def over_seeds(judged: Mapping[tuple[str, str, str], Scores], names: Iterable[str]) -> list[dict[str, Any]]:
    """Return what each judge says of two recipes over several seeds, out of (judge, a, b) -> scores of a.

    The interval is over the questions, each with its mean over the seeds; `sd` is that of the seeds' win rates. Runs of
    the same seed are compared where they met. A recipe that met itself shows what another seed alone changes.
    """
    of = recipes(names)
    met: dict[tuple[str, str, str], dict[tuple[str, str], Scores]] = {}
    for (judge, a, b), given in judged.items():
        (one, seed), (other, another), scores = of[a], of[b], dict(given)
        if one != other and (judge, other, one) in met:
            one, other, seed, another = other, one, another, seed
            scores = {question: 1 - score for question, score in given.items()}
        if scores:
            met.setdefault((judge, one, other), {})[seed, another] = scores
    rows: list[dict[str, Any]] = []
    for (judge, one, other), runs in met.items():
        same = {seeds: scores for seeds, scores in runs.items() if seeds[0] == seeds[1]}
        used = same if len(same) > 1 else runs
        if len(used) < 2:
            continue
        rates = [mean(scores.values()) for scores in used.values()]
        questions = dict.fromkeys(question for scores in used.values() for question in scores)
        means = [mean(scores[question] for scores in used.values() if question in scores) for question in questions]
        # A winner has to win beyond chance over all that is compared, and under each seed.
        low, high = rate_interval(means, sum(key[0] == judge for key in met))
        rows.append(
            {"judge": judge, "a": one, "b": other, "seeds": len(used), "win_rate": mean(means),
             "interval": rate_interval(means), "sd": stdev(rates), "rates": rates,
             "sure": one != other and (low > 0.5 < min(rates) or high < 0.5 > max(rates))}
        )  # fmt: skip
    return rows
