"""Win rates over seeds, against outcomes whose truth is known."""

import random

import pytest

from eval.statistics.seeds import over_seeds, recipes


def judged(chances, pairs, questions=60, seed=0):
    """Return the scores of (a, b) -> chance that a wins, each on so many questions."""
    draw = random.Random(seed)
    return {("j", *pair): {f"q{number}": float(draw.random() < chance) for number in range(questions)}
            for pair, chance in zip(pairs, chances, strict=True)}  # fmt: skip


def test_models_are_taken_together_by_their_recipe():
    assert recipes(["lora-seed-42", "dora-seed-42", "base"]) == {
        "lora-seed-42": ("lora", "42"), "dora-seed-42": ("dora", "42"), "base": ("base", ""),
    }  # fmt: skip
    found = recipes(["baseline", "rank-4", "seed-43", "qwen-baseline", "qwen-seed-43"])
    assert found["seed-43"] == ("baseline", "43")
    assert found["baseline"] == ("baseline", "")
    assert found["qwen-seed-43"] == ("qwen-baseline", "43")


def test_runs_of_one_seed_are_compared_and_their_spread_is_told():
    pairs = [("dora-seed-1", "lora-seed-1"), ("lora-seed-2", "dora-seed-2"), ("dora-seed-1", "lora-seed-2")]
    row, *others = over_seeds(judged([1, 0.4, 0], pairs), ["dora-seed-1", "dora-seed-2", "lora-seed-1", "lora-seed-2"])
    assert others == []
    assert (row["a"], row["b"], row["seeds"]) == ("dora", "lora", 2)
    assert row["rates"][0] == 1
    assert row["win_rate"] == pytest.approx(sum(row["rates"]) / 2)
    assert row["sd"] == pytest.approx(abs(row["rates"][0] - row["rates"][1]) / 2**0.5)
    low, high = row["interval"]
    assert low < row["win_rate"] < high


def test_a_recipe_against_itself_under_another_seed_has_no_winner():
    (row,) = over_seeds(
        judged([0.9, 0.9], [("seed-43", "baseline"), ("seed-44", "baseline")]), ["baseline", "seed-43", "seed-44"]
    )
    assert (row["a"], row["b"], row["sure"]) == ("baseline", "baseline", False)


def test_a_winner_wins_under_every_seed():
    pairs = [(f"tuned-seed-{seed}", "base") for seed in (1, 2, 3)]
    names = [*(one for one, _ in pairs), "base"]
    assert over_seeds(judged([0.8, 0.8, 0.8], pairs), names)[0]["sure"]
    assert not over_seeds(judged([1.0, 1.0, 0.3], pairs), names)[0]["sure"]


def test_equal_models_rarely_have_a_winner():
    pairs = [(f"{one}-seed-{seed}", f"b-seed-{seed}") for one in "acd" for seed in (1, 2, 3)]
    names = [f"{one}-seed-{seed}" for one in "abcd" for seed in (1, 2, 3)]
    found = [over_seeds(judged([0.5] * 9, pairs, seed=sample), names) for sample in range(100)]
    assert sum(any(row["sure"] for row in rows) for rows in found) <= 5


def test_one_seed_is_nothing_to_pool():
    assert over_seeds(judged([0.5], [("tuned", "base")]), ["tuned", "base"]) == []
