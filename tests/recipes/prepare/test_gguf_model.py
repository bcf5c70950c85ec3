"""The embedded backbone: real weights, and a tokenizer that keeps text and special tokens."""

import pytest

from common.errors import UserError
from common.files import read_json
from recipes.catalog.lookup import find_backbone
from recipes.prepare.gguf_model import locate


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(UserError, match="package no_such_package with x"):
        locate("no_such_package", "x.gguf")


@pytest.mark.slow
def test_the_prepared_model_speaks_and_its_tokens_are_right(tmp_path, monkeypatch):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from recipes.prepare.prepare import is_prepared, prepare

    monkeypatch.chdir(tmp_path)
    backbone = find_backbone("smollm2-135m")
    folder = prepare(backbone)
    assert is_prepared(backbone)
    assert read_json(folder / "config.json")["model_type"] == "llama"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert (len(tokenizer), tokenizer.bos_token, tokenizer.eos_token) == (49152, "<|im_start|>", "<|im_end|>")
    assert tokenizer.tokenize("2024") == ["2", "0", "2", "4"]
    assert tokenizer.pad_token_id is not None
    text = "Dose:\n\t2.5 mg  daily — 每日一次。"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True, return_tensors="pt", return_dict=True,
    )  # fmt: skip
    answer = model.generate(**asked, max_new_tokens=24, do_sample=False)[0][asked["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
    assert answer[-1] == tokenizer.eos_token_id
