"""Rows that hold a judged question, and what is held out stays out: val and test, both ways, documents in one split."""

import json
import random
from pathlib import Path

import pytest

from converters.convert import convert
from converters.corpus.contamination import Index, forms
from converters.registry import load_task
from converters.text.sketch import fold, grams
from tests.converters.prose import WORDS, prose

QUESTIONS = [
    ("judged 1", "How should an adult with newly found high blood pressure change what they eat?"),
    ("judged 2", "What is gout?"),
    ("judged 3", "Which vaccines does a healthy baby need during the first twelve months of life?"),
]

HAN = [chr(point) for point in range(0x4E00, 0x4E00 + 3_000)]


def held(index, rows):
    return index.found(index.hits(grams(*fold(rows), 16)), 0.8)


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
    found = held(Index(QUESTIONS, 16), [prose(3), row, prose(4)])
    assert [(number, name) for number, name, _ in found] == ([(1, wanted)] if wanted else [])


def test_phrases_that_many_questions_share_are_no_evidence():
    questions = [
        (f"q{i}", f"What are the symptoms of the rare condition called {WORDS[i]}{WORDS[i + 50]}") for i in range(40)
    ]
    index = Index(questions, 16)
    rows = [f"What are the symptoms of the rare condition called {WORDS[i]}{WORDS[i + 99]}" for i in range(100, 160)]
    assert held(index, rows) == []
    assert [found[1] for found in held(index, [questions[7][1]])] == ["q7"]


def chinese(seed, length):
    return "".join(random.Random(seed).choices(HAN, k=length))


def write(pairs):
    rows = [{"id": f"exam-{number}", "input": asked, "output": told} for number, (asked, told) in enumerate(pairs)]
    path = Path("DISC-Law-SFT-Pair.jsonl")
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return str(path)


def template(seed, asked, told):
    """A question and an answer of so many characters that no other has."""
    return chinese(seed, asked), chinese(500_000 + seed, told)


def split_of(read_rows):
    return {
        row["instruction"]: split
        for split in ("train", "val", "test")
        for row in read_rows(f"data/law_zh/{split}.jsonl")
    }


def held_out(read_rows):
    return {asked for asked, split in split_of(read_rows).items() if split != "train"}


def test_the_questions_on_one_passage_go_to_one_split_and_none_is_dropped(read_rows):
    pairs = []
    for seed in range(120):
        head = f"请根据所给段落回答问题。\n段落：{chinese(seed, 300)}\n问题："
        for part in range(4):
            asked, told = template(1_000 + 4 * seed + part, 9, 6)
            pairs.append((f"{head}{asked}？", told))
    card = convert(load_task("law_zh"), write(pairs))
    assert card["files"]["rejected"]["rows"] == 0
    where = split_of(read_rows)
    assert {len({where[asked] for asked, _ in pairs[first : first + 4]}) for first in range(0, len(pairs), 4)} == {1}
    assert card["files"]["val"]["rows"] >= 4
    assert card["files"]["test"]["rows"] >= 4


@pytest.mark.parametrize("way", ["inside", "around", "other options"])
def test_a_row_that_gives_a_held_out_row_away_is_dropped(read_rows, way):
    """The row is made for every held-out question after a first conversion has shown which these are."""

    def options(seed):
        return "".join(f"\n{letter}. {chinese(7 * seed + place, 12)}" for place, letter in enumerate("ABCD"))

    pairs = [template(seed, 24, 30) for seed in range(300)]
    if way == "other options":
        pairs = [(asked + options(seed), told) for seed, (asked, told) in enumerate(pairs)]
    convert(load_task("law_zh"), write(pairs))
    before = held_out(read_rows)
    assert len(before) > 30
    others = []
    for number, asked in enumerate(sorted(before)):
        stem = asked.split("\n")[0]
        others.append(
            {
                "inside": f"{chinese(20_000 + number, 60)}。{asked}{chinese(30_000 + number, 60)}",
                "around": f"{stem[3:]}",
                "other options": stem + options(40_000 + number),
            }[way]
        )
    card = convert(load_task("law_zh"), write([*pairs, *((asked, "另一种回答在这里。") for asked in others)]))
    where = split_of(read_rows)
    kept_out = {asked for asked in before if where.get(asked) in ("val", "test")}
    leaked = [
        other for asked, other in zip(sorted(before), others, strict=True)
        if asked in kept_out and where.get(other) == "train"
    ]  # fmt: skip
    assert len(kept_out) > 30
    assert leaked == []
    assert card["dropped_for"]["val"] + card["dropped_for"]["test"] == next(
        step["dropped"] for step in card["steps"] if step["step"] == "contaminated"
    )
    assert card["dropped_for"]["test"] > 0
    assert card["dropped_for"]["val"] > 0


def test_a_question_with_several_answers_is_trained_on_and_not_held_out(read_rows):
    pairs = []
    for seed in range(200):
        asked, told = template(seed, 20, 20)
        pairs += [(asked, told), (asked, told[::-1])][: 1 + seed % 2]
    convert(load_task("law_zh"), write(pairs))
    asked = [one for one, _ in pairs]
    assert held_out(read_rows)
    assert all(asked.count(one) == 1 for one in held_out(read_rows))


def test_what_is_no_evidence_drops_nothing():
    """A template around a name is common to all rows, however few they are."""
    pairs = [
        (f"请问患有{asked}的当事人应当如何依法维护自己的合法权益？", told)
        for asked, told in (template(seed, 4, 30) for seed in range(150))
    ]
    card = convert(load_task("law_zh"), write(pairs))
    assert card["dropped_for"] == {"judged questions": 0, "val": 0, "test": 0}
    assert card["files"]["rejected"]["rows"] == 0


@pytest.mark.parametrize(
    ("question", "bare"),
    [
        ("社会资本再生产的出发点是____。\nA. 货币资本\nB. 生产资本", "社会资本再生产的出发点是____。"),
        ("社会资本再生产的出发点是____。\nA.货币资本\nB.生产资本", "社会资本再生产的出发点是____。"),
        ("Which one?\nA one\nB two", "Which one?"),
        ("Which one?\n(A) one\n(B) two", "Which one?"),
        ("A man sold his house.\nWas that fraud?", None),
    ],
)
def test_a_question_is_looked_for_without_its_options_too(question, bare):
    prompt = f"以下是法条。\n{question}"
    wanted = [("x", prompt), ("x", question), *([("x", bare)] if bare else [])]
    assert forms("x", prompt, question) == wanted
