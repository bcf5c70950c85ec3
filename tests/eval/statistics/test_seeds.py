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
    names = ["dora-seed-1", "dora-seed-2", "lora-seed-1", "lora-seed-2"]
    row, *others = over_seeds(judged([1, 0.4, 0], pairs), names, names)
    assert others == []
    assert (row["a"], row["b"], row["seeds"]) == ("dora", "lora", 2)
    assert row["rates"][0] == 1
    assert row["win_rate"] == pytest.approx(sum(row["rates"]) / 2)
    assert row["sd"] == pytest.approx(abs(row["rates"][0] - row["rates"][1]) / 2**0.5)
    low, high = row["interval"]
    assert low < row["win_rate"] < high


def test_a_recipe_against_itself_under_another_seed_has_no_winner():
    names = ["baseline", "seed-43", "seed-44"]
    (row,) = over_seeds(judged([0.9, 0.9], [("seed-43", "baseline"), ("seed-44", "baseline")]), names, names)
    assert (row["a"], row["b"], row["sure"]) == ("baseline", "baseline", False)


def test_a_winner_wins_beyond_what_the_seeds_vary():
    tuned = [f"tuned-seed-{seed}" for seed in (1, 2, 3)]
    pairs = [(one, "base") for one in tuned]
    assert over_seeds(judged([0.8, 0.8, 0.8], pairs), [*tuned, "base"], tuned)[0]["sure"]
    assert not over_seeds(judged([1.0, 1.0, 0.3], pairs), [*tuned, "base"], tuned)[0]["sure"]


def test_a_model_of_one_seed_is_not_pooled_with_another_of_several():
    names = ["baseline", "seed-43", "seed-44", "rank-4"]
    rows = over_seeds(judged([0.9, 0.9, 0.9], [("rank-4", name) for name in names[:3]]), names, names)
    assert rows == []


@pytest.mark.slow
@pytest.mark.parametrize("varies", [0.0, 0.1, 0.2])
def test_recipes_that_are_equal_over_their_seeds_rarely_have_a_winner(varies):
    pairs = [(f"{one}-seed-{seed}", f"b-seed-{seed}") for one in "acd" for seed in (1, 2, 3)]
    names = [f"{one}-seed-{seed}" for one in "abcd" for seed in (1, 2, 3)]
    found = 0
    for sample in range(200):
        draw = random.Random(sample)
        chances = [0.5 + draw.choice((-1, 1)) * draw.uniform(0, 1.7 * varies) for _ in pairs]  # SD about `varies`
        found += any(row["sure"] for row in over_seeds(judged(chances, pairs, 100, sample), names, names))
    assert found <= 16  # 8 %; that every seed agrees is no protection: it does in a quarter of all samples


def test_a_recipe_that_is_better_under_each_seed_is_found():
    pairs = [(f"a-seed-{seed}", f"b-seed-{seed}") for seed in (1, 2, 3, 4)]
    names = [name for pair in pairs for name in pair]
    rows = [over_seeds(judged([0.68, 0.72, 0.7, 0.66], pairs, 100, sample), names, names) for sample in range(50)]
    assert sum(row["sure"] for (row,) in rows) >= 45


def test_one_seed_is_nothing_to_pool():
    assert over_seeds(judged([0.5], [("tuned", "base")]), ["tuned", "base"], ["tuned"]) == []
