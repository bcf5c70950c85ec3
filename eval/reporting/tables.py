"""The report's tables as rows of cells. Pure: an experiment in, a table out; None where there is nothing to show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eval.reporting.experiment import Experiment, RunFacts, loss_against, shared_settings, short
from eval.result.sentences import p_value, rate
from eval.result.tables import share
from eval.statistics.intervals import holm

NONE = "–"


@dataclass(frozen=True)
class Table:
    """A table: what it shows, its columns, its rows. The first `left` columns and those of `text` hold words."""

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    left: int = 1
    text: tuple[str, ...] = ()


def runs(experiment: Experiment) -> Table | None:
    """Return what tells the runs apart: task, model, method, and every shown setting that is not the same in all."""
    found = experiment.runs
    _, differing = shared_settings([run for run in found if run.manifest])
    names = {"task": [run.task for run in found], "model": [run.model for run in found]}
    names["method"] = [run.method for run in found]
    columns = {key: values for key, values in names.items() if len(set(values)) > 1}
    columns |= {key: [_value(run.settings.get(key)) for run in found] for key in differing}
    columns["training rows"] = [_rows(run) for run in found]
    if any(run.state != "done" for run in found):
        columns["state"] = [run.state for run in found]
    header = ("run", *columns)
    body = [(run.name, *cells) for run, cells in zip(found, zip(*columns.values(), strict=True), strict=True)]
    return Table("The runs, and what tells them apart.", header, body, text=(*names, "state"))


def _rows(run: RunFacts) -> str:
    files = run.manifest.get("data", {}).get("files", {})
    return f"{files['train']['rows']:,}" if "train" in files else NONE


def data(experiment: Experiment) -> Table | None:
    """Return what came in, what each step dropped, and what was left, for each task's rows."""
    body = []
    for task, card in experiment.cards.items():
        dropped = ", ".join(f"{step['step']} {step['dropped']:,}" for step in card["steps"] if step["dropped"])
        kept = [f"{card['files'][split]['rows']:,}" for split in ("train", "val", "test")]
        lengths = f"{card['lengths']['prompt']['p50']:,} / {card['lengths']['output']['p50']:,}"
        body.append((task, f"{card['rows']:,}", dropped or "nothing", *kept, lengths))
    header = ("rows of", "in", "dropped by", "train", "val", "test", "median characters")
    caption = "The data: rows that came in, that each step dropped, and that were left; median prompt / answer."
    return Table(caption, header, body, text=("dropped by",)) if body else None


def heldout(experiment: Experiment) -> Table | None:
    """Return the loss on the test rows of each run, before and after."""
    body = []
    for run in experiment.done:
        if run.heldout:
            before, after, change = run.heldout["base"], run.heldout["tuned"], run.heldout["difference"]
            losses = (f"{before['loss']:.3f}", f"{after['loss']:.3f}", difference(change))
            better = f"{run.heldout['rows_better']} of {run.heldout['rows']}"
            body.append((run.name, *losses, f"{before['perplexity']:.2f} → {after['perplexity']:.2f}", better))
    header = ("run", "base", "tuned", "difference [95 %]", "perplexity", "rows better")
    caption = "Loss on the held-out rows (nats a token of the answers) of the base and the tuned model."
    return Table(caption, header, body) if body else None


def judged(experiment: Experiment) -> Table | None:
    """Return what each judge says about each tuned model against its base, with Holm's p over each judge's tests."""
    body = []
    for judge in experiment.judges:
        rows = [(run, row) for run in experiment.done if (row := run.comparison(judge))]
        adjusted = holm([row["sign_test_p"] for _, row in rows])
        body += [(run.name, judge, *verdict(row), p_value(p)) for (run, row), p in zip(rows, adjusted, strict=True)]
    header = ("tuned against base", "judge", "W/T/L", "win rate [95 %]", "sign test, Holm")
    caption = "Answers of the tuned model judged against those of its base: wins, ties, losses; ties count half."
    return Table(caption, header, body, left=2) if body else None


def verdict(row: dict[str, Any]) -> tuple[str, str]:
    """Return a comparison's counts and its rate."""
    return f"{row['wins']}/{row['ties']}/{row['losses']}", rate(row["win_rate"], row["interval"])


