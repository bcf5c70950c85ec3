"""The report's tables. Pure: an experiment in, a table out; None where there is nothing to show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean, median, quantiles, stdev
from typing import Any

import pandas as pd
import yaml

from eval.reporting.experiment import Experiment, RunFacts, loss_against, ranked_of, shared_settings, short
from eval.reporting.language import TEMPLATES, Language
from eval.reporting.seeds import change, pooled
from eval.result.sentences import p_value, points, rate, share

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


def _table(name: str, rows: Rows, *words: str, **facts: str) -> Table | None:
    return Table(name, pd.DataFrame(rows).replace("-", NONE).fillna(NONE), words, facts) if rows else None


def runs(experiment: Experiment) -> Table | None:
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


def listed(experiment: Experiment) -> dict[str, Table | None]:
    """Return the tables of `templates/tables.yaml`."""
    from jinja2 import ChainableUndefined, Environment

    environment = Environment(undefined=ChainableUndefined, autoescape=False)
    environment.filters |= {
        "figure": _figure,
        "minutes": lambda seconds: _figure(seconds / 60),
        "difference": difference,
        "short": lambda source: short(source, 34),
        "dropped_by": lambda step: f"{step['step']} {step['dropped']:,}",
        "rate": _rate,
        "p": p_value,
        "share": lambda found: share(None if pd.isna(found) else found),
        "points": points,
        "mean": lambda of: "{mean:.1f} [{low:.1f}, {high:.1f}]".format(**of),
    }
    things: dict[str, Any] = {
        "task": [{**card, "task": task} for task, card in experiment.cards.items()],
        "run": experiment.done,
        "verdict": [{"run": run, "judge": judge, "row": row} for judge in experiment.judges
                    for run in experiment.done if (row := run.comparison(judge))],
        "change": _changes(experiment),
        "contestant": [{"run": run, "who": who} for run in experiment.done for who in ("base", "tuned")],
        "judge": _judges(experiment),
    }  # fmt: skip
    found = {}
    for name, spec in yaml.safe_load((TEMPLATES / "tables.yaml").read_text(encoding="utf-8")).items():
        say = {column: environment.compile_expression(said) for column, said in spec["columns"].items()}
        when = environment.compile_expression(spec.get("when", "true"))
        rows = [{column: said(it=it) for column, said in say.items()} for it in things[spec["of"]] if when(it=it)]
        cells = pd.DataFrame(rows).replace("", None).dropna(axis="columns", how="all").fillna(NONE)
        found[name] = Table(name, cells.replace("-", NONE), tuple(spec.get("words", ()))) if rows else None
    return found


def _rate(of: dict[str, Any], name: str = "win_rate") -> str:
    return rate(of[name], of["interval"])


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
    results = [run.result for run in experiment.done] + [meeting.result for meeting in experiment.meetings.values()]
    rows = []
    for judge in experiment.judges:
        asked = [result["judges"][judge] for result in results if judge in result.get("judges", {})]
        met = pd.DataFrame(row for result in results for row in result.get("comparisons", []) if row["judge"] == judge)
        if asked:  # a panel was asked by its members
            unsteady = met["inconsistent"].sum(min_count=1) / (met["questions"] - met["unparsed"]).sum()
            steady = {"agree": 1 - unsteady, "first": met["first_share"].mean(), "unparsed": met["unparsed"].sum()}
            rows.append({"name": judge, "asked": asked} | steady)
    return rows


def lengths(experiment: Experiment) -> Table | None:
    """Return how long the answers are and how many cannot be used; what several runs share stands once."""
    rows: dict[tuple[int, ...], dict[str, str]] = {}
    for run in experiment.done:
        for who, found in run.lengths.items():
            if not found:
                continue
            low, *_, high = quantiles(found, n=10, method="inclusive") if len(found) > 1 else found * 2
            name = run.base_task if who == "reference" else run.model if who == "base" else run.name
            faults = run.result["contestants"].get(who, {})
            cells = {
                "answers of": "reference answer" if who == "reference" else who,
                "run": name,
                "median": f"{median(found):,.0f}",
                "10–90 %": f"{low:,.0f}–{high:,.0f}",
            }
            counts = {title: str(faults.get(key, NONE)) for title, key in FAULTS.items()}
            rows.setdefault((who == "tuned" and hash(run.name), *found), cells | counts)
    return _table("lengths", list(rows.values()), "run")


FAULTS = {"cut off": "cut_off", "empty": "empty", "loops": "looping"}


def over_seeds(experiment: Experiment) -> Table | None:
    """Return the runs that differ in their seed alone, taken together."""
    groups = {group.name: group for group in pooled(experiment)}
    rows = []
    for group in groups.values():
        cells = {
            "runs": group.name, "seeds": str(len(group.runs)),
            "tuned loss": f"{mean(group.losses):.3f}", "SD over seeds": f"{stdev(group.losses):.3f}",
        }  # fmt: skip
        for against, start in (("base", None), (group.start, groups.get(group.start))):
            if (against == "base" or start) and (found := change(group, start)):
                title = "the base" if start is None else "the baseline"
                cells[f"against {title} [95 % over rows]"] = difference(found[0])
                cells[f"SD over seeds, against {title}"] = f"{stdev(found[1]):.3f}"
        rows.append(cells)
    return _table("over_seeds", rows)


def rankings(experiment: Experiment) -> list[Table | None]:
    """Return the ranking of the models of each task by each judge."""
    tables = []
    for (group, task, judge), ranked in experiment.rankings.items():
        named = ranked_of(experiment, group, task)
        rows = [
            {"model": short(row["name"]), "rating": f"{row['rating']:+.0f}"}
            | {"95 % interval": "[{:+.0f}, {:+.0f}]".format(*row["interval"]), "games": row["games"]}
            for row in ranked
        ]
        tables.append(_table("ranking", rows, of=named, judge=judge))
    return tables


def _figure(number: float | None, form: str = ".1f") -> str:
    return format(number, form) if number else NONE


def versions(experiment: Experiment) -> Table | None:
    """Return the versions that the runs were made with; where runs differ, all of them."""
    made = pd.DataFrame(run.manifest.get("versions", {}) for run in experiment.done)
    rows = [{"software": name, "version": ", ".join(made[name].dropna().unique())} for name in made]
    return _table("versions", rows, "version")


def difference(found: Any) -> str:
    """Return a difference in loss with its interval."""
    return f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def value(setting: Any) -> str:
    """Return a setting as a person writes it."""
    if setting is None:
        return NONE
    return f"{setting:g}" if isinstance(setting, float) else str(setting)


TABLES = (runs, lengths, over_seeds, versions)
