"""`python -m eval result`."""

from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.files import write_json, write_text
from common.options import existing_run, run_options
from eval.result import metrics as results
from eval.result import page
from eval.result.tables import blocks_of, columns, show
from eval.statistics.pooling import pool, ranking


@click.command()
@run_options
@click.option("--run", "runs", multiple=True, help="A run's folder, instead of its names; several are pooled.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/pooled"), show_default=True)
def command(*, task: str, model: str, method: str, variant: str, runs: tuple[str, ...], out: Path) -> None:
    """Compute and show results again from what is on disk; several runs also together, with a ranking."""
    named = [existing_run(run, task, model, method, variant) for run in runs or ("",)]
    folders = list({folder.resolve(): folder for folder in named}.values())
    parts = []
    for folder in folders:
        found = results.build(folder)
        results.save(folder, found)
        page.save(folder, found)
        parts.append((folder, found))
        if len(folders) == 1:
            show(found)
    if len(parts) > 1:
        _together(parts, out)


def _together(parts: list[tuple[Path, dict[str, Any]]], out: Path) -> None:
    """Show and write what several runs say together."""
    pooled = pool(parts)
    if not pooled:
        raise UserError("none of these runs has been judged", "make judge RUN=...")
    ranked = {}
    for judge in dict.fromkeys(row["judge"] for row in pooled):
        try:
            ranked[judge] = ranking(parts, judge)
        except ValueError as error:
            click.echo(f"no ranking by {judge}: {error}")
    for block in blocks_of(pooled, ranked, "en"):
        click.echo("\n".join([f"\n{block.title}\n", columns(block.rows), *block.notes]))
    write_json(out / "pooled.json", {"pooled": pooled, "ranking": ranked})
    write_text(out / "result.html", page.render(parts, pooled, ranked))
    click.echo(f"\nfiles: {out}/pooled.json, {out}/result.html")
