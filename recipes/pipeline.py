"""The whole pipeline, one step after another, each a command that could be typed alone."""

import os
import shlex
import time
from pathlib import Path
from typing import Any

from common import typed
from common.errors import UserError
from common.llm.default_judge import DEFAULT_MODEL, STAND_IN, auto_judge, likely_dollars
from common.paths import questions_file, run_folder
from common.subprocesses import command, run
from recipes.catalog.datasets import find_task

DEMO = {
    "task": "medical_en",
    "model": "smollm2-135m",
    "source": "converters/examples/medical_en",
    "rows": "system='You are a careful medical assistant. Answer in at most three sentences.'",
    "overrides": "max_steps=32",
    "max_tokens": 256,
}
"""What `make demo` runs: rows and weights that come with the installation, steps and answers few enough for a CPU."""

TITLES = {
    "convert": "convert the rows",
    "train": "train",
    "heldout": "held-out loss, before and after",
    "export": "export the tuned model",
    "answer": "answers of the base and the tuned model",
    "judge": "judge the answers, both orders",
    "card": "put what was measured into the model card",
}


def run_all(**options: Any) -> None:
    """Run every step; end at the first that fails, whose own message says why."""
    find_task(options["task"])  # an unknown one is told as such
    if not options.get("questions") and not questions_file(options["task"]).is_file():
        raise UserError(
            f"{options['task']} has no questions to be judged on, and none were named",
            "QUESTIONS=my.jsonl names yours (docs/judging.md); `make train` and `make heldout` need none",
        )
    began = time.monotonic()
    alone = not os.environ.get(typed.WITHIN)
    os.environ[typed.WITHIN] = "1"
    lines = commands(**options)
    steps = [step for step in TITLES if step in lines]
    for number, step in enumerate(steps, 1):
        print(f"\n[{number}/{len(steps)}] {TITLES[step]}\n  $ python {shlex.join(lines[step][1:])}", flush=True)
        run(lines[step])
    print(f"\nall {len(steps)} steps done in {time.monotonic() - began:.0f} s")
    if not alone:
        return
    del os.environ[typed.WITHIN]
    typed.note(run_folder(options["task"], options["model"], options.get("method", "lora"), options.get("variant", "")))
    given = {name: options.get(name) for name in ("task", "model", "method", "variant")}
    words = " ".join(f"{name.upper()}={value}" for name, value in given.items() if value and value != "lora")
    asked = Path(options.get("questions") or questions_file(options["task"]))
    print("\n".join(next_steps(words, options.get("judge", "auto"), sum(1 for _ in asked.open("rb")))))


def next_steps(words: str, judge: str, questions: int) -> list[str]:
    """Return what to type next: a real judge where the stand-in judged, the chat, the report."""
    steps = {"talk to both models": f"make chat {words}", "the experiment's report": f"make report {words}"}
    if STAND_IN in (auto_judge() if judge == "auto" else judge).split():
        cost = likely_dollars(DEFAULT_MODEL, 2 * questions)
        steps |= {
            f"ChatGPT as judge{f', about ${cost:.2f}' if cost else ''}": f"OPENAI_API_KEY=... make judge {words}",
            "Ollama as judge, free": f"make judge {words} JUDGE=qwen3:8b@http://127.0.0.1:11434/v1",
            "vLLM as judge, free": f"make judge {words} JUDGE=Qwen/Qwen3-8B@http://127.0.0.1:8000/v1",
        }
    return ["next:", *(f"  {what:<29} {command}" for what, command in steps.items())]


def commands(
    *, task: str, model: str, method: str = "lora", variant: str = "", hardware: str = "auto", overrides: str = "",
    source: str = "", rows: str = "", limit: int | None = None, force: bool = False, judge: str = "auto",
    questions: str = "", max_tokens: int | None = None, gpus: int | None = None, nodes: int | None = None,
    track: str | None = None, think: bool = False,
) -> dict[str, list[str]]:  # fmt: skip
    """Return the command of every step; `rows` is the SET of a conversion of its own (else training converts)."""
    names = {"task": task, "model": model, "method": method, "variant": variant}
    recipe = {**names, "hardware": hardware, "gpus": gpus, "nodes": nodes, "set": overrides, "think": think}
    asked = {**names, "questions": questions}
    taken = {"source": source, "limit": limit}
    return {
        **({"convert": command("converters", "convert", task=task, set=rows, **taken)} if rows else {}),
        "train": command("recipes", "train", **recipe, track=track, force=force, **({} if rows else taken)),
        "heldout": command("recipes", "heldout", **recipe),
        "export": command("recipes", "export", "--if-it-fits", **recipe),
        "answer": command("eval", "answer", **asked, max_tokens=max_tokens),
        "judge": command("eval", "judge", **asked, judge=judge),
        "general": command("eval", "general", **names),
        "card": command("recipes", "card", **recipe),
    }
