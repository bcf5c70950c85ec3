"""Learns the filter of finance_en: what speaks for a row about money.

    python -m tests.bench.finance_filter QUESTIONS PAIRS GENERAL LABELS

QUESTIONS are those of FiQA (FiQA_train_question_final.tsv of its public copies), PAIRS a JSON list of its [question,
answer], GENERAL one from general instruction sets (Alpaca), LABELS what those are about, told by eye: {"money":
[numbers], "unsure": [numbers]}, counted in GENERAL; those that are unsure are left out, all others are not about money.
finance_words.yaml has the words to look for, and rows of our own.

Three logistic regressions: on the style, on the question's words, on the answer's. First three times on two thirds of
all, to print what the filter loses and keeps of the third that it has not seen; then on everything. Writes
converters/tasks/finance_en.tsv.
"""

import csv
import json
import sys
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy
import yaml
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from converters.tasks.finance_en import STYLE, features, is_finance, weights

TARGET = Path(__file__).parents[2] / "converters/tasks/finance_en.tsv"
KNOWN = yaml.safe_load(Path(__file__).with_name("finance_words.yaml").read_text(encoding="utf-8"))
MONEY, STYLE_WORDS = KNOWN["money"].split(), set(KNOWN["style"].split())
SMALLEST = 0.05
"""Weights that are nearer to zero are left out."""
FOLDS = 3

Row = tuple[str, str, int]
"""Question, answer ("" when only the question is known), and whether it is about money."""


def fit(found: list[set[Any]], about: list[int], weight: list[float], penalty: float) -> dict[Any, float]:
    """Return each feature's weight in a logistic regression; "" has the intercept."""
    counts = Counter(feature for some in found for feature in some)
    place = {feature: number for number, feature in enumerate(sorted(one for one in counts if counts[one] > 1))}
    rows, columns = zip(*((n, place[one]) for n, some in enumerate(found) for one in some if one in place), strict=True)
    matrix = csr_matrix((numpy.ones(len(rows)), (rows, columns)), shape=(len(found), len(place)))
    sign, each = 2.0 * numpy.array(about) - 1, numpy.array(weight)

    def loss(values: numpy.ndarray) -> tuple[float, numpy.ndarray]:
        margin = sign * (matrix @ values[1:] + values[0])
        slope = -each * sign / (1 + numpy.exp(numpy.clip(margin, -40, 40)))
        total = (each * numpy.logaddexp(0, -margin)).sum() + 0.5 * penalty * values[1:] @ values[1:]
        return float(total), numpy.concatenate([[slope.sum()], matrix.T @ slope + penalty * values[1:]])

    best = minimize(loss, numpy.zeros(len(place) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x
    return {"": best[0]} | {one: best[n + 1] for one, n in place.items() if abs(best[n + 1]) >= SMALLEST}


def learn(questions: list[Row], pairs: list[Row], general: list[Row]) -> None:
    """Write the weights that FiQA and labelled general rows teach."""
    own = [(question, answer, int(about)) for about, question, answer in KNOWN["rows"]]
    looked = {row: features(*row[:2], MONEY) for row in [*questions, *pairs, *general, *own]}
    made = {"money": dict.fromkeys(MONEY, 1.0)}
    style = [
        {(part, one) for part in STYLE for one in looked[row][part] if part == "form" or one in STYLE_WORDS}
        for row in [*pairs, *general]
    ]
    about = [1] * len(pairs) + [0] * len(general)
    for place, value in fit(style, about, [3.0] * len(pairs) + [1.0] * len(general), 1.0).items():
        part, one = place or ("form", "")
        made.setdefault(part, {})[one] = value
    others = [*general, *own]
    for part, rows, weight, penalty in (
        ("asked", [*questions, *pairs], [0.6] * len(questions) + [1.0] * len(pairs), 1.0),
        ("told", pairs, [3.0] * len(pairs), 2.0),
    ):
        found = [looked[row][part] - STYLE_WORDS for row in [*rows, *others]]
        weight += [6.0 if row[2] else 1.0 for row in others]
        made[part] = fit(found, [row[2] for row in [*rows, *others]], weight, penalty)
    lines = [f"{part}\t{one}\t{value:.2f}\n" for part, some in made.items() for one, value in sorted(some.items())]
    TARGET.write_text("".join(lines), encoding="utf-8")
    weights.cache_clear()


def main() -> None:
    """Tell what the filter makes of rows that it has not seen, then learn from all."""
    asked, told, general_file, labels = map(Path, sys.argv[1:5])
    pairs = [(question, answer.replace("  ", " "), 1) for question, answer in json.loads(told.read_text())]
    known = {question for question, *_ in pairs}
    with asked.open() as file:
        every = [row["question"] for row in csv.DictReader(file, delimiter="\t")]
    questions = [(question, "", 1) for question in every if question not in known]
    label = {number: kind for kind, numbers in json.loads(labels.read_text()).items() for number in numbers}
    general = [
        (question, answer, int(label.get(number) == "money"))
        for number, (question, answer) in enumerate(json.loads(general_file.read_text()))
        if label.get(number) != "unsure"
    ]
    lost, kept = [], []
    for fold in range(FOLDS):
        seen, unseen = [], []
        for part in (questions, pairs, general):  # all answers to a question are in one fold
            other = [zlib.crc32(row[0].encode()) % FOLDS == fold for row in part]
            seen.append([row for row, out in zip(part, other, strict=True) if not out])
            unseen.append([row for row, out in zip(part, other, strict=True) if out])
        learn(*seen)
        lost += [row for row in unseen[1] if not is_finance(*row[:2])]
        kept += [row for row in unseen[2] if is_finance(*row[:2])]
    off = [row for row in kept if not row[2]]
    print(f"FiQA: {len(lost)} of {len(pairs)} rows lost ({len(lost) / len(pairs):.2%})")
    print(f"general rows: {len(kept)} of {len(general)} kept, {len(off)} of them not about money; "
          f"{sum(row[2] for row in general)} are")  # fmt: skip
    for mark, rows in (("lost", lost), ("off", off)):
        print("".join(f"  {mark} {' '.join(row[0].split())[:100]}\n" for row in rows), end="")
    learn(questions, pairs, general)


if __name__ == "__main__":
    main()
