"""Backbones of every kind through the commands as typed: from the hub to a served model, on twins, on a CPU.

(Qwen3 goes the whole way in tests/test_end_to_end.py.)
"""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.files import read_json
from eval.answering.serve import served
from recipes.catalog.lookup import find_backbone
from recipes.rehearsal.twins import make_twin
from tests.checkout import Checkout
from tests.recipes.disc_law import write_rows
from tests.stand_in_hub import Hub

pytestmark = pytest.mark.slow

WHOLE = "baichuan2-7b"
"""Trained by the bare line that the project was asked for, to its end; the others for a few steps."""
FEW_STEPS = "SET='max_steps=2'"
QUESTION = "遗嘱怎样写才有效？"
# How the question is put to each (in the parts that LLaMA-Factory encodes by themselves), and what ends an answer.
FORMATS = {
    "baichuan2-7b": ([f"<reserved_106>{QUESTION}<reserved_107>"], "</s>"),
    "baichuan2-13b": ([f"<reserved_106>{QUESTION}<reserved_107>"], "</s>"),
    "phoenix-7b": (
        [
            "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, "
            "detailed, and polite answers to the human's questions.\n\n",
            f"Human: <s>{QUESTION}</s>Assistant: <s>",
        ],
        "</s>",
    ),
    "llama2-7b": (["<s>", f"[INST] {QUESTION} [/INST]"], "</s>"),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout, and a hub with the rows of law_zh and a twin of each backbone under its own id."""
    folder = tmp_path_factory.mktemp("chain")
    write_rows(folder / "hub/datasets/ShengbinYue/DISC-Law-SFT")
    for name in FORMATS:
        backbone = find_backbone(name)
        make_twin(backbone, folder / "hub/models" / backbone.hub)
    (folder / "checkout").mkdir()
    with Hub(folder / "hub", folder) as hub:
        yield Checkout(folder / "checkout", hub.environment())


@pytest.mark.parametrize("name", FORMATS)
def test_it_is_trained_exported_and_served_in_its_own_format(
    name: str, checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"TASK=law_zh MODEL={name}" + ("" if name == WHOLE else f" {FEW_STEPS}")
    # FORCE: the plan is about the real model, which a CI machine may be too small for; the twin is not
    checkout(f"make train {words} FORCE=1")
    run = Path(f"runs/law_zh/{name}/lora")
    asked, end = FORMATS[name]
    check_training(checkout.folder / run, asked, end)

    checkout(f"make export {words}")
    monkeypatch.chdir(checkout.folder)
    for variable, value in checkout.environment.items():
        monkeypatch.setenv(variable, value)
    assert answer_of(run) == prompt_tokens(run / "export", asked)


def check_training(run: Path, asked: list[str], end: str) -> None:
    """Hold the example that LLaMA-Factory prints before training, and the numbers after it, against what must be."""
    assert read_json(run / "adapter/all_results.json")["train_loss"] > 0
    log = (run / "logs/train.log").read_text(encoding="utf-8")
    inputs, labels = log.split("\ninputs:\n")[1].split("\nlabels:\n")
    before, after = asked[-1].split(QUESTION)
    assert inputs.startswith(asked[0][:14])
    assert before in inputs
    assert after in inputs
    answer = labels.partition("\n")[0]
    assert answer.endswith(end)
    assert after not in answer


def answer_of(run: Path) -> int:
    """Ask the exported model through LLaMA-Factory's own server; return how many tokens the question became."""
    with served(run / "serve/tuned.yaml", run / "logs/serve.log", concurrency=1) as endpoint:
        body = {"model": endpoint.model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 4}
        request = urllib.request.Request(
            f"{endpoint.url}/chat/completions",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {endpoint.key}"},
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as reply:
            said = json.loads(reply.read())
    assert 1 <= said["usage"]["completion_tokens"] <= 4
    return said["usage"]["prompt_tokens"]


def prompt_tokens(export: Path, parts: list[str]) -> int:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(export, trust_remote_code=True)
    return sum(len(tokenizer.encode(part, add_special_tokens=False)) for part in parts)
