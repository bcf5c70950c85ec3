"""Calls to a test's endpoint, with waits that a test has time for."""

import asyncio
from typing import Any

import pytest

from common.llm.cache import Cache
from common.llm.client import Client, Request, gather
from common.llm.endpoint import Endpoint as Place
from common.llm.reply import Reply
from tests.endpoint import Endpoint

KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backoff is the same, only quicker; what a server asks for with Retry-After is still waited for."""
    monkeypatch.setattr("common.llm.client.backoff", lambda attempt, failure: failure.wait or 0.01 * attempt)


def ask(server: Endpoint, count: int = 1, *, model: str = "m", timeout: float = 5, **options: Any) -> list[Reply]:
    place = Place(model, server.url, KEY, timeout=timeout)
    requests = [Request([{"role": "user", "content": f"question {n}"}], {"max_tokens": 50}) for n in range(count)]

    async def main() -> list[Reply]:
        async with Client(Cache(), **options) as client:
            return await gather(client.ask(place, request) for request in requests)

    return asyncio.run(main())
