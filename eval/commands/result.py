"""`python -m eval result`."""

from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.files import write_json, write_text
from common.options import existing_run
from eval.commands import options
from eval.records.folder import Folder
from eval.result import page
from eval.result.tables import blocks_of, show
from eval.statistics.outcomes import correct


@click.command()
@options.taking("run", "result")
def command(*, task: str, model: str, method: str, variant: str, runs: tuple[str, ...], out: Path) -> None:
    """Compute and show results again from what is on disk; several runs also together, with a ranking."""
    named = [existing_run(run, task, model, method, variant) for run in runs or ("",)]
    folders = [Folder(folder) for folder in {folder.resolve(): folder for folder in named}.values()]
    parts = [(folder, page.publish(folder)) for folder in folders]
    if len(parts) == 1:
        show(parts[0][1])
    else:
        _together(parts, out)


def _together(parts: list[tuple[Folder, dict[str, Any]]], out: Path) -> None:
    """Show and write what several runs say together."""
    from eval.statistics.pooling import pool, rankings, table

    rows = [row for _, result in parts for row in result["comparisons"]]
    if not rows:
        raise UserError("none of these runs has been judged", "make judge RUN=...")
    correct(rows)
    outcomes = table(parts)
    pooled, ranked = pool(parts, outcomes), rankings(outcomes)
    for block in blocks_of(pooled, ranked, "en"):
        click.echo(f"\n{block}")
    for judge in dict.fromkeys(row["judge"] for row in pooled if row["judge"] not in ranked):
        click.echo(f"\nno ranking by {judge}: not every model is linked to every other by comparisons")
    write_json(out / "pooled.json", {"pooled": pooled, "ranking": ranked})
    write_text(out / "result.html", page.render(parts, pooled, ranked))
    click.echo(f"\nfiles: {out}/pooled.json, {out}/result.html")
