"""The prompts say the field where a task names one, and read well where it does not."""

from typing import Any

import pytest

from converters.generate.prompts import load_prompt

VALUES: dict[str, dict[str, Any]] = {
    "self_instruct": {"count": 20, "words": 100, "structured": True, "examples": ["{}"]},
    "rewrite": {"asked": "Q", "answer": "A"},
    "score": {"asked": "Q", "answer": "A", "structured": False},
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_field_is_said_or_left_out(name: str, language: str) -> None:
    first, *others = (
        load_prompt(
            name,
            language,
            "law",
        )
        .render(**VALUES[name])
        .splitlines()
    )
    assert ("法律领域" if language == "zh" else "the field of law") in first
    text = load_prompt(name, language, "").render(**VALUES[name])
    assert text.splitlines()[1:] == others or name == "self_instruct"
    for unsaid in (
        "field of  ",
        "field of .",
        "field of and",
        "belongs to ,",
        "互不相同的领域",
        "都属于领域",
        "下面是一个领域",
        "这组领域",
    ):
        assert unsaid not in text
