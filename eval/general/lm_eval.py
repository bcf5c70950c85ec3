"""lm-eval's benchmarks (IFEval, MMLU, C-Eval ...) on a run's models, where lm-eval is installed."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import read_json
from eval.answering.serve import served
from eval.answering.served_model import ensure_here, serving, settings_of

SERVED = re.compile(r"ifeval|gsm8k\w*|\w+_generative")
"""Tasks that read what a model writes. The others read likelihoods, which a chat server does not give."""
NAMES = {"mmlu": "mmlu_generative", "ceval": "ceval-valid"}
METRICS = ("prompt_level_strict_acc", "exact_match", "acc")  # the first that a task has
AT_ONCE = 8


def program() -> str:
    """Return where lm-eval is; UserError where it is not installed."""
    found = shutil.which("lm_eval", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if not found:
        raise UserError(
            "LM_EVAL needs lm-eval, which is not installed here",
            '.venv/bin/pip install -c constraints.txt "lm_eval[api,hf,ifeval]" (its data: from the hub)',
        )
    return found


def measure(run: Path, who: str, wanted: Sequence[str], out: Path) -> dict[str, dict[str, float | None]]:
    """Return task -> score and standard error of a run's base or tuned model; what lm-eval writes goes below `out`."""
    tasks, config = [NAMES.get(name, name) for name in wanted], serving(run, who)
    ensure_here(run, config)
    if chat := [name for name in tasks if SERVED.fullmatch(name)]:
        with served(config, run / "logs" / f"serve-{who}.log", concurrency=AT_ONCE) as endpoint:
            model = f"model={endpoint.model},base_url={endpoint.url}/chat/completions,num_concurrent={AT_ONCE}"
            _run("local-chat-completions", f"{model},max_retries=3", chat, out, endpoint.key)
    if likelihood := [name for name in tasks if name not in chat]:
        settings = settings_of(config)
        adapter = settings.get("adapter_name_or_path")
        model = f"pretrained={settings['model_name_or_path']}" + (f",peft={adapter}" if adapter else "")
        _run("hf", f"{model},trust_remote_code={bool(settings.get('trust_remote_code'))}", likelihood, out)
    return read(out, tasks)


def _run(kind: str, model: str, tasks: list[str], out: Path, key: str = "") -> None:
    line = [program(), "run", "--model", kind, "--model_args", model, "--tasks", *tasks]
    line += ["--apply_chat_template", "--output_path", str(out)]
    environment = os.environ | ({"OPENAI_API_KEY": key} if key else {})
    if subprocess.run(line, env=environment, check=False).returncode:
        raise UserError(
            f"lm-eval failed on {', '.join(tasks)}; it says why above", "HF_ENDPOINT= names a mirror of the hub"
        )


def read(out: Path, tasks: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Return task -> score and standard error, from the files that lm-eval wrote; the newest counts."""
    found: dict[str, dict[str, float | None]] = {}
    for path in sorted(out.rglob("results_*.json"), key=lambda path: path.stat().st_mtime):
        for task, row in read_json(path)["results"].items():
            values: dict[str, Any] = {key.partition(",")[0]: value for key, value in row.items()}
            metric = next((name for name in METRICS if isinstance(values.get(name), int | float)), None)
            if task in tasks and metric:
                error = values.get(f"{metric}_stderr")
                found[task] = {"score": values[metric], "stderr": error if isinstance(error, float) else None}
    return found
