"""Whether an export holds what was trained, told by its tensors."""

import pytest

from recipes.catalog.lookup import find_backbone
from recipes.rehearsal.twins import make_twin

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("model.layers.0.w", "model.layers.0.w"),
        ("language_model.model.layers.0.w", "model.language_model.model.layers.0.w"),  # Gemma 3, Mistral Small 3.2
        ("model.language_model.layers.0.w", "model.language_model.model.layers.0.w"),
    ],
)
def test_an_export_without_its_adapter_is_told_whatever_its_tensors_are_called(tmp_path, theirs, ours):
    import torch
    from safetensors.torch import save_file

    from recipes.export.finish import is_its_base

    seen = {"vision_tower.w": torch.ones(2)}
    for folder in ("base", "merged", "empty"):
        (tmp_path / folder).mkdir()
    save_file(seen | {theirs: torch.zeros(2)}, tmp_path / "base/model.safetensors")
    save_file(seen | {ours: torch.ones(2)}, tmp_path / "merged/model.safetensors")
    save_file(seen | {ours: torch.zeros(2)}, tmp_path / "empty/model.safetensors")
    assert not is_its_base(tmp_path / "merged", tmp_path / "base")
    assert is_its_base(tmp_path / "empty", tmp_path / "base")


@pytest.mark.parametrize("name", ["ministral3-3b", "gemma3-4b", "qwen2.5-0.5b"])
def test_an_export_is_tried_by_a_class_that_knows_its_kind(tmp_path, name):
    from recipes.export.finish import problem_with

    assert problem_with(str(make_twin(find_backbone(name), tmp_path / "twin"))) == ""
