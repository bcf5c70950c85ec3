"""`python -m eval general`."""

from typing import cast

import click

from common.llm.cache import Cache
from common.llm.pool import Limits, Pool
from common.run_files import General, write
from eval.answering.ask import own_answers, requests_for
from eval.commands import options
from eval.general import lm_eval, score
from eval.records.folder import Folder
from eval.result import page
from eval.result.sentences import forgotten, general
from eval.result.wording import wording

WHO = ("base", "tuned")


@click.command()
@options.place
@options.taking("general")
@options.sampling_512
@options.limits
def command(*, place: options.Place, tasks: str, sampling: options.Sampling, limits: Limits) -> None:
    """Ask base and tuned model 120 plain instructions, English and Chinese, and check the answers by program."""
    run, wanted = place.existing(), tasks.replace(",", " ").split()
    if wanted:
        lm_eval.program()
    sampling = sampling.beside_thoughts(run.path, WHO)
    kept, asked = Folder(run.path / "general"), score.questions()
    requests = requests_for(asked, "", sampling.settings)
    pool = Pool(Cache(), run.path, limits)
    kept.save_questions(asked, WHO)
    for who, answers in own_answers(WHO, asked, requests, pool):
        kept.save_answers(who, answers)
    found = cast(General, score.compare(*(kept.answers[who] for who in WHO)))
    write(run.path / "general.json", found)
    if wanted:
        found["lm_eval"] = {
            who: lm_eval.measure(run.path, who, wanted, run.path / "general" / "lm-eval" / who) for who in WHO
        }
        write(run.path / "general.json", found)
    if (run.path / "metrics.json").is_file():
        page.publish(run)  # the result holds it from now on
    tell = wording("en")
    for line in [*general(found, tell), *(f"Note: {warning}" for warning in forgotten(found, tell))]:
        click.echo(line)
    click.echo(f"files: {run.path}/general.json, {kept.path}/answers")
