"""Calls that are made together."""

from pathlib import Path

import pytest

from common.llm import pool as pools
from common.llm.cache import Cache
from common.llm.client import Request
from common.llm.endpoint import Endpoint as Place
from common.progress import Progress
from tests.common.llm.calls import KEY
from tests.endpoint import Endpoint


def test_replies_from_the_cache_are_no_measure_of_the_time_left(
    endpoint: Endpoint, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Progress] = []
    monkeypatch.setattr(pools, "Progress", lambda *words: shown.append(Progress(*words)) or shown[-1])
    pool = pools.Pool(Cache(), workplace, pools.Limits())
    requests = [Request([{"role": "user", "content": f"question {n}"}], {}) for n in range(8)]
    for part in (requests[:6], requests):
        pool.ask_all("answers", Place("m", endpoint.url, KEY), part)
    assert [(progress.done, progress.before) for progress in shown] == [(6, 0), (8, 6)]
