"""The commands that users type, as typed, from the hub to the judged result, on models made on the spot."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from common.files import read_json, read_jsonl
from recipes.catalog.lookup import find_backbone
from recipes.rehearsal.twins import make_twin
from tests.checkout import ROOT, Checkout
from tests.converters.generate.conftest import writes
from tests.endpoint import Endpoint

pytestmark = pytest.mark.slow

ROWS = ROOT / "converters/examples/medical_en/medDataset_processed.csv"
RUN = Path("runs/medical_en/qwen3-0.6b/lora")


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


def test_from_the_hub_to_the_judged_result_and_again_in_no_time(checkout, hub):
    command = "make run TASK=medical_en MODEL=qwen3-0.6b MAX_TOKENS=8 SET='num_train_epochs=1'"
    printed = checkout(command)
    assert any("Qwen/Qwen3-0.6B/resolve" in request for request in hub.requests)
    assert any("medDataset_processed.csv" in request for request in hub.requests)

    run = checkout.folder / RUN
    manifest = read_json(run / "manifest.json")
    assert manifest["status"] == "exported"
    assert manifest["data"]["source"].startswith("keivalya/MedQuad-MedicalQnADataset@")
    assert (run / "export" / "model.safetensors").is_file()
    heldout = read_json(run / "heldout.json")
    assert heldout["rows"] == manifest["data"]["files"]["test"]["rows"]
    assert "held-out loss" in printed
    for who in ("base", "tuned"):
        answers = list(read_jsonl(run / "answers" / f"{who}.jsonl"))
        assert len({answer["question_id"] if "question_id" in answer else answer["id"] for answer in answers}) == 20
    assert (run / "metrics.json").is_file()
    assert (run / "result.html").is_file()

    assert "report.html" in checkout("make report TASK=medical_en MODEL=qwen3-0.6b")
    report = (checkout.folder / "runs/reports/medical_en-qwen3-0.6b-lora/report.md").read_text(encoding="utf-8")
    assert f"{heldout['tuned']['loss']:.3f}" in report

    files = {path: path.stat().st_mtime_ns for path in run.rglob("*.safetensors")}
    asked = len(hub.requests)
    served = {path: path.stat().st_mtime_ns for path in (run / "logs").glob("serve-*.log")}
    assert len(served) == 2
    again = checkout(command)
    for step in ("trained already", "measured already", "exported already"):
        assert step in again
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*.safetensors")} == files
    assert len(hub.requests) == asked
    assert {path: path.stat().st_mtime_ns for path in served} == served, "a model was served again"


def test_training_that_was_killed_goes_on_from_its_last_checkpoint(checkout):
    command = "make train TASK=medical_en MODEL=qwen3-0.6b SET='max_steps=30 save_steps=5'"
    process = checkout.start(f"exec {command}")
    adapter = checkout.folder / RUN / "adapter"
    wait_for(lambda: any(adapter.glob("checkpoint-*/trainer_state.json")), process)
    trainer = int((checkout.folder / RUN / ".lock-holder").read_text())
    os.kill(trainer, signal.SIGKILL)
    process.wait(30)
    reached = max(int(path.name.split("-")[1]) for path in adapter.glob("checkpoint-*"))

    checkout(command)
    steps = [row["current_steps"] for row in read_jsonl(adapter / "trainer_log.jsonl") if "loss" in row]
    assert sorted(set(steps)) == list(range(1, 31))
    assert sorted(step for step in steps if step <= reached) == list(range(1, reached + 1)), "a step was done again"
    assert read_json(checkout.folder / RUN / "manifest.json")["status"] == "trained"


def wait_for(condition, process, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the command ended too soon"
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def test_the_embedded_backbone_learns_from_the_bundled_rows(tmp_path):
    """The demo's own first steps, on real weights: a few steps must already lower the held-out loss."""
    checkout = Checkout(tmp_path)
    words = "TASK=medical_en MODEL=smollm2-135m SET='max_steps=6 eval_strategy=no cutoff_len=128'"
    checkout(f"make train {words} SOURCE={ROOT}/converters/examples/medical_en LIMIT=80", timeout=2400)
    printed = checkout(f"make heldout {words}", timeout=2400)
    heldout = read_json(tmp_path / "runs/medical_en/smollm2-135m/lora/heldout.json")
    assert heldout["difference"]["high"] < 0
    assert "the tuned model is better" in printed


def test_rows_that_a_model_wrote_are_trained_on_beside_the_real_ones(tmp_path):
    """`make self-instruct` against a real endpoint, then the mix like any task."""
    checkout, endpoint = Checkout(tmp_path), Endpoint()
    endpoint.behaviour = writes()
    make_twin(find_backbone("qwen3-0.6b"), tmp_path / "mine" / "twin")
    try:
        checkout(f"make convert TASK=medical_en SOURCE={ROOT}/converters/examples/medical_en")
        checkout(f"make self-instruct TASK=medical_en N=20 GENERATOR=writer@{endpoint.url}")
    finally:
        endpoint.stop()
    words = "TASK=medical_en+self_instruct@0.1 MODEL=mine/twin SET='max_steps=2 eval_strategy=no'"
    checkout(f"make train {words}")
    checkout(f"make heldout {words}")
    run = tmp_path / "runs/medical_en+self_instruct@0.1/mine--twin/lora"
    manifest = read_json(run / "manifest.json")
    assert manifest["status"] == "trained"
    assert manifest["data"]["files"]["train"]["rows"] == 164 + 18
    assert read_json(run / "heldout.json")["rows"] == 24
