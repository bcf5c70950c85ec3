"""An experiment's folders as a sweep leaves them, in the real files' own shapes; judged by the real commands."""

import math
import random
from pathlib import Path
from typing import Any

from common.files import read_jsonl, write_json, write_jsonl
from common.paired_loss import paired_difference
from tests.checkout import ROOT
from tests.eval.commands.test_judge import eval_command

NASTY = (
    r"\input{/etc/passwd} $x_1 & 50% #1 ~ ^ {\bf b} <script>alert(1)</script> | a `b` *c* [d](e) ![f](g) "
    "\\end{document} 好 🙂"
)
SETTINGS = {
    "stage": "sft", "learning_rate": 2e-4, "num_train_epochs": 2.0, "lora_rank": 16, "cutoff_len": 512, "seed": 42,
    "bf16": True,
}  # fmt: skip
TOKENS = [20 + 3 * row for row in range(24)]


def heldout(gain: float, seed: int = 0, tokens: list[int] = TOKENS) -> dict[str, Any]:
    """Return what heldout.json holds for a model that gains so many nats a token."""
    noise, every = random.Random(seed), random.Random(0)
    base = [2.6 * count + every.gauss(0, 1) for count in tokens]
    tuned = [loss - gain * count + noise.gauss(0, 1) for loss, count in zip(base, tokens, strict=True)]
    losses = {who: sum(rows) / sum(tokens) for who, rows in (("base", base), ("tuned", tuned))}
    return {
        "split": "test", "rows": len(tokens), "tokens": sum(tokens), "seconds": 9.0,
        **{who: {"loss": loss, "perplexity": math.exp(loss)} for who, loss in losses.items()},
        "difference": paired_difference(base, tuned, tokens),
        "rows_better": sum(a < b for a, b in zip(tuned, base, strict=True)),
        "row_losses": {"tokens": tokens, "base": base, "tuned": tuned},
    }  # fmt: skip


def make_run(folder: Path, gain: float, share: float, **settings: Any) -> None:
    """Make a run whose tuned model lowers the loss by `gain` and says so much of each reference answer."""
    task, model, method = folder.parts[-3], folder.parts[-2], folder.parts[-1].partition("-")[0]
    files = {name: {"rows": 100, "sha256": f"{task}{name}".ljust(64, "0")} for name in ("train", "val", "test")}
    write_json(
        folder / "manifest.json",
        {
            "task": task, "model": model, "method": method, "variant": "", "hardware": "a test's card",
            "identity": {"settings": SETTINGS | settings},
            "data": {"source": "rows/of/a_test", "files": files},
            "expected": {"memory_gib": 8.0, "seconds": 600},
            "steps": {"train": {"seconds": 660.0, "peak_vram_gb": 8.4}, "export": {"seconds": 30.0}},
            "versions": {"python": "3.11.7", "whetstone": "0123456789ab", "llamafactory": "0.9.5"},
        },
    )  # fmt: skip
    write_json(folder / "heldout.json", heldout(gain, seed=round(100 * gain)))
    log = [
        {"current_steps": step, "total_steps": 20, "loss": 2.6 - gain * step / 20, "throughput": 900.0}
        for step in range(1, 21)
    ]
    log += [{"current_steps": step, "total_steps": 20, "eval_loss": 2.7 - gain * step / 20} for step in (10, 20)]
    write_jsonl(folder / "adapter" / "trainer_log.jsonl", log)
    questions = list(read_jsonl(ROOT / "eval/questions" / f"{task}.jsonl"))
    write_jsonl(folder / "questions.jsonl", questions)
    for who in ("base", "tuned"):
        rows = []
        for number, question in enumerate(questions):
            part = 0.3 if who == "base" else share if number % 4 else 0.05
            text = question["reference"][: int(len(question["reference"]) * part)] + (NASTY if number % 4 == 1 else "")
            rows.append(
                {"id": question["id"], "who": who, "question": question["question"], "answer": text,
                 "model": f"models/{who}", "finish_reason": "stop", "settings": {"temperature": 0.0, "max_tokens": 128}}
            )  # fmt: skip
        write_jsonl(folder / "answers" / f"{who}.jsonl", rows)


