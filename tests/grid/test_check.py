"""Recipes through LLaMA-Factory's own parser; answering for absent machines loosens none of its checks."""

import subprocess
import sys
from itertools import combinations, product

import pytest

from tests.grid.pairs import all_of, every_pair

TAMPERED = """
from tests.grid.check import _parser, _problems
from recipes.render import render_all
from tests.recipes.samples import recipe

def problem(made, **wrong):
    files = render_all(made)
    lines = [line for line in files["recipe.yaml"].splitlines() if line.partition(":")[0] not in wrong]
    text = "\\n".join([*lines, *(f"{key}: {value}" for key, value in wrong.items())])
    with _parser() as parse:
        found = parse(made, {**files, "recipe.yaml": text})
    print("FOUND", " | ".join(found).replace("\\n", " ") or "nothing")

card = recipe("llama2-7b", "lora", "24gb")
t4 = recipe("llama2-7b", "qlora", "t4")
problem(card)
problem(card, no_such_key=1)
problem(card, fp16="true")
problem(t4, pissa_init="true")
problem(card, num_train_epochs="many")
problem(card, deepspeed="nowhere.json")
problem(recipe("llama2-7b", "galore", "80gb", devices=2), galore_layerwise="true")
problem(recipe("llama2-7b", "full", "80gb", devices=4), pure_bf16="true", deepspeed="runs/x.json")
problem(recipe("llama2-7b", "dpo", "80gb"), neat_packing="true")
problem(recipe("llama2-7b", "freeze", "80gb"), quantization_bit=4)
problem(recipe(bf16=True), use_cpu="false")
problem(card, use_swanlab="true")
problem(card, template="nothing_of_the_kind")
"""
EXPECTED = [
    "nothing",
    "no_such_key",
    "At most one of fp16 and bf16",
    "PiSSA",
    "many",
    "deepspeed",  # a package that this recipe does not declare
    "layer-wise GaLore",
    "x.json",
    "neat_packing",
    "Quantization is only compatible",
    "bf16/gpu",
    "swanlab",
    "nothing",  # the template of a tampered file is looked up when training starts, the backbone's own here
]


@pytest.mark.slow
def test_every_pair_of_kinds_is_parsed_without_a_problem() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.grid.check", "--kinds"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ": 0 problems" in done.stdout


@pytest.mark.slow
def test_what_llamafactory_would_refuse_is_still_found() -> None:
    done = subprocess.run([sys.executable, "-c", TAMPERED], capture_output=True, text=True, check=True)
    found = [line.removeprefix("FOUND ") for line in done.stdout.splitlines() if line.startswith("FOUND ")]
    assert len(found) == len(EXPECTED)
    for words, expected in zip(found, EXPECTED, strict=True):
        assert expected in words, (expected, words)


FACTORS = {"a": ["1", "2", "3", "4", "5"], "b": ["x", "y", "z"], "c": ["p", "q", "r", "s"], "d": ["only"]}


def test_every_pair_of_values_occurs() -> None:
    rows = every_pair(FACTORS)
    for first, second in combinations(FACTORS, 2):
        pairs = {(row[first], row[second]) for row in rows}
        assert pairs == set(product(FACTORS[first], FACTORS[second]))
    assert len(rows) < len(all_of(FACTORS)) / 2


def test_all_of_the_grid_is_every_combination() -> None:
    rows = all_of(FACTORS)
    assert len(rows) == 5 * 3 * 4
    assert len({tuple(row.items()) for row in rows}) == len(rows)
