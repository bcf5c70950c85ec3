"""What a conversion did, in a few lines for the terminal. Pure."""

from typing import Any


def summary(card: dict[str, Any]) -> str:
    """Return rows in, rows dropped by step, and rows out by split."""
    files = card["files"]
    dropped = [f"{step['step']} {step['dropped']:,}" for step in card["steps"] if step["dropped"]]
    lengths = card["lengths"]
    kept = [f"{split} {files[split]['rows']:,}" for split in ("train", "val", "test")]
    return "\n".join(
        [
            f"{card['task']}: {card['rows']:,} rows from {card['source']}",
            f"  dropped {files['rejected']['rows']:,}: {', '.join(dropped) or 'none'}",
            f"  kept    {', '.join(kept)}",
            f"  lengths prompt {lengths['prompt']['p50']:,} and answer {lengths['output']['p50']:,} characters at the "
            f"median, both together {lengths['total']['p95']:,} at the 95th percentile",
            f"  files   data/{card['task']}/ (rejected.jsonl has each dropped row with its reason; "
            f"`make data-report TASK={card['task']}` draws it)",
        ]
    )
