"""Train (and export) a twin with each method that needs no further package, in one process: starting torch costs most.

Run by test_methods.py in an empty folder: python train_methods.py; prints a line of JSON for each method.
"""

import contextlib
import gc
import io
import json
import os
from dataclasses import replace
from pathlib import Path

import yaml

from recipes.catalog.catalog import methods
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_backbone, find_hardware
from recipes.preflight.conflicts import packages_of
from recipes.preflight.surroundings import missing
from recipes.recipe import Recipe
from recipes.rehearsal.twins import make_twin
from recipes.render import render_all

EXPORTED = ("lora", "dora", "pissa", "oft", "qlora", "full")
"""One of each kind of what training leaves behind."""
QUESTIONS = [f"What is number {i}?" for i in range(12)]


def write_rows() -> None:
    rows = [{"instruction": q, "output": f"It is {i}, and that is all."} for i, q in enumerate(QUESTIONS)]
    pairs = [{"instruction": q, "chosen": f"It is {i}.", "rejected": "No idea."} for i, q in enumerate(QUESTIONS)]
    labels = [{**row, "label": i % 2 == 0} for i, row in enumerate(rows)]
    columns = {"prompt": "instruction", "response": "output"}
    forms = {
        "answers": (rows, {"columns": columns}),
        "pairs": (
            pairs,
            {"ranking": True, "columns": {"prompt": "instruction", "chosen": "chosen", "rejected": "rejected"}},
        ),
        "labels": (labels, {"columns": {**columns, "kto_tag": "label"}}),
    }
    info = {}
    for name, (content, entry) in forms.items():
        for suffix in ("", "_val"):
            info[name + suffix] = {"file_name": f"{name}.json", **entry}
        Path(f"{name}.json").write_text(json.dumps(content))
    Path("dataset_info.json").write_text(json.dumps(info))


def train(name: str) -> dict[str, object]:
    from llamafactory.train.tuner import export_model, run_exp

    method, backbone = methods()[name], find_backbone("qwen3-0.6b")
    made = Recipe(
        method.rows, backbone, method, find_hardware("cpu"), DataFacts(12, "en", 60, 70), "twin",
        overrides={"max_steps": 2, "cutoff_len": 128, "eval_strategy": "no", "plot_loss": False},
    )  # fmt: skip
    files = {path: yaml.safe_load(text) for path, text in render_all(made).items() if path.endswith(".yaml")}
    run_exp({**files["recipe.yaml"], "lora_rank": 4} if method.adapter else files["recipe.yaml"])
    results = json.loads((Path(made.folder) / "adapter" / "all_results.json").read_text())
    exported = False
    if name in EXPORTED:
        export_model(files["export.yaml"])
        exported = (Path(made.folder) / "export" / "config.json").is_file()
    gc.collect()
    served = serve_in_four_bits(made) if name == "qlora" else {}
    return {"loss": results["train_loss"], "exported": exported, **served}


def serve_in_four_bits(trained: Recipe) -> dict[str, object]:
    """Load and ask both models by the files that a T4 gets for a 7B model; only the number format is the CPU's."""
    from llamafactory.chat import ChatModel

    shape = find_backbone("llama2-7b").shape
    on_t4 = replace(
        trained, hardware=find_hardware("t4"), backbone=trained.backbone.model_copy(update={"shape": shape})
    )
    found: dict[str, object] = {}
    for who in ("base", "tuned"):
        settings = yaml.safe_load(render_all(on_t4)[f"serve/{who}.yaml"])
        chat = ChatModel({**settings, "infer_dtype": "float32"})
        reply = chat.chat([{"role": "user", "content": QUESTIONS[0]}], max_new_tokens=4, do_sample=False)[0]
        found[who] = {
            "tokens": reply.response_length,
            "quantized": str(getattr(chat.engine.model, "quantization_method", "")),
            "adapter": "Peft" in type(chat.engine.model).__name__,
        }
    return found


def main() -> None:
    os.environ["LLAMAFACTORY_VERBOSITY"] = "ERROR"
    backbone = find_backbone("qwen3-0.6b")
    make_twin(backbone, Path("twin"))
    config = Path("twin/config.json")  # loaded in what is computed in, as the folder that a command makes
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}))
    write_rows()
    for name, method in methods().items():
        if missing(packages_of(method.needs, {})):
            print(json.dumps({"method": name, "skipped": True}), flush=True)
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                result = train(name)
        except Exception as error:  # reported, and the others are tried all the same
            result = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"method": name, **result}), flush=True)


if __name__ == "__main__":
    main()
