"""OpenAI's Batch API through a real server that speaks it."""

import json
from pathlib import Path

import pytest

from common.batch import fill_by_batch
from common.cache import Cache
from common.client import Endpoint as Place
from common.client import Request
from common.errors import UserError
from common.prices import Budget, Price
from tests.eval.endpoint import Endpoint
from tests.eval.test_judge_command import eval_command, metrics, prefers_device


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.batch.time.sleep", lambda seconds: None)


def test_a_batch_gives_the_same_result_and_failed_lines_are_asked_one_by_one(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    endpoint.failing_in_batch = {3, 4}
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--batch")
    (row,) = metrics(run)["comparisons"]
    assert (row["wins"], row["ties"], row["losses"]) == (4, 2, 0)
    assert len(endpoint.uploads) == 1
    assert len(endpoint.uploads[0].splitlines()) == 10  # two pairs of like answers make the same prompt in both orders
    assert len(endpoint.calls) == 2
    assert not list(run.glob("batch-*"))


def requests(count: int) -> list[Request]:
    return [Request([{"role": "user", "content": f"q{n}"}], {"max_tokens": 50}) for n in range(count)]


def test_an_interrupted_wait_takes_the_same_batch_up_again(
    endpoint: Endpoint, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache()
    place = Place("m", endpoint.url, "k")
    budget = Budget(cache, "run")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("common.batch.time.sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fill_by_batch(place, requests(5), cache, Path("state.json"), budget)
    assert json.loads(Path("state.json").read_text())["batch"] == "batch_1"
    assert fill_by_batch(place, requests(5), cache, Path("state.json"), budget) == 5
    assert len(endpoint.uploads) == 1
    assert fill_by_batch(place, requests(5), cache, Path("state.json"), budget) == 0
    assert len(endpoint.uploads) == 1


def test_a_batch_keeps_to_the_budget_at_half_price(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.batch.price_of", lambda model, url: Price(0.0, 0.001))
    cache, place = Cache(), Place("m", endpoint.url, "k")
    with pytest.raises(UserError, match=r"may cost \$0.1250"):
        fill_by_batch(place, requests(5), cache, Path("state.json"), Budget(cache, "run", 0.1))
    assert endpoint.uploads == []
    fill_by_batch(place, requests(5), cache, Path("state.json"), Budget(cache, "run", 0.2))
    assert cache.spent("run") == pytest.approx(5 * 20 * 0.001 / 2)


def test_an_endpoint_without_batches_is_told(endpoint: Endpoint, workplace: Path) -> None:
    cache = Cache()
    place = Place("m", endpoint.url.removesuffix("/v1") + "/other", "k")
    with pytest.raises(UserError, match="has no batches"):
        fill_by_batch(place, requests(1), cache, Path("state.json"), Budget(cache, "run"))
