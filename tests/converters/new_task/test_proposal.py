"""`python -m converters new`: what it proposes for rows of the usual shapes, what it asks, what it refuses."""

import json
from pathlib import Path

import pytest

from common.errors import UserError
from converters.custom_task import build_task
from converters.new_task.command import new
from converters.new_task.proposal import Proposal
from converters.registry import load_task
from converters.task import Skip

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
    assert Proposal([row] * 5).about["columns"] == wanted


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


def proposed(rows):
    """Return what is proposed for rows, and the first record that comes of it."""
    about = Proposal(rows).about
    task = build_task("mine", {"source": "x", **about}, "mine.yaml")
    return about, task.convert(rows[0], "", {})


Q, A, BAD = "How long do I cook rice?", "Cook rice for ten minutes.", "Ask somebody else about that."
ASKED = {"role": "user", "content": Q}
TOLD, WORSE = {"role": "assistant", "content": A}, {"role": "assistant", "content": BAD}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": Q, "rejected": BAD, "chosen": A},
        {"prompt": Q, "rejected": [ASKED, WORSE], "chosen": [ASKED, TOLD], "score_chosen": 5.0},
        {"prompt": [ASKED], "rejected": [WORSE], "chosen": [TOLD]},
        {"conversations": [{"from": "human", "value": Q}], "rejected": {"from": "gpt", "value": BAD},
         "chosen": {"from": "gpt", "value": A}},
        {"rejected": f"\n\nHuman: {Q}\n\nAssistant: {BAD}", "chosen": f"\n\nHuman: {Q}\n\nAssistant: {A}"},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": Q}]}, TOLD]},
        {"data": {"messages": [ASKED, TOLD]}, "id": 7},
        {"conversation": [{"human": Q, "assistant": A}], "category": "cooking"},
        {"conversation": [{"system": "", "input": Q, "output": A}]},
        {"text": f"### Human: {Q}### Assistant: {A}".replace("###", "\n###")},
        {"user": "u_17", "question": Q, "answer": A, "answer_id": "a1"},
        {"role": "cook", "id": "q-1", "query": Q, "response": A, "model": "some model"},
        {"Question ID": "3", "QuestionText": Q, "LongAnswer": A, "rejected_answer": BAD},
        {"1. Question": Q, "2. Answer": A, "No.": "1"},
        {"question": Q, "model_output": BAD, "gold": A},
        {"question": Q, "prediction": BAD, "reference": A},
        {"prompt": Q, "lose": BAD, "win": A},
        {"question": Q, "answers": {"text": [A, "Ten minutes."], "answer_start": [1, 2]}},
        {"kind": "x", "这里": "米饭要煮多长时间？", "那里": "煮十分钟就可以了。"},
    ],
)  # fmt: skip
def test_what_asks_and_what_answers(row):
    _, record = proposed([row] * 5)
    assert (record.prompt, record.output) in {(Q, A), ("米饭要煮多长时间？", "煮十分钟就可以了。")}
    assert not record.history


def test_history_and_systems_are_kept():
    _, record = proposed([{"instruction": "And then?", "input": "", "output": A, "history": [[Q, "Wash it."]],
                           "system": "You cook."}] * 5)  # fmt: skip
    assert (record.history, record.system, record.prompt) == ([(Q, "Wash it.")], "You cook.", "And then?")
    _, record = proposed([{"conversations": [ASKED, TOLD], "system": "You cook."}] * 5)
    assert (record.system, record.prompt) == ("You cook.", Q)


@pytest.mark.parametrize(
    ("row", "output"),
    [
        ({"question": "What boils?", "A": "Water", "B": "Stone", "C": "Wood", "D": "Iron", "answer": "A"}, "A"),
        ({"question": "What boils?", "choices": ["Water", "Stone", "Wood", "Iron"], "answer": 0}, "A"),
        ({"question": "What boils?", "opa": "Water", "opb": "Stone", "opc": "Wood", "opd": "Iron", "cop": 0}, "A"),
        ({"question": "What boils?", "choices": {"text": ["Water", "Stone", "Wood", "Iron"],
                                                 "label": ["A", "B", "C", "D"]}, "answerKey": "A"}, "A"),
        ({"question": "What boils?", "options": {"A": "Water", "B": "Stone", "C": "Wood", "D": "Iron"},
          "answer": "Water"}, "Water"),
    ],
)  # fmt: skip
def test_choices_stand_in_the_prompt(row, output):
    _, record = proposed([row] * 5)
    assert record.prompt == "What boils?\nA. Water\nB. Stone\nC. Wood\nD. Iron"
    assert record.output == output


