"""Trains the filter of finance_en: which words of a question and of an answer speak for a row about money.

    pip install scikit-learn
    python -m tests.bench.finance_filter QUESTIONS ANSWERS GENERAL FINANCE

QUESTIONS and ANSWERS are those of FiQA (FiQA_train_question_final.tsv, test_answers.csv of its public copies), GENERAL
is a JSON list of [question, answer] from general instruction sets (Alpaca's layout), FINANCE the numbers of those rows
of GENERAL that are about money, told by eye. Two logistic regressions, on the words of questions and of answers; a
fifth of the rows is held out, and what they would lose and keep is printed. Writes converters/tasks/finance_en.tsv.
"""

import csv
import json
import random
import sys
from pathlib import Path

from converters.tasks.finance_en import WORD, _weights, is_finance

TARGET = Path(__file__).parents[2] / "converters/tasks/finance_en.tsv"
SMALLEST = 0.05
"""Weights that are nearer to zero are left out."""


def fit(texts: list[str], about: list[int], least: int) -> dict[str, float]:
    """Return each word's weight; "" has the intercept."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression

    words = CountVectorizer(analyzer=lambda text: set(WORD.findall(text.lower())), binary=True, min_df=least)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=2000)
    model.fit(words.fit_transform(texts), about)
    weights = dict(zip(words.get_feature_names_out(), model.coef_[0].tolist(), strict=True))
    return {word: weight for word, weight in weights.items() if abs(weight) >= SMALLEST} | {"": model.intercept_[0]}


def learn(questions: list[str], answers: list[str], rows: list[tuple[list[str], int]]) -> None:
    """Write the weights that questions and answers of FiQA and labelled general rows teach."""
    labels = [label for _, label in rows]
    asked = fit([*questions, *(pair[0] for pair, _ in rows * 2)], [1] * len(questions) + labels * 2, 2)
    told = fit([*answers, *(pair[1] for pair, _ in rows)], [1] * len(answers) + labels, 3)
    words = sorted(asked.keys() | told.keys())
    TARGET.write_text("".join(f"{word}\t{asked.get(word, 0):.2f}\t{told.get(word, 0):.2f}\n" for word in words))
    _weights.cache_clear()
    print(f"wrote {TARGET}: {len(words)} words")


def main() -> None:
    """Learn from four fifths and tell what the filter makes of the rest; then learn from all."""
    asked, told, general, finance = map(Path, sys.argv[1:5])
    with asked.open() as file:
        questions = [row["question"] for row in csv.DictReader(file, delimiter="\t")]
    answers = [line.split("\t")[1].replace("  ", " ") for line in told.read_text().splitlines() if "\t" in line]
    marked = set(json.loads(finance.read_text()))
    rows = [(pair, int(number in marked)) for number, pair in enumerate(json.loads(general.read_text()))]
    parts: list[list] = [questions, answers, rows]
    for seed, part in enumerate(parts):
        random.Random(seed).shuffle(part)
    learn(*(part[len(part) // 5 :] for part in parts))
    held_out = [part[: len(part) // 5] for part in parts]
    draw = random.Random(3)
    pairs = [(draw.choice(held_out[0]), draw.choice(held_out[1])) for _ in range(5000)]
    lost = sum(not is_finance(*pair) for pair in pairs)
    print(f"FiQA's held-out questions and answers, put together by chance: {lost / len(pairs):.2%} lost")
    kept = [(pair[0], label) for pair, label in held_out[2] if is_finance(*pair)]
    print(f"held-out general rows: {len(kept)} kept, {sum(not label for _, label in kept)} of them not about money")
    for question, label in kept:
        print(f"  {label} {' '.join(question.split())[:100]}")
    learn(*parts)


if __name__ == "__main__":
    main()
