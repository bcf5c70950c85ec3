"""Get a contestant's answers: from any endpoint, from a run's own models, or from a file."""

import asyncio
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.llm.cache import Cache
from common.llm.client import Client, Endpoint, Request, gather
from common.llm.prices import Budget, BudgetSpentError
from common.llm.reply import Reply
from common.progress import Progress
from eval.answering.serve import served
from eval.answering.served_model import ensure_here, identity, settings_of
from eval.records.answers import REFUSED, Answer, save
from eval.records.questions import COLUMNS, Question
from eval.records.reading import first_of, read_rows

SERVED_AT_ONCE = 2  # by transformers; measured on 2 cores: 29 tokens/s together, 16 one by one
BATCHING = ("vllm", "sglang")  # backends that batch what is in flight
BATCHED_AT_ONCE = 32
HINT = 'a line is {"id": "...", "answer": "..."}; a table has the columns question,answer'
ANSWER = ("answer", "output", "response", "回答", "答案")  # what the column may be called
CHOICE = {
    "en": "{question}\n{choices}\nAnswer with the letter of the right choice first.",
    "zh": "{question}\n{choices}\n请先写出正确选项的字母。",
}


def prompt(question: Question, language: str) -> str:
    """Return what the model is asked: the question, with its choices where it has some."""
    if not question.choices:
        return question.text
    choices = "\n".join(f"{letter}. {text}" for letter, text in question.choices.items())
    return CHOICE[language].format(question=question.text, choices=choices)


def requests(questions: list[Question], language: str, system: str, settings: dict[str, Any]) -> list[Request]:
    """Return one request for each question; the chat template is the server's, the model's own."""
    before = [{"role": "system", "content": system}] if system else []
    return [
        Request([*before, {"role": "user", "content": prompt(question, language)}], settings) for question in questions
    ]


def answer_by_endpoint(
    endpoint: Endpoint,
    asked: list[Request],
    cache: Cache,
    label: str,
    *,
    concurrency: int,
    per_minute: int = 0,
    budget: Budget | None = None,
) -> list[Reply]:
    """Ask an endpoint for all answers at once; a failed call is a Reply with its error."""

    async def all_of_them() -> list[Reply]:
        with Progress(label, len(asked)) as progress:
            async with Client(cache, concurrency=concurrency, per_minute=per_minute, budget=budget) as client:
                replies = await gather((client.ask(endpoint, request) for request in asked), lambda _: progress.step())
                progress.note = f"{client.calls} calls, {client.from_cache} from the cache"
                return replies

    try:
        return asyncio.run(all_of_them())
    except BudgetSpentError:
        assert budget is not None
        raise UserError(
            f"BUDGET={budget.limit:g} is reached: ${budget.spent:.4f} spent; what was answered is kept",
            "the same command with a larger BUDGET goes on from here",
        ) from None


def answer_by_run(
    run: Path, who: str, asked: list[Request], cache: Cache, *, concurrency: int, start_timeout: float
) -> tuple[str, list[Reply]]:
    """Answer with a run's own model (`serve/<who>.yaml`); no server is started when all is in the cache.

    Returns the model's name and the replies.
    """
    config = run / "serve" / f"{who}.yaml"
    settings = settings_of(config)
    model = str(settings.get("model_name_or_path", config.stem))
    stored = Endpoint(model, identity=f"{identity(config)} {model}")
    known = [cache.get(request.key(stored)) for request in asked]
    if all(known):
        return model, [Reply(**value) for value in known if value]
    at_once = concurrency or (BATCHED_AT_ONCE if settings.get("infer_backend") in BATCHING else SERVED_AT_ONCE)
    ensure_here(run, config)
    with served(
        config, run / "logs" / f"serve-{who}.log", concurrency=at_once, start_timeout=start_timeout
    ) as endpoint:
        return model, answer_by_endpoint(endpoint, asked, cache, f"{who} answers", concurrency=at_once)


def keep(
    folder: Path,
    who: str,
    questions: list[Question],
    asked: list[Request],
    replies: list[Reply],
    *,
    model: str = "",
) -> tuple[Path, list[Answer]]:
    """Write the answers of `who`; return the file and what is in it."""
    answers = [
        Answer(
            id=question.id,
            who=who,
            question=question.text,
            answer=reply.said,
            model=model or reply.model,
            finish_reason=reply.finish_reason,
            error=reply.error or (REFUSED if reply.finish_reason == "content_filter" else ""),
            tokens_in=reply.tokens_in,
            tokens_out=reply.tokens_out,
            settings={
                **{name: value for name, value in request.settings.items() if name not in reply.left_out},
                "system": request.messages[0]["content"] if len(request.messages) > 1 else "",
            },
        )
        for question, request, reply in zip(questions, asked, replies, strict=True)
    ]
    return save(folder, who, answers), answers


def answers_in(source: Path, who: str, questions: list[Question]) -> list[Answer]:
    """Return the answers of `who` from a file, matched by the question's exact text or else by id."""
    if not source.is_file():
        raise UserError(f"there is no file of answers {source}", HINT)
    problems: list[str] = []
    rows = [(place, row) for place, row in read_rows(source, problems)]
    problems += [f"{place}: no answer" for place, row in rows if not isinstance(row, dict) or _said(row) is None]
    if problems:
        raise UserError(f"{source} cannot be used:\n  " + "\n  ".join(problems[:10]), HINT)
    texts = {place: first_of(row, COLUMNS["question"]) for place, row in rows}
    by_text = {texts[place]: row for place, row in rows if texts[place]}
    by_id = {str(row["id"]): row for place, row in rows if "id" in row and not texts[place]}
    found = [(question, by_text.get(question.text) or by_id.get(question.id)) for question in questions]
    missing = [question.id for question, row in found if row is None]
    if missing:
        raise UserError(
            f"{source} has no answer to {len(missing)} of {len(questions)} questions: {missing[0]} ...",
            "give each row the question's exact text, or only its id",
        )
    return [
        Answer(question.id, who, question.text, _said(row) or "", **_provenance(row)) for question, row in found if row
    ]


def _said(row: dict[str, Any]) -> str | None:
    """Return a row's answer, which may be "", or None when it has none."""
    return next((str(row[name]) for name in ANSWER if row.get(name) is not None), None)


def _provenance(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row of another run's answers says about how it was made."""
    kinds = {"model": str, "finish_reason": str, "error": str, "tokens_in": int, "tokens_out": int, "settings": dict}
    return {name: row[name] for name, kind in kinds.items() if isinstance(row.get(name), kind)}
