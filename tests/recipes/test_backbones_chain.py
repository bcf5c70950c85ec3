"""A backbone that must be prepared, through the commands as typed: from the hub to a served model, on a CPU.

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

NAME = "baichuan2-7b"
"""Trained by the bare line that the project was asked for. Every kind's format: test_backbones_encoding."""
QUESTION = "遗嘱怎样写才有效？"
ASKED, END = f"<reserved_106>{QUESTION}<reserved_107>", "</s>"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout, and a hub with the rows of law_zh and a twin of each backbone under its own id."""
    folder = tmp_path_factory.mktemp("chain")
    write_rows(folder / "hub/datasets/ShengbinYue/DISC-Law-SFT")
    backbone = find_backbone(NAME)
    make_twin(backbone, folder / "hub/models" / backbone.hub)
    (folder / "checkout").mkdir()
    with Hub(folder / "hub", folder) as hub:
        yield Checkout(folder / "checkout", hub.environment())


def test_it_is_trained_exported_and_served_in_its_own_format(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"TASK=law_zh MODEL={NAME}"
    # FORCE: the plan is about the real model, which a CI machine may be too small for; the twin is not
    checkout(f"make train {words} FORCE=1")
    run = Path(f"runs/law_zh/{NAME}/lora")
    check_training(checkout.folder / run)

    checkout(f"make export {words}")
    monkeypatch.chdir(checkout.folder)
    for variable, value in checkout.environment.items():
        monkeypatch.setenv(variable, value)
    assert answer_of(run) == prompt_tokens(run / "export")


def check_training(run: Path) -> None:
    """Hold the example that LLaMA-Factory prints before training, and the numbers after it, against what must be."""
    assert read_json(run / "adapter/all_results.json")["train_loss"] > 0
    log = (run / "logs/train.log").read_text(encoding="utf-8")
    inputs, labels = log.split("\ninputs:\n")[1].split("\nlabels:\n")
    before, after = ASKED.split(QUESTION)
    assert inputs.startswith(ASKED[:14])
    assert before in inputs
    assert after in inputs
    answer = labels.partition("\n")[0]
    assert answer.endswith(END)
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


def prompt_tokens(export: Path) -> int:
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(export).encode(ASKED, add_special_tokens=False))
