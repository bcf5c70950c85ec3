"""Each built-in task on rows with its data set's own file names, columns and quirks."""

from collections import Counter
from pathlib import Path

import pytest
import yaml

from common.errors import UserError
from converters.convert import convert
from converters.registry import ORDER, load_task, task_names
from converters.task import Skip
from tests.checkout import ROOT

ROWS = ROOT / "tests/converters/raw_rows"


def made(task, read_rows, **given):
    """Convert a task's hand-written rows and return (card, kept rows by instruction)."""
    card = convert(load_task(task), str(ROWS / task), given=given)
    kept = [row for split in ("train", "val", "test") for row in read_rows(f"data/{task}/{split}.jsonl")]
    assert card["rows"] == len(kept) + card["files"]["rejected"]["rows"]
    return card, {row["instruction"]: row for row in kept}


def dropped(card):
    return {step["step"]: step["dropped"] for step in card["steps"] if step["dropped"]}


def test_all_six_are_there_in_order():
    assert task_names()[:6] == list(ORDER)
    for name in ORDER:
        task = load_task(name)
        assert (task.name, task.language) == (name, name[-2:])
        assert all((task.hub, task.page, task.licence, task.system, task.title, task.rows))


def test_law_en_drops_agreement_and_talk_about_technique(read_rows):
    card, kept = made("law_en", read_rows)
    assert dropped(card) == {"boilerplate": 2, "length": 1, "duplicate": 1}
    assert "Can hearsay be admitted as evidence?" in kept
    card, kept = made("law_en", read_rows, boilerplate=False, legal_words=True)
    assert "I think the weather will hold for the picnic on Sunday." not in kept
    assert dropped(card)["domain"] == 2
    assert not any(reason["step"] == "boilerplate" for reason in read_rows("data/law_en/rejected.jsonl"))


def test_law_en_is_read_from_json_lines_too(tmp_path, read_rows):
    import orjson

    rows = orjson.loads((ROWS / "law_en/alpacmygavel.json").read_bytes())
    (tmp_path / "lines").mkdir()
    (tmp_path / "lines/alpacmygavel.json").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    lines = convert(load_task("law_en"), "lines")
    array = convert(load_task("law_en"), str(ROWS / "law_en"))
    assert lines["files"]["train"] == array["files"]["train"]


def test_medical_en_keeps_one_kind_on_request(read_rows):
    _, kept = made("medical_en", read_rows, qtype="inheritance")
    assert sorted(kept) == ["Is Copper Storage Disease inherited?", "Is Glass Bone Disease inherited?"]


def test_medical_en_keeps_the_same_answer_to_another_question(read_rows):
    card, kept = made("medical_en", read_rows)
    assert kept["Is Copper Storage Disease inherited?"]["output"] == kept["Is Glass Bone Disease inherited?"]["output"]
    assert kept["What are the symptoms of Marsh Fever?"]["output"].splitlines()[1:4] == [
        "- Fever that returns every second day",
        "- Chills",
        "- Headache",
    ]
    assert dropped(card)["duplicate"] == 1


def test_medical_en_keeps_all_answers_to_one_question_in_one_split(read_rows):
    convert(load_task("medical_en"), str(ROWS / "medical_en"))
    where = [
        split
        for split in ("train", "val", "test")
        for row in read_rows(f"data/medical_en/{split}.jsonl")
        if row["instruction"] == "What is High Blood Sugar?"
    ]
    assert len(where) == 2
    assert len(set(where)) == 1
    card = convert(load_task("medical_en"), str(ROWS / "medical_en"), given={"answers": 1})
    assert dropped(card)["answers"] == 1


def test_finance_en_drops_what_is_not_about_money(read_rows):
    card, kept = made("finance_en", read_rows)
    assert dropped(card) == {"domain": 3, "empty": 1}
    assert "What is the difference between a stock and a bond?" in kept
    assert not any("http" in row["output"] for row in kept.values())
    assert kept["What is dollar cost averaging?"]["input"] == ""
    card, kept = made("finance_en", read_rows, domain_filter=False)
    assert dropped(card) == {"empty": 1}
    assert kept["Classify the animal."]["input"] == "a whale"


def test_law_zh_has_the_statutes_in_the_prompt_exactly_once(read_rows):
    _, kept = made("law_zh", read_rows)
    triplet = next(prompt for prompt in kept if "赵某" in prompt)
    assert triplet.startswith("《刑法》第二百六十四条：【盗窃罪】")
    assert triplet.endswith("价值四千元。")
    questions = [prompt for prompt in kept if "<问题>" in prompt]
    assert len(questions) == 2
    assert all(prompt.count("第三十九条") <= 1 and prompt.count("第五百六十三条") <= 1 for prompt in questions)
    assert "<eoa>" in next(prompt for prompt in kept if "无效的民事法律行为" in prompt)


