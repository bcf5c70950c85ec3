"""Rows packed into one sequence give the logits that they give alone: LLaMA-Factory's mask, each kind's own layers."""

from typing import Any

import pytest

from recipes.catalog.catalog import Backbone, backbones
from recipes.rehearsal.twins import sizes, twin_of
from tests.recipes.samples import MANY_ROWS, recipe

WINDOW, LENGTH = 8, 24
KINDS = {one.architecture: one for one in backbones().values() if one.sdpa and not one.trust_remote_code}


def test_kinds_that_slide_are_not_packed_beyond_their_window() -> None:
    assert {one.architecture for one in backbones().values() if one.window} == {
        "gemma2", "gemma3_text", "gemma3", "gemma4", "gpt_oss",
    }  # fmt: skip
    made = recipe("gemma3-1b", "lora", "24gb", data=MANY_ROWS)
    assert "packing" not in made.settings
    assert "sliding window of 512 tokens" in made.choices["train_sampling_strategy"].why
    assert recipe("gemma3-1b", "lora", "24gb", cutoff_len=512).settings["packing"] is True
    assert recipe("qwen3-8b", "lora", "24gb", data=MANY_ROWS).settings["packing"] is True


def test_kinds_with_layers_without_attention_are_not_packed_at_all() -> None:
    assert {one.architecture for one in backbones().values() if not one.packs} == {"qwen3_5", "qwen3_5_moe", "lfm2"}
    made = recipe("qwen3.5-4b", "lora", "24gb", data=MANY_ROWS)
    assert "packing" not in made.settings
    assert "run into each other" in made.choices["train_sampling_strategy"].why


def test_evaluation_with_flash_attention_takes_one_packed_sequence_at_a_time() -> None:
    made = recipe("qwen3-8b", "lora", "80gb")
    assert made.settings["per_device_eval_batch_size"] == 2
    assert recipe("qwen3-8b", "lora", "80gb", flash_attn="fa2").settings["per_device_eval_batch_size"] == 1
    assert recipe("qwen3-8b", "dpo", "80gb", flash_attn="fa2").settings["per_device_eval_batch_size"] == 2


def difference(backbone: Backbone) -> tuple[float, bool]:
    """Return how far packed logits are from those of the rows alone, over their spread; whether a layer slides."""
    import torch
    from llamafactory.data.collator import prepare_4d_attention_mask
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    config: Any = AutoConfig.for_model(backbone.architecture, **sizes(backbone, twin_of(backbone), 512), **ids)
    text = config.get_text_config()
    slides = "sliding_attention" in (getattr(text, "layer_types", None) or ())
    if getattr(text, "sliding_window", None):
        text.sliding_window = WINDOW
    torch.manual_seed(0)
    sees = type(config) in AutoModelForImageTextToText._model_mapping
    kind = AutoModelForImageTextToText if sees else AutoModelForCausalLM
    model = kind.from_config(config, attn_implementation="sdpa").float().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    rows = torch.randint(10, 500, (2, LENGTH))
    which = torch.arange(1, 3).repeat_interleave(LENGTH)[None]
    positions = torch.arange(LENGTH).repeat(2)[None]
    with torch.inference_mode():
        alone = model(input_ids=rows, attention_mask=torch.ones_like(rows)).logits.reshape(2 * LENGTH, -1)
        mask = prepare_4d_attention_mask(which, torch.float32)
        packed = model(input_ids=rows.reshape(1, -1), attention_mask=mask, position_ids=positions).logits[0]
    return float((alone - packed).abs().max() / alone.std()), slides


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_packed_rows_give_the_logits_that_they_give_alone(kind: str) -> None:
    backbone = KINDS[kind]
    found, slides = difference(backbone)
    assert slides == bool(backbone.window)
    if slides or not backbone.packs:
        assert found > 0.01, "this is why such a kind is not packed"
    else:
        assert found < 1e-3
