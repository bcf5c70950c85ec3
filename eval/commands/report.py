"""`python -m eval report`."""

import click

from common.errors import UserError
from common.options import existing_run
from common.paths import RUNS, folder_name
from common.process import only_one
from eval.commands import options
from eval.reporting import author, content, gather
from eval.reporting.experiment import corrected, joined, with_short_names
from eval.reporting.language import Language
from eval.reporting.write import write_all

REPORTS = RUNS / "reports"


@click.command()
@options.taking("run", "report")
def command(
    *, task: str, model: str, method: str, variant: str, sweeps: tuple[str, ...], runs: tuple[str, ...], name: str,
    cases: int, language: str,
) -> None:  # fmt: skip
    """Write the report of a sweep or of some runs: Markdown, HTML, LaTeX, and PDF where a TeX is installed."""
    tell = Language(language)
    if sweeps and (task or model):
        raise UserError("a sweep has the names of its runs", "to add a run to a sweep's report: RUN=runs/...")
    parts = [gather.from_sweep(sweep) for sweep in dict.fromkeys(sweeps)]
    if runs or not sweeps:
        parts.append(gather.from_runs([existing_run(run, task, model, method, variant) for run in runs or ("",)]))
    experiment = corrected(with_short_names(joined(parts)))
    folder = REPORTS / folder_name(name or experiment.name)
    folder.mkdir(parents=True, exist_ok=True)
    count = len(experiment.done)
    click.echo(
        f"{count} run{'s' if count > 1 else ''}, {', '.join(experiment.judges) or 'not judged'}: writing {folder} ..."
    )
    with only_one(folder):
        from eval.reporting.figures import draw_all

        words = author.words_of(folder / "words.md", tell)
        figures = draw_all(experiment, folder / "figures", tell)
        text = content.render(experiment, words, figures, cases, tell)
        title = words["Title"] or experiment.title or tell("title", tasks=experiment.tasks)
        made = write_all(folder, text, title, words["Authors"], tell.name)
    missing = [heading for heading in author.HEADINGS if heading not in author.OPTIONAL and not words[heading]]
    click.echo(f"report: {', '.join(str(path) for path in made)}")
    if experiment.missing:
        click.echo(
            f"{len(experiment.missing)} of {len(experiment.runs)} runs have no result yet; the report says which"
        )
    if missing:
        named = tell.names([tell.words["headings"][name] for name in missing])
        click.echo(f"yours to write, in {folder}/words.md: {named}; then the same command again")
