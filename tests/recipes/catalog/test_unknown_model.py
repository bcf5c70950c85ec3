"""Models without an entry: what their own config.json says of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from recipes.catalog.catalog import Shape
from recipes.catalog.lookup import find_backbone
from recipes.catalog.unknown_model import facts, template_hint

QWEN3 = {
    "model_type": "qwen3", "num_hidden_layers": 36, "hidden_size": 4096, "intermediate_size": 12288, "head_dim": 128,
    "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 151936, "max_position_embeddings": 40960,
    "tie_word_embeddings": False, "torch_dtype": "bfloat16",
}  # fmt: skip


def test_a_kind_of_ours_has_its_shape_and_its_switches() -> None:
    found = facts(QWEN3)
    assert found["shape"] == find_backbone("qwen3-8b").shape
    assert (found["sdpa"], found["liger"], found["context"], found["dtype"]) == (True, True, 40960, "bfloat16")


def test_bloom_names_its_sizes_otherwise_and_has_no_fused_attention() -> None:
    found = facts({"model_type": "bloom", "n_layer": 24, "hidden_size": 1024, "n_head": 16, "vocab_size": 250880})
    assert found["shape"] == Shape(
        layers=24, hidden=1024, mlp=4096, heads=16, kv_heads=16, vocabulary=250880, mlp_matrices=2
    )  # fmt: skip
    assert found["sdpa"] is False


@pytest.mark.parametrize("more", [{"num_experts": 8}, {"vision_config": {}}, {"quantization_config": {}}])
def test_no_shape_is_claimed_where_it_would_not_tell_the_memory(more: dict[str, Any]) -> None:
    assert facts(QWEN3 | more)["shape"] is None


def test_of_a_kind_that_is_not_ours_nothing_is_claimed() -> None:
    found = facts(QWEN3 | {"model_type": "newest"})
    assert (found["sdpa"], found["liger"], found["unsloth"]) == (False, False, False)
    assert facts({})["shape"] is None


def test_a_hub_id_knows_its_shape_once_its_config_was_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert find_backbone("someone/Model").shape is None
    folder = tmp_path / "hub" / "models--someone--Model" / "snapshots" / "abc"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(QWEN3))
    assert find_backbone("someone/Model").size == "8.2B"


def test_a_config_that_is_not_json_is_said(tmp_path: Path) -> None:
    for name in ("tokenizer_config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "config.json").write_text("{,")
    with pytest.raises(UserError, match="is not JSON"):
        find_backbone(str(tmp_path))


def test_the_templates_that_go_with_a_kind_are_named() -> None:
    assert "(gemma2 are used with gemma2)" in template_hint("gemma2")
    assert 'SET="template=..."' in template_hint("newest")