def test_law_zh_takes_statutes_for_the_same_however_they_are_spaced():
    row = {
        "reference": ["《劳动法》 第三条：劳动者\n享有权利。"],
        "input": "《劳动法》第三条：劳动者享有权利。\n<问题>：\n有何权利？",
    }
    task = load_task("law_zh")
    record = task.convert({**row, "output": "享有权利。"}, "", task.options)
    assert record.prompt == row["input"]
    assert record.asked == "有何权利？"


def test_law_zh_keeps_rows_whose_ids_collide(read_rows):
    _, kept = made("law_zh", read_rows)
    assert any(prompt.startswith("借条没有写") for prompt in kept)
    assert any("供货方一直不发货" in prompt for prompt in kept)


def test_law_zh_keeps_one_question_in_one_split_with_statutes_or_without(read_rows):
    convert(load_task("law_zh"), str(ROWS / "law_zh"))
    where = {
        split
        for split in ("train", "val", "test")
        for row in read_rows(f"data/law_zh/{split}.jsonl")
        if "试用期内公司可以随便辞退员工吗" in row["instruction"]
    }
    assert len(where) == 1


def test_law_zh_without_statutes_or_exams(read_rows):
    card, kept = made("law_zh", read_rows, statutes=False, exams=False)
    assert not any(prompt.startswith("《刑法》") for prompt in kept)
    assert dropped(card)["domain"] == 1


@pytest.mark.parametrize(
    ("given", "count"),
    [({}, 7), ({"score": 4}, 5), ({"department": "儿科，妇产科"}, 2), ({"department": "儿科、妇产科"}, 2)],
)
def test_medical_zh_by_score_and_department(read_rows, given, count):
    card, kept = made("medical_zh", read_rows, **given)
    assert len(kept) == count
    if not given:
        assert dropped(card) == {"language": 1, "duplicate": 1}


def test_finance_zh_keeps_its_own_test_split(read_rows):
    card, _ = made("finance_zh", read_rows)
    tested = read_rows("data/finance_zh/test.jsonl")
    assert [row["input"].splitlines()[0] for row in tested] == [
        "商业银行最主要的资金来源是____。",
        "一国货币贬值通常有利于该国的____。",
        "企业所得税的基本税率为____。",
    ]
    assert dropped(card) == {"duplicate": 1}
    trained = [row for split in ("train", "val") for row in read_rows(f"data/finance_zh/{split}.jsonl")]
    assert not any(row["input"].startswith("商业银行最主要") for row in trained)
    assert all(not row["input"].endswith("\n") and "D. " in row["input"] for row in tested + trained)


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(UserError) as caught:
        load_task("medcal_en")
    assert "did you mean medical_en?" in caught.value.hint


def test_the_registry_is_light():
    import subprocess
    import sys

    heavy = ("numpy", "pandas", "pyarrow", "datasets", "torch", "yaml", "pydantic")
    code = "import sys, converters.registry as r; r.load_task('law_zh'); print(*sys.modules)"
    here = ROOT
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=here)
    assert not set(heavy) & set(done.stdout.split())


@pytest.mark.parametrize(
    ("asked", "told", "kept"),
    [
        ("How should I react when an officer knocks?", "Ask for the warrant, and read it before you open.", True),
        ("Is this binding?", "I agree that it is not. A promise without consideration binds nobody.", True),
        ("Can he appeal?", "Yes. I concur with the lower court: the deadline of thirty days has passed.", True),
        ("What is a plea bargain?", "Thank you for asking. The accused pleads guilty to a lesser charge.", True),
        ("Was the chain of thought shown?", "The judge spoke of a chain of custody.", True),
        ("Is it lawful?", "I agree. Section 8 forbids it.", True),
        ("Shall we begin?", "I agree.", False),
        ("Shall we look at precedents?", "Great idea. I agree that we should look at case law and precedents.", False),
        ("What next?", "That sounds good. Let's proceed with the evidence we have.", False),
        ("What next?", "The ReAct technique will help us.", False),
        ("What next?", "Chain-of-thought prompting lets us explore the statute.", False),
    ],
)  # fmt: skip
def test_law_en_keeps_what_says_something(asked, told, kept):
    task = load_task("law_en")
    row = {"instruction": asked, "input": "", "output": told}
    if kept:
        assert task.convert(row, "", task.options).output == told
    else:
        with pytest.raises(Skip):
            task.convert(row, "", task.options)


