"""`python -m converters self-instruct | rewrite | score | replay`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from common.errors import UserError
from common.options import options_of
from common.overrides import unchecked
from common.progress import notice

if TYPE_CHECKING:
    from converters.generate.ask import Asker
    from converters.generate.parts import Part

MOST_WITHOUT = 0.05
"""The share of replies without a score above which the selection is not by the score."""
MOST_ALIKE, LEAST_SCORED = 0.8, 10
"""The share of one and the same score, of so many rows, above which the scores select nothing."""


options = options_of(Path(__file__).parents[1] / "options.yaml")


@click.command("self-instruct")
@options("generating", "self-instruct")
def self_instruct(*, wanted: int, dry_run: bool, force: bool, **given: Any) -> None:
    """Have a model write N new rows after the task's own, for TASK+NAME."""
    from converters.generate.ask import LARGER_BUDGET
    from converters.generate.self_instruct import SelfInstruct

    part, asker = _part("self_instruct", given, dry_run)
    run = SelfInstruct(part, asker)
    selection = run.run(wanted, force, dry_run)
    if selection is None:
        return
    kept = min(wanted, len(selection.kept))
    if kept:
        _finished(part, f"{kept:,} rows", selection.dropped, part.mix)
    if run.stopped:
        raise UserError(
            f"{kept:,} of {wanted:,} rows are there, then: {run.stopped}",
            LARGER_BUDGET
            if run.stopped.startswith("BUDGET")
            else "the same command continues; another GENERATOR, or SET items= structured= seed=, may do better",
        )


@click.command()
@options("generating", "rewrite")
def rewrite(**given: Any) -> None:
    """Have a model make the answers helpful, for TASK+NAME; the originals are kept."""
    _each_row("rewritten", given)


@click.command()
@options("generating", "score")
def score(**given: Any) -> None:
    """Have a model rate the rows from 0 to 5; those that reach a threshold are TASK+NAME@THRESHOLD."""
    _each_row("scored", given)


@click.command()
@options("generating", "replay")
def replay(**given: Any) -> None:
    """Have the model that will be trained answer general instructions, for TASK+NAME@0.1: it forgets less."""
    if not given["generator"] and not given["dry_run"]:
        raise UserError(
            "GENERATOR must be the model that will be trained, served as it is",
            "API_PORT=8000 llamafactory-cli api runs/TASK/MODEL/lora/serve/base.yaml, then GENERATOR=base@http://127.0.0.1:8000/v1",
        )
    _each_row("replay", given)


def _each_row(kind: str, given: Mapping[str, Any]) -> None:
    from converters.generate.ask import LARGER_BUDGET
    from converters.generate.each_row import WORKS
    from converters.generate.mixing import generated_count
    from converters.generate.parts import card_of, part_card

    part, asker = _part(kind, given, given["dry_run"])
    work, limit = WORKS[kind](part), given["limit"]
    if kind == "replay" and limit is None:  # a few more, for those that are cut off
        limit = round(1.2 * generated_count(card_of(part.task.name)["files"]["train"]["rows"], 0.1)) + 1
    counts = work.run(asker, limit=limit, force=given["force"], dry_run=given["dry_run"])
    if counts is None:
        return
    made, dropped = counts
    if dropped["no_score"] > MOST_WITHOUT * (made + dropped["no_score"]):
        notice(f"warning: {dropped['no_score']:,} replies hold no score; rows are selected by how the model writes")
    if kind == "scored" and made >= LEAST_SCORED:
        score, same = max(part_card(part.task.name, part.name)["scores"].items(), key=lambda found: found[1])
        if same > MOST_ALIKE * made:
            notice(f"warning: {same:,} of {made:,} rows have the score {score}: this model hardly tells rows apart")
    if made:
        _finished(part, f"{made:,} {work.made}", dropped, part.mix + work.amount)
    if work.stopped:
        raise UserError(work.stopped, LARGER_BUDGET)
    if not made:
        raise UserError(f"there are no {work.made} ({_by_step(dropped)})", f"see {part.folder}/rejected.jsonl")


def _part(kind: str, given: Mapping[str, Any], dry_run: bool) -> tuple["Part", "Asker"]:
    """Return the part that these options name, and who is asked; every mistake is reported before anything is paid."""
    from dataclasses import replace

    from common.schema import build
    from converters.generate.ask import Asker, endpoint_of
    from converters.generate.parts import COMMANDS, Part, card_of, folder_of
    from converters.generate.prompts import OWN, load_prompt
    from converters.generate.settings import Asking, Generating, Rewriting, Scoring
    from converters.registry import load_task

    kinds: dict[str, type[Asking]] = {"self_instruct": Generating, "rewritten": Rewriting, "scored": Scoring}
    settings = build(kinds.get(kind, Asking), unchecked(given["overrides"]), "SET")
    if not given["task"]:
        raise UserError("no TASK was named", "TASK=medical_en, or see `python -m converters list`")
    task = replace(load_task(given["task"]), name=given["task"])
    folder_of(task.name, given["name"])
    card_of(task.name)
    prompt = load_prompt(COMMANDS[kind].replace("-", "_"), task.language, task.domain, given["prompts"] or OWN)
    endpoint = endpoint_of(given["generator"], needs_key=not dry_run)
    part = Part(task, given["name"], kind, endpoint, prompt, settings)
    return part, Asker(endpoint, part.folder, given["budget"], given["concurrency"], given["per_minute"])


def _finished(part: "Part", made: str, dropped: Mapping[str, int], name: str) -> None:
    """Write the mixes of a part, and say what is there."""
    from converters.generate.mixing import refresh

    click.echo(f"{part.folder}/rows.jsonl: {made} ({_by_step(dropped) or 'nothing dropped'})")
    click.echo("  each row says what made it; rejected.jsonl has what was dropped, with the reason")
    click.echo(f"  to train on it: make train TASK={name} MODEL=...")
    refresh(part.task.name, part.name)


def _by_step(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{step} {count:,}" for step, count in sorted(counts.items()))
