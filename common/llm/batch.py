"""OpenAI's Batch API: the same calls at half the price, within a day, as another way to fill the cache.

A batch that was sent is remembered in a file before we wait for it, so that an interrupted command takes it up again
and never sends it twice. What a batch did not answer is left to ordinary calls.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError
from common.files import read_json, write_json
from common.llm.cache import Cache
from common.llm.client import Client, Endpoint, Request
from common.llm.failures import MalformedError, without
from common.llm.prices import Budget, BudgetSpentError, price_of
from common.llm.reply import Reply, read_completion
from common.llm.sdk import load_sdk
from common.progress import Progress

DISCOUNT = 0.5
POLL_SECONDS = 15.0
ENDED = ("completed", "failed", "expired", "cancelled")


@dataclass(frozen=True)
class Job:
    """What one endpoint is asked by a batch. `state` is the file that remembers the batch."""

    endpoint: Endpoint
    requests: Sequence[Request]
    state: Path


def fill_by_batches(jobs: Sequence[Job], cache: Cache, budget: Budget, *, poll_seconds: float = POLL_SECONDS) -> int:
    """Have what is not in the cache answered by one batch for each job, all at once; return how many answers came.

    Raises UserError when an endpoint has no batches, refuses one, answers none of its calls, or when the price at half
    the list price could pass the budget.
    """
    earlier = [job for job in jobs if job.state.exists()]  # what was added since then is another batch
    return _fill(jobs, cache, budget, poll_seconds) + _fill(earlier, cache, budget, poll_seconds)


def _fill(jobs: Sequence[Job], cache: Cache, budget: Budget, poll_seconds: float) -> int:
    for job in jobs:
        if not job.state.exists():
            _send(job, cache, budget)
    return sum(_wait_for(job, cache, budget, poll_seconds) for job in jobs if job.state.exists())


def _send(job: Job, cache: Cache, budget: Budget) -> None:
    """Send and remember a batch of what is missing; its first call goes alone, to see what the endpoint takes."""
    endpoint = job.endpoint
    missing = {key: r for r in job.requests if cache.get(key := r.key(endpoint)) is None}
    if not missing:
        return
    _check_price(endpoint, list(missing.values()), budget)
    key, first = missing.popitem()
    changes = asyncio.run(_try_out(endpoint, first, cache, budget))
    if not missing:
        return
    lines = [
        {
            "custom_id": key,
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": endpoint.model, "messages": request.messages, **request.sent(changes)},
        }
        for key, request in missing.items()
    ]
    with _sdk(endpoint) as sdk:
        file = sdk.files.create(file=("calls.jsonl", b"\n".join(map(orjson.dumps, lines))), purpose="batch")
        batch = sdk.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    left_out = [name for name, new in changes.items() if new is None and name in first.settings]
    write_json(job.state, {"batch": str(batch.id), "model": endpoint.model, "left_out": left_out})


async def _try_out(endpoint: Endpoint, request: Request, cache: Cache, budget: Budget) -> dict[str, str | None]:
    """Ask one call the ordinary way; return how settings are said to this endpoint."""
    async with Client(cache, budget=budget) as client:
        try:
            reply = await client.ask(endpoint, request)
        except BudgetSpentError:
            raise _too_dear(endpoint, 0.0, budget) from None
        if reply.error:
            raise UserError(f"the first call failed, so no batch was sent: {reply.error}", "mend it and run again")
        return client.changes(endpoint)


def _check_price(endpoint: Endpoint, requests: list[Request], budget: Budget) -> None:
    if budget.limit is None:
        return
    price = price_of(endpoint.model, endpoint.url)
    if price is None:
        raise UserError(f"there is no price for model {endpoint.model!r}", "add it to common/llm/prices.yaml")
    worst = DISCOUNT * sum(price.of(*request.tokens()) for request in requests)
    if budget.spent + worst > budget.limit:
        raise _too_dear(endpoint, worst, budget)


def _too_dear(endpoint: Endpoint, worst: float, budget: Budget) -> UserError:
    return UserError(
        f"the batch for {endpoint.model} may cost ${worst:.4f}, ${budget.spent:.4f} is spent, BUDGET={budget.limit:g}",
        "give a larger BUDGET, or judge fewer questions",
    )


def _wait_for(job: Job, cache: Cache, budget: Budget, poll_seconds: float) -> int:
    """Wait for the batch that was sent, put its answers into the cache and forget it; return how many there were."""
    state = read_json(job.state)
    price = price_of(job.endpoint.model, job.endpoint.url)
    with _sdk(job.endpoint, f"delete {job.state} if the batch {state['batch']} is of another account") as sdk:
        batch = _wait(sdk, state["batch"], poll_seconds)
        count = 0
        for key, reply in _answers(sdk, batch):
            if price and cache.get(key) is None:
                budget.charge(job.endpoint.model, DISCOUNT * price.of(reply.tokens_in, reply.tokens_out))
            reply.left_out = state.get("left_out", [])
            cache.put(key, reply.row())
            count += 1
        why = "" if count else _why(sdk, batch)
    job.state.unlink()
    if batch.status != "completed" or not count:
        raise UserError(
            f"the batch {batch.id} ended as {batch.status}; {count} answers were kept{why}",
            "the same command sends the rest anew; without BATCH they are ordinary calls",
        )
    return count


def _wait(sdk: Any, name: str, poll_seconds: float) -> Any:
    with Progress(f"batch {name}", 0) as progress:
        while (batch := sdk.batches.retrieve(name)).status not in ENDED:
            counts = batch.request_counts
            progress.note = f"{batch.status}, {counts.completed}/{counts.total}" if counts else batch.status
            progress.show()
            time.sleep(poll_seconds)
    return batch


def _answers(sdk: Any, batch: Any) -> Iterator[tuple[str, Reply]]:
    """Yield the cache's key and the reply of each call that was answered."""
    content = sdk.files.content(batch.output_file_id).content if batch.output_file_id else b""
    for row in map(orjson.loads, content.splitlines()):
        response = row.get("response") or {}
        if response.get("status_code") == 200:
            with suppress(MalformedError):
                yield row["custom_id"], read_completion(orjson.dumps(response["body"]))


def _why(sdk: Any, batch: Any) -> str:
    """Return what is said about a batch that answered nothing."""
    if batch.errors and batch.errors.data:
        return f": {batch.errors.data[0].message}"
    if not batch.error_file_id:
        return ""
    first = sdk.files.content(batch.error_file_id).content.partition(b"\n")[0]
    response = orjson.loads(first).get("response") or {}
    return f": {response.get('body', {}).get('error', {}).get('message', first[:200].decode(errors='replace'))}"


@contextmanager
def _sdk(endpoint: Endpoint, lost: str = "leave --batch out") -> Iterator[Any]:
    """Yield the SDK's client; its errors become one line. `lost` is what to do where nothing is found."""
    openai = load_sdk()
    try:
        with openai.OpenAI(api_key=endpoint.key or "none", base_url=endpoint.url, timeout=endpoint.timeout) as sdk:
            yield sdk
    except openai.NotFoundError:
        raise UserError(f"{endpoint.url} has no such batch, or no batches at all", lost) from None
    except (openai.AuthenticationError, openai.PermissionDeniedError):
        raise UserError(f"{endpoint.url} refused the key", "set OPENAI_API_KEY to one that is valid there") from None
    except openai.APIError as error:
        raise UserError(
            f"the batch at {endpoint.url} failed: {without(endpoint.key, str(error))[:200]}",
            "the same command takes it up again",
        ) from None
