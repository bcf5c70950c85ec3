"""From words to one recipe: every name looked up once, whatever the command goes on to do."""

import json
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from click.testing import CliRunner

from common.errors import UserError
from recipes import recipe as module
from recipes import run
from recipes.__main__ import main
from recipes.catalog.datasets import find_task
from recipes.catalog.lookup import find_backbone, find_method
from recipes.catalog.machine import resolve_hardware
from recipes.llamafactory.keys import read_settings
from recipes.recipe import make_recipe

COUNTED = {
    one.__code__: one.__name__ for one in (find_task, find_backbone, find_method, resolve_hardware, read_settings)
}
WORDS = ["--task", "medical_en", "--model", "smollm2-135m", "--hardware", "cpu", "--set", "seed=7"]


@pytest.fixture
def converted(recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder where rows are converted; nothing is trained or downloaded."""
    card = json.loads(Path("data/medical_en/card.json").read_text())
    card["lengths"] = {"total": {"mean": 400, "p95": 600}}
    Path("data/medical_en/card.json").write_text(json.dumps(card))
    monkeypatch.setattr(run, "train", lambda *_: None)
    monkeypatch.setattr("recipes.preflight.checks.refuse", lambda *_, **__: None)
    monkeypatch.setattr(module, "ensure_config", lambda _: None)


@pytest.mark.usefixtures("converted")
@pytest.mark.parametrize("command", ["train", "plan", "render"])
def test_every_name_is_looked_up_once(command: str) -> None:
    calls: Counter[str] = Counter()

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in COUNTED:
            calls[COUNTED[frame.f_code]] += 1

    sys.setprofile(count)
    try:
        done = CliRunner().invoke(main, [command, *WORDS])
    finally:
        sys.setprofile(None)
    assert done.exit_code == 0, done.output
    assert calls == dict.fromkeys(COUNTED.values(), 1)


@pytest.mark.usefixtures("converted")
def test_gpus_and_nodes_are_words_of_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUS", "2")
    assert "GPUS=2" in CliRunner().invoke(main, ["render", *WORDS]).output
    made = make_recipe(task="medical_en", model="llama2-7b", hardware="80gb", gpus=4, nodes=2)
    assert (made.hardware.devices, made.hardware.nodes, made.hardware.world) == (4, 2, 8)
    assert "was asked for" in made.hardware_why


def test_no_task_is_told() -> None:
    with pytest.raises(UserError, match="no TASK was named"):
        make_recipe(task="", model="smollm2-135m")
