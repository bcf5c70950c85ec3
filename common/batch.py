"""OpenAI's Batch API: the same calls at half the price, within a day, as another way to fill the cache.

A batch that was sent is remembered in a file before we wait for it, so that an interrupted command takes it up again
and never sends it twice. What a batch did not answer is left to ordinary calls.
"""

import time
from pathlib import Path
from typing import Any

import orjson

from common.cache import Cache
from common.client import Endpoint, Request, read_completion
from common.errors import UserError
from common.failures import MalformedError
from common.files import read_json, write_json
from common.prices import Budget, price_of
from common.progress import Progress
from common.sdk import load_sdk

DISCOUNT = 0.5
POLL_SECONDS = 15.0
ENDED = ("completed", "failed", "expired", "cancelled")


def fill_by_batch(
    endpoint: Endpoint,
    requests: list[Request],
    cache: Cache,
    state: Path,
    budget: Budget,
    *,
    poll_seconds: float = POLL_SECONDS,
) -> int:
    """Have all `requests` that are not in the cache answered by one batch; return how many answers came.

    `state` is the file that remembers the batch. Raises UserError when the endpoint has no batches, refuses the batch,
    or when its price at list price and half off could pass the budget.
    """
    wanted = {request.key(endpoint): request for request in requests}
    missing = {key: request for key, request in wanted.items() if cache.get(key) is None}
    if not missing and not state.exists():
        return 0
    openai = load_sdk()
    sdk = openai.OpenAI(api_key=endpoint.key or "none", base_url=endpoint.url, timeout=endpoint.timeout)
    try:
        if not state.exists():
            _check_price(endpoint, list(missing.values()), budget)
            write_json(state, {"batch": _send(sdk, endpoint, missing), "model": endpoint.model})
        batch = _wait(sdk, read_json(state)["batch"], poll_seconds)
        count = _take(sdk, batch, endpoint, cache, budget)
    except openai.NotFoundError:
        raise UserError(f"{endpoint.url} has no batches", "leave --batch out") from None
    except (openai.AuthenticationError, openai.PermissionDeniedError):
        raise UserError(f"{endpoint.url} refused the key", "set OPENAI_API_KEY to one that is valid there") from None
    except openai.APIError as error:
        raise UserError(
            f"the batch at {endpoint.url} failed: {str(error)[:200]}", "the same command takes it up again"
        ) from None
    state.unlink()
    if batch.status != "completed":
        raise UserError(f"the batch {batch.id} ended as {batch.status}; {count} answers were kept", "run again")
    return count


def _check_price(endpoint: Endpoint, requests: list[Request], budget: Budget) -> None:
    if budget.limit is None:
        return
    price = price_of(endpoint.model, endpoint.url)
    if price is None:
        raise UserError(f"there is no price for model {endpoint.model!r}", "add it to common/prices.yaml")
    worst = DISCOUNT * sum(price.of(*request.tokens()) for request in requests)
    if budget.spent + worst > budget.limit:
        raise UserError(
            f"the batch may cost ${worst:.4f}, ${budget.spent:.4f} is spent, BUDGET={budget.limit:g}",
            "a larger BUDGET, or fewer questions: LIMIT=10",
        )


def _send(sdk: Any, endpoint: Endpoint, missing: dict[str, Request]) -> str:
    lines = [
        orjson.dumps(
            {
                "custom_id": key,
                "method": "POST",
                "url": "/v1/chat/completions",
                "body": {"model": endpoint.model, "messages": request.messages, **request.settings},
            }
        )
        for key, request in missing.items()
    ]
    file = sdk.files.create(file=("calls.jsonl", b"\n".join(lines)), purpose="batch")
    batch = sdk.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h")
    return str(batch.id)


def _wait(sdk: Any, name: str, poll_seconds: float) -> Any:
    with Progress(f"batch {name}", 0) as progress:
        while (batch := sdk.batches.retrieve(name)).status not in ENDED:
            counts = batch.request_counts
            progress.note = f"{batch.status}, {counts.completed}/{counts.total}" if counts else batch.status
            progress.show()
            time.sleep(poll_seconds)
    return batch


def _take(sdk: Any, batch: Any, endpoint: Endpoint, cache: Cache, budget: Budget) -> int:
    """Put a batch's answers into the cache; return how many there were."""
    if not batch.output_file_id:
        return 0
    price = price_of(endpoint.model, endpoint.url)
    count = 0
    for line in sdk.files.content(batch.output_file_id).content.splitlines():
        row = orjson.loads(line)
        response = row.get("response") or {}
        if response.get("status_code") != 200:
            continue
        try:
            reply = read_completion(orjson.dumps(response["body"]))
        except MalformedError:
            continue
        if cache.get(row["custom_id"]) is None and price:
            budget.charge(endpoint.model, DISCOUNT * price.of(reply.tokens_in, reply.tokens_out))
        cache.put(row["custom_id"], reply.row())
        count += 1
    return count
