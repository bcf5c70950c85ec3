"""A run's folder: what it holds, when it is refused, what a crash leaves usable."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import UserError
from common.files import read_json, sha256, write_json, write_jsonl
from recipes import run
from recipes.catalog.catalog import find_backbone, find_hardware, find_method
from recipes.choices.settings import DataFacts
from recipes.render import Recipe


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


def trained(recipe):
    """Take a run's folder to where training has ended."""
    folder = run.write_run(recipe)
    (folder / "adapter").mkdir(exist_ok=True)
    (folder / "adapter" / "weights").write_text("trained")
    run._finish(folder, "train", 1.0, {})
    return folder


def test_a_run_holds_its_recipe_and_where_its_rows_came_from(recipe):
    folder = run.write_run(recipe)
    assert folder == Path("runs/medical_en/smollm2-135m/lora")
    manifest = read_json(folder / "manifest.json")
    assert manifest["status"] == "rendered"
    assert manifest["data"]["source"] == "here"
    assert manifest["identity"]["settings"]["learning_rate"] == recipe.settings["learning_rate"]
    assert "llamafactory" in manifest["versions"]
    for name in ("recipe.yaml", "export.yaml", "serve/base.yaml", "serve/tuned.yaml"):
        assert (folder / name).is_file()


def test_the_same_recipe_again_keeps_what_is_done(recipe):
    folder = trained(recipe)
    run.write_run(recipe)
    assert read_json(folder / "manifest.json")["steps"]["train"]["seconds"] == 1.0
    assert (folder / "adapter" / "weights").exists()


def test_how_many_workers_is_no_other_recipe(recipe):
    trained(recipe)
    run.write_run(replace(recipe, overrides={"preprocessing_num_workers": 7}))


def test_a_finished_run_of_another_recipe_is_not_overwritten(recipe):
    folder = trained(recipe)
    with pytest.raises(UserError, match=r"learning_rate \(.* -> 1e-05\), seed \(42 -> 1\)") as refused:
        run.write_run(replace(recipe, overrides={"learning_rate": 1e-5, "seed": 1}))
    assert "VARIANT=" in refused.value.hint
    assert "FORCE=1" in refused.value.hint
    assert (folder / "adapter" / "weights").exists()


def test_nor_is_one_of_other_rows(recipe):
    trained(recipe)
    write_rows("two")
    with pytest.raises(UserError, match="changed: the rows"):
        run.write_run(recipe)


def test_force_replaces_it(recipe):
    folder = trained(recipe)
    run.write_run(replace(recipe, overrides={"seed": 1}), force=True)
    assert not (folder / "adapter").exists()
    assert read_json(folder / "manifest.json")["identity"]["settings"]["seed"] == 1
    assert read_json(folder / "manifest.json")["steps"] == {}


def test_rows_that_were_never_converted_are_asked_for(recipe):
    Path("data/medical_en/card.json").unlink()
    with pytest.raises(UserError, match="no converted rows of medical_en") as refused:
        run.write_run(recipe)
    assert refused.value.hint == "make convert TASK=medical_en"


def test_exporting_what_was_not_trained_is_refused(recipe):
    run.write_run(recipe)
    with pytest.raises(UserError, match="has not been trained yet"):
        run.export(recipe)


def test_a_checkpoint_that_was_half_written_is_not_resumed_from(tmp_path):
    for name, state in (("checkpoint-10", '{"global_step": 10}'), ("checkpoint-20", '{"glo'), ("checkpoint-30", None)):
        (tmp_path / name).mkdir()
        if state is not None:
            (tmp_path / name / "trainer_state.json").write_text(state)
    run._drop_broken_checkpoints(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-10"]


@pytest.mark.parametrize(
    ("log", "cure"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "METHOD=qlora"),
        ("OSError: You are trying to access a gated repo.", "hf auth login"),
        ("RuntimeError: Cannot find valid samples, check `data/README.md`", "make convert"),
        ("OSError: We couldn't connect to 'https://huggingface.co'", "check the network"),
        ("OSError: [Errno 28] No space left on device", "free some disk"),
        ("ValueError: something new", "the same command goes on"),
    ],
)
def test_the_failures_users_meet_most_come_with_their_cure(log, cure):
    assert cure in run.explain(log)


@pytest.mark.parametrize(("log", "code"), [("", 247), ("", 137), ("exitcode: -9 ... Signal 9 (SIGKILL) received", 1)])
def test_a_run_that_the_system_killed_is_told_that_ram_ran_out(log, code):
    assert "RAM runs out" in run.explain(log, code)
    assert "RAM runs out" not in run.explain("", 1)


def test_the_peak_of_memory_is_read_from_llamafactorys_log(tmp_path):
    assert run._peak_vram(tmp_path) is None
    rows = [{"vram_reserved": 3.5}, {"vram_reserved": 7.25}, {"loss": 1.0}]
    (tmp_path / "trainer_log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run._peak_vram(tmp_path) == 7.25
