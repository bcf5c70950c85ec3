"""Replies of every shape, good and bad."""

import json
from pathlib import Path

import pytest
import yaml

from converters.generate.read_replies import parse, read_score
from converters.task import Record

REPLIES = yaml.safe_load((Path(__file__).with_name("labelled") / "scores.yaml").read_text(encoding="utf-8"))
GOOD = {"instruction": "Explain gout.", "input": "noinput", "output": "Urate crystals."}
ITEM = Record("Explain gout.", "", "Urate crystals.")
LIST = json.dumps([GOOD, GOOD | {"input": "A man of 50."}])


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"tasks": [GOOD]}),
        json.dumps([GOOD]),
        json.dumps(GOOD),
        json.dumps({"Instruction": "Explain gout.", "Input": None, "Output": "Urate crystals."}),
        json.dumps({"指令": "Explain gout.", "输入": "无", "输出": "Urate crystals."}),
        f"```json\n{json.dumps([GOOD])}\n```",
        f"Here [as asked] are the tasks:\n{json.dumps([GOOD])}\nI hope that they help.",
        "1. Instruction: Explain gout.\n1. Input:\nnoinput\n1. Output:\nUrate crystals.",
        "### 1\n**Instruction:** Explain gout.\n**Input:** noinput\n**Output:** Urate crystals.\n\n### 2",
        "指令：Explain gout.\n输入：noinput\n输出：Urate crystals.",
    ],
)
def test_known_shapes(text: str) -> None:
    assert parse(text) == ([ITEM], [])


@pytest.mark.parametrize(
    "text", ["", "I would be glad to help with tasks about gout.", "1. Explain gout.\n2. Explain."]
)
def test_prose_holds_nothing(text: str) -> None:
    assert parse(text) == ([], [])


@pytest.mark.parametrize("cut", range(1, 40))
def test_half_a_list_gives_its_whole_items(cut: int) -> None:
    items, broken = parse(LIST[:-cut], cut=True)
    assert items[0] == ITEM
    assert len(items) + len(broken) == 2


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"instruction": "x", "input": ""}, "output missing"),
        ({"instruction": "", "input": "", "output": "y"}, "empty instruction"),
        ({"instruction": "x", "input": "", "output": " "}, "empty output"),
        ({"instruction": "x", "input": ["a"], "output": "y"}, "input missing or no text"),
        ({"question": "x", "answer": "y"}, "instruction and output missing"),
    ],
)
def test_broken_items_are_told_and_the_others_kept(item: dict[str, object], reason: str) -> None:
    items, broken = parse(json.dumps({"tasks": [item, GOOD]}))
    assert items == [ITEM]
    assert len(broken) == 1
    assert broken[0].startswith(reason)


def test_blocks_that_break_off() -> None:
    block = "Instruction: Explain gout.\nInput: noinput\nOutput: Urate crystals."
    assert len(parse(f"{block}\n\n{block}")[0]) == 2
    items, broken = parse(f"{block}\n\n{block}", cut=True)
    assert (len(items), broken) == (1, ["the list breaks off"])


def test_something_broken_in_the_middle_costs_only_itself() -> None:
    text = f'[{json.dumps(GOOD)}, {{"instruction": nothing}}, {json.dumps(GOOD)}]'
    items, broken = parse(text)
    assert items == [ITEM, ITEM]
    assert len(broken) == 1


def test_a_brace_in_blocks_costs_nothing() -> None:
    block = "Instruction: Explain gout.\nInput: noinput\nOutput: Urate crystals."
    other = "Instruction: What does {x | x > 0} mean?\nInput: noinput\nOutput: The set {x} of the positive numbers."
    items, broken = parse(f"{block}\n\n{other}")
    assert items == [ITEM, Record("What does {x | x > 0} mean?", "", "The set {x} of the positive numbers.")]
    assert broken == []
    assert parse(f"I use braces {{like these}}.\n\n{block}")[0] == [ITEM]


@pytest.mark.parametrize(("text", "score"), REPLIES)
def test_scores_are_read_and_nothing_else(text: str, score: float | None) -> None:
    found = read_score(text)
    assert (found[0] if found else None) == score


def test_the_reason_stands_beside_the_score() -> None:
    assert read_score('{"reason": "It is \\"thin\\".", "score": 3}') == (3, 'It is \\"thin\\".')
    assert read_score("Clear and right.\n\nScore: 4.5") == (4.5, "Clear and right.")