def against_baseline(experiment: Experiment) -> Table | None:
    """Return how each run of a sweep differs from its baseline: in held-out loss, and as judged."""
    compared = experiment.compared
    judges = [judge for judge in experiment.judges if any(experiment.against(run, judge) for run, _ in compared)]
    body: list[tuple[str, ...]] = []
    adjusted: dict[tuple[str, str], float] = {}
    for judge in judges:
        met = [(run.name, row) for run, _ in compared if (row := experiment.against(run, judge))]
        tests = holm([row["sign_test_p"] for _, row in met])
        adjusted |= {(judge, name): p for (name, _), p in zip(met, tests, strict=True)}
    for run, start in compared:
        change = loss_against(run, start)
        first = (run.name, start.name, difference(change) if change else NONE)
        for number, judge in enumerate(judges or [NONE]):
            row = experiment.against(run, judge)
            said = (*verdict(row), p_value(adjusted[judge, run.name])) if row else (NONE, NONE, NONE)
            body.append((*(("", "", "") if number else first), judge, *said))
    header = ("run", "baseline", "loss, difference [95 %]", "judge", "W/T/L", "win rate [95 %]", "Holm")
    caption = (
        "Each run against its baseline: difference in held-out loss (below 0 is better), and its answers judged "
        "against the baseline's."
    )
    return Table(caption, header, body, left=2, text=("judge",)) if body else None


def rankings(experiment: Experiment) -> list[Table]:
    """Return the ranking of the models of each task by each judge."""
    header = ("model", "rating", "95 % interval", "games")
    return [
        Table(
            f"Bradley–Terry ranking{_of(experiment, group, task)} by {judge} (Elo scale, mean 0, 95 % by questions).",
            header,
            [(short(row["name"]), f"{row['rating']:+.0f}", _reach(row["interval"]), str(row["games"])) for row in rows],
        )
        for (group, task, judge), rows in experiment.rankings.items()
    ]


def _reach(interval: list[float]) -> str:
    return f"[{interval[0]:+.0f}, {interval[1]:+.0f}]"


def _of(experiment: Experiment, group: str, task: str) -> str:
    named = ranked_of(experiment, group, task)
    return f" of {named}" if named else ""


def ranked_of(experiment: Experiment, group: str, task: str) -> str:
    """Return what tells a ranking from the others of the experiment: its sweep, its task; "" where there is one."""
    keys = [key[:2] for key in experiment.rankings]
    parts = [value for place, value in enumerate((group, task)) if len({key[place] for key in keys}) > 1]
    return ", ".join(filter(None, parts))


def other_scores(experiment: Experiment) -> Table | None:
    """Return accuracy on multiple choice, and chrF and ROUGE-L on test rows, where these were measured."""
    body = []
    for run in experiment.done:
        choice, texts = (run.result.get(key, {}).get("scores", {}) for key in ("choice", "texts"))
        for who in ("base", "tuned"):
            cells = (
                rate(choice[who]["accuracy"], choice[who]["interval"]) if who in choice else NONE,
                *(_mean(texts[who][name]) if who in texts else NONE for name in ("chrf", "rouge_l")),
            )
            if set(cells) != {NONE}:
                body.append((run.name, who, *cells))
    header = ("run", "model", "multiple choice [95 %]", "chrF [95 %]", "ROUGE-L [95 %]")
    return Table("Scores that need no judge.", header, body, left=2) if body else None


def _mean(found: dict[str, float]) -> str:
    return f"{found['mean']:.1f} [{found['low']:.1f}, {found['high']:.1f}]"


def cost(experiment: Experiment) -> Table | None:
    """Return time and memory of each run's training, as planned and as measured."""
    body = []
    for run in experiment.done:
        train, expected = run.train, run.manifest.get("expected", {})
        peak = train.get("peak_vram_gb") or train.get("peak_ram_gb")
        memory = expected.get("memory_gib")
        speed = train.get("results", {}).get("train_tokens_per_second") or _throughput(run)
        body.append(
            (
                run.name, _minutes(expected.get("seconds")), _minutes(train.get("seconds")),
                f"{memory:.1f}" if memory else NONE, f"{peak:.1f}" if peak else NONE,
                f"{peak / memory - 1:+.0%}" if peak and memory else NONE,
                f"{speed:,.0f}" if speed else NONE, _minutes(sum(run.seconds.values()) or None),
            )
        )  # fmt: skip
    header = ("run", "min planned", "measured", "GiB planned", "measured", "off by", "tokens/s", "min, all steps")
    caption = "What training took: minutes and peak memory, as planned beforehand and as measured."
    return Table(caption, header, body) if body else None


