"""What LLaMA-Factory left behind of a training."""

from pathlib import Path

import orjson


def peak_vram(folder: Path) -> float | None:
    """Return the highest memory that LLaMA-Factory recorded, GiB, None where there is no GPU."""
    log = folder / "trainer_log.jsonl"
    lines = log.read_bytes().splitlines() if log.is_file() else []
    peaks = [orjson.loads(line).get("vram_reserved", 0.0) for line in lines]
    return max(peaks, default=0.0) or None
