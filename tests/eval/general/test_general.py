"""The general prompts: each has an answer that passes, and none is passed by an answer to something else."""

from pathlib import Path

import pytest
import yaml

from eval.general.checks import CHECKS, COUNTS, passes
from eval.general.score import LANGUAGES, checked, compare, prompts, questions
from eval.records.answers import Answer

RIGHT = {
    f"general-{language}-{number:02d}": answer
    for language in LANGUAGES
    for number, answer in enumerate(yaml.safe_load((Path(__file__).parent / f"right.{language}.yaml").read_text()), 1)
}
REFUSAL = {
    "en": "I'm sorry, but as an AI model I can't help with that.",
    "zh": "抱歉，作为人工智能模型，我无法回答这个问题，",
}


def test_sixty_prompts_in_each_language_with_known_checks() -> None:
    found = prompts()
    assert [sum(f"-{language}-" in id_ for id_ in found) for language in LANGUAGES] == [60, 60]
    assert len({question.text for question in questions()}) == 120
    used = {name for row in found.values() for name in row} - {"ask"}
    assert used == {*CHECKS, *COUNTS}


@pytest.mark.parametrize("id_", RIGHT)
def test_each_prompt_is_passed_by_a_right_answer_and_by_nothing_else(id_: str) -> None:
    assert all(checked(id_, RIGHT[id_]).values()), checked(id_, RIGHT[id_])
    ids = list(RIGHT)
    other = RIGHT[ids[(ids.index(id_) + 7) % len(ids)]]
    for wrong in ("", "  \n", REFUSAL[id_[8:10]] * 6, other, "move move move " * 30, prompts()[id_]["ask"]):
        assert not all(checked(id_, wrong).values()), wrong


MISREAD = {  # what a small model really wrote and a program once let pass
    "general-en-35": "1. Australia\n2. Canada\n3. United States\n4. United Kingdom",
    "general-en-42": "```python\ndef add(a, b):\n    return a + b\n```\n\nThis is the most efficient way to do it.",
    "general-zh-18": "The sky is painted with hues of pink. The weather is quite different from the one I'm used to.",
    "general-zh-05": f"在这里我们可以生成一系列的文本。\n```python\n{'import datetime as d  # 实现' * 12}\n```",
}


@pytest.mark.parametrize("id_", MISREAD)
def test_what_was_once_let_pass_is_not(id_: str) -> None:
    assert not all(checked(id_, MISREAD[id_]).values())


RIGHT_AND_WRONG = {  # check: what is wanted, answers that pass, answers that do not
    "words": ([2, 3], ["two words", "它是", "it's"], ["one", "one two three four"]),
    "characters": ([2, None], ["天气 fine", "天气很好"], ["天", "weather"]),
    "sentences": (2, ["It rains. We stay.", 'He said "stop." Then he left!'], ["It rains", "一。二。三。"]),
    "lines": (2, ["a\n\nb", "a\nb\n"], ["a", "a\nb\nc"]),
    "bullets": (2, ["- a\n- b", "• a\n* b"], ["-a\n-b", "1. a\n2. b", "- a"]),
    "numbered": (2, ["1. a\n2. b", "Here:\n1、甲\n2、乙"], ["1. a\n3. b", "- a\n- b", "1. a"]),
    "paragraphs": (2, ["a\n\nb", "a\nb\n  \nc"], ["a\nb", "a\n\nb\n\nc"]),
    "parts": ({"mark": "***", "count": 2}, ["a *** b"], ["a", "***a", "a***b***c"]),
    "json_keys": (["a", "b"], ['{"b": 1, "a": 2}', '```json\n{"a": 1, "b": 2}\n```'], ['{"a": 1}', "[1]", "None"]),
    "json_list": (2, ["[1, 2]"], ["[1]", "{}", "1, 2"]),
    "table": ([1, 2], ["| a | b |\n|---|---|\n| 1 | 2 |"], ["| a | b |\n| 1 | 2 |", "| a |\n|---|\n| 1 |", "a, b"]),
    "includes": (["Bee", "河"], ["a bee, 小河边"], ["beer 河", "bee"]),
    "excludes": (["cold"], ["colder days"], ["It is Cold."]),
    "times": ({"sea": 2}, ["Sea and sea, seaside"], ["sea", "sea sea sea"]),
    "without": ("e,", ["a dog"], ["Eat", "a, b"]),
    "starts": ("On", ["On top"], ["on top"]),
    "ends": ("you!", ["See you!"], ["See you"]),
    "case": ("upper", ["ALL RIGHT, 2"], ["All", "22"]),
    "one_of": (["Yes"], ["yes", "**Yes.**", "“Yes”"], ["Yes, it is", "no"]),
    "matches": ("<<.+>>", ["<<a>>"], ["<<a>> b"]),
    "sorted": (True, ["Ann\nbob"], ["b\na", "a"]),
    "acrostic": ("AB", ["a one\nB two"], ["a\nc", "a"]),
    "each_line": ("雨.*", ["雨一\n雨二"], ["雨一\n风"]),
    "code": (
        "python",
        ["```python\nx\n```"],
        ["```\nx\n```", "x", "```python\nx\n```\n```python\ny\n```", "```python\nx\n```\nIt adds."],
    ),
    "script": ("zh", ["用Python写加法。", "雪"], ["Snow is soft.", "def f(a): return a  # 加"]),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT_AND_WRONG)
