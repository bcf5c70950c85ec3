"""What this machine has, found out without torch: cards through nvidia-smi, the CPU through its flags."""

import functools
import importlib.util
import os
import platform
import re
import subprocess
from pathlib import Path

from common.errors import UserError
from common.progress import notice
from recipes.catalog.catalog import Hardware
from recipes.catalog.lookup import LIST, find_hardware

SPEED_PACKAGES = ("flash_attn", "liger_kernel", "unsloth", "deepspeed")
USABLE = 0.98
"""Share of a card's memory that its driver leaves."""

QUERY = ("--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits")
LISTED = re.compile(r"GPU (\d+): .*\(UUID: (GPU-[^)]+)\)|MIG \d+g\.(\d+)gb\S* +Device +\d+: \(UUID: (MIG-[^)]+)\)")
MIG_SHARE = 0.95
"""GiB that a slice has of each gigabyte in its name: 4.75 of 1g.5gb."""

Card = tuple[str, float | None, float | None]
"""Name, GiB, compute capability; None: nvidia-smi does not say it."""


def resolve_hardware(name: str, gpus: int = 0, nodes: int = 1) -> tuple[Hardware, str]:
    """Return the hardware to render for and why: the machine's own when `name` is auto, else the named profile.

    `gpus`: how many cards of it, 0 for all that there are (one of a profile); `nodes`: on how many machines.
    """
    if name != "auto":
        found, why = find_hardware(name), f"HARDWARE={name} was asked for"
        return _spread(found, gpus or found.devices, nodes), why
    cards = nvidia_cards()
    if cards:
        return _of_cards(cards, gpus, nodes)
    cores = os.cpu_count() or 1
    found = Hardware(name="cpu", title="no GPU", kind="cpu", memory_gb=ram_gb(), bf16=cpu_has_bf16(), cores=cores)
    return _spread(found, gpus or 1, nodes), f"no GPU was found (nvidia-smi); {cores} CPU cores"


def _of_cards(cards: list[Card], gpus: int, nodes: int) -> tuple[Hardware, str]:
    if gpus > len(cards):
        raise UserError(f"GPUS={gpus} was asked for, and this machine has {len(cards)}", f"GPUS={len(cards)}")
    used = cards[: gpus or len(cards)]
    for number, what in ((1, "memory"), (2, "compute capability")):
        if silent := [str(card[0]) for card in used if card[number] is None]:
            raise UserError(
                f"nvidia-smi does not say the {what} of {silent[0]}",
                f"name the profile that is like it: HARDWARE=t4 ..., see `{LIST}`",
            )
    # the weakest of them decides: all do the same work
    title, memory_gb, capability = used[0][0], min(card[1] or 0 for card in used), min(card[2] or 0 for card in used)
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
    """Return the cards that a program here can use: those of nvidia-smi that CUDA_VISIBLE_DEVICES leaves."""
    path = os.environ.get("PATH", "")
    cards = [card for line in _answer(path, *QUERY).splitlines() if (card := _card(line))]
    named = _by_uuid(cards, _answer(path, "-L")) if cards else {}
    slices = [card for uuid, card in named.items() if uuid.startswith("MIG-")]
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None or not cards:
        return slices[:1] or cards  # a program that names none sees one slice
    chosen: list[Card] = []
    for name in filter(None, map(str.strip, visible.split(","))):
        if name.isdigit() and int(name) < len(slices or cards):
            chosen.append((slices or cards)[int(name)])
        elif alike := [card for uuid, card in named.items() if uuid.startswith(name)]:
            chosen.append(alike[0])
        elif name[0].isalpha():
            raise UserError(f"CUDA_VISIBLE_DEVICES={visible}: there is no {name} here", "nvidia-smi -L lists the cards")
        else:
            break  # as CUDA reads it: nothing counts from there on
    return chosen


def nvidia_driver() -> str:
    """Return the version of the NVIDIA driver, "" where there is none."""
    answer = _answer(os.environ.get("PATH", ""), "--query-gpu=driver_version", "--format=csv,noheader")
    return (answer.splitlines() or [""])[0]


@functools.cache
def _answer(path: str, *words: str) -> str:
    """Ask nvidia-smi, once for a command: it takes up to seconds on a machine with many cards."""
    try:
        done = subprocess.run(["nvidia-smi", *words], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _card(line: str) -> Card | None:
    """Return the card of a line of nvidia-smi's answer; None when it holds none, which is said where a card is lost."""
    if "not a valid field" in line:
        raise UserError(f"the NVIDIA driver here is too old: {line}", "update it, or name the card: HARDWARE=t4")
    parts = line.rsplit(", ", 2)
    if len(parts) == 3:
        name, memory, capability = parts
        shared = memory in ("[N/A]", "[Not Supported]")  # a chip whose CPU and GPU have one memory
        mebibytes = _number(memory)
        return name, ram_gb() if shared else mebibytes and mebibytes / 1024, _number(capability)
    if "unable" in line.lower():
        notice(f"nvidia-smi: {line}; that card is not counted")
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _by_uuid(cards: list[Card], listing: str) -> dict[str, Card]:
    """Return UUID -> card, or slice of a card (MIG), as `nvidia-smi -L` lists them."""
    found: dict[str, Card] = {}
    card = None
    for number, uuid, gigabytes, slice_uuid in LISTED.findall(listing):
        if uuid and int(number) < len(cards):
            card = found[uuid] = cards[int(number)]
        elif slice_uuid and card:
            found[slice_uuid] = f"{card[0]} (MIG slice)", MIG_SHARE * float(gigabytes), card[2]
    return found


def ram_gb() -> float:
    """Return this machine's RAM in GiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def cpu_has_bf16() -> bool:
    """Tell whether the CPU computes in bfloat16 itself (AMX or AVX-512 BF16) rather than by conversion."""
    if platform.system() != "Linux":
        return False
    flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    return "avx512_bf16" in flags or "amx_bf16" in flags