def card(task: str) -> dict[str, Any]:
    """Return a card of rows, as far as a report reads it."""
    steps = [("read", 220, 0), ("empty", 220, 4), ("duplicate", 216, 16)]
    return {
        "task": task, "source": "rows/of/a_test", "rows": 220,
        "lengths": {"prompt": {"p50": 36}, "output": {"p50": 484}},
        "files": {name: {"rows": 100, "sha256": f"{task}{name}".ljust(64, "0")} for name in ("train", "val", "test")},
        "steps": [{"step": step, "in": rows, "dropped": dropped, "examples": []} for step, rows, dropped in steps],
    }  # fmt: skip


RUNS = {"baseline": (0.5, 0.9, 16), "lora_rank-4": (0.35, 0.4, 4), "lora_rank-64": (0.52, 0.95, 64)}


def make_sweep(judges: tuple[str, ...] = ("reference",), tasks: tuple[str, ...] = ("medical_en",)) -> Path:
    """Make a sweep over the rank in the working directory, one of its runs failed; return its folder."""
    folder, entries = Path("runs/sweeps/rank"), []
    for task in tasks:
        write_json(Path("data", task, "card.json"), card(task))
        prefix = f"{task}-" if len(tasks) > 1 else ""
        for name, (gain, share, rank) in [*RUNS.items(), ("lora_rank-256", (0, 0, 256))]:
            run = Path("runs", task, "m-1b", f"lora-{name}")
            state = {"state": "failed", "error": "CUDA out of memory, 100% of_it"}
            if share:
                make_run(run, gain, share, lora_rank=rank)
                state = {"state": "done", "seconds": {"train": 660.0, "heldout": 20.0, "judge": 40.0}}
                assert eval_command("judge", "--run", run, *(f"--judge={judge}" for judge in judges)).exit_code == 0
            id_ = ".".join(run.parts[1:])
            write_json(folder / "state" / f"{id_}.json", state)
            entries.append(
                {"id": id_, "name": prefix + name, "contestant": name, "base": "base", "folder": str(run), "task": task,
                 "model": "m-1b", "method": "lora", "variant": name, "point": {"task": task, "lora_rank": rank},
                 "baseline": f"{task}.m-1b.lora-baseline"}
            )  # fmt: skip
        _meet(folder / "compare" / task, task, judges)
    Path("rank.yaml").write_text("task: medical_en\nmodel: m-1b\ncompare: {lora_rank: [4, 16, 64]}\n", encoding="utf-8")
    write_json(
        folder / "sweep.json",
        {"name": "rank", "file": "rank.yaml", "runs": entries, "title": "Rank & file_1", "question": "Which rank?",
         "axes": {"lora_rank": [4, 16, 64, 256]} | ({"task": list(tasks)} if len(tasks) > 1 else {})},
    )  # fmt: skip
    return folder


def _meet(place: Path, task: str, judges: tuple[str, ...]) -> None:
    """Put the answers of a task's runs into one folder and judge them against each other, as a sweep does."""
    first = Path("runs", task, "m-1b", "lora-baseline")
    write_jsonl(place / "questions.jsonl", read_jsonl(first / "questions.jsonl"))
    for who in RUNS:
        answers = read_jsonl(Path("runs", task, "m-1b", f"lora-{who}", "answers", "tuned.jsonl"))
        write_jsonl(place / "answers" / f"{who}.jsonl", ({**row, "who": who} for row in answers))
    base = read_jsonl(first / "answers" / "base.jsonl")
    write_jsonl(place / "answers" / "base.jsonl", base)
    assert eval_command("judge", "--run", place, *(f"--judge={judge}" for judge in judges)).exit_code == 0
