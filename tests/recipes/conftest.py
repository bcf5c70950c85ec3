"""A recipe whose few rows are converted, in an empty working directory."""

from pathlib import Path

import pytest

from common.files import sha256, write_json, write_jsonl
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware, find_method
from recipes.recipe import Recipe


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    """Return a recipe whose rows are there, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    write_rows("one")
    return Recipe(
        task="medical_en",
        backbone=find_backbone("smollm2-135m"),
        method=find_method("lora"),
        hardware=find_hardware("cpu"),
        data=DataFacts(rows=3, mean_characters=400, longest_usual=600),
        model_path="models/smollm2-135m",
    )


def write_rows(text):
    folder = Path("data/medical_en")
    files = {}
    for name in ("train", "val", "test"):
        rows = write_jsonl(folder / f"{name}.jsonl", [{"instruction": text, "input": "", "output": "x"}])
        files[name] = {"rows": rows, "sha256": sha256(folder / f"{name}.jsonl")}
    write_json(folder / "card.json", {"source": "here", "files": files})
