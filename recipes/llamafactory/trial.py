"""`python -m recipes.llamafactory.trial`: what LLaMA-Factory's own parser and the installed torch say of a run.

Both take seconds and much memory to import, so that they are asked in a process of their own: settings go in as JSON
on stdin, and what was found comes out as JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

from recipes.llamafactory.keys import groups

PLAIN = {key for name in ("plain", "above zero", "shares") for key in groups()[name]}
DRIVERS = {"11": 450, "12": 525, "13": 580}
"""CUDA's version in torch -> the oldest NVIDIA driver that runs it."""
MARK = "found: "


class Torch(NamedTuple):
    """What the installed torch sees."""

    version: str = ""
    cuda: str = ""
    """The CUDA that it was built for; "" for none."""
    cards: int = 0
    kernels: tuple[str, ...] = ()
    """The cards that it has code for: sm_80, compute_90 ..."""


class Found(NamedTuple):
    """What came of a trial."""

    refused: str
    """What the parser says against the settings; "" when it takes them."""
    torch: Torch


def ask(settings: Mapping[str, Any]) -> Found:
    """Put settings through LLaMA-Factory's parser, and torch's view of this machine."""
    done = subprocess.run(
        [sys.executable, "-m", "recipes.llamafactory.trial"],
        input=json.dumps(dict(settings)), capture_output=True, text=True, check=False,
        env={**os.environ, "LLAMAFACTORY_VERBOSITY": "ERROR"},
    )  # fmt: skip
    answer = done.stdout.rpartition(MARK)[2]
    if done.returncode or not answer:
        return Found(f"it does not start: {(done.stderr.strip().splitlines() or ['no word'])[-1]}", Torch())
    found = json.loads(answer)
    return Found(found["refused"], Torch(*found["torch"]))


def blind(torch: Torch, devices: int, capability: float) -> str:
    """Return why torch cannot compute on the cards that nvidia-smi shows, "" when it can. Pure."""
    if not torch.cuda:
        return f"torch {torch.version or 'is missing, or'} was built without CUDA"
    if torch.cards < devices:
        driver = DRIVERS.get(torch.cuda.partition(".")[0])
        needs = f"; it needs NVIDIA driver {driver} or newer" if driver else ""
        return f"torch {torch.version} sees {torch.cards} of {devices} cards{needs}"
    wanted = round(capability * 10)
    for kind, _, number in (name.partition("_") for name in torch.kernels):  # code runs on later cards of its kind
        made = int(number.rstrip("af"))
        if made <= wanted and (kind == "compute" or made // 10 == wanted // 10):
            return ""
    return f"torch {torch.version} has no code for compute capability {capability} (only {', '.join(torch.kernels)})"


def seen() -> Torch:
    """Return what torch says of itself and of the cards here."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an old driver, which is told by the plan
        cards = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return Torch(torch.__version__, torch.version.cuda or "", cards, tuple(torch.cuda.get_arch_list()))


def refused(settings: Mapping[str, Any]) -> str:
    """Return what LLaMA-Factory says against the settings before it loads anything; "" when it takes them."""
    from llamafactory.hparams import get_train_args
    from llamafactory.model.model_utils.quantization import configure_quantization

    here = {key: value for key, value in settings.items() if key not in groups()["of the machine"]}
    with tempfile.TemporaryDirectory() as empty:
        try:
            model, *_ = get_train_args({**here, "use_cpu": True, "report_to": "none", "output_dir": empty})
            configure_quantization(SimpleNamespace(), None, model, is_trainable=True, init_kwargs={})
        except Exception as error:  # whatever theirs raises is what it says
            return " ".join(str(error).split()) or type(error).__name__
    return ""


if __name__ == "__main__":
    print(MARK + json.dumps({"refused": refused(json.load(sys.stdin)), "torch": seen()}))
