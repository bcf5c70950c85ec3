"""The whole way, one step after another, each a command of its own that could be typed alone."""

import subprocess
import sys
import time
from typing import Any

from common.errors import UserError
from common.paths import questions_file
from recipes.catalog.datasets import find_task

DEMO = {
    "task": "medical_en",
    "model": "smollm2-135m",
    "source": "converters/examples/medical_en",
    "max_tokens": 128,
}
"""What `make demo` runs: rows and weights that come with the installation, answers short enough for a CPU."""


STEPS = ("train", "heldout", "export", "answer", "judge", "card")
"""What the steps of `plan` are called, in its order."""


def run_all(**options: Any) -> None:
    """Run every step; end at the first that fails, whose own message says why."""
    find_task(options["task"])  # an unknown one is told as such
    if not options.get("questions") and not questions_file(options["task"]).is_file():
        raise UserError(
            f"{options['task']} has no questions to be judged on, and none were named",
            "QUESTIONS=my.jsonl names yours (docs/judging.md); `make train` and `make heldout` need none",
        )
    steps = plan(**options)
    began = time.monotonic()
    for number, (title, command) in enumerate(steps, 1):
        print(f"\n[{number}/{len(steps)}] {title}\n  $ python {' '.join(_quoted(command))}", flush=True)
        done = subprocess.run([sys.executable, *command], check=False)
        if done.returncode:
            sys.exit(done.returncode)
    given = {name: options.get(name) for name in ("task", "model", "method", "variant")}
    words = " ".join(f"{name.upper()}={value}" for name, value in given.items() if value and value != "lora")
    print(f"\nall {len(steps)} steps done in {time.monotonic() - began:.0f} s; as a report: make report {words}")


def plan(
    *,
    task: str,
    model: str,
    method: str = "lora",
    variant: str = "",
    hardware: str = "auto",
    overrides: str = "",
    source: str = "",
    limit: int | None = None,
    force: bool = False,
    judge: str = "auto",
    questions: str = "",
    max_tokens: int | None = None,
) -> list[tuple[str, list[str]]]:
    """Return (title, arguments after `python`) of every step."""
    run = _flags(task=task, model=model, method=method, variant=variant)
    recipe = run + _flags(hardware=hardware, set=overrides)
    rows = _flags(source=source, limit=limit)
    asked = _flags(questions=questions)
    return [
        (
            "convert the rows and train",
            ["-m", "recipes", "train", *recipe, *rows, *(["--force"] if force else [])],
        ),
        ("held-out loss, before and after", ["-m", "recipes", "heldout", *recipe]),
        ("export the tuned model", ["-m", "recipes", "export", "--if-it-fits", *recipe]),
        (
            "answers of the base and the tuned model",
            ["-m", "eval", "answer", *run, *asked, *_flags(max_tokens=max_tokens)],
        ),
        ("judge the answers, both orders", ["-m", "eval", "judge", *run, *_flags(judge=judge), *asked]),
        ("put what was measured into the model card", ["-m", "recipes", "card", *recipe]),
    ]


def _flags(**options: Any) -> list[str]:
    given = {name: value for name, value in options.items() if value not in ("", None)}
    return [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def _quoted(command: list[str]) -> list[str]:
    return [repr(word) if " " in word else word for word in command]
