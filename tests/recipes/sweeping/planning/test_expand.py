"""A sweep's axes as runs, and what the runs and their folders are called."""

from recipes.sweeping.planning.expand import baselines, drafts, name_of, variant_of
from tests.recipes.samples import recipe
from tests.recipes.sweeping.samples import sweep_file


def started(file, found):
    """Return for each run the number of the one that it is compared with."""
    return [found.index(start) for start in baselines(file, found).values()]


def test_a_grid_is_every_combination():
    found = drafts(sweep_file(compare={"lora_rank": [4, 16], "method": ["lora", "dora"]}))
    points = [(draft.settings["lora_rank"], draft.words["method"]) for draft in found]
    assert points == [(4, "lora"), (4, "dora"), (16, "lora"), (16, "dora")]


def test_one_at_a_time_moves_one_axis_off_the_baseline():
    axes = {"lora_rank": [4, 16], "num_train_epochs": [1.0, 3.0]}
    file = sweep_file(compare=axes, mode="one-at-a-time", baseline={"lora_rank": 4}, task=["law_en", "law_zh"])
    found = drafts(file)
    assert [draft.off for draft in found] == ["", "lora_rank", "num_train_epochs", "num_train_epochs"] * 2
    assert found[0].settings == {"lora_rank": 4}
    assert found[2].settings == {"lora_rank": 4, "num_train_epochs": 1.0}
    assert started(file, found) == [0, 0, 0, 0, 4, 4, 4, 4]


def test_in_a_grid_a_run_is_compared_with_the_one_that_differs_in_the_baseline_alone():
    file = sweep_file(compare={"method": ["lora", "dora"], "lora_rank": [4, 8]}, baseline={"lora_rank": 8})
    found = drafts(file)
    assert started(file, found) == [1, 1, 3, 3]


def test_a_folder_says_what_differs_from_the_recipe_and_a_long_one_has_the_names_of_sweep_and_run():
    def variant(**settings):
        (draft,) = drafts(sweep_file(hardware="cpu", set=settings))
        return variant_of(draft, [], "seeds-x")

    own = recipe().settings
    assert variant(lora_rank=8, learning_rate=own["learning_rate"], logging_steps=1) == "rank-8"
    assert variant(lora_rank=own["lora_rank"], learning_rate=own["learning_rate"], logging_steps=1) == ""
    assert variant(template="default", lora_rank=8, max_steps=2, lora_dropout=0.1) == "seeds-x"


def test_a_run_is_called_by_what_varies():
    file = sweep_file(
        compare={"task": ["law_en", "law_en+rewritten"], "lora_rank": [4, 8], "method": ["lora", "dora"]},
        task=[], model="org/Name",
    )  # fmt: skip
    found = drafts(file)
    varying = ["task", "lora_rank", "method"]
    names = [name_of(draft, varying, start=False) for draft in found]
    assert names[:2] == ["rank-4-lora", "rank-4-dora"]
    assert names[-1] == "rewritten-rank-8-dora"
    assert name_of(found[0], [], start=False) == "org--Name-lora"
    assert name_of(found[0], ["lora_rank"], start=True) == "baseline"
