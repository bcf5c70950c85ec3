"""`python -m tests.bench.older_transformers FOLDER`: exported twins read by transformers 4, beside the installed 5.

FOLDER holds transformers 4 (`pip install --target FOLDER "transformers<5"`). A twin of each family is saved as
LLaMA-Factory exports it and completed as `make export` does; then both versions must cut a text into the same tokens,
write the same chat, and compute the same logits.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

TEXT = "What is gout? 痛风怎么治疗？ Don't stop."


def families() -> list[str]:
    """Return a model of each family whose twin needs no code from the hub."""
    from recipes.catalog.catalog import HERE, backbones

    first = (
        next(iter(yaml.safe_load(path.read_text(encoding="utf-8"))["models"])) for path in HERE.glob("backbones/*")
    )
    return sorted(name for name in first if backbones()[name].twin and not backbones()[name].prepare)


def export(name: str, folder: Path) -> None:
    """Save a twin as LLaMA-Factory does, and complete it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from recipes.catalog.catalog import backbones
    from recipes.export.finish import complete
    from recipes.rehearsal.twins import make_twin

    twin = make_twin(backbones()[name], folder / "twin")
    for loader in (AutoModelForCausalLM, AutoTokenizer):
        loader.from_pretrained(twin).save_pretrained(folder / "export")
    complete({"export_dir": str(folder / "export"), "template": backbones()[name].template}, str(twin), "main")


def reading(folder: str) -> tuple[str, list[int], str, list[float]]:
    """Return version, tokens, chat and the last token's logits, as the transformers of this process have them."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = tokenizer(TEXT)["input_ids"]
    asked = [{"role": "user", "content": TEXT}]
    chat = tokenizer.apply_chat_template(asked, tokenize=False) if tokenizer.chat_template else ""
    with torch.no_grad():
        return transformers.__version__, tokens, str(chat), model(torch.tensor([tokens])).logits[0, -1].tolist()


def read_by(folder: Path, path: str) -> list[object]:
    """Return what `reading` finds in a process that looks for packages in `path` first."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.older_transformers", "--read", str(folder)],
        env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1]) if not done.returncode else [done.stderr.strip().splitlines()[-1]]


def main(older: str) -> None:
    os.environ["LLAMAFACTORY_VERBOSITY"] = "ERROR"
    for name in families():
        with tempfile.TemporaryDirectory() as folder:
            export(name, Path(folder))
            new, old = (read_by(Path(folder, "export"), path) for path in ("", older))
        told = f"{old[0]}: the same" if old[1:] == new[1:] and len(old) > 1 else f"not the same: {old[0]}"
        print(f"{name:20} {new[0]}, {told[:150]}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--read":
        print(json.dumps(reading(sys.argv[2])))
    else:
        main(sys.argv[1])
