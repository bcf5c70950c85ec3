"""What stands around an answer is cut off, and what only looks like it is left."""

import pytest

from converters.generate.answers import repetition, script, unframed


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Rest and drink.", "Rest and drink."),
        ("Here is a better answer to the question:\n\nRest and drink.", "Rest and drink."),
        ("Sure! Here's the rewritten answer: Rest and drink.", "Rest and drink."),
        ("**Better answer:** Rest and drink.", "Rest and drink."),
        ("改写后的回答：多休息。", "多休息。"),
        ("好的，以下是改进后的答案：\n多休息。", "多休息。"),
        ("```\nRest and drink.\n```", "Rest and drink."),
        ("Here is what to do: rest.", "Here is what to do: rest."),
        ("```\ncode\n```\nThen rest.", "```\ncode\n```\nThen rest."),
        ("以下是三个步骤：\n多休息。", "以下是三个步骤：\n多休息。"),
        ("当然可以，您有权要求赔偿。", "当然可以，您有权要求赔偿。"),
        ("If you still have questions, ask the court's clerk.", "If you still have questions, ask the court's clerk."),
    ],
)
def test_what_models_put_around_an_answer_is_not_trained_on(text: str, answer: str) -> None:
    assert unframed(text) == answer


def test_lists_and_tables_do_not_repeat_themselves() -> None:
    assert repetition("1. Rest.\n2. Drink.\n3. Sleep.\n4. Rest again.") == ""
    assert repetition("| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |") == ""
    assert repetition("1,000,000,000,000") == ""
    assert repetition("Rest. Drink. Rest. Drink.") == "rest"


@pytest.mark.parametrize(
    ("text", "found"),
    [("法律规定当事人有权", "simplified"), ("法律規定當事人有權", "traditional"), ("一二三", ""), ("law", "")],
)
def test_scripts(text: str, found: str) -> None:
    assert script(text) == found
