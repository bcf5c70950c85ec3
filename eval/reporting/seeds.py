"""Runs that differ in nothing but their seed, taken together: how much training varies by itself. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, variance

from common.paired_loss import paired_difference
from eval.reporting.experiment import Experiment, RunFacts
from eval.statistics import intervals
from eval.statistics.intervals import Spread


@dataclass(frozen=True)
class Recipe:
    """One recipe under one seed or several, measured on the held-out rows."""

    name: str
    runs: dict[str, RunFacts]
    """Seed -> run."""
    start: str = ""
    """Name of the recipe that it is compared with; "" for the baseline itself."""

    @property
    def losses(self) -> list[float]:
        """The tuned models' losses on the held-out rows."""
        return [run.heldout["tuned"]["loss"] for run in self.runs.values()]

    @property
    def first(self) -> RunFacts:
        """Its first run."""
        return next(iter(self.runs.values()))


def recipes(experiment: Experiment, runs: Iterable[RunFacts] | None = None) -> list[Recipe]:
    """Return the measured runs (of `runs`, or all that are done), those that differ in their seed alone together."""
    groups: dict[tuple[str, ...], dict[str, RunFacts]] = {}
    for run in experiment.done if runs is None else runs:
        if not run.heldout.get("row_losses"):
            continue
        rest = tuple(f"{key} {value}" for key, value in run.point.items() if key != "seed")
        rest = (run.group, run.task, run.model, run.method, *rest, str(run.heldout["row_losses"]["tokens"]))
        rest = rest if "seed" in run.point else (*rest, str(run.folder))
        groups.setdefault(rest, {})[str(run.point.get("seed", ""))] = run
    name_of = {run.name: _name(found) for found in groups.values() for run in found.values()}
    return [Recipe(_name(found), found, _start(found, name_of)) for found in groups.values()]


def pooled(experiment: Experiment) -> list[Recipe]:
    """Return the recipes under two seeds and more."""
    return [recipe for recipe in recipes(experiment) if len(recipe.runs) > 1]


def _name(runs: dict[str, RunFacts]) -> str:
    first = next(iter(runs.values())).name
    return first if len(runs) == 1 else re.sub(r"-?seed-\d+", "", first).strip("-") or "all runs"


def _start(runs: dict[str, RunFacts], name_of: dict[str, str]) -> str:
    starts = {run.baseline for run in runs.values()}
    names = {name_of.get(start, "") for start in starts}
    return names.pop() if len(names) == 1 and starts.isdisjoint(run.name for run in runs.values()) else ""


def spread(found: Iterable[Recipe], task: str, model: str) -> Spread | None:
    """Return the variance over seeds of all recipes of a task and a model; None where each has one seed."""
    several = [one for one in found if len(one.runs) > 1 and (one.first.base_task, one.first.model) == (task, model)]
    freedom = sum(len(one.runs) - 1 for one in several)
    squares = sum(variance(one.losses) * (len(one.runs) - 1) for one in several)
    return Spread(squares / freedom, freedom) if freedom else None


def change(one: Recipe, start: Recipe | None) -> tuple[dict[str, float], list[float]] | None:
    """Return how the mean loss over all seeds differs, with its interval over rows, and the difference of each seed.

    It differs from that of `start` under the same seeds, or from the base model's where there is no `start`. None
    where they have fewer than two seeds in common or were measured on other tokens.
    """
    seeds = [seed for seed in one.runs if start is None or seed in start.runs]
    after = [one.runs[seed].heldout["row_losses"] for seed in seeds]
    before = [start.runs[seed].heldout["row_losses"] for seed in seeds] if start else after
    if len(seeds) < 2 or before[0]["tokens"] != after[0]["tokens"]:
        return None
    tokens = after[0]["tokens"]
    pairs = [(old["tuned"] if start else old["base"], new["tuned"]) for old, new in zip(before, after, strict=True)]
    rows = [_mean_of(losses) for losses in zip(*pairs, strict=True)]
    return paired_difference(rows[0], rows[1], tokens), [(sum(new) - sum(old)) / sum(tokens) for old, new in pairs]


def difference(one: Recipe, start: Recipe, among: Iterable[Recipe], comparisons: int = 1) -> dict[str, float] | None:
    """Return how the loss of one recipe differs from another's, with its interval over rows.

    It is over seeds too where any of the recipes `among` which they are has several. Of so many `comparisons` all
    intervals together hold. None where they were measured on other tokens.
    """
    sides = [[run.heldout["row_losses"] for run in recipe.runs.values()] for recipe in (start, one)]
    tokens = sides[0][0]["tokens"]
    if tokens != sides[1][0]["tokens"]:
        return None
    before, after = (_mean_of([losses["tuned"] for losses in side]) for side in sides)
    known = spread(among, one.first.base_task, one.first.model)
    if not known:
        return paired_difference(before, after, tokens, comparisons)
    found = paired_difference(before, after, tokens)
    seeds, around = 1 / (1 / len(one.runs) + 1 / len(start.runs)), (found["low"], found["high"])
    low, high = intervals.over_seeds(found["mean"], around, seeds, known, comparisons)
    return {"mean": found["mean"], "low": low, "high": high}


def _mean_of(losses: Iterable[list[float]]) -> list[float]:
    return [mean(values) for values in zip(*losses, strict=True)]
