"""A win rate with the length and the style of answers held equal, where there are enough questions for it."""

import re
from collections.abc import Sequence
from math import exp
from typing import Any

from eval.statistics.intervals import Z95

LEAST_QUESTIONS = 60
LEAST_DECIDED = 20
"""For each thing that is held equal."""
LIST = re.compile(r"^\s*(?:[-*•]|\d+[.)、．])\s*\S", re.M)
MARKUP = re.compile(r"^#{1,6}\s|\*\*[^*\n]+\*\*|`[^`\n]+`|^\|.*\|\s*$", re.M)


def style_of(text: str) -> tuple[int, int, int]:
    """Return what a judge may like in itself: characters, items of lists, pieces of markup (headings, bold, tables)."""
    return len(text), len(LIST.findall(text)), len(MARKUP.findall(text))


def differing(one: str, other: str) -> tuple[int, ...]:
    """Return by how much two answers differ in style."""
    return tuple(mine - theirs for mine, theirs in zip(style_of(one), style_of(other), strict=True))


def controls(scores: Sequence[float], differences: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Return the win rate at equal length, and at equal length, lists and markup; None where the data do not allow it.

    `differences` holds each question's `differing`. Without a list or a mark in any answer the second says nothing new.
    """
    length = [row[:1] for row in differences]
    styled = any(any(row[1:]) for row in differences)
    return {
        "length_controlled": controlled(scores, length),
        "style_controlled": controlled(scores, differences) if styled else None,
    }


def controlled(scores: Sequence[float], differences: Sequence[Sequence[float]]) -> dict[str, Any] | None:
    """Return the win rate where no difference is left, with interval, or None when the data do not allow it.

    A logistic regression of the score (0, 0.5, 1) on tanh of each standardised difference, as in length-controlled
    AlpacaEval (Dubois 2024) without its per-question term; the rate is the prediction at difference 0. A column
    without spread is left out. None below 60 questions, or 20 decided ones for each column, or when style separates
    wins from losses.
    """
    import numpy as np

    if len(scores) < LEAST_QUESTIONS:
        return None
    y, x = np.asarray(scores, float), np.asarray(differences, float)
    x = x[:, x.any(axis=0)]
    columns = x.shape[1]
    if not columns or (y != 0.5).sum() < LEAST_DECIDED * columns:
        return None
    x = np.column_stack([np.ones(len(y)), np.tanh(x / np.sqrt((x**2).mean(axis=0)))])
    weights, step = np.zeros(columns + 1), np.ones(columns + 1)
    for _ in range(50):  # Newton's method
        p = 1 / (1 + np.exp(-x @ weights))
        hessian = (x.T * (p * (1 - p))) @ x
        if np.abs(weights).max() > 30 or np.linalg.det(hessian) < 1e-9:
            return None
        if np.abs(step).max() < 1e-10:
            break
        step = np.linalg.solve(hessian, x.T @ (y - p))
        weights = weights + step
    else:
        return None
    # Sandwich: the scores are means of two calls, so the binomial variance would be wrong.
    error = np.sqrt((np.linalg.solve(hessian, (x * (y - p)[:, None]).T)[0] ** 2).sum())
    low, rate, high = (1 / (1 + exp(-(weights[0] + z * error))) for z in (-Z95, 0, Z95))
    return {"win_rate": rate, "interval": [low, high]}
