"""`python -m eval export` and `python -m eval import`."""

from pathlib import Path

import click

from common.options import existing_run, run_options
from eval.records import exchange
from eval.records.answers import save
from eval.records.folder import questions_of, save_questions
from eval.records.questions import load_questions


@click.command()
@run_options
@click.option("--run", default="", help="A run's folder, instead of its names.")
@click.option("--format", "layout", type=click.Choice(exchange.FORMATS), default="fastchat", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), help="Where to (default: <run>/exported-<format>).")
def export(*, task: str, model: str, method: str, variant: str, run: str, layout: str, out: Path | None) -> None:
    """Write questions, answers and judgments in another tool's layout."""
    folder = existing_run(run, task, model, method, variant)
    write = exchange.export_fastchat if layout == "fastchat" else exchange.export_alpaca_eval
    for path in write(folder, out or folder / f"exported-{layout}"):
        click.echo(path)


@click.command("import")
@click.option("--run", required=True, help="The folder to put the answers in; made when it is not there.")
@click.option("--questions", type=click.Path(path_type=Path), help="Default: those already answered in the folder.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def import_(*, run: str, questions: Path | None, files: tuple[Path, ...]) -> None:
    """Read answers from FastChat's model_answer/*.jsonl or alpaca_eval's model_outputs.json."""
    folder = Path(run)
    asked = load_questions(questions) if questions else questions_of(folder)
    found = {who: answers for file in files for who, answers in exchange.import_answers(file, asked).items()}
    save_questions(folder, asked, found)
    for who, answers in found.items():
        click.echo(f"{save(folder, who, answers)}: {len(answers)} answers")
