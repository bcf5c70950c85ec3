"""A run that was broken off goes on in other batches, and what is told of it is told of all its steps."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from common.files import read_json
from recipes.catalog.lookup import find_backbone
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT

pytestmark = pytest.mark.slow

SET = (
    "max_steps=8 save_steps=2 save_total_limit=9 eval_strategy=no train_sampling_strategy=random cutoff_len=128 "
    "preprocessing_num_workers=1 learning_rate=1e-3"
)


def train(folder: Path, settings: str) -> str:
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    names = ["--task", "medical_en", "--model", "twin", "--hardware", "cpu", "--set", f"{SET} {settings}"]
    rows = ["--source", str(ROOT / "converters/examples/medical_en"), "--limit", "40"]
    done = subprocess.run(
        [sys.executable, "-m", "recipes", "train", *names, *rows],
        cwd=folder, env=variables, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_goes_on_in_other_batches_and_tells_the_loss_of_all_steps(tmp_path: Path) -> None:
    make_twin(find_backbone("qwen3-0.6b"), tmp_path / "twin")
    train(tmp_path, "per_device_train_batch_size=2 gradient_accumulation_steps=1")
    run = tmp_path / "runs/medical_en/twin/lora"
    whole = read_json(run / "manifest.json")
    steps = whole.pop("steps")
    # as a crash behind step 4 leaves it
    (run / "manifest.json").write_text(json.dumps({**whole, "status": "rendered", "steps": {}}))
    for name in ("checkpoint-6", "checkpoint-8"):
        shutil.rmtree(run / "adapter" / name)

    said = train(tmp_path, "per_device_train_batch_size=1 gradient_accumulation_steps=2")
    assert "per_device_train_batch_size (2 -> 1)" in said
    log = (run / "logs/train.log").read_text(encoding="utf-8")
    assert "checkpoint-4" in log.rpartition("$ ")[2]
    resumed = read_json(run / "manifest.json")["steps"]["train"]
    theirs = read_json(run / "adapter/all_results.json")["train_loss"]
    loss = steps["train"]["results"]["train_loss"]
    assert resumed["results"]["train_loss"] == pytest.approx(loss, rel=0.02)
    assert theirs < 0.7 * loss, "which transformers tells of the last four steps divided by eight"
    assert resumed["seconds"] > 0
