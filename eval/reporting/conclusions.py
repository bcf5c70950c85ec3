"""What the figures of an experiment allow to be said, in sentences; nothing beyond them. Pure."""

from collections.abc import Sized
from functools import partial

from eval.reporting import seeds
from eval.reporting.experiment import Experiment, RunFacts, loss_against
from eval.reporting.tables import difference
from eval.result.sentences import heldout, power, verdict
from eval.result.wording import say

TELL = partial(say, "en")


def sentences(experiment: Experiment) -> list[str]:
    """Return the findings of an experiment: losses, verdicts against the base, differences from the baseline."""
    found = [_unfinished(experiment)]
    for task in experiment.tasks:
        runs = [run for run in experiment.done if run.base_task == task]
        of = f"{task}: " if len(experiment.tasks) > 1 else ""
        said = (*_losses(runs), *_verdicts(experiment, runs), *_baseline(experiment, task))
        found += [of + line for line in (*said, *seeds.sentences(experiment, task))]
    return [line for line in found if line]


def _unfinished(experiment: Experiment) -> str:
    missing = experiment.missing
    told = ", ".join(f"{run.name} ({run.state}{': ' + run.error if run.error else ''})" for run in missing)
    return f"{len(missing)} of {len(experiment.runs)} runs have no result and are left out: {told}." if missing else ""


def _losses(runs: list[RunFacts]) -> list[str]:
    measured = [run for run in runs if run.heldout]
    if len(measured) < 2:
        return [heldout(run.heldout, TELL) for run in measured]
    lower = [run for run in measured if run.heldout["difference"]["high"] < 0]
    higher = [run for run in measured if run.heldout["difference"]["low"] > 0]
    said = f"Training lowered the held-out loss in {_of(lower, measured)}"
    said += f" and raised it in {_of(higher, measured)}" if higher else ""
    rest = len(measured) - len(lower) - len(higher)
    said += f"; in {rest} it cannot be told (the 95 % interval holds 0)." if rest else " (95 % intervals)."
    if len({str(run.heldout.get("row_losses", {}).get("tokens")) for run in measured}) == 1:
        return [f"{said} {_lowest(measured)}".strip()]
    return [f"{said} Losses of models with different tokenizers are not comparable with each other."]


def _lowest(measured: list[RunFacts]) -> str:
    """Name the run with the lowest loss where its difference from every other one is more than the rows' chance."""
    best = min(measured, key=lambda run: run.heldout["tuned"]["loss"])
    others = [run for run in measured if run is not best]
    changes = {run.name: loss_against(best, run, len(others)) for run in others}
    close = [name for name, change in changes.items() if change is None or round(change["high"], 3) >= 0]
    told = f"{best.name} ({best.heldout['tuned']['loss']:.3f})"
    if not close:
        return f"It is lowest for {told}."
    named = ", ".join(close) if len(close) <= 3 else f"{len(close)} others"
    return f"The lowest is that of {told}, which cannot be told from {named}."


def _of(some: Sized, all_: Sized) -> str:
    if not some:
        return f"none of {len(all_)} runs"
    return f"all {len(all_)} runs" if len(some) == len(all_) else f"{len(some)} of {len(all_)} runs"


def _verdicts(experiment: Experiment, runs: list[RunFacts]) -> list[str]:
    said = []
    for judge, kind in experiment.judges.items():
        rows = {run.name: row for run in runs if (row := run.comparison(judge))}
        if not rows:
            continue
        if len(rows) == 1:
            said += [verdict(row, TELL, str(runs[0].folder)) for row in rows.values()]
            continue
        likeness = kind == "stand-in"
        given = [row for row in rows.values() if not row["withheld"]]
        sure = [row for row in given if likeness or (row["holm_p"] is not None and row["holm_p"] <= 0.05)]
        won = [row for row in sure if row["wins"] > row["losses"]]
        lost = [row for row in sure if row["wins"] < row["losses"]]
        beats = "is nearer to the reference answers than" if likeness else "beats"
        line = f"By {judge}, the tuned model {beats} its base in {_of(won, rows)}"
        line += f" and the base {beats} the tuned model in {_of(lost, rows)}" if lost else ""
        rest = len(given) - len(won) - len(lost)
        if rest and not likeness:
            most = max(rows.values(), key=lambda row: row["questions"])
            line += f"; in {rest} they cannot be told apart ({power(most, most['questions'], TELL)})"
        held_back = len(rows) - len(given)
        line += (
            f"; {held_back} have no win rate, since too many answers are cut off, empty or loops" if held_back else ""
        )
        said.append(f"{line} ({'likeness, not quality' if likeness else 'sign test, Holm over all comparisons'}).")
    return said


def _baseline(experiment: Experiment, task: str) -> list[str]:
    better: list[str] = []
    worse: list[str] = []
    open_: list[str] = []
    compared = [(run, start) for run, start in experiment.compared if run.base_task == task]
    for run, start in compared:
        change = loss_against(run, start, len(compared))
        if change is None:
            continue
        told = f"{run.name} ({difference(change)})"
        (better if change["high"] < 0 else worse if change["low"] > 0 else open_).append(told)
    parts = [
        f"{'; '.join(names)}: {words}"
        for names, words in ((better, "lower"), (worse, "higher"), (open_, "not to be told from it"))
        if names
    ]
    wider = f" (95 % intervals for all {len(compared)} together)" if len(compared) > 1 else ""
    return [f"Held-out loss against the baseline's{wider}: {' — '.join(parts)}."] if parts else []