def test_law_zh_reads_statutes_that_were_written_as_text():
    task = load_task("law_zh")
    row = {
        "reference": "['《劳动法》第三条：略。', '《民法典》第一条：略。']",
        "input": "有何权利？",
        "output": "享有权利。",
    }
    assert task.convert(row, "", task.options).prompt == "《劳动法》第三条：略。\n《民法典》第一条：略。\n\n有何权利？"


@pytest.mark.parametrize(
    ("asked", "told", "kept"),
    [
        ("What is a straddle?", "You buy a call and a put at the same strike, and hope that it moves far.", True),
        ("Is forward P/E a good measure?", "It depends on how reliable the earnings estimates are.", True),
        ("401(k) not fully vested", "You keep what you put in, and lose what your employer put in.", True),
        ("What is the interest rate on a car loan?", "It depends on your credit, and lies between 4 and 10 %.", True),
        ("What type of bond holds oxygen and hydrogen together?", "A covalent bond holds the atoms together.", False),
        ("Describe the bank of a river.", "A river bank is the land beside the water.", False),
        ("Name the parts of a stock photo.", "The foreground and the background.", False),
        ("Write a poem about an old savings bank.", "The old bank stood upon the hill.", False),
    ],
)  # fmt: skip
def test_finance_en_tells_money_from_words_that_mean_something_else(asked, told, kept):
    from converters.tasks.finance_en import is_finance

    assert is_finance(asked, told) is kept


def test_finance_en_tells_rows_that_it_was_not_learned_from():
    """Harder than the data set's: short, with words of money in other senses. docs/data.md has the figures of both."""
    from converters.tasks.finance_en import is_finance

    rows = yaml.safe_load(Path(__file__).with_name("finance_rows.yaml").read_text())
    kept = Counter(kind for kind, asked, told in rows if is_finance(asked, told))
    assert Counter(kind for kind, *_ in rows) == {"forum": 20, "money": 15, "other": 43}
    assert kept["forum"] >= 15
    assert kept["money"] >= 8
    assert kept["other"] <= 6


def test_finance_en_reads_empty_inputs_and_drops_answers_that_lost_their_list():
    task = load_task("finance_en")
    row = {"instruction": "How do I save for retirement?", "input": "<noinput>", "output": "Put money into a pension."}
    assert task.convert(row, "", task.options).input == ""
    with pytest.raises(Skip, match="its list is lost"):
        task.convert({**row, "output": "There are several pensions that save you money:"}, "", task.options)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("烟草专卖许可证要变更吗烟草专卖许可证要变更吗？", "烟草专卖许可证要变更吗？"),
        ("还不上款了我该如何主张我的权利还不上款了我该如何主张我的权利？", "还不上款了我该如何主张我的权利？"),
        ("我有赡养的义务么问我有赡养的义务么？", "我有赡养的义务么？"),
        ("这个可以吗，这个可以吗？", "这个可以吗，这个可以吗？"),
        ("由交警认定责任律师解答摩托车应当停车。", "由交警认定责任\n摩托车应当停车。"),
        ("可以请律师解答一下吗？", "可以请律师解答一下吗？"),
    ],
)
def test_law_zh_says_a_question_once_and_takes_lawyers_apart(said, wanted):
    task = load_task("law_zh")
    record = task.convert({"input": said, "output": "可以。"}, task.files[1].path, task.options)
    assert record.instruction == wanted


def test_finance_zh_drops_a_question_whose_options_became_dates():
    row = {
        "instruction": "选择",
        "input": "自____起施行。\nA. 44774\nB. 44672\nC. 44783\nD. 44905\n",
        "output": "A. 44774",
    }
    with pytest.raises(Skip, match="dates"):
        load_task("finance_zh").convert(row, "", {})
    sums = {**row, "input": "应计____元。\nA. 44774\nB. 52000\nC. 61000\nD. 70000\n"}
    assert load_task("finance_zh").convert(sums, "", {}).output == "A. 44774"


def test_finance_en_drops_what_asks_for_a_program():
    task = load_task("finance_en")
    row = {"instruction": "Design an algorithm to find the maximum profit of a stock buy and sell.", "input": "",
           "output": "Track the lowest price of the stock so far and the largest profit at each price."}  # fmt: skip
    with pytest.raises(Skip, match="asks for a program"):
        task.convert(row, "", task.options)
    asked = {**row, "instruction": "How do I find the maximum profit when I buy and sell a stock in one tax year?"}
    assert task.convert(asked, "", task.options).output == row["output"]
