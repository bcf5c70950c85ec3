"""How many rows lose their ends to a cutoff: estimated from quantiles, held against a count."""

import numpy as np
import pytest

from recipes.catalog.datasets import DataFacts
from recipes.estimate.cutoff import share_beyond, warning

NAMES = {"min": 0, "p5": 5, "p25": 25, "p50": 50, "p75": 75, "p90": 90, "p95": 95, "p99": 99, "max": 100}


def quantiles(lengths: np.ndarray) -> dict[str, float]:
    return {name: float(np.percentile(lengths, at)) for name, at in NAMES.items()}


@pytest.mark.parametrize("limit", [0, 100, 400, 900, 2_000, 9_000, 10**9])
def test_the_share_is_near_the_count(limit: int) -> None:
    lengths = np.random.default_rng(0).lognormal(6, 1, 20_000)
    assert share_beyond(quantiles(lengths), limit) == pytest.approx((lengths > limit).mean(), abs=0.05)


def test_rows_that_are_all_of_one_length() -> None:
    same = dict.fromkeys(NAMES, 100.0)
    assert share_beyond(same, 99) == 1.0
    assert share_beyond(same, 100) == 0.0
    assert share_beyond({}, 100) == 0.0


def test_the_warning_counts_rows_and_names_a_longer_cutoff() -> None:
    answers = np.linspace(1_000, 5_000, 1_001)
    lengths = {"prompt": quantiles(answers / 2), "total": quantiles(answers)}
    data = DataFacts(1_000, "en", 3_000, 4_800)
    words = warning(lengths, data, 512)  # 482 tokens of text, 2,024 characters
    assert words.startswith("about 744 rows (74%) are longer than cutoff_len=512")
    assert "about 238 of them by their question alone" in words
    assert 'SET="cutoff_len=2048"' in words
    assert warning(lengths, data, 2048) == ""
    assert warning({}, data, 512) == ""
