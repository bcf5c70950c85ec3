"""Get a contestant's answers: from any endpoint, from a run's own models, or from a file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.llm.client import MARGIN, Request
from common.llm.endpoint import Endpoint
from common.llm.pool import Pool
from common.llm.prices import estimate_tokens
from common.llm.reply import Reply
from eval.answering.serve import served
from eval.answering.served_model import ensure_here, identity, serving, settings_of
from eval.records.answers import REFUSED, Answer
from eval.records.questions import COLUMNS, Question, first_of, language_of, read_rows, refuse

SERVED_AT_ONCE = 2  # by transformers; measured on 2 cores: 29 tokens/s together, 16 one by one
BATCHING = ("vllm", "sglang")  # backends that batch what is in flight
BATCHED_AT_ONCE = 32
SHORTEST_ROOM, LONGEST_ROOM = 512, 2048
"""Tokens: an untuned model says more than the reference does, and most models' context ends at 4,096."""
THOUGHT = 4096
TEMPLATE = 64  # tokens that a chat template adds, at most
LEAST_ROOM = 32
HINT = 'a line is {"id": "...", "answer": "..."}; a table has the columns question,answer'
# What the column of the answers may be called, in any case.
ANSWER = ("answer", "output", "response", "model_answer", "model_output", "completion", "prediction", "回答", "答案")
CHOICE = {
    "en": "{question}\n{choices}\nAnswer with the letter of the right choice first.",
    "zh": "{question}\n{choices}\n请先写出正确选项的字母。",
}


