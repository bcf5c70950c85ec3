"""`python -m eval result`."""

from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.files import write_json, write_text
from common.options import existing_run, run_options
from eval import page
from eval import result as results
from eval.findings import p_value, rate
from eval.pooling import pool, ranking
from eval.table import columns, show


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
    for row in pooled:
        click.echo(f"\n{row['a']} vs {row['b']}, judge {row['judge']}\n")
        click.echo(_table(row))
    for judge, rows in ranked.items():
        click.echo(f"\nBradley-Terry ranking by {judge} (Elo scale, mean 0, 95 % by questions)\n")
        lines = [
            [r["name"], f"{r['rating']:+.0f}", f"[{r['interval'][0]:+.0f}, {r['interval'][1]:+.0f}]"] for r in rows
        ]
        click.echo(columns([["model", "rating", "interval"], *lines]))
    write_json(out / "pooled.json", {"pooled": pooled, "ranking": ranked})
    write_text(out / "result.html", page.render(parts))
    click.echo(f"\nfiles: {out}/pooled.json, {out}/result.html")


def _table(row: dict[str, Any]) -> str:
    header = ["task", "W/T/L", "win rate [95 %]", "sign test", "Holm"]
    lines = [
        [
            part["folder"],
            f"{part['wins']}/{part['ties']}/{part['losses']}",
            rate(part["win_rate"], part["interval"]),
            p_value(part["sign_test_p"]),
            p_value(part["holm_p"]),
        ]
        for part in row["tasks"]
    ]
    mean = row["win_rate"]
    whole = f"all {row['questions']} questions"
    interval = rate(mean["mean"], [mean["low"], mean["high"]]) if mean else "-"
    counts = f"{row['wins']}/{row['ties']}/{row['losses']}"
    table = columns([header, *lines, [whole, counts, interval, p_value(row["sign_test_p"]), ""]])
    controlled = row["length_controlled"]
    if controlled:
        table += f"\nat equal length: {rate(controlled['win_rate'], controlled['interval'])}"
    if row["detectable_rate"]:
        table += f"\n{row['questions']} questions show a true rate of {row['detectable_rate']:.1%} with 80 % power"
    return table