def _throughput(run: RunFacts) -> float | None:
    found = [row["throughput"] for row in run.log if row.get("throughput")]
    return found[-1] if found else None


def _minutes(seconds: float | None) -> str:
    return NONE if not seconds else f"{seconds / 60:.1f}"


def judges(experiment: Experiment) -> Table | None:
    """Return how steady each judge was over everything that it judged, and what it took."""
    body = []
    for judge, kind in experiment.judges.items():
        results = [run.result for run in experiment.done] + [meeting.result for meeting in experiment.meetings.values()]
        said = [result["judges"][judge] for result in results if judge in result.get("judges", {})]
        rows = [row for result in results for row in result.get("comparisons", []) if row["judge"] == judge]
        if kind == "panel" or not said:
            continue
        counted = sum(row["wins"] + row["ties"] + row["losses"] for row in rows)
        wavering = [row["inconsistent"] for row in rows if row["inconsistent"] is not None]
        steady = 1 - sum(wavering) / counted if wavering and counted else None
        shown = [row["first_share"] for row in rows if row["first_share"] is not None]
        dollars = [entry["dollars"] for entry in said if entry["dollars"] is not None]
        body.append(
            (
                judge, kind, f"{sum(entry['judgments'] for entry in said):,}", share(steady),
                share(sum(shown) / len(shown) if shown else None), str(sum(row["unparsed"] for row in rows)),
                str(sum(entry["asked_again"] for entry in said)), f"{sum(dollars):.2f}" if dollars else NONE,
            )
        )  # fmt: skip
    header = ("judge", "kind", "judgments", "orders agree", "first wins", "unread", "asked again", "US dollars")
    caption = (
        "The judges: pairs on which both orders agree, decided calls won by the answer shown first (50 % is fair)."
    )
    return Table(caption, header, body, left=2) if body else None


def versions(experiment: Experiment) -> Table:
    """Return the versions that the runs were made with; where runs differ, all of them."""
    found: dict[str, dict[str, None]] = {}
    for run in experiment.done:
        for name, version in run.manifest.get("versions", {}).items():
            found.setdefault(name, {})[version] = None
    return Table(
        "Versions.", ("software", "version"), [(name, ", ".join(all_)) for name, all_ in found.items()], left=2
    )


def hashes(experiment: Experiment) -> Table:
    """Return where each run's rows came from, and the beginnings of the hashes of what it was made of."""
    body = []
    for run in experiment.done:
        data = run.manifest["data"]
        found = [data["files"].get(split, {}).get("sha256", "") for split in ("train", "test")]
        found.append(run.result.get("files", {}).get("questions.jsonl", ""))
        marks = [digest[:12] or NONE for digest in found]
        body.append((run.name, short(data["source"], 34), *marks, str(run.settings.get("seed", NONE))))
    header = ("run", "rows from", "train", "test", "questions", "seed")
    return Table("Sources, and the first 12 digits of the SHA-256 of each file.", header, body, left=5)


def difference(found: dict[str, float]) -> str:
    """Return a difference in loss with its interval."""
    return f"{found['mean']:+.3f} [{found['low']:+.3f}, {found['high']:+.3f}]"


def _value(value: Any) -> str:
    if value is None:
        return NONE
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_line(settings: dict[str, Any]) -> str:
    """Return settings as one line."""
    return ", ".join(f"{key} {_value(value)}" for key, value in settings.items())


def markdown(table: Table, escape: Any) -> str:
    """Return a table as Pandoc's Markdown, its caption below it."""
    marks = [":---" if i < table.left or name in table.text else "---:" for i, name in enumerate(table.header)]
    lines: list[Sequence[str]] = [[escape(cell) for cell in table.header], marks]
    lines += [[escape(cell) for cell in row] for row in table.rows]
    body = "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
    return f"{body}\n\n: {escape(table.caption)}\n"
