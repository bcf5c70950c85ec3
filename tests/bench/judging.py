"""`python -m tests.bench.judging`: what judging costs in time and memory, against the server's latency."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import click

from eval.result.tables import columns
from tests.checkout import ROOT

QUESTIONS = int(os.environ.get("QUESTIONS", "120"))
LATENCY, IN_FLIGHT = 0.2, 32
CALLS = 2 * QUESTIONS
LIMIT = ceil(CALLS / IN_FLIGHT) * LATENCY
# ru_maxrss is in kilobytes on Linux, in bytes on macOS.
MEGABYTE = 1e6 if sys.platform == "darwin" else 1e3

# The least that a program on the same SDK can do: the same number of calls, nothing rendered, kept or counted.
BARE = f"""
import asyncio, sys
from openai import AsyncOpenAI
async def main():
    chat = [{{"role": "user", "content": "x" * 2500}}]
    client, left = AsyncOpenAI(api_key="x", base_url=sys.argv[1]), iter(range({CALLS}))
    async def worker():
        for n in left:
            await client.chat.completions.create(model="m", messages=chat, seed=n)
    await asyncio.gather(*(worker() for _ in range({IN_FLIGHT})))
asyncio.run(main())
"""


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How often each is measured; the median is shown.")
def command(*, rounds: int) -> None:
    """Measure the judge command against a local server of 200 ms latency; ratios are to the physical limit."""
    click.echo(
        f"{CALLS} judgments, {IN_FLIGHT} in flight, {LATENCY * 1000:.0f} ms latency: limit {LIMIT:.2f} s. "
        f"Median of {rounds}; other load on this machine makes it worse."
    )
    rows = [["what", "seconds", "x limit", "peak MB", "calls"]]
    for title, refused in (("judge", 0.0), ("judge, 10 % answered 429 once", 0.1)):
        with _server(refused) as url:
            measured = [_judge(url) for _ in range(rounds)]
        wall, span, memory = (median(values) for values in list(zip(*measured, strict=True))[:3])
        rows.append([title, f"{wall:.2f}", f"{wall / LIMIT:.2f}", f"{memory:.0f}", str(measured[-1][3])])
        if not refused:
            rows.append(["  of it first to last call", f"{span:.2f}", f"{span / LIMIT:.2f}", "", ""])
    with _server(0.0) as url:
        bare, memory = zip(*(_run(["-c", BARE, f"{url}/v1"], ROOT) for _ in range(rounds)), strict=True)
    rows.append(["the SDK alone, for comparison", f"{median(bare):.2f}", f"{median(bare) / LIMIT:.2f}",
                 f"{median(memory):.0f}", str(CALLS)])  # fmt: skip
    helped = median(_run(["-m", "eval", "--help"], ROOT)[0] for _ in range(rounds))
    rows.append(["--help", f"{helped:.2f}", "", "", ""])
    click.echo(columns(rows))


@contextmanager
def _server(refused: float) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.bench_server", str(LATENCY), str(refused)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


def _judge(url: str) -> tuple[float, float, float, int]:
    """Judge a made-up run from nothing; return wall seconds, first-to-last-call seconds, peak megabytes, calls."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _made_up_run(folder / "run")
        wall, memory = _run(["-m", "eval", "judge", "--run", "run", "--judge", f"bench@{url}/v1"], folder)
        with urlopen(f"{url}/stats") as reply:
            seen = json.load(reply)
        rows = (folder / "run" / "judgments" / "bench.jsonl").read_text().splitlines()
        if len(rows) != CALLS or any(json.loads(row)["status"] != "ok" for row in rows):
            raise RuntimeError("not every judgment was made")
        return wall, seen["span"], memory, seen["calls"]


def _run(arguments: list[str], folder: Path) -> tuple[float, float]:
    """Run Python in a process of its own; return wall seconds and peak megabytes."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        assert process.stderr is not None
        raise RuntimeError(f"python {' '.join(arguments)} failed: {process.stderr.read()}")
    return time.perf_counter() - started, used.ru_maxrss / MEGABYTE


def _made_up_run(folder: Path) -> None:
    (folder / "answers").mkdir(parents=True)
    questions = [
        {"id": f"q{n}", "question": f"Question {n}: " + "why is that so? " * 5 + "And now?"} for n in range(QUESTIONS)
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in questions))
    for who in ("base", "tuned"):
        rows = [row | {"who": who, "answer": f"{who} says that " + "it depends. " * 60} for row in questions]
        (folder / "answers" / f"{who}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    command()
