"""Answers of a run's own models are known again wherever its folder is, and asked for again when the model changed."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from common.errors import UserError
from eval.answering import served_model
from eval.answering.served_model import identity


@pytest.fixture
def config(workplace: Path) -> Path:
    """A run's serve/base.yaml, and the model that it names."""
    run, model = workplace / "runs/t/m/lora", workplace / "models/m"
    (run / "serve").mkdir(parents=True)
    model.mkdir(parents=True)
    (model / "model.safetensors").write_bytes(os.urandom(300_000))
    (model / "config.json").write_text("{}")
    (run / "manifest.json").write_text(json.dumps({"model": "smollm2-135m"}))
    path = run / "serve/base.yaml"
    path.write_text("model_name_or_path: models/m\ntemplate: default\n")
    return path


@pytest.mark.parametrize("place", [0, 150_000, 299_999])
def test_changed_weights_are_another_model(config: Path, place: int) -> None:
    before = identity(config)
    assert identity(config) == before
    with Path("models/m/model.safetensors").open("r+b") as file:
        file.seek(place)
        old = file.read(1)
        file.seek(place)
        file.write(bytes([old[0] ^ 1]))
    assert identity(config) != before


def test_other_settings_are_another_model(config: Path) -> None:
    before = identity(config)
    config.write_text("model_name_or_path: models/m\ntemplate: qwen\n")
    assert identity(config) != before


def test_a_copy_and_a_new_card_are_the_same_model(config: Path) -> None:
    before = identity(config)
    shutil.copytree("models/m", "models/copy")
    shutil.rmtree("models/m")
    Path("models/copy").rename("models/m")
    Path("models/m/README.md").write_text("measured")
    os.utime("models/m/config.json", (1, 1))
    assert identity(config) == before


def test_a_model_that_is_not_here_is_the_one_that_was(config: Path) -> None:
    before = identity(config)
    shutil.rmtree("models/m")
    assert identity(config) == before


def test_a_backbone_that_is_not_here_is_prepared_before_it_is_served(config: Path, monkeypatch) -> None:
    calls = []

    def prepare(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        calls.append(command[1:])
        return subprocess.CompletedProcess(command, len(calls) - 1)

    monkeypatch.setattr("common.subprocesses.subprocess.run", prepare)
    run = config.parents[1]
    served_model.ensure_here(run, config)
    assert calls == []
    shutil.rmtree("models/m")
    served_model.ensure_here(run, config)
    assert calls == [["-m", "recipes", "prepare", "--model", "smollm2-135m"]]
    with pytest.raises(SystemExit) as ended:
        served_model.ensure_here(run, config)
    assert ended.value.code == 1
    config.write_text("model_name_or_path: Qwen/Qwen3-0.6B\n")
    served_model.ensure_here(run, config)
    assert len(calls) == 2, "the hub's own are loaded by the server"


def test_what_the_run_has_not_made_yet_is_said_with_its_command(config: Path) -> None:
    run, tuned = config.parents[1], config.with_name("tuned.yaml")
    tuned.write_text("model_name_or_path: runs/t/m/lora/export\n")
    (run / "manifest.json").write_text(json.dumps({"model": "m", "command": "make run TASK=t", "steps": {"train": {}}}))
    with pytest.raises(UserError, match="has not been exported yet: there is no runs/t/m/lora/export") as caught:
        served_model.ensure_here(run.resolve(), tuned)
    assert caught.value.hint == "make run TASK=t"
    tuned.write_text("model_name_or_path: models/m\nadapter_name_or_path: runs/t/m/lora/adapter\n")
    (run / "manifest.json").write_text(json.dumps({"model": "m", "command": "make run TASK=t", "steps": {}}))
    with pytest.raises(UserError, match="has not been trained yet"):
        served_model.ensure_here(run, tuned)
    (run / "manifest.json").unlink()  # only rendered
    shutil.rmtree("models/m")
    with pytest.raises(UserError, match="has not been trained yet: there is no models/m"):
        served_model.ensure_here(run, config)
