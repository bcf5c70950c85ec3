"""The launch path for more than one device: two processes, on a twin on the CPU."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from recipes.catalog.lookup import find_backbone
from recipes.choices.batch import deepspeed_file
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT, UNMEASURED

TRAIN = ["-m", "recipes", "train", "--task", "medical_en", "--model", "twin", "--hardware", "cpu"]
SHORT = ["--set", "max_steps=2 eval_strategy=no"]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a twin and a few converted rows."""
    folder = tmp_path_factory.mktemp("distributed")
    make_twin(find_backbone("qwen3-0.6b"), folder / "twin")
    rows = str(ROOT / "converters" / "examples" / "medical_en")
    convert = ["-m", "converters", "convert", "--task", "medical_en", "--source", rows, "--limit", "40"]
    subprocess.run([sys.executable, *convert], cwd=folder, env=variables(), check=True, capture_output=True)
    return folder


def variables(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("GPUS", "NNODES", "NODE_RANK")}
    return {**kept, "PYTHONPATH": f"{ROOT}{os.pathsep}{UNMEASURED}", "HF_HUB_OFFLINE": "1", **more}


def start(folder: Path, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *TRAIN, *SHORT],
        cwd=folder, env=variables(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def ranks(folder: Path) -> list[str]:
    log = (folder / "runs" / "medical_en" / "twin" / "lora" / "logs" / "train.log").read_text(encoding="utf-8")
    return sorted(re.findall(r"Process rank: (\d+, world size: \d+)", log))


@pytest.mark.slow
def test_two_processes_train_together_on_one_machine(workplace: Path) -> None:
    process = start(workplace, GPUS="2")
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    assert ranks(workplace) == ["0, world size: 2", "1, world size: 2"]
    folder = workplace / "runs" / "medical_en" / "twin" / "lora"
    assert (folder / "adapter" / "adapter_model.safetensors").is_file()
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["status"] == "trained"
    assert manifest["steps"]["train"]["peak_ram_gb"] > 0


def test_only_what_the_settings_name_is_written() -> None:
    assert deepspeed_file({}) == {}
    assert set(deepspeed_file({"deepspeed": "runs/x/deepspeed-zero3-offload.json"})) == {"deepspeed-zero3-offload.json"}
    assert deepspeed_file({"deepspeed": "my/own.json"}) == {}  # the user's own file is not ours to write


@pytest.mark.parametrize(("name", "stage", "offloads"), [("zero2", 2, 0), ("zero3", 3, 0), ("zero3-offload", 3, 2)])
def test_deepspeed_gets_the_stage_of_its_name(name: str, stage: int, offloads: int) -> None:
    (config,) = deepspeed_file({"deepspeed": f"runs/x/deepspeed-{name}.json"}).values()
    zero = config["zero_optimization"]
    assert zero["stage"] == stage
    assert sum(key.startswith("offload") for key in zero) == offloads
