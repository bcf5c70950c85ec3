"""`python -m eval judge`."""

import asyncio
from pathlib import Path

import click

from common.errors import UserError
from common.llm.batch import DISCOUNT, Job, fill_by_batches
from common.llm.cache import Cache
from common.llm.client import Client, gather
from common.llm.default_judge import CALL_TOKENS_OUT
from common.llm.prices import Budget, BudgetSpentError
from common.llm.quote import estimate
from common.options import existing_run, run_options
from common.paths import folder_name
from common.progress import Progress
from eval.judging import reference_judge as stand_in
from eval.judging.canaries import canary_pairings
from eval.judging.judges import JUDGE_TOKENS, judge_names, model_judges
from eval.judging.model_judge import ModelJudge, work_of
from eval.judging.prompt import OWN, Style
from eval.records.folder import Folder
from eval.records.judgments import Judgment, Pairing
from eval.records.questions import language_of, load_questions
from eval.result import metrics as results
from eval.result import page
from eval.result.tables import show


@click.command()
@run_options
@click.option("--run", default="", help="A run's folder, instead of its names.")
@click.option("--judge", multiple=True, help="auto (default), reference, MODEL or MODEL@URL; several make a panel.")
@click.option("--who", multiple=True, help="Judge only these contestants (default: all who answered).")
@click.option("--baseline", default="", help="Compare everyone with this contestant only.")
@click.option("--questions", type=click.Path(path_type=Path), help="Judge on these instead of all that were answered.")
@click.option("--guided", is_flag=True, help="Show the judge the reference answer.")
@click.option("--structured", is_flag=True, help="Ask for JSON by schema, where the endpoint has it.")
@click.option("--prompts", type=click.Path(path_type=Path), default=OWN, help="Folder with your own pair.*.jinja.")
@click.option("--canaries", default=0, help="Mix in N pairs of each kind whose outcome is known.")
@click.option("--max-tokens", default=JUDGE_TOKENS, show_default=True)
@click.option("--temperature", default=0.0, show_default=True)
@click.option("--concurrency", default=32, show_default=True, help="Calls in flight, all judges and orders together.")
@click.option("--per-minute", default=0, help="At most this many calls a minute (0: no limit).")
@click.option("--budget", type=float, help="Never spend more US dollars than this on the run, retries counted.")
@click.option("--batch", is_flag=True, help="First calls by OpenAI's Batch API: half the price, within a day.")
@click.option("--dry-run", is_flag=True, help="Show calls, tokens and price, and stop.")
def command(
    *, task: str, model: str, method: str, variant: str, run: str, judge: tuple[str, ...], who: tuple[str, ...],
    baseline: str, questions: Path | None, guided: bool, structured: bool, prompts: Path, canaries: int,
    max_tokens: int, temperature: float,
    concurrency: int, per_minute: int, budget: float | None, batch: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Judge every pair of contestants in both orders; print the result, write metrics.json and result.html."""
    place = existing_run(run, task, model, method, variant)
    folder = Folder(place)
    asked = [q for q in (load_questions(questions) if questions else folder.questions) if q.use == "judge"]
    work = folder.pairings(asked, who, baseline)
    language = language_of([pairing.question.text for pairing in work])
    style = Style(language, guided, structured, prompts)
    work += canary_pairings(asked, folder.answers, canaries, language)
    names = judge_names(judge)
    models = [name for name in names if name != stand_in.NAME]
    judges = model_judges(models, style, temperature, max_tokens, needs_key=not dry_run)
    cache = Cache()
    click.echo(_estimate(judges, work, cache, DISCOUNT if batch else 1.0))
    if dry_run:
        return
    dead: dict[str, Judgment] = {}
    if stand_in.NAME in names:
        folder.save_judgments(stand_in.NAME, _stand_in(work))
    if judges:
        money = Budget(cache, str(place.resolve()), budget)
        if batch:
            fill_by_batches([_job(one, work, place) for one in judges], cache, money)
        judged = _ask(judges, work, cache, money, concurrency=concurrency, per_minute=per_minute)
        by_judge = {one.name: [row for row in judged if row.judge == one.name] for one in judges}
        dead = {name: rows[0] for name, rows in by_judge.items() if all(row.status == "failed" for row in rows)}
        for name in by_judge.keys() - dead.keys():
            folder.save_judgments(name, by_judge[name])
    found = results.build(place)
    results.save(place, found)
    page.save(place, found)
    show(found)
    for name, row in dead.items():
        raise UserError(f"no call to {name} was answered: {row.replies[0]['error']}", "mend it and run the same again")


def _job(judge: ModelJudge, work: list[Pairing], folder: Path) -> Job:
    requests = [judge.request(pairing)[0] for pairing in work]
    return Job(judge.endpoint, requests, folder / f"batch-{folder_name(judge.name)}.json")


def _stand_in(work: list[Pairing]) -> list[Judgment]:
    without = sorted({pairing.question.id for pairing in work if not pairing.question.reference})
    if without:
        raise UserError(
            f"the stand-in judge needs reference answers; {len(without)} questions have none: {without[0]} ...",
            "add a reference to each, or name a model: JUDGE=gpt-4o-mini",
        )
    return [stand_in.judge(pairing) for pairing in work]


def _ask(
    judges: list[ModelJudge], work: list[Pairing], cache: Cache, budget: Budget, *, concurrency: int, per_minute: int
) -> list[Judgment]:
    """Make all judgments in one pool."""

    async def all_of_them() -> list[Judgment]:
        with Progress("judgments", len(judges) * len(work)) as progress:
            async with Client(cache, concurrency=concurrency, per_minute=per_minute, budget=budget) as client:
                judged = await gather(work_of(judges, client, work), lambda _: progress.step())
                progress.note = f"{client.calls} calls, {client.from_cache} from the cache, ${budget.spent:.4f} spent"
                return judged

    try:
        return asyncio.run(all_of_them())
    except BudgetSpentError:
        raise UserError(
            f"BUDGET={budget.limit:g} is reached: ${budget.spent:.4f} spent on this run; all verdicts so far are kept",
            "the same command with a larger BUDGET goes on from here",
        ) from None


def _estimate(judges: list[ModelJudge], work: list[Pairing], cache: Cache, share: float) -> str:
    """Say how many calls, tokens and dollars it takes."""
    questions = len({pairing.question.id for pairing in work})
    lines = [f"{questions} questions, {len(work)} judgments a judge (both orders)"]
    for judge in judges:
        requests = [judge.request(pairing)[0] for pairing in work]
        lines.append(estimate(judge.endpoint, requests, CALL_TOKENS_OUT, cache, share=share))
    return "\n".join(lines)
