"""What is handed on: a model that speaks, a card that says only what was measured, an upload when asked for."""

import pytest
import yaml

from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.export.finish import positions_as_of_4, problem_with, tokenizer_as_of_4
from recipes.export.model_card import render
from recipes.recipe import Recipe
from recipes.rehearsal.twins import make_twin

MANIFEST = {
    "identity": {"settings": {"learning_rate": 5e-4, "lora_rank": 16, "seed": 42}},
    "data": {"source": "some/rows@main", "files": {"train": {"rows": 1234, "sha256": "abc"}}},
    "steps": {"train": {"seconds": 61.4}},
    "hardware": "NVIDIA T4",
    "versions": {"llamafactory": "0.9.5"},
}
HELDOUT = {
    "rows": 24, "base": {"loss": 2.9, "perplexity": 18.2}, "tuned": {"loss": 2.3, "perplexity": 9.97},
    "difference": {"mean": -0.6, "low": -0.7, "high": -0.5},
}  # fmt: skip
METRICS = {
    "questions": 20,
    "comparisons": [
        {"judge": "reference", "kind": "stand-in", "a": "tuned", "b": "base", "wins": 12, "ties": 3, "losses": 5,
         "win_rate": 0.675, "interval": [0.45, 0.84]},
        {"judge": "biased", "kind": "model", "a": "tuned", "b": "base", "wins": 0, "ties": 20, "losses": 0,
         "win_rate": None, "interval": [0.0, 1.0]},
    ],
}  # fmt: skip


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Recipe(
        task="medical_en",
        backbone=find_backbone("llama2-7b"),
        method=find_method("lora"),
        hardware=find_hardware("t4"),
        data=DataFacts(),
        model_path="meta-llama/Llama-2-7b-chat-hf",
    )


def test_the_card_says_what_was_measured(recipe):
    card = render(recipe, MANIFEST, HELDOUT, METRICS)
    head = yaml.safe_load(card.split("---")[1])
    assert head["base_model"] == "meta-llama/Llama-2-7b-chat-hf"
    assert head["language"] == "en"
    for words in (
        "trained on 1,234 rows",
        "| before | 2.900 | 18.20 |",
        "-0.600 [-0.700, -0.500]",
        "| reference (a stand-in that compares text with a reference) | tuned against base | 12 | 3 | 5 | 0.68 |",
        "| biased | tuned against base | 0 | 20 | 0 | none given | – |",
        "| seed | 42 |",
        "some/rows@main",
        "61 s on NVIDIA T4",
    ):
        assert words in card


def test_what_was_not_measured_is_not_on_the_card(recipe):
    card = render(recipe, MANIFEST, {}, {})
    assert "Nothing yet." in card
    assert "Held-out loss" not in card
    assert "win rate" not in card


@pytest.mark.slow
def test_a_model_that_computes_nonsense_is_found_out(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = make_twin(find_backbone("qwen3-0.6b"), tmp_path / "twin")
    assert problem_with(str(folder)) == ""
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert problem_with(str(folder)) == "its logits are not finite numbers"


@pytest.mark.parametrize(
    ("positions", "named"),
    [
        ({"rope_theta": 1e6, "rope_type": "default"}, {"rope_theta": 1e6}),
        (
            {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8.0},
            {"rope_theta": 5e5, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}},
        ),
        (
            {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}},
            {"rope_theta": 1e6, "rope_local_base_freq": 1e4},
        ),
    ],
)
def test_positions_stand_under_the_names_of_transformers_4_too(positions, named):
    config = {"model_type": "any", "rope_parameters": positions}
    assert positions_as_of_4(config) == config | named
    assert positions_as_of_4({"model_type": "bloom"}) == {"model_type": "bloom"}


def test_a_tokenizer_loads_with_transformers_4():
    assert tokenizer_as_of_4({"extra_special_tokens": ["<a>"], "tokenizer_class": "TokenizersBackend"}) == {
        "additional_special_tokens": ["<a>"], "tokenizer_class": "PreTrainedTokenizerFast",
    }  # fmt: skip
