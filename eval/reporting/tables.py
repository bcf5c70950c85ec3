"""The report's tables. Pure: an experiment in, a table out; None where there is nothing to show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median, quantiles, stdev
from typing import Any

import pandas as pd

from common.yaml_files import read_yaml
from eval.reporting.experiment import Experiment, RunFacts, loss_against, ranked_of, shared_settings, short
from eval.reporting.language import TEMPLATES, Language
from eval.reporting.seeds import change, pooled
from eval.result.wording import FILTERS, interval, rate, share

NONE = "–"
TERMS = ("state", "kind", "model", "answers of")
"""Columns whose cells are words of the report, not names that a user gave."""
Rows = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Table:
    """A table: what it shows, and its cells. The columns named in `words` hold words, the others figures."""

    name: str
    """Its caption is the language's `table <name>`, over these facts."""
    cells: pd.DataFrame
    words: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)

    def markdown(self, escape: Callable[[Any], str], tell: Language) -> str:
        """Return the table as Pandoc's Markdown, its caption below it."""
        marks = [":---" if name in (self.cells.columns[0], *self.words) else "---:" for name in self.cells]
        shown = self.cells.assign(**{name: self.cells[name].map(tell.term) for name in self.cells if name in TERMS})
        rows = [map(tell.term, shown), *shown.itertuples(index=False)]
        head, *lines = ("| " + " | ".join(map(escape, row)) + " |" for row in rows)
        body = "\n".join([head, f"| {' | '.join(marks)} |", *lines])
        return f"{body}\n\n: {escape(tell(f'table {self.name}', **self.facts))}\n"


def _table(name: str, rows: Rows, words: Sequence[str] = (), **facts: str) -> Table | None:
    cells = pd.DataFrame(rows).replace("", None).dropna(axis="columns", how="all").fillna(NONE).replace("-", NONE)
    return Table(name, cells, tuple(words), facts) if rows else None


def all_of(experiment: Experiment) -> dict[str, Table | None]:
    """Return the tables of `templates/tables.yaml`, of the runs' settings and of the versions."""
    from jinja2 import ChainableUndefined, Environment

    environment = Environment(undefined=ChainableUndefined, autoescape=False)
    filters: dict[str, Any] = {
        "figure": _figure,
        "minutes": lambda seconds: _figure(seconds / 60),
        "difference": difference,
        "short": lambda source: short(source, 34),
        "dropped_by": lambda step: f"{step['step']} {step['dropped']:,}",
        "rate": lambda of, name="win_rate": rate(of[name], of["interval"]),
        "share": lambda found: share(None if pd.isna(found) else found),
        "mean": lambda of: "{mean:.1f} [{low:.1f}, {high:.1f}]".format(**of),
        "median": median,
        "average": mean,
        "sd": lambda values: f"{stdev(values):.3f}",
    }
    environment.filters |= FILTERS | filters
    things: dict[str, Any] = {
        "task": [{**card, "task": task} for task, card in experiment.cards.items()],
        "run": experiment.done,
        "verdict": [{"run": run, "judge": judge, "row": row} for judge in experiment.judges
                    for run in experiment.done if (row := run.comparison(judge))],
        "change": _changes(experiment),
        "contestant": [{"run": run, "who": who} for run in experiment.done for who in ("base", "tuned")],
        "judge": _judges(experiment),
        "answers": _answers(experiment),
        "recipe": _recipes(experiment),
    }  # fmt: skip
    found = {"runs": runs(experiment), "versions": versions(experiment)}
    for name, spec in read_yaml(TEMPLATES / "tables.yaml").items():
        say = {column: environment.compile_expression(said) for column, said in spec["columns"].items()}
        when = environment.compile_expression(spec.get("when", "true"))
        rows = [{column: said(it=it) for column, said in say.items()} for it in things[spec["of"]] if when(it=it)]
        found[name] = _table(name, rows, spec.get("words", ()))
    return found


def runs(experiment: Experiment) -> Table:
    """Return what tells the runs apart: task, model, method, and every shown setting that is not the same in all."""
    _, differing = shared_settings([run for run in experiment.runs if run.manifest])
    cells = pd.DataFrame(
        {"run": run.name, "task": run.task, "model": run.model, "method": run.method}
        | {key: value(run.settings.get(key)) for key in differing}
        | {"training rows": _rows(run), "state": run.state}
        for run in experiment.runs
    )
    same = [name for name in ("task", "model", "method") if cells[name].nunique() == 1]
    same += ["state"] if (cells["state"] == "done").all() else []
    return Table("runs", cells.drop(columns=same), ("task", "model", "method", "state"))


