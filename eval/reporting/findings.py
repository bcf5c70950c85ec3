"""What the figures of an experiment allow to be said, in sentences; nothing beyond them. Pure."""

from collections.abc import Sequence

from eval.findings import p_value
from eval.reporting.experiment import Experiment, RunFacts, loss_against
from eval.reporting.tables import difference
from eval.stats import detectable_rate, holm


def sentences(experiment: Experiment) -> list[str]:
    """Return the findings of an experiment: losses, verdicts against the base, differences from the baseline."""
    found = [_unfinished(experiment)]
    for task in experiment.tasks:
        runs = [run for run in experiment.done if run.base_task == task]
        of = f"{task}: " if len(experiment.tasks) > 1 else ""
        found += [of + line for line in (*_losses(runs), *_verdicts(experiment, runs), *_baseline(experiment, task))]
    return [line for line in found if line]


def _unfinished(experiment: Experiment) -> str:
    missing = experiment.missing
    told = ", ".join(f"{run.name} ({run.state}{': ' + run.error if run.error else ''})" for run in missing)
    return f"{len(missing)} of {len(experiment.runs)} runs have no result and are left out: {told}." if missing else ""


def _losses(runs: list[RunFacts]) -> list[str]:
    measured = [run for run in runs if run.heldout]
    if not measured:
        return []
    lower = [run for run in measured if run.heldout["difference"]["high"] < 0]
    higher = [run for run in measured if run.heldout["difference"]["low"] > 0]
    said = f"Training lowered the held-out loss in {_of(lower, measured)}"
    said += f" and raised it in {_of(higher, measured)}" if higher else ""
    rest = len(measured) - len(lower) - len(higher)
    said += f"; in {rest} it cannot be told (the 95 % interval holds 0)." if rest else " (95 % intervals)."
    tokens = {str(run.heldout.get("row_losses", {}).get("tokens")) for run in measured}
    if len(measured) > 1 and len(tokens) == 1:
        best = min(measured, key=lambda run: run.heldout["tuned"]["loss"])
        said += f" It is lowest for {best.name}: {best.heldout['tuned']['loss']:.3f}."
    elif len(measured) > 1:
        said += " Losses of models with different tokenizers are not comparable with each other."
    return [said]


def _of(some: Sequence[RunFacts], all_: Sequence[RunFacts]) -> str:
    if not some:
        return f"none of {len(all_)} runs" if len(all_) > 1 else "no run"
    if len(all_) == 1:
        return "the one run"
    return f"all {len(all_)} runs" if len(some) == len(all_) else f"{len(some)} of {len(all_)} runs"


def _verdicts(experiment: Experiment, runs: list[RunFacts]) -> list[str]:
    said = []
    for judge, kind in experiment.judges.items():
        rows = [(run, row) for run in runs if (row := run.comparison(judge))]
        if not rows:
            continue
        adjusted = holm([row["sign_test_p"] for _, row in rows])
        shown = [(run, row) for (run, row), p in zip(rows, adjusted, strict=True) if p <= 0.05]
        won = [run for run, row in shown if row["wins"] > row["losses"]]
        lost = [run for run, row in shown if row["wins"] < row["losses"]]
        all_runs = [run for run, _ in rows]
        nearer = "is nearer to the reference answers than" if kind == "stand-in" else "beats"
        line = f"By {judge}, the tuned model {nearer} its base in {_of(won, all_runs)}"
        line += f" and the base is ahead in {_of(lost, all_runs)}" if lost else ""
        questions = max(row["questions"] for _, row in rows)
        rate = detectable_rate(questions)
        rest = len(rows) - len(won) - len(lost)
        if rest and rate:
            line += f"; in {rest} the {questions} questions do not tell (they show a true rate of {rate:.0%} or more)"
        said.append(
            line + (". Sign test, Holm over the runs." if len(rows) > 1 else f" (sign test {p_value(adjusted[0])}).")
        )
    return said


def _baseline(experiment: Experiment, task: str) -> list[str]:
    better: list[str] = []
    worse: list[str] = []
    open_: list[str] = []
    for run, start in experiment.compared:
        change = loss_against(run, start) if run.base_task == task else None
        if change is None:
            continue
        told = f"{run.name} ({difference(change)})"
        (better if change["high"] < 0 else worse if change["low"] > 0 else open_).append(told)
    parts = [
        f"{'; '.join(names)}: {words}"
        for names, words in ((better, "lower"), (worse, "higher"), (open_, "not to be told from it"))
        if names
    ]
    return [f"Held-out loss against the baseline's: {' — '.join(parts)}."] if parts else []
