"""OpenAI's Batch API through a real server that speaks it."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.llm.batch import Job, fill_by_batches
from common.llm.cache import Cache
from common.llm.client import Endpoint as Place
from common.llm.client import Request
from common.llm.prices import Budget, Price
from tests.endpoint import Endpoint, error
from tests.eval.commands.test_judge import eval_command, metrics, prefers_device


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("common.llm.batch.time.sleep", lambda seconds: None)


def fill(endpoint: Endpoint, count: int, budget: Budget, **settings: Any) -> int:
    requests = [Request([{"role": "user", "content": f"q{n}"}], {"max_tokens": 50, **settings}) for n in range(count)]
    job = Job(Place("m", endpoint.url, "k"), requests, Path("state.json"))
    return fill_by_batches([job], budget.cache, budget)


def lines(endpoint: Endpoint) -> list[int]:
    """How many calls each batch held that was sent."""
    return [len(upload.splitlines()) for upload in endpoint.uploads]


def test_a_batch_gives_the_same_result_and_failed_lines_are_asked_one_by_one(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    endpoint.failing_in_batch = {3, 4}
    eval_command("judge", "--run", run, "--judge", f"fake@{endpoint.url}", "--batch")
    (row,) = metrics(run)["comparisons"]
    assert (row["wins"], row["ties"], row["losses"]) == (4, 2, 0)
    # Two pairs of like answers make the same prompt in both orders; one of the 10 prompts goes ahead alone.
    assert lines(endpoint) == [9]
    assert len(endpoint.calls) == 1 + 2
    assert not list(run.glob("batch-*"))


def test_a_panel_waits_for_all_its_batches_together(run: Path, endpoint: Endpoint) -> None:
    endpoint.behaviour = prefers_device
    eval_command("judge", "--run", run, "--judge", f"one@{endpoint.url},two@{endpoint.url}", "--batch")
    assert len(metrics(run)["judges"]) == 2
    assert lines(endpoint) == [9, 9]
    assert endpoint.polls_at_upload == [0, 0]


def test_an_interrupted_wait_takes_the_same_batch_up_again(
    endpoint: Endpoint, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(Cache(), "run")

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("common.llm.batch.time.sleep", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fill(endpoint, 5, budget)
    assert json.loads(Path("state.json").read_text())["batch"] == "batch_1"
    assert fill(endpoint, 5, budget) == 4  # and the one that went ahead alone
    assert lines(endpoint) == [4]
    assert fill(endpoint, 5, budget) == 0
    assert lines(endpoint) == [4]


def test_what_was_added_since_an_interrupted_batch_is_another_batch(
    endpoint: Endpoint, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = Budget(Cache(), "run")
    with monkeypatch.context() as patch:
        patch.setattr("common.llm.batch._wait", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fill(endpoint, 3, budget)
    assert fill(endpoint, 8, budget) == 2 + 4
    assert lines(endpoint) == [2, 4]


def test_a_batch_keeps_to_the_budget_at_half_price(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("common.llm.batch", "common.llm.client"):
        monkeypatch.setattr(f"{place}.price_of", lambda model, url: Price(0.0, 0.001))
    cache = Cache()
    with pytest.raises(UserError, match=r"may cost \$0.1250"):
        fill(endpoint, 5, Budget(cache, "run", 0.1))
    assert endpoint.uploads == []
    fill(endpoint, 5, Budget(cache, "run", 0.2))
    assert cache.spent("run") == pytest.approx(20 * 0.001 * (1 + 4 / 2))


def test_what_a_model_refuses_is_known_before_the_batch_is_sent(endpoint: Endpoint, workplace: Path) -> None:
    def newer(body: dict, number: int) -> Any:
        for name in ("max_tokens", "temperature"):
            if name in body:
                return error(400, f"{name} is not supported", param=name, code="unsupported_parameter")
        return "fine"

    endpoint.behaviour = newer
    assert fill(endpoint, 3, Budget(Cache(), "run"), temperature=0) == 2
    for line in endpoint.uploads[0].splitlines():
        assert json.loads(line)["body"].keys() == {"model", "messages", "max_completion_tokens"}
    endpoint.behaviour = lambda body, number: error(404, "The model `m` does not exist")
    with pytest.raises(UserError, match="does not know the model 'm'"):
        fill(endpoint, 9, Budget(Cache(), "run"))
    assert len(endpoint.uploads) == 1


def test_a_batch_that_answers_nothing_says_why(endpoint: Endpoint, workplace: Path) -> None:
    endpoint.failing_in_batch = {0, 1, 2}
    with pytest.raises(UserError, match="ended as completed; 0 answers were kept: out of order"):
        fill(endpoint, 4, Budget(Cache(), "run"))
    assert not Path("state.json").exists()


def test_an_endpoint_without_batches_is_told(endpoint: Endpoint, workplace: Path) -> None:
    endpoint.has_batches = False
    with pytest.raises(UserError, match="no batches at all"):
        fill(endpoint, 2, Budget(Cache(), "run"))
