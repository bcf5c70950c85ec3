"""From an export to llama.cpp and Ollama: what transformers leaves out is put back, and a wrong GGUF is found out.

The converter is llama.cpp's own where LLAMA_CPP names a checkout, and a stand-in where not.
"""

import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from common.errors import UserError
from common.files import read_json
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.export.gguf import CONVERTER, check_kind, export_gguf, problems
from recipes.export.modelfile import ChatFormat
from recipes.prepare.prepare import correct, link, preparation
from recipes.recipe import Recipe
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT


def test_a_kind_is_refused_before_anything_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError) as wrong:
        check_kind("q8", {})
    assert "q8_0" in str(wrong.value.hint)
    with pytest.raises(UserError) as missing:
        check_kind("q8_0", {})
    assert "git clone" in str(missing.value.hint)
    with pytest.raises(UserError, match=f"holds no {CONVERTER}"):
        check_kind("q8_0", {"LLAMA_CPP": str(tmp_path)})
    (tmp_path / CONVERTER).touch()
    assert check_kind("q8_0", {"LLAMA_CPP": str(tmp_path)}) == tmp_path
    with pytest.raises(UserError) as uncompiled:
        check_kind("q4_k_m", {"LLAMA_CPP": str(tmp_path)})
    assert "ollama create my-model --quantize Q4_K_M" in str(uncompiled.value.hint)
    (tmp_path / "build/bin").mkdir(parents=True)
    (tmp_path / "build/bin/llama-quantize").touch()
    assert check_kind("q4_k_m", {"LLAMA_CPP": str(tmp_path)}) == tmp_path


class Tokenizer:
    """What the checks ask of an exported tokenizer."""

    bos_token, bos_token_id, eos_token_id = "<s>", 1, 2

    def __init__(self) -> None:
        self.added_tokens_decoder = {3: SimpleNamespace(content="<user>")}

    def encode(self, text: str) -> list[int]:
        return [1]


FORM = ChatFormat("", "", "<user>{{content}}", "{{content}}</s>", stops=("</s>",))
RIGHT = {
    "model": "llama", "tokens": ["<unk>", "<s>", "</s>", "<user>", "a"], "scores": [0.0, 0.0, 0.0, 0.0, -1.0],
    "token_type": [2, 3, 3, 3, 1], "eos_token_id": 2, "add_bos_token": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({}, ""),
        ({"eos_token_id": 0}, "it ends at token 0"),
        ({"token_type": [2, 3, 3, 1, 1]}, "'<user>' would be cut"),
        ({"tokens": ["<unk>", "<s>", "</s>", "<pad>", "a"]}, "token 3 is '<pad>' instead of '<user>'"),
        ({"scores": [-1000.0] * 5}, "the scores"),
        ({"add_bos_token": False}, "does not put <s>"),
    ],
)
def test_what_llama_cpp_would_read_otherwise_is_named(fault: dict[str, object], said: str) -> None:
    found = problems({**RIGHT, **fault}, Tokenizer(), FORM)
    assert (said in found[0] and len(found) == 1) if said else found == []


@pytest.fixture
def exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """A run whose model, a prepared twin, was exported as LLaMA-Factory does: with what transformers saves."""
    import torch
    from transformers import AutoTokenizer

    backbone = find_backbone("baichuan2-7b")
    twin, prepared, wanted = make_twin(backbone, tmp_path / "twin"), tmp_path / "prepared", preparation(backbone)
    prepared.mkdir()
    link(twin, prepared)
    correct(prepared, wanted)
    (tmp_path / "checkout").mkdir()
    monkeypatch.chdir(tmp_path / "checkout")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("LLAMA_CPP", os.environ.get("LLAMA_CPP") or str(tmp_path / "llama.cpp"))
    stand_in = tmp_path / "llama.cpp"
    stand_in.mkdir()
    shutil.copy(Path(__file__).with_name("stand_in_converter.py"), stand_in / CONVERTER)
    recipe = Recipe(
        "law_zh", backbone, find_method("lora"), find_hardware("cpu"), DataFacts(), model_path=str(prepared)
    )  # fmt: skip
    export = Path(recipe.folder) / "export"
    export.mkdir(parents=True)
    AutoTokenizer.from_pretrained(prepared).save_pretrained(export)
    for name in ("config.json", "generation_config.json"):
        shutil.copy(twin / name, export / name)
    trained = torch.load(twin / "pytorch_model.bin")
    trained["model.layers.0.self_attn.q_proj.weight"] += 1
    torch.save(trained, export / "pytorch_model.bin")
    settings = {"model_name_or_path": str(prepared), "export_dir": str(export)}
    (Path(recipe.folder) / "export.yaml").write_text(yaml.safe_dump(settings))
    return recipe


@pytest.mark.slow
def test_an_export_is_completed_and_converted(exported: Recipe) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoTokenizer

    from recipes.export.finish import finish, has_learnt, is_its_base

    export = Path(exported.folder) / "export"
    assert not (export / "tokenizer.model").exists()
    with pytest.raises(UserError, match="checking it ended"):  # the export of an older version, not completed
        export_gguf(exported, "q8_0")
    assert "the scores of its sentencepiece tokens" in (export.parent / "logs/gguf.log").read_text()
    assert not (export.parent / "gguf/q8_0").exists()

    text = "遗嘱怎样写才有效？ Who pays 75%?<reserved_106>"
    before = AutoTokenizer.from_pretrained(export).encode(text)
    assert is_its_base(export, export)
    assert not is_its_base(export, Path(exported.model_path))
    for adds, learns in ((0, False), (1, True)):
        save_file(
            {"layer.lora_A.weight": torch.ones(2), "layer.lora_B.weight": torch.ones(2) * adds}, "adapter.safetensors"
        )
        assert has_learnt(Path()) == learns
    finish(str(export.parent / "export.yaml"), exported.model_path)
    assert AutoTokenizer.from_pretrained(export).encode(text) == before
    assert (export / "tokenizer.model").is_file()
    config = read_json(export / "tokenizer_config.json")
    assert config["add_bos_token"] is False
    assert "<reserved_106>" in {token["content"] for token in config["added_tokens_decoder"].values()}
    assert "FROM .\n" in (export / "Modelfile").read_text()

    made = export_gguf(exported, "q8_0")
    words = (made / "Modelfile").read_text()
    assert "FROM ./model.gguf\n" in words
    assert "<reserved_106>{{ .Content }}<reserved_107>" in words
    assert 'PARAMETER stop "</s>"' in words
    kept = (made / "model.gguf").stat().st_mtime_ns
    export_gguf(exported, "q8_0")
    assert (made / "model.gguf").stat().st_mtime_ns == kept
