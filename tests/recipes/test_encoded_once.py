"""Encoded rows are found again by the runs that share them, and by no other: the recipe's own keys, a twin, real rows.

Takes about 15 seconds: one process in which LLaMA-Factory reads its rows eight times.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.recipe import Recipe
from recipes.rehearsal.twins import make_twin

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_templates")]

ROWS = [{"instruction": f"What is number {i}?", "output": f"It is {i}."} for i in range(40)]


def encoded(folder: Path, **changed: Any) -> str:
    """Return the name of the file that the encoded rows of a recipe lie in."""
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    recipe = Recipe(
        "rows", find_backbone("qwen3-0.6b"), find_method("lora"), find_hardware("cpu"), DataFacts(40, "en", 40, 50),
        model_path=str(folder / "twin"), overrides={"dataset_dir": str(folder), "eval_strategy": "no", **changed},
    )  # fmt: skip
    settings = {key: value for key, value in recipe.settings.items() if key != "eval_dataset"}
    model, data, training, _, _ = get_train_args({**settings, "output_dir": str(folder / "out")})
    modules = load_tokenizer(model)
    template = get_template_and_fix_tokenizer(modules["tokenizer"], data)
    rows = get_dataset(template, model, data, training, stage="sft", **modules)["train_dataset"]
    assert len(rows)
    return str(rows.cache_files[0]["filename"])


def test_encoded_rows_are_shared_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    make_twin(find_backbone("qwen3-0.6b"), tmp_path / "twin")
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(ROWS))
    entry = {"file_name": "rows.json", "columns": {"prompt": "instruction", "response": "output"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps({"rows": entry}))

    first = encoded(tmp_path)
    kept = Path(first).stat().st_mtime_ns
    assert encoded(tmp_path, lora_rank=4, learning_rate=1e-3, seed=7, per_device_train_batch_size=2) == first
    assert Path(first).stat().st_mtime_ns == kept, "found, not made anew"

    others = [
        encoded(tmp_path, cutoff_len=64),
        encoded(tmp_path, template="llama3"),
        encoded(tmp_path, default_system="Be brief."),
        encoded(tmp_path, packing=True),
    ]
    make_twin(find_backbone("smollm2-360m"), tmp_path / "twin")  # another vocabulary in the same folder
    others.append(encoded(tmp_path))
    make_twin(find_backbone("qwen3-0.6b"), tmp_path / "twin")
    rows.write_text(json.dumps([*ROWS[:-1], {"instruction": "What?", "output": "This."}]))
    others.append(encoded(tmp_path))
    assert len({first, *others}) == 1 + len(others)