def _rows(run: RunFacts) -> str:
    files = run.manifest.get("data", {}).get("files", {})
    return f"{files['train']['rows']:,}" if "train" in files else NONE


def _changes(experiment: Experiment) -> list[dict[str, Any]]:
    """Return how each run differs from its baseline, a row for each judge; only the first names the runs."""
    compared = experiment.compared
    judges = [judge for judge in experiment.judges if any(experiment.against(run, judge) for run, _ in compared)]
    several = len({start.name for _, start in compared}) > len({run.base_task for run, _ in compared})
    rows = []
    for run, start in compared:
        loss = loss_against(run, start)
        named = {"run": run.name, "baseline": start.name, "loss": difference(loss) if loss else NONE}
        for number, judge in enumerate(judges or [NONE]):
            shown = dict.fromkeys(named, " ") if number else named
            unsaid = {} if several else {"baseline": ""}  # the design names it
            rows.append(shown | unsaid | {"judge": judge, "row": experiment.against(run, judge)})
    return rows


def _judges(experiment: Experiment) -> list[dict[str, Any]]:
    """Return how steady each judge was over everything that it judged, and what each folder says of it."""
    results = experiment.results
    rows = []
    for judge in experiment.judges:
        asked = [result["judges"][judge] for result in results if judge in result.get("judges", {})]
        met = pd.DataFrame(row for result in results for row in result.get("comparisons", []) if row["judge"] == judge)
        if asked:  # a panel was asked by its members
            unsteady = met["inconsistent"].sum(min_count=1) / (met["questions"] - met["unparsed"]).sum()
            steady = {"agree": 1 - unsteady, "first": met["first_share"].mean(), "unparsed": met["unparsed"].sum()}
            rows.append({"name": judge, "asked": asked} | steady)
    return rows


def _answers(experiment: Experiment) -> Rows:
    """Return the lengths of the answers of each side, and their faults; what several runs share stands once."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for run in experiment.done:
        for who, found in run.lengths.items():
            name = run.base_task if who == "reference" else run.model if who == "base" else run.name
            facts = {"who": who, "name": name, "found": found, "faults": run.result["contestants"].get(who, {})}
            if found:
                facts["reach"] = quantiles(found, n=10, method="inclusive") if len(found) > 1 else found
                rows.setdefault((run.name if who == "tuned" else "", *found), facts)
    return list(rows.values())


def _recipes(experiment: Experiment) -> Rows:
    """Return the recipes under several seeds, and how they differ from their base and their baseline."""
    found = {recipe.name: recipe for recipe in pooled(experiment)}
    starts = {name: found.get(recipe.start) for name, recipe in found.items()}
    return [{"of": recipe, "base": change(recipe, None), "start": start and change(recipe, start)}
            for name, recipe in found.items() for start in [starts[name]]]  # fmt: skip


def rankings(experiment: Experiment) -> list[Table | None]:
    """Return the ranking of the models of each task by each judge."""
    tables = []
    for (group, task, judge), ranked in experiment.rankings.items():
        rows = [
            {"model": short(row["name"]), "rating": f"{row['rating']:+.0f}"}
            | {"95 % interval": "[{:+.0f}, {:+.0f}]".format(*row["interval"]), "games": row["games"]}
            for row in ranked
        ]
        tables.append(_table("ranking", rows, of=ranked_of(experiment, group, task), judge=judge))
    return tables


def _figure(number: float | None, form: str = ".1f") -> str:
    return format(number, form) if number else NONE


def versions(experiment: Experiment) -> Table | None:
    """Return the versions that the runs were made with; where runs differ, all of them."""
    made = pd.DataFrame(run.manifest.get("versions", {}) for run in experiment.done)
    rows = [{"software": name, "version": ", ".join(made[name].dropna().unique())} for name in made]
    return _table("versions", rows, ["version"])


def difference(found: Any) -> str:
    """Return a difference in loss with its interval."""
    return interval(found, "+.3f", "")


def value(setting: Any) -> str:
    """Return a setting as a person writes it."""
    if setting is None:
        return NONE
    return f"{setting:g}" if isinstance(setting, float) else str(setting)
