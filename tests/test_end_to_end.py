"""The commands that users type, as typed, from the hub to a talk with the tuned model.

The whole way to the report is walked by tests/test_notebook.py.
"""

import os
import shutil
import signal
import time

import pytest
from tensorboard.backend.event_processing import event_accumulator

from common.files import read_json, read_jsonl
from recipes.catalog.lookup import find_backbone
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT, Checkout
from tests.converters.generate.conftest import writes
from tests.endpoint import Endpoint

pytestmark = pytest.mark.slow

ROWS = ROOT / "converters/examples/medical_en/medDataset_processed.csv"


@pytest.fixture
def checkout(hub, tmp_path):
    """Return a checkout whose hub holds a twin of Qwen3 and the demo's rows, each under its own id."""
    backbone = find_backbone("qwen3-0.6b")
    make_twin(backbone, hub.root / "models" / backbone.hub)
    folder = hub.root / "datasets/keivalya/MedQuad-MedicalQnADataset"
    folder.mkdir(parents=True)
    shutil.copy(ROWS, folder)
    (tmp_path / "checkout").mkdir()
    return Checkout(tmp_path / "checkout", hub.environment())


def test_a_killed_training_on_real_and_generated_rows_goes_on_in_other_batches_and_talks(checkout, hub):
    """`make self-instruct` against a real endpoint, a mix like any task, a kill -9 half-way, a chat with the result."""
    endpoint = Endpoint()
    endpoint.behaviour = writes()
    try:
        checkout("make convert TASK=medical_en")
        checkout(f"make self-instruct TASK=medical_en N=20 GENERATOR=writer@{endpoint.url}")
    finally:
        endpoint.stop()
    assert any("medDataset_processed.csv" in request for request in hub.requests)
    card = read_json(checkout.folder / "data/medical_en/card.json")
    assert card["made_from"]["source"].startswith("keivalya/MedQuad-MedicalQnADataset@")
    words = "make train TASK=medical_en+self_instruct@0.1 MODEL=qwen3-0.6b SET='max_steps=30 save_steps=5 "
    words += "train_sampling_strategy=random learning_rate=1e-3 eval_strategy=no "
    process = checkout.start(f"exec {words} per_device_train_batch_size=2 gradient_accumulation_steps=1'")
    run = checkout.folder / "runs/medical_en+self_instruct@0.1/qwen3-0.6b/lora"
    adapter = run / "adapter"
    wait_for(lambda: any(adapter.glob("checkpoint-*/trainer_state.json")), process)
    os.kill(int((run / ".lock-holder").read_text()), signal.SIGKILL)
    process.wait(30)
    reached = max(int(path.name.split("-")[1]) for path in adapter.glob("checkpoint-*"))

    said = checkout(f"{words} per_device_train_batch_size=1 gradient_accumulation_steps=2'")
    assert "per_device_train_batch_size (2 -> 1)" in said
    losses = {row["current_steps"]: row["loss"] for row in read_jsonl(adapter / "trainer_log.jsonl") if "loss" in row}
    assert sorted(losses) == list(range(1, 31))
    steps = [row["current_steps"] for row in read_jsonl(adapter / "trainer_log.jsonl") if "loss" in row]
    assert sorted(step for step in steps if step <= reached) == list(range(1, reached + 1)), "a step was done again"
    manifest = read_json(run / "manifest.json")
    assert manifest["status"] == "trained"
    assert manifest["data"]["files"]["train"]["rows"] == 164 + 18
    told = manifest["steps"]["train"]["results"]["train_loss"]
    assert told == pytest.approx(sum(losses.values()) / 30, rel=0.02), "the loss of all steps"
    theirs = read_json(adapter / "all_results.json")["train_loss"]
    assert theirs == pytest.approx(told * (1 - reached / 30), rel=0.2), "which transformers tells of the last steps"
    assert manifest["steps"]["train"]["seconds"] > 0
    assert any("Qwen/Qwen3-0.6B/resolve" in request for request in hub.requests)

    mixed = "TASK=medical_en+self_instruct@0.1 MODEL=qwen3-0.6b"
    assert "1: base" in checkout(f"printf 'What is gout?\\n2\\n' | make chat {mixed} MAX_TOKENS=8")
    said = [next(read_jsonl(run / f"chat/answers/{who}.jsonl")) for who in ("base", "tuned")]
    assert [(row["question"], row["error"]) for row in said] == [("What is gout?", "")] * 2
    assert [row["winner"] for row in read_jsonl(run / "chat/judgments/human-chat.jsonl")] == ["tuned"]


def wait_for(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the command ended too soon"
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def test_the_embedded_backbone_learns_from_the_bundled_rows(tmp_path):
    """The demo's own first steps, on real weights: a few steps must already lower the held-out loss."""
    checkout = Checkout(tmp_path)
    small = "per_device_train_batch_size=4 gradient_accumulation_steps=1 cutoff_len=96 eval_strategy=no"
    words = f"TASK=medical_en MODEL=smollm2-135m SET='max_steps=4 learning_rate=1e-3 {small}'"
    checkout(
        f"make train {words} SOURCE={ROOT}/converters/examples/medical_en LIMIT=60 TRACK=tensorboard", timeout=2400
    )
    printed = checkout(f"make heldout {words}", timeout=2400)
    heldout = read_json(tmp_path / "runs/medical_en/smollm2-135m/lora/heldout.json")
    assert heldout["difference"]["high"] < 0
    assert "the tuned model is better" in printed
    board = event_accumulator.EventAccumulator(f"{tmp_path}/runs/medical_en/smollm2-135m/lora/tensorboard").Reload()
    tracked = {*board.Tags()["scalars"], *board.Tags()["tensors"]}
    assert {"train/loss", "held_out/base", "held_out/tuned"} <= tracked, "LLaMA-Factory's own and ours, in one run"
