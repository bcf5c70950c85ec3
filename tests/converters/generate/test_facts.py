"""Facts of an original: which they are, and when an answer lacks one or has one too many."""

import pytest

from converters.generate.facts import added, choice, has_options, lost, number_of, numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("十", 10),
        ("二十三", 23),
        ("六百八十", 680),
        ("一百零五", 105),
        ("一千一百七十九", 1179),
        ("两", 2),
        ("三万五千", 35_000),
        ("二〇二四", 2024),
        ("一亿二千万", 120_000_000),
    ],
)
def test_chinese_numerals(text: str, value: float) -> None:
    assert number_of(text) == value


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("一般三十日内，统一办理", {30}),
        ("第五百八十四条", {584}),
        ("1. Take 1,200 mg\n2. for 10–15 days", {1200, 10, 15}),
        ("see www.a.example/2020 within two weeks", {2}),
        ("38.5℃，每次0.3克", {38.5, 0.3}),
    ],
)
def test_numbers_that_are_facts(text: str, found: set[float]) -> None:
    assert numbers(text, every=False) == found


@pytest.mark.parametrize(
    ("before", "after", "fact"),
    [
        ("期限是三十日", "期限是30天，期限要算清", ""),
        ("期限是三十日", "期限是20天，期限要算清", "the number 30"),
        ("罚款5万元", "罚款50000元", ""),
        ("罚款50000元", "罚款5万元", ""),
        ("依据《公司法》处理", "依据公司法处理", ""),
        ("依据《公司法》处理", "依据民法典处理", "the name 公司法"),
        ("ask the Wage and Hour Division for help", "ask the wage and hour division for help", ""),
        ("ask the Internal Revenue Service for help", "ask the tax office for help", "the name Internal"),
        ("bleeding gums and slow wounds", "many people eat poorly", "100% of its words"),
    ],
)
def test_what_is_lost(before: str, after: str, fact: str) -> None:
    assert lost(before, after) == fact


@pytest.mark.parametrize(
    ("known", "after", "fact"),
    [
        ("违约应当赔偿", "依据民法典第五百七十七条，违约应当赔偿", "第五百七十七条"),
        ("《民法典》第577条", "民法典第五百七十七条", ""),
        ("take it with food", "take 500 mg with food", "500 mg"),
        ("under section 25", "under § 25", ""),
        ("under section 25", "under sections 25 and 26", "sections 25 and 26"),
        ("wait some days", "wait 3 days", ""),
    ],
)
def test_what_is_added(known: str, after: str, fact: str) -> None:
    assert added(known, after) == fact


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("B。", "B"),
        ("(B)", "B"),
        ("选B", "B"),
        ("答案：B", "B"),
        ("答案：A、C", "AC"),
        ("ACD", "ACD"),
        ("The answer is C: so", "C"),
        ("B. Blood", "B"),
        ("（D）社会", "D"),
        ("Correct option: A and C", "AC"),
        ("Because of blood", ""),
        ("Apples", ""),
        ("a cold", ""),
    ],
)
def test_choices(text: str, letters: str) -> None:
    assert choice(text) == letters


def test_options() -> None:
    assert has_options("Which? A) x B) y")
    assert has_options("哪项正确？A、是 B、否")
    assert not has_options("Is vitamin A good?")
