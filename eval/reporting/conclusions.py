"""What the figures of an experiment allow to be said, in sentences; nothing beyond them. Pure."""

from statistics import mean

from common.paired_loss import change_told
from eval.reporting import seeds
from eval.reporting.cases import best_run
from eval.reporting.experiment import Experiment, RunFacts
from eval.reporting.language import Language
from eval.reporting.seeds import Recipe
from eval.reporting.tables import difference
from eval.result.sentences import heldout, power, verdict
from eval.result.wording import p_value, rate

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
                said.append(tell("unsure", power=power(row, tell.result)))
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
        recipes = seeds.recipes(experiment, runs)
        said = (*_losses(runs, recipes, tell), *_verdicts(experiment, runs, tell), *_baseline(recipes, tell))
        said = (*said, *_seeds(recipes, tell), *_judged_over_seeds(experiment, task, tell))
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
    changes = {one.name: _difference(best, one, recipes, len(others)) for one in others}
    close = [name for name, change in changes.items() if change is None or round(change["high"], 3) >= 0]
    return tell(
        "lowest of several" if close else "lowest", best=best.name, loss=f"{mean(best.losses):.3f}", close=close
    )


def _difference(one: Recipe, start: Recipe, among: list[Recipe], comparisons: int = 1) -> dict[str, float] | None:
    return seeds.difference(one, start, seeds.spread(among, one.first.base_task, one.first.model), comparisons)


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
                power=power(most, tell.result) if rest and not likeness else "",
            )
        )  # fmt: skip
    return said


def _baseline(recipes: list[Recipe], tell: Language) -> list[str]:
    told: dict[str, list[str]] = {"lower": [], "higher": [], "open": []}
    compared = _with_starts(recipes)
    for recipe, start in compared:
        if wide := _difference(recipe, start, recipes, len(compared)):
            told[change_told(wide)].append(f"{recipe.name} ({difference(_difference(recipe, start, recipes))})")
    parts = [tell(key, runs=names) for key, names in told.items() if names]
    several = any(len(recipe.runs) > 1 for recipe in recipes)
    return [tell("baseline", of=len(compared), parts=parts, several=several)] if parts else []


def _with_starts(recipes: list[Recipe]) -> list[tuple[Recipe, Recipe]]:
    of = {recipe.name: recipe for recipe in recipes}
    return [(recipe, of[recipe.start]) for recipe in recipes if recipe.start in of]


def _judged_over_seeds(experiment: Experiment, task: str, tell: Language) -> list[str]:
    """Say the win rates over seeds, from where the task's models met."""
    met = [meeting.result.get("seeds", []) for (_, of), meeting in experiment.meetings.items() if of == task]
    return [tell.result.first("seeds", row) for rows in met for row in rows]


def _seeds(recipes: list[Recipe], tell: Language) -> list[str]:
    """Say how recipes differ from seed to seed."""
    found = [facts for recipe, start in _with_starts(recipes) if (facts := seeds.against(recipe, start))]
    return [tell("seeds", **facts | {"change": difference(facts["change"])}) for facts in found]
