"""A run's folder: what it holds, when it is refused, what a crash leaves usable."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import UserError
from common.files import read_json, write_json
from recipes import manifest
from recipes.catalog.lookup import find_hardware
from tests.checkout import ROOT
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
    assert written["data"]["system"] == ""
    card = Path("data/medical_en/card.json")
    write_json(card, read_json(card) | {"made_from": {"settings": {"system": "Be brief."}}})
    assert manifest.data_identity("medical_en")["system"] == "Be brief.", "which both models are then asked with"
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


def test_force_trains_a_finished_run_anew_and_goes_on_with_an_interrupted_one(recipe):
    folder = interrupted(recipe)
    manifest.write_run(recipe, force=True)
    assert manifest.has_begun(folder), "FORCE=1 may stand there for the plan's sake"
    manifest.finish(folder, "train", 1.0, {})
    manifest.write_run(recipe, force=True)
    assert not manifest.has_begun(folder)


def interrupted(recipe):
    """Take a run's folder to its first checkpoint."""
    folder = manifest.write_run(recipe)
    write_json(folder / "adapter" / "checkpoint-10" / "trainer_state.json", {"global_step": 10})
    return folder


@pytest.mark.parametrize(
    "changed", [{"lora_rank": 8}, {"learning_rate": 1e-5}, {"template": "qwen"}, {"cutoff_len": 64}]
)
def test_what_would_train_other_weights_is_refused_once_there_is_a_checkpoint(recipe, changed):
    folder = interrupted(recipe)
    before = (folder / "recipe.yaml").read_text()
    with pytest.raises(UserError, match=f"another recipe; changed: {next(iter(changed))}") as refused:
        manifest.write_run(replace(recipe, overrides=changed))
    assert refused.value.hint.endswith("; as it began: make train TASK=medical_en MODEL=smollm2-135m")
    assert manifest.has_begun(folder)
    assert (folder / "recipe.yaml").read_text() == before


def test_so_are_other_rows_and_another_number_of_sequences_a_step(recipe):
    folder = interrupted(recipe)
    twice = 2 * recipe.settings["gradient_accumulation_steps"]
    with pytest.raises(UserError, match=r"sequences an optimizer step \(1 -> 2\)"):
        manifest.write_run(replace(recipe, overrides={"gradient_accumulation_steps": twice}))
    write_rows("two")
    with pytest.raises(UserError, match="changed: the rows"):
        manifest.write_run(recipe)
    assert manifest.has_begun(folder)


def test_what_only_changes_how_goes_on(recipe, capsys):
    made = replace(recipe, overrides={"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2})
    folder = interrupted(made)
    how = {
        "per_device_train_batch_size": 1, "gradient_accumulation_steps": 8, "bf16": True, "flash_attn": "disabled",
        "disable_gradient_checkpointing": False, "per_device_eval_batch_size": 1, "enable_liger_kernel": True,
        "save_steps": 3,
    }  # fmt: skip
    manifest.write_run(replace(recipe, overrides=how))
    assert manifest.has_begun(folder)
    assert "per_device_train_batch_size (4 -> 1)" in capsys.readouterr().out
    assert read_json(folder / "manifest.json")["identity"]["settings"]["gradient_accumulation_steps"] == 8
    assert "gradient_accumulation_steps: 8" in (folder / "recipe.yaml").read_text()


def test_several_cards_with_as_many_sequences_go_on(recipe):
    folder = interrupted(replace(recipe, overrides={"gradient_accumulation_steps": 4}))
    two = recipe.hardware.model_copy(update={"devices": 2})
    manifest.write_run(replace(recipe, hardware=two, overrides={"gradient_accumulation_steps": 2}))
    assert manifest.has_begun(folder)


def test_another_card_is_told_how_to_go_on_as_the_run_began(recipe):
    interrupted(recipe)
    with pytest.raises(UserError, match=r"packing \(unset -> True\)") as refused:
        manifest.write_run(replace(recipe, hardware=find_hardware("24gb"), hardware_name="24gb"))
    assert "as it began: make train" not in refused.value.hint or "packing=false" in refused.value.hint


def test_rendering_writes_nothing_into_a_run_that_has_begun(recipe):
    folder = interrupted(recipe)
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    text = manifest.render_only(replace(recipe, overrides={"lora_rank": 4}))
    assert "lora_rank: 4" in text
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == kept


def test_nor_into_one_that_is_running(recipe):
    folder = manifest.write_run(recipe)
    before = (folder / "recipe.yaml").read_text()
    hold = "import sys, time; from pathlib import Path; from common.process import only_one\n"
    hold += "with only_one(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", hold, folder], stdout=subprocess.PIPE, env=environment) as running:
        assert running.stdout.readline() == b"held\n"
        assert "seed: 9" in manifest.render_only(replace(recipe, overrides={"seed": 9}))
        running.terminate()
    assert (folder / "recipe.yaml").read_text() == before


def test_before_the_first_checkpoint_another_recipe_takes_its_place(recipe):
    folder = manifest.write_run(recipe)
    manifest.write_run(replace(recipe, overrides={"seed": 9}))
    assert "seed: 9" in (folder / "recipe.yaml").read_text()


def test_rows_that_were_never_converted_are_asked_for(recipe):
    Path("data/medical_en/card.json").unlink()
    with pytest.raises(UserError, match="no converted rows of medical_en") as refused:
        manifest.write_run(recipe)
    assert refused.value.hint == "make convert TASK=medical_en"


def test_thinking_in_serving_alone_is_no_other_run(recipe):
    thinking = replace(recipe, backbone=recipe.backbone.model_copy(update={"thinks": True}))
    one, other = (manifest.weights_of(manifest.identity(one)) for one in (thinking, replace(thinking, think=True)))
    assert one == other
    forced = replace(thinking, overrides={"enable_thinking": True})
    assert manifest.weights_of(manifest.identity(forced)) != one, "which learns an empty thought"
