"""Rows from the hub, through huggingface_hub itself, against the stand-in hub."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from common.files import sha256
from converters.registry import ORDER, load_task
from tests.checkout import ROOT

pytestmark = pytest.mark.slow

ROWS = ROOT / "tests/converters/raw_rows"


@pytest.fixture
def served(hub):
    for task in ORDER:
        shutil.copytree(ROWS / task, hub.root / "datasets" / load_task(task).hub)
    return hub


def command(hub, *words, **environment):
    """Run the command that a user types; return (status, output, errors)."""
    own = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "WHETSTONE_RETRY_SECONDS": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "converters", *words],
        env={**own, **hub.environment(), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("task", ORDER)
def test_each_task_comes_from_the_hub_without_a_source(served, task):
    status, _, said = command(served, "convert", "--task", task)
    assert status == 0, said
    card = json.loads(Path(f"data/{task}/card.json").read_text())
    commit = load_task(task).revision if len(load_task(task).revision) == 40 else "a" * 40
    assert card["source"] == f"{load_task(task).hub}@{commit}"
    for name, file in card["files"].items():
        assert sha256(Path(f"data/{task}/{name}.jsonl")) == file["sha256"]


def test_what_was_downloaded_needs_no_network_again(served):
    assert command(served, "convert", "--task", "medical_en")[0] == 0
    asked = len(served.requests)
    status, said, _ = command(served, "convert", "--task", "medical_en", HF_HUB_OFFLINE="1")
    assert status == 0
    assert "up to date" in said
    assert command(served, "convert", "--task", "medical_en", "--limit", "8", HF_HUB_OFFLINE="1")[0] == 0
    assert len(served.requests) == asked


def test_a_download_that_breaks_off_is_resumed(served):
    path = served.root / "datasets" / load_task("law_zh").hub / "DISC-Law-SFT-Pair.jsonl"
    path.write_bytes(path.read_bytes() + b"\n" * 16_000_000)  # the client keeps whole blocks of 10 MB
    served.break_after["DISC-Law-SFT-Pair.jsonl"] = 15_000_000
    status, _, said = command(served, "convert", "--task", "law_zh")
    assert status == 0, said
    assert any("Pair.jsonl bytes=10485760-" in request for request in served.requests), served.requests


def test_no_network_is_one_line_that_names_source(hub):
    status, _, said = command(hub, "convert", "--task", "medical_en", HF_ENDPOINT="http://127.0.0.1:9")
    assert status == 2
    assert said.startswith("error: keivalya/MedQuad-MedicalQnADataset cannot be reached (no network?)")
    assert "next: name the rows here: SOURCE=" in said
    assert len(said.strip().splitlines()) == 2


def test_offline_mode_is_told_as_such(hub):
    status, _, said = command(hub, "convert", "--task", "medical_en", HF_HUB_OFFLINE="1")
    assert status == 2
    assert "HF_HUB_OFFLINE is set" in said


def test_a_missing_repository(hub):
    status, _, said = command(hub, "convert", "--task", "medical_zh")
    assert status == 2
    assert "FreedomIntelligence/Huatuo26M-Lite is not on the hub, or private" in said
    assert "SOURCE=" in said


def test_a_gated_repository(served):
    served.gated.add(load_task("law_zh").hub)
    status, _, said = command(served, "convert", "--task", "law_zh")
    assert status == 2
    assert "is gated" in said
    assert "hf auth login" in said


def test_a_file_that_is_no_longer_there_names_those_that_are(served):
    folder = served.root / "datasets" / load_task("medical_en").hub
    (folder / "medDataset_processed.csv").rename(folder / "renamed.csv")
    status, _, said = command(served, "convert", "--task", "medical_en")
    assert status == 2
    assert "has no file medDataset_processed.csv (there are: renamed.csv)" in said


def test_a_task_of_your_own_from_the_hub(served):
    shutil.copytree(ROWS / "medical_en", served.root / "datasets/me/fevers")
    status, shown, said = command(served, "new", "fevers", "--source", "me/fevers", "--domain", "medicine")
    assert status == 0, said
    assert "instruction: Question" in shown
    assert "row 3" in shown
    status, shown, said = command(served, "convert", "--task", "fevers")
    assert status == 0, said
    assert "fevers: 12 rows from me/fevers@" in shown


def test_converted_rows_are_pushed_with_a_card_and_read_back(hub):
    source = str(ROOT / "converters/examples/medical_en")
    words = ("convert", "--task", "medical_en", "--source", source)
    status, _, said = command(hub, *words, "--push", "me/medicine")
    assert status == 2
    assert "hf auth login" in said
    status, shown, said = command(hub, *words, "--push", "me/medicine", HF_TOKEN="hf_someone")
    assert status == 0, said
    assert f"pushed  {hub.url}/datasets/me/medicine" in shown
    folder = hub.root / "datasets/me/medicine"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "test.jsonl", "train.jsonl", "val.jsonl"]
    assert (folder / "train.jsonl").read_bytes() == Path("data/medical_en/train.jsonl").read_bytes()
    head, body = (folder / "README.md").read_text().removeprefix("---\n").split("---\n", 1)
    files = yaml.safe_load(head)["configs"][0]["data_files"]
    assert {file["split"]: file["path"] for file in files} == {
        "train": "train.jsonl", "validation": "val.jsonl", "test": "test.jsonl",
    }  # fmt: skip
    rows = {
        split: len(Path(f"data/medical_en/{split}.jsonl").read_text().splitlines())
        for split in ("train", "val", "test")
    }
    assert f"| train | {rows['train']} |" in body
    assert '"hf_hub_url": "me/medicine"' in body
    assert source not in body
    code = "import datasets; print({k: len(v) for k, v in datasets.load_dataset('me/medicine').items()})"
    done = subprocess.run([sys.executable, "-c", code], env={"PATH": "/usr/bin:/bin", **hub.environment()},
                          capture_output=True, text=True, check=False)  # fmt: skip
    expected = {"train": rows["train"], "validation": rows["val"], "test": rows["test"]}
    assert done.stdout.strip() == str(expected), done.stderr
