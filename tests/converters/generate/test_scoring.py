"""Scores are read in any form that a model writes, and nothing else is taken for one."""

import pytest

from converters.generate.scoring import read_score


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"reason": "fine", "score": 4.5}', 4.5),
        ('```json\n{"reason": "fine", "score": 4}\n```', 4),
        ("Clear and right.\n\nScore: 4.5", 4.5),
        ("清楚。\n**评分：3分**", 3),
        ("Score: 2/5", 2),
        ('{"reason": "fine", "score": "3.5"}', 3.5),
        ("Score: 5 for style.\nScore: 1", 1),
        ("4.5 out of 5", 4.5),
        ("得分：4", 4),
        ("Good. Score: 4.5", 4.5),
        ('Here is my rating:\n{"reason": "a (3/5)", "score": 4}\nI hope it helps.', 4),
        ('{"score": 4, "reason": "ok"}', 4),
        ("I would rate this answer a 4.", 4),
        ("On a scale from 0 to 5, I rate it 3.5.", 3.5),
        ("4", 4),
        ("**4/5**", 4),
        ("评分：4.5分。回答完整。", 4.5),
        ("这个回答可以打4分", 4),
        ("我给四分，理由充分。", 4),
        ("Rating: 5", 5),
        ("Score: 4.0/5.0", 4),
        ('{"reason": "x", "score": 4', 4),
        ("满分5分，得3.5分", 3.5),
        ("The answer deserves 2.5 out of 5 points.", 2.5),
        ("Score: **4**", 4),
        ("score=3", 3),
        ("Final score - 4", 4),
    ],
)
def test_scores_are_read(text: str, score: float) -> None:
    found = read_score(text)
    assert found is not None
    assert found[0] == score


@pytest.mark.parametrize(
    "text",
    [
        "Score: 9",
        "I think that it is good.",
        '{"score": "high"}',
        "",
        "Score: 8/10",
        "8 out of 10",
        "得分：85分",
        "Score: 80%",
        "rated on a scale of 0 to 5",
        "The article 5 says 3 things.",
        "第4分局的回答",
        "等待5分钟",
    ],
)
def test_what_is_no_score(text: str) -> None:
    assert read_score(text) is None


def test_the_reason_stands_beside_the_score() -> None:
    assert read_score('{"reason": "It is \\"thin\\".", "score": 3}') == (3, 'It is \\"thin\\".')
    assert read_score("Clear and right.\n\nScore: 4.5") == (4.5, "Clear and right.")
