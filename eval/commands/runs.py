"""`python -m eval runs`."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

import click
import pandas

from common import consent
from common.errors import UserError, nearest
from common.files import write_text
from common.paths import RUNS
from common.process import is_held, only_one
from common.run_files import read_manifest, write
from eval.commands import options
from eval.result.overview import COLUMNS, PARTS, size, table
from eval.result.page import template

PAGE = RUNS / "runs.html"
VARIES = (
    "Training varies by itself: a small difference between two runs may be no more than that of two seeds"
    " (make sweep SWEEP=recipes/sweeps/seeds.yaml)."
)
DIGITS = {"held_out": 3, "change": 3, "win_rate": 2, "general": 1, "hours": 2, "peak": 1, "disk": 2, "dollars": 2}


@click.command()
@options.taking("runs")
@click.option("--sort", default="", help=f"By this column: {', '.join(COLUMNS)}; -held_out puts the highest first.")
@click.option("--delete", default="", help=f"Free disk: {', '.join(PARTS)} of the runs shown, or a run's folder.")
@options.taking("yes")
def command(*, task: str, model: str, sort: str, delete: str, yes: bool) -> None:
    """Show every run below runs/ and write runs/runs.html; free disk of what is not running."""
    found = table()
    for column, wanted in {"task": task, "model": model}.items():
        found = found[found[column] == wanted] if wanted else found
    if found.empty:
        raise UserError("there are no such runs in runs/", "make run TASK=medical_en MODEL=smollm2-135m makes one")
    if delete:
        _delete(delete, [Path(folder) for folder in found.index], yes)
        return
    column = sort.lstrip("-")
    if column and column not in COLUMNS:
        raise UserError(f"no column {column!r}", nearest(column, COLUMNS) or f"there are {', '.join(COLUMNS)}")
    if column:
        found = found.sort_values(column, ascending=not sort.startswith("-"), na_position="last")
    click.echo(_text(found))
    _page(found)
    click.echo(f"\n{VARIES}\npage: {PAGE}")


def _text(found: "pandas.DataFrame") -> str:
    shown = found.drop(columns="page").astype(object)
    for name, digits in DIGITS.items():
        shown[name] = [f"{value:z.{digits}f}" if pandas.notna(value) else "" for value in shown[name]]
    shown = shown.fillna("").rename(columns=COLUMNS)
    return shown.loc[:, (shown != "").any()].to_string(index=False)


def _page(found: "pandas.DataFrame") -> None:
    rows = found.astype(object).where(found.notna(), None).to_dict("records")
    for folder, row in zip(found.index, rows, strict=True):
        row["folder"], row["page"] = folder, os.path.relpath(row["page"], RUNS) if row["page"] else ""
    write_text(PAGE, template("runs.html.jinja").render(rows=rows, columns=COLUMNS, digits=DIGITS, varies=VARIES))


def _delete(what: str, runs: list[Path], yes: bool) -> None:
    """Delete checkpoints or exports of runs, or one whole run, after saying how much; never of what is running."""
    whole = what not in PARTS
    if whole and Path(what) not in runs:
        hint = nearest(what, [*PARTS, *map(str, runs)]) or f"{' or '.join(PARTS)}, or a run's folder"
        raise UserError(f"nothing to delete under {what!r}", hint)
    chosen = {run: [run] if whole else _parts(run, what) for run in ([Path(what)] if whole else runs)}
    chosen = {run: paths for run, paths in chosen.items() if paths}
    if running := [str(run) for run in chosen if is_held(run)]:
        raise UserError(f"running now: {', '.join(running)}", "wait for it, or narrow with TASK= and MODEL=")
    total = sum(size(paths) for paths in chosen.values())
    for run, paths in chosen.items():
        click.echo(f"  {size(paths) / 1e9:8.2f} GB  {run}{'' if whole else f': {what}'}")
    if not chosen:
        click.echo("nothing deleted")
        return
    consent.ask(f"{total / 1e9:.2f} GB will be deleted", "YES=1 (--yes) deletes them without asking", yes)
    for run, paths in chosen.items():
        with only_one(run):
            if what == "exports":  # so that `make export` makes it again
                manifest = read_manifest(run)
                manifest["steps"].pop("export", None)
                write(run / "manifest.json", {**manifest, "status": "trained"})
            for path in paths:
                shutil.rmtree(path)
    click.echo(f"freed {total / 1e9:.2f} GB")


def _parts(run: Path, what: str) -> list[Path]:
    """Return what there is to delete: checkpoints only of a training that ended, since others resume from them."""
    with suppress(UserError):  # a broken manifest, which the table names
        if "train" in read_manifest(run).get("steps", {}):
            return [path for pattern in PARTS[what] for path in run.glob(pattern) if path.is_dir()]
    return []
