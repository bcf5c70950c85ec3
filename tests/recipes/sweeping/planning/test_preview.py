"""Which models of a sweep are judged against each other."""

from recipes.sweeping.planning.preview import meetings
from tests.recipes.sweeping.samples import run_of


def seeds(of_each, methods=("lora", "dora")):
    """Return runs of each method under as many seeds, each with the lora of its seed as its baseline."""
    return [
        run_of(f"-{method}-{seed}", baseline=f"r-{methods[0]}-{seed}") for method in methods for seed in range(of_each)
    ]


def test_of_a_few_runs_all_meet():
    assert len(meetings(seeds(3), ["chatgpt"])) == 8 * 7 // 2


def test_of_more_each_meets_the_baseline_of_its_own_seed_and_its_base():
    runs = seeds(20)
    pairs = meetings(runs, ["chatgpt", "mine=gpt-4o@http://here/v1"])
    for seed in range(20):
        assert (f"r-dora-{seed}", f"r-lora-{seed}") in pairs
        assert {(f"r-lora-{seed}", "base"), ("base", f"r-lora-{seed}")} & {*pairs}
    assert ("chatgpt", "r-lora-0") in pairs
    assert ("mine", "r-lora-0") in pairs
    assert len(pairs) == len({frozenset(pair) for pair in pairs}) < 3 * len(runs) + 3
    reached, before = {"base"}, 0
    while len(reached) > before:
        before = len(reached)
        reached |= {name for pair in pairs if reached & {*pair} for name in pair}
    assert reached == {"base", "chatgpt", "mine", *(run.contestant for run in runs)}


def test_without_a_baseline_the_bases_link_them():
    runs = [run_of(number, base=f"base-{number % 2}") for number in range(8)]
    pairs = meetings(runs)
    assert ("r3", "base-1") in pairs
    assert ("base-1", "base-0") in pairs
