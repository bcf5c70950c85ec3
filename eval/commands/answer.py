"""`python -m eval answer`."""

from pathlib import Path
from typing import Any

import click

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.client import Endpoint
from common.llm.prices import Budget
from common.llm.quote import estimate
from common.options import existing_run, run_options
from common.paths import run_folder
from eval.answering.ask import answer_by_endpoint, answer_by_run, answers_in, keep, requests
from eval.records.answers import REFUSED, Answer, path_of, save
from eval.records.folder import Folder
from eval.records.questions import Question, bundled, language_of, load_questions, test_split

ENDPOINT_AT_ONCE = 32
OWN = ("base", "tuned")  # what a run serves itself; every other name is a model behind an endpoint
MODELS = {"chatgpt": "gpt-4o-mini"}


@click.command()
@run_options
@click.option("--run", default="", help="A run's folder, instead of its names.")
@click.option("--who", multiple=True, help="base, tuned (default: both), or a name for --endpoint and --file.")
@click.option("--endpoint", default="", help="URL of an OpenAI-compatible API (default: OPENAI_BASE_URL).")
@click.option("--model-name", default="", help="Which model to ask there, e.g. gpt-4o-mini.")
@click.option("--file", "source", type=click.Path(path_type=Path), help="Take the answers from this JSONL file.")
@click.option("--questions", type=click.Path(path_type=Path), help="Your own JSONL or CSV; default: the task's 20.")
@click.option("--limit", default=0, help="Only the first N questions.")
@click.option("--test-rows", default=0, help="Answer N rows of the test split too, for chrF and ROUGE-L.")
@click.option("--max-tokens", default=512, show_default=True, help="Longest answer.")
@click.option("--temperature", default=0.0, show_default=True)
@click.option("--system", default=None, help="System prompt; default: the task's own.")
@click.option("--concurrency", default=0, help="Calls in flight (default: 32; 2 for a model served by transformers).")
@click.option("--per-minute", default=0, help="At most this many calls a minute (0: no limit).")
@click.option("--budget", type=float, help="Never spend more US dollars than this on the run, retries counted.")
@click.option("--start-timeout", default=900.0, show_default=True, help="Seconds that a served model may take to load.")
@click.option("--dry-run", is_flag=True, help="Show calls, tokens and price, and stop.")
def command(
    *, task: str, model: str, method: str, variant: str, run: str, who: tuple[str, ...], endpoint: str,
    model_name: str, source: Path | None, questions: Path | None, limit: int, test_rows: int, max_tokens: int,
    temperature: float, system: str | None, concurrency: int, per_minute: int, budget: float | None,
    start_timeout: float, dry_run: bool,
) -> None:  # fmt: skip
    """Get answers to a task's questions and keep them in <run>/answers/<who>.jsonl."""
    elsewhere = bool(endpoint or model_name or source) or any(name not in OWN for name in who)
    names = list(who) or (["base", "tuned"] if not elsewhere else [model_name.rpartition("/")[2] or "answers"])
    if endpoint and not (who or model_name):
        raise UserError(f"which model at {endpoint} is to answer?", f"--model-name; curl {endpoint}/models lists them")
    if elsewhere and len(names) != 1:
        raise UserError("an endpoint or a file answers for one contestant", "give one --who")
    for name in names:
        path_of(Path(), name)  # a name that cannot be a file's is told before anything is paid for
    folder = Folder((_folder if elsewhere else existing_run)(run, task, model, method, variant))
    task = task or folder.task
    asked_questions = _questions(task, questions, limit) + test_split(task, test_rows)
    language = language_of([question.text for question in asked_questions])
    system = _system(task) if system is None else system
    settings: dict[str, Any] = {"temperature": temperature, "max_tokens": max_tokens}
    asked = requests(asked_questions, language, system, settings)
    asked_model = model_name or MODELS.get(names[0], names[0])
    asks = elsewhere and not source
    place = Endpoint.from_environment(asked_model, endpoint, needs_key=not dry_run) if asks else None
    cache = Cache()
    if place:
        click.echo(estimate(place, asked, max_tokens, cache, about="at most"))
    if dry_run:
        return
    given = answers_in(source, names[0], asked_questions) if source else []
    folder.save_questions(asked_questions, names)
    if source:
        click.echo(f"{save(folder.path, names[0], given)}: {_told(given)}")
        return
    for name in names:
        if place is None:
            answering, replies = answer_by_run(
                folder.path, name, asked, cache, concurrency=concurrency, start_timeout=start_timeout
            )
        else:
            answering, replies = place.model, answer_by_endpoint(
                place, asked, cache, f"{name} answers",
                concurrency=concurrency or ENDPOINT_AT_ONCE,
                per_minute=per_minute,
                budget=Budget(cache, str(folder.path.resolve()), budget),
            )  # fmt: skip
        if all(reply.error for reply in replies):
            raise UserError(f"no call for {name} was answered: {replies[0].error}", "mend it and run the same again")
        path, given = keep(folder.path, name, asked_questions, asked, replies, model=answering)
        click.echo(f"{path}: {_told(given)}")


def _told(given: list[Answer]) -> str:
    """Say how many answers there are, and what is wrong with them."""
    failed = [answer.error for answer in given if answer.error not in ("", REFUSED)]
    counts = {
        f"failed ({failed[0] if failed else ''}); the same command tries them again": len(failed),
        "refused by a content filter": sum(answer.error == REFUSED for answer in given),
        "empty": sum(answer.empty for answer in given),
        "cut off: MAX_TOKENS= allows longer ones": sum(answer.cut_off for answer in given),
    }
    return "; ".join(
        [f"{sum(not answer.error for answer in given)} answers", *(f"{n} {what}" for what, n in counts.items() if n)]
    )


def _folder(run: str, task: str, model: str, method: str, variant: str) -> Path:
    """Return the folder to answer in; unlike a run's own models, an endpoint needs no run."""
    if run:
        return Path(run)
    if task:
        return run_folder(task, model, method, variant) if model else Path("runs") / task / "endpoints"
    raise UserError("nowhere to keep the answers", "give RUN=folder, or TASK=...")


def _questions(task: str, path: Path | None, limit: int) -> list[Question]:
    if path:
        return load_questions(path, limit)
    if not task:
        raise UserError("no questions were named", "give TASK=medical_en, or QUESTIONS=my.jsonl")
    found = load_questions(bundled(task), limit)
    choice = bundled(task, choice=True)
    return found + (load_questions(choice, limit) if choice.exists() else [])


def _system(task: str) -> str:
    if not task:
        return ""
    from converters.registry import load_task

    return str(load_task(task).system)
