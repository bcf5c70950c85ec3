"""Where judged questions come from, and that rows which hold one leave the training rows."""

import json
from pathlib import Path

import pytest

from converters.convert import convert
from converters.corpus.judged_questions import judged_questions
from converters.registry import load_task
from converters.settings import build_settings
from tests.converters.prose import prose


def test_judged_questions_leave_train(read_rows, questions):
    judged = {
        "id": "m-1",
        "category": "x",
        "question": "小孩晚上磨牙是缺钙还是有蛔虫引起的？",
        "reference": "磨牙原因很多，多与精神紧张和咬合有关，不一定是寄生虫。",
    }
    (questions / "medical_zh.jsonl").write_text(json.dumps(judged, ensure_ascii=False) + "\n")
    rows = [
        {
            "question": f"{prose(i, 3)}的副作用有哪些，和饭一起吃可以吗？{i}",
            "answer": f"请按说明书服用，{prose(i, 4)}饭后半小时。" * 3,
        }
        for i in range(60)
    ]
    rows += [
        {
            "question": "医生您好，小孩晚上磨牙，是缺钙还是有蛔虫引起的？谢谢",
            "answer": "建议做口腔检查，并观察情绪变化。",
        },
        {"question": "大人磨牙怎么回事", "answer": "一般来说，磨牙原因很多，多与精神紧张和咬合有关，不一定是寄生虫。"},
    ]
    Path("format_data.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    card = convert(load_task("medical_zh"), "format_data.jsonl", given={"language": False})
    reasons = [row["reason"] for row in read_rows("data/medical_zh/rejected.jsonl") if row["step"] == "contaminated"]
    assert any("judged question m-1" in reason for reason in reasons)
    assert any("the reference answer to m-1" in reason for reason in reasons)
    card = convert(load_task("medical_zh"), "format_data.jsonl", given={"decontaminate": False, "language": False})
    assert not any(step["dropped"] for step in card["steps"] if step["step"] == "contaminated")
    judged["question"] = "完全不同的另一个问题，与前面没有任何关系。"
    before = card["identity"]
    (questions / "medical_zh.jsonl").write_text(json.dumps(judged, ensure_ascii=False) + "\n")
    assert convert(load_task("medical_zh"), "format_data.jsonl", given={"language": False})["identity"] != before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mine.csv", "问题,答案\n小孩晚上磨牙是缺钙还是有蛔虫引起的？,原因很多\n"),
        ("mine.jsonl", '{"prompt": "小孩晚上磨牙是缺钙还是有蛔虫引起的？"}\n'),
    ],
)
def test_judged_questions_of_the_user_may_come_in_any_form(name, content):
    Path(name).write_text(content)
    task = load_task("medical_zh")
    settings, _ = build_settings(task, {"questions": name})
    assert judged_questions(task, settings)[0] == ("judged question 1", "小孩晚上磨牙是缺钙还是有蛔虫引起的？")
