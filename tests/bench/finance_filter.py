"""Trains the filter of finance_en: which words of a question and of an answer speak for a row about money.

    python -m tests.bench.finance_filter QUESTIONS PAIRS GENERAL FINANCE

QUESTIONS are those of FiQA (FiQA_train_question_final.tsv of its public copies), PAIRS a JSON list of its [question,
answer], GENERAL one from general instruction sets (Alpaca's layout), FINANCE the numbers of those rows of GENERAL that
are about money, told by eye. Two logistic regressions, on the words of questions and of answers. First five times on
four fifths of all, to print what the filter loses and keeps of the fifth that it has not seen; then on everything.
Writes converters/tasks/finance_en.tsv.
"""

import csv
import json
import random
import sys
from collections import Counter
from pathlib import Path

import numpy
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from converters.tasks.finance_en import LOOKED_AT, WORD, _weights, is_finance

TARGET = Path(__file__).parents[2] / "converters/tasks/finance_en.tsv"
SMALLEST = 0.05
"""Weights that are nearer to zero are left out."""
FOLDS = 5

Pair = tuple[str, str]


def fit(texts: list[str], about: list[int]) -> dict[str, float]:
    """Return each word's weight in a logistic regression, classes balanced, penalty 1; "" has the intercept."""
    found = [set(WORD.findall(text[:LOOKED_AT].lower())) for text in texts]
    counts = Counter(word for words in found for word in words)
    place = {word: number for number, word in enumerate(sorted(word for word in counts if counts[word] > 1))}
    rows, columns = zip(
        *((row, place[word]) for row, words in enumerate(found) for word in words if word in place), strict=True
    )
    matrix = csr_matrix((numpy.ones(len(rows)), (rows, columns)), shape=(len(texts), len(place)))
    label = numpy.array(about)
    sign, weight = 2.0 * label - 1, len(label) / (2 * numpy.bincount(label)[label])

    def loss(values: numpy.ndarray) -> tuple[float, numpy.ndarray]:
        margin = sign * (matrix @ values[1:] + values[0])
        slope = -weight * sign / (1 + numpy.exp(numpy.clip(margin, -40, 40)))
        total = (weight * numpy.logaddexp(0, -margin)).sum() + 0.5 * values[1:] @ values[1:]
        return float(total), numpy.concatenate([[slope.sum()], matrix.T @ slope + values[1:]])

    best = minimize(loss, numpy.zeros(len(place) + 1), jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return {"": best[0]} | {word: best[n + 1] for word, n in place.items() if abs(best[n + 1]) >= SMALLEST}


def learn(questions: list[str], pairs: list[Pair], general: list[tuple[Pair, int]]) -> None:
    """Write the weights that FiQA and labelled general rows teach."""
    asked = [*questions, *(question for question, _ in pairs)]
    labels = [label for _, label in general]
    one = fit([*asked, *(pair[0] for pair, _ in general * 2)], [1] * len(asked) + labels * 2)
    other = fit([*(answer for _, answer in pairs), *(pair[1] for pair, _ in general)], [1] * len(pairs) + labels)
    words = sorted(one.keys() | other.keys())
    TARGET.write_text("".join(f"{word}\t{one.get(word, 0):.2f}\t{other.get(word, 0):.2f}\n" for word in words))
    _weights.cache_clear()


def main() -> None:
    """Tell what the filter makes of rows that it has not seen, then learn from all."""
    asked, told, general_file, finance = map(Path, sys.argv[1:5])
    pairs = [(question, answer.replace("  ", " ")) for question, answer in json.loads(told.read_text())]
    known = {question for question, _ in pairs}
    with asked.open() as file:
        questions = [row["question"] for row in csv.DictReader(file, delimiter="\t") if row["question"] not in known]
    marked = set(json.loads(finance.read_text()))
    general = [(tuple(pair), int(number in marked)) for number, pair in enumerate(json.loads(general_file.read_text()))]
    parts: list[list] = [questions, pairs, general]
    for seed, part in enumerate(parts):
        random.Random(seed).shuffle(part)
    lost, kept = [], []
    for fold in range(FOLDS):
        learn(*([one for number, one in enumerate(part) if number % FOLDS != fold] for part in parts))
        lost += [pair[0] for pair in pairs[fold::FOLDS] if not is_finance(*pair)]
        kept += [(label, pair[0]) for pair, label in general[fold::FOLDS] if is_finance(*pair)]
    print(f"FiQA: {len(lost)} of {len(pairs)} rows lost ({len(lost) / len(pairs):.2%})")
    off = sum(not label for label, _ in kept)
    print(f"general rows: {len(kept)} of {len(general)} kept, {off} of them not about money; {len(marked)} are")
    for mark, question in [("lost", question) for question in lost] + sorted(kept):
        print(f"  {mark} {' '.join(question.split())[:100]}")
    learn(*parts)


if __name__ == "__main__":
    main()