def room_for(questions: list[Question], thinks: bool) -> tuple[int, str]:
    """Return how many tokens an answer may take, and why so many."""
    longest = max((estimate_tokens(question.reference) for question in questions), default=0)
    room = min(max(SHORTEST_ROOM, 2 * longest), LONGEST_ROOM)
    room, why = -(-room // 128) * 128, f"twice the longest reference answer, {longest:,} tokens"
    if not SHORTEST_ROOM < 2 * longest < LONGEST_ROOM:
        why = f"the {'least' if room == SHORTEST_ROOM else 'most'}; the longest reference answer has {longest:,}"
    return (room + THOUGHT, f"{why}; {THOUGHT:,} for the thought before it") if thinks else (room, why)


def room_left(questions: list[Question], system: str, context: int) -> int:
    """Return how many tokens a model's context leaves beside the longest question; UserError where it leaves none."""
    longest = max(estimate_tokens(question.text + "".join(question.choices.values())) for question in questions)
    left = context - int(MARGIN * (longest + estimate_tokens(system))) - TEMPLATE
    if left < LEAST_ROOM:
        raise UserError(
            f"a question of about {longest:,} tokens leaves no room to answer in a context of {context:,}",
            "leave it out (QUESTIONS=your-file), or take a model with a longer context",
        )
    return left


def requests_for(questions: list[Question], system: str, settings: dict[str, Any]) -> list[Request]:
    """Return one request for each question, with its choices; the chat template is the server's, the model's own."""
    before = [{"role": "system", "content": system}] if system else []
    language = language_of([question.text for question in questions])
    requests = []
    for question in questions:
        choices = "\n".join(f"{letter}. {text}" for letter, text in question.choices.items())
        text = CHOICE[language].format(question=question.text, choices=choices) if choices else question.text
        requests.append(Request([*before, {"role": "user", "content": text}], settings))
    return requests


def own_answers(
    who: Sequence[str], questions: list[Question], requests: list[Request], pool: Pool, start_timeout: float = 900.0
) -> Iterator[tuple[str, list[Answer]]]:
    """Yield the answers of a run's own models (`serve/<who>.yaml`) by name, each as soon as it has given them.

    No server is started when all is in the cache. Raises UserError when no call is answered, and before anything is
    asked when a model is not there.
    """
    configs = {name: serving(pool.folder, name) for name in who}
    stored = {name: _stored(pool, config, requests) for name, config in configs.items()}
    for name, config in configs.items():
        if not stored[name]:
            ensure_here(pool.folder, config)
    for name, config in configs.items():
        replies = stored[name] or _asked(name, config, requests, pool, start_timeout)
        yield name, answers_of(name, questions, requests, replies, _model(config))


def _model(config: Path) -> str:
    return str(settings_of(config).get("model_name_or_path", config.stem))


def _stored(pool: Pool, config: Path, requests: list[Request]) -> list[Reply]:
    """Return all replies of a run's own model from the cache; empty where one is not there."""
    endpoint = Endpoint(_model(config), identity=f"{identity(config)} {_model(config)}")
    known = [value for request in requests if (value := pool.cache.get(request.key(endpoint)))]
    return [Reply(**value) for value in known] if len(known) == len(requests) else []


def _asked(who: str, config: Path, requests: list[Request], pool: Pool, start_timeout: float) -> list[Reply]:
    """Serve a run's own model and ask it."""
    batched = settings_of(config).get("infer_backend") in BATCHING
    at_once = pool.limits.concurrency or (BATCHED_AT_ONCE if batched else SERVED_AT_ONCE)
    pool = replace(pool, limits=replace(pool.limits, concurrency=at_once))
    log = pool.folder / "logs" / f"serve-{who}.log"
    with served(config, log, concurrency=at_once, start_timeout=start_timeout) as endpoint:
        return pool.ask_all(f"{who} answers", endpoint, requests)


def answers_of(
    who: str, questions: list[Question], requests: list[Request], replies: list[Reply], model: str
) -> list[Answer]:
    """Return the answers that replies to `questions` are; UserError when all failed."""
    if all(reply.error for reply in replies):
        raise UserError(f"no call for {who} was answered: {replies[0].error}", "the same command tries again")
    given = []
    for question, request, reply in zip(questions, requests, replies, strict=True):
        settings = {name: value for name, value in request.settings.items() if name not in reply.left_out}
        settings["system"] = request.messages[0]["content"] if len(request.messages) > 1 else ""
        refused = REFUSED if reply.finish_reason == "content_filter" else ""
        answer = Answer(
            question.id, who, question.text, reply.said, model, reply.finish_reason, error=reply.error or refused,
            tokens_in=reply.tokens_in, tokens_out=reply.tokens_out, settings=settings,
        )  # fmt: skip
        given.append(answer)
    return given


def answers_in(source: Path, who: str, questions: list[Question]) -> list[Answer]:
    """Return the answers of `who` from a file, matched by the question's exact text or else by id."""
    if not source.is_file():
        raise UserError(f"there is no file of answers {source}", HINT)
    problems: list[str] = []
    by_text: dict[str, dict[str, Any]] = {}
    by_id: dict[str, dict[str, Any]] = {}
    for place, row in read_rows(source, problems):
        name = next((name for name in ANSWER if row.get(name) is not None), None)
        if name is None:
            problems.append(f"{place}: no answer; its columns are {', '.join(filter(None, row))}")
        elif not isinstance(row[name], str | int | float):
            problems.append(f"{place}: {name} is not a text but {type(row[name]).__name__}")
        else:
            text, id_ = first_of(row, COLUMNS["question"]), first_of(row, COLUMNS["id"])
            known, key = (by_text, text) if text else (by_id, id_)
            row["answer"] = str(row[name])
            if known.setdefault(key, row)["answer"] != row["answer"]:
                problems.append(f"{place}: a second answer to {key[:60]!r}")
    refuse(source, problems, HINT)
    found = [(question, by_text.get(question.text) or by_id.get(question.id)) for question in questions]
    missing = [question.id for question, row in found if row is None]
    if missing:
        raise UserError(
            f"{source} has no answer to {len(missing)} of {len(questions)} questions: {missing[0]} ...",
            "give each row the question's exact text, or only its id",
        )
    return [
        Answer(question.id, who, question.text, row["answer"], **_provenance(row)) for question, row in found if row
    ]


def _provenance(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a row of another run's answers says about how it was made."""
    kinds = {"model": str, "finish_reason": str, "error": str, "tokens_in": int, "tokens_out": int, "settings": dict}
    return {name: row[name] for name, kind in kinds.items() if isinstance(row.get(name), kind)}
