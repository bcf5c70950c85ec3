"""Twins are tiny, of their backbone's own kind, and the same for the same seed."""

import hashlib
import re
from pathlib import Path

import pytest

from common.errors import UserError
from recipes.catalog.catalog import backbones
from recipes.catalog.lookup import find_backbone
from recipes.llamafactory.loading import model_class
from recipes.rehearsal.twins import corpus, make_twin, sizes, twin_of


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_every_backbone_whose_code_is_here_says_how_its_twin_is_made() -> None:
    without = {name for name, backbone in backbones().items() if not backbone.twin}
    assert without == {"minicpm4-0.5b", "minicpm4-8b", "internlm3-8b"}
    assert {twin_of(backbones()[name]).tokenizer for name in set(backbones()) - without} == {
        "sentencepiece", "bytelevel",
    }  # fmt: skip
    with pytest.raises(UserError, match="internlm3-8b has no twin: its code comes from the hub"):
        twin_of(find_backbone("internlm3-8b"))


def test_a_misspelt_key_is_named() -> None:
    backbone = find_backbone("llama2-7b").model_copy(update={"twin": {"tokeniser": "bytelevel", "wheels": 4}})
    with pytest.raises(UserError) as told:
        twin_of(backbone)
    for words in ("'tokeniser'; did you mean tokenizer?", "unknown key 'wheels'", "missing key 'tokenizer'"):
        assert words in told.value.message


def test_a_backbone_without_an_entry_is_told_so() -> None:
    with pytest.raises(UserError, match="missing key 'tokenizer'"):
        twin_of(find_backbone("org/any-model"))


def test_the_text_they_learn_their_tokens_from_is_english_and_chinese() -> None:
    text = "".join(corpus())
    assert len(re.findall(r"[\u4e00-\u9fff]", text)) > 5000
    assert text.count(" the ") > 300


@pytest.mark.slow
def test_a_twin_is_small_and_of_its_own_kind(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = make_twin(find_backbone("qwen3-8b"), tmp_path / "twin")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 800_000
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert (type(model).__name__, model.config.model_type) == ("Qwen3ForCausalLM", "qwen3")
    assert model.config.num_key_value_heads < model.config.num_attention_heads
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer.encode("Aspirin 阿司匹林 100 mg")) == "Aspirin 阿司匹林 100 mg"
    assert tokenizer.encode("<|im_end|>") == [tokenizer.eos_token_id]


@pytest.mark.slow
def test_a_seed_makes_the_same_files_again(tmp_path: Path) -> None:
    backbone = find_backbone("baichuan2-13b")
    first, second = (hashes(make_twin(backbone, tmp_path / which)) for which in "ab")
    assert first == second
    assert hashes(make_twin(backbone, tmp_path / "c", seed=1)) != first


@pytest.mark.slow
def test_every_layer_of_a_twin_can_be_brought_to_four_bits_on_any_cpu() -> None:
    """Where a CPU computes in bfloat16 by AVX-512, bitsandbytes packs layers whose shape these sizes divide."""
    import torch
    from transformers import AutoConfig

    cannot = set()
    for name, backbone in backbones().items():
        twin = twin_of(backbone) if backbone.twin else None
        if not twin or twin.code:
            continue
        config = AutoConfig.for_model(backbone.architecture, pad_token_id=0, **sizes(backbone, twin, 2100))
        with torch.device("meta"):
            model = model_class(config).from_config(config)
        head = model.get_output_embeddings()
        layers = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear) and layer is not head]
        cannot |= {name for layer in layers if layer.in_features % 64 or layer.out_features % 32}
    assert cannot == {"qwen3.5-35b-a3b"}, "whose real gate of the shared expert has one output, too"
