"""Endpoints that do not write what they are asked for, over real HTTP: counted, told, and never a traceback."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.llm.prices import Price
from converters.__main__ import cli
from tests.converters.generate.conftest import writes
from tests.endpoint import Endpoint, completion, error

PART = Path("data/medical_en/self_instruct")
Run = Callable[..., None]
ReadRows = Callable[[str], list[dict[str, Any]]]
GOOD = {"instruction": "Explain why gout often begins in toes.", "input": "", "output": "Urate settles in the cold."}
CHINESE = {
    "instruction": "请详细说明痛风为什么常常从大脚趾开始发作？",
    "input": "",
    "output": "因为尿酸盐容易在温度较低的关节里沉积下来。",
}
FRENCH = {
    "instruction": "Expliquez pourquoi la goutte commence souvent par le gros orteil et pas dans une autre articulation.",  # noqa: E501
    "input": "",
    "output": "Les cristaux se forment dans les articulations qui sont plus froides que le reste du corps, par exemple.",  # noqa: E501
}
PICTURE = {"instruction": "Draw me a simple diagram of the kidney.", "input": "", "output": "Here it is: ( )"}
REFUSED = {
    "instruction": "Which drug is best for gout?",
    "input": "",
    "output": "As an AI model, I pass.",
}
NO_MATERIAL = {"instruction": "Summarize the passage below in a sentence.", "input": "", "output": "It is about gout."}
SHORT = {"instruction": "Define gout.", "input": "", "output": "A painful disease of the joints."}


def tasks(*items: dict[str, str]) -> str:
    return json.dumps({"tasks": items})


@pytest.mark.parametrize(
    ("reply", "step"),
    [
        ("I would love to help you with medical tasks!", "no_items"),
        ("", "no_items"),
        ('{"tasks": []}', "no_items"),
        ('{"tasks": [{"instruction": "Explain why gout', "broken"),
        (tasks({"instruction": "Explain why it hurts so", "input": "x"}), "broken"),
        (tasks(CHINESE), "language"),
        (tasks(FRENCH), "language"),
        (tasks(PICTURE), "action"),
        (tasks(REFUSED), "refused"),
        (tasks(NO_MATERIAL), "missing_material"),
        (tasks(GOOD | {"output": GOOD["instruction"]}), "echo"),
        (tasks(GOOD | {"output": "Rest. Drink. " * 8}), "repetition"),
        (tasks(GOOD | {"input": "[case text]"}), "placeholder"),
        (tasks(SHORT), "length"),
        (completion("I cannot do that.", refusal="I cannot do that."), "refused"),
        (completion(None, "content_filter"), "refused"),
    ],
)
def test_nothing_usable_ends_soon_and_says_why(
    endpoint: Endpoint, run: Run, reply: str | dict[str, Any], step: str
) -> None:
    endpoint.behaviour = lambda body, number: reply
    with pytest.raises(UserError, match=rf"0 of 20 rows are there, then: 3 calls .* \(dropped in all: {step} 3"):
        run("self-instruct", "--n", "20", "--set", "patience=3")
    assert len(endpoint.calls) == 3
    assert not (PART / "card.json").exists()
    assert not Path("data/medical_en+self_instruct").exists()


@pytest.mark.slow
def test_duplicates_are_kept_once_and_what_is_there_can_be_used(
    endpoint: Endpoint, run: Run, read_rows: ReadRows
) -> None:
    endpoint.behaviour = lambda body, number: tasks(GOOD, GOOD)
    with pytest.raises(UserError, match="1 of 20 rows are there, then: 2 calls in a row brought no new row") as caught:
        run("self-instruct", "--n", "20", "--set", "patience=2")
    assert "continues" in caught.value.hint
    assert [row["instruction"] for row in read_rows(f"{PART}/rows.jsonl")] == [GOOD["instruction"]]
    assert [row["step"] for row in read_rows(f"{PART}/rejected.jsonl")] == ["similar", *["near_duplicate"] * 4]
    assert len(read_rows("data/medical_en+self_instruct/train.jsonl")) == 165
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "20", "--set", "patience=2")
    assert len(read_rows(f"{PART}/rows.jsonl")) == 20


def test_half_a_list_gives_its_whole_items(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    def behaviour(body: dict[str, Any], number: int) -> dict[str, Any]:
        return completion(str(writes()(body, number))[:-400], "length")

    endpoint.behaviour = behaviour
    run("self-instruct", "--n", "30")
    assert len(read_rows(f"{PART}/rows.jsonl")) == 30
    dropped = json.loads((PART / "card.json").read_text())["dropped"]
    assert dropped["broken"] == len(endpoint.calls)


def test_an_endpoint_without_structured_output(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Any:
        if "response_format" in body:
            return error(400, "response_format is not supported", param="response_format")
        return writes()(body, number)

    endpoint.behaviour = behaviour
    run("self-instruct", "--n", "20", "--set", "at_once=1")
    assert read_rows(f"{PART}/rows.jsonl")[0]["made_by"]["settings"]["structured"] is False


@pytest.mark.slow
def test_a_call_that_fails_for_good_is_remembered(endpoint: Endpoint, run: Run) -> None:
    def behaviour(body: dict[str, Any], number: int) -> Any:
        return error(400, "too long for me") if number == 0 else writes()(body, number)

    endpoint.behaviour = behaviour
    run("self-instruct", "--n", "60")
    card = json.loads((PART / "card.json").read_text())
    assert card["dropped"]["failed"] == 1
    asked = len(endpoint.calls)
    run("self-instruct", "--n", "60")
    assert len(endpoint.calls) == asked


def test_when_every_call_fails(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = lambda body, number: error(400, "the model is not loaded")
    with pytest.raises(UserError, match=r"answered no call: http 400: the model is not loaded"):
        run("self-instruct", "--n", "40")
    assert not (PART / "replies.jsonl").exists()
    endpoint.behaviour = writes()
    run("self-instruct", "--n", "40")


@pytest.mark.slow
def test_the_budget_is_kept_and_what_was_paid_for_is_there(
    endpoint: Endpoint, run: Run, monkeypatch: pytest.MonkeyPatch, read_rows: ReadRows
) -> None:
    monkeypatch.setattr("common.llm.client.price_of", lambda model, url: Price(1e-3, 1e-3))
    endpoint.behaviour = writes()
    # A call costs 120 tokens = $0.12; before it is made up to 4,096 tokens of output have to fit: about $5.4.
    with pytest.raises(UserError, match=r"rows are there, then: BUDGET=6 is reached"):
        run("self-instruct", "--n", "2000", "--budget", "6", "--set", "at_once=1")
    first = len(endpoint.calls)
    assert 0 < first * 0.12 <= 6
    paid = len(read_rows(f"{PART}/rows.jsonl"))
    assert paid > 0
    with pytest.raises(UserError, match="BUDGET=7 is reached"):
        run("self-instruct", "--n", "2000", "--budget", "7", "--set", "at_once=1")
    assert len(read_rows(f"{PART}/rows.jsonl")) > paid
    assert len(endpoint.calls) * 0.12 <= 7


@pytest.mark.parametrize("command", ["self-instruct", "rewrite", "score"])
def test_much_is_not_spent_without_a_budget(
    command: str, endpoint: Endpoint, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.llm.quote.price_of", lambda model, url: Price(1e-3, 1e-3))
    for forced in ((), ("--force",)):
        with pytest.raises(UserError, match=r"this costs about \$[\d.]+, and no BUDGET was given") as caught:
            run(command, *forced)
        assert caught.value.hint.startswith("BUDGET=")
    run(command, "--dry-run")
    assert endpoint.calls == []


@pytest.mark.parametrize("command", ["self-instruct", "rewrite", "score"])
def test_no_key(command: str) -> None:
    with pytest.raises(UserError, match="needs OPENAI_API_KEY"):
        cli.main([command, "--task", "medical_en"], standalone_mode=False)


@pytest.mark.parametrize("command", ["self-instruct", "rewrite", "score"])
def test_a_wrong_key(command: str, run: Run, endpoint: Endpoint) -> None:
    endpoint.behaviour = lambda body, number: error(401, "wrong key")
    with pytest.raises(UserError, match="refused the key"):
        run(command)


@pytest.mark.parametrize("command", ["self-instruct", "rewrite", "score"])
def test_a_task_without_rows(command: str, run: Run) -> None:
    with pytest.raises(UserError, match="law_zh has no converted rows") as caught:
        run(command, task="law_zh")
    assert caught.value.hint == "make convert TASK=law_zh"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "simlarity=0.5 items=x at_once=0 temperature=9 structured=1"],
         "(?s)5 invalid.*temperature must.*at_once must.*'simlarity'; did you mean similarity.*structured.*items must"),
        (["--name", "Train+"], "NAME cannot be 'Train\\+'"),
        (["--name", "train"], "NAME cannot be 'train'"),
        (["--generator", "@http://x/v1"], "names no model"),
        (["--prompts", "nowhere"], "no folder of prompts nowhere"),
        (["--set", "banned=nothing.yaml"], "patterns in nothing.yaml cannot be used"),
    ],
)  # fmt: skip
def test_mistakes_cost_nothing(run: Run, endpoint: Endpoint, arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        run("self-instruct", *arguments)
    assert endpoint.calls == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("medical_en+typo", "medical_en has no finished part 'typo'; there are: none"),
        ("medical_en+", "names no mix"),
        ("medical_en+scored@high", "names no mix"),
        ("nothing+scored", "unknown TASK: 'nothing'"),
        ("law_zh+self_instruct", "law_zh has no converted rows"),
    ],
)
def test_mixes_that_cannot_be(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        cli.main(["convert", "--task", name], standalone_mode=False)


def test_source_belongs_to_the_base() -> None:
    with pytest.raises(UserError, match="made of finished rows"):
        cli.main(["convert", "--task", "medical_en+scored", "--limit", "3"], standalone_mode=False)
