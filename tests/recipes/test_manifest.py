"""A run's folder: what it holds, when it is refused, what a crash leaves usable."""

from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import UserError
from common.files import read_json
from recipes import manifest
from tests.recipes.conftest import write_rows


def trained(recipe):
    """Take a run's folder to where training has ended."""
    folder = manifest.write_run(recipe)
    (folder / "adapter").mkdir(exist_ok=True)
    (folder / "adapter" / "weights").write_text("trained")
    manifest.finish(folder, "train", 1.0, {})
    return folder


def test_a_run_holds_its_recipe_and_where_its_rows_came_from(recipe):
    folder = manifest.write_run(recipe)
    assert folder == Path("runs/medical_en/smollm2-135m/lora")
    written = read_json(folder / "manifest.json")
    assert written["status"] == "rendered"
    assert written["data"]["source"] == "here"
    assert written["identity"]["settings"]["learning_rate"] == recipe.settings["learning_rate"]
    assert "llamafactory" in written["versions"]
    for name in ("recipe.yaml", "export.yaml", "serve/base.yaml", "serve/tuned.yaml"):
        assert (folder / name).is_file()


def test_the_same_recipe_again_keeps_what_is_done(recipe):
    folder = trained(recipe)
    manifest.write_run(recipe)
    assert read_json(folder / "manifest.json")["steps"]["train"]["seconds"] == 1.0
    assert (folder / "adapter" / "weights").exists()


def test_how_many_workers_is_no_other_recipe(recipe):
    trained(recipe)
    manifest.write_run(replace(recipe, overrides={"preprocessing_num_workers": 7}))


def test_a_finished_run_of_another_recipe_is_not_overwritten(recipe):
    folder = trained(recipe)
    with pytest.raises(UserError, match=r"learning_rate \(.* -> 1e-05\), seed \(42 -> 1\)") as refused:
        manifest.write_run(replace(recipe, overrides={"learning_rate": 1e-5, "seed": 1}))
    assert "VARIANT=" in refused.value.hint
    assert "FORCE=1" in refused.value.hint
    assert (folder / "adapter" / "weights").exists()


def test_nor_is_one_of_other_rows(recipe):
    trained(recipe)
    write_rows("two")
    with pytest.raises(UserError, match="changed: the rows"):
        manifest.write_run(recipe)


def test_force_replaces_it(recipe):
    folder = trained(recipe)
    manifest.write_run(replace(recipe, overrides={"seed": 1}), force=True)
    assert not (folder / "adapter").exists()
    assert read_json(folder / "manifest.json")["identity"]["settings"]["seed"] == 1
    assert read_json(folder / "manifest.json")["steps"] == {}


def test_rows_that_were_never_converted_are_asked_for(recipe):
    Path("data/medical_en/card.json").unlink()
    with pytest.raises(UserError, match="no converted rows of medical_en") as refused:
        manifest.write_run(recipe)
    assert refused.value.hint == "make convert TASK=medical_en"
