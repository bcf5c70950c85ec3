"""A machine that is not here, as far as LLaMA-Factory's argument parser asks about it.

Only the answers about the machine are replaced: whether torch sees a card, which one and how many, on which device
this process is, and the versions of packages that the recipe itself declares to need. Every check of LLaMA-Factory,
transformers and accelerate runs as it is, on those answers.
"""

import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from recipes.catalog.catalog import Hardware


def stand_in_for_deepspeed() -> None:
    """Let transformers find a `deepspeed`, so that it reads and checks its configuration; before its first import."""
    if importlib.util.find_spec("deepspeed") is not None:
        return
    module = types.ModuleType("deepspeed")
    module.__spec__ = importlib.machinery.ModuleSpec("deepspeed", loader=None)
    sys.modules["deepspeed"] = module
    known = importlib.metadata.metadata

    def metadata(name: str) -> Any:
        return known("accelerate" if name == "deepspeed" else name)

    importlib.metadata.metadata = metadata  # type: ignore[assignment]


@contextmanager
def machine_with(hardware: Hardware, packages: set[str]) -> Iterator[None]:
    """Answer for this hardware while the block runs."""
    with ExitStack() as stack:
        stack.enter_context(_packages(packages))
        if hardware.kind == "cuda":
            for replaced in _card(hardware):
                stack.enter_context(replaced)
        stack.enter_context(_device(hardware))
        _forget()
        yield
    _forget()


def _packages(packages: set[str]) -> Any:
    known = importlib.metadata.version
    wanted = {name.replace("_", "-") for name in packages}

    def version(name: str) -> str:
        try:
            return known(name)
        except importlib.metadata.PackageNotFoundError:
            if name.replace("_", "-") in wanted:
                return "99.0"
            raise

    return patch.object(importlib.metadata, "version", version)


def _card(hardware: Hardware) -> list[Any]:
    import torch

    major, minor = divmod(round(hardware.compute_capability * 10), 10)
    answers: dict[str, Any] = {
        "is_available": True,
        "device_count": hardware.devices,
        "current_device": 0,
        "set_device": None,
        "get_device_capability": (major, minor),
        "is_bf16_supported": major >= 7,  # as torch says it, emulation counted
        "manual_seed_all": None,
    }
    return [
        patch.object(torch.cuda, name, lambda *_, _answer=answer, **__: _answer) for name, answer in answers.items()
    ]


def _device(hardware: Hardware) -> Any:
    """Put this process on its device, as one of those that torchrun would start."""
    import torch
    from accelerate.utils import DistributedType
    from transformers import TrainingArguments

    world = hardware.devices * hardware.nodes
    many = DistributedType.MULTI_CPU if hardware.kind == "cpu" else DistributedType.MULTI_GPU

    def setup(arguments: Any) -> torch.device:
        arguments._n_gpu = 0 if hardware.kind == "cpu" else 1
        device = torch.device(hardware.kind if hardware.kind == "cpu" else "cuda:0")
        arguments.distributed_state = types.SimpleNamespace(
            distributed_type=many if world > 1 else DistributedType.NO,
            num_processes=world,
            process_index=0,
            local_process_index=0,
            device=device,
        )
        return device

    return patch.object(TrainingArguments, "_setup_devices", property(setup))


def _forget() -> None:
    """Drop what transformers remembers about the machine and about DeepSpeed."""
    from transformers.integrations import deepspeed
    from transformers.utils import import_utils

    deepspeed.unset_hf_deepspeed_config()
    for name in ("is_torch_cuda_available", "is_torch_bf16_gpu_available", "is_torch_tf32_available"):
        clear = getattr(getattr(import_utils, name), "cache_clear", None)
        if clear:
            clear()
