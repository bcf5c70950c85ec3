"""The filter keeps just what the plain one keeps: every text against every kept one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters.generate.novelty import Novelty, tokens
from tests.bench.novelty import look_alikes, plainly_kept


def kept(texts: list[str]) -> list[int]:
    novelty = Novelty(0.7)
    numbers = []
    for number, text in enumerate(texts):
        if novelty.similar(text) is None:
            novelty.add(text)
            numbers.append(number)
    return numbers


@pytest.mark.slow
@pytest.mark.parametrize("chinese", [False, True])
def test_keeps_what_the_plain_way_keeps(chinese: bool) -> None:
    texts = look_alikes(130, chinese)
    wanted = plainly_kept(texts)
    assert kept(texts) == wanted
    assert 60 < len(wanted) < 130


@pytest.mark.slow
@given(st.lists(st.lists(st.sampled_from("a b c d e f the 法 律".split()), max_size=12).map(" ".join), max_size=25))  # noqa: SIM905
def test_keeps_what_the_plain_way_keeps_of_any_texts(texts: list[str]) -> None:
    assert kept(texts) == plainly_kept(texts)


def test_exactly_the_threshold_is_too_similar() -> None:
    novelty = Novelty(0.7)
    novelty.add("a b c d e f g h i j")
    assert novelty.similar("a b c d e f g x y z") == (0, pytest.approx(0.7))
    assert novelty.similar("a b c d e f w x y z") is None


def test_tokens() -> None:
    assert tokens("What's the Dose of 5-FU?") == ["what", "s", "the", "dose", "of", "5", "fu"]
    assert tokens("《刑法》第232条 CT检查") == ["刑", "法", "第", "232", "条", "ct", "检", "查"]
    assert tokens("?! ，。") == []


def test_texts_without_tokens_are_like_nothing() -> None:
    novelty = Novelty()
    novelty.add("a b c")
    assert novelty.similar("?!") is None
