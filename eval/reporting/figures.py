"""The report's figures, drawn by matplotlib: SVG for pages, PDF for LaTeX."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from common.files import atomic
from common.sweep_files import DONE
from eval.reporting.experiment import Experiment, RunFacts, loss_against, ranked_of, short
from eval.reporting.language import Language

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444", "#999933")
"""Okabe and Ito's (2008), which colour-blind readers tell apart."""
STYLE = Path(__file__).with_name("figures.mplstyle")
CHINESE = ("Noto Sans CJK SC", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "SimHei", "WenQuanYi Zen Hei",
           "Noto Sans CJK JP", "Noto Serif CJK SC", "Noto Serif CJK JP")  # fmt: skip
"""Fonts for names that are not Latin; the first that is installed is taken."""
WIDTH = 6.5
Loss = Literal["loss", "eval_loss"]
MOST_CURVES = 12
LEAST_SPAN = 0.1
"""Of the loss: an axis of losses spans at least so much, so that a small difference looks small."""
Term = Callable[[str], str]


def draw_all(experiment: Experiment, folder: Path, tell: Language) -> dict[str, dict[str, Any]]:
    """Draw every figure there is data for into `folder`, which holds no other after.

    Return name -> its caption, and how much of the text's width it takes (percent).
    """
    import matplotlib as mpl

    mpl.use("Agg")
    found = {}
    figures = {"curves": curves, "wins": wins, "sensitivity": sensitivity, "ranking": ranking}
    fonts = ["DejaVu Sans", *_chinese_font()]
    labels = tell if len(fonts) > 1 else Language("en")  # without such a font Chinese would be boxes
    with mpl.rc_context({"font.family": fonts}, STYLE):
        for name, make in figures.items():
            made = make(experiment, labels.term)
            if made:
                facts, figure = made
                width = round(100 * figure.get_figwidth() / WIDTH)
                found[name] = {"caption": tell(f"figure {name}", **facts), "width": width}
                _save(figure, folder / name)
    for path in folder.glob("*.*"):
        if path.stem not in found:
            path.unlink()
    return found


def _chinese_font() -> list[str]:
    """Return the font for Chinese that is installed, if one is; matplotlib's own list may be older than the font."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    for looked in (False, True):
        if looked:
            known = {font.fname for font in fontManager.ttflist}
            for path in set(findSystemFonts()) - known:
                with suppress(OSError, RuntimeError):  # a file that is no font
                    fontManager.addfont(path)
        installed = {font.name for font in fontManager.ttflist}
        if found := [name for name in CHINESE if name in installed]:
            return found[:1]
    return []


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    for suffix, metadata in (("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
        with atomic(path.with_suffix(f".{suffix}")) as file:
            figure.savefig(file, format=suffix, metadata=metadata)
    pyplot.close(figure)


def _panels(count: int, height: float = 2.3) -> tuple[Any, list[Any]]:
    """Return a figure and its panels, at most three beside each other, each of this height in inches."""
    from matplotlib import pyplot

    columns = count if count <= 3 else 2
    rows = -(-count // columns)
    width = WIDTH * (0.6 if count == 1 else 1)
    figure, axes = pyplot.subplots(rows, columns, figsize=(width, rows * height), squeeze=False)
    for unused in axes.flat[count:]:
        unused.axis("off")
    return figure, list(axes.flat[:count])


def curves(experiment: Experiment, term: Term) -> tuple[dict[str, Any], Any] | None:
    """Draw the training loss, and the loss on the validation rows, over the steps."""
    runs = [run for run in experiment.done if points(run, "loss")][:MOST_CURVES]
    if not runs:
        return None
    tried = [run for run in runs if len(points(run, "eval_loss")) > 1]
    figure, axes = _panels(2 if tried else 1)
    panels: list[tuple[Any, list[RunFacts], Loss, str]] = [(axes[0], runs, "loss", "training rows, loss")]
    panels += [(axes[1], tried, "eval_loss", "validation rows")] if tried else []
    for axis, shown, key, title in panels:
        for run in shown:
            found = pd.Series(dict(points(run, key)))
            if key == "loss":  # a step of few rows, as the last of an epoch may be, says little by itself
                found = found.rolling(5, center=True, min_periods=1).median()
            colour = COLOURS[runs.index(run) % len(COLOURS)]
            style = "-" if runs.index(run) < len(COLOURS) else "--"
            axis.plot(
                found.index,
                found,
                style,
                color=colour,
                label=run.name,
                linewidth=1.1,
                marker="." * (key != "loss"),
            )
        axis.set(title=term(title), xlabel=term("step"), ylabel=term("loss"))
    _widen(axes)
    if len(runs) > 1:
        lines = axes[0].get_legend_handles_labels()
        axes[-1].legend(*lines, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    left_out = len([run for run in experiment.done if points(run, "loss")]) - len(runs)
    return {"shown": MOST_CURVES, "left_out": left_out}, figure


def _widen(axes: list[Any]) -> None:
    """Let all axes of losses have one range, of `LEAST_SPAN` of the loss or more."""
    lows, highs = zip(*(axis.get_ylim() for axis in axes), strict=True)
    low, high = min(lows), max(highs)
    missing = max(0.0, LEAST_SPAN * high - (high - low)) / 2
    for axis in axes:
        axis.set_ylim(low - missing, high + missing)


def points(run: RunFacts, key: Loss) -> list[tuple[int, float]]:
    """Return (step, value) of a run's log; of a step that was done twice, the later."""
    return sorted({row["current_steps"]: row[key] for row in run.log if row.get(key) is not None}.items())


