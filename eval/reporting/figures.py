"""The report's figures, drawn by matplotlib: SVG for pages, PDF for LaTeX."""

from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
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
Drawn = tuple[dict[str, Any], Any] | None
"""The facts of a figure's caption and the figure, where there is data for it."""


def draw_all(experiment: Experiment, folder: Path, tell: Language) -> dict[str, dict[str, Any]]:
    """Draw every figure there is data for into `folder`, which holds no other after.

    Return name -> its caption, and how much of the text's width it takes (percent).
    """
    import matplotlib as mpl
    from matplotlib import pyplot

    mpl.use("Agg")
    found = {}
    fonts = ["DejaVu Sans", *_chinese_font()]
    labels = tell if len(fonts) > 1 else Language("en")  # without such a font Chinese would be boxes
    with mpl.rc_context({"font.family": fonts}, STYLE):
        for make in (curves, wins, sensitivity, ranking):
            facts, figure = make(experiment, labels.term) or ({}, None)
            if figure:
                name, width = make.__name__, round(100 * figure.get_figwidth() / WIDTH)
                found[name] = {"caption": tell(f"figure {name}", **facts), "width": width}
                for suffix, metadata in (("svg", {"Date": None}), ("pdf", {"CreationDate": None})):
                    with atomic(folder / f"{name}.{suffix}") as file:
                        figure.savefig(file, format=suffix, metadata=metadata)
                pyplot.close(figure)
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


def _legend(axis: Any, handles: list[Any], names: list[str]) -> None:
    """Put a legend beside a panel."""
    axis.legend(handles, names, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))


def curves(experiment: Experiment, term: Term) -> Drawn:
    """Draw the training loss, and the loss on the validation rows, over the steps."""
    every = [run for run in experiment.done if points(run, "loss")]
    runs = every[:MOST_CURVES]
    if not runs:
        return None
    tried = [run for run in runs if len(points(run, "eval_loss")) > 1]
    figure, axes = _panels(2 if tried else 1)
    panels: list[tuple[list[RunFacts], Loss, str]] = [
        (runs, "loss", "training rows, loss"),
        (tried, "eval_loss", "validation rows"),
    ]
    for axis, (shown, key, title) in zip(axes, panels, strict=False):
        for run in shown:
            found, number = pd.Series(dict(points(run, key))), runs.index(run)
            if key == "loss":  # a step of few rows, as the last of an epoch may be, says little by itself
                found = found.rolling(5, center=True, min_periods=1).median()
            style, mark = "-" if number < len(COLOURS) else "--", "." * (key != "loss")
            colour = COLOURS[number % len(COLOURS)]
            axis.plot(found.index, found, style, color=colour, label=run.name, linewidth=1.1, marker=mark)
        axis.set(title=term(title), xlabel=term("step"), ylabel=term("loss"))
    _widen(axes)
    if len(runs) > 1:
        _legend(axes[-1], *axes[0].get_legend_handles_labels())
    return {"shown": MOST_CURVES, "left_out": len(every) - len(runs)}, figure


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


def wins(experiment: Experiment, term: Term) -> Drawn:
    """Draw each run's win rate against its base, a bar for each judge, with intervals."""
    compared = [(run.name, judge, run.comparison(judge)) for run in experiment.done for judge in experiment.judges]
    rows = [(name, judge, row) for name, judge, row in compared if row.get("win_rate") is not None]
    if not rows:
        return None
    names = list(dict.fromkeys(name for name, _, _ in rows))
    judges = list(dict.fromkeys(judge for _, judge, _ in rows))
    figure, (axis,) = _panels(1, 0.7 + 0.24 * len(names) * max(1, len(judges) * 0.7))
    bars: dict[str, Any] = {}
    size = 0.8 / len(judges)
    for name, judge, row in rows:
        number, rate, (low, high) = judges.index(judge), row["win_rate"], row["interval"]
        place = names.index(name) + (number - (len(judges) - 1) / 2) * size
        bars[judge] = axis.barh(place, rate, size * 0.85, color=COLOURS[number % len(COLOURS)], alpha=0.75, label=judge)
        axis.errorbar(rate, place, xerr=[[rate - low], [high - rate]], color="#222222", linewidth=0.9, capsize=2)
    axis.axvline(0.5, color="#222222", linewidth=0.8, linestyle=":")
    label = term("win rate against the base (ties half)")
    axis.set(xlim=(0, 1), xlabel=label, yticks=range(len(names)), yticklabels=names)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    _legend(axis, [bars[judge] for judge in judges], judges)
    return {}, figure


