"""Replies of every shape, good and bad."""

import json

import pytest

from converters.generate.read_items import Item, parse

GOOD = {"instruction": "Explain gout.", "input": "noinput", "output": "Urate crystals."}
ITEM = Item("Explain gout.", "", "Urate crystals.")
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
    assert parse(text).items == [ITEM]
    assert parse(text).broken == []


@pytest.mark.parametrize(
    "text", ["", "I would be glad to help with tasks about gout.", "1. Explain gout.\n2. Explain."]
)
def test_prose_holds_nothing(text: str) -> None:
    parsed = parse(text)
    assert (parsed.items, parsed.broken) == ([], [])


@pytest.mark.parametrize("cut", range(1, 40))
def test_half_a_list_gives_its_whole_items(cut: int) -> None:
    parsed = parse(LIST[:-cut], cut=True)
    assert parsed.items[0] == ITEM
    assert len(parsed.items) + len(parsed.broken) == 2


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
    parsed = parse(json.dumps({"tasks": [item, GOOD]}))
    assert parsed.items == [ITEM]
    assert len(parsed.broken) == 1
    assert parsed.broken[0].startswith(reason)


def test_blocks_that_break_off() -> None:
    block = "Instruction: Explain gout.\nInput: noinput\nOutput: Urate crystals."
    assert len(parse(f"{block}\n\n{block}").items) == 2
    cut = parse(f"{block}\n\n{block}", cut=True)
    assert (len(cut.items), cut.broken) == (1, ["the list breaks off"])


def test_something_broken_in_the_middle_costs_only_itself() -> None:
    text = f'[{json.dumps(GOOD)}, {{"instruction": nothing}}, {json.dumps(GOOD)}]'
    parsed = parse(text)
    assert parsed.items == [ITEM, ITEM]
    assert len(parsed.broken) == 1


def test_a_brace_in_blocks_costs_nothing() -> None:
    block = "Instruction: Explain gout.\nInput: noinput\nOutput: Urate crystals."
    other = "Instruction: What does {x | x > 0} mean?\nInput: noinput\nOutput: The set {x} of the positive numbers."
    parsed = parse(f"{block}\n\n{other}")
    assert parsed.items == [ITEM, Item("What does {x | x > 0} mean?", "", "The set {x} of the positive numbers.")]
    assert parsed.broken == []
    assert parse(f"I use braces {{like these}}.\n\n{block}").items == [ITEM]
