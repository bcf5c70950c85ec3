"""Texts of random words, and the same with some words changed."""

import random

WORDS = [
    "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz", k=3 + seed % 7)) for seed in range(3_000)
]  # fmt: skip


def prose(seed, words=60):
    return " ".join(random.Random(seed).choices(WORDS, k=words))


def changed(text, words):
    """Return text with so many words replaced, far from each other."""
    parts = text.split()
    for number in range(words):
        parts[(number * len(parts)) // words] = WORDS[-1 - number]
    return " ".join(parts)
