"""Which model is served, and how: the exported one, or 4-bit weights with the adapter where a card is too small."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from common.errors import UserError
from common.files import write_json
from recipes import run
from recipes.export.model_card import write_model_card
from recipes.heldout import BATCH, LOGITS, batches
from recipes.preflight.surroundings import cannot_merge, weights_on_disk
from recipes.recipe import Recipe
from recipes.render import render_all
from tests.checkout import ROOT
from tests.recipes.samples import recipe

GIB = 2**30


def served(made: Recipe) -> dict[str, dict[str, object]]:
    files = render_all(made)
    return {who: yaml.safe_load(files[f"serve/{who}.yaml"]) for who in ("base", "tuned")}


def test_a_7b_model_on_a_t4_is_served_as_it_was_trained() -> None:
    made = recipe("phoenix-7b", "qlora", "t4", task="medical_zh")
    models = served(made)
    for settings in models.values():
        assert (settings["quantization_bit"], settings["quantization_type"]) == (4, "nf4")
        assert settings["model_name_or_path"] == made.model_path
        assert settings["infer_dtype"] == "float16"
    assert models["tuned"]["adapter_name_or_path"] == "runs/medical_zh/phoenix-7b/qlora/adapter"
    assert "adapter_name_or_path" not in models["base"]
    assert "of 14.7 GiB" in render_all(made)["serve/base.yaml"]


@pytest.mark.parametrize(
    ("model", "method", "hardware", "devices", "four_bits"),
    [
        ("phoenix-7b", "qlora", "t4", 1, True),
        ("phoenix-7b", "qlora", "t4", 2, False),  # spread over both, as Kaggle has them
        ("llama2-7b", "qlora", "24gb", 1, False),
        ("qwen3-4b", "qlora", "t4", 1, False),
        ("llama2-13b", "qlora", "24gb", 1, True),
        ("llama2-7b", "lora", "t4", 1, True),
        ("smollm2-135m", "qlora", "cpu", 1, False),
        ("llama2-7b", "full", "t4", 1, False),  # leaves no adapter
    ],
)
def test_four_bits_only_where_half_precision_does_not_fit(
    model: str, method: str, hardware: str, devices: int, four_bits: bool
) -> None:
    made = recipe(model, method, hardware, devices=devices)
    assert bool(made.why_four_bits) == four_bits
    assert ("quantization_bit" in served(made)["tuned"]) == four_bits
    exported = str(served(made)["tuned"]["model_name_or_path"]).endswith("/export")
    assert exported == (not four_bits)


def test_merging_asks_for_the_weights_as_they_lie_on_disk() -> None:
    made = recipe("phoenix-7b", "qlora", "t4")
    assert "16 GiB of RAM, and this machine has 12.7" in cannot_merge(made, 14 * GIB, 12.7)
    assert cannot_merge(made, 14 * GIB, 16.5) == ""
    assert cannot_merge(made, 0, 1.0) == ""
    assert cannot_merge(recipe("llama2-7b", "full", "80gb"), 14 * GIB, 1.0) == ""


def test_weights_are_counted_once_whatever_their_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub-home"))
    made = replace(recipe("llama2-7b"), model_path=str(tmp_path / "model"))
    (tmp_path / "model").mkdir()
    for name, size in (("pytorch_model-1.bin", 70), ("training_args.bin", 5)):
        (tmp_path / "model" / name).write_bytes(bytes(size))
    assert weights_on_disk(made) == 70
    (tmp_path / "model" / "model.safetensors").write_bytes(bytes(60))
    assert weights_on_disk(made) == 60
    from_hub = replace(made, model_path="some/model")
    assert weights_on_disk(from_hub) == 0
    snapshot = tmp_path / "hub-home/hub/models--some--model/snapshots/abc"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").write_bytes(bytes(9))
    assert weights_on_disk(from_hub) == 9


def test_too_little_ram_is_said_before_merging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = replace(recipe("phoenix-7b", "qlora", "t4"), model_path="model")
    folder = Path(made.folder)
    write_json(folder / "manifest.json", {"steps": {"train": {}}})
    Path("model").mkdir()
    with Path("model/pytorch_model.bin").open("wb") as file:
        file.truncate(14 * GIB)  # takes no disk
    monkeypatch.setattr(run, "ram_gb", lambda: 12.7)
    with pytest.raises(UserError, match=r"not exported: merging takes about 16 GiB") as caught:
        run.export(made)
    assert caught.value.hint.startswith("make answer TASK=medical_en MODEL=phoenix-7b METHOD=qlora HARDWARE=t4")
    small = replace(made, hardware=recipe("phoenix-7b", "qlora", "24gb").hardware)
    with pytest.raises(UserError) as caught:
        run.export(small)
    assert "more RAM" in caught.value.hint


def test_the_adapter_has_a_card_of_its_own_where_nothing_is_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = recipe("phoenix-7b", "qlora", "t4")
    settings = {"lora_rank": 16}
    write_json(
        Path(made.folder) / "manifest.json",
        {
            "identity": {"settings": settings}, "steps": {"train": {"seconds": 60}}, "hardware": "T4", "versions": {},
            "data": {"source": "here", "files": {"train": {"rows": 10, "sha256": "abc"}}},
        },
    )  # fmt: skip
    path = write_model_card(made)
    assert path == Path(made.folder) / "adapter/README.md"
    assert "AutoPeftModelForCausalLM" in path.read_text()
    with pytest.raises(UserError, match="has not been exported yet"):
        write_model_card(recipe("qwen3-4b", "qlora", "t4"))


def test_long_rows_of_a_large_vocabulary_are_measured_one_by_one() -> None:
    lengths = [100, 100, 100, 100, 100, 1024, 1024]
    assert list(batches([0, 1, 2, 3, 4, 5, 6], lengths, 32_000)) == [[0, 1, 2, 3], [4, 5, 6]]
    found = list(batches([0, 1, 2, 3, 4, 5, 6], lengths, 250_880))
    assert found == [[0, 1, 2, 3], [4], [5], [6]]
    assert all(len(part) <= BATCH for part in found)
    assert all(len(part) * max(lengths[i] for i in part) * 250_880 <= LOGITS for part in found)
    assert list(batches([], [], 1)) == []


def test_the_option_of_the_whole_way_is_known() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "recipes", "export", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--if-it-fits" in done.stdout
