"""`python -m converters new`: what it proposes for rows of the usual shapes, what it asks, what it refuses."""

import json
from pathlib import Path

import pytest

from common.errors import UserError
from converters.new_task import Looked, new
from converters.registry import load_task

NOTHING = dict.fromkeys(("instruction", "input", "output", "language", "domain", "system"), "")


SOUPS = [{"dish": f"soup number {i}", "cuisine": "French" if i % 2 else "Thai"} for i in range(30)]


def rows_file(name="soups.jsonl", rows=SOUPS):
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return name


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([{"question": "病人怎么办呢，需要马上去医院吗？", "answer": "建议尽快去医院就诊检查，不要拖延。", "id": 1}] * 5, {"instruction": "question", "output": "answer"}),  # noqa: E501
        ([{"prompt": "Say a word to me.", "context": "words", "response": "A word for you."}] * 5, {"instruction": "prompt", "input": "context", "output": "response"}),  # noqa: E501
        ([{"kurz": "Was ist Gicht?", "lang": "Gicht ist eine Krankheit der Gelenke, die sehr weh tut."}] * 5, {"instruction": "kurz", "output": "lang"}),  # noqa: E501
    ],
)  # fmt: skip
def test_new_proposes_by_name_and_by_length(rows, wanted, capsys):
    path = new("mine", rows_file("mine.jsonl", rows), NOTHING, ask=False)
    import yaml

    about = yaml.safe_load(path.read_text())
    assert about["columns"] == wanted
    assert about["language"] == (
        "zh" if "answer" in wanted.values() and "question" in wanted.values() else about["language"]
    )
    assert "row 3" in capsys.readouterr().out
    assert load_task("mine").source == "mine.jsonl"


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"id": "q_1", "input": "What is gout?", "output": "A disease."}, {"instruction": "input", "output": "output"}),
        (
            {
                "title": "Gout",
                "context": "Gout hurts.",
                "question": "Does it?",
                "answers": {"text": ["yes"], "at": [1]},
            },
            {"instruction": "question", "input": "context", "output": "answers.text.0"},
        ),
        (
            {"description": "On gout", "Patient": "My toe hurts.", "Doctor": "It may be gout."},
            {"instruction": "Patient", "output": "Doctor"},
        ),
        ({"text": "only one text", "label": "good", "id": "x"}, {"output": "text"}),
    ],
)
def test_rows_of_the_usual_shapes_are_understood(row, wanted):
    assert Looked([row] * 5).propose()["columns"] == wanted


def test_new_asks_again_for_a_column_that_is_not_there(monkeypatch, capsys):
    source = rows_file(
        "mine.jsonl", [{"question": "What is it?", "context": "Words.", "answer": "A word for you."}] * 5
    )
    typed = iter(["qestion", "question", "-", "", "", "cooking", "", "y"])
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: next(typed))
    new("mine", source, NOTHING, ask=True)
    assert load_task("mine").columns == ("question", "answer")
    assert load_task("mine").domain == "cooking"
    assert "no column qestion for the instruction; there are: question, context, answer" in capsys.readouterr().err


def test_new_refuses_a_mapping_that_leaves_no_row():
    with pytest.raises(UserError, match=r"none of these rows can be used like that: no answer \(5 rows\)"):
        new("mine", rows_file("mine.jsonl", [{"question": "What is it?", "answer": ""}] * 5),
            {**NOTHING, "output": "answer"}, ask=False)  # fmt: skip
    assert not Path("tasks/mine.yaml").exists()


def test_new_needs_two_texts_and_a_free_name():
    with pytest.raises(UserError, match="cannot tell which column asks"):
        new("mine", rows_file("mine.jsonl", [{"n": 1, "text": "only one"}]), NOTHING, ask=False)
    with pytest.raises(UserError, match="there is a task law_en already"):
        new("law_en", rows_file(), NOTHING, ask=False)
    with pytest.raises(UserError, match="not a good name"):
        new("My Task", rows_file(), NOTHING, ask=False)


def test_what_the_user_names_goes_before_the_proposal():
    path = new(
        "soups", rows_file(), {**NOTHING, "instruction": "cuisine", "output": "dish", "domain": "cooking"}, ask=False
    )
    assert load_task("soups").domain == "cooking"
    assert '"instruction"' not in path.read_text()
    assert "instruction: cuisine" in path.read_text()
