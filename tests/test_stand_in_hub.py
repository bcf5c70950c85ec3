"""The stand-in hub satisfies the hub's own client libraries, and fails as the real one does."""

import os
import subprocess
import sys

import pytest

from tests.stand_in_hub import Hub

WEIGHTS = bytes(range(256)) * 96 * 1024  # 24 MiB: the client keeps what it has in steps of 10


@pytest.fixture
def filled(hub: Hub) -> Hub:
    model = hub.root / "models/org/name"
    (model / "sub").mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "sub/weights.bin").write_bytes(WEIGHTS)
    rows = hub.root / "datasets/org/rows"
    rows.mkdir(parents=True)
    (rows / "train.jsonl").write_text('{"input": "问", "output": "答"}\n' * 3)
    (rows / "other.jsonl").write_text('{"id": 1}\n')
    return hub


def client(hub: Hub, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **hub.environment()}
    command = [sys.executable, "-c", f"import huggingface_hub as h\n{code}"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_a_snapshot_is_downloaded_whole(filled: Hub) -> None:
    done = client(filled, "print(h.snapshot_download('org/name'))")
    assert done.returncode == 0, done.stderr
    folder = done.stdout.strip()
    with open(f"{folder}/sub/weights.bin", "rb") as file:  # noqa: PTH123
        assert file.read() == WEIGHTS


@pytest.mark.slow
def test_named_files_of_a_dataset_are_loaded(filled: Hub) -> None:
    code = "import datasets; print(datasets.load_dataset('org/rows', data_files='train.jsonl', split='train')[2])"
    done = client(filled, code)
    assert done.stdout.strip() == "{'input': '问', 'output': '答'}", done.stderr


@pytest.mark.slow
def test_a_broken_download_is_resumed_where_it_stopped(filled: Hub) -> None:
    filled.break_after["weights.bin"] = 22_000_000
    code = "p = h.snapshot_download('org/name', max_workers=1); print(open(p + '/sub/weights.bin', 'rb').read() == W)"
    done = client(filled, f"W = bytes(range(256)) * 96 * 1024\n{code}")
    assert done.stdout.strip() == "True", done.stderr
    last = [line for line in filled.requests if line.startswith("GET") and "weights.bin" in line][-1]
    sent = int(last.rpartition("bytes=")[2].rstrip("-"))
    assert 0 < sent <= 22_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "error"), [("gated", "GatedRepoError"), ("private", "RepositoryNotFoundError")])
def test_refusals_are_the_hubs_own(filled: Hub, kind: str, error: str) -> None:
    getattr(filled, kind).add("org/name")
    done = client(filled, "h.hf_hub_download('org/name', 'config.json')")
    assert error in done.stderr


@pytest.mark.slow
def test_what_is_not_there_is_not_found(filled: Hub) -> None:
    assert "RepositoryNotFoundError" in client(filled, "h.snapshot_download('org/nothing')").stderr
    assert "EntryNotFoundError" in client(filled, "h.hf_hub_download('org/name', 'x.json')").stderr
