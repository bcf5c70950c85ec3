"""What the figures of an experiment allow to be said, in sentences; nothing beyond them. Pure."""

from statistics import mean, stdev
from typing import Any

from common.paired_loss import change_told
from eval.reporting import seeds
from eval.reporting.cases import best_run
from eval.reporting.experiment import Experiment, RunFacts
from eval.reporting.language import Language
from eval.reporting.seeds import Recipe
from eval.reporting.tables import difference
from eval.result.sentences import heldout, power, verdict

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
        facts = {"name": best.name if of > 1 else best.model, "of": of, "row": row, "power": power(row, tell.result)}
        keys = "found judged", "sure" if significant(row) else "unsure"
        if row["kind"] == "stand-in":
            keys = "found likeness", "likeness only"
        said += [tell(key, **facts) for key in keys]
    elif any(run.comparison(judge) for run in runs):
        said.append(tell("withheld"))
    measured = [run for run in ([best] if best else runs) if run.heldout]
    if measured:
        run = min(measured, key=lambda run: run.heldout["tuned"]["loss"])
        said.append(tell("found loss", name=run.name, heldout=run.heldout))
    return said


def significant(row: dict[str, Any]) -> bool:
    """Tell whether a comparison's winner is hardly one by chance."""
    return row["holm_p"] is not None and row["holm_p"] <= SURE


def sentences(experiment: Experiment, tell: Language) -> list[str]:
    """Return the findings of an experiment: losses, verdicts against the base, differences from the baseline."""
    missing, found = experiment.missing, []
    if missing:
        told = [f"{run.name} ({tell.term(run.state)}{': ' + run.error if run.error else ''})" for run in missing]
        found.append(tell("unfinished", missing=missing, of=len(experiment.runs), told=told))
    for task in experiment.tasks:
        runs = [run for run in experiment.done if run.base_task == task]
        recipes = seeds.recipes(experiment, runs)
        said = [*_losses(runs, recipes, tell), *_verdicts(experiment, runs, tell), *_against_starts(recipes, tell)]
        met = [meeting.result.get("seeds", []) for (_, of), meeting in experiment.meetings.items() if of == task]
        said += [tell.result.first("seeds", row) for rows in met for row in rows]
        found += [tell("of task", task=task, said=line) if len(experiment.tasks) > 1 else line for line in said]
    return [*found, *_one_seed(experiment, tell)]


def _one_seed(experiment: Experiment, tell: Language) -> list[str]:
    """Say of which runs it is not known how much they vary with the seed."""
    recipes = seeds.recipes(experiment)
    like = {(run.base_task, run.model) for run in experiment.done}
    known = {key for key in like if seeds.spread(recipes, *key)}
    names = [run.name for run in experiment.done if (run.base_task, run.model) not in known]
    if len(experiment.done) < 2 or not names:
        return []
    return [tell("each one seed", names=names if known else [])]


def _losses(runs: list[RunFacts], recipes: list[Recipe], tell: Language) -> list[str]:
    measured = [run for run in runs if run.heldout]
    if len(measured) < 2:
        return [heldout(run.heldout, tell.result) for run in measured]
    told = [change_told(run.heldout["difference"]) for run in measured]
    lower, higher = told.count("lower"), told.count("higher")
    same_tokens = len({str(run.heldout.get("row_losses", {}).get("tokens")) for run in measured}) == 1
    return [
        tell(
            "losses", lower=tell("of", some=lower, all=len(measured)),
            higher=higher and tell("of", some=higher, all=len(measured)), rest=len(measured) - lower - higher,
            lowest=_lowest(recipes, tell) if same_tokens else tell("other tokens"),
        )
    ]  # fmt: skip


def _lowest(recipes: list[Recipe], tell: Language) -> str:
    """Name the recipe with the lowest loss, and those whose difference from it may be chance."""
    if len(recipes) < 2:
        return ""
    best, *others = sorted(recipes, key=lambda recipe: mean(recipe.losses))
    changes = {one.name: seeds.difference(best, one, recipes, len(others)) for one in others}
    close = [name for name, change in changes.items() if change is None or round(change["high"], 3) >= 0]
    key = "lowest of several" if close else "lowest"
    return tell(key, best=best.name, loss=f"{mean(best.losses):.3f}", close=close)


def _verdicts(experiment: Experiment, runs: list[RunFacts], tell: Language) -> list[str]:
    said = []
    for judge, kind in experiment.judges.items():
        rows = [row for run in runs if (row := run.comparison(judge))]
        if len(rows) < 2:
            said += [verdict(row, tell.result, str(run.folder)) for run in runs if (row := run.comparison(judge))]
            continue
        likeness = kind == "stand-in"
        given = [row for row in rows if not row["withheld"]]
        certain = [row for row in given if likeness or significant(row)]
        won, lost = (sum(sign * row["wins"] > sign * row["losses"] for row in certain) for sign in (1, -1))
        rest, most = len(given) - won - lost, max(rows, key=lambda row: row["questions"])
        said.append(
            tell(
                "verdicts", judge=judge, likeness=likeness, won=tell("of", some=won, all=len(rows)),
                lost=lost and tell("of", some=lost, all=len(rows)), rest=rest, held_back=len(rows) - len(given),
                power=power(most, tell.result) if rest and not likeness else "",
            )
        )  # fmt: skip
    return said


def _against_starts(recipes: list[Recipe], tell: Language) -> list[str]:
    """Say how recipes differ from their baselines: all together, and those of several seeds from seed to seed."""
    of = {recipe.name: recipe for recipe in recipes}
    compared = [(recipe, of[recipe.start]) for recipe in recipes if recipe.start in of]
    told: dict[str, list[str]] = {"lower": [], "higher": [], "open": []}
    for recipe, start in compared:
        alone, wide = (seeds.difference(recipe, start, recipes, number) for number in (1, len(compared)))
        if alone and wide:
            told[change_told(wide)].append(f"{recipe.name} ({difference(alone)})")
    parts = [tell(key, runs=names) for key, names in told.items() if names]
    several = any(len(recipe.runs) > 1 for recipe in recipes)
    said = [tell("baseline", of=len(compared), parts=parts, several=several)] if parts else []
    for recipe, start in compared:
        if found := seeds.change(recipe, start):
            change, each = difference(found[0]), found[1]
            facts = {"change": change, "sd": f"{stdev(each):.3f}", "agree": len({value > 0 for value in each}) == 1}
            said.append(tell("seeds", n=len(each), name=recipe.name, start=start.name, **facts))
    return said
