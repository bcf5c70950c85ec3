"""What this machine has, found out without torch: cards through nvidia-smi, the CPU through its flags."""

import functools
import importlib.util
import os
import platform
import subprocess
from pathlib import Path

from common.errors import UserError
from recipes.catalog.catalog import Hardware
from recipes.catalog.lookup import find_hardware

SPEED_PACKAGES = ("flash_attn", "liger_kernel", "unsloth", "deepspeed")
USABLE = 0.98
"""Share of a card's memory that its driver leaves."""

Card = tuple[str, float, float]
"""Name, GiB, compute capability."""


def resolve_hardware(name: str, gpus: int = 0, nodes: int = 1) -> tuple[Hardware, str]:
    """Return the hardware to render for and why: the machine's own when `name` is auto, else the named profile.

    Args:
        name: auto, or a profile.
        gpus: how many cards of it; 0 for all that there are (one of a profile).
        nodes: on how many machines.
    """
    if name != "auto":
        found, why = find_hardware(name), f"HARDWARE={name} was asked for"
        return _spread(found, gpus or found.devices, nodes), why
    cards = nvidia_cards()
    if cards:
        return _of_cards(cards, gpus, nodes)
    found = Hardware(
        name="cpu", title="no GPU", kind="cpu", memory_gb=ram_gb(), bf16=cpu_has_bf16(), cores=os.cpu_count() or 1
    )
    why = f"no GPU was found (nvidia-smi); {found.cores} CPU cores"
    return _spread(found, gpus or 1, nodes), why


def _of_cards(cards: list[Card], gpus: int, nodes: int) -> tuple[Hardware, str]:
    if gpus > len(cards):
        raise UserError(f"GPUS={gpus} was asked for, and this machine has {len(cards)}", f"GPUS={len(cards)}")
    used = cards[: gpus or len(cards)]
    # the weakest of them decides: all do the same work
    title, memory_gb, capability = used[0][0], min(card[1] for card in used), min(card[2] for card in used)
    found = Hardware(
        name="auto", title=title, kind="cuda", memory_gb=memory_gb * USABLE, compute_capability=capability,
        packages=installed(SPEED_PACKAGES),
    )  # fmt: skip
    more = f", {len(cards)} of them, {len(used)} used" if len(cards) > 1 else ""
    why = f"nvidia-smi shows {title} ({memory_gb:.1f} GiB, compute capability {capability}){more}"
    return _spread(found, len(used), nodes), why


def _spread(hardware: Hardware, devices: int, nodes: int) -> Hardware:
    """Return the hardware with so many devices; processes on one CPU share its memory."""
    memory = hardware.memory_gb / devices if hardware.kind == "cpu" else hardware.memory_gb
    return hardware.model_copy(update={"devices": devices, "nodes": nodes, "memory_gb": memory})


def installed(packages: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the packages that can be imported, without importing them."""
    return tuple(name for name in packages if importlib.util.find_spec(name))


def nvidia_cards() -> list[Card]:
    """Return (name, GiB, compute capability) of each card that nvidia-smi lists; none when it is not there."""
    return _visible(_answer(os.environ.get("PATH", "")))


@functools.cache
def _answer(path: str) -> str:
    """Ask nvidia-smi, once for a command: it takes up to seconds on a machine with many cards."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _visible(answer: str) -> list[Card]:
    rows = [line.split(", ") for line in answer.splitlines() if line.strip()]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        rows = [rows[int(i)] for i in visible.split(",") if i.strip().isdigit() and int(i) < len(rows)]
    return [(name, float(mebibytes) / 1024, float(capability)) for name, mebibytes, capability in rows]


def ram_gb() -> float:
    """Return this machine's RAM in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def cpu_has_bf16() -> bool:
    """Tell whether the CPU computes in bfloat16 itself (AMX or AVX-512 BF16) rather than by conversion."""
    if platform.system() != "Linux":
        return False
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags
