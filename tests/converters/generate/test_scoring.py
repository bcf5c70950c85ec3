"""Scores are read in any form that a model writes, and nothing else is taken for one."""

from pathlib import Path

import pytest
import yaml

from converters.generate.scoring import read_score

REPLIES = yaml.safe_load((Path(__file__).with_name("labelled") / "scores.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "score"), REPLIES)
def test_scores_are_read_and_nothing_else(text: str, score: float | None) -> None:
    found = read_score(text)
    assert (found[0] if found else None) == score


def test_the_reason_stands_beside_the_score() -> None:
    assert read_score('{"reason": "It is \\"thin\\".", "score": 3}') == (3, 'It is \\"thin\\".')
    assert read_score("Clear and right.\n\nScore: 4.5") == (4.5, "Clear and right.")
