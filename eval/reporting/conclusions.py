"""What the figures of an experiment allow to be said, in sentences; nothing beyond them. Pure."""

from typing import Any

from eval.reporting import seeds
from eval.reporting.cases import best_run
from eval.reporting.experiment import Experiment, RunFacts, loss_against
from eval.reporting.language import Language
from eval.reporting.tables import difference
from eval.result.sentences import heldout, over_seeds, p_value, power, rate, verdict

SURE = 0.05


def in_short(experiment: Experiment, tell: Language) -> list[str]:
    """Return what was asked, what came out and how sure it is: one paragraph; of several tasks, one more for each."""
    done = experiment.done
    models, methods = (list(dict.fromkeys(getattr(run, key) for run in done)) for key in ("model", "method"))
    asked = experiment.question and tell("asked so", question=experiment.question)
    lead = asked or tell("asked", models=models, methods=methods, tasks=experiment.tasks)
    found = {task: tell.join(said) for task in experiment.tasks if (said := _found(experiment, task, tell))}
    sure = tell("several seeds" if seeds.pooled(experiment) else "one seed")
    if len(found) > 1:
        return [lead, *(tell("of task", task=task, said=said) for task, said in found.items()), sure]
    return [tell.join([lead, *(found.values() or [tell("found nothing")]), sure])]


def _found(experiment: Experiment, task: str, tell: Language) -> list[str]:
    runs = [run for run in experiment.done if run.base_task == task]
    judge, of, said = experiment.lead_judge, len(runs), []
    best = best_run(experiment, task, judge)
    if best:
        row = best.comparison(judge)
        facts = {"name": best.name if of > 1 else best.model, "of": of, "row": row}
        if row["kind"] == "stand-in":
            said += [tell("found likeness", **facts), tell("likeness only")]
        else:
            said.append(tell("found judged", rate=rate(row["win_rate"], row["interval"]), **facts))
            if row["holm_p"] is not None and row["holm_p"] <= SURE:
                said.append(tell("sure", p=p_value(row["holm_p"]), of=of))
            else:
                said.append(tell("unsure", power=power(row, row["questions"], tell.result)))
    elif any(run.comparison(judge) for run in runs):
        said.append(tell("withheld"))
    measured = [run for run in ([best] if best else runs) if run.heldout]
    if measured:
        run = min(measured, key=lambda run: run.heldout["tuned"]["loss"])
        loss = {who: f"{run.heldout[who]['loss']:.3f}" for who in ("base", "tuned")}
        said.append(tell("found loss", name=run.name, change=difference(run.heldout["difference"]), **loss))
    return said


def sentences(experiment: Experiment, tell: Language) -> list[str]:
    """Return the findings of an experiment: losses, verdicts against the base, differences from the baseline."""
    missing, found = experiment.missing, []
    if missing:
        told = [f"{run.name} ({tell.term(run.state)}{': ' + run.error if run.error else ''})" for run in missing]
        found.append(tell("unfinished", missing=missing, of=len(experiment.runs), told=told))
    for task in experiment.tasks:
        runs = [run for run in experiment.done if run.base_task == task]
        said = (*_losses(runs, tell), *_verdicts(experiment, runs, tell), *_baseline(experiment, task, tell))
        said = (*said, *_seeds(experiment, runs, tell), *_judged_over_seeds(experiment, task, tell))
        found += [tell("of task", task=task, said=line) if len(experiment.tasks) > 1 else line for line in said]
    return found + ([tell("each one seed")] if len(experiment.done) > 1 and not seeds.pooled(experiment) else [])


def _losses(runs: list[RunFacts], tell: Language) -> list[str]:
    measured = [run for run in runs if run.heldout]
    if len(measured) < 2:
        return [heldout(run.heldout, tell.result) for run in measured]
    lower = sum(run.heldout["difference"]["high"] < 0 for run in measured)
    higher = sum(run.heldout["difference"]["low"] > 0 for run in measured)
    same_tokens = len({str(run.heldout.get("row_losses", {}).get("tokens")) for run in measured}) == 1
    return [
        tell(
            "losses", lower=tell("of", some=lower, all=len(measured)),
            higher=higher and tell("of", some=higher, all=len(measured)), rest=len(measured) - lower - higher,
            lowest=_lowest(measured, tell) if same_tokens else tell("other tokens"),
        )
    ]  # fmt: skip


def _lowest(measured: list[RunFacts], tell: Language) -> str:
    """Name the run with the lowest loss, and those whose difference from it may be the rows' chance."""
    best = min(measured, key=lambda run: run.heldout["tuned"]["loss"])
    others = [run for run in measured if run is not best]
    changes = {run.name: loss_against(best, run, len(others)) for run in others}
    close = [name for name, change in changes.items() if change is None or round(change["high"], 3) >= 0]
    loss = f"{best.heldout['tuned']['loss']:.3f}"
    return tell("lowest of several" if close else "lowest", best=best.name, loss=loss, close=close)


def _verdicts(experiment: Experiment, runs: list[RunFacts], tell: Language) -> list[str]:
    said = []
    for judge, kind in experiment.judges.items():
        rows = [row for run in runs if (row := run.comparison(judge))]
        if len(rows) < 2:
            said += [verdict(row, tell.result, str(run.folder)) for run in runs if (row := run.comparison(judge))]
            continue
        likeness = kind == "stand-in"
        given = [row for row in rows if not row["withheld"]]
        certain = [row for row in given if likeness or (row["holm_p"] is not None and row["holm_p"] <= SURE)]
        won, lost = (
            sum(row[one] > row[other] for row in certain) for one, other in (("wins", "losses"), ("losses", "wins"))
        )
        rest, most = len(given) - won - lost, max(rows, key=lambda row: row["questions"])
        said.append(
            tell(
                "verdicts", judge=judge, likeness=likeness, won=tell("of", some=won, all=len(rows)),
                lost=lost and tell("of", some=lost, all=len(rows)), rest=rest, held_back=len(rows) - len(given),
                power=power(most, most["questions"], tell.result) if rest and not likeness else "",
            )
        )  # fmt: skip
    return said


def _baseline(experiment: Experiment, task: str, tell: Language) -> list[str]:
    told: dict[str, list[str]] = {"lower": [], "higher": [], "open": []}
    compared = [(run, start) for run, start in experiment.compared if run.base_task == task]
    for run, start in compared:
        if wide := loss_against(run, start, len(compared)):
            key = "lower" if wide["high"] < 0 else "higher" if wide["low"] > 0 else "open"
            told[key].append(f"{run.name} ({difference(loss_against(run, start))})")
    parts = [tell(key, runs=names) for key, names in told.items() if names]
    return [tell("baseline", of=len(compared), parts=parts)] if parts else []


def _judged_over_seeds(experiment: Experiment, task: str, tell: Language) -> list[str]:
    """Say the win rates over seeds, from where the task's models met."""
    met = [meeting.result.get("seeds", []) for (_, of), meeting in experiment.meetings.items() if of == task]
    return [over_seeds(row, tell.result) for rows in met for row in rows]


def _seeds(experiment: Experiment, runs: list[RunFacts], tell: Language) -> list[str]:
    """Say how runs differ over their seeds; where there is one seed, that it was one."""
    groups = {group.name: group for group in seeds.pooled(experiment) if next(iter(group.runs.values())) in runs}
    said = []
    for group in groups.values():
        facts: dict[str, Any] = seeds.against(group, groups.get(group.start))
        if facts:
            said.append(tell("seeds", **facts | {"change": difference(facts["change"])}))
    return said