def wins(experiment: Experiment, term: Term) -> tuple[dict[str, Any], Any] | None:
    """Draw each run's win rate against its base, a bar for each judge, with intervals."""
    rows = [
        (run, judge, row) for run in experiment.done for judge in experiment.judges if (row := run.comparison(judge))
    ]
    rows = [entry for entry in rows if entry[2]["win_rate"] is not None]
    if not rows:
        return None
    judges = list(dict.fromkeys(judge for _, judge, _ in rows))
    names = list(dict.fromkeys(run.name for run, _, _ in rows))
    figure, (axis,) = _panels(1, 0.7 + 0.24 * len(names) * max(1, len(judges) * 0.7))
    size = 0.8 / len(judges)
    for run, judge, row in rows:
        place = names.index(run.name) + (judges.index(judge) - (len(judges) - 1) / 2) * size
        rate, (low, high) = row["win_rate"], row["interval"]
        colour = COLOURS[judges.index(judge) % len(COLOURS)]
        axis.barh(place, rate, size * 0.85, color=colour, alpha=0.75, label=judge)
        axis.errorbar(rate, place, xerr=[[rate - low], [high - rate]], color="#222222", linewidth=0.9, capsize=2)
    axis.axvline(0.5, color="#222222", linewidth=0.8, linestyle=":")
    axis.set(
        xlim=(0, 1), xlabel=term("win rate against the base (ties half)"), yticks=range(len(names)), yticklabels=names
    )
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    _legend(axis, judges)
    return {}, figure


def _legend(axis: Any, names: list[str]) -> None:
    handles = dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    axis.legend([handles[name] for name in names], names, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def sensitivity(experiment: Experiment, term: Term) -> tuple[dict[str, Any], Any] | None:
    """Draw the held-out loss over each axis of numbers, with the interval of its distance to the baseline."""
    panels = [(axis, found) for axis in experiment.axes for found in [_along(experiment, axis)] if len(found) > 1]
    if not panels:
        return None
    figure, axes = _panels(len(panels), 1.9)
    for place, (name, found) in zip(axes, panels, strict=True):
        for index, (label, rows) in enumerate(_lines(experiment, found).items()):
            values = [(value, run.heldout["tuned"]["loss"], _reach(experiment, run)) for value, run in rows]
            xs, ys, reaches = zip(*values, strict=True)
            place.errorbar(
                xs, ys, yerr=list(zip(*reaches, strict=True)), color=COLOURS[index % len(COLOURS)], marker="o",
                markersize=3.5, linewidth=1.1, capsize=2, label=label,
            )  # fmt: skip
        place.set(xlabel=name, ylabel=term("held-out loss"))
        marks = sorted({value for value, _ in found})
        if marks[0] > 0 and marks[-1] / marks[0] >= 8:
            place.set_xscale("log")
            place.minorticks_off()
        place.set_xticks(marks, [f"{mark:g}" for mark in marks])
        if len(_lines(experiment, found)) > 1:
            place.legend(frameon=False)
    _widen(axes)
    return {}, figure


def _along(experiment: Experiment, axis: str) -> list[tuple[float, RunFacts]]:
    """Return (value, run) of the runs that differ from their baseline along this axis of numbers, if in any."""
    found = []
    for run in (run for run in experiment.runs if run.state == DONE):
        value = run.point.get(axis)
        start = experiment.run(run.baseline)
        others = {key for key, label in run.point.items() if start and start.point.get(key) != label} - {
            axis,
            "task",
            "model",
        }
        if isinstance(value, int | float) and not isinstance(value, bool) and run.heldout and not others:
            found.append((float(value), run))
    return sorted(found, key=lambda pair: pair[0])


def _lines(experiment: Experiment, found: list[tuple[float, RunFacts]]) -> dict[str, list[tuple[float, RunFacts]]]:
    """Return the points of each line: one for each task and model."""
    lines: dict[str, list[tuple[float, RunFacts]]] = {}
    for value, run in found:
        lines.setdefault(f"{run.base_task} {run.model}", []).append((value, run))
    return lines


def _reach(experiment: Experiment, run: RunFacts) -> tuple[float, float]:
    start = experiment.run(run.baseline)
    change = loss_against(run, start) if start and start is not run else None
    return (change["mean"] - change["low"], change["high"] - change["mean"]) if change else (0.0, 0.0)


def ranking(experiment: Experiment, term: Term) -> tuple[dict[str, Any], Any] | None:
    """Draw the Bradley-Terry ranking of the models of each task by the judge that leads."""
    shown = {
        (group, task): rows
        for (group, task, judge), rows in experiment.rankings.items()
        if judge == _ranker(experiment, group, task)
    }
    if not shown:
        return None
    most = max(map(len, shown.values()))
    figure, axes = _panels(len(shown), 0.7 + 0.16 * most)
    for axis, ((group, task), rows) in zip(axes, shown.items(), strict=True):
        for place, row in enumerate(rows):
            low, high = row["interval"]
            reach = [[row["rating"] - low], [high - row["rating"]]]
            axis.errorbar(row["rating"], place, xerr=reach, color=COLOURS[0], marker="o", markersize=4, capsize=2)
        title = ranked_of(experiment, group, task)
        axis.set(
            yticks=range(len(rows)),
            yticklabels=[short(row["name"]) for row in rows],
            xlabel=term("Elo, mean 0"),
            title=title,
        )
        axis.invert_yaxis()
    judges = ", ".join(dict.fromkeys(_ranker(experiment, *key) for key in shown))
    return {"judges": judges}, figure


def _ranker(experiment: Experiment, group: str, task: str) -> str:
    """Return the judge whose ranking is drawn: the leading one, or the first that ranked these models."""
    judges = [known[2] for known in experiment.rankings if known[:2] == (group, task)]
    return experiment.lead_judge if experiment.lead_judge in judges else next(iter(judges), "")
