"""Runs that differ in nothing but their seed, taken together: how much training varies by itself. Pure."""

import re
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from common.paired_loss import paired_difference
from eval.reporting.experiment import Experiment, RunFacts


@dataclass(frozen=True)
class Pooled:
    """One recipe under several seeds."""

    name: str
    runs: dict[str, RunFacts]
    """Seed -> run."""
    start: str = ""
    """Name of the runs that these are compared with; "" for the baseline itself."""

    @property
    def losses(self) -> list[float]:
        """The tuned models' losses on the held-out rows."""
        return [run.heldout["tuned"]["loss"] for run in self.runs.values()]


def pooled(experiment: Experiment) -> list[Pooled]:
    """Return the groups of two and more done runs that differ in their seed alone and are measured on the same rows."""
    groups: dict[tuple[str, ...], dict[str, RunFacts]] = {}
    for run in experiment.done:
        if "seed" in run.point and run.heldout.get("row_losses"):
            rest = tuple(f"{key} {value}" for key, value in run.point.items() if key != "seed")
            groups.setdefault((run.group, run.task, run.model, run.method, *rest), {})[str(run.point["seed"])] = run
    several = [runs for runs in groups.values() if len(runs) > 1]
    return [Pooled(_name(runs), runs, _start(experiment, runs)) for runs in several if _same_rows(runs)]


def _name(runs: dict[str, RunFacts]) -> str:
    return re.sub(r"-?seed-\d+", "", next(iter(runs.values())).name).strip("-") or "all runs"


def _start(experiment: Experiment, runs: dict[str, RunFacts]) -> str:
    found = {seed: experiment.run(run.baseline) for seed, run in runs.items()}
    other = {seed: start for seed, start in found.items() if start and start is not runs[seed]}
    return _name(other) if len(other) == len(runs) else ""


def _same_rows(runs: dict[str, RunFacts]) -> bool:
    return len({str(run.heldout["row_losses"]["tokens"]) for run in runs.values()}) == 1


def change(one: Pooled, start: Pooled | None) -> tuple[dict[str, float], list[float]] | None:
    """Return how the mean loss over all seeds differs, with its interval over rows, and the difference of each seed.

    It differs from that of `start` under the same seeds, or from the base model's where there is no `start`. None
    where they have no seeds in common or were measured on other tokens.
    """
    seeds = [seed for seed in one.runs if start is None or seed in start.runs]
    after = [one.runs[seed].heldout["row_losses"] for seed in seeds]
    before = [start.runs[seed].heldout["row_losses"] for seed in seeds] if start else after
    if len(seeds) < 2 or before[0]["tokens"] != after[0]["tokens"]:
        return None
    pairs = [(old["tuned"] if start else old["base"], new["tuned"]) for old, new in zip(before, after, strict=True)]
    tokens = after[0]["tokens"]
    rows = [[mean(values) for values in zip(*losses, strict=True)] for losses in zip(*pairs, strict=True)]
    return paired_difference(rows[0], rows[1], tokens), [(sum(new) - sum(old)) / sum(tokens) for old, new in pairs]


def against(group: Pooled, start: Pooled | None) -> dict[str, Any]:
    """Return how a recipe differs from the one it is compared with over their common seeds; empty where it does not."""
    found = change(group, start) if start else None
    if not start or not found:
        return {}
    each = found[1]
    return {
        "n": len(each), "name": group.name, "start": start.name, "change": found[0], "sd": f"{stdev(each):.3f}",
        "agree": len({value > 0 for value in each}) == 1,
    }  # fmt: skip
