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
    """Return the tables of `templates/tables.yaml`: of each task's rows, and of each run with results."""
    from jinja2 import ChainableUndefined, Environment

    environment = Environment(undefined=ChainableUndefined, autoescape=False)
    environment.filters |= {
        "figure": _figure,
        "minutes": lambda seconds: _figure(seconds / 60),
        "difference": difference,
        "short": lambda source: short(source, 34),
        "dropped_by": lambda step: f"{step['step']} {step['dropped']:,}",
    }
    things: dict[str, list[Any]] = {
        "task": [{**card, "task": task} for task, card in experiment.cards.items()],
        "run": experiment.done,
    }
    found = {}
    for name, spec in yaml.safe_load((TEMPLATES / "tables.yaml").read_text(encoding="utf-8")).items():
        say = {column: environment.compile_expression(said) for column, said in spec["columns"].items()}
        when = environment.compile_expression(spec.get("when", "true"))
        rows = [{column: said(it=it) for column, said in say.items()} for it in things[spec["of"]] if when(it=it)]
        cells = pd.DataFrame(rows).replace("", None).dropna(axis="columns", how="all")
        found[name] = Table(name, cells.fillna(NONE), tuple(spec.get("words", ()))) if rows else None
    return found


def judged(experiment: Experiment) -> Table | None:
    """Return what each judge says about each tuned model against its base, with Holm's p over all of them."""
    rows = [
        {"tuned against base": run.name, "judge": judge, **verdict(row)}
        for judge in experiment.judges
        for run in experiment.done
        if (row := run.comparison(judge))
    ]
    return _table("judged", rows, "judge")


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


def verdict(row: dict[str, Any]) -> dict[str, str]:
    """Return a comparison's counts, its rate, and the corrected p of its sign test; nothing of no comparison."""
    if not row:
        return {}
    return {
        "W/T/L": f"{row['wins']}/{row['ties']}/{row['losses']}",
        "win rate [95 %]": rate(row["win_rate"], row["interval"]),
        "sign test, Holm": p_value(row["holm_p"]),
    }


def against_baseline(experiment: Experiment) -> Table | None:
    """Return how each run of a sweep differs from its baseline: in held-out loss, and as judged."""
    compared = experiment.compared
    judges = [judge for judge in experiment.judges if any(experiment.against(run, judge) for run, _ in compared)]
    rows = []
    for run, start in compared:
        change = loss_against(run, start)
        loss = difference(change) if change else NONE
        for number, judge in enumerate(judges or [NONE]):
            named = ("", "", "") if number else (run.name, start.name, loss)
            cells = dict(zip(("run", "baseline", "loss, difference [95 %]"), named, strict=True))
            rows.append(cells | {"judge": judge} | verdict(experiment.against(run, judge)))
    if len({start.name for _, start in compared}) == len({run.base_task for run, _ in compared}):  # the design names it
        rows = [{key: cell for key, cell in row.items() if key != "baseline"} for row in rows]
    return _table("against_baseline", rows, "baseline", "judge")


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


def other_scores(experiment: Experiment) -> Table | None:
    """Return accuracy on multiple choice, and chrF and ROUGE-L on test rows, where these were measured."""
    rows = []
    for run in experiment.done:
        choice, texts = (run.result.get(key, {}).get("scores", {}) for key in ("choice", "texts"))
        for who in ("base", "tuned"):
            cells = {}
            if who in choice:
                cells["multiple choice [95 %]"] = rate(choice[who]["accuracy"], choice[who]["interval"])
            if general := run.result.get("general", {}).get("scores", {}).get("all"):
                cells["general prompts passed"] = share(general[who])
                cells["difference, points [95 %]"] = points(general["difference"]) if who == "tuned" else NONE
            for name, title in (("chrf", "chrF [95 %]"), ("rouge_l", "ROUGE-L [95 %]")):
                if who in texts:
                    cells[title] = "{mean:.1f} [{low:.1f}, {high:.1f}]".format(**texts[who][name])
            if cells:
                rows.append({"run": run.name, "model": who, **cells})
    return _table("other_scores", rows, "model")


def _figure(number: float | None, form: str = ".1f") -> str:
    return format(number, form) if number else NONE


def judges(experiment: Experiment) -> Table | None:
    """Return how steady each judge was over everything that it judged, and what it took."""
    results = [run.result for run in experiment.done] + [meeting.result for meeting in experiment.meetings.values()]
    rows = []
    for judge in experiment.judges:
        asked = [result["judges"][judge] for result in results if judge in result.get("judges", {})]
        met = pd.DataFrame(row for result in results for row in result.get("comparisons", []) if row["judge"] == judge)
        if not asked:  # a panel was asked by its members
            continue
        counted = (met["questions"] - met["unparsed"]).sum()
        dollars = [entry["dollars"] for entry in asked if entry["dollars"] is not None]
        rows.append(
            {
                "judge": judge,
                "kind": asked[0]["kind"],
                "judgments": f"{sum(entry['judgments'] for entry in asked):,}",
                "orders agree": share(_known(1 - met["inconsistent"].sum(min_count=1) / counted)),
                "first-position wins": share(_known(met["first_share"].mean())),
                "no verdict": str(met["unparsed"].sum()),
                "asked again": str(sum(entry["asked_again"] for entry in asked)),
                "US dollars": _figure(sum(dollars), ".2f"),
            }
        )
    return _table("judges", rows, "kind")


def _known(number: Any) -> float | None:
    return None if pd.isna(number) else float(number)


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


TABLES = (
    runs,
    judged,
    lengths,
    against_baseline,
    over_seeds,
    other_scores,
    judges,
    versions,
)
