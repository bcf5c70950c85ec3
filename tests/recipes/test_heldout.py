"""The held-out comparison: weighted by tokens, paired by row, no verdict without evidence."""

import math
from types import SimpleNamespace

import pytest

from common.progress import Progress
from recipes import heldout
from recipes.heldout import arguments_of, row_losses, sentence, summarise
from tests.recipes.samples import recipe


def test_loss_is_weighted_by_tokens_not_by_rows():
    result = summarise([(10.0, 10), (300.0, 100)], [(10.0, 10), (300.0, 100)])
    assert result["base"]["loss"] == pytest.approx(310 / 110)
    assert result["base"]["perplexity"] == pytest.approx(math.exp(310 / 110))
    assert (result["rows"], result["tokens"]) == (2, 110)


def test_a_gain_on_every_row_is_told_and_so_is_a_loss():
    base = [(3.0 * n, n) for n in range(20, 50)]
    better = [(2.5 * n, n) for n in range(20, 50)]
    gained = {"split": "test", **summarise(base, better)}
    assert gained["difference"]["mean"] == pytest.approx(-0.5)
    assert gained["rows_better"] == 30
    assert "the tuned model is better" in sentence(gained)
    assert "the tuned model is worse" in sentence({"split": "test", **summarise(better, base)})


def test_what_goes_up_and_down_alike_is_no_verdict():
    base = [(3.0 * 40, 40)] * 30
    mixed = [((2.5 if i % 2 else 3.5) * 40, 40) for i in range(30)]
    result = {"split": "test", **summarise(base, mixed)}
    assert result["difference"]["low"] < 0 < result["difference"]["high"]
    assert "no difference can be told" in sentence(result)


def test_losses_of_other_tokens_are_not_compared():
    with pytest.raises(ValueError, match="same tokens"):
        summarise([(1.0, 10)], [(1.0, 11)])


def test_the_rows_are_encoded_as_in_training_whatever_the_command_says_now():
    asked = recipe("smollm2-135m", "lora", "cpu")
    trained = {"template": "qwen", "cutoff_len": 99, "model_name_or_path": "there", "learning_rate": 1.0, "bf16": "odd"}
    found = arguments_of(asked, "base", "test", trained)
    assert {key: found[key] for key in ("template", "cutoff_len", "model_name_or_path")} == {
        "template": "qwen",
        "cutoff_len": 99,
        "model_name_or_path": "there",
    }
    assert found["bf16"] is asked.settings["bf16"], "that is this machine's affair"
    assert "learning_rate" not in found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gemma3", "gemma4", "qwen3_5", "mistral3"])
def test_a_model_that_sees_pictures_is_measured_too(monkeypatch, kind):
    """Its vocabulary stands in the configuration of its text model."""
    from transformers import AutoConfig

    model = SimpleNamespace(config=AutoConfig.for_model(kind))
    monkeypatch.setattr(heldout, "load", lambda _: ([{"input_ids": [1, 2]}] * 3, model))
    monkeypatch.setattr(heldout, "_batch_losses", lambda _, rows: [(1.0, 1)] * len(rows))
    assert row_losses({}, Progress("", 0)) == [(1.0, 1)] * 3