def test_each_check_passes_what_is_right_and_fails_what_is_wrong(name: str) -> None:
    wanted, right, wrong = RIGHT_AND_WRONG[name]
    assert [passes(text, {name: wanted})[name] for text in right] == [True] * len(right)
    assert [passes(text, {name: wanted})[name] for text in (*wrong, " ")] == [False] * (len(wrong) + 1)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("en", "The weather is nice and we are at home."), ("fr", "Il fait beau et nous sommes dans le jardin."),
        ("es", "El tiempo es bueno y estamos en el jardín."), ("de", "Das Wetter ist schön und wir sind im Garten."),
        ("zh", "今天天气很好，我们在花园里喝coffee。"),
    ],
)  # fmt: skip
def test_a_language_is_told_from_the_others(wanted: str, text: str) -> None:
    assert [name for name in ("en", "fr", "es", "de", "zh") if CHECKS["language"](text, name)] == [wanted]


def test_every_check_is_tried() -> None:
    assert set(RIGHT_AND_WRONG) | {"language"} == {*CHECKS, *COUNTS}


def given(answers: dict[str, str], **more: str) -> dict[str, Answer]:
    return {id_: Answer(id_, "x", prompts()[id_]["ask"], text, **more) for id_, text in answers.items()}


def test_a_tuned_model_that_answers_a_third_less_has_surely_lost() -> None:
    forgot = {id_: "" if number % 3 == 0 else text for number, (id_, text) in enumerate(RIGHT.items())}
    found = compare(given(RIGHT), given(forgot))
    assert found["scores"]["all"]["base"] == 1
    assert found["scores"]["all"]["tuned"] == pytest.approx(2 / 3)
    assert found["scores"]["en"]["prompts"] == found["scores"]["zh"]["prompts"] == 60
    assert found["scores"]["all"]["difference"]["mean"] == pytest.approx(-1 / 3)
    assert found["scores"]["all"]["difference"]["high"] < -0.2
    assert len(found["lost"]) == 40
    assert not found["gained"]
    assert found["checks"]["json_keys"]["base"] == found["checks"]["json_keys"]["prompts"] == 4


def test_failed_calls_are_left_out_on_both_sides_and_no_change_has_an_interval() -> None:
    some = dict(list(RIGHT.items())[:50])
    found = compare(given(some) | given({"general-zh-01": ""}, error="refused"), given(RIGHT))
    assert found["left_out"] == 70
    assert found["scores"]["zh"]["prompts"] == 0
    low, high = (found["scores"]["en"]["difference"][side] for side in ("low", "high"))
    assert low < -0.01 < 0.01 < high