def sensitivity(experiment: Experiment, term: Term) -> Drawn:
    """Draw the held-out loss over each axis of numbers, with the interval of its distance to the baseline."""
    panels = [(axis, found) for axis in experiment.axes for found in [_along(experiment, axis)] if len(found) > 1]
    if not panels:
        return None
    figure, axes = _panels(len(panels), 1.9)
    for place, (name, found) in zip(axes, panels, strict=True):
        lines = list(dict.fromkeys(f"{run.base_task} {run.model}" for _, run in found))
        for label, colour in zip(lines, cycle(COLOURS), strict=False):
            rows = [(value, run) for value, run in found if f"{run.base_task} {run.model}" == label]
            losses = [run.heldout["tuned"]["loss"] for _, run in rows]
            reaches = zip(*(_reach(experiment, run) for _, run in rows), strict=True)
            place.errorbar(
                [value for value, _ in rows], losses, yerr=list(reaches), color=colour, marker="o", markersize=3.5,
                linewidth=1.1, capsize=2, label=label,
            )  # fmt: skip
        place.set(xlabel=name, ylabel=term("held-out loss"))
        marks = sorted({value for value, _ in found})
        if marks[0] > 0 and marks[-1] / marks[0] >= 8:
            place.set_xscale("log")
            place.minorticks_off()
        place.set_xticks(marks, [f"{mark:g}" for mark in marks])
        if len(lines) > 1:
            place.legend(frameon=False)
    _widen(axes)
    return {}, figure


def _along(experiment: Experiment, axis: str) -> list[tuple[float, RunFacts]]:
    """Return (value, run) of the runs that differ from their baseline along this axis of numbers, if in any."""
    found = []
    for run in experiment.runs:
        value, start = run.point.get(axis), experiment.run(run.baseline)
        if run.state != DONE or not run.heldout or isinstance(value, bool) or not isinstance(value, int | float):
            continue
        others = {key for key, label in run.point.items() if start and start.point.get(key) != label}
        if others <= {axis, "task", "model"}:
            found.append((float(value), run))
    return sorted(found, key=lambda pair: pair[0])


def _reach(experiment: Experiment, run: RunFacts) -> tuple[float, float]:
    start = experiment.run(run.baseline)
    change = loss_against(run, start) if start and start is not run else None
    return (change["mean"] - change["low"], change["high"] - change["mean"]) if change else (0.0, 0.0)


def ranking(experiment: Experiment, term: Term) -> Drawn:
    """Draw the ranking of each task's models by the leading judge, or by the first that ranked them."""
    shown: dict[tuple[str, str], tuple[str, list[dict[str, Any]]]] = {}
    for (group, task, judge), rows in experiment.rankings.items():
        if judge == experiment.lead_judge or (group, task) not in shown:
            shown[group, task] = judge, rows
    if not shown:
        return None
    figure, axes = _panels(len(shown), 0.7 + 0.16 * max(len(rows) for _, rows in shown.values()))
    for axis, (key, (_, rows)) in zip(axes, shown.items(), strict=True):
        for place, row in enumerate(rows):
            low, high = row["interval"]
            reach = [[row["rating"] - low], [high - row["rating"]]]
            axis.errorbar(row["rating"], place, xerr=reach, color=COLOURS[0], marker="o", markersize=4, capsize=2)
        names = [short(row["name"]) for row in rows]
        title = ranked_of(experiment, *key)
        axis.set(yticks=range(len(rows)), yticklabels=names, xlabel=term("Elo, mean 0"), title=title)
        axis.invert_yaxis()
    return {"judges": ", ".join(dict.fromkeys(judge for judge, _ in shown.values()))}, figure
