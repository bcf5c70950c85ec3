"""`python -m converters self-instruct | rewrite | score`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.overrides import parse_settings

Command = Callable[..., Any]


def generating_options(command: Command) -> Command:
    """Add the options that all three commands share."""
    for option in (
        click.option("--dry-run", is_flag=True, help="Show calls, tokens and price, and stop."),
        click.option("--force", is_flag=True, help="Begin anew where rows lie that were made otherwise."),
        click.option("--per-minute", default=0, help="At most this many calls a minute (0: no limit)."),
        click.option("--concurrency", default=16, show_default=True, help="Calls in flight."),
        click.option("--budget", type=float, help="Never spend more US dollars than this, retries counted."),
        click.option("--prompts", type=click.Path(path_type=Path), help="Folder with your own *.jinja."),
        click.option("--set", "overrides", default="", help='"key=value ..."; a wrong key shows all of them.'),
        click.option("--generator", default="", help="MODEL or MODEL@URL (default: GENERATOR_MODEL or gpt-4o-mini)."),
        click.option("--task", default="", help="A converted task's name."),
    ):
        command = option(command)
    return command


limit_option = click.option("--limit", type=click.IntRange(min=1), help="Only the first so many rows.")


@click.command("self-instruct")
@generating_options
@click.option("--n", "wanted", default=500, show_default=True, type=click.IntRange(min=1), help="Rows wanted.")
@click.option("--name", default="self_instruct", show_default=True, help="What the rows are called: TASK+NAME.")
def self_instruct(*, wanted: int, name: str, dry_run: bool, force: bool, **given: Any) -> None:
    """Have a model write N new rows after the task's own; usable at once as TASK+NAME."""
    from converters.generate.mixing import refresh
    from converters.generate.self_instruct import SelfInstruct
    from converters.generate.settings import Generating, choose

    settings = choose(Generating, parse_settings(given["overrides"]))
    part, task = _part(name, "self_instruct", settings, given, dry_run)
    run = SelfInstruct(part, task, settings, _limits(given))
    selection = run.run(wanted, force, dry_run)
    if selection is None:
        return
    kept = min(wanted, len(selection.kept))
    if kept:
        refresh(part.task, name)
        click.echo(_told(part.folder, f"{kept:,} rows", selection.dropped, f"{part.task}+{name}"))
    if run.stopped:
        raise UserError(
            f"{kept:,} of {wanted:,} rows are there, then: {run.stopped}",
            "the same command goes on from here; another GENERATOR, or SET items= structured= seed=, may do better",
        )


@click.command()
@generating_options
@limit_option
@click.option("--name", default="rewritten", show_default=True, help="What the rows are called: TASK+NAME.")
def rewrite(*, limit: int | None, name: str, dry_run: bool, force: bool, **given: Any) -> None:
    """Have a model make the answers helpful, the originals kept; usable at once as TASK+NAME."""
    from converters.generate.mixing import refresh
    from converters.generate.rewriting import rewrite as run
    from converters.generate.settings import Rewriting, choose

    settings = choose(Rewriting, parse_settings(given["overrides"]))
    part, task = _part(name, "rewritten", settings, given, dry_run)
    counts = run(part, task, settings, _limits(given), limit=limit, force=force, dry_run=dry_run)
    if dry_run:
        return
    if not counts["rewritten"]:
        raise UserError(f"no answer was rewritten ({_by_step(counts)})", f"see {part.folder}/rejected.jsonl")
    refresh(part.task, name)
    made = counts.pop("rewritten")
    click.echo(_told(part.folder, f"{made:,} rewritten answers", counts, f"{part.task}+{name}"))


@click.command()
@generating_options
@limit_option
@click.option("--name", default="scored", show_default=True, help="What the scores are called: TASK+NAME@THRESHOLD.")
def score(*, limit: int | None, name: str, dry_run: bool, force: bool, **given: Any) -> None:
    """Have a model rate the rows from 0 to 5; those that reach a threshold are TASK+NAME@THRESHOLD."""
    from converters.generate.mixing import refresh
    from converters.generate.scoring import STEPS
    from converters.generate.scoring import score as run
    from converters.generate.settings import Scoring, choose

    settings = choose(Scoring, parse_settings(given["overrides"]))
    part, _ = _part(name, "scored", settings, given, dry_run)
    counts = run(part, settings, _limits(given), limit=limit, force=force, dry_run=dry_run)
    if dry_run:
        return
    scored = sum(count for step, count in counts.items() if step not in STEPS)
    if not scored:
        raise UserError(f"no row was scored ({_by_step(counts)})", f"see {part.folder}/rejected.jsonl")
    click.echo(_told(part.folder, f"{scored:,} scored rows", counts, f"{part.task}+{name}@4"))
    refresh(part.task, name)


def _part(name: str, kind: str, settings: Any, given: dict[str, Any], dry_run: bool) -> Any:
    """Return the part that these words name, and its task; every mistake is told before anything is paid for."""
    from dataclasses import replace

    from converters.generate.ask import endpoint_of
    from converters.generate.base import card_of
    from converters.generate.parts import Part, folder_of
    from converters.generate.prompts import OWN, load_prompt
    from converters.registry import load_task

    task_name = given["task"]
    if not task_name:
        raise UserError("no TASK was named", "TASK=medical_en, or see `python -m converters list`")
    task = replace(load_task(task_name), name=task_name)
    folder_of(task_name, name)
    card_of(task_name)
    template = {"self_instruct": "self_instruct", "rewritten": "rewrite", "scored": "score"}[kind]
    prompt = load_prompt(template, task.language, task.domain, given["prompts"] or OWN)
    return Part(task_name, name, kind, endpoint_of(given["generator"], needs_key=not dry_run), prompt, settings), task


def _limits(given: dict[str, Any]) -> Any:
    from converters.generate.ask import Limits

    return Limits(given["budget"], given["concurrency"], given["per_minute"])


def _told(folder: Path, made: str, dropped: Any, name: str) -> str:
    return "\n".join(
        [
            f"{folder}/rows.jsonl: {made} ({_by_step(dropped) or 'nothing dropped'})",
            "  each row says what made it; rejected.jsonl has what was dropped, with the reason",
            f"  train on it: make train TASK={name} MODEL=...",
        ]
    )


def _by_step(counts: Any) -> str:
    return ", ".join(f"{step} {count:,}" for step, count in sorted(counts.items()) if count)