def test_choices_that_have_their_letters_keep_one():
    _, record = proposed([{"题目": "什么水会开？", "选项": ["A. 热水", "B. 石头", "C. 木头"], "答案": "A"}] * 5)
    assert (record.prompt, record.output) == ("什么水会开？\nA. 热水\nB. 石头\nC. 木头", "A")


def test_choices_may_be_objects_inside_the_question():
    choices = [{"label": "A", "text": "ten minutes"}, {"label": "B", "text": "a day"}, {"label": "C", "text": "never"}]
    _, record = proposed([{"question": {"stem": Q, "choices": choices}, "answerKey": "A"}] * 5)
    assert (record.prompt, record.output) == (f"{Q}\nA. ten minutes\nB. a day\nC. never", "A")


@pytest.mark.parametrize(("good", "bad"), [(True, False), ("True", "False"), (1, 0), ("1", "0")])
def test_rows_marked_as_bad_are_not_learnt(good, bad):
    rows = [{"prompt": f"{Q} {i}", "completion": A, "label": bad if i % 2 else good} for i in range(6)]
    about, record = proposed(rows)
    assert record.output == A
    with pytest.raises(Skip, match=f"label is '{bad}'"):
        build_task("mine", {"source": "x", **about}, "mine.yaml").convert(rows[1], "", {})


def test_answers_with_scores_are_not_chosen_by_their_order():
    proposal = Proposal([{"question": Q, "responses": [BAD, A], "scores": [1, 5]}] * 5)
    assert proposal.unclear == {"output": ["responses.0", "responses.1"]}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"question": Q, "human_answer": A, "chatgpt_answer": BAD}, "output: human_answer or chatgpt_answer"),
        ({"left": A, "right": BAD}, "left or right"),
        ({"conversation_a": [ASKED, TOLD], "conversation_b": [ASKED, WORSE]}, "conversation_a or conversation_b"),
        ({"instruction": "Translate.", "source_words": "x", "output": "y"}, "instruction says the same in all rows"),
        ({"conversations": [ASKED, TOLD], "tools": "[{}, {}]"}, "all rows have tools"),
        ({"question": Q, "options": [BAD, A, "Never."], "correct_option": 1}, "whether 0 or 1 is the first"),
        ({"messages": [ASKED, {**WORSE, "weight": 0}, ASKED, TOLD]}, "a message of weight 0"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_not_guessed(row, said):
    rows = [{**row, **({"output": f"y{i}"} if "output" in row else {})} for i in range(5)]
    with pytest.raises(UserError, match=said):
        new("mine", rows_file("mine.jsonl", rows), NOTHING, ask=False)
    assert not Path("tasks/mine.yaml").exists()


def test_tool_calls_and_pictures_are_refused_by_name():
    call = {"from": "function_call", "value": "{}"}
    with pytest.raises(UserError, match=r"a tool call \(function_call\): tool use cannot be trained on"):
        new("mine", rows_file("mine.jsonl", [{"conversations": [ASKED, call, TOLD]}] * 5), NOTHING, ask=False)
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}
    with pytest.raises(UserError, match="a message with a part of type image_url: only text is trained on"):
        new("mine", rows_file("mine.jsonl", [{"messages": [picture, TOLD]}] * 5), NOTHING, ask=False)


def test_what_is_left_unused_and_what_cannot_be_read_is_shown(capsys):
    rows_file("mine.jsonl", [{"question": f"{Q} {i}", "answer": A, "notes": "x", "empty": None} for i in range(99)])
    Path("mine.jsonl").write_text(Path("mine.jsonl").read_text() + '{"question": "a\n')
    new("mine", "mine.jsonl", NOTHING, ask=False)
    said = capsys.readouterr().out
    assert "left unused: notes\n" in said
    assert "1 rows cannot be read and will be rejected:\n  mine.jsonl:100: broken JSON" in said
    Path("mine.jsonl").write_text(Path("mine.jsonl").read_text() + '{"question": "a\n' * 6)
    with pytest.raises(UserError, match=r"7 of 106 rows of mine\.jsonl cannot be read\n  mine\.jsonl:100"):
        new("more", "mine.jsonl", NOTHING, ask=False)


def test_a_path_is_never_asked_of_the_hub():
    Path("soups").mkdir()
    for source in (
        "rows/my_rowz.csv",
        "data/rowz",
        "./a/b",
        "soups/thai",
        r"C:\rows\a.csv",
        "https://example.org/a.csv",
    ):
        with pytest.raises(UserError, match="SOURCE"):
            new("mine", source, NOTHING, ask=False)
