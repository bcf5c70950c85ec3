"""kill -9 at any point, then the same command: at most the calls in flight are repeated, and the rows are the same."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from common.llm.cache import Cache
from common.llm.prices import Budget
from tests.converters.generate.conftest import ROOT, writes
from tests.endpoint import Endpoint

pytestmark = pytest.mark.slow

AT_ONCE = 4
ROWS = 160


def start(command: str, endpoint: Endpoint, folder: Path, host: str = "127.0.0.1") -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "converters", *command.split(), "--task", "medical_en"]
    words += ["--generator", f"fake@{endpoint.url.replace('127.0.0.1', host)}", "--concurrency", str(AT_ONCE)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(words, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, **quiet)


@pytest.mark.parametrize(
    ("command", "part", "after"),
    [(f"self-instruct --n {ROWS} --set at_once={AT_ONCE}", "self_instruct", 6), ("score --limit 12", "scored", 1)],
)
def test_killed_and_run_again(endpoint: Endpoint, workplace: Path, command: str, part: str, after: int) -> None:
    score = '{"reason": "so", "score": 5}'
    tasks = writes()
    endpoint.behaviour = lambda body, number: (
        score if "Rate from" in body["messages"][0]["content"] else tasks(body, number)
    )
    endpoint.latency = 0.05
    undisturbed = workplace / "undisturbed"
    shutil.copytree(workplace / "data", undisturbed / "data")
    assert start(command, endpoint, undisturbed).wait(60) == 0
    needed = len(endpoint.calls)
    endpoint.calls.clear()

    process = start(command, endpoint, workplace)
    deadline = time.monotonic() + 30
    while len(endpoint.calls) < after and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert not (workplace / "data" / f"medical_en+{part}" / "card.json").exists()
    assert start(command, endpoint, workplace).wait(60) == 0
    assert needed <= len(endpoint.calls) <= needed + AT_ONCE
    for file in (
        f"medical_en/{part}/rows.jsonl",
        f"medical_en/{part}/rejected.jsonl",
        f"medical_en+{part}/train.jsonl",
    ):
        assert (workplace / "data" / file).read_bytes() == (undisturbed / "data" / file).read_bytes()
    assert not list(workplace.rglob("*.part"))


def test_calls_in_flight_at_a_kill_are_in_the_ledger(
    endpoint: Endpoint, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their replies may be billed though nobody hears them: a server on another machine has a price."""
    monkeypatch.setenv("PRICE", "1000 1000")
    monkeypatch.chdir(workplace)
    endpoint.latency = 5
    command = "score --limit 12 --budget 100"
    process = start(command, endpoint, workplace, host="127.0.0.2")
    deadline = time.monotonic() + 30
    while endpoint.in_flight < AT_ONCE and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert Cache().spent("data/medical_en/scored") == 0
    endpoint.latency, endpoint.behaviour = 0, lambda body, number: '{"reason": "so", "score": 5}'
    spent = Budget(Cache(), "data/medical_en/scored").spent
    assert spent >= AT_ONCE * 0.3  # 300 tokens of output each, at 1,000 dollars a million
    assert start(command, endpoint, workplace, host="127.0.0.2").wait(60) == 0
    assert Cache().spent("data/medical_en/scored") > spent
    assert len(endpoint.calls) == 12 + AT_ONCE


def test_a_journal_that_was_broken_off_is_cut_back_to_whole_rounds(endpoint: Endpoint, workplace: Path) -> None:
    endpoint.behaviour = writes()
    command = f"self-instruct --n 120 --set at_once={AT_ONCE}"
    assert start(command, endpoint, workplace).wait(60) == 0
    part = workplace / "data" / "medical_en" / "self_instruct"
    rows, asked = (part / "rows.jsonl").read_bytes(), len(endpoint.calls)
    journal = (part / "replies.jsonl").read_bytes()
    for length in (len(journal) - 30, 10):
        (part / "replies.jsonl").write_bytes(journal[:length])
        assert start(command, endpoint, workplace).wait(60) == 0
        assert (part / "replies.jsonl").read_bytes() == journal
        assert (part / "rows.jsonl").read_bytes() == rows
    assert len(endpoint.calls) == asked
