"""A file of good rows, for tests that put something bad beside them."""

import json
from pathlib import Path

GOOD = [
    {"question": f"感冒第{i}天还咳嗽怎么办？", "answer": f"多喝水休息，第{i}天不好转请及时就诊。"} for i in range(40)
]


def lines(*extra: bytes) -> str:
    rows = [json.dumps(row, ensure_ascii=False).encode() for row in GOOD]
    Path("format_data.jsonl").write_bytes(b"\n".join([*rows, *extra]) + b"\n")
    return "format_data.jsonl"


def steps(card):
    return {step["step"]: step["dropped"] for step in card["steps"] if step["dropped"]}
