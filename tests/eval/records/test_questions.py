"""Questions: those that come with Whetstone, and what users bring."""

import json
import re
from pathlib import Path

import pytest

from common.errors import UserError
from eval.records.questions import bundled, language_of, load_questions, test_split

TASKS = ["law_en", "medical_en", "finance_en", "law_zh", "medical_zh", "finance_zh"]
# pytest would take the function for a test.
rows_of_test_split = test_split
del test_split


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_20_questions_with_references_over_the_domain(task: str) -> None:
    questions = load_questions(bundled(task))
    assert len(questions) == 20
    assert len({question.text for question in questions}) == 20
    assert all(question.reference and question.category and question.use == "judge" for question in questions)
    assert len({question.category for question in questions}) >= 5
    assert language_of([q.text for q in questions]) == task[-2:]
    assert language_of([q.reference for q in questions]) == task[-2:]


def test_finance_zh_has_multiple_choice_too() -> None:
    questions = load_questions(bundled("finance_zh", choice=True))
    assert len(questions) >= 10
    assert all(q.letter in q.choices and q.use == "choice" for q in questions)
    assert len({question.letter for question in questions}) > 1


def test_a_mixed_task_has_the_questions_of_its_base() -> None:
    assert bundled("law_zh+self_instruct") == bundled("law_zh")
    with pytest.raises(UserError, match="unknown task with questions: 'law_fr'"):
        bundled("law_fr")


GOOD = {
    "own.jsonl": '{"question": "Q1", "reference": "R1"}\n\n{"id": "b", "prompt": "Q2"}\n',
    "alpaca.json": '[{"instruction": "Q1", "input": "", "output": "R1"}, {"instruction": "Q2"}]',
    "strings.json": '["Q1", "Q2"]',
    "table.csv": "question,reference\nQ1,R1\nQ2,\n",
    "chinese.csv": "\ufeff问题,参考答案\nQ1,R1\nQ2,\n",
    "quoted.csv": 'question\n"Q1"\n"Q2"\n',
    "semicolons.csv": "question;reference\nQ1;R1\nQ2;\n",
    "tabs.TSV": "question\treference\nQ1\tR1\nQ2\t\n",
    "plain.txt": "Q1\n\nQ2\n",
    "capitals.csv": "Question, Answer ,\nQ1,R1,\nQ2,,\n",
    "mt_bench.jsonl": '{"question_id": 1, "turns": ["Q1", "Shorter."]}\n{"question_id": 2, "turns": ["Q2", "Why?"]}\n',
}


@pytest.mark.parametrize(("name", "text"), GOOD.items(), ids=GOOD)
def test_reads_what_users_have(workplace: Path, name: str, text: str) -> None:
    Path(name).write_text(text, encoding="utf-8")
    questions = load_questions(Path(name))
    assert [question.text for question in questions] == ["Q1", "Q2"]
    assert len({question.id for question in questions}) == 2
    if "R1" in text:
        assert questions[0].reference == "R1"


BAD = {
    "nothing there": ("empty.jsonl", "", "empty.jsonl is empty"),
    "broken lines, all shown": ("x.jsonl", '{"question": "Q"}\n{oops\n[1]\n', "row 2: broken JSON.*row 3: not an"),
    "no question column": ("x.csv", "a,b\n1,2\n", "row 1: no question; its columns are a, b"),
    "an id twice": ("x.jsonl", '{"id": "a", "question": "1"}\n{"id": "a", "question": "2"}\n', "'a' is there twice"),
    "a question twice": ("x.csv", "question\nQ\nP\nQ \n", "row 3: the same question as row 1"),
    "a comma without quotes": ("x.csv", "question,reference\nWhat, then?,R\n", "row 1: 3 cells where the header has 2"),
    "choices in one cell": ("x.csv", "question,choices,answer\nQ,A. x B. y,A\n", "row 1: choices must be"),
    "not JSON": ("x.jsonl", "{", "row 1: broken JSON"),
    "a letter that is no choice": (
        "x.jsonl", '{"question": "Q", "choices": {"A": "x"}, "answer": "B"}', "answer 'B' is none of the choices A",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text", "said"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_told(workplace: Path, name: str, text: str, said: str) -> None:
    Path(name).write_text(text)
    with pytest.raises(UserError, match=f"(?s){said}"):
        load_questions(Path(name))


def test_a_table_can_hold_multiple_choice(workplace: Path) -> None:
    Path("exam.csv").write_text(",Question,A,B,C,Answer\n0,Which?,x,y,,B\n1,Why?,,,,because\n")
    choice, plain = load_questions(Path("exam.csv"))
    assert (choice.use, choice.choices, choice.letter) == ("choice", {"A": "x", "B": "y"}, "B")
    assert (plain.use, plain.choices, plain.reference) == ("judge", {}, "because")


def test_line_separators_inside_a_question_stay_there(workplace: Path) -> None:
    text = "one\u2028two\x85three"
    Path("x.jsonl").write_text(json.dumps({"question": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert load_questions(Path("x.jsonl"))[0].text == text


def test_a_table_in_gbk_is_read(workplace: Path) -> None:
    rows = "问题,答案\n" + "".join(f"第{n}种股票分红怎么缴税？,按持有期限计算。\n" for n in range(9))
    Path("gb.csv").write_bytes(rows.encode("gb18030"))
    questions = load_questions(Path("gb.csv"))
    assert questions[0].text == "第0种股票分红怎么缴税？"
    assert questions[0].reference == "按持有期限计算。"


def test_no_file_at_all(workplace: Path) -> None:
    with pytest.raises(UserError, match="no file of questions"):
        load_questions(Path("nowhere.jsonl"))


def test_rows_of_the_test_split(workplace: Path) -> None:
    with pytest.raises(UserError, match=r"there is no data/law_en/test\.jsonl"):
        rows_of_test_split("law_en", 3)
    Path("data/law_en").mkdir(parents=True)
    Path("data/law_en/test.jsonl").write_text(
        '{"instruction": "Q", "input": "I", "output": "A"}\n{"instruction": "Q2", "input": "", "output": "A2"}\n'
    )
    first, second = rows_of_test_split("law_en", 3)
    assert (first.text, first.reference, first.use) == ("Q\nI", "A", "test")
    assert second.text == "Q2"


@pytest.mark.parametrize("task", TASKS)
def test_each_bundled_question_has_a_checklist_out_of_its_reference(task: str) -> None:
    for question in load_questions(bundled(task)):
        points = question.checklist
        assert 3 <= len(set(points)) == len(points) <= 6
        assert all((" " in point) == task.endswith("_en") for point in points), question.id
        known = set(re.findall(r"\d+(?:[.,]\d+)*", question.text + question.reference))
        assert set(re.findall(r"\d+(?:[.,]\d+)*", " ".join(points))) <= known, question.id


def test_a_checklist_of_ones_own_is_a_list_or_one_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [
        {"question": "a?", "checklist": ["one", " two "]},
        {"question": "b?", "checklist": "one; two；三"},
        {"question": "c?"},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [q.checklist for q in load_questions(path)] == [("one", "two"), ("one", "two", "三"), ()]
    path.write_text(
        json.dumps({"question": "a?", "checklist": 3}) + "\n" + json.dumps({"question": "b?", "checklist": [1]})
    )
    with pytest.raises(UserError, match=r"row 1: checklist must be(.|\n)*row 2: checklist must be"):
        load_questions(path)
