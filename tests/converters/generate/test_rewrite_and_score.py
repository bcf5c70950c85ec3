"""make rewrite and make score as typed: originals kept, scores read strictly, and both one TASK away."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from common.llm.reply import Reply
from converters.__main__ import cli
from converters.generate.rewriting import answer_of, problem
from converters.generate.scoring import read_score
from converters.generate.selection import load_banned
from converters.task import Record
from tests.endpoint import Endpoint, completion

Run = Callable[..., None]
ReadRows = Callable[[str], list[dict[str, Any]]]
BASE = Path("data/medical_en")


def convert(name: str, *arguments: str) -> None:
    cli.main(["convert", "--task", name, *arguments], standalone_mode=False)


def by_length(body: dict[str, Any], number: int) -> str:
    """Score long prompts high, as a model might."""
    return json.dumps({"reason": "So it is.", "score": 5 if len(body["messages"][0]["content"]) % 2 else 3})


def test_answers_are_rewritten_and_the_originals_kept(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    better = "This is what the tests and the guidelines of today say, in words that anyone can follow."
    thought = f"<think>Which facts are there?</think>\n\n{better}"
    endpoint.behaviour = lambda body, number: thought if number % 2 else completion(better, "length")
    run("rewrite", "--concurrency", "1")
    base = {row["id"]: row for row in read_rows(f"{BASE}/train.jsonl")}
    made = read_rows(f"{BASE}/rewritten/rows.jsonl")
    assert len(made) == len(base) // 2
    assert all(row["original"] == base[row["id"]]["output"] and row["output"] == better for row in made)
    assert made[0]["made_by"]["prompt"].startswith("rewrite.en.jinja ")
    assert {row["step"] for row in read_rows(f"{BASE}/rewritten/rejected.jsonl")} == {"cut_off"}
    mixed = {row["id"]: row for row in read_rows("data/medical_en+rewritten/train.jsonl")}
    assert list(mixed) == list(base)
    changed = {row["id"] for row in made}
    assert all(row["output"] == (better if name in changed else base[name]["output"]) for name, row in mixed.items())


def test_only_short_answers_and_only_so_many(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = lambda body, number: "A longer answer than the one that was here before, and a clearer one."
    run("rewrite", "--set", "below=400", "--limit", "5")
    made = read_rows(f"{BASE}/rewritten/rows.jsonl")
    assert len(made) == len(endpoint.calls) == 5
    assert all(len(row["original"]) < 400 for row in made)
    run("rewrite", "--set", "below=400", "--limit", "7")
    assert len(endpoint.calls) == 7


def test_an_answer_of_the_judged_questions_is_not_taken_over(
    endpoint: Endpoint, run: Run, questions: Path, read_rows: ReadRows
) -> None:
    reference = "Avoid potassium-rich bananas, oranges, potatoes and salted meats, and ask a renal dietitian."
    judged = {"id": "q1", "question": "Which foods harm weak kidneys?", "reference": reference}
    (questions / "medical_en.jsonl").write_text(json.dumps(judged) + "\n")
    endpoint.behaviour = lambda body, number: (
        f"Well: {reference}" if number == 0 else "Something else that is said here."
    )
    run("rewrite", "--limit", "2", "--concurrency", "1")
    assert [row["step"] for row in read_rows(f"{BASE}/rewritten/rejected.jsonl")] == ["contaminated"]
    assert len(read_rows(f"{BASE}/rewritten/rows.jsonl")) == 1


@pytest.mark.parametrize(
    ("before", "text", "step"),
    [
        ("D. 社会总产品", "D. 社会总产品。社会资本再生产的核心问题是总产品的实现。", ""),
        ("D. 社会总产品", "A. 货币资本。社会资本再生产的核心问题是总产品的实现。", "choice"),
        ("D. 社会总产品", "社会总产品，因为社会资本再生产的核心问题是总产品的实现。", "choice"),
        ("社会总产品", "作为一个人工智能，我不能回答这个问题。", "refused"),
        ("社会总产品", "The starting point is the whole product of society, as the textbook says.", "language"),
        ("社会总产品", " ", "empty"),
        ("社会总产品", "社会总产品", "unchanged"),
    ],
)
def test_what_is_no_rewriting(before: str, text: str, step: str) -> None:
    why = problem(Record("出发点是什么？", "", before), answer_of(text), "zh", load_banned())
    assert (why[0] if why else "") == step


def test_scores_select_rows_by_threshold(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = by_length
    run("score")
    scores = {row["id"]: row["score"] for row in read_rows(f"{BASE}/scored/rows.jsonl")}
    assert set(scores.values()) == {3.0, 5.0}
    high = [name for name, score in scores.items() if score == 5]
    assert [row["id"] for row in read_rows("data/medical_en+scored/train.jsonl")] == high
    convert("medical_en+scored@3")
    assert len(read_rows("data/medical_en+scored@3/train.jsonl")) == len(scores) == 164
    left_out = read_rows("data/medical_en+scored/rejected.jsonl")
    assert left_out[0]["reason"] == "score 3, below 4.5"
    convert("medical_en+scored", "--set", "threshold=2")
    convert("medical_en+scored")  # as training does: what SET said still holds
    assert len(read_rows("data/medical_en+scored/train.jsonl")) == 164
    convert("medical_en+scored", "--force")
    assert len(read_rows("data/medical_en+scored/train.jsonl")) == len(high)


def test_parts_build_on_each_other(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    better = "This is what the tests and the guidelines of today say, in words that anyone can follow."
    endpoint.behaviour = lambda body, number: better
    run("rewrite", "--limit", "20")
    endpoint.behaviour = by_length
    run("score", task="medical_en+rewritten")
    rows = read_rows("data/medical_en+rewritten+scored/train.jsonl")
    assert 0 < len(rows) < 164
    assert any(row["output"] == better for row in rows)
    own = Path("data/medical_en+rewritten+scored/test.jsonl").read_bytes()
    assert own == (BASE / "test.jsonl").read_bytes()


def test_a_mix_is_written_once(endpoint: Endpoint, run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    endpoint.behaviour = by_length
    run("score")
    before = Path("data/medical_en+scored/train.jsonl").stat().st_mtime_ns
    convert("medical_en+scored")
    assert "is up to date" in capsys.readouterr().out
    assert Path("data/medical_en+scored/train.jsonl").stat().st_mtime_ns == before


def test_a_part_made_of_other_rows_is_refused_and_made_again(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = by_length
    run("score")
    asked = len(endpoint.calls)
    source = Path(__file__).resolve().parents[3] / "converters/examples/medical_en"
    convert("medical_en", "--source", str(source), "--set", "seed=1 test=0.2")
    with pytest.raises(UserError, match="was made from other rows of medical_en") as caught:
        convert("medical_en+scored")
    assert caught.value.hint == "make score TASK=medical_en asks for the new rows only"
    run("score")
    assert 0 < len(endpoint.calls) - asked < 60  # rows that were in val and test before
    rows, tested = (read_rows(f"{BASE}/{split}.jsonl") for split in ("train", "test"))
    assert {row["id"] for row in read_rows(f"{BASE}/scored/rows.jsonl")} == {row["id"] for row in rows}
    assert not {row["id"] for row in read_rows("data/medical_en+scored/train.jsonl")} & {row["id"] for row in tested}


def test_the_control_of_a_score_is_as_many_rows_at_random(endpoint: Endpoint, run: Run, read_rows: ReadRows) -> None:
    endpoint.behaviour = by_length
    run("score", "--limit", "120")
    for name in ("medical_en+scored@4", "medical_en+scored@random4", "medical_en+scored@random"):
        convert(name)
    scored = {row["id"] for row in read_rows(f"{BASE}/scored/rows.jsonl")}
    high, control, default = (
        [row["id"] for row in read_rows(f"data/medical_en+scored@{end}/train.jsonl")]
        for end in ("4", "random4", "random")
    )
    assert len(control) == len(high) < 120
    assert set(control) <= scored
    assert control != high
    assert default == control  # 4.5 and 4 select the same of scores 3 and 5
    reasons = {row["reason"] for row in read_rows("data/medical_en+scored@random4/rejected.jsonl")}
    assert reasons == {"not drawn", "not scored"}


def test_a_threshold_that_leaves_nothing(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = lambda body, number: '{"reason": "poor", "score": 1}'
    with pytest.raises(UserError, match=r"no row is left for medical_en\+scored: 0 of 164 rows"):
        run("score")
    convert("medical_en+scored@1")
    assert not Path("data/medical_en+scored/card.json").exists()


def test_amounts_that_cannot_be(endpoint: Endpoint, run: Run) -> None:
    endpoint.behaviour = by_length
    run("score")
    for name, setting, message in [
        ("medical_en+scored@9", "", "threshold must be from 0 to 5"),
        ("medical_en+scored", "share=0.5", "SET share cannot be used"),
        ("medical_en+scored@3", "threshold=4", "cannot be used with"),
        ("medical_en+scored", "threshold=high", "threshold must be from 0 to 5"),
    ]:
        with pytest.raises(UserError, match=message):
            convert(name, *(["--set", setting] if setting else []))


@pytest.mark.parametrize("bad", ["I think that it is good.", "Score: 9", '{"score": "high"}', '{"score": 4', "", "4"])
def test_prose_is_no_score(endpoint: Endpoint, run: Run, read_rows: ReadRows, bad: str) -> None:
    endpoint.behaviour = lambda body, number: bad
    with pytest.raises(UserError, match=r"there are no scored rows \(unread 4\)"):
        run("score", "--limit", "4")
    assert len(read_rows(f"{BASE}/scored/rejected.jsonl")) == 4


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Rest and drink.", "Rest and drink."),
        ("Here is a better answer to the question:\n\nRest and drink.", "Rest and drink."),
        ("Sure! Here's the rewritten answer: Rest and drink.", "Rest and drink."),
        ("**Better answer:** Rest and drink.", "Rest and drink."),
        ("改写后的回答：多休息。", "多休息。"),
        ("好的，以下是改进后的答案：\n多休息。", "多休息。"),
        ("```\nRest and drink.\n```", "Rest and drink."),
        ("Here is what to do: rest.", "Here is what to do: rest."),
        ("```\ncode\n```\nThen rest.", "```\ncode\n```\nThen rest."),
        ("以下是三个步骤：\n多休息。", "以下是三个步骤：\n多休息。"),
    ],
)
def test_what_models_put_around_an_answer_is_not_trained_on(text: str, answer: str) -> None:
    assert answer_of(text) == answer


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"reason": "fine", "score": 4.5}', 4.5),
        ('```json\n{"reason": "fine", "score": 4}\n```', 4.0),
        ("Clear and right.\n\nScore: 4.5", 4.5),
        ("清楚。\n**评分：3分**", 3.0),
        ("Score: 2/5", 2.0),
        ('{"reason": "fine", "score": "3.5"}', 3.5),
        ('<think>{"score": 1}?</think>\n{"reason": "fine", "score": 4}', 4.0),
        ("Score: 5 for style.\nScore: 1", 1.0),
    ],
)
def test_scores_are_read(text: str, score: float) -> None:
    found = read_score(Reply(text).said)
    assert found is not None
    assert found[0] == score
