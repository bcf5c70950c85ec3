"""What may be said of a difference between two losses."""

import pytest

from common.paired_loss import change_told, paired_difference


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (-0.5, -0.3, "lower"),
        (0.3, 0.5, "higher"),
        (-0.9, 0.1, "open"),
        (-0.0003, -0.0001, "open"),  # sure, and too small to be shown
    ],
)
def test_a_change_is_told_where_the_interval_as_shown_excludes_none(low, high, told):
    assert change_told({"mean": (low + high) / 2, "low": low, "high": high}) == told


def test_more_comparisons_widen_the_interval_around_the_same_difference():
    before, after, tokens = [8.0, 9.0, 14.0, 20.0], [6.0, 9.0, 12.0, 17.0], [4, 4, 5, 7]
    alone, of_ten = (paired_difference(before, after, tokens, comparisons) for comparisons in (1, 10))
    assert alone["mean"] == of_ten["mean"] == pytest.approx(-7 / 20)
    assert of_ten["low"] <= alone["low"] < alone["mean"] < alone["high"] <= of_ten["high"]
