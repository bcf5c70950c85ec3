"""Rows that hold a question that models are judged by."""

import pytest

from converters.corpus.contamination import Index
from converters.text.sketch import fold, grams
from tests.converters.prose import WORDS, prose

QUESTIONS = [
    ("judged 1", "How should an adult with newly found high blood pressure change what they eat?"),
    ("judged 2", "What is gout?"),
    ("judged 3", "Which vaccines does a healthy baby need during the first twelve months of life?"),
]


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        (
            "Please help: how should an adult with newly-found high blood pressure change what they eat? Thanks",
            "judged 1",
        ),
        ("how should an adult with newly found high blood pressure change what they drink", "judged 1"),
        ("How should a child with newly found asthma change what they eat?", None),
        ("what is gout", "judged 2"),
        ("what is gout and what is pseudogout", None),
        ("Nothing of the kind is asked here at all.", None),
        ("", None),
    ],
)
def test_a_row_that_holds_a_judged_question_is_found(row, wanted):
    index = Index.build(QUESTIONS, 16)
    found = index.find(grams(*fold([prose(3), row, prose(4)]), 16), 0.8)
    assert [(number, name) for number, name, _ in found] == ([(1, wanted)] if wanted else [])


def test_phrases_that_many_questions_share_are_no_evidence():
    questions = [
        (f"q{i}", f"What are the symptoms of the rare condition called {WORDS[i]}{WORDS[i + 50]}") for i in range(40)
    ]
    index = Index.build(questions, 16)
    rows = [f"What are the symptoms of the rare condition called {WORDS[i]}{WORDS[i + 99]}" for i in range(100, 160)]
    assert index.find(grams(*fold(rows), 16), 0.8) == []
    assert [found[1] for found in index.find(grams(*fold([questions[7][1]]), 16), 0.8)] == ["q7"]
