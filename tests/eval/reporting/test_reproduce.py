"""What a report prints under "to reproduce", typed in a fresh clone: the same rows, questions, recipe and answers."""

import json
import re

import pytest
from tensorboard.backend.event_processing import event_accumulator

from common.files import read_json, sha256
from common.paths import folder_name
from recipes.catalog.lookup import find_backbone
from recipes.rehearsal.twins import make_twin
from tests.checkout import Checkout

ROWS = "converters/examples/medical_en"


def commands(checkout, run):
    checkout(f"make report RUN={run} NAME=once")
    text = (checkout.folder / "runs/reports/once/report.md").read_text(encoding="utf-8")
    found = re.search(r"``` bash\n(.*?)\n```", text, re.DOTALL)
    assert found
    return found[1].splitlines()


@pytest.mark.slow
def test_what_the_report_prints_does_it_again(tmp_path):
    """Trains a tiny model two steps and answers two questions, twice; most of it is torch's start."""
    twin = make_twin(find_backbone("qwen3-0.6b"), tmp_path / "twin")
    run = f"runs/medical_en/{folder_name(str(twin))}/lora"
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = (Checkout(tmp_path / name) for name in ("first", "second"))
    asked = [{"question": f"What is {name}?", "reference": f"{name} is a disease."} for name in ("gout", "rickets")]
    for checkout in (first, second):
        lines = "".join(json.dumps(row) + "\n" for row in asked)
        (checkout.folder / "my questions.jsonl").write_text(lines, encoding="utf-8")
    first(
        f"make run TASK=medical_en MODEL={twin} SOURCE={ROWS} LIMIT=60 QUESTIONS='my questions.jsonl' "
        "MAX_TOKENS=8 TRACK=tensorboard SET='max_steps=2 eval_strategy=no learning_rate=1e-4'"
    )
    place = str(first.folder / run / "tensorboard")
    tags = event_accumulator.EventAccumulator(place).Reload().Tags()
    tracked = {*tags["scalars"], *tags["tensors"]}
    assert {"train/loss", "held_out/base", "held_out/tuned"} <= tracked, "LLaMA-Factory's own and ours, in one run"
    printed = commands(first, run)
    assert len(printed) == 2
    for command in printed:
        second(command)
    assert commands(second, run) == printed
    one, other = (read_json(checkout.folder / run / "manifest.json") for checkout in (first, second))
    assert one["identity"] == other["identity"]
    assert one["data"]["files"] == other["data"]["files"]
    names = ["questions.jsonl", "answers/base.jsonl", "answers/tuned.jsonl"]
    assert [sha256(first.folder / run / name) for name in names] == [
        sha256(second.folder / run / name) for name in names
    ]
