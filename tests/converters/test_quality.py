"""Duplicates, near duplicates, contamination, splits, language and clean-up: each step on texts made for it."""

import json
import random
from pathlib import Path

import numpy
import pytest

from converters.convert import convert
from converters.corpus import duplicates
from converters.corpus.contamination import Index
from converters.corpus.judged_questions import judged_questions
from converters.corpus.splits import TEST, TRAIN, VAL, assign
from converters.registry import load_task
from converters.settings import Settings, build_settings
from converters.text.language import label, shares, wrong_language
from converters.text.sketch import band_hashes, digests, fold, grams, signatures

WORDS = [
    "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz", k=3 + seed % 7)) for seed in range(3_000)
]  # fmt: skip


def prose(seed, words=60):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def changed(text, words):
    """Return text with so many words replaced, far from each other."""
    parts = text.split()
    for number in range(words):
        parts[(number * len(parts)) // words] = WORDS[-1 - number]
    return " ".join(parts)


def near(questions, answers, threshold=0.85):
    asked = signatures(grams(*fold(questions), 8))
    whole = numpy.minimum(asked, signatures(grams(*fold(answers), 8)))
    bands = band_hashes(whole)
    return duplicates.near(bands, whole.astype(numpy.uint8), asked.astype(numpy.uint8), threshold).tolist()


def test_punctuation_case_and_width_do_not_make_another_text():
    first, second, third = digests(*fold(["What is GOUT?", "what is ｇｏｕｔ", "What is goat?"]))
    assert first == second != third


def test_grams_of_one_text_do_not_depend_on_its_neighbours():
    alone = grams(*fold([prose(1)]), 8)
    among = grams(*fold([prose(0), prose(1), "x", "", prose(2)]), 8)
    assert (alone.of(0) == among.of(1)).all()
    assert [len(among.of(i)) for i in (2, 3)] == [1, 0]


@pytest.mark.parametrize("size", [4, 8, 16])
def test_equal_windows_hash_equal_and_different_ones_differ(size):
    text = "".join(WORDS[:200])
    found = grams(*fold([text + text]), size).of(0)
    windows = [(text + text)[i : i + size] for i in range(len(text) * 2 - size + 1)]
    assert len(set(found.tolist())) == len(set(windows))
    assert len(found) == len(windows)


def test_exact_repeats_point_to_the_first():
    assert duplicates.repeated(numpy.array([7, 8, 7, 7, 9, 8], numpy.uint64)).tolist() == [-1, -1, 0, 0, -1, 1]
    assert duplicates.beyond(numpy.array([7, 8, 7, 7, 9, 8], numpy.uint64), 2).tolist() == [
        False, False, False, True, False, False,
    ]  # fmt: skip


def test_near_duplicates_are_found_and_others_are_not():
    texts = [prose(seed) for seed in range(300)]
    answers = [*texts, changed(texts[5], 2), changed(texts[9], 20)]
    questions = [f"what about {WORDS[i]} and {WORDS[i + 1]}" for i in range(300)]
    questions += [questions[5], questions[9]]
    origin = near(questions, answers)
    assert origin[300] == 5
    assert origin[:300] == [-1] * 300
    assert origin[301] == -1


def test_the_same_answer_to_another_question_is_kept():
    answer = prose(1, 100)
    assert near(["is gout inherited", "is measles caught by touch"], [answer, answer]) == [-1, -1]


def test_a_chain_of_small_changes_is_not_followed_to_its_end():
    """Only rows that are kept make others go: each third link is far enough from the first."""
    chain = [prose(1, 100)]
    for step in range(6):
        parts = chain[-1].split()
        parts[step * 15 : step * 15 + 6] = WORDS[-6 - step * 6 : -step * 6 or None]
        chain.append(" ".join(parts))
    origin = near(["same question here"] * 7, chain)
    assert origin[0] == -1
    assert all(origin[cause] == -1 for cause in origin if cause >= 0)
    assert sum(cause < 0 for cause in origin) >= 2


def test_minhash_agrees_with_datasketch():
    """Both estimate the same Jaccard similarity; ours from rensa's bytes, datasketch's from whole numbers."""
    from datasketch import MinHash

    for words in (1, 3, 6, 12):
        pair = [prose(words, 120), changed(prose(words, 120), words)]
        found = grams(*fold(pair), 8)
        sets = [set(found.of(i).tolist()) for i in (0, 1)]
        exact = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        ours = signatures(found)
        estimate = (ours[0] == ours[1]).mean()
        theirs = []
        for values in sets:
            theirs.append(MinHash(num_perm=128, seed=1))
            theirs[-1].update_batch([value.to_bytes(8, "little") for value in values])
        assert estimate == pytest.approx(exact, abs=0.12)
        assert theirs[0].jaccard(theirs[1]) == pytest.approx(exact, abs=0.12)


QUESTIONS = [
    ("judged 1", "How should an adult with newly found high blood pressure change what they eat?"),
    ("judged 2", "What is gout?"),
    ("judged 3", "Which vaccines does a healthy baby need during the first twelve months of life?"),
]


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (
            "Please help: how should an adult with newly-found high blood pressure change what they eat? Thanks",
            "judged 1",
        ),
        ("how should an adult with newly found high blood pressure change what they drink", "judged 1"),
        ("How should a child with newly found asthma change what they eat?", None),
        ("what is gout", "judged 2"),
        ("what is gout and what is pseudogout", None),
        ("Nothing of the kind is asked here at all.", None),
        ("", None),
    ],
)
def test_a_row_that_holds_a_judged_question_is_found(row, wanted):
    index = Index.build(QUESTIONS, 16)
    found = index.find(grams(*fold([prose(3), row, prose(4)]), 16), 0.8)
    assert [(number, name) for number, name, _ in found] == ([(1, wanted)] if wanted else [])


