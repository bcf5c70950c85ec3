"""`python -m eval judge`."""

from dataclasses import replace
from pathlib import Path

import click

from common import consent
from common.errors import UserError
from common.llm.cache import Cache
from common.llm.default_judge import CALL_TOKENS_OUT
from common.llm.pool import Limits, Pool
from common.llm.quote import estimate
from common.progress import notice
from common.typed import note
from eval.commands import options
from eval.judging import reference_judge
from eval.judging.canaries import canary_pairings
from eval.judging.model_judge import judge_names, model_judges
from eval.judging.prompt import LONGEST, OWN, Style, too_long
from eval.result import examples

PROMPTS = click.option(
    "--prompts", "folder", type=click.Path(path_type=Path), default=OWN, help="Folder with your own pair.*.jinja."
)


@click.command()
@options.place
@options.compared
@options.taking("judge")
@options.grouped(Style, "style", options.taking("style"), PROMPTS)
@options.sampling_1024
@options.limits
@options.taking("dry run")
def command(
    *, place: options.Place, compared: options.Compared, judge: tuple[str, ...], questions: Path | None, canaries: int,
    style: Style, sampling: options.Sampling, limits: Limits, dry_run: bool,
) -> None:  # fmt: skip
    """Judge every pair of contestants in both orders; print the result, write metrics.json and result.html."""
    folder = place.existing()
    asked, work, language = compared.pairings(folder, questions)
    for shown, way in {"reference": "guided", "checklist": "checklist"}.items():
        without = sorted({one.question.id for one in work if not getattr(one.question, shown)})
        if getattr(style, way) and without:
            raise UserError(
                f"{len(without)} questions have no {shown} to show the judge: {without[0]} ...",
                f"put a {shown} to each in their file and run make answer again (what was answered is kept), "
                f"or leave {way.upper()}=1 out",
            )
    work += canary_pairings(asked, folder.answers, canaries, language)
    names = judge_names(judge)
    models = [name for name in names if name != reference_judge.NAME]
    known = {name: str(rows[0].settings.get("endpoint", "")) for name, rows in folder.all_judgments.items()}
    judges = model_judges(
        models, replace(style, language=language), sampling.settings, known=known, needs_key=not dry_run
    )
    long = {(answer.who, answer.id) for pairing in work for answer in pairing.answers if too_long(answer.answer)}
    if long and judges:
        number = "1 answer is" if len(long) == 1 else f"{len(long)} answers are"
        notice(f"{number} longer than a judge can read, about {LONGEST:,} tokens, and cut in the judge's copy")
    pool = Pool(Cache(), folder.path, limits)
    click.echo(f"{len({one.question.id for one in work})} questions, {len(work)} judgments a judge (both orders)")
    quotes = []
    for one in judges:
        requests = [one.request(pairing)[0] for pairing in work]
        quotes.append(estimate(one.endpoint, requests, CALL_TOKENS_OUT, pool.cache))
        click.echo(quotes[-1])
    if dry_run:
        return
    consent.to_pay(sum(quote.dollars for quote in quotes), limits.budget)
    if reference_judge.NAME in names:
        folder.add_judgments(reference_judge.NAME, reference_judge.judge_all(work))
    every = [(one, pairing) for one in judges for pairing in work]
    judged = (
        pool.run("judgments", lambda client: [one.judge(client, pairing) for one, pairing in every]) if every else []
    )
    dead = {}
    for one in judges:
        rows = [row for row in judged if row.judge == one.name]
        if all(row.status == "failed" for row in rows):
            dead[one.name] = rows[0].replies[0]["error"]
            continue
        kept = folder.add_judgments(one.name, rows)
        if others := sum(row.settings != rows[0].settings for row in kept):
            notice(
                f"{others} earlier judgments of {one.name}, on other pairs and with other settings, are kept; "
                f"to make all anew, delete its file in {folder.path / 'judgments'} first"
            )
    note(folder.path)
    options.show_result(folder)
    heard = [name for name in (*(one.name for one in judges), *names) if name in folder.judgments]
    if heard:
        examples.show(folder, heard[0])
    for name, error in dead.items():
        raise UserError(f"no call to {name} was answered: {error}", "the same command tries again")
