"""What a report prints under "to reproduce", typed in a fresh clone: the same rows, questions, recipe and answers."""

import json
import re

import pytest
from tensorboard.backend.event_processing import event_accumulator

from common.files import read_json, sha256
from tests.checkout import Checkout

RUN = "runs/medical_en/smollm2-135m/lora"
ROWS = "converters/examples/medical_en"


def commands(checkout):
    checkout("make report TASK=medical_en MODEL=smollm2-135m")
    text = (checkout.folder / "runs/reports/medical_en-smollm2-135m-lora/report.md").read_text(encoding="utf-8")
    found = re.search(r"``` bash\n(.*?)\n```", text, re.DOTALL)
    assert found
    return found[1].splitlines()


@pytest.mark.slow
def test_what_the_report_prints_does_it_again(tmp_path):
    """Trains two steps and answers two questions, twice: about three minutes on two cores."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    first, second = (Checkout(tmp_path / name) for name in ("first", "second"))
    asked = [{"question": f"What is {name}?", "reference": f"{name} is a disease."} for name in ("gout", "rickets")]
    for checkout in (first, second):
        lines = "".join(json.dumps(row) + "\n" for row in asked)
        (checkout.folder / "my questions.jsonl").write_text(lines, encoding="utf-8")
    first(
        f"make run TASK=medical_en MODEL=smollm2-135m SOURCE={ROWS} LIMIT=60 QUESTIONS='my questions.jsonl' "
        "MAX_TOKENS=8 TRACK=tensorboard SET='max_steps=2 eval_strategy=no learning_rate=1e-4'"
    )
    place = str(first.folder / RUN / "tensorboard")
    tags = event_accumulator.EventAccumulator(place).Reload().Tags()
    tracked = {*tags["scalars"], *tags["tensors"]}
    assert {"train/loss", "held_out/base", "held_out/tuned"} <= tracked, "LLaMA-Factory's own and ours, in one run"
    printed = commands(first)
    assert len(printed) == 2
    for command in printed:
        second(command)
    assert commands(second) == printed
    one, other = (read_json(checkout.folder / RUN / "manifest.json") for checkout in (first, second))
    assert one["identity"] == other["identity"]
    assert one["data"]["files"] == other["data"]["files"]
    names = ["questions.jsonl", "answers/base.jsonl", "answers/tuned.jsonl"]
    assert [sha256(first.folder / RUN / name) for name in names] == [
        sha256(second.folder / RUN / name) for name in names
    ]