def test_phrases_that_many_questions_share_are_no_evidence():
    questions = [
        (f"q{i}", f"What are the symptoms of the rare condition called {WORDS[i]}{WORDS[i + 50]}") for i in range(40)
    ]
    index = Index.build(questions, 16)
    rows = [f"What are the symptoms of the rare condition called {WORDS[i]}{WORDS[i + 99]}" for i in range(100, 160)]
    assert index.find(grams(*fold(rows), 16), 0.8) == []
    assert [found[1] for found in index.find(grams(*fold([questions[7][1]]), 16), 0.8)] == ["q7"]


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


def test_splits_do_not_move_when_rows_are_added(read_rows):
    row = '{{"question": "{0}这个病怎么治，需要住院吗？", "answer": "{0}一般不需要住院，遵医嘱即可。"}}\n'
    names = [prose(i, 4) for i in range(400)]

    def where(count, task="medical_zh"):
        Path("format_data.jsonl").write_text("".join(row.format(name) for name in names[:count]))
        convert(load_task(task), "format_data.jsonl", given={"language": False, "near": 0, "decontaminate": False})
        return {
            one["instruction"]: split
            for split in ("train", "val", "test")
            for one in read_rows(f"data/{task}/{split}.jsonl")
        }

    few, many = where(250), where(400)
    assert len(few) == 250
    assert all(many[asked] == split for asked, split in few.items())
    assert 15 <= sum(split == "test" for split in few.values()) <= 48


def test_growing_past_a_step_only_frees_test_rows():
    place = numpy.random.default_rng(0).integers(0, 2**64, 5_000, numpy.uint64)
    small, large = (assign(place[:count], numpy.full(count, -1), Settings()) for count in (900, 5_000))
    assert set(zip(small.tolist(), large[:900].tolist(), strict=True)) <= {
        (TRAIN, TRAIN), (TEST, TEST), (VAL, VAL), (TEST, TRAIN), (VAL, TRAIN),
    }  # fmt: skip
    assert abs((small == TEST).mean() - 0.12) < 0.03


def test_a_small_set_has_something_to_test_on_and_shares_can_be_set():
    place = numpy.random.default_rng(1).integers(2**62, 2**63, 5, numpy.uint64)
    split = assign(place, numpy.full(5, -1), Settings())
    assert sorted(split.tolist()) == [TRAIN, TRAIN, TRAIN, VAL, TEST]
    assert (assign(place, numpy.full(5, -1), Settings(test=0.0, val=0.0)) == TRAIN).all()


@pytest.mark.parametrize(
    ("text", "language", "right"),
    [
        ("The defendant owed a duty of care to the plaintiff and breached it in the course of his work.", "en", True),
        ("Le défendeur avait une obligation de prudence envers la victime et il ne l'a pas respectée dans le cadre de son travail pour vous.", "en", False),  # noqa: E501
        ("根据《民法典》的规定，当事人可以解除合同并请求赔偿损失。", "zh", True),
        ("患者长期服用 metformin 和 atorvastatin，空腹血糖 6.1 mmol/L，建议复查。", "zh", True),
        ("The defendant owed a duty of care to the plaintiff and breached it.", "zh", False),
        ("これは日本語の文章です。契約を解除することができますか。", "zh", False),
        ("Ответчик обязан возместить убытки, причинённые нарушением договора.", "en", False),
        ("B. 42", "zh", True),
        ("D", "en", True),
    ],
)  # fmt: skip
def test_wrong_languages_are_told(text, language, right):
    assert (wrong_language(text, shares(text), language) == "") == right


def test_the_language_mix_is_named():
    texts = [
        "根据规定当事人可以解除合同并请求赔偿全部损失的权利。",
        "The court is of the opinion that it is not for them to say what the law should be in this case or that it was wrong by its own words.",  # noqa: E501
        "42",
    ]
    assert [label(text, shares(text)) for text in texts] == ["zh", "en", "none"]
