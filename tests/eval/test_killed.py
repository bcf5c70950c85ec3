"""kill -9 at any point, then the same command: at most the calls in flight are repeated, and the result is the same."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.checkout import ROOT
from tests.endpoint import Endpoint
from tests.eval.commands.test_judge import prefers_device

IN_FLIGHT = 8
CALLS = 80


@pytest.fixture
def large(run: Path) -> Path:
    """The run with 40 questions, 80 calls."""
    rows = [(f"q{n}", f"Question {n}?") for n in range(CALLS // 2)]
    (run / "questions.jsonl").write_text("".join(json.dumps({"id": i, "question": q}) + "\n" for i, q in rows))
    for who in ("base", "tuned"):
        text = "".join(
            json.dumps({"id": i, "who": who, "question": q, "answer": f"a device {i}" if who == "tuned" else "no"})
            + "\n"
            for i, q in rows
        )
        (run / "answers" / f"{who}.jsonl").write_text(text)
    return run


def start(run: Path, endpoint: Endpoint, folder: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "eval", "judge", "--run", str(run), "--judge", f"fake@{endpoint.url}"]
    return subprocess.Popen(
        [*command, "--concurrency", str(IN_FLIGHT)], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "after"), [(signal.SIGKILL, 37), (signal.SIGINT, 61)])
def test_killed_and_run_again(
    large: Path, endpoint: Endpoint, workplace: Path, after: int, sign: signal.Signals
) -> None:
    endpoint.behaviour = prefers_device
    endpoint.latency = 0.05
    undisturbed = workplace / "undisturbed"
    shutil.copytree(large, undisturbed / "run")
    assert start(undisturbed / "run", endpoint, undisturbed).wait(60) == 0
    assert len(endpoint.calls) == CALLS
    endpoint.calls.clear()

    process = start(large, endpoint, workplace)
    deadline = time.monotonic() + 30
    while len(endpoint.calls) < after and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(sign)
    process.wait(30)
    assert start(large, endpoint, workplace).wait(60) == 0
    assert len(endpoint.calls) <= CALLS + IN_FLIGHT
    name = Path("judgments") / "fake.jsonl"
    assert (large / name).read_bytes() == (undisturbed / "run" / name).read_bytes()
    comparisons = [
        json.loads((folder / "metrics.json").read_text())["comparisons"] for folder in (large, undisturbed / "run")
    ]
    assert comparisons[0] == comparisons[1]
    assert not list(workplace.rglob("*.part"))
